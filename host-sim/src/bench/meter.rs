//! Measures rows.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use super::{BenchError, Board, Core, Counts, Image, OptLevel, Plugin, Row, Workload, compiler};
use crate::board;

/// Counts what images execute on emulated boards.
#[derive(Debug, Clone)]
pub struct Meter {
    root: PathBuf,
    plugin: Plugin,
    rustc: String,
}

/// One count.
#[derive(Debug, Clone, Copy)]
pub struct Job {
    /// What is counted.
    pub workload: &'static Workload,
    /// Where.
    pub core: Core,
    /// The board of that core.
    pub board: Board,
    /// How the image is optimised.
    pub opt_level: OptLevel,
}

impl Meter {
    /// Builds the plugin of the checkout.
    ///
    /// # Errors
    /// What is missing: QEMU, its plugins, Rust.
    pub fn new() -> Result<Self, BenchError> {
        let folder = board::firmware_folder().join("../..");
        // Without `..`, as the compiler writes it into the images.
        let root = folder.canonicalize().map_err(|source| BenchError::Unreadable { path: folder, source })?;
        Ok(Self { plugin: Plugin::build(&root)?, rustc: compiler()?, root })
    }

    /// The checkout.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The compiler of the images.
    #[must_use]
    pub fn rustc(&self) -> &str {
        &self.rustc
    }

    /// Builds a workload's image for a core.
    ///
    /// # Errors
    /// See [`Image::build`].
    pub fn build(&self, workload: &Workload, board: Board, opt_level: OptLevel) -> Result<Image, BenchError> {
        Image::build(workload, board, opt_level, &self.root.join("firmware/bench"))
    }

    /// Builds and runs a workload's image on an emulated core.
    ///
    /// # Errors
    /// See [`BenchError`].
    pub fn count(&self, job: &Job) -> Result<(Row, Image, Counts), BenchError> {
        self.run(job, self.build(job.workload, job.board, job.opt_level)?)
    }

    /// Counts one job after another, and builds the next image while one runs. Hands each row on to `done`; `begin` is told what is
    /// waited for.
    ///
    /// # Errors
    /// The first that there is, also of `done`.
    pub fn count_all<E: From<BenchError>>(
        &self,
        jobs: &[Job],
        mut begin: impl FnMut(&Job),
        mut done: impl FnMut(&Job, Row, &Image, &Counts) -> Result<(), E>,
    ) -> Result<(), E> {
        std::thread::scope(|scope| {
            let (built, images) = mpsc::sync_channel(1);
            scope.spawn(move || {
                for Job { workload, board, opt_level, .. } in jobs {
                    // Nobody takes it any more after an error.
                    if built.send(self.build(workload, *board, *opt_level)).is_err() {
                        return;
                    }
                }
            });
            for (job, image) in jobs.iter().inspect(|job| begin(job)).zip(&images) {
                let (row, image, counts) = self.run(job, image?)?;
                done(job, row, &image, &counts)?;
            }
            drop(images);
            Ok(())
        })
    }

    fn run(&self, job: &Job, image: Image) -> Result<(Row, Image, Counts), BenchError> {
        let Job { workload, core, board, .. } = *job;
        let counts = self.plugin.run(workload.name, &image, board)?;
        let samples = counts.regions * u64::from(workload.batch);
        let a_sample = |sum: u64| (sum + samples / 2) / samples;
        let row = Row {
            instructions: Some(a_sample(counts.executed())),
            cycles: core.has_cycles().then(|| a_sample(counts.cycles())),
            text_bytes: Some(image.text_bytes()?),
            ..Row::new(workload, core)
        };
        Ok((row, image, counts))
    }
}

impl Row {
    fn new(workload: &Workload, core: Core) -> Self {
        Self {
            workload: workload.name.to_owned(),
            memory: workload.memory.to_owned(),
            core,
            instructions: None,
            cycles: None,
            ram_bytes: workload.ram_bytes as u64,
            text_bytes: None,
            microseconds: None,
            fastest: None,
            for_size: None,
        }
    }

    /// Times a workload on this computer for so long.
    #[must_use]
    pub fn timed(workload: &Workload, duration: Duration) -> Self {
        let timing = (workload.time)(duration);
        Self { microseconds: Some(timing.median), fastest: Some(timing.min), ..Self::new(workload, Core::Host) }
    }
}

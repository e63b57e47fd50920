//! Measures one row.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{BenchError, Board, Core, Counts, Image, OptLevel, Plugin, Row, Workload, compiler};
use crate::board;

/// Counts what images execute on emulated boards.
#[derive(Debug, Clone)]
pub struct Meter {
    root: PathBuf,
    plugin: Plugin,
    rustc: String,
    opt_level: OptLevel,
}

impl Meter {
    /// Builds the plugin of the checkout.
    ///
    /// # Errors
    /// What is missing: QEMU, its plugins, Rust.
    pub fn new(opt_level: OptLevel) -> Result<Self, BenchError> {
        let folder = board::firmware_folder().join("../..");
        // Without `..`, as the compiler writes it into the images.
        let root = folder.canonicalize().map_err(|source| BenchError::Unreadable { path: folder, source })?;
        Ok(Self { plugin: Plugin::build(&root)?, rustc: compiler()?, root, opt_level })
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
    pub fn build(&self, workload: &Workload, board: Board) -> Result<Image, BenchError> {
        Image::build(workload, board, self.opt_level, &self.root.join("firmware/bench"))
    }

    /// Builds and runs a workload's image on an emulated core.
    ///
    /// # Errors
    /// See [`BenchError`].
    pub fn count(&self, workload: &Workload, core: Core, board: Board) -> Result<(Row, Image, Counts), BenchError> {
        let image = self.build(workload, board)?;
        let counts = self.plugin.run(workload.name, &image, board)?;
        let samples = counts.regions * u64::from(workload.batch);
        let a_sample = |sum: u64| (sum + samples / 2) / samples;
        let row = Row {
            instructions: Some(a_sample(counts.executed())),
            cycles: core.has_cycles().then(|| a_sample(counts.cycles())),
            text_bytes: Some(image.text_bytes()?),
            ..Row::new(workload, core, self.opt_level.name(), &self.rustc)
        };
        Ok((row, image, counts))
    }
}

impl Row {
    fn new(workload: &Workload, core: Core, opt_level: &str, rustc: &str) -> Self {
        Self {
            workload: workload.name.to_owned(),
            memory: workload.memory.to_owned(),
            core,
            instructions: None,
            cycles: None,
            ram_bytes: workload.ram_bytes as u64,
            text_bytes: None,
            microseconds: None,
            microseconds_min: None,
            opt_level: opt_level.to_owned(),
            rustc: rustc.to_owned(),
        }
    }

    /// Times a workload on this computer for so long.
    #[must_use]
    pub fn timed(workload: &Workload, duration: Duration) -> Self {
        let timing = (workload.time)(duration);
        // The optimisation and the compiler of this program.
        let opt_level = if cfg!(debug_assertions) { "1" } else { "3" };
        Self {
            microseconds: Some(timing.median),
            microseconds_min: Some(timing.min),
            ..Self::new(workload, Core::Host, opt_level, "")
        }
    }
}

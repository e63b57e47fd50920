//! `bench`: what a training step costs.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use backpass_sim::bench::{BenchError, Core, Image, OptLevel, Plugin, Row, WORKLOADS, Workload, compiler, profile};
use backpass_sim::board;
use clap::Args;

use super::screen::{Screen, thousands};

/// Options of `bench`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backpass-sim bench                         the whole table, for the Cortex-M4F and this computer\n  \
    backpass-sim bench W1 W3 --core m4f        two workloads on one core\n  \
    backpass-sim bench W1 --core m4f --profile where the instructions of W1 go, by function\n\n\
    BACKPASS_FIRMWARE_TOOLCHAIN names a Rust toolchain with the thumb targets, if the default one has none."
)]
pub(crate) struct Bench {
    /// Workloads: `W1`, `ad`, or the beginning of a layer's row, such as `dense` [default: all]
    workloads: Vec<String>,
    /// Where to measure; several are separated by commas [default: m4f,host]
    #[arg(long, value_enum, value_delimiter = ',')]
    core: Vec<Core>,
    /// Measure on every core and this computer
    #[arg(long, conflicts_with = "core")]
    all_cores: bool,
    /// Optimisation of the images
    #[arg(long, value_enum, default_value_t = OptLevel::Speed)]
    opt_level: OptLevel,
    /// Show which functions a step's instructions are in, and their hottest code
    #[arg(long)]
    profile: bool,
    /// Print one JSON object a row instead of the table
    #[arg(long)]
    json: bool,
}

/// How long a row is timed on this computer.
const TIMING: Duration = Duration::from_millis(300);

impl Bench {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let workloads = self.chosen()?;
        let mut screen = Screen::new(false);
        let rows = self.measure(&workloads, &mut screen)?;
        screen.finish();
        for row in &rows {
            screen.line(serde_json::to_string(row)?);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The workloads that are asked for.
    fn chosen(&self) -> Result<Vec<&'static Workload>, String> {
        let named = |workload: &Workload, name: &String| {
            let (workload, name) = (workload.name.to_lowercase(), name.to_lowercase());
            workload == name || workload.starts_with(&(name + " "))
        };
        if let Some(unknown) = self.workloads.iter().find(|name| !WORKLOADS.iter().any(|w| named(w, name))) {
            let names: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
            return Err(format!("there is no workload `{unknown}`; there are {}", names.join(", ")));
        }
        let chosen = |w: &&Workload| self.workloads.is_empty() || self.workloads.iter().any(|name| named(w, name));
        Ok(WORKLOADS.iter().filter(chosen).collect())
    }

    fn measure(&self, workloads: &[&Workload], screen: &mut Screen) -> Result<Vec<Row>, BenchError> {
        let cores = if self.core.is_empty() { vec![Core::M4f, Core::Host] } else { self.core.clone() };
        let root = std::path::absolute(board::firmware_folder().join("../..")).unwrap();
        let root = root.canonicalize().unwrap();
        let mut rows = Vec::new();
        for core in cores {
            let Some(board) = core.board() else {
                for workload in workloads {
                    let timing = (workload.time)(TIMING);
                    rows.push(Row {
                        microseconds: Some(timing.median),
                        microseconds_min: Some(timing.min),
                        ..row(workload, core, "3", String::new())
                    });
                }
                continue;
            };
            let plugin = Plugin::build(&root)?;
            let rustc = compiler()?;
            for workload in workloads {
                screen.wait(format!("{} on {}", workload.name, core.name()));
                let image = Image::build(workload, board, self.opt_level, &root.join("firmware/bench"))?;
                let counts = plugin.run(workload.name, &image, board)?;
                let samples = counts.regions * u64::from(workload.batch);
                let a_sample = |sum: u64| (sum + samples / 2) / samples;
                rows.push(Row {
                    instructions: Some(a_sample(counts.executed())),
                    cycles: core.has_cycles().then(|| a_sample(counts.cycles())),
                    text_bytes: Some(image.text_bytes()?),
                    ..row(workload, core, self.opt_level.name(), rustc.clone())
                });
                if self.profile {
                    screen.finish();
                    let profile = profile(&image, &counts, &root)?;
                    for (name, cost) in profile.functions.iter().chain(profile.lines.iter().take(40)) {
                        screen.line(format!(
                            "{:>12} {:>12} {:>12}  {name}",
                            thousands(cost.instructions as usize),
                            thousands(cost.cycles as usize),
                            thousands(cost.pipelined as usize),
                        ));
                    }
                }
            }
        }
        Ok(rows)
    }
}

/// A row without figures.
fn row(workload: &Workload, core: Core, opt_level: &str, rustc: String) -> Row {
    Row {
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
        rustc,
    }
}

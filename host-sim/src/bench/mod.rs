//! What a training step costs: instructions and modelled cycles on emulated boards, bytes of RAM and flash, microseconds here.
//!
//! Counts come from the project's own QEMU plugin (`host-sim/counter`). They are exact and repeatable: one that grows is a
//! regression, not noise. They depend on the compiler, so its version stands beside them.

mod compare;
mod counter;
mod growth;
mod host;
mod image;
mod meter;
pub mod peers;
mod profile;
mod rows;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use compare::{Comparison, Finding, TOLERANCE, check, compare};
pub use counter::{Counts, Instruction, Plugin};
pub use growth::{EACH_LAYER, LINEAR, Line, fit};
pub use host::{Timing, time};
pub use image::{Image, OptLevel, compiler};
pub use meter::{Job, Meter};
pub use profile::{Cost, Profile, profile};
pub use rows::{DEEPER, MORE_LAYERS, WIDER, WORKLOADS, Workload};

use crate::board::BoardError;

/// Where a workload is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Core {
    /// Cortex-M0+: Armv6-M instructions, soft floats. They are executed by the Cortex-M3's board, which has the RAM.
    M0,
    /// Cortex-M3: soft floats.
    M3,
    /// Cortex-M4F.
    M4f,
    /// Cortex-M7.
    M7,
    /// Cortex-M33.
    M33,
    /// This computer, one thread.
    Host,
}

/// The emulated board of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Board {
    /// QEMU's name of the machine.
    pub machine: &'static str,
    /// The Rust target.
    pub target: &'static str,
    /// The compiler's name of the core.
    pub cpu: &'static str,
}

impl Core {
    /// Every emulated core.
    pub const EMULATED: [Self; 5] = [Self::M0, Self::M3, Self::M4f, Self::M7, Self::M33];

    /// The board that stands for it; none for the host.
    #[must_use]
    pub const fn board(self) -> Option<Board> {
        let (machine, target, cpu) = match self {
            Self::M0 => ("mps2-an385", "thumbv6m-none-eabi", "cortex-m0plus"),
            Self::M3 => ("mps2-an385", "thumbv7m-none-eabi", "cortex-m3"),
            Self::M4f => ("mps2-an386", "thumbv7em-none-eabihf", "cortex-m4"),
            Self::M7 => ("mps2-an500", "thumbv7em-none-eabihf", "cortex-m7"),
            Self::M33 => ("mps2-an505", "thumbv8m.main-none-eabihf", "cortex-m33"),
            Self::Host => return None,
        };
        Some(Board { machine, target, cpu })
    }

    /// Its name on the command line and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::M0 => "m0",
            Self::M3 => "m3",
            Self::M4f => "m4f",
            Self::M7 => "m7",
            Self::M33 => "m33",
            Self::Host => "host",
        }
    }

    /// Whether the model of cycles is this core's.
    #[must_use]
    pub const fn has_cycles(self) -> bool {
        matches!(self, Self::M4f)
    }
}

/// One measurement: a line of `--json`. What does not apply is `None`, and `null` in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// `W1` to `W4`, `ad`, `kws`, `ic`, `vww`, or a layer, loss or optimizer and its size.
    pub workload: String,
    /// `gradients` or `in-place`.
    pub memory: String,
    /// Where it was measured.
    pub core: Core,
    /// Executed in a training step of one sample.
    pub instructions: Option<u64>,
    /// Modelled for a Cortex-M4F: its manual's table, memory without wait states, loads not pipelined.
    pub cycles: Option<u64>,
    /// All RAM of training: parameters, gradients, moments, activations, counters.
    pub ram_bytes: u64,
    /// All flash of the smallest image that trains it: code, constants, vector table, start.
    pub text_bytes: Option<u64>,
    /// Microseconds of a training step of one sample: the median.
    pub microseconds: Option<f64>,
    /// The same: the fastest.
    #[serde(skip)]
    pub fastest: Option<f64>,
    /// What it costs if it is optimised for size, where that was measured too.
    #[serde(skip)]
    pub for_size: Option<ForSize>,
}

/// What a workload costs at `opt-level = "s"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForSize {
    /// As [`Row::instructions`].
    pub instructions: u64,
    /// As [`Row::text_bytes`].
    pub text_bytes: u64,
}

impl Row {
    /// What tells two rows of a run apart.
    #[must_use]
    pub fn key(&self) -> (&str, &str, Core) {
        (&self.workload, &self.memory, self.core)
    }

    /// The name for people.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} ({}) on {}", self.workload, self.memory, self.core.name())
    }
}

/// Counts that new ones are held against, and the compiler that they depend on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Record {
    /// What `rustc --version` says.
    pub rustc: String,
    /// The counts, at `opt-level = 3`.
    pub rows: Vec<Row>,
}

impl Record {
    /// The record as JSON, a row a line, so that a change shows which.
    ///
    /// # Errors
    /// None that can happen with these types.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let lines: Vec<String> = self.rows.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        let rustc = serde_json::to_string(&self.rustc)?;
        Ok(format!("{{\"rustc\": {rustc}, \"rows\": [\n{}\n]}}\n", lines.join(",\n")))
    }
}

/// Reads rows: one JSON object after another, an array of them, or a [`Record`].
///
/// # Errors
/// What is wrong with the text.
pub fn parse(text: &str) -> Result<Vec<Row>, serde_json::Error> {
    let mut rows = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>() {
        match value? {
            serde_json::Value::Array(values) => {
                for value in values {
                    rows.push(serde_json::from_value(value)?);
                }
            }
            value if value.get("rows").is_some() => rows.extend(serde_json::from_value::<Record>(value)?.rows),
            value => rows.push(serde_json::from_value(value)?),
        }
    }
    Ok(rows)
}

/// The recorded counts of a checkout, which a check holds new ones against.
#[must_use]
pub fn recorded_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/recorded.json")
}

/// What went wrong with a measurement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// QEMU, target, firmware folder or build.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// QEMU was built without plugins.
    #[error("this QEMU cannot load plugins, which count the instructions: {version}")]
    NoPlugins {
        /// What QEMU says of itself.
        version: String,
    },
    /// The plugin cannot be built.
    #[error("cargo could not build the counting plugin:\n{output}")]
    Plugin {
        /// What cargo said.
        output: String,
    },
    /// The workload refused a step, or QEMU refused to run it.
    #[error("{workload} failed on {machine} ({status}): {said}")]
    Failed {
        /// Which.
        workload: String,
        /// Where.
        machine: &'static str,
        /// How QEMU ended.
        status: std::process::ExitStatus,
        /// What QEMU said.
        said: String,
    },
    /// The emulation did not end.
    #[error("{workload} did not end on {machine} within {seconds} s and was stopped")]
    Endless {
        /// Which.
        workload: String,
        /// Where.
        machine: &'static str,
        /// The limit.
        seconds: u64,
    },
    /// The plugin's file does not say what it should.
    #[error("the counting plugin wrote nothing that makes sense: {line}")]
    NoCounts {
        /// The line.
        line: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An image is not what the compiler should have made.
    #[error("{} is not an ELF image: {reason}", path.display())]
    NotElf {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

#[cfg(test)]
pub(crate) fn row(workload: &str, core: Core, instructions: u64) -> Row {
    Row {
        workload: workload.to_owned(),
        memory: "gradients".to_owned(),
        core,
        instructions: Some(instructions),
        cycles: None,
        ram_bytes: 100,
        text_bytes: Some(1000),
        microseconds: None,
        fastest: None,
        for_size: None,
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn rows_come_back_from_a_record_an_array_and_lines() {
        let rows = [row("W1", Core::M4f, 10), row("dense 64x32", Core::Host, 20)];
        let record = Record { rustc: "rustc \"1.0\"".to_owned(), rows: rows.to_vec() };
        let text = record.to_json().unwrap();
        assert_eq!(text.lines().count(), 4);
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        assert_eq!(parse(&text).unwrap(), rows);
        assert_eq!(parse(&serde_json::to_string(&rows).unwrap()).unwrap(), rows);
        let lines: String = rows.iter().map(|row| serde_json::to_string(row).unwrap() + "\n").collect();
        assert_eq!(parse(&lines).unwrap(), rows);
        assert!(parse("{\"workload\": 1}").is_err() && parse("nonsense").is_err());
    }

    #[test]
    fn a_row_has_the_names_that_programs_read() {
        let value = serde_json::to_value(row("W1", Core::M4f, 10)).unwrap();
        assert_eq!(
            (&value["workload"], &value["memory"], &value["core"]),
            (&"W1".into(), &"gradients".into(), &"m4f".into())
        );
        assert_eq!(
            (&value["instructions"], &value["ram_bytes"], &value["text_bytes"]),
            (&10.into(), &100.into(), &1000.into())
        );
        assert!(value["cycles"].is_null() && value["microseconds"].is_null());
        assert_eq!(value.as_object().unwrap().len(), 8, "and no others");
    }

    #[test]
    fn the_command_line_and_json_have_one_name_for_a_core() {
        for core in Core::value_variants() {
            assert_eq!(Core::from_str(core.name(), false), Ok(*core));
            assert_eq!(serde_json::to_value(core).unwrap(), core.name());
        }
    }
}

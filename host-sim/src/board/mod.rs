//! The emulated boards: builds the firmware, runs it in QEMU, decodes its log, and compares it with the host twin.

mod emulator;
pub(crate) mod image;
mod log;
mod machine;
pub mod scene;
mod twin;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use emulator::{Emulation, Program, run};
pub use image::{Image, Profile, build, build_for_board, build_project, check_target, check_target_of};
pub use log::{BoardLog, Line};
pub use machine::Machine;
pub use twin::Comparison;

/// What went wrong with an emulated board.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BoardError {
    /// QEMU is not there.
    #[error(
        "qemu-system-arm was not found: install QEMU for Arm (Debian, Ubuntu: apt-get install qemu-system-arm; macOS: brew install qemu)"
    )]
    QemuMissing,
    /// The Rust target of the board is not there.
    #[error("the Rust target {target} is not installed: run `rustup target add {target}{}`", toolchain_option(.toolchain.as_deref()))]
    TargetMissing {
        /// The target.
        target: &'static str,
        /// The toolchain asked for by `BACKPASS_FIRMWARE_TOOLCHAIN`.
        toolchain: Option<String>,
    },
    /// The folder of the firmware is not there.
    #[error("the firmware is not in {}: run this from a checkout, or name the folder with --firmware", path.display())]
    FirmwareMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A program could not be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// The serial line of the board is not there.
    #[error("QEMU did not connect the board's serial line: {source}")]
    Line {
        /// Why.
        source: std::io::Error,
    },
    /// Cargo failed.
    #[error("cargo could not build the firmware for {target}:\n{output}")]
    Build {
        /// The target.
        target: &'static str,
        /// What cargo said.
        output: String,
    },
    /// The image cannot be read.
    #[error("cannot read the image {}: {source}", path.display())]
    Unreadable {
        /// The image.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no firmware that logs through defmt.
    #[error("{} is not an ELF image with a defmt log: {reason}", path.display())]
    NoLog {
        /// The image.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// The board fell silent.
    #[error("the board said nothing for {} s and was stopped; an image for another core hangs like this", silence.as_secs())]
    Silent {
        /// How long.
        silence: Duration,
    },
    /// The log cannot be decoded.
    #[error("the board's log is damaged: a frame cannot be decoded")]
    Damaged,
    /// The program on the board failed.
    #[error("the board stopped with an error ({status}){}", said(.stderr))]
    Failed {
        /// How QEMU ended.
        status: std::process::ExitStatus,
        /// What QEMU said.
        stderr: String,
    },
    /// The log lacks something.
    #[error("the board's log ended without {what}")]
    Incomplete {
        /// What.
        what: &'static str,
    },
}

fn toolchain_option(toolchain: Option<&str>) -> String {
    toolchain.map_or_else(String::new, |name| format!(" --toolchain {name}"))
}

fn said(stderr: &str) -> String {
    match stderr.lines().next() {
        Some(line) => format!(": {line}"),
        None => String::new(),
    }
}

/// Looks for what an emulated board needs: QEMU and the machine's Rust target.
///
/// # Errors
/// [`BoardError::QemuMissing`], [`BoardError::TargetMissing`], each with how to install it; [`BoardError::Start`].
pub fn check(machine: Machine) -> Result<(), BoardError> {
    emulator::check()?;
    check_target(machine)
}

/// The firmware's folder in a checkout.
#[must_use]
pub fn firmware_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware/qemu")
}

//! Builds the firmware for a machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{BoardError, Machine};

/// How the firmware is optimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Not at all, with checks for overflow.
    Debug,
    /// For speed.
    Release,
}

impl Profile {
    /// The name of its folder.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
        }
    }
}

/// An image of the firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    /// The digits application.
    Digits,
    /// Every layer, loss and optimizer, with a log of what each came to.
    Every,
    /// The same without any panic function to link with; in release only.
    NoPanic,
    /// The FPU's loops against those in plain Rust; for cores with an FPU.
    Arch,
    /// The stack and the copies of each operation, for each example network.
    Stack,
    /// Overflows its stack on purpose.
    Overflow,
    /// Learning that goes on from checkpoints in a file.
    Resume,
    /// Learning from samples that come over the serial line.
    Stream,
    /// The live applications, played from moments that come over the serial line.
    Scene,
    /// The longest step and the stack of the live applications.
    Steps,
}

impl Image {
    const fn name(self) -> &'static str {
        match self {
            Self::Digits => "backpass-qemu",
            Self::Every => "every",
            Self::NoPanic => "no-panic",
            Self::Arch => "arch",
            Self::Stack => "stack",
            Self::Overflow => "overflow",
            Self::Resume => "resume",
            Self::Stream => "stream",
            Self::Scene => "scene",
            Self::Steps => "steps",
        }
    }
}

/// The environment variable that names a toolchain which has the thumb targets, where the default one has not.
const TOOLCHAIN: &str = "BACKPASS_FIRMWARE_TOOLCHAIN";

/// Builds an image of the firmware in `folder` for a machine and returns its path.
///
/// Each machine has a target folder of its own, because two of them share a Rust target but not their compiler flags.
///
/// # Errors
/// [`BoardError::FirmwareMissing`], [`BoardError::TargetMissing`], [`BoardError::Start`] or [`BoardError::Build`] with
/// what cargo said.
pub fn build(image: Image, machine: Machine, profile: Profile, folder: &Path) -> Result<PathBuf, BoardError> {
    let target_folder = folder.join("target").join(machine.name());
    let mut cargo = builder(folder, machine.target(), &target_folder)?;
    // Joined to the flags of the folder's own configuration; the compiler takes the last `target-cpu`.
    let flags = format!("target.'{}'.rustflags=[\"-C\", \"target-cpu={}\"]", machine.target(), machine.cpu());
    cargo.args(["--config", &flags]);
    cargo.args(["--bin", image.name()]);
    if image != Image::Digits {
        cargo.args(["--features", image.name()]);
    }
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    finish(cargo, machine.target())?;
    Ok(target_folder.join(machine.target()).join(profile.name()).join(image.name()))
}

/// Builds all images of the crate of a real board in `folder`, optimised, and returns the folder they are in.
///
/// # Errors
/// As [`build`].
pub fn build_for_board(folder: &Path, target: &'static str, target_folder: &Path) -> Result<PathBuf, BoardError> {
    let mut cargo = builder(folder, target, target_folder)?;
    cargo.args(["--locked", "--release", "--bins"]);
    finish(cargo, target)?;
    Ok(target_folder.join(target).join(Profile::Release.name()))
}

/// Builds a project that `new` wrote into `folder`, optimised, and returns its image.
///
/// # Errors
/// As [`build`].
pub fn build_project(
    folder: &Path,
    name: &str,
    target: &'static str,
    target_folder: &Path,
) -> Result<PathBuf, BoardError> {
    let mut cargo = builder(folder, target, target_folder)?;
    cargo.arg("--release");
    finish(cargo, target)?;
    Ok(target_folder.join(target).join(Profile::Release.name()).join(name))
}

/// A build of the crate in `folder`, which is there, as is the target.
fn builder(folder: &Path, target: &'static str, target_folder: &Path) -> Result<Command, BoardError> {
    if !folder.join("Cargo.toml").is_file() {
        return Err(BoardError::FirmwareMissing { path: folder.to_owned() });
    }
    check_target_of(target)?;
    let mut cargo = command("cargo");
    cargo.current_dir(folder).args(["build", "--quiet", "--target", target]).arg("--target-dir").arg(target_folder);
    Ok(cargo)
}

fn finish(mut cargo: Command, target: &'static str) -> Result<(), BoardError> {
    let output = cargo.output().map_err(|source| BoardError::Start { program: "cargo".to_owned(), source })?;
    if output.status.success() {
        return Ok(());
    }
    Err(BoardError::Build { target, output: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
}

/// Looks for the Rust target of a machine.
///
/// # Errors
/// [`BoardError::TargetMissing`] says how to install it; [`BoardError::Start`] if there is no Rust at all.
pub fn check_target(machine: Machine) -> Result<(), BoardError> {
    check_target_of(machine.target())
}

/// Looks for a Rust target.
///
/// # Errors
/// As [`check_target`].
pub fn check_target_of(target: &'static str) -> Result<(), BoardError> {
    let output = command("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .stderr(Stdio::null())
        .output()
        .map_err(|source| BoardError::Start { program: "rustc".to_owned(), source })?;
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let has_core = std::fs::read_dir(folder).is_ok_and(|mut entries| {
        entries.any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("libcore-")))
    });
    if has_core { Ok(()) } else { Err(BoardError::TargetMissing { target, toolchain: toolchain() }) }
}

/// The toolchain asked for, if one is.
fn toolchain() -> Option<String> {
    std::env::var(TOOLCHAIN).ok().filter(|name| !name.is_empty())
}

/// A tool of the toolchain, without what a surrounding cargo has left in the environment for its own target.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for variable in ["CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC", "RUSTC_WRAPPER"] {
        command.env_remove(variable);
    }
    if let Some(toolchain) = toolchain() {
        command.env("RUSTUP_TOOLCHAIN", toolchain);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_firmware_is_named() {
        let error =
            build(Image::Digits, Machine::Mps2An386, Profile::Release, Path::new("no/such/folder")).unwrap_err();
        assert!(matches!(&error, BoardError::FirmwareMissing { path } if path == Path::new("no/such/folder")));
    }
}

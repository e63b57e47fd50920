//! Builds the counting plugin, and runs images under it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{BenchError, Board, Image};
use crate::board::BoardError;

const QEMU: &str = "qemu-system-arm";
/// An image takes seconds; one for another core hangs.
const LIMIT: Duration = Duration::from_secs(600);

/// The counting plugin, built for the QEMU that is installed.
#[derive(Debug, Clone)]
pub struct Plugin {
    library: PathBuf,
}

/// What an image executed between its markers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Marked regions: steps.
    pub regions: u64,
    /// Every instruction that was executed, by address.
    pub instructions: Vec<Instruction>,
}

/// An instruction, and the sums of all its executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Its address.
    pub address: u64,
    /// How often it was executed.
    pub executed: u64,
    /// Modelled cycles, with those of the taken branches that lead here.
    pub cycles: u64,
    /// Modelled cycles if neighbouring loads and stores are pipelined.
    pub pipelined: u64,
}

impl Counts {
    /// How many instructions were executed.
    #[must_use]
    pub fn executed(&self) -> u64 {
        self.sum(|instruction| instruction.executed)
    }

    /// How many cycles the model gives them.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.sum(|instruction| instruction.cycles)
    }

    /// A file may hold any numbers.
    fn sum(&self, of: impl Fn(&Instruction) -> u64) -> u64 {
        self.instructions.iter().map(of).fold(0, u64::saturating_add)
    }

    /// Reads the plugin's file.
    ///
    /// # Errors
    /// [`BenchError::NoCounts`].
    pub fn parse(text: &str) -> Result<Self, BenchError> {
        let mut counts = Self::default();
        for line in text.lines() {
            let unexpected = || BenchError::NoCounts { line: line.to_owned() };
            let words: Vec<&str> = line.split(' ').collect();
            let decimal = |word: &str| word.parse::<u64>().map_err(|_| unexpected());
            match *words.as_slice() {
                ["regions", count] => counts.regions = decimal(count)?,
                ["at", address, executed, cycles, pipelined] => counts.instructions.push(Instruction {
                    address: u64::from_str_radix(address, 16).map_err(|_| unexpected())?,
                    executed: decimal(executed)?,
                    cycles: decimal(cycles)?,
                    pipelined: decimal(pipelined)?,
                }),
                _ => return Err(unexpected()),
            }
        }
        if counts.regions == 0 {
            return Err(BenchError::NoCounts { line: "no region was marked".to_owned() });
        }
        Ok(counts)
    }
}

impl Plugin {
    /// Builds the plugin of the checkout at `root`.
    ///
    /// # Errors
    /// [`BoardError::QemuMissing`], [`BenchError::NoPlugins`] or [`BenchError::Plugin`].
    pub fn build(root: &Path) -> Result<Self, BenchError> {
        let version = said(&["--version"])?;
        if !said(&["--help"])?.contains("-plugin ") || cfg!(not(unix)) {
            let version = version.lines().next().unwrap_or_default().to_owned();
            return Err(BenchError::NoPlugins { version });
        }
        let target = root.join("target/counter");
        let mut cargo = Command::new("cargo");
        // For this computer, whatever a surrounding cargo builds for.
        for variable in ["CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"] {
            cargo.env_remove(variable);
        }
        cargo.current_dir(root).args(["build", "--quiet", "--release", "--package", "backpass-counter"]);
        cargo.arg("--target-dir").arg(&target).args(features(&version));
        let output = cargo.output().map_err(|source| BoardError::Start { program: "cargo".to_owned(), source })?;
        if !output.status.success() {
            return Err(BenchError::Plugin { output: String::from_utf8_lossy(&output.stderr).trim().to_owned() });
        }
        let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        Ok(Self { library: target.join(format!("release/{prefix}backpass_counter{suffix}")) })
    }

    /// Runs an image to its end and returns what it executed.
    ///
    /// # Errors
    /// See [`BenchError`]. QEMU never outlives this call.
    pub fn run(&self, workload: &str, image: &Image, board: Board) -> Result<Counts, BenchError> {
        let start = |source| BoardError::Start { program: QEMU.to_owned(), source };
        let counts = tempfile::NamedTempFile::new().map_err(start)?;
        let mut plugin = self.library.clone().into_os_string();
        plugin.push(",out=");
        plugin.push(counts.path());
        let machine = board.machine;
        let child = Command::new(QEMU)
            .args(["-M", machine, "-nographic", "-monitor", "none", "-serial", "null"])
            .args(["-semihosting-config", "enable=on,target=native", "-plugin"])
            .arg(plugin)
            .arg("-kernel")
            .arg(&image.path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(start)?;
        let mut child = Running(child);
        let begun = Instant::now();
        let status = loop {
            match child.0.try_wait().map_err(start)? {
                Some(status) => break status,
                None if begun.elapsed() > LIMIT => {
                    let (workload, seconds) = (workload.to_owned(), LIMIT.as_secs());
                    return Err(BenchError::Endless { workload, machine, seconds });
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        if !status.success() {
            let stderr = child.0.stderr.take();
            let said = stderr.and_then(|stderr| std::io::read_to_string(stderr).ok()).unwrap_or_default();
            let said = if said.is_empty() { "a step was refused".to_owned() } else { said.trim().to_owned() };
            return Err(BenchError::Failed { workload: workload.to_owned(), machine, status, said });
        }
        let path = counts.path();
        let text =
            std::fs::read_to_string(path).map_err(|source| BenchError::Unreadable { path: path.to_owned(), source })?;
        Counts::parse(&text)
    }
}

/// What QEMU says to a question about itself.
fn said(arguments: &[&str]) -> Result<String, BenchError> {
    let output = Command::new(QEMU).args(arguments).output().map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => BoardError::QemuMissing,
        _ => BoardError::Start { program: QEMU.to_owned(), source },
    })?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The plugin's features for a version of QEMU: its interface has changed twice.
fn features(version: &str) -> &'static [&'static str] {
    let numbers = version.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    let mut parts = numbers.unwrap_or_default().split('.').map_while(|part| part.parse::<u32>().ok());
    match (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) {
        (..=8, _) => &[],
        (9, 0) => &["--features", "api-2"],
        _ => &["--features", "api-3"],
    }
}

/// A process that is stopped when nobody waits for it any more.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to stop.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_and_added_up() {
        let counts = Counts::parse("regions 2\nat 4a8 3 6 3\nat 4aa 1 1 1\n").unwrap();
        assert_eq!((counts.regions, counts.instructions[0].address), (2, 0x4a8));
        assert_eq!((counts.executed(), counts.cycles()), (4, 7));
    }

    #[test]
    fn nonsense_and_an_image_without_markers_are_no_counts() {
        for text in ["", "regions 0\n", "regions 1\nat 1 2\n", "regions 1\nat x 2 3 4\n", "hello"] {
            assert!(matches!(Counts::parse(text), Err(BenchError::NoCounts { .. })), "{text:?}");
        }
    }

    #[test]
    fn the_plugin_is_built_for_the_interface_of_the_version() {
        let api = |version: &str| features(&format!("QEMU emulator version {version}")).last().copied();
        assert_eq!(api("7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)"), None);
        assert_eq!(api("8.2.2"), None);
        assert_eq!(api("9.0.4"), Some("api-2"));
        assert_eq!(api("9.1.0"), Some("api-3"));
        assert_eq!(api("10.0.2 (Debian)"), Some("api-3"));
    }
}

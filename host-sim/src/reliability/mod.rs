//! What could make a device lose what it learned, or stop: tried by the hundred thousand, and counted.
//!
//! Each file is one check: a function that takes how much to try, says how far it is, and returns a [`Tally`]. The command
//! `backpass-sim reliability` runs all of [`CHECKS`]; tests run the same functions with smaller numbers.

mod adversarial;
mod bit_flips;
mod flash_errors;
mod kills;
mod linked;
mod power_cuts;
pub mod readers;
mod stack;
mod subject;

pub use stack::{STACK_OF_MLPS, STACK_OF_OTHERS};

use crate::board::{self, BoardError, Machine};

/// A check, as a row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Its name, in the table and on the command line.
    pub name: &'static str,
    /// What is tried, in a few words.
    pub about: &'static str,
    /// The emulated board that it runs on, if it needs one.
    pub machine: Option<Machine>,
    /// Tries it.
    pub run: fn(Effort, &mut Progress<'_>) -> Result<Tally, CheckError>,
}

impl Check {
    /// What keeps it from being tried here: QEMU or the Rust target of its board is not installed.
    #[must_use]
    pub fn obstacle(&self) -> Option<String> {
        let machine = self.machine?;
        board::check(machine).err().map(|error| error.to_string())
    }
}

/// All checks, in the order of the table.
pub const CHECKS: &[Check] = &[
    power_cuts::CHECK,
    bit_flips::CHECK,
    flash_errors::CHECK,
    kills::CHECK,
    adversarial::CHECK,
    readers::CHECK,
    linked::CHECK,
    stack::CHECK,
];

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// A look: seconds for everything.
    Quick,
    /// The numbers that are published: minutes.
    Full,
}

impl Effort {
    /// One of two numbers.
    #[must_use]
    pub const fn choose(self, quick: u64, full: u64) -> u64 {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// Is told how much is done, and of how much.
pub type Progress<'p> = dyn FnMut(u64, u64) + 'p;

/// What a check came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often it was tried: cuts, flips, kills, steps.
    pub tried: u64,
    /// How often that went wrong.
    pub failed: u64,
    /// What was tried and measured, for people.
    pub note: String,
    /// The first failures, in words.
    pub failures: Vec<String>,
}

impl Tally {
    /// Failures that are told in words; the others are counted.
    const TOLD: usize = 5;

    /// Counts one try, with what went wrong if something did.
    pub fn count(&mut self, result: Result<(), String>) {
        self.tried += 1;
        if let Err(failure) = result {
            self.failed += 1;
            if self.failures.len() < Self::TOLD {
                self.failures.push(failure);
            }
        }
    }

    /// Whether something was tried and nothing failed. A check that tried nothing has shown nothing.
    #[must_use]
    pub const fn is_passed(&self) -> bool {
        self.tried > 0 && self.failed == 0
    }
}

/// Why a check has no tally.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// Something outside is not installed; the check is left out.
    #[error("{0}")]
    Missing(String),
    /// The check itself could not be done: an image that does not build, a board that falls silent.
    #[error("{0}")]
    Broken(String),
}

impl From<BoardError> for CheckError {
    fn from(error: BoardError) -> Self {
        match error {
            BoardError::QemuMissing | BoardError::TargetMissing { .. } => Self::Missing(error.to_string()),
            _ => Self::Broken(error.to_string()),
        }
    }
}

impl From<std::io::Error> for CheckError {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_check_that_tried_something_and_failed_in_nothing_is_passed() {
        let mut tally = Tally::default();
        assert!(!tally.is_passed());
        tally.count(Ok(()));
        assert!(tally.is_passed());
        for failure in 0..9 {
            tally.count(Err(format!("failure {failure}")));
        }
        assert!(!tally.is_passed());
        assert_eq!((tally.tried, tally.failed, tally.failures.len()), (10, 9, Tally::TOLD));
    }

    #[test]
    fn what_is_not_installed_is_no_failure() {
        assert!(matches!(CheckError::from(BoardError::QemuMissing), CheckError::Missing(_)));
        assert!(matches!(CheckError::from(BoardError::Damaged), CheckError::Broken(_)));
    }

    #[test]
    fn each_check_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = CHECKS.iter().map(|check| check.name).collect();
        assert_eq!(names.len(), CHECKS.len());
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-')));
    }
}

//! The file that makes a sweep resumable: a header, then a line of JSON for each finished run.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use backpass_app::digits::Input;
use crc::{CRC_32_ISO_HDLC, Crc};
use serde::{Deserialize, Serialize};

use super::Run;
use crate::Dataset;

/// Why a state file cannot be used. What is in it is left as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The file cannot be opened, read or written.
    #[error("the state file {} cannot be used: {reason}; check that you may write there and that the disk is not full", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
    /// Another sweep has it open.
    #[error("the state file {} is in use by another sweep; wait for it or name another file with --state", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file was not written by a sweep of this version.
    #[error("{} is no state file of this version of `backpass-sim sweep` and was left as it is; name another with --state", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The runs in the file cannot be compared with those that were asked for.
    #[error("the state file {} holds runs of {found}, but this sweep is of {wanted}; name another with --state, or remove it", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// A line in the middle of the file cannot be read: no interruption does that.
    #[error("line {line} of the state file {} is damaged; remove the line and the run is made again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

/// What all runs of a file have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the tool.
    sweep: String,
    /// CRC-32 of all samples and classes, in their order.
    data_crc32: String,
    samples: usize,
    epochs: u32,
}

impl Header {
    /// The header for runs of some epochs on some data.
    #[must_use]
    pub fn new(data: &Dataset<Input>, epochs: u32) -> Self {
        let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
        let mut digest = crc.digest();
        for part in [&data.training, &data.test] {
            digest.update(&(part.len() as u64).to_le_bytes());
            for (sample, class) in part {
                sample.iter().for_each(|value| digest.update(&value.to_le_bytes()));
                digest.update(&(*class as u64).to_le_bytes());
            }
        }
        Self {
            sweep: env!("CARGO_PKG_VERSION").to_owned(),
            data_crc32: format!("{:08x}", digest.finalize()),
            samples: data.training.len() + data.test.len(),
            epochs,
        }
    }
}

/// An open state file.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    file: File,
    runs: Vec<Run>,
}

impl State {
    /// Opens the file, or makes it. A last line that an interruption left unfinished is dropped.
    ///
    /// # Errors
    /// [`StateError`], if the file cannot be used or holds something else; it is not changed then.
    pub fn open(path: &Path, header: &Header) -> Result<Self, StateError> {
        let unusable = |reason| StateError::Unusable { path: path.to_owned(), reason };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::InUse { path: path.to_owned() }),
            // A file system without locks: the user is trusted not to start two sweeps.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(unusable)?;
        let first = line(header);
        let mut state = Self { path: path.to_owned(), file, runs: Vec::new() };
        if first.as_bytes().starts_with(&bytes) && bytes.len() < first.len() {
            // New, or interrupted within the first line.
            state.cut(0)?;
            state.write(&first)?;
            return Ok(state);
        }
        let kept = state.read(&bytes, header)?;
        state.cut(kept)?;
        Ok(state)
    }

    /// Reads the lines; returns the length of what is whole.
    fn read(&mut self, bytes: &[u8], header: &Header) -> Result<usize, StateError> {
        let path = || self.path.clone();
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').peekable();
        let first = lines.next().unwrap_or_default();
        let found: Header = serde_json::from_slice(first).map_err(|_| StateError::Foreign { path: path() })?;
        if found.sweep != header.sweep {
            return Err(StateError::Foreign { path: path() });
        }
        let epochs = |header: &Header| format!("{} epochs", header.epochs);
        let data = |header: &Header| format!("{} samples with CRC-32 {}", header.samples, header.data_crc32);
        if found.epochs != header.epochs {
            return Err(StateError::Other { path: path(), found: epochs(&found), wanted: epochs(header) });
        }
        if found != *header {
            let (found, wanted) = (format!("other data ({})", data(&found)), data(header));
            return Err(StateError::Other { path: path(), found, wanted });
        }
        let mut kept = first.len();
        for number in 2.. {
            let Some(line) = lines.next() else { break };
            match serde_json::from_slice(line) {
                Ok(run) if line.ends_with(b"\n") => self.runs.push(run),
                _ if lines.peek().is_none() => break,
                _ => return Err(StateError::Damaged { path: path(), line: number }),
            }
            kept += line.len();
        }
        Ok(kept)
    }

    /// Drops what is behind the first `length` bytes.
    fn cut(&mut self, length: usize) -> Result<(), StateError> {
        let cut = self.file.set_len(length as u64).and_then(|()| self.file.seek(SeekFrom::End(0)));
        cut.map(drop).map_err(|reason| StateError::Unusable { path: self.path.clone(), reason })
    }

    fn write(&mut self, line: &str) -> Result<(), StateError> {
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.flush());
        written.map_err(|reason| StateError::Unusable { path: self.path.clone(), reason })
    }

    /// The finished runs, in the order in which they were finished.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Adds a finished run; when this returns, the operating system has it.
    ///
    /// # Errors
    /// [`StateError::Unusable`], say because the disk is full.
    pub fn append(&mut self, run: Run) -> Result<(), StateError> {
        self.write(&line(&run))?;
        self.runs.push(run);
        Ok(())
    }
}

/// A value as a line.
fn line(value: &impl Serialize) -> String {
    // Numbers, names and nothing else: they always have a form in JSON.
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::super::tests::{data, run};
    use super::*;

    #[test]
    fn what_was_appended_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let (path, header) = (folder.path().join("state"), Header::new(&data(), 3));
        let mut state = State::open(&path, &header).unwrap();
        assert!(state.runs().is_empty());
        let runs = [run(1, Some(0.1)), run(u64::MAX, None)];
        runs.iter().for_each(|run| state.append(*run).unwrap());
        assert!(matches!(State::open(&path, &header), Err(StateError::InUse { .. })));
        drop(state);
        assert_eq!(State::open(&path, &header).unwrap().runs(), runs);
    }

    #[test]
    fn a_file_cut_at_any_byte_keeps_its_whole_lines() {
        let folder = tempfile::tempdir().unwrap();
        let (path, header) = (folder.path().join("state"), Header::new(&data(), 3));
        let mut state = State::open(&path, &header).unwrap();
        (0..2).for_each(|seed| state.append(run(seed, Some(0.5))).unwrap());
        drop(state);
        let bytes = std::fs::read(&path).unwrap();
        for length in 0..=bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let mut state = State::open(&path, &header).unwrap();
            let lines = bytes[..length].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(state.runs().len(), lines.saturating_sub(1), "{length}");
            // What comes next is not glued to what was left.
            state.append(run(9, None)).unwrap();
            drop(state);
            assert_eq!(State::open(&path, &header).unwrap().runs().last().unwrap().seed, 9, "{length}");
        }
    }

    #[test]
    fn other_files_are_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, header) = (folder.path().join("state"), Header::new(&data(), 3));
        let mut other = data();
        other.test[0].1 = 9;
        drop(State::open(&path, &header).unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        for other in [Header::new(&data(), 4), Header::new(&other, 3)] {
            assert!(matches!(State::open(&path, &other), Err(StateError::Other { .. })));
        }
        let damaged = format!("{text}nonsense\n{}", line(&run(1, None)));
        for foreign in ["my diary\n", "my diary", "{}\n", "\n", damaged.as_str()] {
            std::fs::write(&path, foreign).unwrap();
            let error = State::open(&path, &header).unwrap_err();
            assert!(matches!(error, StateError::Foreign { .. } | StateError::Damaged { line: 2, .. }), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), foreign);
        }
        assert!(matches!(State::open(folder.path(), &header), Err(StateError::Unusable { .. })));
    }
}

//! What a board has said, in a file.
//!
//! The file is text, one JSON object a line. The first line says what it is, `{"backpass_recording":1,"source":"..."}`, each
//! other one is a message: `{"seconds":12.5,"level":"info","text":"class 1 taken for 3, loss 0.75"}`; seconds count from the moment at which the board was
//! attached to, and a message without a level has none.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Entry;

/// The version of the format.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    backpass_recording: u32,
    source: String,
}

/// What is wrong with a recording.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// It cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no recording.
    #[error("{} is no recording: its first line is not that of a file which `monitor --record` wrote", path.display())]
    NoRecording {
        /// The file.
        path: PathBuf,
    },
    /// It is a recording of another version.
    #[error("{} is a recording of version {version}; this program reads version {VERSION}", path.display())]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// A line of it is no message.
    #[error("{}, line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// Writes a recording, each message as it comes.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Recorder {
    /// Begins a file; one that is there already is overwritten. `source` says in words where the messages come from.
    ///
    /// # Errors
    /// [`RecordingError::File`].
    pub fn create(path: &Path, source: &str) -> Result<Self, RecordingError> {
        let file = File::create(path).map_err(|source| RecordingError::File { path: path.to_owned(), source })?;
        let mut recorder = Self { path: path.to_owned(), file: BufWriter::new(file) };
        recorder.put(&Header { backpass_recording: VERSION, source: source.to_owned() })?;
        Ok(recorder)
    }

    /// Adds a message. It is in the file when this returns, whatever happens then.
    ///
    /// # Errors
    /// [`RecordingError::File`].
    pub fn add(&mut self, entry: &Entry) -> Result<(), RecordingError> {
        self.put(entry)
    }

    fn put(&mut self, line: &impl Serialize) -> Result<(), RecordingError> {
        let line = serde_json::to_string(line).map_err(io::Error::from);
        let written = line.and_then(|line| writeln!(self.file, "{line}")).and_then(|()| self.file.flush());
        written.map_err(|source| RecordingError::File { path: self.path.clone(), source })
    }
}

/// A recording that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Where its messages came from, in words.
    pub source: String,
    /// Its messages.
    pub entries: Vec<Entry>,
}

impl Recording {
    /// Reads a file. A last line that was not written to its end is left out.
    ///
    /// # Errors
    /// See [`RecordingError`].
    pub fn read(path: &Path) -> Result<Self, RecordingError> {
        let cannot = |source| RecordingError::File { path: path.to_owned(), source };
        let mut file = BufReader::new(File::open(path).map_err(cannot)?);
        let no_recording = || RecordingError::NoRecording { path: path.to_owned() };
        let mut line = String::new();
        // A file of another kind need not be text.
        file.read_line(&mut line).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => no_recording(),
            _ => cannot(error),
        })?;
        let header: Header = serde_json::from_str(&line).map_err(|_| no_recording())?;
        if header.backpass_recording != VERSION {
            return Err(RecordingError::OtherVersion { path: path.to_owned(), version: header.backpass_recording });
        }
        let (mut entries, mut number) = (Vec::<Entry>::new(), 1);
        loop {
            line.clear();
            number += 1;
            if file.read_line(&mut line).map_err(cannot)? == 0 {
                break;
            }
            let wrong = |reason| RecordingError::Line { path: path.to_owned(), line: number, reason };
            match serde_json::from_str::<Entry>(&line) {
                Ok(entry) if !entry.seconds.is_finite() || entry.seconds < 0.0 => {
                    return Err(wrong(format!("{} is no time", entry.seconds)));
                }
                Ok(entry) if entries.last().is_some_and(|last| last.seconds > entry.seconds) => {
                    return Err(wrong("it is earlier than the line before".to_owned()));
                }
                Ok(entry) => entries.push(entry),
                Err(_) if !line.ends_with('\n') => break,
                Err(error) => return Err(wrong(format!("no message: {error}"))),
            }
        }
        Ok(Self { source: header.source, entries })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Level;

    fn entry(seconds: f64, level: Option<Level>, text: &str) -> Entry {
        Entry { seconds, level, text: text.to_owned() }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        let entries = [
            entry(0.0, Some(Level::Info), "ready"),
            entry(0.1 + 0.2, Some(Level::Warn), "refused: \"loss\" \\ \n"),
            entry(1e6, None, "äöü"),
        ];
        let mut recorder = Recorder::create(&path, "a board").unwrap();
        for (index, entry) in entries.iter().enumerate() {
            recorder.add(entry).unwrap();
            assert_eq!(Recording::read(&path).unwrap().entries, entries[..=index], "nothing waits for the end");
        }
        assert_eq!(Recording::read(&path).unwrap().source, "a board");
    }

    #[test]
    fn a_file_that_ends_early_is_read_as_far_as_it_goes_and_others_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Recording::read(&path)
        };
        let head = "{\"backpass_recording\":1,\"source\":\"x\"}\n";
        let one = "{\"seconds\":1,\"level\":\"info\",\"text\":\"ready\"}\n";
        assert_eq!(read(&format!("{head}{one}{}", &one[..20])).unwrap().entries.len(), 1);
        assert!(read(head).unwrap().entries.is_empty());
        for text in ["", "{}\n", "loss 0.5\n", one] {
            assert!(matches!(read(text), Err(RecordingError::NoRecording { .. })), "{text}");
        }
        std::fs::write(&path, [0xff, 0xfe, b'\n']).unwrap();
        assert!(matches!(Recording::read(&path), Err(RecordingError::NoRecording { .. })));
        let other = head.replace(":1,", ":2,");
        assert!(matches!(read(&other), Err(RecordingError::OtherVersion { version: 2, .. })));
        let earlier = one.replace(":1,", ":0.5,");
        for wrong in ["{}\n", "x\n", &earlier, &one.replace(":1,", ":-1,"), &one.replace("info", "loud")] {
            let result = read(&format!("{head}{one}{wrong}{one}"));
            assert!(matches!(result, Err(RecordingError::Line { line: 3, .. })), "{wrong}: {result:?}");
        }
        assert!(matches!(Recording::read(&folder.path().join("none")), Err(RecordingError::File { .. })));
    }
}

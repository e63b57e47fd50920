//! What a board says: messages from the bytes of its log.
//!
//! A log is `defmt` frames, which hold only indices into a table of messages that lies in the image ([`Table`]), or lines of text. The
//! [`Decoder`] takes the bytes as they come, from any place of the stream on.

mod decoder;
mod text;

use std::fmt;
use std::path::Path;

pub use decoder::Decoder;

use crate::board::BoardError;

/// How grave a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the levels' own names")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// Its name, in small letters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// The level of this name, whatever its case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// How grave it is, if it says so.
    pub level: Option<Level>,
    /// Its words.
    pub text: String,
}

/// The messages of an image, by which its log is decoded.
#[derive(Debug)]
pub struct Table(defmt_decoder::Table);

impl Table {
    /// The table of an ELF image; `None` if it has none: then its log is text.
    ///
    /// # Errors
    /// [`BoardError::Unreadable`], or [`BoardError::NoLog`] for what is no ELF image.
    pub fn load(image: &Path) -> Result<Option<Self>, BoardError> {
        let unreadable = |source| BoardError::Unreadable { path: image.to_owned(), source };
        let elf = std::fs::read(image).map_err(unreadable)?;
        let no_log = |reason: String| BoardError::NoLog { path: image.to_owned(), reason };
        let table = defmt_decoder::Table::parse(&elf).map_err(|error| no_log(error.to_string()))?;
        Ok(table.map(Self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn an_image_without_a_table_is_none_and_a_file_that_is_no_image_an_error() {
        assert!(Table::load(&std::env::current_exe().unwrap()).unwrap().is_none());
        let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert!(matches!(Table::load(&text), Err(BoardError::NoLog { .. })));
    }
}

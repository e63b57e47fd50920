//! The simulated world: the applications that boards run, on simulated parts, fed with real recordings.
//!
//! The application is the one that is flashed: the same crate, the same types, the sensor's published driver. What is simulated is the
//! world around it: the [devices](crate::devices), a person who presses buttons, time.

pub mod anomaly;
mod board;
mod csv;
pub mod gesture;
mod given;
pub mod recordings;
pub mod stream;

pub use self::csv::{CsvError, CsvRecording};
pub use board::{Board, BoardParts, BoardSensor, Flash};

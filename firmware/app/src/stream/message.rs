//! What is said on the line. [`super`] has the bytes.

use core::fmt;

use backpass::{ObserveError, TargetError, TrainError, UpdateError};
use serde::{Deserialize, Serialize};

use crate::device::SaveError;

/// The version of the protocol.
pub const VERSION: u16 = 1;

/// What the host asks for. The numbers of each stand in the frame behind the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Request {
    /// Begins a session.
    Hello {
        /// The host's [`VERSION`].
        version: u16,
    },
    /// The counters and the CRC-32 of the parameters.
    Status,
    /// Predicts, then learns from the sample. Numbers: the sample; with no class, the target behind it.
    Train {
        /// The class, counted from 0.
        class: Option<u32>,
    },
    /// Numbers: the sample.
    Predict,
    /// The loss, without learning. Numbers: as for `Train`.
    Evaluate {
        /// The class, counted from 0.
        class: Option<u32>,
    },
    /// A part of the parameters.
    Read {
        /// The first.
        offset: u32,
        /// How many.
        count: u32,
    },
    /// Announces new values of all parameters. Nothing changes before `Commit`.
    Write {
        /// How many there are.
        parameters: u32,
        /// CRC-32 of all of them, each as four little-endian bytes.
        crc32: u32,
    },
    /// The next values. Numbers: any number of them that fits.
    Chunk {
        /// The first.
        offset: u32,
    },
    /// Takes over what was written, if all of it is there and its CRC-32 is right. Moments and counters stay.
    Commit,
    /// Saves a checkpoint.
    Save,
    /// Goes on from the checkpoint saved last.
    Load,
    /// Starts afresh, with new weights.
    Reset {
        /// The seed of the weights.
        seed: u64,
    },
}

/// What the board answers. Numbers stand in the frame behind the message.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Response {
    /// To `Hello`.
    Hello(Hello),
    /// To `Status`.
    Status {
        /// CRC-32 of the parameters.
        crc32: u32,
        /// What was counted.
        counters: Counters,
    },
    /// To `Train`.
    Trained {
        /// The class that it took the sample for before it learned from it: the place of the largest output.
        class: u32,
        /// The loss before the step.
        loss: f32,
        /// What was counted.
        counters: Counters,
    },
    /// To `Predict`. Numbers: the outputs.
    Predicted {
        /// The place of the largest output.
        class: u32,
    },
    /// To `Evaluate`. Numbers: the outputs.
    Evaluated {
        /// The place of the largest output.
        class: u32,
        /// The loss.
        loss: f32,
    },
    /// To `Read`. Numbers: the parameters asked for.
    Parameters {
        /// The first.
        offset: u32,
    },
    /// To `Write` and `Chunk`.
    Written {
        /// The offset of the next chunk.
        next: u32,
    },
    /// To `Commit`: the new parameters are in use.
    Committed {
        /// Their CRC-32.
        crc32: u32,
    },
    /// To `Save`.
    Saved {
        /// The number of the checkpoint.
        sequence: u32,
        /// The bytes it takes.
        bytes: u32,
    },
    /// To `Load`.
    Loaded {
        /// The number of the checkpoint.
        sequence: u32,
        /// CRC-32 of the parameters.
        crc32: u32,
    },
    /// To `Reset`.
    Begun {
        /// CRC-32 of the parameters.
        crc32: u32,
    },
    /// Nothing was done.
    Refused(Refusal),
}

/// What a board has learned to do and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Hello {
    /// The board's [`VERSION`].
    pub version: u16,
    /// The network's fingerprint, as in checkpoints.
    pub fingerprint: u64,
    /// The axes of a sample, the last one fastest; 0 where there is none.
    pub input: [u32; 4],
    /// Numbers of the output.
    pub outputs: u32,
    /// Numbers of a target; 0 where the target is a class.
    pub target: u32,
    /// Numbers of all parameters.
    pub parameters: u32,
    /// The bytes of the longest frame that the board takes and sends, its end included.
    pub frame: u32,
    /// CRC-32 of the parameters.
    pub crc32: u32,
    /// What was counted.
    pub counters: Counters,
}

/// What was counted: the first two since the network began, the others since the board was switched on. None overflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Counters {
    /// Samples learned from.
    pub observed: u32,
    /// Samples and updates refused by the learner.
    pub refused: u32,
    /// Damaged frames.
    pub damaged: u32,
    /// Frames longer than the board's buffer.
    pub too_long: u32,
    /// Requests that came again and were answered again.
    pub duplicates: u32,
    /// Requests of another session or number than the next one.
    pub out_of_order: u32,
}

/// Why nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Refusal {
    /// The frame is damaged. Send it again.
    Damaged,
    /// The frame is longer than the board's buffer.
    TooLong {
        /// The bytes of the longest frame.
        most: u32,
    },
    /// It is not the next request of the session.
    OutOfOrder {
        /// The number of the next one.
        expected: u32,
    },
    /// A request of this number was another one.
    NumberReused,
    /// It is of another session than the board's: the board was switched on anew, or another host has begun a session.
    OtherSession {
        /// The board's; 0 where none has begun. A new one needs a larger number.
        current: u32,
    },
    /// The host speaks another version of the protocol.
    OtherVersion {
        /// The board's.
        supported: u16,
    },
    /// There is no such request.
    Unknown,
    /// The request has the wrong amount of numbers.
    Numbers {
        /// How many it needs.
        expected: u32,
        /// How many it has.
        got: u32,
    },
    /// A class was given where the target is numbers, or none where it is a class.
    OtherTarget,
    /// An element of the sample is infinite or NaN.
    Sample {
        /// Its place.
        index: u32,
    },
    /// There is no such class.
    Class {
        /// The class.
        class: u32,
        /// How many there are.
        classes: u32,
    },
    /// An element of the target is not what the loss takes.
    Target {
        /// Its place.
        index: u32,
    },
    /// The loss is infinite or NaN.
    Loss,
    /// A gradient is infinite or NaN.
    Gradient,
    /// A parameter or a moment would be infinite or NaN.
    Update,
    /// There are no such parameters.
    Range {
        /// How many there are.
        parameters: u32,
    },
    /// More was asked for than a frame holds.
    TooMany {
        /// The most.
        most: u32,
    },
    /// Samples are pending, whose gradient lies where new parameters would be gathered: save, load or reset first.
    Pending,
    /// No transfer of parameters is going on: there was no `Write`, or a `Train`, `Load` or `Reset` has ended it.
    NoTransfer,
    /// It is not the next chunk.
    Gap {
        /// The offset of the next.
        expected: u32,
    },
    /// Parameters are missing.
    Incomplete {
        /// How many.
        missing: u32,
    },
    /// The CRC-32 of what was written is not the one announced.
    Checksum {
        /// That of what was written.
        got: u32,
    },
    /// A parameter is infinite or NaN.
    Parameter {
        /// Its place.
        index: u32,
    },
    /// Nothing was saved yet.
    NoCheckpoint,
    /// The flash is too small for a checkpoint.
    FlashTooSmall {
        /// The bytes that it needs.
        needed: u32,
        /// The bytes that there are.
        available: u32,
    },
    /// The flash does not work.
    Flash,
    /// What is in flash is of another network or program.
    OtherCheckpoint,
    /// What is in flash is damaged.
    DamagedCheckpoint,
}

impl Refusal {
    /// Whether it is about the frame and its place in the session: the request was not looked at.
    #[must_use]
    pub const fn is_of_line(&self) -> bool {
        matches!(
            self,
            Self::Damaged
                | Self::TooLong { .. }
                | Self::OutOfOrder { .. }
                | Self::NumberReused
                | Self::OtherSession { .. }
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("the frame was damaged on the line: send it again"),
            Self::TooLong { most } => write!(f, "the frame is too long: the board takes up to {most} bytes"),
            Self::OutOfOrder { expected } => write!(f, "out of order: request {expected} is the next"),
            Self::NumberReused => f.write_str("another request had this number already"),
            Self::OtherSession { current: 0 } => f.write_str("no session has begun: the board was switched on anew"),
            Self::OtherSession { current } => {
                write!(f, "the board is in session {current}: begin one with a larger number")
            }
            Self::OtherVersion { supported } => write!(f, "the board speaks version {supported} of the protocol"),
            Self::Unknown => f.write_str("the board knows no such request: its program may be older"),
            Self::Numbers { expected, got } => write!(f, "the request has {got} numbers, but needs {expected}"),
            Self::OtherTarget => f.write_str("a class was given where the target is numbers, or the other way round"),
            Self::Sample { index } => write!(f, "element {index} of the sample is infinite or NaN"),
            Self::Class { class, classes } => {
                write!(f, "class {class} is out of range: the network has {classes} outputs, counted from 0")
            }
            Self::Target { index } => write!(f, "element {index} of the target is not one that the loss takes"),
            Self::Loss => f.write_str("the loss is infinite or NaN"),
            Self::Gradient => f.write_str("a gradient is infinite or NaN"),
            Self::Update => f.write_str("a parameter would be infinite or NaN: lower the learning rate"),
            Self::Range { parameters } => write!(f, "out of range: there are {parameters} parameters"),
            Self::TooMany { most } => write!(f, "a frame holds {most} numbers at most"),
            Self::Pending => {
                f.write_str("samples are pending: load a checkpoint or reset before parameters are written")
            }
            Self::NoTransfer => f.write_str("no transfer of parameters is going on: begin with Write"),
            Self::Gap { expected } => write!(f, "the next chunk begins at parameter {expected}"),
            Self::Incomplete { missing } => write!(f, "{missing} parameters are missing"),
            Self::Checksum { got } => write!(f, "the CRC-32 of the parameters is {got:08x}, another was announced"),
            Self::Parameter { index } => write!(f, "parameter {index} is infinite or NaN"),
            Self::NoCheckpoint => f.write_str("nothing was saved yet"),
            Self::FlashTooSmall { needed, available } => {
                write!(f, "the flash has {available} bytes, but {needed} are needed")
            }
            Self::Flash => SaveError::Flash.fmt(f),
            Self::OtherCheckpoint => SaveError::Other.fmt(f),
            Self::DamagedCheckpoint => SaveError::Damaged.fmt(f),
        }
    }
}

impl core::error::Error for Refusal {}

impl From<ObserveError> for Refusal {
    fn from(error: ObserveError) -> Self {
        match error {
            ObserveError::Sample { index } => Self::Sample { index: index as u32 },
            ObserveError::Target(TargetError::ClassOutOfRange { class, classes }) => {
                Self::Class { class: class as u32, classes: classes as u32 }
            }
            ObserveError::Target(
                TargetError::NotFinite { index }
                | TargetError::NotAProbability { index }
                | TargetError::NotASign { index },
            ) => Self::Target { index: index as u32 },
            ObserveError::Loss => Self::Loss,
            _ => Self::Gradient,
        }
    }
}

impl From<TrainError> for Refusal {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Observe(error) => error.into(),
            TrainError::Update(UpdateError::NotFinite) => Self::Update,
            _ => Self::Gradient,
        }
    }
}

impl From<SaveError> for Refusal {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::TooSmall { needed, available } => Self::FlashTooSmall { needed, available },
            SaveError::Flash => Self::Flash,
            SaveError::Other => Self::OtherCheckpoint,
            SaveError::Damaged => Self::DamagedCheckpoint,
        }
    }
}

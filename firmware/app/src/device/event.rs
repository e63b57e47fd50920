//! What goes wrong on a live device.

use core::fmt;

use backpass::checkpoint;

use super::sensor::SensorError;

/// One of the two buttons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PushButton {
    /// The first.
    A,
    /// The second.
    B,
}

/// Something that does not work. It is told of once, when it begins; the rest goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Fault {
    /// The sensor cannot be read. It is tried again, and set up anew every second.
    Sensor(SensorError),
    /// The sensor has given the same measurement for a while: it hangs. It is tried on.
    SensorStuck,
    /// The button is held for longer than anyone would, or was held at switch-on: it counts as released until it is.
    ButtonStuck(PushButton),
    /// The button's pin cannot be read: it counts as released.
    ButtonUnreadable(PushButton),
    /// A step took so long that measurements were lost.
    Late {
        /// By how much, in microseconds.
        microseconds: u32,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sensor(error) => error.fmt(f),
            Self::SensorStuck => f.write_str("the sensor gives the same measurement all the time: it hangs"),
            Self::ButtonStuck(button) => {
                write!(f, "button {button:?} is held for too long, or since switch-on: it is ignored until released")
            }
            Self::ButtonUnreadable(button) => write!(f, "button {button:?} cannot be read"),
            Self::Late { microseconds } => {
                write!(f, "a step took {microseconds} microseconds too long: measurements were lost")
            }
        }
    }
}

/// Why something was not saved to flash, or not loaded from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SaveError {
    /// The flash is too small.
    TooSmall {
        /// The bytes that it needs.
        needed: u32,
        /// The bytes that there are.
        available: u32,
    },
    /// The flash does not work.
    Flash,
    /// It was saved by another application, or by another version of this one.
    Other,
    /// What was saved is damaged.
    Damaged,
}

impl SaveError {
    pub(crate) fn of<E>(error: &checkpoint::Error<E>) -> Self {
        match error {
            checkpoint::Error::TooSmall { needed, available } => {
                Self::TooSmall { needed: *needed, available: *available }
            }
            checkpoint::Error::OtherNetwork { .. }
            | checkpoint::Error::OtherOptimizer { .. }
            | checkpoint::Error::OtherExtra { .. }
            | checkpoint::Error::NewerFormat { .. } => Self::Other,
            checkpoint::Error::Damaged { .. } | checkpoint::Error::Invalid { .. } => Self::Damaged,
            _ => Self::Flash,
        }
    }
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSmall { needed, available } => {
                write!(f, "the flash has {available} bytes for what was learned, but {needed} are needed")
            }
            Self::Flash => f.write_str("the flash does not work: it may be worn out"),
            Self::Other => f.write_str("what is in flash was saved by another application or version"),
            Self::Damaged => f.write_str("what is in flash is damaged"),
        }
    }
}

impl core::error::Error for SaveError {}

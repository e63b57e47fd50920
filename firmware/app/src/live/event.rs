//! What goes wrong on a live device.

use core::fmt;

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

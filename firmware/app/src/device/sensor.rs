//! A sensor of several channels.

use core::fmt;

use embedded_hal::i2c::{Error, ErrorKind};

/// A sensor that measures `C` channels at once. `embedded-hal` has no such trait.
pub trait Sensor<const C: usize> {
    /// Sets the sensor up, at switch-on and after it did not answer. An application calls it before the first reading, and again
    /// until it succeeds.
    ///
    /// # Errors
    /// [`SensorError`].
    fn start(&mut self) -> Result<(), SensorError>;

    /// The newest measurement.
    ///
    /// # Errors
    /// [`SensorError`].
    fn read(&mut self) -> Result<[f32; C], SensorError>;
}

/// Why a sensor could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SensorError {
    /// Nobody answers at its address.
    NoAnswer,
    /// The bus failed.
    Bus,
    /// Something else answers at its address, or nothing but zeros does.
    WrongDevice,
    /// A measurement is infinite or NaN.
    NotFinite,
}

impl SensorError {
    /// The kind of an I2C error.
    pub fn of_i2c(error: &impl Error) -> Self {
        match error.kind() {
            ErrorKind::NoAcknowledge(_) => Self::NoAnswer,
            _ => Self::Bus,
        }
    }
}

impl fmt::Display for SensorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAnswer => "the sensor does not answer: check its wires, its supply and its address",
            Self::Bus => "the bus of the sensor fails: check its wires and pull-up resistors",
            Self::WrongDevice => {
                "what answers at the sensor's address is another device: check its address and that no line is held low"
            }
            Self::NotFinite => "the sensor measures numbers that are not finite",
        })
    }
}

impl core::error::Error for SensorError {}

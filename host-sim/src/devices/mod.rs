//! Simulated parts of a board, behind the traits of `embedded-hal` 1.0, for tests of firmware on a host.
//!
//! | | stands for | what a test does with it |
//! |---|---|---|
//! | [`Clock`] | a timer and a delay | time advances when the firmware waits, and only then |
//! | [`Bus`] | an I2C bus | make it fail: no acknowledge, bus error, lost arbitration, a line that is held low |
//! | [`StAccelerometer`] | LSM303AGR and LIS3DH | play a [`Motion`]; stop its data |
//! | [`Mpu6050`] | accelerometer and gyroscope | the same |
//! | [`Button`], [`Led`], [`LedMatrix`] | pins | press it; look at it |
//! | [`SerialLine`] | a serial line | let frames be lost, damaged, doubled, late |
//!
//! The sensors are simulated register by register, so that the published drivers run against them as they are:
//!
//! ```
//! use backpass_sim::devices::{Bus, Clock, StAccelerometer};
//! use lsm303agr::{AccelMode, AccelOutputDataRate, Lsm303agr};
//!
//! let clock = Clock::new();
//! // Half a g along x, one g along z; no rotation.
//! let still = |_| [4.903_325, 0.0, 9.806_65, 0.0, 0.0, 0.0];
//! let bus = Bus::new(StAccelerometer::lsm303agr(clock.clone(), still));
//!
//! let mut sensor = Lsm303agr::new_with_i2c(bus.clone());
//! sensor.init().unwrap();
//! let rate = AccelOutputDataRate::Hz100;
//! sensor.set_accel_mode_and_odr(&mut clock.clone(), AccelMode::Normal, rate).unwrap();
//! let (x, y, z) = sensor.acceleration().unwrap().xyz_mg();
//! assert!((x - 500).abs() <= 20 && y == 0 && (z - 1000).abs() <= 30);
//!
//! bus.set_fault(backpass_sim::devices::Fault::NoAcknowledge);
//! assert!(sensor.acceleration().is_err());
//! ```

mod bus;
mod clock;
mod motion;
mod mpu6050;
mod pins;
mod serial_line;
mod st_accelerometer;

pub use bus::{Bus, BusError, Fault, I2cDevice};
pub use clock::Clock;
pub use motion::{Motion, Playback, STANDARD_GRAVITY};
pub use mpu6050::Mpu6050;
pub use pins::{Button, Led, LedMatrix, MatrixPin, PinBroken};
pub use serial_line::{FaultyChannel, LineFaults, SerialLine};
pub use st_accelerometer::StAccelerometer;

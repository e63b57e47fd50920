//! What applications with live sensors have in common, written against the traits of `embedded-hal` alone.
//!
//! A board's binary fills in [`Parts`] once: a [`Sensor`] (for two published drivers it is in [`sensors`]), two buttons, a
//! [`Display`], a clock, a delay and a flash. The host twin fills them in with simulated parts.

mod counter;
mod display;
mod event;
mod feed;
mod pace;
mod press;
pub mod rom_flash;
mod sensor;
#[cfg(any(feature = "lsm303agr", feature = "mpu6050"))]
pub mod sensors;

pub use counter::ShortCounter;
pub use display::{Display, Face, Leds, Matrix, Sign};
pub use event::{Fault, PushButton, SaveError};
pub(crate) use feed::{Feed, Reading};
pub use pace::Clock;
pub(crate) use pace::Pace;
pub(crate) use press::{Press, Pressed};
pub use sensor::{Sensor, SensorError};

/// What an application needs of a board.
#[derive(Debug)]
pub struct Parts<S, A, B, D, C, W> {
    /// What is learned from.
    pub sensor: S,
    /// A button that is low while it is held.
    pub button_a: A,
    /// Another one.
    pub button_b: B,
    /// What is shown.
    pub display: D,
    /// The time.
    pub clock: C,
    /// How to wait.
    pub delay: W,
}

//! What is connected to which pin. The table in the README says the same, which a test compares.

use rp2040_hal::gpio::bank0::{Gpio0, Gpio1, Gpio4, Gpio5, Gpio10, Gpio11, Gpio12, Gpio13, Gpio14, Gpio15, Gpio25};
use rp2040_hal::gpio::{
    FunctionI2C, FunctionSioInput, FunctionSioOutput, FunctionUart, Pin, PullDown, PullNone, PullUp,
};

/// What the board sends over the serial line.
pub type Tx = Pin<Gpio0, FunctionUart, PullNone>;
/// What it receives: high while nothing is connected.
pub type Rx = Pin<Gpio1, FunctionUart, PullUp>;
/// The data of the I2C bus.
pub type Sda = Pin<Gpio4, FunctionI2C, PullUp>;
/// The clock of the I2C bus.
pub type Scl = Pin<Gpio5, FunctionI2C, PullUp>;
/// The first button: low while it is held.
pub type ButtonA = Pin<Gpio14, FunctionSioInput, PullUp>;
/// The second button.
pub type ButtonB = Pin<Gpio15, FunctionSioInput, PullUp>;
/// The LED of the first class.
pub type Class1 = Pin<Gpio10, FunctionSioOutput, PullDown>;
/// The LED of the second class.
pub type Class2 = Pin<Gpio11, FunctionSioOutput, PullDown>;
/// The LED of the third class.
pub type Class3 = Pin<Gpio12, FunctionSioOutput, PullDown>;
/// The LED of the fourth class.
pub type Class4 = Pin<Gpio13, FunctionSioOutput, PullDown>;
/// The board's own LED.
pub type Fault = Pin<Gpio25, FunctionSioOutput, PullDown>;

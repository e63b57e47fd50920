//! What is connected to which pin. The table in the README says the same, which a test compares.

use stm32f4xx_hal::gpio::{Input, Output, PA2, PA3, PA5, PA8, PA9, PA10, PB5, PB8, PB9, PB10, PC13};

/// What the board sends over the serial line, to the debugger.
pub type Tx = PA2<Input>;
/// What it receives, from the debugger.
pub type Rx = PA3<Input>;
/// The data of the I2C bus.
pub type Sda = PB9<Input>;
/// The clock of the I2C bus.
pub type Scl = PB8<Input>;
/// The first button, the board's own: low while it is held.
pub type ButtonA = PC13<Input>;
/// The second button.
pub type ButtonB = PA10<Input>;
/// The LED of the first class.
pub type Class1 = PB5<Output>;
/// The LED of the second class.
pub type Class2 = PB10<Output>;
/// The LED of the third class.
pub type Class3 = PA8<Output>;
/// The LED of the fourth class.
pub type Class4 = PA9<Output>;
/// The board's own LED.
pub type Fault = PA5<Output>;

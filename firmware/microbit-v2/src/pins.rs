//! What is connected to which pin. The table in the README says the same, which a test compares.

use microbit::hal::gpio::{Floating, Input, Output, PushPull, p0, p1};

/// What the board sends over the serial line, to the debugger.
pub type Tx = p0::P0_06<Output<PushPull>>;
/// What it receives, from the debugger.
pub type Rx = p1::P1_08<Input<Floating>>;
/// The left button: low while it is held.
pub type ButtonA = p0::P0_14<Input<Floating>>;
/// The right button.
pub type ButtonB = p0::P0_23<Input<Floating>>;
/// The clock of the internal I2C bus.
pub type Scl = p0::P0_08<Input<Floating>>;
/// The data of the internal I2C bus.
pub type Sda = p0::P0_16<Input<Floating>>;
/// The rows of LEDs, from above: lit while high.
pub type Row1 = p0::P0_21<Output<PushPull>>;
/// The second row.
pub type Row2 = p0::P0_22<Output<PushPull>>;
/// The third row.
pub type Row3 = p0::P0_15<Output<PushPull>>;
/// The fourth row.
pub type Row4 = p0::P0_24<Output<PushPull>>;
/// The fifth row.
pub type Row5 = p0::P0_19<Output<PushPull>>;
/// The columns of LEDs, from the left: lit while low.
pub type Column1 = p0::P0_28<Output<PushPull>>;
/// The second column.
pub type Column2 = p0::P0_11<Output<PushPull>>;
/// The third column.
pub type Column3 = p0::P0_31<Output<PushPull>>;
/// The fourth column.
pub type Column4 = p1::P1_05<Output<PushPull>>;
/// The fifth column.
pub type Column5 = p0::P0_30<Output<PushPull>>;

//! Buttons and LEDs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use embedded_hal::digital::{Error, ErrorKind, ErrorType, InputPin, OutputPin, StatefulOutputPin};

/// A pin that cannot be read or set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pin cannot be used")]
pub struct PinBroken;

impl Error for PinBroken {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

/// A push button between a pin with a pull-up and ground: low while it is held. Clones are the same button.
///
/// ```
/// use backpass_sim::devices::Button;
/// use embedded_hal::digital::InputPin;
/// let button = Button::new();
/// let mut pin = button.clone();
/// assert_eq!(pin.is_low(), Ok(false));
/// button.press();
/// assert_eq!(pin.is_low(), Ok(true));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Button(Rc<Cell<[bool; 2]>>);

impl Button {
    /// A button that nobody holds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Holds it, or lets it go.
    pub fn set(&self, held: bool) {
        self.0.set([held, self.0.get()[1]]);
    }

    /// Holds it from now on.
    pub fn press(&self) {
        self.set(true);
    }

    /// Lets it go.
    pub fn release(&self) {
        self.set(false);
    }

    /// Whether it is held.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.get()[0]
    }

    /// Makes every reading of the pin fail from now on, or no more.
    pub fn set_broken(&self, broken: bool) {
        self.0.set([self.is_held(), broken]);
    }
}

impl ErrorType for Button {
    type Error = PinBroken;
}

impl InputPin for Button {
    fn is_high(&mut self) -> Result<bool, PinBroken> {
        let [held, broken] = self.0.get();
        if broken { Err(PinBroken) } else { Ok(!held) }
    }

    fn is_low(&mut self) -> Result<bool, PinBroken> {
        self.is_high().map(|high| !high)
    }
}

/// An LED between a pin and ground: lit while the pin is high. Clones are the same LED.
#[derive(Debug, Clone, Default)]
pub struct Led(Rc<Cell<bool>>);

impl Led {
    /// An LED that is dark.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it is lit.
    #[must_use]
    pub fn is_lit(&self) -> bool {
        self.0.get()
    }
}

impl ErrorType for Led {
    type Error = PinBroken;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), PinBroken> {
        self.0.set(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), PinBroken> {
        self.0.set(true);
        Ok(())
    }
}

impl StatefulOutputPin for Led {
    fn is_set_high(&mut self) -> Result<bool, PinBroken> {
        Ok(self.is_lit())
    }

    fn is_set_low(&mut self) -> Result<bool, PinBroken> {
        Ok(!self.is_lit())
    }
}

/// A matrix of 5 by 5 LEDs as on the BBC micro:bit: an LED is lit while its row's pin is high and its column's is low, so firmware
/// shows one row at a time. Clones are the same matrix.
///
/// ```
/// use backpass_sim::devices::LedMatrix;
/// use embedded_hal::digital::OutputPin;
/// let matrix = LedMatrix::new();
/// let ([mut row, ..], [mut column, mut other, ..]) = matrix.pins();
/// other.set_high().unwrap();
/// row.set_high().unwrap();
/// column.set_low().unwrap();
/// let picture = matrix.seen();
/// assert!(picture[0][0] && !picture[0][1] && !picture[1][0]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct LedMatrix(Rc<RefCell<Levels>>);

#[derive(Debug, Clone, Copy, Default)]
struct Levels {
    rows: [bool; 5],
    columns: [bool; 5],
    seen: [[bool; 5]; 5],
}

impl Levels {
    fn look(&mut self) {
        for (seen, row) in self.seen.iter_mut().zip(self.rows) {
            for (seen, column) in seen.iter_mut().zip(self.columns) {
                *seen |= row && !column;
            }
        }
    }
}

impl LedMatrix {
    /// All pins low: all LEDs are dark.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The pins of the rows and of the columns.
    #[must_use]
    pub fn pins(&self) -> ([MatrixPin; 5], [MatrixPin; 5]) {
        let pin = |is_row| move |index| MatrixPin { matrix: self.clone(), is_row, index };
        (std::array::from_fn(pin(true)), std::array::from_fn(pin(false)))
    }

    /// The LEDs that were lit at any time since the last look, row by row: what an eye sees of a matrix that shows its rows in
    /// turn.
    #[must_use]
    pub fn seen(&self) -> [[bool; 5]; 5] {
        let mut levels = self.0.borrow_mut();
        let seen = std::mem::take(&mut levels.seen);
        levels.look();
        seen
    }
}

/// A pin of a [`LedMatrix`].
#[derive(Debug, Clone)]
pub struct MatrixPin {
    matrix: LedMatrix,
    is_row: bool,
    index: usize,
}

impl MatrixPin {
    fn set(&mut self, high: bool) {
        let mut levels = self.matrix.0.borrow_mut();
        let pins = if self.is_row { &mut levels.rows } else { &mut levels.columns };
        pins[self.index] = high;
        levels.look();
    }
}

impl ErrorType for MatrixPin {
    type Error = PinBroken;
}

impl OutputPin for MatrixPin {
    fn set_low(&mut self) -> Result<(), PinBroken> {
        self.set(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), PinBroken> {
        self.set(true);
        Ok(())
    }
}

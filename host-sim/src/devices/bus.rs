//! An I2C bus.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use embedded_hal::i2c::{Error, ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};

/// A device on a [`Bus`].
pub trait I2cDevice {
    /// Whether a device listens to this 7-bit address.
    fn answers(&self, address: u8) -> bool;

    /// Takes bytes that were written to the address. `false`: the device does not acknowledge them.
    fn write(&mut self, address: u8, bytes: &[u8]) -> bool;

    /// Fills what is read from the address.
    fn read(&mut self, address: u8, bytes: &mut [u8]);

    /// Whether the data of the device stand still from now on, as of a sensor that has hung up while its bus works on.
    fn freeze(&mut self, frozen: bool);
}

/// What is wrong with a bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Nobody answers: a wire has come off.
    NoAcknowledge,
    /// A start or stop condition comes in the middle of a byte.
    BusError,
    /// Another controller speaks at the same time.
    ArbitrationLoss,
    /// The data line is held low: all addresses seem to answer, and all that is read is 0.
    HeldLow,
    /// The bus works, and the sensor answers with the same data for ever.
    StuckData,
}

/// Why a transfer failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", match .0 {
    ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address) => "no device answers at this address",
    ErrorKind::NoAcknowledge(_) => "the device does not acknowledge the data",
    ErrorKind::ArbitrationLoss => "another controller has taken the bus",
    _ => "a start or stop condition in the middle of a byte",
})]
pub struct BusError(ErrorKind);

impl Error for BusError {
    fn kind(&self) -> ErrorKind {
        self.0
    }
}

/// An I2C bus with devices. Clones are the same bus: the firmware has one, the test another.
#[derive(Clone)]
pub struct Bus {
    devices: Rc<RefCell<Vec<Box<dyn I2cDevice>>>>,
    state: Rc<Cell<State>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    fault: Fault,
    /// Transfers that still go well before the fault.
    before: u64,
    transfers: u64,
}

impl Bus {
    /// A bus with one device.
    pub fn new(device: impl I2cDevice + 'static) -> Self {
        let bus = Self { devices: Rc::default(), state: Rc::default() };
        bus.connect(device);
        bus
    }

    /// Connects a further device.
    pub fn connect(&self, device: impl I2cDevice + 'static) {
        self.devices.borrow_mut().push(Box::new(device));
    }

    /// Makes every transfer from now on fail in this way, until another fault or [`Fault::None`] is set.
    pub fn set_fault(&self, fault: Fault) {
        self.set_fault_after(0, fault);
    }

    /// [`set_fault`](Self::set_fault), after this many more transfers.
    pub fn set_fault_after(&self, transfers: u64, fault: Fault) {
        self.state.set(State { fault, before: transfers, ..self.state.get() });
        self.freeze(transfers == 0 && fault == Fault::StuckData);
    }

    /// How many transfers there were, failed ones too.
    #[must_use]
    pub fn transfers(&self) -> u64 {
        self.state.get().transfers
    }

    fn freeze(&self, frozen: bool) {
        self.devices.borrow_mut().iter_mut().for_each(|device| device.freeze(frozen));
    }

    /// Counts a transfer; what is wrong with it.
    fn begin(&self) -> Fault {
        let mut state = self.state.get();
        state.transfers += 1;
        let fault = if state.before == 0 { state.fault } else { Fault::None };
        state.before = state.before.saturating_sub(1);
        self.state.set(state);
        if fault == Fault::StuckData {
            self.freeze(true);
        }
        fault
    }
}

impl ErrorType for Bus {
    type Error = BusError;
}

impl I2c for Bus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), BusError> {
        let no_answer = BusError(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
        match self.begin() {
            Fault::None | Fault::StuckData => {}
            Fault::NoAcknowledge => return Err(no_answer),
            Fault::BusError => return Err(BusError(ErrorKind::Bus)),
            Fault::ArbitrationLoss => return Err(BusError(ErrorKind::ArbitrationLoss)),
            Fault::HeldLow => {
                for operation in operations {
                    if let Operation::Read(bytes) = operation {
                        bytes.fill(0);
                    }
                }
                return Ok(());
            }
        }
        let mut devices = self.devices.borrow_mut();
        let device = devices.iter_mut().find(|device| device.answers(address)).ok_or(no_answer)?;
        for operation in operations {
            match operation {
                Operation::Read(bytes) => device.read(address, bytes),
                Operation::Write(bytes) => {
                    if !device.write(address, bytes) {
                        return Err(BusError(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data)));
                    }
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("devices", &self.devices.borrow().len()).field("state", &self.state.get()).finish()
    }
}

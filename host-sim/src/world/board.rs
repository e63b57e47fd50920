//! A simulated board.

use backpass::checkpoint::Store;
use backpass_app::device::sensors::{AccelFullScale, AccelScale, Lsm303agrSensor, Mpu6050Sensor};
use backpass_app::device::{self, Matrix, Parts};

use crate::devices::{Bus, Button, Clock, LedMatrix, MatrixPin, Mpu6050, Playback, StAccelerometer};
use crate::flash::SimulatedFlash;

/// The flash of the simulated board: 4 KB sectors, written by words, as in an nRF52833.
pub type Flash = SimulatedFlash<4, 4, 4096>;

/// The sectors for checkpoints: 64 KB for gestures, 128 KB in all.
const SECTORS: usize = 32;

/// Which sensor the board has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoardSensor {
    /// An MPU-6050: accelerometer and gyroscope, six channels.
    Mpu6050,
    /// An LSM303AGR, as on the BBC micro:bit v2: accelerometer, three channels.
    Lsm303agr,
}

impl BoardSensor {
    /// How many channels it has.
    #[must_use]
    pub const fn channels(self) -> u8 {
        match self {
            Self::Mpu6050 => 6,
            Self::Lsm303agr => 3,
        }
    }
}

/// The parts that an application is given, as it would be on a board.
pub type BoardParts<S> = Parts<S, Button, Button, Matrix<MatrixPin, MatrixPin>, Clock, Clock>;

/// A board with a sensor, two buttons, an LED matrix and a flash, and handles on all of them. For tests of one's own.
///
/// ```
/// use backpass_app::gesture::{Event, Gesture, Ram, Settings, Window3};
/// use backpass_sim::devices::Fault;
/// use backpass_sim::world::Board;
///
/// let mut board = Board::lsm303agr(10);
/// board.bus.set_fault(Fault::NoAcknowledge);
/// let mut ram = Ram::<3, 4, Window3>::new();
/// let mut gesture = Gesture::new(&mut ram, Settings::at_rate(10));
/// gesture.start(&mut board.store, &mut |_| {});
/// let mut events = Vec::new();
/// gesture.step(&mut board.parts, &mut board.store, &mut |event| events.push(event));
/// assert!(matches!(events[..], [Event::Fault(_)]));
/// ```
#[derive(Debug)]
pub struct Board<S> {
    /// The time.
    pub clock: Clock,
    /// What the sensor feels.
    pub motion: Playback,
    /// The bus that the sensor is on.
    pub bus: Bus,
    /// The first button.
    pub button_a: Button,
    /// The second button.
    pub button_b: Button,
    /// What is to be seen.
    pub leds: LedMatrix,
    /// Where checkpoints are.
    pub store: Store<Flash>,
    /// What the application is given.
    pub parts: BoardParts<S>,
}

impl device::Clock for Clock {
    fn microseconds(&mut self) -> u64 {
        self.nanoseconds() / 1000
    }
}

impl Board<Mpu6050Sensor<Bus, Clock>> {
    /// A board with an MPU-6050, that feels recordings of this many rows a second.
    #[must_use]
    pub fn mpu6050(rate: u32) -> Self {
        let (clock, motion) = (Clock::new(), Playback::new(rate.into()));
        let bus = Bus::new(Mpu6050::new(false, clock.clone(), motion.clone()));
        let sensor = Mpu6050Sensor::new(bus.clone(), clock.clone(), false, AccelFullScale::G4);
        Self::new(clock, motion, bus, sensor)
    }
}

impl Board<Lsm303agrSensor<Bus, Clock>> {
    /// A board with an LSM303AGR, that feels recordings of this many rows a second.
    #[must_use]
    pub fn lsm303agr(rate: u32) -> Self {
        let (clock, motion) = (Clock::new(), Playback::new(rate.into()));
        let bus = Bus::new(StAccelerometer::lsm303agr(clock.clone(), motion.clone()));
        let sensor = Lsm303agrSensor::new(bus.clone(), clock.clone(), AccelScale::G4);
        Self::new(clock, motion, bus, sensor)
    }
}

impl<S> Board<S> {
    fn new(clock: Clock, motion: Playback, bus: Bus, sensor: S) -> Self {
        let (button_a, button_b, leds) = (Button::new(), Button::new(), LedMatrix::new());
        let (rows, columns) = leds.pins();
        let parts = Parts {
            sensor,
            button_a: button_a.clone(),
            button_b: button_b.clone(),
            display: Matrix { rows, columns },
            clock: clock.clone(),
            delay: clock.clone(),
        };
        Self { clock, motion, bus, button_a, button_b, leds, store: store(Flash::new(SECTORS)), parts }
    }

    /// Replaces the flash, say by a smaller one or by that of another board.
    ///
    /// # Panics
    /// If it has less than two sectors.
    pub fn set_flash(&mut self, flash: Flash) {
        self.store = store(flash);
    }
}

/// The checkpoints in the whole of a flash.
fn store(flash: Flash) -> Store<Flash> {
    let end = flash.bytes().len() as u32;
    Store::new(flash, 0..end).unwrap_or_else(|error| panic!("{error}"))
}

//! The accelerometers LSM303AGR and LIS3DH of ST.

use std::fmt;

use super::bus::I2cDevice;
use super::clock::Clock;
use super::motion::{Motion, STANDARD_GRAVITY};

const WHO_AM_I: u8 = 0x0F;
const CTRL_REG1: u8 = 0x20;
const CTRL_REG4: u8 = 0x23;
const STATUS: u8 = 0x27;
const OUT_X_L: u8 = 0x28;
const OUT_Z_H: u8 = 0x2D;
/// What can be written.
const WRITABLE: [std::ops::RangeInclusive<u8>; 4] = [0x1E..=0x26, 0x2E..=0x2E, 0x30..=0x30, 0x32..=0x3F];
/// The top bit of the register's number: go on to the next register after each byte.
const AUTO_INCREMENT: u8 = 0x80;

const ACCELEROMETER_ID: u8 = 0x33;
const MAGNETOMETER_ADDRESS: u8 = 0x1E;
const MAGNETOMETER_WHO_AM_I: u8 = 0x4F;
const MAGNETOMETER_ID: u8 = 0x40;

/// An LSM303AGR (as on the BBC micro:bit v2) or LIS3DH, register by register: output data rate, full scale, the three modes of
/// power and resolution, enabled axes, status with data ready and overrun, auto-increment of the register's number.
///
/// The magnetometer of the LSM303AGR answers and keeps its settings; it measures nothing. FIFO, interrupts, filters, click detection
/// and the analogue inputs are registers without effect. Samples are taken at multiples of the data rate's period. The
/// acceleration is rounded to the resolution of the mode, and saturates at the full scale.
///
/// Source: ST, data sheets of the LSM303AGR (DocID027765) and the LIS3DH (DocID17530), registers 0x07 to 0x3F and 0x45 to 0x6D.
pub struct StAccelerometer {
    address: u8,
    has_magnetometer: bool,
    clock: Clock,
    motion: Box<dyn Motion>,
    registers: [u8; 0x80],
    magnetometer: [u8; 0x80],
    pointer: u8,
    increments: bool,
    sample: Sample,
    frozen: bool,
}

/// The last measurement.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    /// Its number, at the data rate; `None` before the first.
    number: Option<u64>,
    /// Whether it was read.
    read: bool,
    overrun: bool,
}

impl StAccelerometer {
    /// An LSM303AGR: accelerometer at address 0x19, magnetometer at 0x1E.
    pub fn lsm303agr(clock: Clock, motion: impl Motion + 'static) -> Self {
        Self::new(0x19, true, clock, motion)
    }

    /// An LIS3DH at address 0x18, or 0x19 if its address pin is high.
    pub fn lis3dh(address_pin_high: bool, clock: Clock, motion: impl Motion + 'static) -> Self {
        Self::new(0x18 | u8::from(address_pin_high), false, clock, motion)
    }

    fn new(address: u8, has_magnetometer: bool, clock: Clock, motion: impl Motion + 'static) -> Self {
        let mut registers = [0; 0x80];
        let mut magnetometer = [0; 0x80];
        let mut set = |number: u8, value| registers[usize::from(number)] = value;
        set(WHO_AM_I, ACCELEROMETER_ID);
        set(CTRL_REG1, 0x07);
        magnetometer[usize::from(MAGNETOMETER_WHO_AM_I)] = MAGNETOMETER_ID;
        magnetometer[0x60] = 0x03;
        Self {
            address,
            has_magnetometer,
            clock,
            motion: Box::new(motion),
            registers,
            magnetometer,
            pointer: 0,
            increments: false,
            sample: Sample::default(),
            frozen: false,
        }
    }

    fn register(&self, number: u8) -> u8 {
        self.registers[usize::from(number & 0x7F)]
    }

    fn is_low_power(&self) -> bool {
        self.register(CTRL_REG1) & 0x08 != 0
    }

    fn is_high_resolution(&self) -> bool {
        self.register(CTRL_REG4) & 0x08 != 0
    }

    /// In Hz; `None` where it is switched off.
    fn rate(&self) -> Option<f64> {
        match (self.register(CTRL_REG1) >> 4, self.is_low_power()) {
            (1, _) => Some(1.0),
            (2, _) => Some(10.0),
            (3, _) => Some(25.0),
            (4, _) => Some(50.0),
            (5, _) => Some(100.0),
            (6, _) => Some(200.0),
            (7, _) => Some(400.0),
            (8, true) => Some(1620.0),
            (9, false) => Some(1344.0),
            (9, true) => Some(5376.0),
            _ => None,
        }
    }

    /// The bits of a measurement, left-justified in 16, and the m/s² of one digit.
    fn resolution(&self) -> (u32, f32) {
        let bits = if self.is_low_power() {
            8
        } else if self.is_high_resolution() {
            12
        } else {
            10
        };
        // Milli-g of a 12-bit digit, in each data sheet. That of ±16 g is not twice that of ±8 g: its range is ±24 g.
        let digits = if self.has_magnetometer { [0.98, 1.95, 3.9, 11.72] } else { [1.0, 2.0, 4.0, 12.0] };
        let digit: f32 = digits[usize::from(self.register(CTRL_REG4) >> 4 & 3)];
        (bits, digit * f32::from(1_u16 << (12 - bits)) * STANDARD_GRAVITY / 1000.0)
    }

    /// Measures, if the time for it has come.
    fn measure(&mut self) {
        let Some(rate) = self.rate().filter(|_| !self.frozen) else { return };
        let number = (self.clock.nanoseconds() as f64 * 1e-9 * rate + 1e-6).floor() as u64;
        if self.sample.number == Some(number) {
            return;
        }
        let overrun = self.sample.number.is_some() && !self.sample.read;
        self.sample = Sample { number: Some(number), read: false, overrun };
        let motion = self.motion.at(number as f64 / rate);
        let (bits, digit) = self.resolution();
        let largest = (1_i32 << (bits - 1)) - 1;
        for (axis, acceleration) in motion.iter().take(3).enumerate() {
            let is_on = self.register(CTRL_REG1) >> axis & 1 != 0;
            let digits = ((acceleration / digit).round() as i32).clamp(-largest - 1, largest);
            let value = if is_on { (digits << (16 - bits)) as i16 } else { 0 };
            let place = usize::from(OUT_X_L) + 2 * axis;
            // Little-endian, or big-endian with bit BLE, which is allowed in high resolution only.
            let big_endian = self.register(CTRL_REG4) & 0x40 != 0 && self.is_high_resolution();
            let bytes = if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
            self.registers[place..place + 2].copy_from_slice(&bytes);
        }
    }

    fn status(&self) -> u8 {
        let ready = self.sample.number.is_some() && !self.sample.read;
        (if ready { 0x0F } else { 0 }) | (if self.sample.overrun { 0xF0 } else { 0 })
    }
}

impl I2cDevice for StAccelerometer {
    fn answers(&self, address: u8) -> bool {
        address == self.address || self.has_magnetometer && address == MAGNETOMETER_ADDRESS
    }

    fn write(&mut self, address: u8, bytes: &[u8]) -> bool {
        let Some((first, data)) = bytes.split_first() else { return true };
        self.pointer = first & !AUTO_INCREMENT;
        // The magnetometer goes on by itself with the same bit.
        self.increments = first & AUTO_INCREMENT != 0;
        for byte in data {
            let number = self.pointer;
            if address == MAGNETOMETER_ADDRESS {
                if matches!(number, 0x45..=0x4A | 0x60..=0x63 | 0x65..=0x66) {
                    self.magnetometer[usize::from(number)] = *byte;
                }
            } else if WRITABLE.iter().any(|range| range.contains(&number)) {
                self.registers[usize::from(number)] = *byte;
                if matches!(number, CTRL_REG1 | CTRL_REG4) {
                    self.sample = Sample::default();
                }
            }
            self.pointer = (self.pointer + u8::from(self.increments)) & 0x7F;
        }
        true
    }

    fn read(&mut self, address: u8, bytes: &mut [u8]) {
        // Once a transfer: the bytes of one measurement belong together.
        self.measure();
        for byte in bytes {
            let number = self.pointer;
            *byte = match (address == MAGNETOMETER_ADDRESS, number) {
                (true, _) => self.magnetometer[usize::from(number)],
                (false, STATUS) => self.status(),
                (false, _) => self.register(number),
            };
            if address != MAGNETOMETER_ADDRESS && (OUT_X_L..=OUT_Z_H).contains(&number) {
                self.sample.read = true;
                self.sample.overrun = false;
            }
            self.pointer = (self.pointer + u8::from(self.increments)) & 0x7F;
        }
    }

    fn freeze(&mut self, frozen: bool) {
        self.frozen = frozen;
    }
}

impl fmt::Debug for StAccelerometer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StAccelerometer").field("address", &self.address).field("sample", &self.sample).finish()
    }
}

//! The accelerometer and gyroscope MPU-6050 of InvenSense.

use std::fmt;

use super::bus::I2cDevice;
use super::clock::Clock;
use super::motion::{Motion, STANDARD_GRAVITY};

const SMPLRT_DIV: u8 = 0x19;
const CONFIG: u8 = 0x1A;
const GYRO_CONFIG: u8 = 0x1B;
const ACCEL_CONFIG: u8 = 0x1C;
const INT_STATUS: u8 = 0x3A;
const ACCEL_XOUT_H: u8 = 0x3B;
const GYRO_ZOUT_L: u8 = 0x48;
const PWR_MGMT_1: u8 = 0x6B;
const WHO_AM_I: u8 = 0x75;
const DEVICE_RESET: u8 = 0x80;
const SLEEP: u8 = 0x40;
const IDENTITY: u8 = 0x68;
/// A temperature of 25 °C: (25 - 36.53) * 340.
const TEMPERATURE: i16 = -3920;

/// An MPU-6050, register by register: sleep and reset, sample rate, full scales of both sensors, data ready.
///
/// FIFO, motion processor, interrupts, filters, self-test and the bus behind it are registers without effect; the temperature is 25 °C. Values are
/// rounded to the digit of the full scale and saturate there.
///
/// Source: InvenSense, "MPU-6000 and MPU-6050 Register Map and Descriptions" (RM-MPU-6000A-00) and product specification (PS-MPU-6000A-00).
pub struct Mpu6050 {
    address: u8,
    clock: Clock,
    motion: Box<dyn Motion>,
    registers: [u8; 0x80],
    pointer: u8,
    /// The number of the last measurement.
    number: Option<u64>,
    frozen: bool,
}

impl Mpu6050 {
    /// A sensor at address 0x68, or 0x69 if its address pin is high.
    pub fn new(address_pin_high: bool, clock: Clock, motion: impl Motion + 'static) -> Self {
        let mut sensor = Self {
            address: 0x68 | u8::from(address_pin_high),
            clock,
            motion: Box::new(motion),
            registers: [0; 0x80],
            pointer: 0,
            number: None,
            frozen: false,
        };
        sensor.reset();
        sensor
    }

    fn reset(&mut self) {
        self.registers = [0; 0x80];
        self.number = None;
        self.set(PWR_MGMT_1, SLEEP);
        self.set(WHO_AM_I, IDENTITY);
    }

    fn register(&self, number: u8) -> u8 {
        self.registers[usize::from(number & 0x7F)]
    }

    fn set(&mut self, number: u8, value: u8) {
        self.registers[usize::from(number & 0x7F)] = value;
    }

    /// In Hz.
    fn rate(&self) -> f64 {
        let gyroscope = if matches!(self.register(CONFIG) & 7, 0 | 7) { 8000.0 } else { 1000.0 };
        gyroscope / (1.0 + f64::from(self.register(SMPLRT_DIV)))
    }

    fn measure(&mut self) {
        if self.frozen || self.register(PWR_MGMT_1) & SLEEP != 0 {
            return;
        }
        let rate = self.rate();
        let number = (self.clock.nanoseconds() as f64 * 1e-9 * rate + 1e-6).floor() as u64;
        if self.number == Some(number) {
            return;
        }
        self.number = Some(number);
        let [ax, ay, az, gx, gy, gz] = self.motion.at(number as f64 / rate);
        let scale = |register: u8| f32::from(1_u8 << (self.register(register) >> 3 & 3));
        let acceleration = |x: f32| (x / STANDARD_GRAVITY * 16_384.0 / scale(ACCEL_CONFIG)).round() as i16;
        let rotation = |x: f32| (x.to_degrees() * 32_768.0 / 250.0 / scale(GYRO_CONFIG)).round() as i16;
        let [ax, ay, az] = [ax, ay, az].map(acceleration);
        let [gx, gy, gz] = [gx, gy, gz].map(rotation);
        let mut place = usize::from(ACCEL_XOUT_H);
        for value in [ax, ay, az, TEMPERATURE, gx, gy, gz] {
            self.registers[place..place + 2].copy_from_slice(&value.to_be_bytes());
            place += 2;
        }
        self.set(INT_STATUS, self.register(INT_STATUS) | 1);
    }
}

impl I2cDevice for Mpu6050 {
    fn answers(&self, address: u8) -> bool {
        address == self.address
    }

    fn write(&mut self, _: u8, bytes: &[u8]) -> bool {
        let Some((first, data)) = bytes.split_first() else { return true };
        self.pointer = first & 0x7F;
        for byte in data {
            match self.pointer {
                PWR_MGMT_1 if byte & DEVICE_RESET != 0 => self.reset(),
                INT_STATUS..=0x60 | WHO_AM_I => {}
                // Bits that start something and clear themselves.
                0x6A => self.set(0x6A, byte & 0xF0),
                number => {
                    self.set(number, *byte);
                    self.number = None;
                }
            }
            self.pointer = (self.pointer + 1) & 0x7F;
        }
        true
    }

    fn read(&mut self, _: u8, bytes: &mut [u8]) {
        // Once a transfer: the bytes of one measurement belong together.
        self.measure();
        for byte in bytes {
            let number = self.pointer;
            *byte = self.register(number);
            if number == INT_STATUS || (ACCEL_XOUT_H..=GYRO_ZOUT_L).contains(&number) {
                self.set(INT_STATUS, 0);
            }
            self.pointer = (self.pointer + 1) & 0x7F;
        }
    }

    fn freeze(&mut self, frozen: bool) {
        self.frozen = frozen;
    }
}

impl fmt::Debug for Mpu6050 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mpu6050").field("address", &self.address).field("measurement", &self.number).finish()
    }
}

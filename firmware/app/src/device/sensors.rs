//! Sensors behind their published drivers.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use super::sensor::{Sensor, SensorError};

/// One g in m/s².
const STANDARD_GRAVITY: f32 = 9.806_65;

#[cfg(feature = "lsm303agr")]
pub use st::{AccelScale, Lsm303agrSensor};

#[cfg(feature = "lsm303agr")]
mod st {
    use super::{DelayNs, I2c, STANDARD_GRAVITY, Sensor, SensorError};
    pub use lsm303agr::AccelScale;
    use lsm303agr::interface::I2cInterface;
    use lsm303agr::mode::MagOneShot;
    use lsm303agr::{AccelMode, AccelOutputDataRate, Error, Lsm303agr};

    /// The accelerometer of an LSM303AGR (BBC micro:bit v2): x, y and z in m/s², 12 bits, 100 measurements a second.
    pub struct Lsm303agrSensor<I, D> {
        driver: Lsm303agr<I2cInterface<I>, MagOneShot>,
        delay: D,
        scale: AccelScale,
    }

    impl<I: I2c, D: DelayNs> Lsm303agrSensor<I, D> {
        /// On this bus, with this full scale: ±4 g for what a hand does, ±16 g for a racket.
        pub fn new(i2c: I, delay: D, scale: AccelScale) -> Self {
            Self { driver: Lsm303agr::new_with_i2c(i2c), delay, scale }
        }
    }

    impl<I: I2c, D: DelayNs> Sensor<3> for Lsm303agrSensor<I, D> {
        fn start(&mut self) -> Result<(), SensorError> {
            if !self.driver.accelerometer_id().map_err(of_driver)?.is_correct() {
                return Err(SensorError::WrongDevice);
            }
            self.driver.init().map_err(of_driver)?;
            self.driver.set_accel_scale(self.scale).map_err(of_driver)?;
            let (mode, rate) = (AccelMode::HighResolution, AccelOutputDataRate::Hz100);
            self.driver.set_accel_mode_and_odr(&mut self.delay, mode, rate).map_err(of_driver)
        }

        fn read(&mut self) -> Result<[f32; 3], SensorError> {
            let (x, y, z) = self.driver.acceleration().map_err(of_driver)?.xyz_mg();
            Ok([x, y, z].map(|milli_g| milli_g as f32 * (STANDARD_GRAVITY / 1000.0)))
        }
    }

    fn of_driver<E: embedded_hal::i2c::Error>(error: Error<E>) -> SensorError {
        match error {
            Error::Comm(error) => SensorError::of_i2c(&error),
            _ => SensorError::Bus,
        }
    }

    impl<I, D> core::fmt::Debug for Lsm303agrSensor<I, D> {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.debug_struct("Lsm303agrSensor").field("scale", &self.scale).finish_non_exhaustive()
        }
    }
}

#[cfg(feature = "mpu6050")]
pub use invensense::{AccelFullScale, Mpu6050Sensor};

#[cfg(feature = "mpu6050")]
mod invensense {
    use super::{DelayNs, I2c, STANDARD_GRAVITY, Sensor, SensorError};
    pub use mpu6050_dmp::accel::AccelFullScale;
    use mpu6050_dmp::address::Address;
    use mpu6050_dmp::config::DigitalLowPassFilter;
    use mpu6050_dmp::error::Error;
    use mpu6050_dmp::gyro::GyroFullScale;
    use mpu6050_dmp::sensor::Mpu6050;

    /// Where the sensor says who it is; the driver does not ask.
    const WHO_AM_I: u8 = 0x75;
    const IDENTITY: u8 = 0x68;

    /// An MPU-6050: acceleration along x, y and z in m/s², then rotation about x, y and z in rad/s. 100 measurements a second, ±4 g or
    /// what was asked for, ±2000 degrees a second, low-pass filter at 44 Hz.
    pub struct Mpu6050Sensor<I: I2c, D> {
        /// The driver once it has begun; the bus before.
        bus: Option<Bus<I>>,
        delay: D,
        address: Address,
        scale: AccelFullScale,
    }

    enum Bus<I: I2c> {
        Idle(I),
        Driver(Mpu6050<I>),
    }

    impl<I: I2c, D: DelayNs> Mpu6050Sensor<I, D> {
        /// On this bus, at address 0x68 or, if `address_pin_high`, 0x69.
        pub fn new(i2c: I, delay: D, address_pin_high: bool, scale: AccelFullScale) -> Self {
            let address = Address(0x68 | u8::from(address_pin_high));
            Self { bus: Some(Bus::Idle(i2c)), delay, address, scale }
        }
    }

    impl<I: I2c, D: DelayNs> Sensor<6> for Mpu6050Sensor<I, D> {
        fn start(&mut self) -> Result<(), SensorError> {
            let mut i2c = match self.bus.take() {
                Some(Bus::Idle(i2c)) => i2c,
                Some(Bus::Driver(driver)) => driver.release(),
                None => return Err(SensorError::Bus),
            };
            let mut identity = [0];
            let asked = i2c.write_read(self.address.0, &[WHO_AM_I], &mut identity);
            if asked.is_err() || identity != [IDENTITY] {
                self.bus = Some(Bus::Idle(i2c));
                asked.map_err(|error| SensorError::of_i2c(&error))?;
                return Err(SensorError::WrongDevice);
            }
            let mut driver = match Mpu6050::new(i2c, Address(self.address.0)) {
                Ok(driver) => driver,
                Err(failed) => {
                    self.bus = Some(Bus::Idle(failed.i2c));
                    return Err(of_driver(&failed.error));
                }
            };
            let set_up = set_up(&mut driver, &mut self.delay, self.scale);
            self.bus = Some(Bus::Driver(driver));
            set_up.map_err(|error| of_driver(&error))
        }

        fn read(&mut self) -> Result<[f32; 6], SensorError> {
            let Some(Bus::Driver(driver)) = &mut self.bus else { return Err(SensorError::NoAnswer) };
            let (acceleration, rotation) = driver.motion6().map_err(|error| of_driver(&error))?;
            let g = STANDARD_GRAVITY / self.scale.scale();
            let radian = core::f32::consts::PI / 180.0 / GyroFullScale::Deg2000.scale();
            Ok([
                f32::from(acceleration.x()) * g,
                f32::from(acceleration.y()) * g,
                f32::from(acceleration.z()) * g,
                f32::from(rotation.x()) * radian,
                f32::from(rotation.y()) * radian,
                f32::from(rotation.z()) * radian,
            ])
        }
    }

    fn set_up<I: I2c>(
        driver: &mut Mpu6050<I>,
        delay: &mut impl DelayNs,
        scale: AccelFullScale,
    ) -> Result<(), Error<I>> {
        // The driver only sets bits of the scales, and a reset clears them.
        driver.reset(delay)?;
        driver.disable_sleep()?;
        driver.set_digital_lowpass_filter(DigitalLowPassFilter::Filter3)?;
        driver.set_sample_rate_divider(9)?;
        driver.set_accel_full_scale(scale)?;
        driver.set_gyro_full_scale(GyroFullScale::Deg2000)
    }

    fn of_driver<I: I2c>(error: &Error<I>) -> SensorError {
        match error {
            Error::WriteError(error) | Error::WriteReadError(error) => SensorError::of_i2c(error),
            Error::WrongDevice => SensorError::WrongDevice,
        }
    }

    impl<I: I2c, D> core::fmt::Debug for Mpu6050Sensor<I, D> {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.debug_struct("Mpu6050Sensor").field("scale", &self.scale).finish_non_exhaustive()
        }
    }
}

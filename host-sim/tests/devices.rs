//! The published drivers against the simulated sensors, as they are.

use std::time::Duration;

use accelerometer::{Accelerometer, RawAccelerometer};
use backpass_sim::devices::{Bus, Clock, Fault, Mpu6050, Playback, STANDARD_GRAVITY, StAccelerometer};
use embedded_hal::i2c::{Error, ErrorKind, I2c, NoAcknowledgeSource};
use lis3dh::{Lis3dh, SlaveAddr};
use lsm303agr::{AccelMode, AccelOutputDataRate, AccelScale, Lsm303agr};
use mpu6050_dmp::accel::AccelFullScale;
use mpu6050_dmp::address::Address;
use mpu6050_dmp::gyro::GyroFullScale;

const G: f32 = STANDARD_GRAVITY;

fn close(a: f32, b: f32, tolerance: f32) {
    assert!((a - b).abs() <= tolerance, "{a} is not {b}");
}

#[test]
fn lsm303agr_measures_in_every_mode_and_scale() {
    let clock = Clock::new();
    let bus = Bus::new(StAccelerometer::lsm303agr(clock.clone(), |_| [0.5 * G, -0.25 * G, G, 0.0, 0.0, 0.0]));
    let mut driver = Lsm303agr::new_with_i2c(bus);
    assert!(driver.accelerometer_id().unwrap().is_correct() && driver.magnetometer_id().unwrap().is_correct());
    driver.init().unwrap();
    for scale in [AccelScale::G2, AccelScale::G4, AccelScale::G8, AccelScale::G16] {
        for mode in [AccelMode::LowPower, AccelMode::Normal, AccelMode::HighResolution] {
            driver.set_accel_scale(scale).unwrap();
            driver.set_accel_mode_and_odr(&mut clock.clone(), mode, AccelOutputDataRate::Hz100).unwrap();
            let (x, y, z) = driver.acceleration().unwrap().xyz_mg();
            // The driver takes round digits: 1, 2, 4 and 8 milli-g with 12 bits. The chip's are 0.98, 1.95, 3.9 and 11.72.
            let share = if scale == AccelScale::G16 { 8.0 / 11.72 } else { 1.0 / 0.977 };
            let digit = scale as i32
                * match mode {
                    AccelMode::LowPower => 8,
                    AccelMode::Normal => 2,
                    _ => 1,
                };
            for (measured, real) in [(x, 500), (y, -250), (z, 1000)] {
                let expected = (f64::from(real) * share) as i32;
                // The chip's digits differ a little from mode to mode: 0.98, 3.9 and 15.63 milli-g.
                let tolerance = digit + expected.abs() / 150;
                assert!((measured - expected).abs() <= tolerance, "{mode:?} {scale:?}: {measured}");
            }
        }
    }
}

#[test]
fn lsm303agr_saturates_at_its_scale() {
    let clock = Clock::new();
    let bus = Bus::new(StAccelerometer::lsm303agr(clock.clone(), |_| [5.0 * G, -5.0 * G, 0.0, 0.0, 0.0, 0.0]));
    let mut driver = Lsm303agr::new_with_i2c(bus);
    driver.init().unwrap();
    driver.set_accel_mode_and_odr(&mut clock.clone(), AccelMode::HighResolution, AccelOutputDataRate::Hz100).unwrap();
    assert_eq!(driver.acceleration().unwrap().xyz_unscaled(), (2047, -2048, 0));
}

#[test]
fn lsm303agr_has_new_data_at_its_rate() {
    let (clock, motion) = (Clock::new(), Playback::new(10.0));
    motion.extend((0..20).map(|i| [i as f32 * 0.05 * G, 0.0, 0.0, 0.0, 0.0, 0.0]));
    let bus = Bus::new(StAccelerometer::lsm303agr(clock.clone(), motion));
    let mut driver = Lsm303agr::new_with_i2c(bus);
    driver.init().unwrap();
    let mut delay = clock.clone();
    driver.set_accel_mode_and_odr(&mut delay, AccelMode::Normal, AccelOutputDataRate::Hz10).unwrap();
    driver.acceleration().unwrap();
    assert!(!driver.accel_status().unwrap().xyz_new_data(), "it was read");
    clock.advance(Duration::from_millis(100));
    let status = driver.accel_status().unwrap();
    assert!(status.xyz_new_data() && !status.xyz_overrun());
    clock.advance(Duration::from_millis(100));
    assert!(driver.accel_status().unwrap().xyz_overrun(), "one was not read in time");
    let before = driver.acceleration().unwrap();
    clock.advance(Duration::from_millis(100));
    assert!(driver.acceleration().unwrap().x_mg() > before.x_mg());
}

#[test]
fn lis3dh_measures_through_its_driver() {
    let clock = Clock::new();
    let bus = Bus::new(StAccelerometer::lis3dh(false, clock, |_| [0.5 * G, 0.0, -G, 0.0, 0.0, 0.0]));
    assert!(Lis3dh::new_i2c(bus.clone(), SlaveAddr::Alternate).is_err(), "nobody is at the other address");
    let mut driver = Lis3dh::new_i2c(bus, SlaveAddr::Default).unwrap();
    assert_eq!(driver.get_device_id().unwrap(), 0x33);
    for range in [lis3dh::Range::G2, lis3dh::Range::G4, lis3dh::Range::G8] {
        driver.set_range(range).unwrap();
        let measured = driver.accel_norm().unwrap();
        close(measured.x, 0.5, 0.02);
        close(measured.z, -1.0, 0.02);
    }
    assert!(driver.accel_raw().unwrap().x > 0);
}

#[test]
fn mpu6050_measures_both_in_every_scale() {
    for (acceleration, g) in
        [(AccelFullScale::G2, 2), (AccelFullScale::G4, 4), (AccelFullScale::G8, 8), (AccelFullScale::G16, 16)]
    {
        for rotation in [GyroFullScale::Deg250, GyroFullScale::Deg2000] {
            let clock = Clock::new();
            let bus = Bus::new(Mpu6050::new(true, clock.clone(), |_| [G, -0.5 * G, 0.0, 1.0, -2.0, 0.0]));
            let mut driver = mpu6050_dmp::sensor::Mpu6050::new(bus, Address(0x69)).unwrap();
            driver.reset(&mut clock.clone()).unwrap();
            driver.disable_sleep().unwrap();
            driver.set_accel_full_scale(acceleration).unwrap();
            driver.set_gyro_full_scale(rotation).unwrap();
            let (a, r) = driver.motion6().unwrap();
            assert_eq!((a.x(), a.y(), a.z()), ((32768 / i32::from(g)) as i16, -16384 / g, 0), "{acceleration:?}");
            close(f32::from(r.x()) / rotation.scale(), 57.29578, 0.2);
            close(f32::from(r.y()) / rotation.scale(), -114.59156, 0.2);
            close(driver.temperature().unwrap().celsius(), 25.0, 0.1);
        }
    }
}

#[test]
fn mpu6050_sleeps_until_it_is_woken() {
    let clock = Clock::new();
    let mut bus = Bus::new(Mpu6050::new(false, clock, |_| [G; 6]));
    let mut data = [0xff; 6];
    bus.write_read(0x68, &[0x3B], &mut data).unwrap();
    assert_eq!(data, [0; 6]);
    bus.write(0x68, &[0x6B, 0]).unwrap();
    bus.write_read(0x68, &[0x3B], &mut data).unwrap();
    assert_eq!(data, [0x40, 0, 0x40, 0, 0x40, 0]);
}

#[test]
fn every_fault_of_the_bus_can_be_had() {
    let (clock, motion) = (Clock::new(), Playback::new(100.0));
    motion.extend((0..100).map(|i| [i as f32 * 0.1, 0.0, 0.0, 0.0, 0.0, 0.0]));
    let mut bus = Bus::new(StAccelerometer::lsm303agr(clock.clone(), motion));
    let read = |bus: &mut Bus| {
        let mut data = [0xAA; 2];
        clock.advance(Duration::from_millis(50));
        bus.write_read(0x19, &[0x28 | 0x80], &mut data).map(|()| data)
    };
    bus.write(0x19, &[0x20, 0x57]).unwrap();
    let no_address = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
    assert_eq!(bus.write(0x42, &[0]).unwrap_err().kind(), no_address, "nobody is at this address");
    let first = read(&mut bus).unwrap();
    assert_ne!(read(&mut bus).unwrap(), first);
    for (fault, kind) in [
        (Fault::NoAcknowledge, no_address),
        (Fault::BusError, ErrorKind::Bus),
        (Fault::ArbitrationLoss, ErrorKind::ArbitrationLoss),
    ] {
        bus.set_fault(fault);
        assert_eq!(read(&mut bus).unwrap_err().kind(), kind);
    }
    bus.set_fault(Fault::HeldLow);
    assert_eq!(read(&mut bus), Ok([0, 0]));
    bus.set_fault(Fault::None);
    let last = read(&mut bus).unwrap();
    bus.set_fault(Fault::StuckData);
    assert_eq!([read(&mut bus), read(&mut bus)], [Ok(last); 2]);
    bus.set_fault(Fault::None);
    assert_ne!(read(&mut bus).unwrap(), last);
    bus.set_fault_after(2, Fault::BusError);
    assert!(read(&mut bus).is_ok() && read(&mut bus).is_ok() && read(&mut bus).is_err());
}

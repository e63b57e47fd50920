//! The parts of a Raspberry Pi Pico with an MPU-6050, two buttons and four LEDs: pins, clocks, watchdog, and flash for checkpoints.

#![no_std]

use backpass_app::boards::Board;
use backpass_app::device::rom_flash::RomFlash;
use backpass_app::device::sensors::{AccelFullScale, Mpu6050Sensor};
use backpass_app::device::{Clock, Display, Leds, Parts, Sensor};
use backpass_app::stream::{BAUD, NbLine};
use defmt_rtt as _;
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::InputPin;
use embedded_storage::nor_flash::NorFlash;
use panic_probe as _;
use portable_atomic as _;
use rp2040_hal::clocks::init_clocks_and_plls;
use rp2040_hal::fugit::{ExtU32, RateExtU32};
use rp2040_hal::gpio::Pins;
use rp2040_hal::uart::{DataBits, Enabled, StopBits, UartConfig, UartPeripheral};
use rp2040_hal::{Clock as _, I2C, Sio, Timer, Watchdog, pac};

mod flash;
pub mod pins;

/// The second stage of the bootloader: sets the flash chip up for fast reading.
#[unsafe(link_section = ".boot2")]
#[unsafe(no_mangle)]
#[used]
static BOOT2: [u8; 256] = rp2040_boot2::BOOT_LOADER_W25Q080;

/// Hertz of the board's crystal.
const CRYSTAL: u32 = 12_000_000;
/// Seconds without a step after which the board is reset; it then goes on from its checkpoint.
const PATIENCE: u32 = 8;
/// Where the chip is read.
const FLASH: usize = 0x1000_0000;

unsafe extern "C" {
    /// The flash for checkpoints, from the linker script.
    static _checkpoints_start: u8;
    static _checkpoints_end: u8;
}

/// The time since the board was switched on.
struct Time(Timer);

impl Clock for Time {
    fn microseconds(&mut self) -> u64 {
        self.0.get_counter().ticks()
    }
}

/// The serial line. The HAL implements an older `embedded-io`. The port holds 32 bytes that were not looked at yet.
pub type Line = NbLine<UartPeripheral<Enabled, pac::UART0, (pins::Tx, pins::Rx)>>;

/// The board, ready for an application. To be called once.
pub fn start() -> Board<
    Parts<impl Sensor<6>, impl InputPin, impl InputPin, impl Display, impl Clock, impl DelayNs>,
    impl FnOnce() -> Line,
    impl NorFlash,
    impl FnMut(),
> {
    let mut board = defmt::unwrap!(pac::Peripherals::take(), "the board is taken already");
    let mut watchdog = Watchdog::new(board.WATCHDOG);
    let clocks = init_clocks_and_plls(
        CRYSTAL,
        board.XOSC,
        board.CLOCKS,
        board.PLL_SYS,
        board.PLL_USB,
        &mut board.RESETS,
        &mut watchdog,
    );
    let Ok(clocks) = clocks else { defmt::panic!("the clocks cannot be set up") };
    let timer = Timer::new(board.TIMER, &mut board.RESETS, &clocks);

    let bank = Sio::new(board.SIO).gpio_bank0;
    let pins = Pins::new(board.IO_BANK0, board.PADS_BANK0, bank, &mut board.RESETS);
    let (sda, scl): (pins::Sda, pins::Scl) = (pins.gpio4.reconfigure(), pins.gpio5.reconfigure());
    let clock = clocks.system_clock.freq();
    let i2c = I2C::i2c0(board.I2C0, sda, scl, 400.kHz(), &mut board.RESETS, clock);
    let (tx, rx): (pins::Tx, pins::Rx) = (pins.gpio0.reconfigure(), pins.gpio1.reconfigure());
    let peripheral_clock = clocks.peripheral_clock.freq();
    let mut resets = board.RESETS;
    let button_a: pins::ButtonA = pins.gpio14.reconfigure();
    let button_b: pins::ButtonB = pins.gpio15.reconfigure();
    let class_1: pins::Class1 = pins.gpio10.reconfigure();
    let class_2: pins::Class2 = pins.gpio11.reconfigure();
    let class_3: pins::Class3 = pins.gpio12.reconfigure();
    let class_4: pins::Class4 = pins.gpio13.reconfigure();
    let fault: pins::Fault = pins.gpio25.reconfigure();
    let classes = [class_1.into_dyn_pin(), class_2.into_dyn_pin(), class_3.into_dyn_pin(), class_4.into_dyn_pin()];

    watchdog.pause_on_debug(true);
    watchdog.start(PATIENCE.secs());
    let offset = |address: usize| (address - FLASH) as u32;
    Board {
        parts: Parts {
            sensor: Mpu6050Sensor::new(i2c, timer, false, AccelFullScale::G4),
            button_a,
            button_b,
            display: Leds { classes, fault },
            clock: Time(timer),
            delay: timer,
        },
        line: move || {
            let config = UartConfig::new(BAUD.Hz(), DataBits::Eight, None, StopBits::One);
            let uart = UartPeripheral::new(board.UART0, (tx, rx), &mut resets).enable(config, peripheral_clock);
            let Ok(uart) = uart else { defmt::panic!("the serial line cannot be set up") };
            NbLine::new(uart)
        },
        // SAFETY: this is called once, checkpoints lie behind the program, and nothing starts the second core.
        flash: RomFlash(unsafe { flash::Chip::new() }),
        checkpoints: offset((&raw const _checkpoints_start).addr())..offset((&raw const _checkpoints_end).addr()),
        alive: move || watchdog.feed(),
    }
}

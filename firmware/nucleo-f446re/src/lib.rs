//! The parts of a Nucleo-F446RE with an MPU-6050, a button and four LEDs: pins, clocks, watchdog, and flash for checkpoints.

#![no_std]

use backpass_app::boards::Board;
use backpass_app::device::sensors::{AccelFullScale, Mpu6050Sensor};
use backpass_app::device::{Clock, Display, Leds, Parts, Sensor, ShortCounter};
use backpass_app::stream::{BAUD, NbLine};
use defmt_rtt as _;
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::InputPin;
use embedded_storage::nor_flash::NorFlash;
use panic_probe as _;
use static_cell::StaticCell;
use stm32f4xx_hal::flash::FlashExt;
use stm32f4xx_hal::i2c::{I2c, Mode};
use stm32f4xx_hal::pac;
use stm32f4xx_hal::prelude::*;
use stm32f4xx_hal::rcc::Config;
use stm32f4xx_hal::serial::{Config as SerialConfig, Serial};
use stm32f4xx_hal::watchdog::IndependentWatchdog;

pub mod pins;

/// Seconds without a step after which the board is reset; it then goes on from its checkpoint. An erase takes up to 4 of them.
const PATIENCE: u32 = 20;
/// Where flash begins.
const FLASH: usize = 0x0800_0000;

unsafe extern "C" {
    /// The flash for checkpoints, from the linker script.
    static _checkpoints_start: u8;
    static _checkpoints_end: u8;
}

/// The flash's registers, which the unlocked flash borrows.
static REGISTERS: StaticCell<pac::FLASH> = StaticCell::new();

/// The serial line. The HAL implements an older `embedded-io`, and that in part. The port holds one byte that was not looked at yet.
pub type Line = NbLine<Serial<pac::USART2>>;

/// The board, ready for an application. To be called once.
pub fn start() -> Board<
    Parts<impl Sensor<6>, impl InputPin, impl InputPin, impl Display, impl Clock, impl DelayNs>,
    impl FnOnce() -> Line,
    impl NorFlash,
    impl FnMut(),
> {
    let board = defmt::unwrap!(pac::Peripherals::take(), "the board is taken already");
    let core = defmt::unwrap!(cortex_m::Peripherals::take(), "the core is taken already");
    // The debugger on the board gives 8 MHz.
    let mut rcc = board.RCC.freeze(Config::hse(8.MHz()).bypass_hse_oscillator().sysclk(180.MHz()));
    let a = board.GPIOA.split(&mut rcc);
    let b = board.GPIOB.split(&mut rcc);
    let c = board.GPIOC.split(&mut rcc);

    let (scl, sda): (pins::Scl, pins::Sda) = (b.pb8, b.pb9);
    let i2c = I2c::new(board.I2C1, (scl, sda), Mode::standard(100.kHz()), &mut rcc);
    let (tx, rx): (pins::Tx, pins::Rx) = (a.pa2, a.pa3);
    let button_a: pins::ButtonA = c.pc13;
    let button_b: pins::ButtonB = a.pa10.into_pull_up_input();
    let class_1: pins::Class1 = b.pb5.into_push_pull_output();
    let class_2: pins::Class2 = b.pb10.into_push_pull_output();
    let class_3: pins::Class3 = a.pa8.into_push_pull_output();
    let class_4: pins::Class4 = a.pa9.into_push_pull_output();
    let fault: pins::Fault = a.pa5.into_push_pull_output();
    let classes = [class_1.erase(), class_2.erase(), class_3.erase(), class_4.erase()];

    let mut counter = board.TIM2.counter_us(&mut rcc);
    if counter.start(u32::MAX.micros()).is_err() {
        defmt::panic!("the counter cannot be set up");
    }
    let set_up = board.TIM5.delay_us(&mut rcc);
    let mut watchdog = IndependentWatchdog::new(board.IWDG);
    watchdog.stop_on_debug(&board.DBGMCU, true);
    watchdog.start(PATIENCE.secs());
    let offset = |address: usize| (address - FLASH) as u32;
    Board {
        parts: Parts {
            sensor: Mpu6050Sensor::new(i2c, set_up, false, AccelFullScale::G4),
            button_a,
            button_b,
            display: Leds { classes, fault },
            clock: ShortCounter::new(move || counter.now().ticks()),
            delay: core.SYST.delay(&rcc.clocks),
        },
        line: move || {
            let config = SerialConfig::default().baudrate(BAUD.bps());
            let Ok(port) = Serial::new(board.USART2, (tx, rx), config, &mut rcc) else {
                defmt::panic!("the serial line cannot be set up")
            };
            NbLine::new(port)
        },
        // Never locked again: the range of the checkpoints is all that is written.
        flash: REGISTERS.init(board.FLASH).unlocked(),
        checkpoints: offset((&raw const _checkpoints_start).addr())..offset((&raw const _checkpoints_end).addr()),
        alive: move || watchdog.feed(),
    }
}

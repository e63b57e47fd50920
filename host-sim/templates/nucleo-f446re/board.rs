//! An ST Nucleo-F446RE: clock, watchdog, flash for checkpoints, and the serial port that its USB debugger shows to the computer.

use core::fmt::Arguments;

use backpass::checkpoint::Store;
use backpass_app::stream::{BAUD, NbLine};
pub use cortex_m_rt::entry;
use defmt_rtt as _;
use embedded_io::{Read, ReadReady, Write};
use embedded_storage::nor_flash::NorFlash;
use panic_probe as _;
use static_cell::StaticCell;
use stm32f4xx_hal::flash::FlashExt;
use stm32f4xx_hal::pac;
use stm32f4xx_hal::prelude::*;
use stm32f4xx_hal::rcc::Config;
use stm32f4xx_hal::serial::{Config as SerialConfig, Serial};
use stm32f4xx_hal::watchdog::IndependentWatchdog;

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

{{board_type}}
/// Says something on the log.
pub fn log(words: Arguments<'_>) {
    defmt::info!("{}", defmt::Display2Format(&words));
}

/// The board. To be called once.
pub fn start() -> Board<impl Read + Write + ReadReady, impl NorFlash, impl FnMut()> {
    let board = defmt::unwrap!(pac::Peripherals::take(), "the board is taken already");
    // The debugger on the board gives 8 MHz.
    let mut rcc = board.RCC.freeze(Config::hse(8.MHz()).bypass_hse_oscillator().sysclk(180.MHz()));
    let pins = board.GPIOA.split(&mut rcc);
    // To the debugger, and from it.
    let settings = SerialConfig::default().baudrate(BAUD.bps());
    let Ok(uart) = Serial::<_, u8>::new(board.USART2, (pins.pa2, pins.pa3), settings, &mut rcc) else {
        defmt::panic!("the serial port cannot be set up")
    };

    let offset = |address: usize| (address - FLASH) as u32;
    let range = offset((&raw const _checkpoints_start).addr())..offset((&raw const _checkpoints_end).addr());
    // Never locked again: the range of the checkpoints is all that is written.
    let Ok(store) = Store::new(REGISTERS.init(board.FLASH).unlocked(), range) else {
        defmt::panic!("the checkpoints' range does not fit the flash")
    };
    let mut watchdog = IndependentWatchdog::new(board.IWDG);
    watchdog.stop_on_debug(&board.DBGMCU, true);
    watchdog.start(PATIENCE.secs());
    Board { line: NbLine::new(uart), store, alive: move || watchdog.feed() }
}

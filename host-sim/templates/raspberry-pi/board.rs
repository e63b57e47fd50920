//! {{chip_title}}: clock, watchdog, flash for checkpoints, and a serial port at GP0 (to the computer) and GP1 (from it).

use core::fmt::Arguments;

use backpass::checkpoint::Store;
use backpass_app::device::rom_flash::RomFlash;
use backpass_app::stream::{BAUD, NbLine};
use defmt_rtt as _;
use embedded_io::{Read, ReadReady, Write};
use embedded_storage::nor_flash::NorFlash;
use panic_probe as _;
{{chip_import}}use {{hal}}::clocks::init_clocks_and_plls;
pub use {{hal}}::entry;
use {{hal}}::fugit::{ExtU32, RateExtU32};
use {{hal}}::gpio::{FunctionUart, Pins, PullNone, PullUp};
use {{hal}}::uart::{DataBits, StopBits, UartConfig, UartPeripheral};
use {{hal}}::{Clock as _, Sio, Watchdog, pac};

use crate::flash;

{{chip_start}}
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

{{board_type}}
/// Says something on the log.
pub fn log(words: Arguments<'_>) {
    defmt::info!("{}", defmt::Display2Format(&words));
}

/// The board. To be called once.
pub fn start() -> Board<impl Read + Write + ReadReady, impl NorFlash, impl FnMut()> {
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
    let bank = Sio::new(board.SIO).gpio_bank0;
    let pins = Pins::new(board.IO_BANK0, board.PADS_BANK0, bank, &mut board.RESETS);
    // A line that is not connected is high.
    let pins = (pins.gpio0.reconfigure::<FunctionUart, PullNone>(), pins.gpio1.reconfigure::<FunctionUart, PullUp>());
    let settings = UartConfig::new(BAUD.Hz(), DataBits::Eight, None, StopBits::One);
    let uart = UartPeripheral::new(board.UART0, pins, &mut board.RESETS);
    let Ok(uart) = uart.enable(settings, clocks.peripheral_clock.freq()) else {
        defmt::panic!("the serial port cannot be set up")
    };

    let offset = |address: usize| (address - FLASH) as u32;
    let range = offset((&raw const _checkpoints_start).addr())..offset((&raw const _checkpoints_end).addr());
    // SAFETY: this is called once, checkpoints lie behind the program, and nothing starts the second core.
    let Ok(store) = Store::new(RomFlash(unsafe { flash::Chip::new() }), range) else {
        defmt::panic!("the checkpoints' range does not fit the flash")
    };
    watchdog.pause_on_debug(true);
    watchdog.start(PATIENCE.secs());
    Board { line: NbLine::new(uart), store, alive: move || watchdog.feed() }
}

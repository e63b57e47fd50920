//! A BBC micro:bit v2: clock, watchdog, flash for checkpoints, and the serial port that its USB debugger shows to the computer.

use core::convert::Infallible;
use core::fmt::Arguments;
use core::slice;

use backpass::checkpoint::Store;
use backpass_app::stream::NbLine;
pub use cortex_m_rt::entry;
use defmt_rtt as _;
use embedded_hal_nb::{nb, serial};
use embedded_io::{Read, ReadReady, Write};
use embedded_storage::nor_flash::NorFlash;
use microbit::hal::clocks::Clocks;
use microbit::hal::gpio::{Level, p0, p1};
use microbit::hal::nvmc::Nvmc;
use microbit::hal::wdt::{self, Watchdog, count};
use microbit::pac;
use panic_probe as _;

/// Seconds without a step after which the board is reset; it then goes on from its checkpoint.
const PATIENCE: u32 = 8;
/// 115,200 bits a second (nRF52833 product specification, UART, BAUDRATE).
const BAUD_RATE: u32 = 0x01d7_e000;

unsafe extern "C" {
    /// The flash for checkpoints, from the linker script.
    static mut _checkpoints_start: u8;
    static _checkpoints_end: u8;
}

{{board_type}}
/// Says something on the log.
pub fn log(words: Arguments<'_>) {
    defmt::info!("{}", defmt::Display2Format(&words));
}

/// The board. To be called once.
pub fn start() -> Board<impl Read + Write + ReadReady, impl NorFlash, impl FnMut()> {
    let board = defmt::unwrap!(pac::Peripherals::take(), "the board is taken already");
    Clocks::new(board.CLOCK).enable_ext_hfosc();
    // Without the cache, the core waits for flash most of the time.
    board.NVMC.icachecnf.write(|cache| cache.cacheen().enabled());

    let (p0, p1) = (p0::Parts::new(board.P0), p1::Parts::new(board.P1));
    // To the debugger, and from it.
    let send = p0.p0_06.into_push_pull_output(Level::High).degrade();
    let receive = p1.p1_08.into_floating_input().degrade();
    let port = board.UART0;
    // SAFETY: these are the numbers of the two pins; the rate is one of the specification's.
    unsafe {
        port.psel.txd.write(|pin| pin.bits(send.psel_bits()));
        port.psel.rxd.write(|pin| pin.bits(receive.psel_bits()));
        port.baudrate.write(|rate| rate.bits(BAUD_RATE));
    }
    port.enable.write(|enable| enable.enable().enabled());
    // SAFETY: a task is started by writing 1.
    unsafe {
        port.tasks_startrx.write(|task| task.bits(1));
        port.tasks_starttx.write(|task| task.bits(1));
    }

    let start = &raw mut _checkpoints_start;
    let size = (&raw const _checkpoints_end).addr() - start.addr();
    // SAFETY: the linker script keeps this part of flash for checkpoints: nothing else is there, and this is called once.
    let storage = unsafe { slice::from_raw_parts_mut(start, size) };
    let Ok(store) = Store::new(Nvmc::new(board.NVMC, storage), 0..size as u32) else {
        defmt::panic!("the checkpoints' range does not fit the flash")
    };
    Board { line: NbLine::new(Uart { port, is_sending: false }), store, alive: watchdog(board.WDT) }
}

/// The UART without DMA: it keeps up to six bytes until they are read.
struct Uart {
    port: pac::UART0,
    /// A byte is on its way, and the event that it has left is to come.
    is_sending: bool,
}

impl serial::ErrorType for Uart {
    type Error = Infallible;
}

impl serial::Read for Uart {
    fn read(&mut self) -> nb::Result<u8, Infallible> {
        if self.port.events_rxdrdy.read().bits() == 0 {
            return Err(nb::Error::WouldBlock);
        }
        // Reading announces the next byte, if there is one.
        self.port.events_rxdrdy.reset();
        Ok(self.port.rxd.read().rxd().bits())
    }
}

impl serial::Write for Uart {
    fn write(&mut self, byte: u8) -> nb::Result<(), Infallible> {
        self.flush()?;
        self.port.events_txdrdy.reset();
        // SAFETY: any byte can be sent.
        self.port.txd.write(|data| unsafe { data.txd().bits(byte) });
        self.is_sending = true;
        Ok(())
    }

    fn flush(&mut self) -> nb::Result<(), Infallible> {
        if self.is_sending && self.port.events_txdrdy.read().bits() == 0 {
            return Err(nb::Error::WouldBlock);
        }
        self.is_sending = false;
        Ok(())
    }
}

/// Starts the watchdog, unless it has been running since before a reset. It rests while a debugger has halted the core.
fn watchdog(watchdog: pac::WDT) -> impl FnMut() {
    let started = match Watchdog::try_new(watchdog) {
        Ok(mut watchdog) => {
            watchdog.set_lfosc_ticks(PATIENCE * 32_768);
            watchdog.run_during_debug_halt(false);
            Some(watchdog.activate::<count::One>())
        }
        Err(running) => Watchdog::try_recover::<count::One>(running).ok(),
    };
    let mut handle = started.map(|wdt::Parts { handles, .. }| handles);
    move || {
        if let Some((handle,)) = &mut handle {
            handle.pet();
        }
    }
}

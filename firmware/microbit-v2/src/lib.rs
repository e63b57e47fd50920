//! The parts of a BBC micro:bit v2: pins, clocks, watchdog, and flash for checkpoints.

#![no_std]

use core::slice;

use backpass_app::boards::Board;
use backpass_app::device::sensors::{AccelScale, Lsm303agrSensor};
use backpass_app::device::{Clock, Display, Matrix, Parts, Sensor, ShortCounter};
use defmt_rtt as _;
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::InputPin;
use embedded_io::{ErrorType, Read, ReadReady, Write};
use embedded_storage::nor_flash::NorFlash;
use microbit::board::{Buttons, I2CInternalPins};
use microbit::gpio::{DisplayPins, UART_RX, UART_TX};
use microbit::hal::clocks::Clocks;
use microbit::hal::delay::Delay;
use microbit::hal::nvmc::Nvmc;
use microbit::hal::uarte::{self, Baudrate, Parity, Uarte, UarteRx, UarteTx};
use microbit::hal::wdt::{self, Watchdog, count};
use microbit::hal::{Timer, twim};
use microbit::pac::twim0::frequency::FREQUENCY_A;
use microbit::pac::{UARTE0, WDT};
use panic_probe as _;
use static_cell::ConstStaticCell;

pub mod pins;

/// Seconds without a step after which the board is reset; it then goes on from its checkpoint.
const PATIENCE: u32 = 8;

unsafe extern "C" {
    /// The flash for checkpoints, from the linker script.
    static mut _checkpoints_start: u8;
    static _checkpoints_end: u8;
}

/// The serial line: both halves of the port. It holds some bytes that were not looked at yet.
pub struct Line {
    tx: UarteTx<UARTE0>,
    rx: UarteRx<UARTE0>,
}

impl ErrorType for Line {
    type Error = uarte::Error;
}

impl ReadReady for Line {
    fn read_ready(&mut self) -> Result<bool, uarte::Error> {
        self.rx.read_ready()
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, uarte::Error> {
        self.rx.read(buffer)
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, uarte::Error> {
        self.tx.write(bytes)
    }

    fn flush(&mut self) -> Result<(), uarte::Error> {
        self.tx.flush()
    }
}

/// The buffer of the sender. The HAL's `write` panics where it does not fill the buffer, so it is of one byte.
static SENT: ConstStaticCell<[u8; 1]> = ConstStaticCell::new([0]);
/// The buffer of the receiver.
static RECEIVED: ConstStaticCell<[u8; 1]> = ConstStaticCell::new([0]);

// The pins that the crate connects.
const _: fn(pins::Tx, pins::Rx) -> (UART_TX, UART_RX) = |tx, rx| (tx, rx);

/// The board, ready for an application. To be called once.
pub fn start() -> Board<
    Parts<impl Sensor<3>, impl InputPin, impl InputPin, impl Display, impl Clock, impl DelayNs>,
    impl FnOnce() -> Line,
    impl NorFlash,
    impl FnMut(),
> {
    let board = defmt::unwrap!(microbit::Board::take(), "the board is taken already");
    Clocks::new(board.CLOCK).enable_ext_hfosc();
    // Without the cache, the core waits for flash most of the time.
    board.NVMC.icachecnf.write(|cache| cache.cacheen().enabled());

    let I2CInternalPins { scl, sda } = board.i2c_internal;
    let (scl, sda): (pins::Scl, pins::Sda) = (scl, sda);
    let bus = twim::Pins { scl: scl.degrade(), sda: sda.degrade() };
    let i2c = twim::Twim::new(board.TWIM0, bus, FREQUENCY_A::K100);
    let sensor = Lsm303agrSensor::new(i2c, Timer::new(board.TIMER0), AccelScale::G4);

    let Buttons { button_a, button_b } = board.buttons;
    let (button_a, button_b): (pins::ButtonA, pins::ButtonB) = (button_a, button_b);

    let mut counter = Timer::periodic(board.TIMER1);
    // All of its 32 bits.
    counter.start(u32::MAX);
    let DisplayPins { row1, row2, row3, row4, row5, col1, col2, col3, col4, col5 } = board.display_pins;
    let rows: (pins::Row1, pins::Row2, pins::Row3, pins::Row4, pins::Row5) = (row1, row2, row3, row4, row5);
    let columns: (pins::Column1, pins::Column2, pins::Column3, pins::Column4, pins::Column5) =
        (col1, col2, col3, col4, col5);
    let display = Matrix {
        rows: [rows.0.degrade(), rows.1.degrade(), rows.2.degrade(), rows.3.degrade(), rows.4.degrade()],
        columns: [
            columns.0.degrade(),
            columns.1.degrade(),
            columns.2.degrade(),
            columns.3.degrade(),
            columns.4.degrade(),
        ],
    };

    let start = &raw mut _checkpoints_start;
    let size = (&raw const _checkpoints_end).addr() - start.addr();
    // SAFETY: the linker script keeps this part of flash for checkpoints: nothing else is there, and this is called once.
    let storage = unsafe { slice::from_raw_parts_mut(start, size) };
    Board {
        parts: Parts {
            sensor,
            button_a,
            button_b,
            display,
            clock: ShortCounter::new(move || counter.read()),
            delay: Delay::new(board.SYST),
        },
        line: move || {
            let port = Uarte::new(board.UARTE0, board.uart.into(), Parity::EXCLUDED, Baudrate::BAUD115200);
            let Ok((tx, rx)) = port.split(SENT.take(), RECEIVED.take()) else {
                defmt::panic!("the serial line cannot be set up")
            };
            Line { tx, rx }
        },
        flash: Nvmc::new(board.NVMC, storage),
        checkpoints: 0..size as u32,
        alive: watchdog(board.WDT),
    }
}

/// Starts the watchdog, unless it has been running since before a reset. It rests while a debugger has halted the core.
fn watchdog(watchdog: WDT) -> impl FnMut() {
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

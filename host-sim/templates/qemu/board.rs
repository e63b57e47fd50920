//! The emulated board: UART 0 of the Cortex-M System Design Kit, and a flash in RAM, which lasts as long as the emulation.

use core::convert::Infallible;
use core::fmt::Arguments;
use core::ptr;

use backpass::checkpoint::Store;
use backpass_app::ram_flash::RamFlash;
use backpass_app::stream::NbLine;
pub use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE};
use cortex_m_semihosting::hprintln;
use embedded_hal_nb::{nb, serial};
use embedded_io::{Read, ReadReady, Write};
use embedded_storage::nor_flash::NorFlash;
use static_cell::ConstStaticCell;

/// Bytes of the flash.
const CHECKPOINTS: u32 = {{checkpoints}};

static FLASH: ConstStaticCell<[u8; CHECKPOINTS as usize]> = ConstStaticCell::new([0; CHECKPOINTS as usize]);

{{board_type}}
/// The board. To be called once.
pub fn start() -> Board<impl Read + Write + ReadReady, impl NorFlash, impl FnMut()> {
    let flash = FLASH.take();
    flash.fill(0xff);
    let Ok(store) = Store::new(RamFlash::new(flash), 0..CHECKPOINTS) else { panic!("the flash is not whole sectors") };
    Board { line: NbLine::new(Uart::new()), store, alive: || {} }
}

/// Says something on the console of the emulator.
pub fn log(words: Arguments<'_>) {
    hprintln!("{}", words);
}

/// Registers of UART 0 (Arm DDI 0479, section 4.3).
const DATA: usize = 0x4000_4000;
/// Bit 0: no room to send; bit 1: a byte was received.
const STATE: usize = DATA + 0x04;
const CONTROL: usize = DATA + 0x08;
const DIVIDER: usize = DATA + 0x10;

struct Uart(());

impl Uart {
    fn new() -> Self {
        write(DIVIDER, 16);
        // Transmitter and receiver.
        write(CONTROL, 0b11);
        Self(())
    }
}

impl serial::ErrorType for Uart {
    type Error = Infallible;
}

impl serial::Read for Uart {
    fn read(&mut self) -> nb::Result<u8, Infallible> {
        if read(STATE) & 0b10 == 0 {
            return Err(nb::Error::WouldBlock);
        }
        Ok(read(DATA).to_le_bytes()[0])
    }
}

impl serial::Write for Uart {
    fn write(&mut self, byte: u8) -> nb::Result<(), Infallible> {
        self.flush()?;
        write(DATA, byte.into());
        Ok(())
    }

    fn flush(&mut self) -> nb::Result<(), Infallible> {
        if read(STATE) & 0b01 == 0 { Ok(()) } else { Err(nb::Error::WouldBlock) }
    }
}

fn read(register: usize) -> u32 {
    // SAFETY: the address is one of a register above; reading it has no effect on memory.
    unsafe { ptr::read_volatile(register as *const u32) }
}

fn write(register: usize, value: u32) {
    // SAFETY: the address is one of a register above; writing it has no effect on memory.
    unsafe { ptr::write_volatile(register as *mut u32, value) }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    log(format_args!("{info}"));
    debug::exit(EXIT_FAILURE);
    loop {
        cortex_m::asm::wfi();
    }
}

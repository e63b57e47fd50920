//! Learns from samples that come over the board's serial line, and answers them. Its flash is RAM: it lasts as long as the emulation.

#![no_std]
#![no_main]

use backpass::checkpoint::Store;
use backpass_app::boards::tell_stream;
use backpass_app::ram_flash::RamFlash;
use backpass_app::stream::{self, FRAME, Frames, Ram};
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE};
use defmt_semihosting as _;
use portable_atomic as _;
use static_cell::ConstStaticCell;

use uart::Uart;

#[path = "../stop.rs"]
mod stop;
#[path = "../uart.rs"]
mod uart;

static MEMORY: ConstStaticCell<Ram> = ConstStaticCell::new(Ram::new());
static FRAMES: ConstStaticCell<Frames<FRAME>> = ConstStaticCell::new(Frames::new());
static FLASH: ConstStaticCell<[u8; stream::FLASH as usize]> = ConstStaticCell::new([0; stream::FLASH as usize]);

#[entry]
fn main() -> ! {
    stop::arm(None);
    let flash = FLASH.take();
    flash.fill(0xff);
    let Ok(mut store) = Store::new(RamFlash::new(flash), 0..stream::FLASH) else {
        defmt::error!("the flash is not whole sectors");
        debug::exit(EXIT_FAILURE);
        loop {
            cortex_m::asm::wfi();
        }
    };
    let memory = MEMORY.take();
    defmt::info!("{}", memory);
    let mut server = stream::example(memory, FRAMES.take());
    let mut line = Uart::new();
    server.start(&mut store, &mut tell_stream);
    defmt::info!("ready");
    loop {
        server.step(&mut line, &mut store, &mut tell_stream);
    }
}

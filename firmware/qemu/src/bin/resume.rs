//! Learns, saves what it has learned in a file of the host that stands for flash, and after a reset goes on from there.
//!
//! The file is `flash.bin` in QEMU's current folder. Killing QEMU is a power cut; `backpass-sim reliability kills` does it by the
//! hundred.

#![no_std]
#![no_main]

use backpass_app::resume::{self, Event, Ram, State};
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use defmt_semihosting as _;
use portable_atomic as _;
use static_cell::ConstStaticCell;

use file_flash::FileFlash;

#[path = "../file_flash.rs"]
mod file_flash;
#[path = "../stop.rs"]
mod stop;

static MEMORY: ConstStaticCell<Ram> = ConstStaticCell::new(Ram::new());

/// Samples after which there is nothing left to do.
const UNTIL: u32 = 50_000;

#[entry]
fn main() -> ! {
    let result = match FileFlash::<{ resume::FLASH as usize }>::open(c"flash.bin") {
        Ok(flash) => resume::run(flash, MEMORY.take(), UNTIL, &mut log),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(State { observed, loss, .. }) => {
            defmt::info!("done after {} samples, loss {}", observed, loss);
            debug::exit(EXIT_SUCCESS);
        }
        Err(error) => {
            defmt::error!("{}", defmt::Display2Format(&error));
            debug::exit(EXIT_FAILURE);
        }
    }
    loop {
        cortex_m::asm::wfi();
    }
}

fn log(event: Event) {
    match event {
        Event::Begun(State { observed, crc32, loss }) => {
            defmt::info!("begun observed {} crc32 {=u32:08x} loss {}", observed, crc32, loss);
        }
        Event::Resumed { sequence, state: State { observed, crc32, loss } } => {
            defmt::info!("resumed {} observed {} crc32 {=u32:08x} loss {}", sequence, observed, crc32, loss);
        }
        Event::Saving => defmt::info!("saving"),
        Event::Committed { sequence, state: State { observed, crc32, loss } } => {
            defmt::info!("committed {} observed {} crc32 {=u32:08x} loss {}", sequence, observed, crc32, loss);
        }
        _ => {}
    }
}

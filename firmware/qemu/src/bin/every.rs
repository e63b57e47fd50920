//! Trains by every layer, loss, rule and schedule of the core, and logs what each training came to, for the host
//! twin to compare, and the bytes of the largest copy of memory that it made.

#![no_std]
#![no_main]

use backpass_app::every::{self, Ram, Trained};
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_SUCCESS};
use defmt_semihosting as _;
use portable_atomic as _;
use static_cell::ConstStaticCell;

#[path = "../copies.rs"]
mod copies;
#[path = "../stop.rs"]
mod stop;

static MEMORY: ConstStaticCell<Ram> = ConstStaticCell::new(Ram::new());

#[entry]
fn main() -> ! {
    stop::arm(None);
    let memory = MEMORY.take();
    defmt::info!("{}", memory);
    copies::forget();
    log(every::layers(memory));
    every::others(&mut log);
    debug::exit(EXIT_SUCCESS);
    loop {
        cortex_m::asm::wfi();
    }
}

fn log(Trained { name, accepted, loss, crc32 }: Trained) {
    defmt::info!("copied {=usize}", copies::largest());
    defmt::info!("trained {} {=u32:08x} {=u32:08x} {=str}", accepted, loss, crc32, name);
    copies::forget();
}

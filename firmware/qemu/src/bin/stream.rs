//! Echo, until the application is there.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use defmt_semihosting as _;
use embedded_io::{Read, Write};
use portable_atomic as _;

#[path = "../stop.rs"]
mod stop;
#[path = "../uart.rs"]
mod uart;

#[entry]
fn main() -> ! {
    stop::arm(None);
    let mut uart = uart::Uart::new();
    defmt::info!("ready");
    let mut buffer = [0; 8];
    loop {
        let Ok(count) = uart.read(&mut buffer);
        let Ok(()) = uart.write_all(buffer.get(..count).unwrap_or_default());
    }
}

//! Plays the live applications: the name of one, by its first letter, and then moments come over the serial line.

#![no_std]
#![no_main]

use backpass::checkpoint::Store;
use backpass_app::ram_flash::RamFlash;
use backpass_app::scene::{self, AnomalyRam, GestureRam, Moment};
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use defmt_semihosting as _;
use embedded_io::Read;
use portable_atomic as _;
use static_cell::ConstStaticCell;

use uart::Uart;

#[path = "../stop.rs"]
mod stop;
#[path = "../uart.rs"]
mod uart;

static GESTURE: ConstStaticCell<GestureRam> = ConstStaticCell::new(GestureRam::new());
static ANOMALY: ConstStaticCell<AnomalyRam> = ConstStaticCell::new(AnomalyRam::new());
static FLASH: ConstStaticCell<[u8; scene::FLASH as usize]> = ConstStaticCell::new([0; scene::FLASH as usize]);

#[entry]
fn main() -> ! {
    stop::arm(None);
    debug::exit(if play() { EXIT_SUCCESS } else { EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}

/// Whether there was an application to play.
fn play() -> bool {
    let flash = FLASH.take();
    flash.fill(0xff);
    let Ok(mut store) = Store::new(RamFlash::new(flash), 0..scene::FLASH) else { return false };
    let mut line = Uart::new();
    let mut name = [0];
    if line.read_exact(&mut name).is_err() {
        return false;
    }
    let next = || {
        let mut bytes = scene::END;
        line.read_exact(&mut bytes).ok()?;
        Moment::from_bytes(&bytes)
    };
    let played = match &name {
        b"g" => scene::play_gesture(GESTURE.take(), &mut store, next),
        b"a" => scene::play_anomaly(ANOMALY.take(), &mut store, next),
        _ => return false,
    };
    defmt::info!("played {=u32} {=u32} {=u32}", played.events, played.events_crc32, played.parameters_crc32);
    true
}

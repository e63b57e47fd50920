//! Plays the live applications: which one, and then moments come over the serial line.

#![no_std]
#![no_main]

use backpass::checkpoint::Store;
use backpass_app::ram_flash::RamFlash;
use backpass_app::scene::{self, Moment, Scene, Stage};
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

/// Moments from one message to the next.
const MOMENTS: u32 = 100;

static STAGE: ConstStaticCell<Stage> = ConstStaticCell::new(Stage::new());
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
    let mut bytes = [0; scene::SCENE];
    if line.read_exact(&mut bytes).is_err() {
        return false;
    }
    let Some(scene) = Scene::from_bytes(&bytes) else { return false };
    let mut count: u32 = 0;
    let next = || {
        let mut bytes = scene::END;
        line.read_exact(&mut bytes).ok()?;
        count = count.wrapping_add(1);
        if count.is_multiple_of(MOMENTS) {
            defmt::info!("moment {=u32}", count);
        }
        Moment::from_bytes(&bytes)
    };
    let Some(played) = STAGE.take().play(&scene, &mut store, next) else { return false };
    defmt::info!("played {=u32} {=u32} {=u32}", played.events, played.events_crc32, played.parameters_crc32);
    true
}

//! Links only if no panic can be reached: `panic_never` has no panic function to offer. Trains by every layer, loss, rule and
//! schedule of the core, saves and loads a checkpoint, and runs in QEMU.

#![no_std]
#![no_main]

use backpass::checkpoint::{Error, Store};
use backpass::{Adam, Learner, NegativeLogLikelihood, Rng};
use backpass_app::every::{self, Ram, STEPS, Trained};
use backpass_app::live;
use backpass_app::ram_flash::RamFlash;
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use embedded_storage::nor_flash::NorFlashErrorKind;
use panic_never as _;
use portable_atomic as _;
use static_cell::ConstStaticCell;

static MEMORY: ConstStaticCell<Ram> = ConstStaticCell::new(Ram::new());
static FLASH: ConstStaticCell<[u8; FLASH_SIZE]> = ConstStaticCell::new([0; FLASH_SIZE]);
const FLASH_SIZE: usize = 256 * 1024;

#[entry]
fn main() -> ! {
    // `take` would panic the second time.
    let Some(memory) = MEMORY.try_take() else { end(false) };
    let mut learned = is_whole(every::layers(memory));
    every::others(&mut |trained| learned &= is_whole(trained));
    let Some(flash) = FLASH.try_take() else { end(false) };
    end(learned && kept(memory, flash).is_ok())
}

/// Saves the network of all layers, with every part of a live stream, and loads it again.
fn kept(memory: &mut Ram, flash: &mut [u8]) -> Result<(), Error<NorFlashErrorKind>> {
    let mut learner = Learner::new(memory, every::all(), NegativeLogLikelihood::new(), Adam::new(0.01));
    let mut extra = (Rng::new(1), live::parts());
    let mut store = Store::new(RamFlash::new(flash), 0..FLASH_SIZE as u32)?;
    let saved = store.save(&learner, &mut extra)?;
    learner.initialize(2);
    let loaded = store.load(&mut learner, &mut extra)?;
    let latest = store.latest()?;
    store.erase()?;
    if [loaded, latest] == [saved; 2] { Ok(()) } else { Err(Error::NoCheckpoint) }
}

/// Whether every sample and every step was accepted.
fn is_whole(trained: Trained) -> bool {
    trained.accepted == 2 * STEPS
}

fn end(learned: bool) -> ! {
    debug::exit(if learned { EXIT_SUCCESS } else { EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}

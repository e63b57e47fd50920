//! Links only if no panic can be reached: `panic_never` has no panic function to offer. Trains by every layer, loss, rule and
//! schedule of the core, saves and loads a checkpoint, and runs in QEMU.

#![no_std]
#![no_main]

use backpass::checkpoint::{Error, Store};
use backpass::{Adam, Learner, NegativeLogLikelihood, Rng};
use backpass_app::every::{self, Ram, STEPS, Trained};
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
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
    end(learned && kept(memory, RamFlash(flash)).is_ok())
}

/// Saves the network of all layers and loads it again.
fn kept(memory: &mut Ram, flash: RamFlash) -> Result<(), Error<NorFlashErrorKind>> {
    let mut learner = Learner::new(memory, every::all(), NegativeLogLikelihood::new(), Adam::new(0.01));
    let mut rng = Rng::new(1);
    let mut store = Store::new(flash, 0..FLASH_SIZE as u32)?;
    let saved = store.save(&learner, &mut rng)?;
    learner.initialize(2);
    let loaded = store.load(&mut learner, &mut rng)?;
    let latest = store.latest()?;
    store.erase()?;
    if [loaded, latest] == [saved; 2] { Ok(()) } else { Err(Error::NoCheckpoint) }
}

/// A flash in RAM.
struct RamFlash(&'static mut [u8; FLASH_SIZE]);

impl RamFlash {
    fn place(&mut self, from: u32, to: u32) -> Result<&mut [u8], NorFlashErrorKind> {
        self.0.get_mut(from as usize..to as usize).ok_or(NorFlashErrorKind::OutOfBounds)
    }
}

impl ErrorType for RamFlash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for RamFlash {
    const READ_SIZE: usize = 4;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        let place = self.place(offset, offset.wrapping_add(bytes.len() as u32))?;
        bytes.iter_mut().zip(place).for_each(|(to, from)| *to = *from);
        Ok(())
    }

    fn capacity(&self) -> usize {
        FLASH_SIZE
    }
}

impl NorFlash for RamFlash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        self.place(from, to)?.fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        let place = self.place(offset, offset.wrapping_add(bytes.len() as u32))?;
        place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Ok(())
    }
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

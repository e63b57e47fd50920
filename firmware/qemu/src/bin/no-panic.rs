//! Links only if no panic can be reached: `panic_never` has no panic function to offer. Trains by every layer, loss, rule and
//! schedule of the core, and runs in QEMU.

#![no_std]
#![no_main]

use backpass_app::every::{self, Ram, STEPS, Trained};
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use panic_never as _;
use portable_atomic as _;
use static_cell::ConstStaticCell;

static MEMORY: ConstStaticCell<Ram> = ConstStaticCell::new(Ram::new());

#[entry]
fn main() -> ! {
    // `take` would panic the second time.
    let Some(memory) = MEMORY.try_take() else { end(false) };
    let mut learned = is_whole(every::layers(memory));
    every::others(&mut |trained| learned &= is_whole(trained));
    end(learned)
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

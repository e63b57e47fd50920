//! Overflows its stack on purpose, and then looks whether the statics are whole.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use cortex_m_rt::entry;
use defmt_semihosting as _;
use portable_atomic as _;

#[path = "../stop.rs"]
mod stop;

/// Statics in .data and .bss, all through whatever lies next to the stack.
static DATA: [AtomicU32; 1024] = [const { AtomicU32::new(WHOLE) }; 1024];
static ZEROS: [AtomicU32; 1024] = [const { AtomicU32::new(0) }; 1024];
const WHOLE: u32 = 0x5a5a_a5a5;

#[entry]
fn main() -> ! {
    stop::arm(Some(look));
    defmt::info!("depth {}", dig(0));
    loop {
        cortex_m::asm::wfi();
    }
}

/// Calls itself without end, 256 bytes at a time.
#[inline(never)]
#[allow(unconditional_recursion)]
fn dig(depth: u32) -> u32 {
    let frame = black_box([depth; 64]);
    let below = dig(depth + 1);
    black_box(&frame).iter().fold(below, |sum, value| sum.wrapping_add(*value))
}

fn look() {
    let whole = |statics: &[AtomicU32], value| statics.iter().all(|word| word.load(Relaxed) == value);
    if whole(&DATA, WHOLE) && whole(&ZEROS, 0) {
        defmt::info!("statics are whole");
    } else {
        defmt::info!("statics are overwritten");
    }
}

//! Takes the training steps of one workload, each between two markers that a counter sees, and ends the emulation.

#![no_std]
#![no_main]

use core::arch::asm;
use core::hint::black_box;

use backpass::Rng;
use backpass_app::workloads::{self, SEED, Workload};
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use panic_never as _;
use portable_atomic as _;
use static_cell::ConstStaticCell;

// `type Chosen`, from the build script.
include!(concat!(env!("OUT_DIR"), "/workload.rs"));

static RAM: ConstStaticCell<<Chosen as Workload>::Ram> = ConstStaticCell::new(Chosen::RAM);

unsafe extern "C" {
    /// What `cortex-m-rt` does for an interrupt without a handler.
    fn DefaultHandler();
}

/// The device's part of the vector table, as short as the linker script takes it: no interrupt is used.
// SAFETY: the name and section are those that `cortex-m-rt` looks for; the entry is a handler.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [unsafe extern "C" fn(); 1] = [DefaultHandler];

#[entry]
fn main() -> ! {
    debug::exit(if steps() { EXIT_SUCCESS } else { EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}

/// Whether every step was taken.
fn steps() -> bool {
    // `take` would panic the second time.
    let Some(ram) = RAM.try_take() else { return false };
    let mut rng = Rng::new(SEED);
    Chosen::prepare(ram);
    let mut taken = true;
    for _ in 0..Chosen::STEPS {
        Chosen::draw(ram, &mut rng);
        // What the compiler knows of the samples it must not use.
        let ram = black_box(&mut *ram);
        begin();
        taken &= black_box(Chosen::step(ram));
        end();
    }
    taken
}

/// Marks the beginning of what is counted.
#[inline(always)]
fn begin() {
    // SAFETY: `mov r10, r10` changes nothing. That it may touch memory, as far as the compiler knows, keeps it in its place.
    unsafe { asm!(".inst.n 0x46d2") };
}

/// Marks the end of what is counted.
#[inline(always)]
fn end() {
    // SAFETY: `mov r11, r11` changes nothing, as above.
    unsafe { asm!(".inst.n 0x46db") };
}

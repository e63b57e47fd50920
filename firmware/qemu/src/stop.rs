//! What ends an image that has failed.
//!
//! The stack lies at the beginning of RAM (see the build script), so one that overflows leaves RAM instead of running into the
//! statics. Cores with a bus fault then say so; a Cortex-M0, which cannot save its registers for a fault's handler either, locks
//! up, and QEMU ends with that message.

use core::cell::Cell;

use cortex_m::interrupt::{self, Mutex};
use cortex_m_rt::{ExceptionFrame, exception};
use cortex_m_semihosting::debug::{self, EXIT_FAILURE};

unsafe extern "C" {
    /// The first address of the stack, from the linker script.
    static _stack_end: u8;
}

/// What an image says before it ends.
pub(crate) type Words = Option<fn()>;

static LAST_WORDS: Mutex<Cell<Words>> = Mutex::new(Cell::new(None));

/// Lets an overflow of the stack be told. `last_words` are said before the image ends.
pub(crate) fn arm(last_words: Words) {
    interrupt::free(|token| LAST_WORDS.borrow(token).set(last_words));
    #[cfg(not(small))]
    // SAFETY: nobody else has the system control block; the handler is below.
    unsafe {
        (*cortex_m::peripheral::SCB::PTR).shcsr.modify(|enabled| enabled | 1 << 17);
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    defmt::error!("{}", defmt::Display2Format(info));
    stop()
}

// SAFETY: the handler only logs and ends the emulation; it returns to nothing that a fault could have broken.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    defmt::error!("hard fault at {=u32:#010x}", frame.pc());
    stop()
}

/// Begins the stack afresh, because there may be none left, and hands on where it was.
// SAFETY: the name is that of the vector table's entry; what the stack held is never read again but for the saved registers.
#[cfg(not(small))]
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn BusFault() -> ! {
    core::arch::naked_asm!("mrs r0, msp", "ldr r1, =_stack_start", "msr msp, r1", "bl {}", sym bus_fault)
}

#[cfg(not(small))]
extern "C" fn bus_fault(stack_pointer: usize) -> ! {
    if stack_pointer < (&raw const _stack_end).addr() {
        defmt::error!("stack overflow: the stack pointer is {=usize:#010x}", stack_pointer);
    } else {
        defmt::error!("bus fault; the stack pointer is {=usize:#010x}", stack_pointer);
    }
    stop()
}

fn stop() -> ! {
    if let Some(last_words) = interrupt::free(|token| LAST_WORDS.borrow(token).get()) {
        last_words();
    }
    debug::exit(EXIT_FAILURE);
    loop {
        cortex_m::asm::wfi();
    }
}

//! The image's own `memcpy` and `memmove`, under all their names, which note the largest size that they were asked for.

use core::arch::asm;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static LARGEST: AtomicUsize = AtomicUsize::new(0);

/// Begins afresh.
pub(crate) fn forget() {
    LARGEST.store(0, Relaxed);
}

/// The bytes of the largest copy since then.
pub(crate) fn largest() -> usize {
    LARGEST.load(Relaxed)
}

/// Copies bytes, upwards or downwards.
// In assembly: the compiler would make a call of `memcpy` out of a loop.
#[inline(always)]
unsafe fn copy(to: *mut u8, from: *const u8, bytes: usize) {
    // No other thread.
    if bytes > LARGEST.load(Relaxed) {
        LARGEST.store(bytes, Relaxed);
    }
    if bytes == 0 {
        return;
    }
    // SAFETY: the caller's regions have so many bytes; where they overlap, each byte is read before it is overwritten.
    unsafe {
        if (to as usize) < (from as usize) {
            asm!(
                "2:", "ldrb {byte}, [{from}]", "strb {byte}, [{to}]", "adds {from}, #1", "adds {to}, #1", "subs {left}, #1", "bne 2b",
                byte = out(reg) _, from = inout(reg) from => _, to = inout(reg) to => _, left = inout(reg) bytes => _,
                options(nostack)
            );
        } else {
            asm!(
                "2:", "subs {left}, #1", "ldrb {byte}, [{from}, {left}]", "strb {byte}, [{to}, {left}]", "cmp {left}, #0", "bne 2b",
                byte = out(reg) _, from = in(reg) from, to = in(reg) to, left = inout(reg) bytes => _,
                options(nostack)
            );
        }
    }
}

/// Defines the functions that the compiler calls to copy.
macro_rules! copies {
    ($($name:ident -> $result:ty { $value:expr }),+) => { $(
        // SAFETY: the name is that of the C library or the Arm ABI, and so is what it does.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(to: *mut u8, from: *const u8, bytes: usize) -> $result {
            // SAFETY: as above.
            unsafe { copy(to, from, bytes) };
            let result: fn(*mut u8) -> $result = $value;
            result(to)
        }
    )+ };
}
copies!(
    memcpy -> *mut u8 { |to| to },
    memmove -> *mut u8 { |to| to },
    __aeabi_memcpy -> () { |_| () },
    __aeabi_memcpy4 -> () { |_| () },
    __aeabi_memcpy8 -> () { |_| () },
    __aeabi_memmove -> () { |_| () },
    __aeabi_memmove4 -> () { |_| () },
    __aeabi_memmove8 -> () { |_| () }
);

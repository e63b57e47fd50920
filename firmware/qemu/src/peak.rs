//! How much stack something needs: the free part is painted before, and afterwards it is seen how far down the paint is gone.

use core::arch::asm;

const PAINT: u32 = 0x5ac3_3c5a;

unsafe extern "C" {
    /// The first address of the stack, from the linker script.
    static _stack_end: u32;
}

/// What an operation comes to, and the bytes of stack that it needs at most: from where the stack is now, its own return address
/// included, down to the last word that it has written.
#[inline(never)]
pub(crate) fn peak(run: &mut dyn FnMut() -> bool) -> (bool, usize) {
    let end = (&raw const _stack_end).addr();
    let top: usize;
    // SAFETY: everything below the stack pointer is free: no interrupt is enabled, and nothing is called meanwhile.
    unsafe {
        asm!(
            "mov {top}, sp",
            "mov {at}, {end}",
            "2:",
            "str {paint}, [{at}]",
            "adds {at}, #4",
            "cmp {at}, {top}",
            "blo 2b",
            top = out(reg) top,
            at = out(reg) _,
            end = in(reg) end,
            paint = in(reg) PAINT,
        );
    }
    let done = run();
    let mut lowest = end;
    // SAFETY: addresses of the stack, aligned as it is.
    while lowest < top && unsafe { (lowest as *const u32).read_volatile() } == PAINT {
        lowest += 4;
    }
    (done, top - lowest)
}

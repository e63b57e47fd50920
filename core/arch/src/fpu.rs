//! The loops in the instructions of a Cortex-M core with a single-precision FPU. Formulas and orders are those of
//! [`portable`](crate::portable); the cycles of each are for one weight.
//!
//! Each loop is a function of assembly alone, called as C code would be (AAPCS, floats in registers): r0 to r3, r12 and s0 to
//! s15 are free to change, the others are saved. Products are taken several at a time, so that no instruction waits for
//! the one before it.

pub use crate::portable::{LANES, join};

/// An instruction `op a, a, b` for each `a` and its `b`.
macro_rules! each {
    ($op:literal [$($a:literal)+] [$($b:literal)+]) => {
        concat!($($op, " ", $a, ", ", $a, ", ", $b, "\n"),+)
    };
}

/// An instruction `vmul to, from, factor` for each `to` and its `from`.
macro_rules! scale {
    ([$($to:literal)+] [$($from:literal)+] $factor:literal) => {
        concat!($("vmul.f32 ", $to, ", ", $from, ", ", $factor, "\n"),+)
    };
}

/// Assembly that says which FPU it is for: what is not a Rust function's own code is assembled without the target's features.
macro_rules! fpu_asm {
    ($($code:expr),+ $(,)?) => {
        naked_asm!(".fpu fpv4-sp-d16", $($code),+)
    };
}

mod conv;
mod dense;
mod depthwise;
mod descent;
mod pass;
mod pool;

pub use conv::{descend_sums, meet, meet_input, sums};
pub use dense::{add_outer, add_outer_rows, descend_outer, descend_rows, dot, outer, outer_rows, product};
pub use depthwise::{add_window, meet_window};
pub use descent::{copy, descend, magnitude, sqrt};
pub use pass::relu;
pub use pool::window_max;

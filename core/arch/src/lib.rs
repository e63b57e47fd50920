//! The inner loops of `backpass`, twice: in plain Rust for any platform ([`portable`]), and in the instructions of Cortex-M
//! cores with a single-precision FPU (Cortex-M4F, M7, M33), which load and store many registers at a time. Rust cannot ask for
//! those. Both do the same additions and multiplications in the same order, so both give the same bits; firmware in QEMU holds
//! one against the other.
//!
//! The functions of this page are those of the platform. **This is the only `unsafe` in the learner**: each block of
//! assembly gets pointers from slices whose lengths were checked before it. There is no state and no allocation, and nothing
//! panics: what would reach beyond a slice is not computed.
//!
//! Cycles are those of the Cortex-M4F's manual (loads and stores of `n` registers at once take `n + 1`).

#![no_std]

#[cfg(test)]
extern crate std;

#[cfg(all(target_arch = "arm", target_abi = "eabihf"))]
mod fpu;
pub mod portable;

#[cfg(all(target_arch = "arm", target_abi = "eabihf"))]
pub use fpu::*;
#[cfg(not(all(target_arch = "arm", target_abi = "eabihf")))]
pub use portable::*;

/// Where the parts of one sum lie: `rows` runs of products, each `count` long.
///
/// Run `r` begins at input `r x_step`, and at weight `r weight_step`; from one product to the next the weights go on by `stride`,
/// the number of outputs. A dense layer is one run; a convolution has one for each row of its kernel.
#[derive(Debug, Clone, Copy)]
pub struct Runs {
    /// How many runs.
    pub rows: usize,
    /// Products in a run.
    pub count: usize,
    /// Inputs from the beginning of a run to that of the next; at least `count`.
    pub x_step: usize,
    /// Weights from the beginning of a run to that of the next; at least `count stride`.
    pub weight_step: usize,
    /// Weights from one product to the next.
    pub stride: usize,
}

/// A step of descent for one weight: `w = keep w - rate (scale g + l2 w)`, where a factor of 1 and an `l2` of 0 leave their operation
/// out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Descent {
    /// One less the decoupled weight decay.
    pub keep: f32,
    /// The learning rate.
    pub rate: f32,
    /// By what the gradient, a sum, is multiplied.
    pub scale: f32,
    /// The L2 penalty.
    pub l2: f32,
}

impl Descent {
    /// Whether it is `w - rate g`.
    fn is_plain(self) -> bool {
        self.keep == 1.0 && self.scale == 1.0 && self.l2 == 0.0
    }
}

impl Runs {
    /// The runs, or none if they do not end within so many inputs and weights, for products with `width` outputs.
    fn inside(self, x: usize, weight: usize, width: usize) -> Self {
        let Self { rows, count, x_step, weight_step, stride } = self;
        let (Some(last_row), Some(last)) = (rows.checked_sub(1), count.checked_sub(1)) else {
            return Self { rows: 0, ..self };
        };
        let x_end = last_row.saturating_mul(x_step).saturating_add(count);
        let weight_start = last_row.saturating_mul(weight_step).saturating_add(last.saturating_mul(stride));
        let fits = x_end <= x && weight_start.saturating_add(width) <= weight;
        Self { rows: if fits { rows } else { 0 }, ..self }
    }
}

//! The inner loops of `backpass`, twice: in plain Rust for any platform ([`portable`]), and in the instructions of Cortex-M
//! cores with a single-precision FPU (Cortex-M4F, M7, M33), which load and store many registers at a time. Rust cannot ask for
//! those. Both do the same additions and multiplications in the same order, so both give the same bits; firmware in QEMU holds
//! one against the other. On x86-64 the plain loops of dense layers and of descent are compiled once more for AVX, which is looked for
//! when they first run.
//!
//! The functions of this page are those of the platform. **This is the only `unsafe` in the learner**: each block of
//! assembly gets pointers from slices whose lengths were checked before it, and what is compiled for AVX is called where there is AVX. There is no state and no allocation, and nothing
//! panics: what would reach beyond a slice is not computed.
//!
//! Cycles are those of the Cortex-M4F's manual (loads and stores of `n` registers at once take `n + 1`).

#![no_std]

#[cfg(test)]
extern crate std;

#[cfg(target_arch = "x86_64")]
mod avx;
#[cfg(all(target_arch = "arm", target_abi = "eabihf"))]
mod fpu;
pub mod portable;

#[cfg(target_arch = "x86_64")]
pub use avx::{add_outer, add_outer_rows, descend, descend_outer, descend_rows, outer, outer_rows, product};
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

/// Sums for some pixels: `outputs` for each, of the same weights or gradients and of inputs `x_pixel` further on each time.
///
/// A convolution's row of pixels inside the image is such a thing, `y[pixel][j] = Σ x w[j]`, with the kernel's rows as runs; and so is
/// the gradient of one kernel element's weights, `g[channel][j] = Σ x d[j]`, with the image's rows as runs and dL/dy as weight.
#[derive(Debug, Clone, Copy)]
pub struct Sums {
    /// How many pixels.
    pub pixels: usize,
    /// Sums of a pixel.
    pub outputs: usize,
    /// Inputs from the first of one pixel to that of the next.
    pub x_pixel: usize,
    /// Inputs from one product to the next.
    pub x_stride: usize,
    /// The products of each sum.
    pub runs: Runs,
}

/// What a sum starts from.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    /// +0.0.
    Zero,
    /// These values, one an output; the same for each pixel.
    At(&'a [f32]),
    /// What is there.
    Kept,
}

impl Sums {
    /// Whether all of it lies within so many inputs, weights, values to start from and sums.
    fn fits(&self, x: usize, weight: usize, start: Start<'_>, y: usize) -> bool {
        if let Start::At(values) = start
            && values.len() < self.outputs
        {
            return false;
        }
        let Self { pixels, outputs, x_pixel, x_stride, runs } = *self;
        let last = |count: usize, step: usize| count.saturating_sub(1).saturating_mul(step);
        let x_last = last(pixels, x_pixel)
            .saturating_add(last(runs.rows, runs.x_step))
            .saturating_add(last(runs.count, x_stride));
        let weight_last = last(runs.rows, runs.weight_step).saturating_add(last(runs.count, runs.stride));
        x_last < x && weight_last.saturating_add(outputs) <= weight && pixels.saturating_mul(outputs) <= y
    }
}

/// The kernel elements that one input pixel of a convolution meets, `rows` by `columns`: from one to the next the weights go on, and
/// dL/dy falls back.
#[derive(Debug, Clone, Copy)]
pub struct Meeting {
    /// Outputs of each kernel element.
    pub outputs: usize,
    /// Kernel rows and columns.
    pub rows: usize,
    /// Kernel columns.
    pub columns: usize,
    /// Weights from a kernel row to the next.
    pub weight_row: usize,
    /// Weights from a kernel column to the next.
    pub weight_column: usize,
    /// Where the first kernel element's part of dL/dy begins.
    pub dy_first: usize,
    /// Elements of dL/dy from a kernel row back to the next.
    pub dy_row: usize,
    /// Elements of dL/dy from a kernel column back to the next.
    pub dy_column: usize,
}

/// What [`meet`] and [`meet_window`] leave in the place of an input, whose gradient is dL/dx.
#[derive(Debug, Clone, Copy)]
pub enum Left {
    /// dL/dx.
    All,
    /// An input of zero as it is: a gate that is closed. For another, dL/dx, with -0.0 for +0.0; but +0.0 where the input is at this
    /// bound or above it. NaN is no bound.
    Open(f32),
}

impl Left {
    /// Whether this input counts.
    fn takes(self, x: f32) -> bool {
        matches!(self, Self::All) || x != 0.0
    }

    /// What is left of an input that counts.
    fn of(self, x: f32, dx: f32) -> f32 {
        match self {
            Self::All => dx,
            Self::Open(bound) if x >= bound => 0.0,
            Self::Open(_) => negative_zero(dx),
        }
    }
}

/// -0.0 for +0.0.
fn negative_zero(dx: f32) -> f32 {
    if dx.to_bits() == 0 { -0.0 } else { dx }
}

impl Meeting {
    /// Whether there is nothing to meet.
    #[cfg(all(target_arch = "arm", target_abi = "eabihf"))]
    const fn is_empty(&self) -> bool {
        self.outputs == 0 || self.rows == 0 || self.columns == 0
    }

    /// Whether all of it lies within so many weights and elements of dL/dy, for each of so many channels.
    fn fits(&self, channels: usize, weight: usize, dy: usize) -> bool {
        let last = |row: usize, column: usize| {
            let row = self.rows.saturating_sub(1).saturating_mul(row);
            row.saturating_add(self.columns.saturating_sub(1).saturating_mul(column))
        };
        let weight_end =
            last(self.weight_row, self.weight_column).saturating_add(channels.saturating_mul(self.outputs));
        weight_end <= weight
            && self.dy_first.saturating_add(self.outputs) <= dy
            && last(self.dy_row, self.dy_column) <= self.dy_first
    }
}

/// A walk over the elements of a window in one array, and over what they meet in another one, where it may lead back.
#[derive(Debug, Clone, Copy)]
pub struct Walk {
    /// Rows of the window.
    pub rows: usize,
    /// Columns of the window.
    pub columns: usize,
    /// Where its first element begins.
    pub first: usize,
    /// From a row to the next.
    pub row: usize,
    /// From a column to the next.
    pub column: usize,
    /// Where the other array's first element begins.
    pub other_first: usize,
    /// From what a row meets to what the next does.
    pub other_row: isize,
    /// From what a column meets to what the next does.
    pub other_column: isize,
}

impl Walk {
    /// Whether there is an element, and so many channels of all lie within arrays of these lengths.
    #[cfg(all(target_arch = "arm", target_abi = "eabihf"))]
    fn fits(&self, channels: usize, len: usize, other: usize) -> bool {
        let (Some(rows), Some(columns)) = (self.rows.checked_sub(1), self.columns.checked_sub(1)) else { return false };
        let sum = |first: usize, row: usize, column: usize| {
            first.saturating_add(rows.saturating_mul(row)).saturating_add(columns.saturating_mul(column))
        };
        // Each step either goes on or back.
        let (forth, back) = (|step: isize| step.max(0).unsigned_abs(), |step: isize| step.min(0).unsigned_abs());
        sum(self.first, self.row, self.column).saturating_add(channels) <= len
            && sum(self.other_first, forth(self.other_row), forth(self.other_column)).saturating_add(channels) <= other
            && sum(0, back(self.other_row), back(self.other_column)) <= self.other_first
    }
}

/// Set in the index of a maximum that is zero: behind ReLU, a closed gate.
pub const CLOSED: u32 = 1 << 31;

/// A window of an image, `rows` by `columns`, of at least one element.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Rows of the window.
    pub rows: usize,
    /// Columns of the window.
    pub columns: usize,
    /// Inputs from a row to the next.
    pub row_step: usize,
    /// Inputs from a column to the next.
    pub column_step: usize,
}

impl Window {
    /// Whether a window of so many channels, and its place, lie within so many inputs.
    fn fits(&self, first: usize, place: Option<usize>, x: usize, channels: usize) -> bool {
        let (Some(rows), Some(columns)) = (self.rows.checked_sub(1), self.columns.checked_sub(1)) else { return false };
        let last = rows.saturating_mul(self.row_step).saturating_add(columns.saturating_mul(self.column_step));
        let inside = |at: usize| at.saturating_add(channels) <= x;
        inside(first.saturating_add(last)) && place.is_none_or(inside)
    }
}

/// Whether there are `rows` of `columns` elements, at least one of both, the rows `stride` apart, within so many elements.
fn has_rows(rows: usize, columns: usize, stride: usize, len: usize) -> bool {
    rows > 0 && columns > 0 && (rows - 1).saturating_mul(stride).saturating_add(columns) <= len
}

/// Leaves in `y` what sums start from.
fn begin(start: Start<'_>, y: &mut [f32]) {
    match start {
        Start::Zero => y.fill(0.0),
        Start::At(values) => copy(values, y),
        Start::Kept => {}
    }
}

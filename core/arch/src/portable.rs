//! The loops in plain Rust, written so that compilers vectorise them.

pub(crate) mod conv;
mod dense;
pub(crate) mod depthwise;
mod descent;
pub(crate) mod pass;
pub(crate) mod pool;

pub use conv::{descend_sums, meet, meet_input, sums};
pub use dense::{add_outer, add_outer_rows, descend_outer, descend_rows, dot, outer, outer_rows, product};
pub use depthwise::{add_window, meet_window};
pub use descent::{copy, descend, magnitude, sqrt};
pub use pass::relu;
pub use pool::window_max;

/// Outputs computed together: their sums stay in registers while the weights stream past.
const TILE: usize = 8;
/// Lanes of a dot product.
pub const LANES: usize = 4;

/// The sum of the lanes.
pub fn join([a, b, c, d]: [f32; LANES]) -> f32 {
    (a + c) + (b + d)
}

//! The arithmetic, on slices, shared by all shapes.
//!
//! Every kernel fixes the order of its sums: multiply, then add, never fused, never reassociated, so that each platform
//! computes the same bits. None indexes, so none can panic.

pub(crate) mod conv;
pub(crate) mod dense;
pub(crate) mod depthwise;
pub(crate) mod descent;
pub(crate) mod elementwise;
pub(crate) mod embedding;
pub(crate) mod gru;
pub(crate) mod loss;
pub(crate) mod lstm;
pub(crate) mod norm;
pub(crate) mod pad;
pub(crate) mod pool;
pub(crate) mod recurrent;
pub(crate) mod rnn;
pub(crate) mod softmax;

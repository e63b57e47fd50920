//! Each layer alone, at a size that a small board has.

use super::Alone;

/// 64 inputs, 32 outputs.
pub type Dense = Alone<backpass::Dense<32>, [f32; 64]>;
/// 1,024 elements.
pub type Tanh = Alone<backpass::Tanh, [f32; 1024]>;

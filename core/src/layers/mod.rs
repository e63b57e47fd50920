//! The layers, one a file.

pub mod concat;
pub mod conv;
pub mod dense;
pub mod depthwise;
pub mod flatten;
pub mod frozen;
pub mod identity;
pub mod leaky_relu;
pub mod linear;
mod padding;
pub mod pool;
pub mod projection;
pub mod relu;
pub mod residual;
pub mod sigmoid;
pub mod tanh;
mod window;

pub use concat::Concat;
pub use conv::{Conv1d, Conv2d};
pub use dense::{Bias, Dense, NoBias};
pub use depthwise::{DepthwiseConv1d, DepthwiseConv2d};
pub use flatten::Flatten;
pub use frozen::{Frozen, FrozenPrefix, SplitLast, TrainableLast, trainable_last};
pub use identity::{Identity, Keep};
pub use leaky_relu::LeakyRelu;
pub use linear::LinearLayer;
pub use pool::{AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool};
pub use projection::Projection;
pub use relu::Relu;
pub use residual::{Residual, ResidualProjection};
pub use sigmoid::Sigmoid;
pub use tanh::Tanh;

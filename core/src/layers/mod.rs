//! The layers, one a file.

pub mod dense;
pub mod flatten;
pub mod leaky_relu;
pub mod relu;
pub mod sigmoid;
pub mod tanh;

pub use dense::{Bias, Dense, NoBias};
pub use flatten::Flatten;
pub use leaky_relu::LeakyRelu;
pub use relu::Relu;
pub use sigmoid::Sigmoid;
pub use tanh::Tanh;

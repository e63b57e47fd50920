//! ONNX files: the network itself and its values, from PyTorch's and other exporters, and back for ONNX Runtime and Netron.
//!
//! [`read`] follows the graph from its one input to its one output. It takes what exporters write for the layers of a
//! [line](crate::network::line): `Gemm`, `MatMul` with `Add`, `Conv` (also with as many groups as channels), pools, `ReduceMean` over
//! positions, `BatchNormalization`, `LayerNormalization` over channels, `GRU` (`linear_before_reset` 1), `LSTM`, `RNN`, softmax, and
//! activations as operators or as formulas; `Flatten`, `Reshape`, `Transpose`, `Squeeze` and others between them, and constants that are
//! computed; and residual connections, in which an `Add` brings two branches of one value together. A tensor's axes are followed, so a dense layer behind a flatten of `[channel][step]` gets its rows in the
//! learner's order, `[step][channel]`.
//!
//! [`write()`] writes operator set 17 with the sample as PyTorch has it: `[batch]`, channels, then positions.

mod axes;
mod cell;
mod constant;
mod elementwise;
mod fold;
mod function;
mod graph;
mod operators;
mod proto;
mod read;
mod residual;
mod walk;
mod write;

pub use read::read;
pub use write::write;

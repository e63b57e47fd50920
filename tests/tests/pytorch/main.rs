//! Outputs, losses, gradients and optimizer steps against PyTorch's, as `reference/generate.py` wrote them: one module an area.

mod activations;
mod basic;
mod conv;
mod harness;
mod recurrent;

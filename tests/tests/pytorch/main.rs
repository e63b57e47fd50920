//! Outputs, losses, gradients and optimizer steps against PyTorch's, as `reference/generate.py` wrote them: one module an area.

mod activations;
mod average_pool;
mod basic;
mod conv;
mod harness;
mod loss;
mod negative_log_likelihood;
mod norm;
mod optimizer;
mod pool;
mod recurrent;
mod structure;

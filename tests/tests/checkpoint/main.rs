//! Checkpoints: training goes on bit for bit, and what an earlier version saved is loaded.

mod harness;
mod recorded;
mod resume;

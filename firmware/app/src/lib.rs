//! The applications that a board runs, independent of any board.
//!
//! A board's binary brings pins, clocks and a log; the host twin brings a terminal. Both call the same functions here, so
//! what is simulated is what is flashed.

#![no_std]

#[cfg(test)]
extern crate std;

pub mod anomaly;
pub mod boards;
pub mod device;
pub mod digits;
pub mod every;
mod fingerprint;
pub mod gesture;
pub mod live;
pub mod mlperf_tiny;
pub mod ram_flash;
pub mod resume;
pub mod scene;
pub mod session;
pub mod stream;
pub mod workloads;

pub use fingerprint::parameters_crc32;

//! The host twin of backpass.
pub mod report;

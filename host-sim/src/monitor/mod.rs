//! Watches a board learn: from what it says in its log to loss, accuracy, confusion, refusals and RAM.
//!
//! A [`Source`] gives [`Entry`]s, from a board over a [link](crate::link) or from a [recording](Recording); the [`State`] is what they add
//! up to, and [`draw`] shows it in a terminal. [`Metrics`] says which words of a message mean something.

mod confusion;
mod curve;
mod metrics;
mod ram;
mod recording;
mod source;
mod state;
mod view;

pub use confusion::Confusion;
pub use curve::Curve;
pub use metrics::Metrics;
pub use ram::StaticRam;
pub use recording::{Recorder, Recording, RecordingError};
pub use source::Source;
pub use state::{Entry, State};
pub use view::{draw, summary, text};

//! Projects for a board, written from templates: a network that learns what comes over the board's serial line.
//!
//! The templates are the files in `host-sim/templates`; `{{name}}` in them is replaced. The application is
//! [`backpass_app::stream`].

mod board;
mod plan;
pub mod weights;
mod write;

pub use board::Board;
pub use plan::{Goal, Origin, Plan};
pub use write::{File, files, write};

use std::path::PathBuf;

use crate::budget::ChoiceError;
use crate::formats::Problems;

/// Bytes of the stack, as the boards of this project have it.
pub const STACK: usize = 16 << 10;
/// Bytes of flash that clocks, drivers, protocol, checkpoints and words take beside the estimate of the learner's code: a little more than the
/// images of these projects have (118 KB on a micro:bit v2 and a Pico, of which 34 are the learner's by the estimate).
const DRIVERS: usize = 96 << 10;

/// Seconds of a step, by the estimate: half of what the boards' watchdogs wait.
const LONGEST_STEP: f64 = 4.0;

/// Why there is no project.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// The name is none for a package.
    #[error("`{name}` is no name for a project: {problem}; give another folder, or --name")]
    Name {
        /// The name.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The folder has something in it.
    #[error("{} is not empty: give another folder, or --force to write into it", path.display())]
    NotEmpty {
        /// Which.
        path: PathBuf,
    },
    /// The network cannot learn towards that goal.
    #[error("{0}")]
    Goal(String),
    /// The network has no such choice.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// The network does not fit.
    #[error("the network does not fit {board}: {needed} bytes of {what} are needed, {there} are there; {help}")]
    DoesNotFit {
        /// The board.
        board: &'static str,
        /// RAM or flash.
        what: &'static str,
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        there: usize,
        /// What would help.
        help: String,
    },
    /// A step takes so long that the watchdog would take it for a fault.
    #[error(
        "a step of the network takes about {seconds:.0} s on {board}, by the estimate, at most {most} are possible; {help}"
    )]
    TooSlow {
        /// The board.
        board: &'static str,
        /// How long.
        seconds: f64,
        /// How long it may take.
        most: f64,
        /// What would help.
        help: String,
    },
    /// No checkout of this project was found.
    #[error("there is no checkout of backpass in {}: give the folder of one, or its Git address, with --backpass", path.display())]
    NoCheckout {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The trained parameters do not fit the network.
    #[error(transparent)]
    Weights(#[from] Problems),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

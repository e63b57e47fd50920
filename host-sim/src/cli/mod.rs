//! Commands and their options.

mod anomaly;
mod bench;
mod board;
mod find_rate;
mod gesture;
mod live;
mod reliability;
pub(crate) mod screen;
mod seeds;
mod stream;
mod sweep;
mod train;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Trains neural networks as a microcontroller does, bit for bit, and shows how it went.
///
/// Without a command it trains the built-in handwritten digits, like `train`.
#[derive(Debug, Parser)]
#[command(name = "backpass-sim", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    train: train::Train,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a 64-W-10 network on the built-in digits or a CSV file, and write a report.
    Train(train::Train),
    /// Train with several seeds and print each accuracy and their mean.
    Seeds(seeds::Seeds),
    /// Train with many seeds, learning rates, optimizers and widths, and find the best setting; or find the learning rate.
    Sweep(sweep::Sweep),
    /// Run the digits application on an emulated board and compare every parameter with the host twin.
    Board(board::Board),
    /// Count the instructions of training steps on emulated cores, and time them here.
    Bench(bench::Bench),
    /// Teach a simulated board gestures from real recordings, by its buttons, and test it.
    Gesture(gesture::Gesture),
    /// Let a simulated board learn what is normal, and find what is not.
    Anomaly(anomaly::Anomaly),
    /// Send recordings to a board over a serial line: it learns them, whatever the line loses.
    Stream(stream::Stream),
    /// Try power cuts, bit flips, kills and bad input by the hundred thousand, and count what fails.
    Reliability(reliability::Reliability),
}

impl Cli {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        match self.command.unwrap_or(Command::Train(self.train)) {
            Command::Train(train) => train.run(),
            Command::Seeds(seeds) => seeds.run(),
            Command::Sweep(sweep) => sweep.run(),
            Command::Board(board) => board.run(),
            Command::Bench(bench) => bench.run(),
            Command::Gesture(gesture) => gesture.run(),
            Command::Anomaly(anomaly) => anomaly.run(),
            Command::Stream(stream) => stream.run(),
            Command::Reliability(reliability) => reliability.run(),
        }
    }
}

/// A number above 0.
fn positive(text: &str) -> Result<f32, String> {
    number(text, |value| value > 0.0, "a number above 0")
}

/// A number of at least 0.
fn not_negative(text: &str) -> Result<f32, String> {
    number(text, |value| value >= 0.0, "a number of at least 0")
}

/// A number of at least 0 and below 1.
fn fraction(text: &str) -> Result<f32, String> {
    number(text, |value| (0.0..1.0).contains(&value), "a number of at least 0 and below 1")
}

fn number(text: &str, fits: impl Fn(f32) -> bool, expected: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if value.is_finite() && fits(value) => Ok(value),
        _ => Err(format!("expected {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_options_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        assert_eq!(positive("0.5"), Ok(0.5));
        for text in ["0", "-1", "nan", "inf", "1e99", "x", ""] {
            assert!(positive(text).is_err(), "{text}");
        }
        assert_eq!(fraction("0"), Ok(0.0));
        assert!(fraction("1").is_err() && not_negative("-0.1").is_err());
    }
}

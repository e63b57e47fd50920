//! Commands and their options.

mod anomaly;
mod bench;
mod beside;
mod board;
mod budget;
mod diagnose;
mod explain;
mod export;
mod find_rate;
mod gesture;
mod import;
mod live;
mod models;
mod monitor;
mod new;
mod reliability;
pub(crate) mod screen;
mod seeds;
mod stream;
mod sweep;
mod terminal;
mod train;

use std::error::Error;
use std::process::ExitCode;

use backpass_sim::network::Rule;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand, ValueEnum};

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
    /// Say what a network needs, part by part, and which microcontroller has it.
    Budget(budget::BudgetCommand),
    /// Write a project for a board: a network that learns what comes over its serial line.
    New(new::New),
    /// Count the instructions of training steps on emulated cores, and time them here.
    Bench(bench::Bench),
    /// Teach a simulated board gestures from real recordings, by its buttons, and test it.
    Gesture(gesture::Gesture),
    /// Let a simulated board learn what is normal, and find what is not.
    Anomaly(anomaly::Anomaly),
    /// Send recordings to a board over a serial line: it learns them, whatever the line loses.
    Stream(stream::Stream),
    /// Watch a board learn: loss, accuracy, confusion, refusals and RAM, from its log, as it comes.
    Monitor(Box<monitor::Monitor>),
    /// Write out one training step of a small network: forward, chain rule, update, finite differences.
    Explain(explain::Explain),
    /// Find out why a network does not learn your data, and what to change.
    Diagnose(diagnose::Diagnose),
    /// Bring a model from PyTorch, Keras or ONNX to a board: as a checkpoint, an image or Rust.
    Import(import::Import),
    /// Open what a board learned in PyTorch, ONNX Runtime or Netron.
    Export(export::Export),
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
            Command::Budget(budget) => budget.run(),
            Command::New(new) => new.run(),
            Command::Bench(bench) => bench.run(),
            Command::Gesture(gesture) => gesture.run(),
            Command::Anomaly(anomaly) => anomaly.run(),
            Command::Stream(stream) => stream.run(),
            Command::Monitor(monitor) => monitor.run(),
            Command::Explain(explain) => explain.run(),
            Command::Diagnose(diagnose) => diagnose.run(),
            Command::Import(import) => import.run(),
            Command::Export(export) => export.run(),
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

/// The names of the rules that `takes` wants, which `--help` lists.
fn rules(takes: fn(Rule) -> bool) -> impl TypedValueParser<Value = Rule> {
    let taken = Rule::value_variants().iter().filter(move |rule| takes(**rule));
    PossibleValuesParser::new(taken.filter_map(Rule::to_possible_value)).try_map(Rule::try_from)
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

    #[test]
    fn a_command_takes_the_rules_that_it_can_do_something_with() {
        let takes = |command: &str, rule: &str| {
            Cli::try_parse_from(format!("backpass-sim {command} {rule}").split(' ')).is_ok()
        };
        let learned = "sgd momentum nesterov rmsprop adagrad adam lion";
        let gradients = "sgd momentum nesterov rmsprop momentum-rmsprop adagrad adadelta adam adamw amsgrad lion lars";
        let all = format!("in-place {gradients} centered-rmsprop centered-momentum-rmsprop");
        let cases = [
            ("train --optimizer", learned, "lars in-place"),
            ("sweep --optimizers", learned, "lars in-place"),
            ("sweep --find-rate --optimizer", learned, "lars in-place"),
            ("diagnose --optimizer", learned, "lars in-place"),
            ("budget --application digits --optimizer", gradients, "in-place sgdm"),
            ("new x --board qemu --network n --optimizer", gradients, "in-place sgdm"),
            ("import x --to checkpoint -o y --optimizer", &all, "sgdm"),
        ];
        for (command, taken, refused) in cases {
            for rule in taken.split(' ') {
                assert!(takes(command, rule), "{command} {rule}");
            }
            for rule in refused.split(' ') {
                assert!(!takes(command, rule), "{command} {rule}");
            }
        }
    }

    /// The arguments of each command for this program in a page's code, in blocks of shell and in the text.
    fn commands(page: &str) -> Vec<String> {
        let page = page.replace("\\\n", " ");
        let pieces = page.split(['\n', '`']);
        pieces
            .filter_map(|line| {
                let rest = line.trim().strip_prefix("cargo run --release")?;
                let rest = rest.strip_prefix(" -p backpass-sim").unwrap_or(rest);
                rest.strip_prefix(" -- ").or_else(|| rest.trim().is_empty().then_some(""))
            })
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn commands_of_the_book_are_understood() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let chapters = std::fs::read_dir(root.join("docs/src")).unwrap().map(|entry| entry.unwrap().path());
        let mut parsed = 0;
        for path in
            chapters.chain([root.join("README.md")]).filter(|path| path.extension().is_some_and(|end| end == "md"))
        {
            for line in commands(&std::fs::read_to_string(&path).unwrap()) {
                let words = shlex::split(&line).unwrap_or_else(|| panic!("{}: {line}", path.display()));
                let arguments = words.iter().map(String::as_str).take_while(|word| !["|", ">", "&&"].contains(word));
                let result = Cli::try_parse_from(["backpass-sim"].into_iter().chain(arguments));
                let is_fine =
                    result.as_ref().err().is_none_or(|error| error.kind() == clap::error::ErrorKind::DisplayHelp);
                assert!(is_fine, "{}: {line}\n{}", path.display(), result.unwrap_err());
                parsed += 1;
            }
        }
        assert!(parsed > 20, "only {parsed} commands were found");
    }
}

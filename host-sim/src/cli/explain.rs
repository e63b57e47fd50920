//! `explain`: one training step, written out.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use backpass::Rng;
use backpass_sim::explain::{Explanation, Setup};
use backpass_sim::network::model::{Loss, Target};
use backpass_sim::network::{Network, Rule};
use clap::{Args, ValueEnum};

use super::screen::Screen;
use super::{positive, rules};

/// The network that is explained if none is given, and its sample.
const NETWORK: &str = "2 dense(3) tanh dense(1)";
const INPUT: [f64; 2] = [0.5, -1.0];
const TARGET: f64 = 1.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LossName {
    /// Softmax cross-entropy on logits; the target is a class, or a probability for each output
    CrossEntropy,
    /// Mean squared error; the target is a number for each output
    Mse,
    /// Sigmoid cross-entropy on logits; the target is a probability for each output
    BinaryCrossEntropy,
}

/// Options of `explain`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  backpass-sim explain\n  \
    backpass-sim explain -o step.html\n  \
    backpass-sim explain --network \"3 dense(4) relu dense(2)\" --input 0.5,-1,2 --target 1 --optimizer adam --learning-rate 0.05\n  \
    backpass-sim explain --network \"1x8 conv1d(2,3) relu gru(3) dense(2)\" --seed 5 --all\n\n\
    Exit codes: 0 explained, 2 an error.")]
pub(crate) struct Explain {
    /// The network: a sample's shape and layers, such as "3x100 conv1d(8,5) relu maxpool(2) dense(4)" [default: a built-in 2-3-1 network, "2 dense(3) tanh dense(1)"]
    #[arg(long, value_name = "LINE")]
    network: Option<String>,
    /// Seed of the weights, which are drawn as the learner draws them
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The sample: numbers separated by commas, channels last (each step's channels, each pixel's channels) [default: 0.5,-1 for the built-in network, else drawn from the seed]
    #[arg(long, value_name = "NUMBERS", allow_hyphen_values = true)]
    input: Option<String>,
    /// What the network should say: a class (0 or more) for cross-entropy, or a number for each output [default: class 0, or 1 for each output]
    #[arg(long, value_name = "CLASS or NUMBERS", allow_hyphen_values = true)]
    target: Option<String>,
    /// The loss [default: cross-entropy for a network with several outputs and a class as target, else mse]
    #[arg(long, value_enum)]
    loss: Option<LossName>,
    /// Rule of descent: the first step by it, with its usual settings
    #[arg(long, default_value_t = Rule::Sgd, value_parser = rules(Rule::has_gradients))]
    optimizer: Rule,
    /// Learning rate of the step
    #[arg(long, value_name = "RATE", default_value_t = 0.1, allow_negative_numbers = true, value_parser = positive)]
    learning_rate: f32,
    /// Write a page with drawings of the network too
    #[arg(short, long, value_name = "FILE.html")]
    output: Option<PathBuf>,
    /// Show every number of large layers
    #[arg(long)]
    all: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let network = Network::from_line(self.network.as_deref().unwrap_or(NETWORK))?;
        let setup = self.setup(&network)?;
        let mut screen = Screen::new(self.json);
        screen.start(1, "finite differences");
        let started = std::time::Instant::now();
        let explanation = Explanation::new(network, setup, &mut |taken, total| {
            if taken % 64 == 0 && started.elapsed().as_millis() > 300 {
                screen.progress_of(taken as u64, total as u64);
            }
        })?;
        screen.finish();
        screen.line(format!("One training step of {}\n", explanation.network));
        screen.line(explanation.text(self.all));
        if self.json {
            screen.json(&serde_json::to_value(&explanation)?);
        }
        if let Some(path) = &self.output {
            write(path, &explanation.page(self.all))?;
            screen.line(format!("wrote {}", path.display()));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn setup(&self, network: &Network) -> Result<Setup, Box<dyn Error>> {
        let outputs = network.output().count();
        let target = match &self.target {
            Some(text) => Some(self.read_target(text, outputs)?),
            None => None,
        };
        let class = !matches!(target, Some(Target::Values(_)));
        let loss = match self.loss {
            Some(LossName::CrossEntropy) => Loss::CrossEntropy,
            Some(LossName::Mse) => Loss::MeanSquaredError,
            Some(LossName::BinaryCrossEntropy) => Loss::BinaryCrossEntropy,
            None if outputs > 1 && class && network.output().axes().len() == 1 => Loss::CrossEntropy,
            None => Loss::MeanSquaredError,
        };
        let usual = if loss == Loss::CrossEntropy { Target::Class(0) } else { Target::Values(vec![TARGET; outputs]) };
        let input = match &self.input {
            Some(text) => numbers(text, "--input")?,
            None if self.network.is_none() => INPUT.to_vec(),
            None => {
                // Two digits behind the point, so that they can be followed by hand.
                let mut rng = Rng::new(!self.seed);
                let draw = |_| (f64::from(rng.symmetric(1.0)) * 100.0).round() / 100.0;
                (0..network.input().count()).map(draw).collect()
            }
        };
        let learning_rate = self.learning_rate.to_string().parse()?;
        Ok(Setup {
            seed: self.seed,
            input,
            target: target.unwrap_or(usual),
            loss,
            optimizer: self.optimizer,
            learning_rate,
        })
    }

    /// A class where one is meant: a single whole number, unless the loss or a single output wants a value.
    fn read_target(&self, text: &str, outputs: usize) -> Result<Target, Box<dyn Error>> {
        let wants_class = match self.loss {
            Some(loss) => loss == LossName::CrossEntropy,
            None => outputs > 1,
        };
        if wants_class && !text.contains(',') {
            let class = text.trim().parse::<usize>();
            return Ok(Target::Class(class.map_err(|_| {
                format!(
                    "--target {text}: expected a class, 0 to {}, or {outputs} numbers separated by commas",
                    outputs - 1
                )
            })?));
        }
        Ok(Target::Values(numbers(text, "--target")?))
    }
}

fn numbers(text: &str, option: &str) -> Result<Vec<f64>, String> {
    let parts = text.split(',').map(str::trim).zip(1..);
    let read = |(part, at): (&str, usize)| {
        let value: f64 = part.parse().map_err(|_| {
            format!(
                "{option}: number {at}, \"{part}\", is no number; expected numbers separated by commas, such as 0.5,-1"
            )
        })?;
        // The learner has f32.
        if (value as f32).is_finite() {
            Ok(value)
        } else {
            Err(format!("{option}: number {at}, {part}, is not finite: the learner's numbers go up to 3.4e38"))
        }
    };
    parts.map(read).collect()
}

fn write(path: &Path, page: &str) -> Result<(), String> {
    std::fs::write(path, page)
        .map_err(|error| format!("cannot write {}: {error}; name another file with -o", path.display()))
}

//! `train`: a network learns the digits or the user's own data.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use backpass_app::digits;
use backpass_app::session::Event;
use backpass_sim::formats::{Model, checkpoint};
use backpass_sim::network::{Network, Rule};
use backpass_sim::sweep::{Descent, Width};
use backpass_sim::{Dataset, Outcome, Plan};
use clap::Args;
use serde_json::json;

use super::screen::{Screen, confusion, memory, thousands};
use super::{fraction, not_negative, positive, rules};

/// What to train with and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct Training {
    /// Times every training sample is seen
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = digits::PLAN.epochs, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Samples to an update; their mean gradient is followed
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = digits::PLAN.batch, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Rule of descent
    #[arg(long, default_value_t = Rule::Momentum, value_parser = rules(is_built))]
    optimizer: Rule,
    /// Hidden neurons: the W of the 64-W-10 network, one of 4, 8, 16, 24, 32, 48, 64, 96, 128
    #[arg(long, value_name = "W", allow_negative_numbers = true, default_value_t = Width::W32)]
    width: Width,
    /// Learning rate [default: sgd 0.1, momentum, nesterov and adagrad 0.03, adam 0.003, rmsprop and lion 0.001]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = positive)]
    learning_rate: Option<f32>,
    /// Momentum, with the optimizers momentum and nesterov [default: 0.9]
    #[arg(long, value_name = "M", allow_negative_numbers = true, value_parser = fraction)]
    momentum: Option<f32>,
    /// Decoupled weight decay: every update first multiplies the parameters by 1 - rate * decay
    #[arg(long, value_name = "DECAY", default_value_t = 0.0, allow_negative_numbers = true, value_parser = not_negative)]
    weight_decay: f32,
    /// Train on this CSV file instead of the built-in digits: a row has 64 features and a label 0 to 9; a header row is
    /// optional; a fifth of the rows, chosen by a seeded shuffle, is kept for the test
    #[arg(long, value_name = "FILE.csv")]
    data: Option<PathBuf>,
}

/// Options of `train`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  backpass-sim train --optimizer adam --epochs 40 --seed 3 --report my-report
  backpass-sim train --load imported.bin --epochs 5 --save learned.bin")]
pub(crate) struct Train {
    #[command(flatten)]
    training: Training,
    /// Seed of the weights and of the order of the samples; the same seed gives the same bits
    #[arg(long, default_value_t = digits::PLAN.seed)]
    seed: u64,
    /// Begin with the parameters of this checkpoint or image, such as one that `import` has made
    #[arg(long, value_name = "FILE")]
    load: Option<PathBuf>,
    /// Write what was learned as a checkpoint, for a board or `export`; its moments are zero
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Folder of the report: report.html and learning-curve.png
    #[arg(long, value_name = "DIR", default_value = "report")]
    report: PathBuf,
    /// Write no report
    #[arg(long)]
    no_report: bool,
    /// Print nothing but errors (and the object of --json)
    #[arg(long)]
    quiet: bool,
    /// Print one JSON object as the last line of standard output
    #[arg(long)]
    json: bool,
}

impl Training {
    /// Reads the data.
    pub(crate) fn data(&self) -> Result<Dataset<digits::Input>, Box<dyn Error>> {
        read(self.data.as_deref())
    }

    /// The rule with its settings.
    pub(crate) fn descent(&self) -> Result<Descent, Box<dyn Error>> {
        let mut descent = Descent::new(self.optimizer)?;
        if self.momentum.is_some() && !descent.has_momentum() {
            return Err("--momentum goes with --optimizer momentum or nesterov only".into());
        }
        descent.learning_rate = self.learning_rate.unwrap_or(descent.learning_rate);
        descent.momentum = self.momentum.unwrap_or(descent.momentum);
        descent.weight_decay = self.weight_decay;
        Ok(descent)
    }

    /// What is trained with a seed.
    pub(crate) const fn plan(&self, seed: u64) -> Plan {
        Plan { epochs: self.epochs, batch: self.batch, seed }
    }

    /// The network in words that `formats` reads.
    fn network(&self) -> Result<Network, Box<dyn Error>> {
        Ok(format!("64 dense({}) relu dense({})", self.width, digits::CLASSES).parse()?)
    }

    /// The settings in words.
    pub(crate) fn settings(&self, descent: &Descent, data: &Dataset<digits::Input>) -> Vec<(String, String)> {
        let mut rule = descent.rule().to_string();
        if descent.has_momentum() {
            rule += &format!(" {}", descent.momentum);
        }
        let source = source(self.data.as_deref());
        [
            ("data", source),
            ("samples", format!("{} training, {} test", thousands(data.training.len()), thousands(data.test.len()))),
            ("network", format!("64-{}-10, ReLU, softmax cross-entropy", self.width)),
            ("optimizer", rule),
            ("learning rate", descent.learning_rate.to_string()),
            ("weight decay", descent.weight_decay.to_string()),
            ("batch", self.batch.to_string()),
            ("epochs", self.epochs.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    pub(crate) const fn width(&self) -> Width {
        self.width
    }
}

impl Train {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let descent = self.training.descent()?;
        let data = self.training.data()?;
        let mut settings = self.training.settings(&descent, &data);
        settings.push(("seed".to_owned(), self.seed.to_string()));
        let network = self.training.network()?;
        let start = self.load.as_ref().map(|path| super::models::load(path, &network)).transpose()?;
        if !self.no_report {
            prepare(&self.report)?;
        }

        let mut screen = Screen::new(self.quiet);
        for (name, value) in &settings {
            screen.line(format!("{name:<14} {value}"));
        }
        screen.line("\nepoch   training loss   test loss   test accuracy");
        let (outcome, end) = self.train(&descent, start.map(|(model, _)| model.flat()).as_deref(), &data, &mut screen);
        screen.finish();
        screen.line(format!("\n{}\n\n{}", confusion(&outcome), memory(&outcome)));
        let microseconds = outcome.step_time.as_secs_f64() * 1e6;
        screen.line(format!("\none training step takes {microseconds:.2} microseconds on this machine"));
        if outcome.refused > 0 {
            screen.line(format!(
                "warning: {} samples or updates were refused because they were not finite; lower the learning rate",
                outcome.refused
            ));
        }
        screen.line(format!("parameters: CRC-32 {:08x}", outcome.parameters_crc32));
        screen.line(format!("test accuracy: {:.2} %", 100.0 * outcome.test_accuracy()));

        if let Some(path) = &self.save {
            let image = checkpoint::write(&Model::from_flat(network, &end)?, descent.rule());
            std::fs::write(path, image).map_err(|error| format!("{}: {error}", path.display()))?;
            screen.line(format!("wrote {}", path.display()));
        }
        if !self.no_report {
            let mut report = outcome.report(format!("Digits: 64-{}-10", self.training.width));
            report.settings = settings;
            for path in report.write(&self.report)? {
                screen.line(format!("wrote {}", path.display()));
            }
        }
        if self.json {
            screen.json(&self.summary(&outcome));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn train(
        &self,
        descent: &Descent,
        start: Option<&[f32]>,
        data: &Dataset<digits::Input>,
        screen: &mut Screen,
    ) -> (Outcome, Vec<f32>) {
        let samples = data.training.len() as u64;
        screen.start(samples * u64::from(self.training.epochs), "training");
        let screen = &*screen;
        descent.train_from(start, self.training.width, self.training.plan(self.seed), data, &mut |event| match *event {
            Event::Trained { epoch, seen, loss, .. } => {
                screen.progress(u64::from(epoch - 1) * samples + u64::from(seen), format!("loss {loss:.4}"));
            }
            Event::Epoch(epoch) => screen.line(format!(
                "{:>5} {:>15.4} {:>11.4} {:>13.2} %",
                epoch.epoch,
                epoch.training_loss,
                epoch.test_loss,
                100.0 * epoch.test_accuracy()
            )),
            _ => {}
        })
    }

    fn summary(&self, outcome: &Outcome) -> serde_json::Value {
        json!({
            "test_accuracy": outcome.test_accuracy(),
            "test_loss": outcome.test_loss(),
            "epochs": outcome.epochs.len(),
            "seed": self.seed,
            "parameters_crc32": format!("{:08x}", outcome.parameters_crc32),
            "ram_bytes": outcome.ram_bytes(),
            "refused": outcome.refused,
            "microseconds_per_step": outcome.step_time.as_secs_f64() * 1e6,
        })
    }
}

/// Whether the digits can be learned by a rule.
pub(crate) fn is_built(rule: Rule) -> bool {
    Descent::new(rule).is_ok()
}

/// Reads a CSV file, or takes the built-in digits.
pub(crate) fn read(path: Option<&Path>) -> Result<Dataset<digits::Input>, Box<dyn Error>> {
    path.map_or_else(|| Ok(Dataset::digits()), |path| Ok(Dataset::from_csv(path, digits::CLASSES)?))
}

/// Where the data come from, in words.
pub(crate) fn source(path: Option<&Path>) -> String {
    path.map_or_else(|| "handwritten digits (UCI)".to_owned(), |path| path.display().to_string())
}

/// Makes the report's folder before the training, so that a bad one is found at once.
pub(crate) fn prepare(folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder).map_err(|error| {
        format!("cannot make the folder {} for the report: {error}; name another with --report", folder.display())
            .into()
    })
}

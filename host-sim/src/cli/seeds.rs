//! `seeds`: is a result luck?

use std::error::Error;
use std::process::ExitCode;

use backpass_sim::sweep::Statistics;
use clap::Args;
use serde_json::json;

use super::screen::Screen;
use super::train::Training;

/// Options of `seeds`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  backpass-sim seeds --from 1 --to 10 --optimizer adam")]
pub(crate) struct Seeds {
    /// First seed
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Last seed
    #[arg(long, default_value_t = 10)]
    to: u64,
    #[command(flatten)]
    training: Training,
    /// Print nothing but errors (and the object of --json)
    #[arg(long)]
    quiet: bool,
    /// Print one JSON object as the last line of standard output
    #[arg(long)]
    json: bool,
}

impl Seeds {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        if self.from > self.to {
            return Err(format!("--from {} is after --to {}", self.from, self.to).into());
        }
        let descent = self.training.descent()?;
        let data = self.training.data()?;
        let mut screen = Screen::new(self.quiet);
        for (name, value) in self.training.settings(&descent, &data) {
            screen.line(format!("{name:<14} {value}"));
        }
        screen.line("\n seed   test loss   test accuracy");
        screen.start((self.to - self.from).saturating_add(1), "seeds");
        let mut accuracies = Vec::new();
        for seed in self.from..=self.to {
            let (width, plan) = (self.training.width(), self.training.plan(seed));
            let outcome = descent.train(width, plan, &data, &mut |_| {});
            accuracies.push(f64::from(outcome.test_accuracy()));
            screen.line(format!("{seed:>5} {:>11.4} {:>13.2} %", outcome.test_loss(), 100.0 * outcome.test_accuracy()));
            screen.progress(accuracies.len() as u64, format!("{} epochs each", plan.epochs));
        }
        screen.finish();
        let Statistics { mean, lowest, standard_deviation: deviation } = Statistics::of(&accuracies);
        screen.line(format!(
            "\nmean {:.2} %, standard deviation {:.2} points, lowest {:.2} %",
            100.0 * mean,
            100.0 * deviation,
            100.0 * lowest
        ));
        if self.json {
            screen.json(&json!({
                "seeds": accuracies.len(),
                "mean_test_accuracy": mean,
                "standard_deviation": deviation,
                "lowest_test_accuracy": lowest,
                "test_accuracies": accuracies,
            }));
        }
        Ok(ExitCode::SUCCESS)
    }
}

//! `sweep --find-rate`: which learning rate?

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use backpass_app::digits;
use backpass_sim::network::Rule;
use backpass_sim::report::RateReport;
use backpass_sim::sweep::{RateCurve, RateSearch, Setting, Width};
use clap::Args;
use serde_json::json;

use super::screen::{Screen, thousands};
use super::sweep::train_command;
use super::train::{is_built, prepare, read, source};
use super::{positive, rules};

/// Options of the search.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// Find the learning rate: train once while the rate grows exponentially, and see where the loss falls and where it
    /// rises again (L. Smith, 2015); --json prints the rates and the curve
    #[arg(long)]
    pub(crate) find_rate: bool,
    /// Rule of descent, with --find-rate
    #[arg(long, default_value_t = Rule::Momentum, value_parser = rules(is_built), requires = "find_rate")]
    optimizer: Rule,
    /// Hidden neurons, with --find-rate
    #[arg(long, value_name = "W", default_value_t = Width::W32, requires = "find_rate")]
    width: Width,
    /// Rate of the first step, with --find-rate
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, default_value_t = 1e-5, value_parser = positive, requires = "find_rate")]
    lowest_rate: f32,
    /// Rate of the last step, with --find-rate
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, default_value_t = 10.0, value_parser = positive, requires = "find_rate")]
    highest_rate: f32,
}

/// Epochs of a search where nothing else is asked for.
const EPOCHS: u32 = 2;

impl Search {
    #[expect(clippy::too_many_arguments, reason = "options that it shares with the sweep")]
    pub(crate) fn run(
        &self,
        path: Option<&Path>,
        epochs: Option<u32>,
        seed: u64,
        batch: u32,
        folder: Option<&Path>,
        screen: &mut Screen,
        as_json: bool,
    ) -> Result<ExitCode, Box<dyn Error>> {
        let search = RateSearch {
            optimizer: self.optimizer,
            width: self.width,
            batch,
            epochs: epochs.unwrap_or(EPOCHS),
            seed,
            lowest: self.lowest_rate,
            highest: self.highest_rate,
        };
        let data = read(path)?;
        folder.map_or(Ok(()), prepare)?;
        let steps = search.steps(data.training.len());
        let settings = [
            ("data", source(path)),
            ("network", format!("64-{}-10, ReLU, softmax cross-entropy", search.width)),
            ("optimizer", search.optimizer.to_string()),
            ("batch", batch.to_string()),
            ("learning rates", format!("{:e} to {:e}", search.lowest, search.highest)),
            ("steps", format!("{} in {} epochs", thousands(steps), search.epochs)),
            ("seed", seed.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        for (name, value) in &settings {
            screen.line(format!("{name:<14} {value}"));
        }
        screen.wait("training while the rate grows".to_owned());
        let curve = search.run(&data.training)?;
        screen.finish();
        let command = curve.suggested.map(rounded).map(|learning_rate| {
            let setting = Setting { optimizer: search.optimizer, learning_rate, width: search.width, batch };
            train_command(path, &setting, digits::PLAN.epochs, seed)
        });
        let advice = advice(&search, &curve, command.as_deref());
        screen.line(format!("\n{}\n\n{}", table(&curve), advice.join("\n")));
        if as_json {
            screen.json(&json!({
                "suggested_rate": curve.suggested,
                "lowest_loss_rate": curve.minimum,
                "diverges_at_rate": curve.diverges,
                "command": command,
                "points": curve.points,
            }));
        }
        if let Some(folder) = folder {
            let title = format!("Digits: 64-{}-10 with {}", search.width, search.optimizer);
            for path in (RateReport { title, curve, advice, settings }).write(folder)? {
                screen.line(format!("wrote {}", path.display()));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Two digits: the search is no more exact than that.
fn rounded(rate: f32) -> f32 {
    format!("{rate:.1e}").parse().unwrap_or(rate)
}

fn advice(search: &RateSearch, curve: &RateCurve, command: Option<&str>) -> Vec<String> {
    let mut advice = match (curve.suggested, curve.minimum, command) {
        (Some(suggested), Some(minimum), Some(command)) => vec![
            format!(
                "Suggested learning rate: {}, where the loss falls most steeply; it is lowest at {}.",
                rounded(suggested),
                rounded(minimum)
            ),
            format!("Train with it: {command}"),
        ],
        _ => vec![format!(
            "No rate is suggested: the loss hardly falls between {:e} and {:e}. Ask for other rates with --lowest-rate and \
             --highest-rate, or for more --epochs; if that does not help, look at the data.",
            search.lowest, search.highest
        )],
    };
    advice.push(match curve.diverges {
        Some(rate) => {
            format!("It diverges at {}: the loss has lost half of its fall there, or is not finite.", rounded(rate))
        }
        None => format!("It does not diverge up to {:e}.", search.highest),
    });
    advice
}

/// About twenty points of the curve, each with a bar as long as the smoothed loss is high.
fn table(curve: &RateCurve) -> String {
    let highest = curve.points.iter().take(curve.points.len() / 2).map(|point| point.smoothed).fold(0.0, f64::max);
    let mut lines = vec!["    rate   smoothed loss".to_owned()];
    for point in curve.points.iter().step_by(curve.points.len().div_ceil(20).max(1)) {
        let length = (30.0 * point.smoothed / highest.max(f64::MIN_POSITIVE)).clamp(0.0, 40.0) as usize;
        lines.push(format!("{:>8.1e} {:>15.4}   {}", point.learning_rate, point.smoothed, "#".repeat(length)));
    }
    lines.join("\n")
}

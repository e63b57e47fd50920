//! `diagnose`: why does it not learn?

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use backpass_app::digits;
use backpass_sim::data::Table;
use backpass_sim::diagnose::{Diagnosis, Plan, Verdict};
use backpass_sim::network::{Network, Rule};
use backpass_sim::sweep::Descent;
use clap::Args;
use serde_json::json;

use super::screen::{Screen, thousands};
use super::train::is_built;
use super::{positive, rules};

/// Options of `diagnose`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  backpass-sim diagnose mine.csv\n  \
    backpass-sim diagnose mine.csv --network \"6 dense(16) tanh dense(4)\" --optimizer adam --learning-rate 0.003\n  \
    backpass-sim diagnose               # the built-in digits: nothing is found\n\n\
    Exit codes: 0 nothing was found, 1 something was found, 2 an error.")]
pub(crate) struct Diagnose {
    /// CSV file: a row has features and a label, 0 or more; a header row is optional. Values are taken as they stand there [default: the built-in digits]
    #[arg(value_name = "FILE.csv")]
    file: Option<PathBuf>,
    /// The network, such as "6 dense(16) relu dense(4)"; features are in its order, channels last [default: one hidden layer, dense(32) relu]
    #[arg(long, value_name = "LINE")]
    network: Option<String>,
    /// Divide the features by the largest magnitude first, as `train --data` does
    #[arg(long)]
    scale: bool,
    /// Rule of descent
    #[arg(long, default_value_t = Rule::Momentum, value_parser = rules(is_built))]
    optimizer: Rule,
    /// Learning rate to be judged [default: that of `train`]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = positive)]
    learning_rate: Option<f32>,
    /// Samples to an update
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = digits::PLAN.batch, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Updates of the short training
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..))]
    updates: u32,
    /// Seed of the weights and of the order of the samples
    #[arg(long, default_value_t = digits::PLAN.seed)]
    seed: u64,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl Diagnose {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let mut table = match &self.file {
            Some(path) => Table::from_csv(path)?,
            None => Table::digits(),
        };
        if self.scale {
            scale(&mut table);
        }
        let network = match &self.network {
            Some(line) => Network::from_line(line)?,
            None => {
                let classes = table.rows.iter().map(|row| row.class + 1).max().unwrap_or(2).max(2);
                let features = table.rows.first().map_or(1, |row| row.features.len());
                Network::from_line(&format!("{features} dense({}) relu dense({classes})", digits::HIDDEN))?
            }
        };
        let usual = Descent::new(self.optimizer)?.learning_rate;
        let plan = Plan {
            seed: self.seed,
            rule: self.optimizer,
            // As it was written, not as f32 has it.
            rate: self.learning_rate.unwrap_or(usual).to_string().parse()?,
            batch: self.batch as usize,
            updates: self.updates as usize,
        };
        let mut screen = Screen::new(self.json);
        let mut current = "";
        let diagnosis = Diagnosis::new(&network, &table, &plan, &mut |what, done, all| {
            if what != current {
                current = what;
                screen.start(all as u64, what);
            }
            if done % 10 == 0 || done == all {
                screen.progress(done as u64, String::new());
            }
        })?;
        screen.finish();
        let source =
            self.file.as_ref().map_or_else(|| "handwritten digits (UCI)".into(), |path| path.display().to_string());
        if self.json {
            screen.json(&json!({
                "data": source,
                "samples": diagnosis.samples,
                "network": diagnosis.network,
                "optimizer": self.optimizer,
                "learning_rate": plan.rate,
                "batch": plan.batch,
                "updates": plan.updates,
                "seed": plan.seed,
                "found": diagnosis.found(),
                "checks": diagnosis.checks,
            }));
        } else {
            screen.line(format!("data     {source}, {} samples", thousands(diagnosis.samples)));
            screen.line(format!("network  {}", diagnosis.network));
            screen.line(format!(
                "descent  {}, learning rate {}, {} samples to an update",
                plan.rule, plan.rate, plan.batch
            ));
            print(&screen, &diagnosis);
        }
        Ok(ExitCode::from(u8::from(diagnosis.found() > 0)))
    }
}

fn scale(table: &mut Table) {
    let values = table.rows.iter().flat_map(|row| &row.features);
    let largest = values.fold(0.0_f32, |largest, value| largest.max(value.abs()));
    if largest > 0.0 {
        table.rows.iter_mut().flat_map(|row| &mut row.features).for_each(|value| *value /= largest);
    }
}

fn print(screen: &Screen, diagnosis: &Diagnosis) {
    for check in &diagnosis.checks {
        let mark = match check.verdict {
            Verdict::Problem => "PROBLEM",
            Verdict::Warning => "warning",
            Verdict::Ok => "ok",
        };
        screen.line(format!("\n{mark:<8} {}", check.name));
        screen.line(wrap(&check.finding, "         "));
        if let Some(advice) = &check.advice {
            screen.line(wrap(&format!("-> {advice}"), "         "));
        }
    }
    let found = diagnosis.found();
    screen.line(match found {
        0 => "\nnothing was found that keeps this network from learning".to_owned(),
        1 => "\n1 finding".to_owned(),
        _ => format!("\n{found} findings; change the uppermost first, then run this again"),
    });
}

/// Lines of at most 110 characters, broken at spaces.
fn wrap(text: &str, indent: &str) -> String {
    let mut lines = vec![String::from(indent)];
    for word in text.split(' ') {
        let full = lines.last().is_some_and(|line| line.chars().count() + word.chars().count() > 109);
        if full {
            lines.push(format!("{indent}{}", if text.starts_with("->") { "   " } else { "" }));
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(word);
            line.push(' ');
        }
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

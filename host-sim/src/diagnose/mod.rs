//! Why does it not learn? Looks at samples and labels, trains a network for a short while, and says what to change.
//!
//! ```no_run
//! use backpass_sim::data::Table;
//! use backpass_sim::diagnose::{Diagnosis, Plan};
//! use backpass_sim::network::Network;
//!
//! let network = Network::from_line("64 dense(32) relu dense(10)")?;
//! let diagnosis = Diagnosis::new(&network, &Table::digits(), &Plan::default(), &mut |_, _, _| ())?;
//! for check in &diagnosis.checks {
//!     println!("{:?} {}: {}", check.verdict, check.name, check.finding);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod inputs;
mod labels;
mod rate;
mod signals;
#[cfg(test)]
mod tests;
mod training;

use backpass_app::digits;
use serde_json::Value;

use crate::data::Table;
use crate::network::Network;
use crate::network::Rule;
use crate::network::model::Model;
use training::Trainer;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing was found.
    Ok,
    /// It may be in the way of learning.
    Warning,
    /// It keeps the network from learning, or nearly so.
    Problem,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen, in words.
    pub finding: String,
    /// What to change, if anything.
    pub advice: Option<String>,
    /// What was measured.
    pub figures: Value,
}

impl Check {
    fn new(name: &'static str, verdict: Verdict, finding: String, advice: &str, figures: Value) -> Self {
        let advice = (verdict != Verdict::Ok).then(|| advice.to_owned());
        Self { name, verdict, finding, advice, figures }
    }
}

/// How the network is trained for the checks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// The seed of weights and order.
    pub seed: u64,
    /// The rule of descent.
    pub rule: Rule,
    /// Its learning rate.
    pub rate: f64,
    /// Samples to an update.
    pub batch: usize,
    /// Updates.
    pub updates: usize,
}

impl Default for Plan {
    /// What `train` does with the digits, for 600 updates.
    fn default() -> Self {
        Self { seed: 1, rule: Rule::Momentum, rate: 0.03, batch: digits::PLAN.batch as usize, updates: 600 }
    }
}

/// Why nothing can be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiagnoseError {
    /// The samples are not the network's.
    #[error("a sample has {found} features, but the network {network} takes {expected}")]
    Features {
        /// How many a sample has.
        found: usize,
        /// How many the network takes.
        expected: usize,
        /// The network.
        network: String,
    },
    /// The network's output is no vector of logits, one a class.
    #[error(
        "the labels go up to class {class}, so the network must end with a vector of at least {needed} outputs, but it gives {output}"
    )]
    Classes {
        /// The largest class.
        class: usize,
        /// Outputs that are needed.
        needed: usize,
        /// The shape of the output.
        output: String,
    },
    /// There is nothing to tell apart.
    #[error("all samples are of class {0}: there is nothing to tell apart; add samples of another class")]
    OneClass(usize),
}

/// What was found.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Diagnosis {
    /// The network's line.
    pub network: String,
    /// The number of samples.
    pub samples: usize,
    /// The checks: problems, then warnings, then what is in order; causes before their effects.
    pub checks: Vec<Check>,
}

/// A sample of a table, as the model takes it.
#[derive(Debug, Clone, PartialEq)]
struct Sample {
    line: usize,
    x: Vec<f64>,
    class: usize,
}

impl Diagnosis {
    /// Looks at all. `progress` is told what is done, how far it is, and of how much.
    ///
    /// # Errors
    /// If samples and network do not fit.
    pub fn new(
        network: &Network,
        table: &Table,
        plan: &Plan,
        progress: &mut dyn FnMut(&'static str, usize, usize),
    ) -> Result<Self, DiagnoseError> {
        let samples: Vec<Sample> = table
            .rows
            .iter()
            .map(|row| Sample {
                line: row.line,
                x: row.features.iter().copied().map(f64::from).collect(),
                class: row.class,
            })
            .collect();
        check(network, &samples)?;
        let classes = network.output().count();
        let mut checks = inputs::checks(&samples);
        checks.push(labels::balance(&samples, classes));
        checks.push(labels::contradictions(&samples));
        let fresh = Model::new(network.clone(), plan.seed);
        let trainer = Trainer { samples: &samples, plan };
        let mut trained = fresh.clone();
        trainer.train(&mut trained, plan.rate, plan.updates, &mut |done| progress("training", done, plan.updates));
        checks.push(signals::output_layer(&fresh));
        checks.push(labels::noise(&samples, classes, &trained, &mut |done| {
            progress("comparing neighbours", done, samples.len());
        }));
        checks
            .push(rate::range_test(&trainer, &fresh, classes, &mut |done, all| progress("learning rates", done, all)));
        checks.push(signals::activations(&fresh, &trained, &samples));
        checks.push(signals::gradients(&fresh, &trained, &samples));
        checks.push(training::learning(&trained, &samples, classes));
        // Stable: within a verdict, causes stay before their effects.
        checks.sort_by_key(|check| std::cmp::Reverse(check.verdict));
        Ok(Self { network: network.to_string(), samples: samples.len(), checks })
    }

    /// How many checks found something.
    #[must_use]
    pub fn found(&self) -> usize {
        self.checks.iter().filter(|check| check.verdict != Verdict::Ok).count()
    }
}

fn check(network: &Network, samples: &[Sample]) -> Result<(), DiagnoseError> {
    let (found, expected) = (samples.first().map_or(0, |sample| sample.x.len()), network.input().count());
    if found != expected {
        return Err(DiagnoseError::Features { found, expected, network: network.to_string() });
    }
    let class = samples.iter().map(|sample| sample.class).max().unwrap_or(0);
    if samples.iter().all(|sample| sample.class == class) {
        return Err(DiagnoseError::OneClass(class));
    }
    let output = network.output();
    if output.axes().len() > 1 || output.count() <= class {
        return Err(DiagnoseError::Classes { class, needed: class + 1, output: output.to_string() });
    }
    Ok(())
}

/// At most so many samples, evenly spread.
fn some(samples: &[Sample], most: usize) -> Vec<&Sample> {
    let count = samples.len().min(most);
    (0..count).filter_map(|nth| samples.get(nth * samples.len() / count)).collect()
}

/// A few numbers in words: `3, 17, 40, ...`.
fn list(numbers: &[usize]) -> String {
    let mut text = numbers.iter().take(10).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if numbers.len() > 10 {
        text += ", ...";
    }
    text
}

/// A number with three digits that count.
fn short(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".into()
    } else if (0.01..1000.0).contains(&size) {
        format!("{value:.*}", (2 - size.log10().floor() as i32).max(0) as usize)
    } else {
        format!("{value:.1e}")
    }
}

/// A share in percent.
fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

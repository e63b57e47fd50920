//! What another choice would save.

use super::{Budget, Choice, Costs};
use crate::bench::Core;
use crate::network::Rule;

/// Another way to learn, beside the one asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Saving {
    /// The option that asks for it.
    pub option: String,
    /// What it means.
    pub about: &'static str,
    /// RAM of training then, in bytes.
    pub ram: usize,
    /// Bytes of RAM that it saves.
    pub saved: usize,
    /// Bytes of flash that it takes for frozen parameters, beyond those that are there now.
    pub flash: usize,
    /// Its training step, as a share of the one now.
    pub step: f64,
    /// The budget.
    pub budget: Budget,
}

/// What other choices would save, those first that save most; those that save nothing are left out.
#[must_use]
pub fn savings(budget: &Budget, costs: &Costs) -> Vec<Saving> {
    let now = budget.choice();
    let learning = budget.learning();
    let mut choices = Vec::new();
    for last in [1, 2] {
        if last < learning {
            let about = "the layers before are frozen, their parameters lie in flash";
            choices.push((format!("--train-last {last}"), about, Choice { train_last: Some(last), ..now }));
        }
    }
    for rule in [Rule::Sgd, Rule::Momentum] {
        if rule.moments() < now.rule.moments() {
            let about = if rule == Rule::Sgd { "no moments" } else { "one moment" };
            choices.push((format!("--optimizer {rule}"), about, Choice { rule, ..now }));
        }
    }
    if now.rule != Rule::InPlace {
        let about = "plain descent, one sample a step, without a gradient array";
        choices.push(("--in-place".to_owned(), about, Choice { rule: Rule::InPlace, ..now }));
    }
    if !now.bias_only {
        let about = "weights lie in flash, biases learn";
        choices.push(("--bias-only".to_owned(), about, Choice { bias_only: true, ..now }));
    }
    let step = costs.cycles_of(budget).step;
    let mut savings: Vec<_> = choices
        .into_iter()
        .filter_map(|(option, about, choice)| {
            let mut other = Budget::of_stages(&budget.input, budget.stages(), choice).ok()?;
            other.application = budget.application;
            let saved = budget.ram().checked_sub(other.ram()).filter(|saved| *saved > 0)?;
            let ram = other.ram();
            let flash = other.frozen().saturating_sub(budget.frozen());
            Some(Saving { option, about, ram, saved, flash, step: costs.cycles_of(&other).step / step, budget: other })
        })
        .collect();
    savings.sort_by_key(|saving| std::cmp::Reverse(saving.saved));
    savings
}

impl Saving {
    /// Bytes of flash then, on a core.
    #[must_use]
    pub fn flash_of(&self, costs: &Costs, core: Core) -> usize {
        costs.flash(&self.budget, core)
    }
}

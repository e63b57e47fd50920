//! Rules of descent.

use super::super::Role;
use super::{Backward, Model};

/// A rule of descent, with the learner's settings.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub enum Rule {
    /// `w ← w - rate g`.
    Sgd,
    /// `v ← momentum v + g`, `w ← w - rate v`.
    Momentum(f64),
    /// Adam with β₁ 0.9, β₂ 0.999, ε 1e-8.
    Adam,
}

/// A rule with its moments.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimizer {
    /// The rule.
    pub rule: Rule,
    /// The learning rate.
    pub rate: f64,
    first: Vec<Vec<f64>>,
    second: Vec<Vec<f64>>,
    steps: i32,
}

impl Optimizer {
    /// The rule before its first step.
    #[must_use]
    pub fn new(rule: Rule, rate: f64, model: &Model) -> Self {
        let zeros: Vec<Vec<f64>> = model.values().iter().map(|values| vec![0.0; values.len()]).collect();
        Self { rule, rate, first: zeros.clone(), second: zeros, steps: 0 }
    }

    /// One step along the mean of the gradients of these samples.
    pub fn step(&mut self, model: &mut Model, samples: &[Backward]) {
        let mut sums: Vec<Vec<f64>> = model.values().iter().map(|values| vec![0.0; values.len()]).collect();
        for sample in samples {
            for (sum, gradient) in sums.iter_mut().zip(sample.gradients()) {
                sum.iter_mut().zip(gradient).for_each(|(sum, gradient)| *sum += gradient);
            }
        }
        self.steps += 1;
        let corrections = [0.9, 0.999].map(|decay: f64| 1.0 - decay.powi(self.steps));
        for (index, sum) in sums.iter().enumerate() {
            let statistic = model.parameters()[index].role == Role::Statistic;
            let moments = self.first[index].iter_mut().zip(&mut self.second[index]);
            for ((value, sum), (first, second)) in model.values_mut()[index].iter_mut().zip(sum).zip(moments) {
                let gradient = sum / samples.len() as f64;
                match self.rule {
                    // What is measured follows the samples, whatever the rule.
                    _ if statistic => *value += gradient,
                    Rule::Sgd => *value -= self.rate * gradient,
                    Rule::Momentum(momentum) => {
                        *first = momentum * *first + gradient;
                        *value -= self.rate * *first;
                    }
                    Rule::Adam => {
                        *first = 0.9 * *first + 0.1 * gradient;
                        *second = 0.999 * *second + 0.001 * gradient * gradient;
                        let root = (*second / corrections[1]).sqrt() + 1e-8;
                        *value -= self.rate * (*first / corrections[0]) / root;
                    }
                }
            }
        }
    }
}

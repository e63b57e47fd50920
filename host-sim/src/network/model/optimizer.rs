//! Steps of descent, by the formulas and the usual settings of the learner's rules.

use super::super::{Parameter, Role, Rule};
use super::{Backward, Model, Named};

/// A rule with its moments.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimizer {
    rule: Rule,
    rate: f64,
    /// Of each weight, as many as the rule keeps.
    moments: Vec<Vec<[f64; 3]>>,
    steps: i32,
}

impl Optimizer {
    /// The rule before its first step.
    #[must_use]
    pub fn new(rule: Rule, rate: f64, model: &Model) -> Self {
        let moments = model.values().iter().map(|values| vec![[0.0; 3]; values.len()]).collect();
        Self { rule, rate, moments, steps: 0 }
    }

    /// One step along the mean of the gradients of these samples. For each array of parameters, gives what the rule computes, under
    /// the names in its formula: moments after the step, and last the `step`, which is taken from the weights. A statistic has none of
    /// that: its mean change is added, whatever the rule.
    pub fn step(&mut self, model: &mut Model, samples: &[Backward]) -> Vec<Vec<Named>> {
        let mut means: Vec<Vec<f64>> = model.values().iter().map(|values| vec![0.0; values.len()]).collect();
        for sample in samples {
            for (mean, gradient) in means.iter_mut().zip(sample.gradients()) {
                mean.iter_mut().zip(gradient).for_each(|(mean, gradient)| *mean += gradient / samples.len() as f64);
            }
        }
        self.steps += 1;
        let mut computed = Vec::new();
        for (index, gradients) in means.iter().enumerate() {
            let parameter = model.parameters()[index].clone();
            computed.push(self.step_array(&parameter, &mut model.values_mut()[index], gradients, index));
        }
        computed
    }

    fn step_array(&mut self, of: &Parameter, values: &mut [f64], gradients: &[f64], index: usize) -> Vec<Named> {
        if of.role == Role::Statistic {
            values.iter_mut().zip(gradients).for_each(|(value, change)| *value += change);
            return Vec::new();
        }
        let step = Step {
            rule: self.rule,
            rate: self.rate,
            corrections: [BETA1, BETA2].map(|beta| 1.0 - beta.powi(self.steps)),
            trust: if of.leaf().starts_with("bias") { 1.0 } else { trust(values, gradients) },
        };
        let mut computed: Vec<Named> = Vec::new();
        for ((value, gradient), moments) in values.iter_mut().zip(gradients).zip(&mut self.moments[index]) {
            let mut nth = 0;
            *value -= step.of(*gradient, moments, &mut |name, number| {
                if computed.len() == nth {
                    computed.push(Named::new(name, &of.axes, Vec::new()));
                }
                computed[nth].values.push(number);
                nth += 1;
                number
            });
        }
        computed
    }
}

/// Adam's decays.
const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;

/// What all weights of an array share in a step.
struct Step {
    rule: Rule,
    rate: f64,
    /// Adam's `c₁` and `c₂`.
    corrections: [f64; 2],
    /// The ratio of LARS.
    trust: f64,
}

impl Step {
    /// What a weight is lessened by. Each number on the way is told by its name in the formula. The sources of the formulas stand in the
    /// documentation of the learner's rules.
    fn of(&self, g: f64, moments: &mut [f64; 3], tell: &mut dyn FnMut(&'static str, f64) -> f64) -> f64 {
        let [first, second, third] = moments;
        let [c1, c2] = self.corrections;
        let direction = match self.rule {
            Rule::Sgd | Rule::InPlace => g,
            Rule::Momentum => {
                *first = tell("m", 0.9 * *first + g);
                *first
            }
            Rule::Nesterov => {
                *first = tell("m", 0.9 * *first + g);
                g + 0.9 * *first
            }
            Rule::RmsProp => {
                *first = tell("s", 0.99 * *first + 0.01 * g * g);
                g / (first.sqrt() + 1e-8)
            }
            Rule::MomentumRmsProp => {
                *first = tell("s", 0.99 * *first + 0.01 * g * g);
                *second = tell("b", 0.9 * *second + g / (first.sqrt() + 1e-8));
                *second
            }
            Rule::CenteredRmsProp => {
                *first = tell("s", 0.99 * *first + 0.01 * g * g);
                *second = tell("a", 0.99 * *second + 0.01 * g);
                g / ((*first - *second * *second).max(0.0).sqrt() + 1e-8)
            }
            Rule::CenteredMomentumRmsProp => {
                *first = tell("s", 0.99 * *first + 0.01 * g * g);
                *second = tell("a", 0.99 * *second + 0.01 * g);
                let deviation = (*first - *second * *second).max(0.0).sqrt();
                *third = tell("b", 0.9 * *third + g / (deviation + 1e-8));
                *third
            }
            Rule::Adagrad => {
                *first = tell("s", *first + g * g);
                g / (first.sqrt() + 1e-10)
            }
            Rule::Adadelta => {
                *first = tell("s", 0.9 * *first + 0.1 * g * g);
                let direction = tell("d", g * (*second + 1e-6).sqrt() / (*first + 1e-6).sqrt());
                *second = tell("u", 0.9 * *second + 0.1 * direction * direction);
                direction
            }
            Rule::Adam => {
                *first = tell("m", BETA1 * *first + (1.0 - BETA1) * g);
                *second = tell("v", BETA2 * *second + (1.0 - BETA2) * g * g);
                let (mean, square) = (tell("m_hat", *first / c1), tell("v_hat", *second / c2));
                mean / (square.sqrt() + 1e-8)
            }
            Rule::AmsGrad => {
                *first = tell("m", BETA1 * *first + (1.0 - BETA1) * g);
                *second = tell("v", BETA2 * *second + (1.0 - BETA2) * g * g);
                *third = tell("v_max", third.max(*second));
                let (mean, square) = (tell("m_hat", *first / c1), tell("v_hat", *third / c2));
                mean / (square.sqrt() + 1e-8)
            }
            Rule::Lion => {
                let sum = 0.9 * *first + 0.1 * g;
                let direction = tell("d", if sum == 0.0 { 0.0 } else { sum.signum() });
                *first = tell("m", 0.99 * *first + 0.01 * g);
                direction
            }
            Rule::Lars => {
                let trust = tell("r", self.trust);
                *first = tell("m", 0.9 * *first + self.rate * trust * g);
                return tell("step", *first);
            }
        };
        tell("step", self.rate * direction)
    }
}

/// The trust ratio of LARS, with its 0.001 and without weight decay: 1 where it says nothing.
fn trust(weights: &[f64], gradients: &[f64]) -> f64 {
    let norm = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>().sqrt();
    let ratio = 1e-3 * norm(weights) / norm(gradients);
    if norm(weights) == 0.0 || !ratio.is_finite() { 1.0 } else { ratio }
}

//! One training step of a network, written out: forward, loss, the chain rule layer by layer, update, and the loss after it.
//!
//! Numbers are those of the [model](crate::network::model), in f64. Each gradient stands beside its finite difference.
//!
//! ```
//! use backpass_sim::explain::{Explanation, Setup};
//! use backpass_sim::network::{Network, Rule};
//! use backpass_sim::network::model::{Loss, Target};
//!
//! let network = Network::from_line("2 dense(3) tanh dense(1)")?;
//! let setup = Setup {
//!     seed: 1,
//!     input: vec![0.5, -1.0],
//!     target: Target::Values(vec![1.0]),
//!     loss: Loss::MeanSquaredError,
//!     optimizer: Rule::Sgd,
//!     learning_rate: 0.1,
//! };
//! let explanation = Explanation::new(network, setup, &mut |_, _| ())?;
//! assert!(explanation.loss_after < explanation.loss && explanation.largest_error < 1e-6);
//! println!("{}", explanation.text(false));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod formula;
mod story;
#[cfg(test)]
mod tests;
mod text;
mod update;

use backpass::Pass;

pub use story::{Block, Section};
pub use text::number;

use crate::network::model::{Difference, Loss, Model, Named, Optimizer, Target, TargetError, Trace};
use crate::network::{Network, Role, Rule, Value};

/// Multiplications and additions that are spent on finite differences: some seconds.
const MOST_WORK: usize = 4_000_000_000;

/// What a step is taken with.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Setup {
    /// The seed of the weights, as the learner draws them.
    pub seed: u64,
    /// The sample, in the learner's order: channels last.
    pub input: Vec<f64>,
    /// What the network should say.
    pub target: Target,
    /// The loss.
    pub loss: Loss,
    /// The rule of descent, with the learner's usual settings.
    pub optimizer: Rule,
    /// The learning rate.
    pub learning_rate: f64,
}

/// Why a step cannot be explained.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ExplainError {
    /// Too few or too many inputs.
    #[error("the sample has {found} numbers, but the network {network} takes {expected}")]
    Inputs {
        /// How many there are.
        found: usize,
        /// How many it takes.
        expected: usize,
        /// The sample's shape.
        network: String,
    },
    /// An input that is infinite or NaN.
    #[error("number {0} of the sample is not finite")]
    NotFinite(usize),
    /// The target does not fit.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The loss takes a vector.
    #[error(
        "cross-entropy takes a vector of classes, but the network gives {0}: end it with flatten, a global pool or dense"
    )]
    NoVector(String),
    /// Something overflowed.
    #[error("the loss is not finite: the numbers in this network become too large; take smaller inputs")]
    Overflow,
}

/// A gradient's finite difference.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Check {
    /// The differences.
    #[serde(flatten)]
    pub difference: Difference,
    /// The relative error: of the larger of the two, but at least of a ten-thousandth of the largest gradient of this step, below
    /// which the difference is rounding.
    pub error: f64,
    /// Whether gradient and difference disagree because a kink lies between the two places.
    pub at_kink: bool,
}

/// A parameter's part in the step.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ParameterStep {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub axes: Vec<usize>,
    /// Whether it is measured instead of learned: then the gradient is what the sample changes it by.
    pub is_statistic: bool,
    /// Before the step.
    pub before: Vec<f64>,
    /// dL/dw.
    pub gradient: Vec<f64>,
    /// The finite differences that were taken.
    pub checks: Vec<Option<Check>>,
    /// What the rule computes, by the names in its formula: moments after the step, and last the step; nothing of a statistic.
    pub update: Vec<Named>,
    /// After the step.
    pub after: Vec<f64>,
}

/// A layer's part in the step.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct StageStep {
    /// Its name in the parameters' names.
    pub name: String,
    /// The layer, as it is written in a line; at the end of a residual connection, what is added.
    pub layer: String,
    /// Whose output x is, and what an addition takes beside it: places among the stages, none for the sample.
    pub takes: Vec<Option<usize>>,
    /// The shape of x.
    pub input_axes: Vec<usize>,
    /// The shape of y.
    pub output_axes: Vec<usize>,
    /// How y comes from x.
    pub forward: &'static str,
    /// The chain rule.
    pub backward: &'static str,
    /// The input.
    pub x: Vec<f64>,
    /// What forward computes on the way.
    pub between: Vec<Named>,
    /// The output.
    pub y: Vec<f64>,
    /// dL/dy.
    pub dy: Vec<f64>,
    /// Local derivatives, and what backward computes on the way.
    pub local: Vec<Named>,
    /// dL/dx.
    pub dx: Vec<f64>,
    /// The finite differences of dL/dx that were taken.
    pub dx_checks: Vec<Option<Check>>,
    /// The parameters.
    pub parameters: Vec<ParameterStep>,
}

/// A training step, written out.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Explanation {
    /// The network's line.
    pub network: String,
    /// What the step was taken with.
    pub setup: Setup,
    /// The layers, from the first; those of a residual connection before its addition.
    pub stages: Vec<StageStep>,
    /// What the outputs say as probabilities, where the loss reads them so.
    pub probabilities: Option<Vec<f64>>,
    /// The loss.
    pub loss: f64,
    /// The loss of the same sample after the step.
    pub loss_after: f64,
    /// What the gradient promises for a small step: minus the sum of step times gradient.
    pub expected_change: f64,
    /// The number of gradients.
    pub gradients: usize,
    /// Of how many finite differences were taken.
    pub checked: usize,
    /// How many of these lie on a kink.
    pub kinks: usize,
    /// The largest relative error of the others.
    pub largest_error: f64,
}

impl Explanation {
    /// Takes the step. `progress` is told how many finite differences of how many have been taken.
    ///
    /// # Errors
    /// What does not fit the network.
    pub fn new(network: Network, setup: Setup, progress: &mut dyn FnMut(usize, usize)) -> Result<Self, ExplainError> {
        let outputs = check(&network, &setup)?;
        let line = network.to_string();
        let mut model = Model::new(network, setup.seed);
        let pass = Pass::training(0);
        let trace = model.forward(&setup.input, pass);
        let (loss, gradient) = setup.loss.gradient(trace.output(), &setup.target);
        debug_assert_eq!(gradient.len(), outputs);
        let backward = model.backward(&trace, gradient);
        if !loss.is_finite() || !backward.gradients().flatten().all(|gradient| gradient.is_finite()) {
            return Err(ExplainError::Overflow);
        }
        let before = model.values().to_vec();
        let mut after = model.clone();
        let mut optimizer = Optimizer::new(setup.optimizer, setup.learning_rate, &after);
        let mut updates = optimizer.step(&mut after, std::slice::from_ref(&backward));
        let loss_after = setup.loss.value(after.forward(&setup.input, pass).output(), &setup.target);

        let mut differences = Differences::new(&model, &trace, &setup, progress);
        let mut stages = Vec::new();
        let mut expected_change = 0.0;
        for (index, backward) in backward.steps.into_iter().enumerate() {
            let parameters: Vec<ParameterStep> = model
                .range(index)
                .zip(backward.parameters)
                .enumerate()
                .map(|(parameter, (at, gradient))| {
                    let described = &model.parameters()[at];
                    let (name, axes) = (described.name.clone(), described.axes.clone());
                    let is_statistic = described.role == Role::Statistic;
                    let checks = if is_statistic {
                        vec![None; gradient.len()]
                    } else {
                        let step = updates[at].last().into_iter().flat_map(|step| &step.values);
                        expected_change -= step.zip(&gradient).map(|(step, gradient)| step * gradient).sum::<f64>();
                        differences.of_parameter(&mut model, index, parameter, &gradient)
                    };
                    let (before, after) = (before[at].clone(), after.values()[at].clone());
                    let update = std::mem::take(&mut updates[at]);
                    ParameterStep { name, axes, is_statistic, before, gradient, checks, update, after }
                })
                .collect();
            let dx_checks = differences.of_input(&model, index, &backward.dx);
            let node = &model.nodes()[index];
            let stage = &node.stage;
            let (forward, rule) = formula::of(&stage.layer);
            stages.push(StageStep {
                name: node.name(),
                layer: node.label(),
                takes: [Some(node.input), node.shortcut].into_iter().flatten().map(place).collect(),
                input_axes: stage.input.axes().to_vec(),
                output_axes: stage.output.axes().to_vec(),
                forward,
                backward: rule,
                x: trace.value(node.input).to_vec(),
                between: trace.steps[index].kept.clone(),
                y: trace.steps[index].y.clone(),
                dy: backward.dy,
                local: backward.kept,
                dx: backward.dx,
                dx_checks,
                parameters,
            });
        }
        let probabilities = setup.loss.probabilities(trace.output());
        let mut explanation = Self {
            network: line,
            setup,
            stages,
            probabilities,
            loss,
            loss_after,
            expected_change,
            gradients: 0,
            checked: 0,
            kinks: 0,
            largest_error: 0.0,
        };
        explanation.judge();
        Ok(explanation)
    }

    /// dL/dx of the sample: the sum over all that take it.
    pub(crate) fn sample_gradient(&self) -> Vec<f64> {
        let mut sum = vec![0.0; self.setup.input.len()];
        for stage in &self.stages {
            for _ in stage.takes.iter().filter(|place| place.is_none()) {
                sum.iter_mut().zip(&stage.dx).for_each(|(sum, dx)| *sum += dx);
            }
        }
        sum
    }

    /// Fills in the relative errors, now that the largest gradient is known, and sums them up.
    fn judge(&mut self) {
        let largest = self.pairs().fold(0.0_f64, |largest, (gradient, _)| largest.max(gradient.abs()));
        let floor = (1e-4 * largest).max(f64::MIN_POSITIVE);
        let (mut gradients, mut checked, mut kinks, mut worst) = (0, 0, 0, 0.0_f64);
        for (gradient, check) in self.pairs() {
            gradients += 1;
            let Some(check) = check else { continue };
            checked += 1;
            let central = check.difference.central;
            check.error = (gradient - central).abs() / gradient.abs().max(central.abs()).max(floor);
            check.at_kink = check.difference.kink && check.error > 1e-5;
            if check.at_kink {
                kinks += 1;
            } else {
                worst = worst.max(check.error);
            }
        }
        (self.gradients, self.checked, self.kinks, self.largest_error) = (gradients, checked, kinks, worst);
    }

    /// Each gradient with its difference.
    fn pairs(&mut self) -> impl Iterator<Item = (f64, Option<&mut Check>)> {
        self.stages.iter_mut().flat_map(|stage| {
            let learned = stage.parameters.iter_mut().filter(|parameter| !parameter.is_statistic);
            let parameters = learned.flat_map(|parameter| parameter.gradient.iter().zip(&mut parameter.checks));
            let all = parameters.chain(stage.dx.iter().zip(&mut stage.dx_checks));
            all.map(|(gradient, check)| (*gradient, check.as_mut()))
        })
    }
}

/// A learning rate as it was given.
fn number_of_setting(value: f64) -> String {
    (value as f32).to_string()
}

/// Which of the stages gives a value.
const fn place(value: Value) -> Option<usize> {
    match value {
        Value::Sample => None,
        Value::Node(index) => Some(index),
    }
}

/// The number of outputs, if all fits.
fn check(network: &Network, setup: &Setup) -> Result<usize, ExplainError> {
    let (found, expected) = (setup.input.len(), network.input().count());
    if found != expected {
        return Err(ExplainError::Inputs { found, expected, network: network.to_string() });
    }
    if let Some(at) = setup.input.iter().position(|value| !value.is_finite()) {
        return Err(ExplainError::NotFinite(at + 1));
    }
    if setup.loss == Loss::CrossEntropy && network.output().axes().len() > 1 {
        return Err(ExplainError::NoVector(network.output().to_string()));
    }
    let outputs = network.output().count();
    setup.loss.check(&setup.target, outputs)?;
    Ok(outputs)
}

/// Takes finite differences: all of them, or where that is too much work, some of each array.
struct Differences<'a> {
    trace: &'a Trace,
    setup: &'a Setup,
    progress: &'a mut dyn FnMut(usize, usize),
    /// At most so many of an array.
    most: usize,
    taken: usize,
    total: usize,
}

impl<'a> Differences<'a> {
    fn new(model: &Model, trace: &'a Trace, setup: &'a Setup, progress: &'a mut dyn FnMut(usize, usize)) -> Self {
        let stages: Vec<_> = model.nodes().iter().map(|node| &node.stage).collect();
        let work: usize = stages.iter().map(|stage| stage.multiply_adds()).sum();
        let inputs = model.nodes().iter().map(|node| trace.value(node.input).len());
        let arrays: Vec<usize> = model.values().iter().map(Vec::len).chain(inputs).collect();
        let possible = MOST_WORK / (2 * (work + stages.iter().map(|stage| stage.output.count()).sum::<usize>()) + 1);
        let all: usize = arrays.iter().sum();
        let most = if all <= possible { usize::MAX } else { (possible / arrays.len()).max(4) };
        Self { trace, setup, progress, most, taken: 0, total: arrays.iter().map(|count| (*count).min(most)).sum() }
    }

    fn each(&mut self, count: usize, mut take: impl FnMut(&Self, usize) -> Difference) -> Vec<Option<Check>> {
        let mut checks = vec![None; count];
        let taken = count.min(self.most);
        for nth in 0..taken {
            let at = nth * count / taken;
            let difference = take(self, at);
            checks[at] = Some(Check { difference, error: 0.0, at_kink: false });
            self.taken += 1;
            (self.progress)(self.taken, self.total);
        }
        checks
    }

    fn of_parameter(
        &mut self,
        model: &mut Model,
        stage: usize,
        parameter: usize,
        gradient: &[f64],
    ) -> Vec<Option<Check>> {
        self.each(gradient.len(), |all, at| {
            let (loss, target) = (all.setup.loss, &all.setup.target);
            model.parameter_difference([stage, parameter, at], all.trace, loss, target, Pass::training(0))
        })
    }

    fn of_input(&mut self, model: &Model, stage: usize, dx: &[f64]) -> Vec<Option<Check>> {
        self.each(dx.len(), |all, at| {
            let (loss, target) = (all.setup.loss, &all.setup.target);
            model.input_difference([stage, at], all.trace, loss, target, Pass::training(0))
        })
    }
}

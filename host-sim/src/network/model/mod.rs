//! A textbook model of a [`Network`]: each layer by its formula, in f64 and plain loops, with every intermediate kept.
//!
//! The learner's layers have their shapes in their types and overwrite what they no longer need; this model takes a network that
//! is known only at run time, and shows everything. It starts from the learner's own weights and is held against it in tests, but
//! it is no twin: its numbers agree with the learner's to the accuracy of f32, not bit by bit.
//!
//! ```
//! use backpass::Pass;
//! use backpass_sim::network::Network;
//! use backpass_sim::network::model::{Loss, Model, Target};
//!
//! let mut model = Model::new(Network::from_line("2 dense(3) tanh dense(1)")?, 1);
//! let trace = model.forward(&[0.5, -1.0], Pass::training(0));
//! let (loss, gradient) = Loss::MeanSquaredError.gradient(trace.output(), &Target::Values(vec![1.0]));
//! let backward = model.backward(&trace, gradient);
//! assert_eq!(backward.steps[0].parameters[0].len(), 6, "dL/dw of the first layer");
//! # assert!(loss > 0.0);
//! # Ok::<(), backpass_sim::network::line::LineError>(())
//! ```

mod activation;
mod difference;
mod initialize;
mod linear;
mod loss;
mod norm;
mod optimizer;
mod pool;
mod recurrent;
#[cfg(test)]
mod tests;

use backpass::{Pass, Rng};

pub use difference::{Difference, STEP};
pub use loss::{Loss, Target, TargetError};
pub use optimizer::Optimizer;

use super::{LONGEST_TUPLE, Layer, Network, Parameter, Stage};
use linear::Tap;

/// A network with parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    network: Network,
    parameters: Vec<Parameter>,
    values: Vec<Vec<f64>>,
    places: Vec<Place>,
}

/// What a stage has.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    /// Its first parameter.
    first: usize,
    /// How many arrays of parameters.
    count: usize,
    /// Which input each output sees, of a convolution or a pool.
    taps: Vec<Tap>,
}

/// Numbers with a name, in the order of the learner: channels last.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Named {
    /// What they are called in the formula of the layer, or of the rule.
    pub name: &'static str,
    /// Their shape.
    pub axes: Vec<usize>,
    /// The numbers.
    pub values: Vec<f64>,
}

impl Named {
    fn new(name: &'static str, axes: &[usize], values: Vec<f64>) -> Self {
        Self { name, axes: axes.to_vec(), values }
    }
}

/// A stage's forward pass.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Step {
    /// The output.
    pub y: Vec<f64>,
    /// What came between input and output.
    pub kept: Vec<Named>,
    /// On which piece of a function with kinks each value lies: open or closed gates, places of maxima.
    pub branches: Vec<u32>,
}

/// A forward pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The sample.
    pub input: Vec<f64>,
    /// The stages.
    pub steps: Vec<Step>,
}

impl Trace {
    /// What the network gives.
    #[must_use]
    pub fn output(&self) -> &[f64] {
        self.steps.last().map_or(&self.input, |step| &step.y)
    }

    /// What stage `index` takes.
    #[must_use]
    pub fn input(&self, index: usize) -> &[f64] {
        index.checked_sub(1).map_or(&self.input, |before| &self.steps[before].y)
    }
}

/// A stage's backward pass.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BackwardStep {
    /// dL/dy.
    pub dy: Vec<f64>,
    /// dL/dx.
    pub dx: Vec<f64>,
    /// dL/dw of each of its parameters; of a statistic, what the sample changes it by.
    pub parameters: Vec<Vec<f64>>,
    /// What came between: local derivatives, gradients before a gate's function.
    pub kept: Vec<Named>,
}

/// A backward pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Backward {
    /// The stages, from the first.
    pub steps: Vec<BackwardStep>,
}

impl Backward {
    /// The gradients of all parameters, in their order.
    pub fn gradients(&self) -> impl Iterator<Item = &Vec<f64>> {
        self.steps.iter().flat_map(|step| &step.parameters)
    }
}

impl Model {
    /// The network with the weights that [`Learner::initialize`](backpass::Learner::initialize) draws from this seed.
    #[must_use]
    pub fn new(network: Network, seed: u64) -> Self {
        let parameters = network.parameters();
        let mut first = 0;
        let places = network.stages().iter().enumerate().map(|(index, stage)| {
            let count = stage.layer.parameters(&stage.input, &network.stage_name(index)).len();
            let place = Place { first, count, taps: linear::taps(stage) };
            first += count;
            place
        });
        let places = places.collect();
        let values = parameters.iter().map(|parameter| vec![0.0; parameter.count()]).collect();
        let mut model = Self { network, parameters, values, places };
        model.initialize(seed);
        model
    }

    fn initialize(&mut self, seed: u64) {
        let (mut rng, mut after) = (Rng::new(seed), backpass::Initialization::Glorot);
        for (stage, place) in self.network.stages().iter().zip(&self.places).rev() {
            initialize::fill(stage, &mut self.values[place.first..place.first + place.count], after, &mut rng);
            after = initialize::before(&stage.layer, after);
        }
    }

    /// The network.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// Names and shapes of the parameters.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The parameters' values, in the learner's order.
    #[must_use]
    pub fn values(&self) -> &[Vec<f64>] {
        &self.values
    }

    /// The values, to be changed.
    pub fn values_mut(&mut self) -> &mut [Vec<f64>] {
        &mut self.values
    }

    /// Which of [`parameters`](Self::parameters) belong to stage `index`.
    #[must_use]
    pub fn range(&self, index: usize) -> std::ops::Range<usize> {
        let place = &self.places[index];
        place.first..place.first + place.count
    }

    /// The forward pass of a sample.
    ///
    /// # Panics
    /// If the sample is not as long as the network's input.
    #[must_use]
    pub fn forward(&self, input: &[f64], pass: Pass) -> Trace {
        assert_eq!(input.len(), self.network.input().count(), "the sample's length is the network's");
        Trace { input: input.to_vec(), steps: self.forward_from(0, input, pass) }
    }

    /// The stages from `first` on, whose input is `x`.
    #[must_use]
    pub fn forward_from(&self, first: usize, x: &[f64], pass: Pass) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for index in first..self.places.len() {
            let step = self.stage_forward(index, steps.last().map_or(x, |step| &step.y), pass);
            steps.push(step);
        }
        steps
    }

    fn stage_forward(&self, index: usize, x: &[f64], pass: Pass) -> Step {
        let (stage, place) = (&self.network.stages()[index], &self.places[index]);
        let params = &self.values[self.range(index)];
        match &stage.layer {
            Layer::Dense { .. } => linear::dense(params, x),
            Layer::Conv { .. } => linear::conv(stage, &place.taps, params, x),
            Layer::Depthwise { .. } => linear::depthwise(stage, &place.taps, params, x),
            Layer::MaxPool { .. } | Layer::GlobalMaxPool => pool::max(stage, &place.taps, x),
            Layer::AveragePool { .. } | Layer::GlobalAveragePool => pool::average(stage, &place.taps, x),
            Layer::Flatten => Step { y: x.to_vec(), ..Step::default() },
            Layer::Activation(function) => activation::forward(*function, stage, x),
            Layer::Dropout { rate } => dropout(*rate, x, self.stage_pass(index, pass)),
            Layer::BatchNorm { epsilon } => norm::batch(*epsilon, stage, params, x),
            Layer::LayerNorm { epsilon } => norm::layer(*epsilon, stage, params, x),
            Layer::Recurrent { cell, hidden, sequence, .. } => {
                recurrent::forward(*cell, *hidden, *sequence, stage, params, x)
            }
        }
    }

    /// The pass as the stage sees it: tuples give each stage a random stream of its own.
    fn stage_pass(&self, index: usize, pass: Pass) -> Pass {
        if self.places.len() <= LONGEST_TUPLE {
            pass.stage(index)
        } else {
            pass.stage(index / LONGEST_TUPLE).stage(index % LONGEST_TUPLE)
        }
    }

    /// The chain rule, from the gradient of the network's output.
    #[must_use]
    pub fn backward(&self, trace: &Trace, output_gradient: Vec<f64>) -> Backward {
        let mut steps = Vec::new();
        let mut dy = output_gradient;
        for index in (0..self.places.len()).rev() {
            let step = self.stage_backward(index, trace.input(index), &trace.steps[index], dy);
            dy = step.dx.clone();
            steps.push(step);
        }
        steps.reverse();
        Backward { steps }
    }

    fn stage_backward(&self, index: usize, x: &[f64], step: &Step, dy: Vec<f64>) -> BackwardStep {
        let (stage, place) = (&self.network.stages()[index], &self.places[index]);
        let params = &self.values[self.range(index)];
        let (dx, parameters, kept) = match &stage.layer {
            Layer::Dense { .. } => linear::dense_backward(params, x, &dy),
            Layer::Conv { .. } => linear::conv_backward(stage, &place.taps, params, x, &dy),
            Layer::Depthwise { .. } => linear::depthwise_backward(stage, &place.taps, params, x, &dy),
            Layer::MaxPool { .. } | Layer::GlobalMaxPool => pool::max_backward(stage, step, &dy),
            Layer::AveragePool { .. } | Layer::GlobalAveragePool => pool::average_backward(stage, &place.taps, &dy),
            Layer::Flatten => (dy.clone(), Vec::new(), Vec::new()),
            Layer::Activation(function) => activation::backward(*function, stage, x, step, &dy),
            Layer::Dropout { .. } => {
                let mask = &step.kept[0].values;
                (mask.iter().zip(&dy).map(|(mask, dy)| mask * dy).collect(), Vec::new(), Vec::new())
            }
            Layer::BatchNorm { epsilon } => norm::batch_backward(*epsilon, stage, params, x, step, &dy),
            Layer::LayerNorm { .. } => norm::layer_backward(stage, params, step, &dy),
            Layer::Recurrent { cell, hidden, sequence, .. } => {
                recurrent::backward(*cell, *hidden, *sequence, stage, params, x, step, &dy)
            }
        };
        BackwardStep { dy, dx, parameters, kept }
    }
}

/// What a stage's backward pass gives: dL/dx, the gradients of its parameters, and what came between.
type Gradients = (Vec<f64>, Vec<Vec<f64>>, Vec<Named>);

/// The learner's dropout: element `i` is kept if number `i` of the stage's random stream is not below the rate.
fn dropout(rate: f32, x: &[f64], pass: Pass) -> Step {
    let scale = 1.0 / (1.0 - f64::from(rate));
    let mask: Vec<f64> = match pass {
        Pass::Training { stream } => {
            let mut rng = Rng::new(u64::from(stream));
            x.iter().map(|_| if rng.unit() < rate { 0.0 } else { scale }).collect()
        }
        Pass::Predicting | Pass::Continuing => vec![1.0; x.len()],
    };
    let y = x.iter().zip(&mask).map(|(x, mask)| x * mask).collect();
    Step { y, kept: vec![Named::new("mask", &[x.len()], mask)], ..Step::default() }
}

/// The number of positions, and of channels, of a shape.
fn rows(stage: &Stage) -> usize {
    stage.input.positions().iter().product()
}

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

use super::{Layer, Network, Node, Parameter, Stage, Value};
use linear::Tap;

/// A network with parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    network: Network,
    nodes: Vec<Node>,
    parameters: Vec<Parameter>,
    values: Vec<Vec<f64>>,
    places: Vec<Place>,
}

/// What a node has.
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

/// A node's forward pass.
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
    /// The nodes.
    pub steps: Vec<Step>,
}

impl Trace {
    /// What the network gives.
    #[must_use]
    pub fn output(&self) -> &[f64] {
        self.steps.last().map_or(&self.input, |step| &step.y)
    }

    /// A value of it.
    #[must_use]
    pub fn value(&self, value: Value) -> &[f64] {
        match value {
            Value::Sample => &self.input,
            Value::Node(index) => &self.steps[index].y,
        }
    }
}

/// A node's backward pass.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BackwardStep {
    /// dL/dy.
    pub dy: Vec<f64>,
    /// dL/dx, as far as it comes from here: where a value goes to several nodes, its gradient is the sum of theirs.
    pub dx: Vec<f64>,
    /// dL/dw of each of its parameters; of a statistic, what the sample changes it by.
    pub parameters: Vec<Vec<f64>>,
    /// What came between: local derivatives, gradients before a gate's function.
    pub kept: Vec<Named>,
}

/// A backward pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Backward {
    /// The nodes, from the first.
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
        let (nodes, parameters) = (network.nodes(), network.parameters());
        let mut first = 0;
        let places = nodes.iter().map(|node| {
            let count = node.parameters().len();
            let place = Place { first, count, taps: linear::taps(&node.stage) };
            first += count;
            place
        });
        let places = places.collect();
        let values = parameters.iter().map(|parameter| vec![0.0; parameter.count()]).collect();
        let mut model = Self { network, nodes, parameters, values, places };
        initialize::network(&mut model, &mut Rng::new(seed));
        model
    }

    /// The network.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// Its layers by themselves.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
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

    /// Which of [`parameters`](Self::parameters) belong to node `index`.
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
        let mut trace = Trace { input: input.to_vec(), steps: Vec::new() };
        trace.steps = self.forward_from(0, input, &trace, pass);
        trace
    }

    /// The nodes from `first` on, where that one takes `x` and the values before it are those of a trace.
    #[must_use]
    pub fn forward_from(&self, first: usize, x: &[f64], before: &Trace, pass: Pass) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for index in first..self.nodes.len() {
            let value = |value: Value| match value {
                Value::Node(index) if index >= first => &steps[index - first].y,
                value => before.value(value),
            };
            let node = &self.nodes[index];
            let x = if index == first { x } else { value(node.input) };
            let step = match node.shortcut {
                Some(shortcut) => residual(node, x, value(shortcut)),
                None => self.node_forward(index, x, pass),
            };
            steps.push(step);
        }
        steps
    }

    fn node_forward(&self, index: usize, x: &[f64], pass: Pass) -> Step {
        let (stage, place) = (&self.nodes[index].stage, &self.places[index]);
        let params = &self.values[self.range(index)];
        match &stage.layer {
            Layer::Dense { .. } => linear::dense(params, x),
            Layer::Conv { .. } => linear::conv(stage, &place.taps, params, x),
            Layer::Depthwise { .. } => linear::depthwise(stage, &place.taps, params, x),
            Layer::MaxPool { .. } | Layer::GlobalMaxPool => pool::max(stage, &place.taps, x),
            Layer::AveragePool { .. } | Layer::GlobalAveragePool => pool::average(stage, &place.taps, x),
            Layer::Flatten | Layer::Keep | Layer::Residual { .. } => Step { y: x.to_vec(), ..Step::default() },
            Layer::Activation(function) => activation::forward(*function, stage, x),
            Layer::Dropout { rate } => dropout(*rate, x, self.node_pass(index, pass)),
            Layer::BatchNorm { epsilon } => norm::batch(*epsilon, stage, params, x),
            Layer::LayerNorm { epsilon } => norm::layer(*epsilon, stage, params, x),
            Layer::PRelu { .. } => activation::prelu(params, x),
            Layer::Recurrent { cell, hidden, sequence, .. } => {
                recurrent::forward(*cell, *hidden, *sequence, stage, params, x)
            }
        }
    }

    /// The pass as the node sees it: tuples give each stage a random stream of its own.
    fn node_pass(&self, index: usize, pass: Pass) -> Pass {
        self.nodes[index].path.iter().fold(pass, |pass, stage| pass.stage(*stage))
    }

    /// The chain rule, from the gradient of the network's output.
    #[must_use]
    pub fn backward(&self, trace: &Trace, output_gradient: Vec<f64>) -> Backward {
        let mut gradients: Vec<Vec<f64>> = self.nodes.iter().map(|node| vec![0.0; node.stage.output.count()]).collect();
        if let Some(last) = gradients.last_mut() {
            *last = output_gradient;
        }
        let mut steps = Vec::new();
        for (index, node) in self.nodes.iter().enumerate().rev() {
            let dy = std::mem::take(&mut gradients[index]);
            let step = self.node_backward(index, trace.value(node.input), &trace.steps[index], dy);
            let mut add = |value: Value, gradient: &[f64]| {
                if let Value::Node(of) = value {
                    gradients[of].iter_mut().zip(gradient).for_each(|(sum, gradient)| *sum += gradient);
                }
            };
            add(node.input, &step.dx);
            // An addition gives both the same.
            node.shortcut.into_iter().for_each(|shortcut| add(shortcut, &step.dx));
            steps.push(step);
        }
        steps.reverse();
        Backward { steps }
    }

    fn node_backward(&self, index: usize, x: &[f64], step: &Step, dy: Vec<f64>) -> BackwardStep {
        let (stage, place) = (&self.nodes[index].stage, &self.places[index]);
        let params = &self.values[self.range(index)];
        let (dx, parameters, kept) = match &stage.layer {
            Layer::Dense { .. } => linear::dense_backward(params, x, &dy),
            Layer::Conv { .. } => linear::conv_backward(stage, &place.taps, params, x, &dy),
            Layer::Depthwise { .. } => linear::depthwise_backward(stage, &place.taps, params, x, &dy),
            Layer::MaxPool { .. } | Layer::GlobalMaxPool => pool::max_backward(stage, step, &dy),
            Layer::AveragePool { .. } | Layer::GlobalAveragePool => pool::average_backward(stage, &place.taps, &dy),
            Layer::Flatten | Layer::Keep | Layer::Residual { .. } => (dy.clone(), Vec::new(), Vec::new()),
            Layer::Activation(function) => activation::backward(*function, stage, x, step, &dy),
            Layer::Dropout { .. } => {
                let mask = &step.kept[0].values;
                (mask.iter().zip(&dy).map(|(mask, dy)| mask * dy).collect(), Vec::new(), Vec::new())
            }
            Layer::BatchNorm { epsilon } => norm::batch_backward(*epsilon, stage, params, x, step, &dy),
            Layer::LayerNorm { .. } => norm::layer_backward(stage, params, step, &dy),
            Layer::PRelu { .. } => activation::prelu_backward(stage, params, x, &dy),
            Layer::Recurrent { cell, hidden, sequence, .. } => {
                recurrent::backward(*cell, *hidden, *sequence, stage, params, x, step, &dy)
            }
        };
        BackwardStep { dy, dx, parameters, kept }
    }
}

/// What a node's backward pass gives: dL/dx, the gradients of its parameters, and what came between.
type Gradients = (Vec<f64>, Vec<Vec<f64>>, Vec<Named>);

/// `y = F(x) + x`, or `y = F(x) + P(x)`.
fn residual(node: &Node, branch: &[f64], shortcut: &[f64]) -> Step {
    let y = branch.iter().zip(shortcut).map(|(branch, shortcut)| branch + shortcut).collect();
    Step { y, kept: vec![Named::new("shortcut", node.stage.output.axes(), shortcut.to_vec())], ..Step::default() }
}

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

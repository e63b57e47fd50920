//! Networks whose shape is known only at run time: read from a line, a model file or a menu, before they become a type.
//!
//! A [`Network`] says what the type `(Dense<32>, Relu, Dense<10>)` says: the layers, their shapes, and the names, shapes and
//! order of their parameters. It computes nothing. [`line`](mod@line) reads and writes it as text, [`rust`] as a type of the learner. A [`Rule`] is
//! what it learns by.

pub(crate) mod kept;
pub mod layer;
pub mod line;
pub mod model;
pub mod parameter;
pub mod rule;
pub mod rust;
pub mod window;

use std::fmt;

use backpass::checkpoint::Fingerprint;

pub use layer::{Activation, Cell, Layer};
pub use parameter::{Parameter, Role};
pub use rule::Rule;
pub use window::{Padding, Window};

/// How many layers a tuple of the learner can have; a longer network is a tuple of tuples.
const LONGEST_TUPLE: usize = 16;

/// The shape of a sample or an activation: `[n]`, `[time, channels]` or `[rows, columns, channels]`, as the learner stores it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// A shape of one to three axes, none of which is 0.
    #[must_use]
    pub fn new(axes: &[usize]) -> Option<Self> {
        let possible = (1..=3).contains(&axes.len()) && axes.iter().all(|axis| *axis > 0);
        let count = axes.iter().try_fold(1_usize, |count, axis| count.checked_mul(*axis));
        (possible && count.is_some_and(|count| count <= u32::MAX as usize)).then(|| Self(axes.to_vec()))
    }

    /// The lengths of the axes.
    #[must_use]
    pub fn axes(&self) -> &[usize] {
        &self.0
    }

    /// The number of values.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.iter().product()
    }

    /// The length of the last axis.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.0.last().copied().unwrap_or(1)
    }

    /// The axes before the last: one of a signal, two of an image, none of a vector.
    #[must_use]
    pub fn positions(&self) -> &[usize] {
        self.0.split_last().map_or(&[], |(_, positions)| positions)
    }
}

/// As PyTorch has it, channels first: `64`, `3x100` (3 channels, 100 steps), `3x32x32`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.channels())?;
        self.positions().iter().try_for_each(|length| write!(f, "x{length}"))
    }
}

/// A layer with the shapes on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// The layer.
    pub layer: Layer,
    /// What it takes.
    pub input: Shape,
    /// What it gives.
    pub output: Shape,
}

/// A network that is known at run time.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    input: Shape,
    stages: Vec<Stage>,
}

/// A layer that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("layer {number}, {layer}: {problem}")]
pub struct NetworkError {
    /// Which, from 1.
    pub number: usize,
    /// The layer.
    pub layer: String,
    /// What is wrong with it, and what to do.
    pub problem: String,
}

impl Network {
    /// The network of these layers, one after another. A vector is made of what comes before a dense layer, where it is none: a
    /// [`Layer::Flatten`] is put there.
    ///
    /// # Errors
    /// The first layer that does not take what the one before it gives.
    pub fn new(input: Shape, layers: impl IntoIterator<Item = Layer>) -> Result<Self, NetworkError> {
        let mut network = Self { input, stages: Vec::new() };
        for (index, layer) in layers.into_iter().enumerate() {
            if matches!(layer, Layer::Dense { .. }) && network.output().axes().len() > 1 {
                network.push(index, Layer::Flatten)?;
            }
            network.push(index, layer)?;
        }
        Ok(network)
    }

    fn push(&mut self, index: usize, layer: Layer) -> Result<(), NetworkError> {
        let input = self.output().clone();
        let output = layer.output(&input).map_err(|problem| NetworkError {
            number: index + 1,
            layer: layer.to_string(),
            problem,
        })?;
        self.stages.push(Stage { layer, input, output });
        Ok(())
    }

    /// The shape of a sample.
    #[must_use]
    pub const fn input(&self) -> &Shape {
        &self.input
    }

    /// The shape of what the last layer gives.
    #[must_use]
    pub fn output(&self) -> &Shape {
        self.stages.last().map_or(&self.input, |stage| &stage.output)
    }

    /// The layers, from the first.
    #[must_use]
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// What the parameters of stage `index` are called before the dot: `3`, or `1.3` in a network of more than 16 layers.
    #[must_use]
    pub fn stage_name(&self, index: usize) -> String {
        if self.stages.len() <= LONGEST_TUPLE {
            index.to_string()
        } else {
            format!("{}.{}", index / LONGEST_TUPLE, index % LONGEST_TUPLE)
        }
    }

    /// All parameters with their names, in the order of the learner.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        let stages = self.stages.iter().enumerate();
        stages.flat_map(|(index, stage)| stage.layer.parameters(&stage.input, &self.stage_name(index))).collect()
    }

    /// The number of parameters.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(Parameter::count).sum()
    }

    /// Numbers of four bytes that the learner keeps from forward to backward, beside the sample.
    #[must_use]
    pub fn tape_count(&self) -> usize {
        self.stages.iter().map(|stage| stage.layer.tape_count(&stage.input, &stage.output)).sum()
    }

    /// The fingerprint by which a checkpoint knows whose it is: that of
    /// [`network_fingerprint`](backpass::checkpoint::network_fingerprint) for the type.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut fingerprint = Fingerprint::new().text("f32");
        for stage in &self.stages {
            fingerprint = fingerprint.text(stage.layer.name(&stage.input));
        }
        for parameter in self.parameters() {
            fingerprint = fingerprint.text(&parameter.name).number(parameter.count()).number(parameter.axes.len());
            fingerprint = parameter.axes.iter().fold(fingerprint, |fingerprint, axis| fingerprint.number(*axis));
        }
        fingerprint
    }
}

#[cfg(test)]
mod tests {
    use backpass::checkpoint::network_fingerprint;
    use backpass::{
        BatchNorm, Bias, Conv1d, Conv2d, Dense, DepthwiseConv2d, Dropout, Flatten, GlobalAveragePool, Gru, Image,
        LayerNorm, Lstm, MaxPool, Params, Relu, Rnn, Sequence, Sigmoid, Signal, Tanh, Vector, Zero,
    };

    use super::*;

    /// Holds a line against the learner's own type.
    fn same<N: backpass::Layer<X>, X>(line: &str) {
        let network = Network::from_line(line).unwrap();
        let params = N::Params::ZERO;
        let mut expected = Vec::new();
        params.visit(None, &mut |name, values| expected.push((name.to_string(), values.len())));
        let found: Vec<_> = network.parameters().iter().map(|p| (p.name.clone(), p.count())).collect();
        assert_eq!(found, expected, "{line}");
        assert_eq!(network.fingerprint(), network_fingerprint::<N, X>(&params), "{line}");
        assert_eq!(4 * network.tape_count(), size_of::<N::Tape>(), "{line}");
    }

    #[test]
    fn a_line_is_the_network_that_its_type_is() {
        same::<(Dense<32>, Relu, Dense<10>), Vector<64>>("64 dense(32) relu dense(10)");
        type Gesture =
            (Conv1d<Signal<96, 8>, 5>, Relu, MaxPool<Signal<48, 8>, 2>, Flatten<384>, Dense<16>, Relu, Dense<4>);
        same::<Gesture, Signal<100, 3>>("3x100 conv1d(8,5) relu maxpool(2) dense(16) relu dense(4)");
        type Images = (
            Conv2d<Image<8, 8, 4>, 3, 2, Bias>,
            BatchNorm,
            Relu,
            DepthwiseConv2d<Image<8, 8, 4>, 3>,
            Dropout,
            GlobalAveragePool,
            Dense<3>,
            Tanh,
        );
        let line = "2x16x16 conv2d(4,3,2,padding=same) batchnorm relu depthwise(3,padding=same) dropout(0.2) \
                    globalaveragepool dense(3) tanh";
        same::<Images, Image<16, 16, 2>>(line);
        type Steps = (Gru<6, Sequence>, LayerNorm, Lstm<5, Sequence>, Rnn<4>, Dense<2>, Sigmoid);
        same::<Steps, Signal<20, 3>>("3x20 gru(6,sequence) layernorm lstm(5,sequence) rnn(4) dense(2) sigmoid");
    }

    #[test]
    fn a_long_network_is_a_tuple_of_tuples() {
        type Sixteen = (
            Dense<2>,
            Relu,
            Dense<2>,
            Relu,
            Dense<2>,
            Relu,
            Dense<2>,
            Relu,
            Dense<2>,
            Relu,
            Dense<2>,
            Relu,
            Dense<2>,
            Relu,
            Dense<2>,
            Relu,
        );
        let line = format!("2 {}dense(3)", "dense(2) relu ".repeat(8));
        same::<(Sixteen, (Dense<3>,)), Vector<2>>(&line);
    }

    #[test]
    fn layers_that_do_not_fit_are_named() {
        let error = Network::from_line("3x10 conv1d(8,20) relu").unwrap_err().to_string();
        assert!(error.contains("layer 1") && error.contains("conv1d"), "{error}");
        assert!(Network::from_line("10 gru(4)").unwrap_err().to_string().contains("gru"));
        assert!(Shape::new(&[0, 3]).is_none() && Shape::new(&[1 << 40]).is_none());
    }
}

//! Networks whose shape is known only at run time: read from a line, a model file or a menu, before they become a type.
//!
//! A [`Network`] says what the type `(Dense<32>, Relu, Dense<10>)` says: the layers, their shapes, and the names, shapes and
//! order of their parameters. It computes nothing. [`line`](mod@line) reads and writes it as text, [`rust`] as a type of the learner. A [`Rule`] is
//! what it learns by.

mod chain;
pub mod function;
pub(crate) mod kept;
pub mod layer;
pub mod line;
pub mod model;
mod node;
pub mod parameter;
pub mod rule;
pub mod rust;
pub mod window;

use std::fmt;

use backpass::checkpoint::Fingerprint;

pub(crate) use chain::DEEPEST;
pub use chain::Stage;
pub use function::{Activation, Cell};
pub use layer::Layer;
pub use node::{Node, Value};
pub(crate) use node::{flattened, nodes, taken};
pub use parameter::{Parameter, Role};
pub use rule::Rule;
pub use window::{Padding, Window};

/// How many layers a tuple of the learner can have; a longer network is a tuple of tuples.
pub(crate) const LONGEST_TUPLE: usize = 16;

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
    /// The network of these layers, one after another. What the learner needs beside is put there: a [`Layer::Flatten`] before a dense
    /// layer whose input is no vector, a [`Layer::Keep`] at the ends of a residual connection's branch.
    ///
    /// # Errors
    /// The first layer that does not take what the one before it gives.
    pub fn new(input: Shape, layers: impl IntoIterator<Item = Layer>) -> Result<Self, NetworkError> {
        let network = Self { stages: chain::stages(&input, layers)?, input };
        chain::refuse_keep(&network.stages).map_err(|problem| NetworkError {
            number: network.stages.iter().position(|stage| stage.layer == Layer::Keep).map_or(1, |index| index + 1),
            layer: Layer::Keep.to_string(),
            problem,
        })?;
        node::check_order(&network)?;
        Ok(network)
    }

    /// The shape of a sample.
    #[must_use]
    pub const fn input(&self) -> &Shape {
        &self.input
    }

    /// The shape of what the last layer gives.
    #[must_use]
    pub fn output(&self) -> &Shape {
        chain::output(&self.input, &self.stages)
    }

    /// The layers, from the first.
    #[must_use]
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Every layer by itself, those within residual connections too, in the order of the learner's parameters.
    #[must_use]
    pub fn nodes(&self) -> Vec<Node> {
        nodes(&self.stages)
    }

    /// All parameters with their names, in the order of the learner.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        self.nodes().iter().flat_map(Node::parameters).collect()
    }

    /// The number of parameters.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(Parameter::count).sum()
    }

    /// Numbers of four bytes that the learner keeps from forward to backward, beside the sample.
    #[must_use]
    pub fn tape_count(&self) -> usize {
        self.nodes().iter().map(|node| node.stage.tape_count()).sum()
    }

    /// The fingerprint by which a checkpoint knows whose it is: that of
    /// [`network_fingerprint`](backpass::checkpoint::network_fingerprint) for the type.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut fingerprint = named(Fingerprint::new().text("f32"), &self.stages);
        for parameter in self.parameters() {
            fingerprint = fingerprint.text(&parameter.name).number(parameter.count()).number(parameter.axes.len());
            fingerprint = parameter.axes.iter().fold(fingerprint, |fingerprint, axis| fingerprint.number(*axis));
        }
        fingerprint
    }
}

/// With the names of all layers; that of a residual connection comes before those within.
fn named(fingerprint: Fingerprint, stages: &[Stage]) -> Fingerprint {
    stages.iter().fold(fingerprint, |fingerprint, stage| {
        let fingerprint = fingerprint.text(stage.layer.name(&stage.input));
        stage.parts().iter().fold(fingerprint, |fingerprint, part| named(fingerprint, part))
    })
}

#[cfg(test)]
mod tests {
    use backpass::checkpoint::network_fingerprint;
    use backpass::{
        BatchNorm, Bias, Conv1d, Conv2d, Dense, DepthwiseConv2d, Dropout, Flatten, GlobalAveragePool, Gru, Image, Keep,
        LayerNorm, Lstm, MaxPool, PRelu, Params, Relu, Residual, ResidualProjection, Rnn, Sequence, Shared, Sigmoid,
        Signal, Tanh, Vector, Zero,
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
        type Slopes = (DepthwiseConv2d<Image<4, 4, 2>, 3>, PRelu, Flatten<32>, PRelu<Shared>, Dense<3>);
        same::<Slopes, Image<4, 4, 2>>("2x4x4 depthwise(3,padding=same) prelu flatten prelu(shared) dense(3)");
        type Steps = (Gru<6, Sequence>, LayerNorm, Lstm<5, Sequence>, Rnn<4>, Dense<2>, Sigmoid);
        same::<Steps, Signal<20, 3>>("3x20 gru(6,sequence) layernorm lstm(5,sequence) rnn(4) dense(2) sigmoid");
    }

    type Block = Residual<(Conv2d<Image<6, 6, 3>, 3>, BatchNorm, Relu, Conv2d<Image<6, 6, 3>, 3>, BatchNorm)>;
    type Down = ResidualProjection<
        (Conv2d<Image<3, 3, 4>, 3, 2>, Relu, Conv2d<Image<3, 3, 4>, 3>),
        Conv2d<Image<3, 3, 4>, 1, 2>,
    >;
    const RESNET: &str = "3x6x6 residual(conv2d(3,3,padding=same) batchnorm relu conv2d(3,3,padding=same) batchnorm) relu \
                          residual(conv2d(4,3,2,padding=same) relu conv2d(4,3,padding=same) | conv2d(4,1,2)) relu \
                          globalaveragepool dense(2)";

    #[test]
    fn residual_connections_have_the_learners_names_shapes_and_tapes() {
        same::<(Block, Relu, Down, Relu, GlobalAveragePool, Dense<2>), Image<6, 6, 3>>(RESNET);
        // One layer alone is no tuple, neither as a branch nor as a projection.
        type Bare = (
            Residual<Dense<8>>,
            ResidualProjection<Dense<4>, (Dense<6>, Relu, Dense<4>)>,
            Residual<Residual<Dense<4>>>,
        );
        same::<Bare, Vector<8>>(
            "8 residual(dense(8)) residual(dense(4) | dense(6) relu dense(4)) residual(residual(dense(4)))",
        );
        // In one another, in a branch and in a projection.
        type Inner = (Dense<6>, ResidualProjection<(Keep, Tanh, Dense<6>), Dense<6>>, Dense<8>);
        type Outer = ResidualProjection<(Dense<5>, Residual<(Dense<5>, Relu, Dense<5>)>, Dense<8>), Inner>;
        let outer = "8 residual(dense(5) residual(dense(5) relu dense(5)) dense(8) | dense(6) residual(tanh dense(6) | dense(6)) dense(8)) dense(2)";
        same::<(Outer, Dense<2>), Vector<8>>(outer);
        // Layers that work in place, at both ends.
        same::<(Residual<(Keep, Relu, Dense<4>, Relu, Keep)>, Dropout), Vector<4>>(
            "4 residual(relu dense(4) relu) dropout(0.5)",
        );
        type Steps = (Residual<Gru<3, Sequence>>, Residual<(LayerNorm, Lstm<3, Sequence>, Dropout, Keep)>, Rnn<2>);
        same::<Steps, Signal<5, 3>>(
            "3x5 residual(gru(3,sequence)) residual(layernorm lstm(3,sequence) dropout(0.1)) rnn(2)",
        );
    }

    #[test]
    fn the_benchmarks_residual_network_is_a_line() {
        use backpass_app::mlperf_tiny::{Photo, ResNet8};
        let line = "3x32x32 conv2d(16,3,padding=same) relu residual(conv2d(16,3,padding=same) relu conv2d(16,3,padding=same)) relu \
                    residual(conv2d(32,3,2,padding=same) relu conv2d(32,3,padding=same) | conv2d(32,1,2)) relu \
                    residual(conv2d(64,3,2,padding=same) relu conv2d(64,3,padding=same) | conv2d(64,1,2)) relu \
                    globalaveragepool dense(10)";
        same::<ResNet8, Photo>(line);
        assert_eq!(Network::from_line(line).unwrap().parameter_count(), 77_706);
    }

    /// As many layers as a tuple has.
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

    #[test]
    fn a_long_branch_is_a_tuple_of_tuples() {
        let line = format!("2 dense(2) residual({}dense(2))", "dense(2) relu ".repeat(8));
        same::<(Dense<2>, Residual<(Sixteen, (Dense<2>,))>), Vector<2>>(&line);
    }

    #[test]
    fn what_branches_may_begin_and_end_with_is_what_the_learner_says() {
        macro_rules! each {
            ($($line:literal $layer:ty, $x:ty);+ $(;)?) => {
                $({
                    let stage = &Network::from_line($line).unwrap().stages[0];
                    assert_eq!(stage.layer.keeps_input(), <$layer as backpass::Layer<$x>>::KEEPS_INPUT, $line);
                    let keeps = <$layer as backpass::Layer<$x>>::KEEPS_OUTPUT_GRADIENT;
                    assert_eq!(stage.layer.keeps_output_gradient(), keeps, $line);
                })+
            };
        }
        each! {
            "4 dense(2)" Dense<2>, Vector<4>;
            "2x4 conv1d(3,1)" Conv1d<Signal<4, 3>, 1>, Signal<4, 2>;
            "2x4x4 conv2d(3,1)" Conv2d<Image<4, 4, 3>, 1>, Image<4, 4, 2>;
            "2x4x4 depthwise(1)" DepthwiseConv2d<Image<4, 4, 2>, 1>, Image<4, 4, 2>;
            "2x4 maxpool(2)" MaxPool<Signal<2, 2>, 2>, Signal<4, 2>;
            "2x4 averagepool(2)" backpass::AveragePool<Signal<2, 2>, 2>, Signal<4, 2>;
            "2x4 globalmaxpool" backpass::GlobalMaxPool, Signal<4, 2>;
            "2x4 globalaveragepool" GlobalAveragePool, Signal<4, 2>;
            "2x4 flatten" Flatten<8>, Signal<4, 2>;
            "2x4 dropout" Dropout, Signal<4, 2>;
            "2x4 batchnorm" BatchNorm, Signal<4, 2>;
            "2x4 layernorm" LayerNorm, Signal<4, 2>;
            "2x4 prelu" PRelu, Signal<4, 2>;
            "2x4 rnn(2)" Rnn<2>, Signal<4, 2>;
            "2x4 gru(2)" Gru<2>, Signal<4, 2>;
            "2x4 lstm(2)" Lstm<2>, Signal<4, 2>;
            "4 residual(dense(4))" Residual<Dense<4>>, Vector<4>;
            "4 residual(dense(2) | dense(2))" ResidualProjection<Dense<2>, Dense<2>>, Vector<4>;
            "4 relu" Relu, Vector<4>;
            "4 relu6" backpass::Relu6, Vector<4>;
            "4 leakyrelu" backpass::LeakyRelu, Vector<4>;
            "4 sigmoid" Sigmoid, Vector<4>;
            "4 tanh" Tanh, Vector<4>;
            "4 elu" backpass::Elu, Vector<4>;
            "4 selu" backpass::Selu, Vector<4>;
            "4 gelu" backpass::Gelu, Vector<4>;
            "4 silu" backpass::Silu, Vector<4>;
            "4 mish" backpass::Mish, Vector<4>;
            "4 softplus" backpass::Softplus, Vector<4>;
            "4 softsign" backpass::Softsign, Vector<4>;
            "4 hardsigmoid" backpass::HardSigmoid, Vector<4>;
            "4 hardswish" backpass::HardSwish, Vector<4>;
            "4 softmax" backpass::Softmax, Vector<4>;
            "4 logsoftmax" backpass::LogSoftmax, Vector<4>;
        }
        assert!(<Keep as backpass::Layer<Vector<4>>>::KEEPS_INPUT && Layer::Keep.keeps_input());
        assert!(<Keep as backpass::Layer<Vector<4>>>::KEEPS_OUTPUT_GRADIENT && Layer::Keep.keeps_output_gradient());
    }

    #[test]
    fn a_long_network_is_a_tuple_of_tuples() {
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

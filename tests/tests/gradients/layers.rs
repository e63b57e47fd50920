//! The layers that random networks are drawn from, each with its model: on vectors, signals and images.

use std::fmt::Debug;

use backpass::{
    AveragePool, BatchNorm, BiasOnly, Conv1d, Conv2d, Dense, DepthwiseConv1d, DepthwiseConv2d, Dropout, Elu, Flatten,
    Gelu, GeluTanh, GlobalAveragePool, GlobalMaxPool, GroupNorm, HardSigmoid, HardSwish, Identity, Image, Inference,
    InstanceNorm, Keep, Layer, LayerNorm, LeakyRelu, Linear, LinearLayer, LogSoftmax, MaxPool, Mish, NoBias, PRelu,
    Pad, Projection, Relu, Relu6, Reshape, RmsNorm, Scale, Selu, Shared, Sigmoid, Signal, Silu, Softmax, Softplus,
    Softsign, Tanh, Tensor, Zero,
};

use crate::activations::{
    Around, Drop, ELU, GELU, GELU_TANH, HARD_SIGMOID, HARD_SWISH, MISH, NOTHING, RELU6, SELU, SILU, SOFTPLUS, SOFTSIGN,
    Shaped, Shift, Slope, SoftmaxOf,
};
use crate::any::{Node, node};
use crate::basic::{Simple, linear, without_bias};
use crate::conv::{Conv, ONE, axis, conv1d, conv2d, depthwise};
use crate::harness::{Stage, State, Values, doubles};
use crate::norm::{EPSILON, Over, RUNNING_EPSILON, Rms, Running, normal};
use crate::pool::{Global, average, max};

/// Makes a layer for a place in the network.
pub(crate) type Make<X> = fn(Place<'_>, &mut Values) -> Node<X>;

/// A place: the stage's index, in nested networks those from the outermost on.
pub(crate) type Place<'a> = &'a [u32];

/// Layers of many kinds whose model is a function of one number or little more: those that take tensors of every shape.
pub(crate) fn common<X: Tensor>() -> Vec<Make<X>> {
    const EPS: f32 = EPSILON as f32;
    vec![
        // Gates come more often: it is they that change what their neighbours do.
        |_, _| node(Relu, Simple::Relu),
        |_, _| node(Relu, Simple::Relu),
        |_, _| node(Relu, Simple::Relu),
        |_, _| node(Relu6, RELU6),
        |_, _| node(Identity, NOTHING),
        |_, _| node(Keep, NOTHING),
        |_, _| node(LeakyRelu { slope: 0.2 }, Simple::LeakyRelu(f64::from(0.2_f32))),
        |_, _| node(Sigmoid, Simple::Sigmoid),
        |_, _| node(Tanh, Simple::Tanh),
        |_, _| node(Elu::new(), ELU),
        |_, _| node(Selu::new(), SELU),
        |_, _| node(Softplus::new(), SOFTPLUS),
        |_, _| node(Softsign, SOFTSIGN),
        |_, _| node(Silu, SILU),
        |_, _| node(HardSigmoid::new(), HARD_SIGMOID),
        |_, _| node(HardSwish, HARD_SWISH),
        |_, _| node(Gelu, GELU),
        |_, _| node(GeluTanh, GELU_TANH),
        |_, _| node(Mish, MISH),
        |_, _| node(Softmax, SoftmaxOf { logarithm: false }),
        |_, _| node(LogSoftmax, SoftmaxOf { logarithm: true }),
        |_, _| node(PRelu::new() as PRelu, Slope { shared: false }),
        |_, _| node(PRelu::<Shared>::new(), Slope { shared: true }),
        |place, _| node(Dropout::new(0.5), Drop { rate: 0.5, seed: 0, place: place.to_vec() }),
        |place, _| node(Dropout { rate: 0.125, seed: 7 }, Drop { rate: 0.125, seed: 7, place: place.to_vec() }),
        |_, _| node(LayerNorm { epsilon: EPS }, normal(Over::Position)),
        |_, _| node(RmsNorm { epsilon: EPS }, Rms { epsilon: EPSILON }),
        |_, _| node(GroupNorm::<2> { epsilon: EPS }, normal(Over::Groups(2))),
        |_, _| node(InstanceNorm { epsilon: EPS }, normal(Over::Channel)),
        |_, _| {
            let layer = BatchNorm { epsilon: RUNNING_EPSILON as f32, momentum: 0.25 };
            node(layer, Running { epsilon: RUNNING_EPSILON })
        },
    ]
}

/// A shape that networks of random layers work on.
pub(crate) trait Shape: Tensor + Debug {
    /// With twice the channels.
    type Double: Tensor;
    /// A linear layer that keeps the shape.
    type Same: LinearLayer<Self>
        + Projection<Self>
        + Inference<Self>
        + Layer<Self, Output = Self, Tape = Self>
        + Debug
        + Default
        + Copy
        + 'static;
    /// A linear layer that halves the channels.
    type Half: Inference<Self::Double>
        + Layer<Self::Double, Output = Self, Tape = Self>
        + Debug
        + Default
        + Copy
        + 'static;

    fn same() -> Box<dyn Stage>;
    fn half() -> Box<dyn Stage>;
    /// Layers for this shape alone.
    fn own() -> Vec<Make<Self>>;
}

/// A weight in flash, and the model's copy.
pub(crate) fn fixed<X: Shape>(values: &mut Values) -> (&'static Linear<Weight<X>, BiasOf<X>>, &'static [f64]) {
    let weight: Weight<X> = values.tensor();
    let copy = Box::leak(doubles(<Weight<X> as Tensor>::flat(&weight)).into_boxed_slice());
    (Box::leak(Box::new(Linear { weight, bias: Zero::ZERO })), copy)
}

/// A dense layer whose weight is no parameter.
#[derive(Debug)]
pub(crate) struct WithBias(&'static [f64]);

impl Stage for WithBias {
    fn apply(&self, state: &mut State<'_>) {
        let bias = state.take(4);
        state.run_with(&without_bias(4), self.0);
        state.x.iter_mut().zip(bias).for_each(|(y, bias)| *y += bias);
    }
}

pub(crate) type Weight<X> = <<X as Shape>::Same as LinearLayer<X>>::Weight;
pub(crate) type BiasOf<X> = <<X as Shape>::Same as LinearLayer<X>>::Bias;

impl Shape for [f32; 4] {
    type Double = [f32; 8];
    type Same = Dense<4>;
    type Half = Dense<4>;

    fn same() -> Box<dyn Stage> {
        Box::new(linear(4))
    }

    fn half() -> Box<dyn Stage> {
        Box::new(linear(4))
    }

    fn own() -> Vec<Make<Self>> {
        vec![
            |_, _| node(Dense::<4>::new(), linear(4)),
            |_, _| node((Dense::<3, NoBias>::new(), Dense::<4>::new()), (without_bias(3), linear(4))),
            |_, values| {
                let (weights, fixed) = fixed::<Self>(values);
                node(BiasOnly::<Dense<4>, Self>::new(Dense::new(), weights), WithBias(fixed))
            },
            |_, _| node(Flatten::<4>, NOTHING),
            |_, _| {
                let layer = (Reshape::<Image<2, 1, 2>>::new(), Reshape::<Self>::new());
                node(layer, (Shaped(&[2, 1, 2]), Shaped(&[4])))
            },
            |_, _| {
                // Not directly behind a gate, which it would hide.
                let layer = (Keep, Scale { mean: [0.5, -1.0, 0.0, 0.25], factor: [2.0, 1.0, -0.5, 4.0] });
                node(layer, Shift { mean: &[0.5, -1.0, 0.0, 0.25], factor: &[2.0, 1.0, -0.5, 4.0] })
            },
            // Large enough for ReLU6 to saturate.
            |_, _| {
                let layer = (Tanh, Scale { mean: [-0.25; 4], factor: [9.0; 4] }, Relu6);
                node(layer, (Simple::Tanh, Shift { mean: &[-0.25; 4], factor: &[9.0; 4] }, RELU6))
            },
            |_, _| {
                let layer = (
                    Reshape::<Signal<4, 1>>::new(),
                    MaxPool::<Signal<2, 1>, 2>::new(),
                    Flatten::<2>,
                    Dense::<4>::new(),
                );
                node(layer, (Shaped(&[4, 1]), max([2, 1], [2, 1]), Shaped(&[2]), linear(4)))
            },
        ]
    }
}

impl Shape for Signal<6, 2> {
    type Double = Signal<6, 4>;
    type Same = Conv1d<Self, 3>;
    type Half = Conv1d<Self, 1>;

    fn same() -> Box<dyn Stage> {
        Box::new(conv1d(axis(6, 3, 1, 1, 1), 2))
    }

    fn half() -> Box<dyn Stage> {
        Box::new(conv1d(axis(6, 1, 1, 1, 0), 2))
    }

    fn own() -> Vec<Make<Self>> {
        vec![
            |_, _| node(Conv1d::<Self, 3>::new(), conv1d(axis(6, 3, 1, 1, 1), 2)),
            |_, _| node(Conv1d::<Self, 1>::new(), conv1d(axis(6, 1, 1, 1, 0), 2)),
            |_, _| node(DepthwiseConv1d::<Self, 3>::new(), depthwise(axis(6, 3, 1, 1, 1), ONE)),
            |_, values| {
                let (weights, fixed) = fixed::<Self>(values);
                let model = Conv { fixed: Some(fixed), ..conv1d(axis(6, 3, 1, 1, 1), 2) };
                node(BiasOnly::<Conv1d<Self, 3>, Self>::new(Conv1d::new(), weights), model)
            },
            // Pools of each kind of stride, and back to the shape.
            |_, _| {
                let layer = (MaxPool::<Signal<5, 2>, 2, 1>::new(), Pad::<Self>::new(0.5));
                node(layer, (max([2, 1], [1, 1]), Around { value: 0.5, before: &[0], output: &[6] }))
            },
            |_, _| {
                let layer = (MaxPool::<Signal<3, 2>, 2>::new(), Pad::<Self>::default());
                node(layer, (max([2, 1], [2, 1]), Around { value: 0.0, before: &[1], output: &[6] }))
            },
            |_, _| {
                let layer = (Pad::<Signal<8, 2>>::new(f32::NEG_INFINITY), MaxPool::<Self, 3, 1>::new());
                node(layer, (Around { value: f64::NEG_INFINITY, before: &[1], output: &[8] }, max([3, 1], [1, 1])))
            },
            |_, _| {
                let layer = (Pad::<Signal<7, 2>>::default(), AveragePool::<Self, 2, 1>::new());
                node(layer, (Around { value: 0.0, before: &[0], output: &[7] }, average([2, 1], [1, 1])))
            },
            |_, _| {
                let layer = (AveragePool::<Signal<2, 2>, 2, 3>::new(), Pad::<Self>::default());
                node(layer, (average([2, 1], [3, 1]), Around { value: 0.0, before: &[2], output: &[6] }))
            },
            |_, _| {
                let layer = (GlobalMaxPool, Dense::<12>::new(), Reshape::<Self>::new());
                node(layer, (Global { max: true }, linear(12), Shaped(&[6, 2])))
            },
            |_, _| {
                let layer = (GlobalAveragePool, Dense::<12>::new(), Reshape::<Self>::new());
                node(layer, (Global { max: false }, linear(12), Shaped(&[6, 2])))
            },
            |_, _| {
                let layer = (Reshape::<Signal<3, 4>>::new(), Relu, Reshape::<Self>::new());
                node(layer, (Shaped(&[3, 4]), Simple::Relu, Shaped(&[6, 2])))
            },
            |_, _| {
                let layer = (Tanh, Scale { mean: [-0.25; 2], factor: [9.0; 2] }, Relu6);
                node(layer, (Simple::Tanh, Shift { mean: &[-0.25; 2], factor: &[9.0; 2] }, RELU6))
            },
        ]
    }
}

impl Shape for Image<4, 4, 2> {
    type Double = Image<4, 4, 4>;
    type Same = Conv2d<Self, 3>;
    type Half = Conv2d<Self, 1>;

    fn same() -> Box<dyn Stage> {
        Box::new(conv2d(axis(4, 3, 1, 1, 1), axis(4, 3, 1, 1, 1), 2))
    }

    fn half() -> Box<dyn Stage> {
        Box::new(conv2d(axis(4, 1, 1, 1, 0), axis(4, 1, 1, 1, 0), 2))
    }

    fn own() -> Vec<Make<Self>> {
        vec![
            |_, _| node(Conv2d::<Self, 3>::new(), conv2d(axis(4, 3, 1, 1, 1), axis(4, 3, 1, 1, 1), 2)),
            |_, _| node(Conv2d::<Self, 1>::new(), conv2d(axis(4, 1, 1, 1, 0), axis(4, 1, 1, 1, 0), 2)),
            |_, _| node(DepthwiseConv2d::<Self, 3>::new(), depthwise(axis(4, 3, 1, 1, 1), axis(4, 3, 1, 1, 1))),
            |_, _| {
                let layer = (MaxPool::<Image<2, 2, 2>, 2>::new(), Pad::<Self>::default());
                node(layer, (max([2, 2], [2, 2]), Around { value: 0.0, before: &[1, 1], output: &[4, 4] }))
            },
            |_, _| {
                let layer = (MaxPool::<Image<2, 3, 2>, 3, 1, 2, 1>::new(), Pad::<Self>::new(-0.5));
                node(layer, (max([3, 2], [1, 1]), Around { value: -0.5, before: &[1, 0], output: &[4, 4] }))
            },
            |_, _| {
                let layer = (AveragePool::<Image<3, 3, 2>, 2, 1>::new(), Pad::<Self>::new(0.25));
                node(layer, (average([2, 2], [1, 1]), Around { value: 0.25, before: &[0, 0], output: &[4, 4] }))
            },
            |_, _| {
                let layer =
                    (GlobalMaxPool, Dense::<2>::new(), Reshape::<Image<1, 1, 2>>::new(), Pad::<Self>::default());
                let pad = Around { value: 0.0, before: &[1, 1], output: &[4, 4] };
                node(layer, (Global { max: true }, linear(2), Shaped(&[1, 1, 2]), pad))
            },
            |_, _| {
                let layer = (Tanh, Scale { mean: [-0.25; 2], factor: [9.0; 2] }, Relu6);
                node(layer, (Simple::Tanh, Shift { mean: &[-0.25; 2], factor: &[9.0; 2] }, RELU6))
            },
        ]
    }
}

//! Random networks of three random layers: every layer with every other as its neighbour, in branches and frozen too.
//!
//! Layers from a tensor to one of the same shape stand behind one type, [`Any`], so that any three may be put together while the test
//! runs. They are drawn from all layers of the crate, and from blocks (residual connections, concatenations, chains, frozen
//! networks) of layers that are drawn again.

use std::any::Any as Downcast;
use std::fmt::{self, Debug};

use backpass::{
    AveragePool, BatchNorm, BiasOnly, Concat, Conv1d, Conv2d, Dense, DepthwiseConv1d, DepthwiseConv2d, Dropout, Elu,
    Flatten, Frozen, Gelu, GeluTanh, GlobalAveragePool, GlobalMaxPool, GroupNorm, HardSigmoid, HardSwish, Identity,
    Image, Inference, InputGradient, InstanceNorm, Keep, Layer, LayerNorm, LeakyRelu, Linear, LinearLayer, LogSoftmax,
    Loss, MaxPool, MeanSquaredError, Mish, Name, NoBias, PRelu, Pad, Params, Pass, Projection, Relu, Relu6, Reshape,
    Residual, ResidualProjection, RmsNorm, Scale, Selu, Shared, Sigmoid, Signal, Silu, Softmax, Softplus, Softsign,
    Tanh, Tensor, Zero,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::activations::{
    Around, Drop, ELU, GELU, GELU_TANH, HARD_SIGMOID, HARD_SWISH, MISH, NOTHING, RELU6, SELU, SILU, SOFTPLUS, SOFTSIGN,
    Shaped, Shift, Slope, SoftmaxOf,
};
use crate::basic::{Simple, linear, without_bias};
use crate::conv::{Conv, ONE, axis, conv1d, conv2d, depthwise};
use crate::harness::{Stage, State, Values, cases, compare, doubles, put, squares, values};
use crate::norm::{EPSILON, Over, RUNNING_EPSILON, Rms, Running, normal};
use crate::pool::{Global, average, max};
use crate::structure::{Beside, Fixed, Plus, PlusOf};

/// A layer from `X` to `X`, whatever its type. Parameters are slices: what is learned, and what is measured.
trait Dynamic<X>: Debug {
    fn forward(&self, params: [&[f32]; 2], x: &mut X, pass: Pass) -> Box<dyn Kept<X>>;
    fn backward(
        &self,
        params: [&[f32]; 2],
        x: &mut X,
        kept: &mut dyn Kept<X>,
        grads: Option<[&mut [f32]; 2]>,
        want: InputGradient,
    );
    fn output_gradient(&self, input: InputGradient) -> InputGradient;
    fn infer(&self, params: [&[f32]; 2], x: &X) -> X;
    fn keeps(&self) -> [bool; 2];
}

/// The tape of a [`Dynamic`] layer.
trait Kept<X>: Downcast {
    fn output<'t>(&'t mut self, x: &'t mut X) -> &'t mut X;
}

/// A layer of this type, as a [`Dynamic`] one.
#[derive(Debug)]
struct Typed<L>(L);

/// Its tape.
struct TypedTape<L, X>(L::Tape)
where
    L: Layer<X>;

impl<X: 'static, L: Layer<X, Output = X, Tape: 'static> + 'static> Kept<X> for TypedTape<L, X> {
    fn output<'t>(&'t mut self, x: &'t mut X) -> &'t mut X {
        L::output(x, &mut self.0)
    }
}

/// The parameters that slices hold.
fn typed<P: Params>([mut learned, mut measured]: [&[f32]; 2]) -> P {
    let mut params = P::ZERO;
    P::visit_mut([&mut params], None, &mut |name, [slice]| {
        let from = if name.is_statistic() { &mut measured } else { &mut learned };
        slice.copy_from_slice(from.split_off(..slice.len()).unwrap());
    });
    params
}

/// Adds gradients to slices.
fn add<P: Params>(gradients: &P, [mut learned, mut measured]: [&mut [f32]; 2]) {
    gradients.visit(None, &mut |name, values| {
        let to = if name.is_statistic() { &mut measured } else { &mut learned };
        let to = to.split_off_mut(..values.len()).unwrap();
        to.iter_mut().zip(values).for_each(|(to, value)| *to += value);
    });
}

impl<X, L> Dynamic<X> for Typed<L>
where
    X: Tensor,
    L: Layer<X, Output = X, Tape: 'static> + Inference<X> + Debug + 'static,
{
    fn forward(&self, params: [&[f32]; 2], x: &mut X, pass: Pass) -> Box<dyn Kept<X>> {
        let mut tape = Box::new(TypedTape::<L, X>(L::Tape::ZERO));
        self.0.forward(&typed(params), x, &mut tape.0, pass);
        tape
    }

    fn backward(
        &self,
        params: [&[f32]; 2],
        x: &mut X,
        kept: &mut dyn Kept<X>,
        grads: Option<[&mut [f32]; 2]>,
        want: InputGradient,
    ) {
        let tape: &mut TypedTape<L, X> = (kept as &mut dyn Downcast).downcast_mut().unwrap();
        let mut gradients = grads.is_some().then_some(L::Params::ZERO);
        self.0.backward(&typed(params), x, &mut tape.0, gradients.as_mut(), want);
        if let (Some(to), Some(gradients)) = (grads, gradients) {
            add(&gradients, to);
        }
    }

    fn output_gradient(&self, input: InputGradient) -> InputGradient {
        self.0.output_gradient(input)
    }

    fn infer(&self, params: [&[f32]; 2], x: &X) -> X {
        // Numbers from before, which a layer must not take for its input.
        let (mut here, mut there) = (vec![9.0; L::BUFFER], vec![-9.0; L::BUFFER]);
        here[..X::LEN].copy_from_slice(x.flat());
        self.0.infer(&typed(params), &mut here, &mut there);
        Values(if L::SWAPS { there } else { here }).tensor()
    }

    fn keeps(&self) -> [bool; 2] {
        [L::KEEPS_INPUT, L::KEEPS_OUTPUT_GRADIENT]
    }
}

/// A layer from `X` to `X` with room for `P` parameters and `S` statistics. `KEEPS`: it keeps its input and its output's gradient.
struct Any<X: 'static, const P: usize, const S: usize, const KEEPS: bool>(&'static dyn Dynamic<X>);

impl<X, const P: usize, const S: usize, const KEEPS: bool> Clone for Any<X, P, S, KEEPS> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<X, const P: usize, const S: usize, const KEEPS: bool> Copy for Any<X, P, S, KEEPS> {}

impl<X, const P: usize, const S: usize, const KEEPS: bool> Debug for Any<X, P, S, KEEPS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The parameters of [`Any`]: as many as there is room for. NaN is where none is used.
#[derive(Debug, Clone, Copy)]
struct Room<const P: usize, const S: usize> {
    learned: [f32; P],
    measured: [f32; S],
}

impl<const P: usize, const S: usize> Zero for Room<P, S> {
    const ZERO: Self = Self { learned: [0.0; P], measured: [0.0; S] };
}

impl<const P: usize, const S: usize> Params for Room<P, S> {
    const COUNT: usize = P + S;

    fn visit(&self, parent: Option<&Name<'_>>, visitor: &mut dyn FnMut(Name<'_>, &[f32])) {
        visitor(Name::leaf(parent, "learned"), &self.learned);
        visitor(Name::statistic(parent, "measured"), &self.measured);
    }

    fn visit_mut<const SETS: usize>(
        mut sets: [&mut Self; SETS],
        parent: Option<&Name<'_>>,
        visitor: &mut dyn FnMut(Name<'_>, [&mut [f32]; SETS]),
    ) {
        visitor(Name::leaf(parent, "learned"), sets.each_mut().map(|set| set.learned.as_mut_slice()));
        visitor(Name::statistic(parent, "measured"), sets.each_mut().map(|set| set.measured.as_mut_slice()));
    }
}

/// The tape of [`Any`].
struct AnyTape<X>(Option<Box<dyn Kept<X>>>);

impl<X> Zero for AnyTape<X> {
    const ZERO: Self = Self(None);
}

impl<X: Tensor, const P: usize, const S: usize, const KEEPS: bool> Layer<X> for Any<X, P, S, KEEPS> {
    type Output = X;
    type Params = Room<P, S>;
    type Tape = AnyTape<X>;
    const KEEPS_INPUT: bool = KEEPS;
    const KEEPS_OUTPUT_GRADIENT: bool = KEEPS;

    fn forward<'t>(&self, params: &Room<P, S>, x: &'t mut X, tape: &'t mut AnyTape<X>, pass: Pass) -> &'t mut X {
        let kept = tape.0.insert(self.0.forward([&params.learned, &params.measured], x, pass));
        kept.output(x)
    }

    fn output<'t>(x: &'t mut X, tape: &'t mut AnyTape<X>) -> &'t mut X {
        tape.0.as_mut().unwrap().output(x)
    }

    fn backward(
        &self,
        params: &Room<P, S>,
        x: &mut X,
        tape: &mut AnyTape<X>,
        grads: Option<&mut Room<P, S>>,
        want: InputGradient,
    ) {
        let kept = tape.0.as_deref_mut().unwrap();
        let grads = grads.map(|grads| [grads.learned.as_mut_slice(), grads.measured.as_mut_slice()]);
        self.0.backward([&params.learned, &params.measured], x, kept, grads, want);
    }

    fn output_gradient(&self, input: InputGradient) -> InputGradient {
        self.0.output_gradient(input)
    }
}

impl<X: Tensor, const P: usize, const S: usize, const KEEPS: bool> Inference<X> for Any<X, P, S, KEEPS> {
    const BUFFER: usize = X::LEN;
    const SWAPS: bool = false;

    fn infer(&self, params: &Room<P, S>, here: &mut [f32], _: &mut [f32]) {
        let input: X = Values(here[..X::LEN].to_vec()).tensor();
        here[..X::LEN].copy_from_slice(self.0.infer([&params.learned, &params.measured], &input).flat());
    }
}

/// A layer and its model.
struct Node<X: 'static> {
    layer: &'static dyn Dynamic<X>,
    model: Box<dyn Stage>,
    /// Its parameters in the order of a visit: whether they are statistics, and how many.
    layout: Vec<(bool, usize)>,
    /// What is learned and what is measured, where that is known already.
    params: [Vec<f32>; 2],
}

fn node<X, L>(layer: L, model: impl Stage + 'static) -> Node<X>
where
    X: Tensor,
    L: Layer<X, Output = X, Tape: 'static> + Inference<X> + Debug + 'static,
{
    let mut layout = Vec::new();
    L::Params::ZERO.visit(None, &mut |name, values| layout.push((name.is_statistic(), values.len())));
    Node { layer: Box::leak(Box::new(Typed(layer))), model: Box::new(model), layout, params: [vec![], vec![]] }
}

/// The model of a [`Node`] in a [`Room`].
#[derive(Debug)]
struct InRoom {
    model: Box<dyn Stage>,
    layout: Vec<(bool, usize)>,
    room: [usize; 2],
}

impl Stage for InRoom {
    fn apply(&self, state: &mut State<'_>) {
        let [mut learned, mut measured] = self.room.map(|count| state.take(count));
        let mut params = Vec::new();
        for (is_statistic, count) in &self.layout {
            let from = if *is_statistic { &mut measured } else { &mut learned };
            params.extend(from.split_off(..*count).unwrap());
        }
        assert!(learned.iter().chain(measured).all(|value| value.is_nan()));
        state.run_with(&*self.model, &params);
    }
}

/// A node in a room of so many places, and its parameters there.
struct Placed<X: 'static, const P: usize, const S: usize, const KEEPS: bool> {
    layer: Any<X, P, S, KEEPS>,
    model: InRoom,
    params: [Vec<f32>; 2],
}

impl<X: Tensor> Node<X> {
    /// With random parameters, if it has none yet.
    fn draw(mut self, values: &mut Values) -> Self {
        for (statistic, params) in [false, true].into_iter().zip(&mut self.params) {
            let count: usize = self.layout.iter().filter(|(is, _)| *is == statistic).map(|(_, count)| count).sum();
            if params.is_empty() {
                *params = values.take(count);
            }
            assert_eq!(params.len(), count);
        }
        self
    }

    fn place<const P: usize, const S: usize, const KEEPS: bool>(self) -> Placed<X, P, S, KEEPS> {
        let Self { layer, model, layout, mut params } = self;
        for (params, room) in params.iter_mut().zip([P, S]) {
            assert!(params.len() <= room, "{} parameters, {room} places: {layer:?}", params.len());
            params.resize(room, f32::NAN);
        }
        assert!(!KEEPS || layer.keeps() == [true, true]);
        Placed { layer: Any(layer), model: InRoom { model, layout, room: [P, S] }, params }
    }
}

/// Makes a layer for a place in the network.
type Make<X> = fn(Place<'_>, &mut Values) -> Node<X>;

/// A place: the stage's index, in nested networks those from the outermost on.
type Place<'a> = &'a [u32];

/// Layers of many kinds whose model is a function of one number or little more: those that take tensors of every shape.
fn common<X: Tensor>() -> Vec<Make<X>> {
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
trait Shape: Tensor + Debug {
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
fn fixed<X: Shape>(values: &mut Values) -> (&'static Linear<Weight<X>, BiasOf<X>>, &'static [f64]) {
    let weight: Weight<X> = values.tensor();
    let copy = Box::leak(doubles(<Weight<X> as Tensor>::flat(&weight)).into_boxed_slice());
    (Box::leak(Box::new(Linear { weight, bias: Zero::ZERO })), copy)
}

/// A dense layer whose weight is no parameter.
#[derive(Debug)]
struct WithBias(&'static [f64]);

impl Stage for WithBias {
    fn apply(&self, state: &mut State<'_>) {
        let bias = state.take(4);
        state.run_with(&without_bias(4), self.0);
        state.x.iter_mut().zip(bias).for_each(|(y, bias)| *y += bias);
    }
}

type Weight<X> = <<X as Shape>::Same as LinearLayer<X>>::Weight;
type BiasOf<X> = <<X as Shape>::Same as LinearLayer<X>>::Bias;

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

/// A layer of another kind than a block.
type Small<X, const KEEPS: bool> = Any<X, 96, 8, KEEPS>;
/// Any layer, a block too.
type Large<X> = Any<X, 480, 32, false>;

/// Draws layers and their parameters.
struct Draw<X: Shape> {
    layers: Vec<Make<X>>,
    picks: Vec<u16>,
    values: Values,
}

/// The parameters of a block's parts, in the order of a visit.
type Parts = [Vec<f32>; 2];

impl<X: Shape> Draw<X> {
    fn pick(&mut self, below: usize) -> usize {
        usize::from(self.picks.pop().expect("more picks than were drawn")) % below
    }

    /// A layer that is no block; one that keeps input and output's gradient, if `keeps` says so.
    fn simple(&mut self, place: Place<'_>, keeps: bool) -> Node<X> {
        let first = self.pick(self.layers.len());
        let mut nodes = self.layers.iter().cycle().skip(first).map(|make| make(place, &mut self.values));
        let node = nodes.find(|node| !keeps || node.layer.keeps() == [true, true]).unwrap();
        drop(nodes);
        node.draw(&mut self.values)
    }

    /// A layer within a block, whose parameters become part of the block's.
    fn small<const KEEPS: bool>(&mut self, place: Place<'_>, parts: &mut Parts) -> (Small<X, KEEPS>, InRoom) {
        let Placed { layer, model, params } = self.simple(place, KEEPS).place();
        parts.iter_mut().zip(params).for_each(|(parts, params)| parts.extend(params));
        (layer, model)
    }

    /// The parameters of a linear layer within a block.
    fn linear<L: Params>(&mut self, parts: &mut Parts) {
        parts[0].extend(self.values.take(L::COUNT));
    }

    /// Any layer.
    fn node(&mut self, index: u32) -> Node<X> {
        let mut parts = [vec![], vec![]];
        let at = |stage: u32| [index, stage];
        let node = match self.pick(13) {
            0 => {
                let (first, a) = self.small::<true>(&at(0), &mut parts);
                let (middle, b) = self.small::<false>(&at(1), &mut parts);
                let (last, c) = self.small::<true>(&at(2), &mut parts);
                node(Residual((first, middle, last)), Plus((a, b, c)))
            }
            1 => {
                let (first, a) = self.small::<false>(&at(1), &mut parts);
                let (last, b) = self.small::<false>(&at(2), &mut parts);
                node(Residual((Keep, first, last, Keep)), Plus((a, b)))
            }
            2 => {
                let (first, a) = self.small::<true>(&[index, 0, 0], &mut parts);
                let (last, b) = self.small::<true>(&[index, 0, 1], &mut parts);
                self.linear::<<X::Same as Layer<X>>::Params>(&mut parts);
                let (behind, c) = self.small::<false>(&[index, 1, 1], &mut parts);
                let layer = ResidualProjection((first, last), (X::Same::default(), behind));
                node(layer, PlusOf((a, b), (X::same(), c)))
            }
            3 => {
                let (first, a) = self.small::<false>(&[index, 0, 0], &mut parts);
                let (second, b) = self.small::<false>(&[index, 0, 1], &mut parts);
                self.linear::<<X::Half as Layer<X::Double>>::Params>(&mut parts);
                let layer = (Concat::<X::Double, _, _>::new(first, second), X::Half::default());
                node(layer, (Beside(a, b), X::half()))
            }
            4 => {
                let (first, a) = self.small::<false>(&at(0), &mut parts);
                let (second, b) = self.small::<false>(&at(1), &mut parts);
                // In flash, and the model's copy.
                let params: (_, _) = typed([&parts[0], &parts[1]]);
                let params: &'static _ = Box::leak(Box::new(params));
                parts = [vec![], vec![]];
                node(Frozen::<_, X>::new((first, second), params), Fixed((a, b), flat(params)))
            }
            5 => {
                let (first, a) = self.small::<false>(&[index, 0, 0], &mut parts);
                let (second, b) = self.small::<false>(&[index, 0, 1], &mut parts);
                let (last, c) = self.small::<false>(&at(1), &mut parts);
                node(((first, second), last), ((a, b), c))
            }
            _ => return self.simple(&[index], false),
        };
        Node { params: parts, ..node }.draw(&mut self.values)
    }
}

/// All parameters in the order of a visit.
fn flat<P: Params>(params: &P) -> Vec<f64> {
    let mut all = Vec::new();
    params.visit(None, &mut |_, values| all.extend(doubles(values)));
    all
}

/// Three random layers, their models and their parameters.
struct Network<X: 'static> {
    layers: (Large<X>, Large<X>, Large<X>),
    models: [InRoom; 3],
    params: Vec<f32>,
}

/// Draws a network. What of the values is left over comes back.
fn network<X: Shape>(picks: Vec<u16>, values: Values) -> (Network<X>, Values) {
    let layers = [common::<X>(), X::own()].concat();
    let mut draw = Draw { layers, picks, values };
    let placed = [0, 1, 2].map(|index| draw.node(index).place());
    let params = placed.iter().flat_map(|placed| placed.params.concat()).collect();
    let [a, b, c] = placed;
    let layers = (a.layer, b.layer, c.layer);
    (Network { layers, models: [a.model, b.model, c.model], params }, draw.values)
}

/// Gradients of a random network are those of its model.
fn gradients<X: Shape>(picks: Vec<u16>, values: Values) -> TestCaseResult {
    let (network, mut rest) = network::<X>(picks, values);
    let target: X = rest.tensor();
    let wanted = doubles(target.flat());
    let values = Values([rest.take(X::LEN), network.params].concat());
    let [a, b, c] = &network.models;
    compare::<X, _, _, _>(network.layers, &[a, b, c], MeanSquaredError, &target, &|y| squares(y, &wanted), values)
}

/// A prediction in two buffers has the bits of one with a tape.
fn prediction<X: Shape>(picks: Vec<u16>, values: Values) -> TestCaseResult {
    let (network, mut rest) = network::<X>(picks, values);
    let mut params = Zero::ZERO;
    put(&network.params, &mut params);
    let input: X = rest.tensor();
    let (mut x, mut tape) = (input, Zero::ZERO);
    let expected = *network.layers.forward(&params, &mut x, &mut tape, Pass::Predicting);
    let mut buffers = [input, input];
    let [here, there] = &mut buffers;
    network.layers.infer(&params, here.flat_mut(), there.flat_mut());
    prop_assert_eq!(bits(here.flat()), bits(expected.flat()), "{:?}", network.layers);
    Ok(())
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// What is wanted of the input's gradient changes nothing but that: parameters get the same gradients, open gates the same
/// input gradients, and closed and saturated ones +0.0.
fn wants<X: Shape>(picks: Vec<u16>, values: Values) -> TestCaseResult {
    const BOUND: f32 = 0.5;
    let (network, mut rest) = network::<X>(picks, values);
    let mut params = Zero::ZERO;
    put(&network.params, &mut params);
    let mut input: X = rest.tensor();
    // As a ReLU6 with another ceiling leaves them.
    input.flat_mut().iter_mut().for_each(|x| *x = x.clamp(0.0, BOUND));
    let target: X = rest.tensor();
    let run = |want| {
        let (mut x, mut tape, mut gradients) = (input, Zero::ZERO, Zero::ZERO);
        let y = network.layers.forward(&params, &mut x, &mut tape, Pass::training(0));
        MeanSquaredError.gradient(y, &target, network.layers.output_gradient(want));
        network.layers.backward(&params, &mut x, &mut tape, Some(&mut gradients), want);
        (x, flat(&gradients))
    };
    let (full, gradients) = run(InputGradient::Full);
    for want in [InputGradient::Unused, InputGradient::WhereActive, InputGradient::WhereBelow(BOUND)] {
        let (dx, others) = run(want);
        prop_assert_eq!(&others, &gradients, "{:?}: {:?}", want, network.layers);
        if want == InputGradient::Unused {
            continue;
        }
        for ((x, dx), full) in input.flat().iter().zip(dx.flat()).zip(full.flat()) {
            let closed = *x == 0.0 || matches!(want, InputGradient::WhereBelow(bound) if *x >= bound);
            if closed {
                prop_assert_eq!(*dx, 0.0, "{:?}: {:?}", want, network.layers);
            } else {
                prop_assert_eq!(dx, full, "{:?} {:?}: {:?}", x, want, network.layers);
            }
        }
    }
    Ok(())
}

/// How many random cases the tests here run; 100,000 of each passed once.
const CASES: u32 = 400;

fn picks() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 24)
}

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn gradients_of_three_random_layers_on_vectors_are_those_of_the_model(picks in picks(), values in values(700)) {
        gradients::<[f32; 4]>(picks, values)?;
    }

    #[test]
    fn gradients_of_three_random_layers_on_signals_are_those_of_the_model(picks in picks(), values in values(1000)) {
        gradients::<Signal<6, 2>>(picks, values)?;
    }

    #[test]
    fn gradients_of_three_random_layers_on_images_are_those_of_the_model(picks in picks(), values in values(1000)) {
        gradients::<Image<4, 4, 2>>(picks, values)?;
    }

    #[test]
    fn what_is_wanted_of_the_input_gradient_changes_no_other(picks in picks(), values in values(1000)) {
        wants::<[f32; 4]>(picks.clone(), values.clone())?;
        wants::<Signal<6, 2>>(picks.clone(), values.clone())?;
        wants::<Image<4, 4, 2>>(picks, values)?;
    }

    #[test]
    fn three_random_layers_predict_the_same_in_two_buffers(picks in picks(), values in values(1000)) {
        prediction::<[f32; 4]>(picks.clone(), values.clone())?;
        prediction::<Signal<6, 2>>(picks.clone(), values.clone())?;
        prediction::<Image<4, 4, 2>>(picks, values)?;
    }
}

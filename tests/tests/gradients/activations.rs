//! Activations, dropout with its mask, and the small layers: embedding, padding, reshaping, scaling.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use backpass::{
    Dense, Dropout, Elu, Embedding, Flatten, Gelu, GeluTanh, HardSigmoid, HardSwish, Identity, Image, Keep, Layer,
    LogSoftmax, Mish, PRelu, Pad, Relu, Relu6, Reshape, Scale, Selu, Shared, Signal, Silu, Softmax, Softplus, Softsign,
    Tanh, Tensor,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;

use crate::basic::{Simple, Vector, linear};
use crate::harness::{Check, Stage, State, Values, config, losses, mse, pick, values};

/// A function of one number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Curve {
    value: fn(f64) -> f64,
    /// Where it has no derivative.
    kinks: &'static [f64],
}

const fn smooth(value: fn(f64) -> f64) -> Curve {
    Curve { value, kinks: &[] }
}

impl Stage for Curve {
    fn apply(&self, state: &mut State<'_>) {
        self.kinks.iter().for_each(|kink| state.note_kinks_at(*kink));
        state.map(self.value);
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f64) -> f64 {
    x.exp().ln_1p()
}

/// The error function, by a series whose terms are all of one sign.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        // To the last bit; the series would need more terms.
        return x.signum();
    }
    let mut term = 2.0 / PI.sqrt() * (-x * x).exp() * x;
    let mut sum = term;
    for n in 1..200 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    sum
}

pub(crate) const RELU6: Curve = Curve { value: |x| x.clamp(0.0, 6.0), kinks: &[0.0, 6.0] };
pub(crate) const ELU: Curve = Curve { value: |x| if x > 0.0 { x } else { x.exp_m1() }, kinks: &[] };
const ELU_HALF: Curve = Curve { value: |x| if x > 0.0 { x } else { 0.5 * x.exp_m1() }, kinks: &[0.0] };
pub(crate) const SELU: Curve = Curve {
    value: |x| 1.050_700_987_355_480_5 * if x > 0.0 { x } else { 1.673_263_242_354_377_2 * x.exp_m1() },
    kinks: &[0.0],
};
pub(crate) const HARD_SIGMOID: Curve = Curve { value: |x| (x / 6.0 + 0.5).clamp(0.0, 1.0), kinks: &[-3.0, 3.0] };
const HARD_SIGMOID_ONNX: Curve = Curve { value: |x| (0.2 * x + 0.5).clamp(0.0, 1.0), kinks: &[-2.5, 2.5] };
pub(crate) const HARD_SWISH: Curve = Curve { value: |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0), kinks: &[-3.0, 3.0] };
pub(crate) const SOFTPLUS: Curve = smooth(softplus);
const SOFTPLUS_3: Curve = smooth(|x| softplus(3.0 * x) / 3.0);
pub(crate) const SOFTSIGN: Curve = smooth(|x| x / (1.0 + x.abs()));
pub(crate) const SILU: Curve = smooth(|x| x * sigmoid(x));
pub(crate) const GELU: Curve = smooth(|x| x * 0.5 * (1.0 + erf(x * FRAC_1_SQRT_2)));
pub(crate) const GELU_TANH: Curve =
    smooth(|x| x * 0.5 * (1.0 + ((2.0 / PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh()));
pub(crate) const MISH: Curve = smooth(|x| x * softplus(x).tanh());
pub(crate) const NOTHING: Curve = smooth(|x| x);
/// Large numbers, where the activation behind is flat.
const TIMES_8: Curve = smooth(|x| 8.0 * x);

/// Leaky ReLU with a learned slope, a channel or for all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slope {
    pub(crate) shared: bool,
}

impl Stage for Slope {
    fn apply(&self, state: &mut State<'_>) {
        let channels = state.channels();
        let slopes = state.take(if self.shared { 1 } else { channels });
        state.note_kinks_at(0.0);
        // A slope moves what is negative.
        state.constant.iter_mut().zip(&state.x).for_each(|(constant, x)| *constant &= *x >= 0.0);
        for position in state.x.chunks_mut(channels) {
            for (x, slope) in position.iter_mut().zip(slopes.iter().cycle()) {
                *x = if *x > 0.0 { *x } else { slope * *x };
            }
        }
    }
}

/// Softmax over the last axis, or its logarithm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SoftmaxOf {
    pub(crate) logarithm: bool,
}

impl Stage for SoftmaxOf {
    fn apply(&self, state: &mut State<'_>) {
        let mut y = state.x.clone();
        for position in y.chunks_mut(state.channels()) {
            let sum: f64 = position.iter().map(|x| x.exp()).sum();
            position.iter_mut().for_each(|x| *x = if self.logarithm { *x - sum.ln() } else { x.exp() / sum });
        }
        let shape = state.shape.clone();
        state.set(y, &shape);
    }
}

/// Dropout of the first sample, at a place in the network: the stage's index, in nested networks those from the outermost on.
#[derive(Debug, Clone)]
pub(crate) struct Drop {
    pub(crate) rate: f32,
    pub(crate) seed: u32,
    pub(crate) place: Vec<u32>,
}

impl Stage for Drop {
    fn apply(&self, state: &mut State<'_>) {
        let stream =
            self.place.iter().fold(0_u32, |stream, index| stream.wrapping_mul(0x9e37_79b1).wrapping_add(index + 1));
        let mut counter = (u64::from(self.seed) << 32) + u64::from(stream);
        for (x, constant) in state.x.iter_mut().zip(&mut state.constant) {
            // SplitMix64, and its upper 24 bits.
            counter = counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let bits = (counter ^ (counter >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let unit = ((bits ^ (bits >> 31)) >> 40) as f64 / f64::from(1 << 24);
            let dropped = unit < f64::from(self.rate);
            *constant |= dropped;
            *x = if dropped { 0.0 } else { *x / (1.0 - f64::from(self.rate)) };
        }
    }
}

/// A fixed shift and scale of each channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shift {
    pub(crate) mean: &'static [f64],
    pub(crate) factor: &'static [f64],
}

impl Stage for Shift {
    fn apply(&self, state: &mut State<'_>) {
        for position in state.x.chunks_mut(self.mean.len()) {
            for ((x, mean), factor) in position.iter_mut().zip(self.mean).zip(self.factor) {
                *x = (*x - mean) * factor;
            }
        }
    }
}

/// A constant around a signal or an image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around {
    pub(crate) value: f64,
    pub(crate) before: &'static [usize],
    pub(crate) output: &'static [usize],
}

impl Stage for Around {
    fn apply(&self, state: &mut State<'_>) {
        let channels = state.channels();
        let mut shape = self.output.to_vec();
        shape.push(channels);
        // A signal is an image of one column.
        let (width, before, output) = match (state.shape.as_slice(), self.before, self.output) {
            ([_, _], [before], [output]) => (1, [*before, 0], [*output, 1]),
            ([_, width, _], [top, left], [rows, columns]) => (*width, [*top, *left], [*rows, *columns]),
            other => panic!("{other:?}"),
        };
        let (x, height) = (state.x.clone(), state.shape[0]);
        let inner = state.constant.clone();
        let (mut y, mut constant) = (Vec::new(), Vec::new());
        for row in 0..output[0] {
            for column in 0..output[1] {
                let inside =
                    (before[0]..before[0] + height).contains(&row) && (before[1]..before[1] + width).contains(&column);
                for channel in 0..channels {
                    if inside {
                        let at = ((row - before[0]) * width + column - before[1]) * channels + channel;
                        y.push(x[at]);
                        constant.push(inner[at]);
                    } else {
                        y.push(self.value);
                        constant.push(true);
                    }
                }
            }
        }
        state.set(y, &shape);
        state.constant = constant;
    }
}

/// The same elements in another shape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shaped(pub(crate) &'static [usize]);

impl Stage for Shaped {
    fn apply(&self, state: &mut State<'_>) {
        state.shape = self.0.to_vec();
    }
}

/// The rows of a table that the inputs name.
#[derive(Debug, Clone, Copy)]
struct Table {
    rows: usize,
    width: usize,
}

impl Stage for Table {
    fn apply(&self, state: &mut State<'_>) {
        let table = state.take(self.rows * self.width);
        let rows = state.x.iter().map(|x| x.round() as usize);
        let y: Vec<_> = rows.flat_map(|row| table[row * self.width..][..self.width].to_vec()).collect();
        let shape = [state.x.len(), self.width];
        state.set(y, &shape);
    }
}

/// An activation in one of several shapes: alone, with large inputs, behind a dense layer, between two, behind ReLU, behind a
/// ReLU6 that saturates.
fn activation<A>(layer: A, model: &dyn Stage, shape: Index, values: Values) -> TestCaseResult
where
    A: Copy
        + Layer<[f32; 1], Output = [f32; 1]>
        + Layer<[f32; 9], Output = [f32; 9]>
        + Layer<[f32; 6], Output = [f32; 6]>
        + Layer<Signal<5, 3>, Output = Signal<5, 3>>
        + Layer<Image<3, 1, 2>, Output = Image<3, 1, 2>>,
{
    let large = Scale { mean: [0.0; 3], factor: [8.0; 3] };
    let larger = Scale { mean: [0.0], factor: [8.0] };
    let relu = &Simple::Relu;
    match shape.index(8) {
        0 => mse::<[f32; 1], _>((layer,), &[model], values),
        1 => mse::<[f32; 9], _>((layer,), &[model], values),
        2 => mse::<Signal<5, 3>, _>((large, layer), &[&TIMES_8, model], values),
        3 => mse::<Image<3, 1, 2>, _>((layer,), &[model], values),
        4 => mse::<[f32; 3], _>((Dense::<6>::new(), layer), &[&linear(6), model], values),
        5 => {
            let stages: &[&dyn Stage] = &[&linear(9), model, &linear(2)];
            mse::<[f32; 4], _>((Dense::<9>::new(), layer, Dense::<2>::new()), stages, values)
        }
        6 => mse::<[f32; 3], _>((Dense::<9>::new(), Relu, layer), &[&linear(9), relu, model], values),
        _ => {
            let saturated = (Reshape::<Signal<5, 3>>::new(), large, Relu6, layer);
            mse::<[f32; 15], _>(saturated, &[&Shaped(&[5, 3]), &TIMES_8, &RELU6, model], values.clone())?;
            let saturated = (Reshape::<Image<9, 1, 1>>::new(), larger, Relu6, Flatten::<9>, layer);
            mse::<[f32; 9], _>(saturated, &[&TIMES_8, &RELU6, &Shaped(&[9]), model], values)
        }
    }
}

fn prelu<const I: usize, const C: usize>(values: Values) -> TestCaseResult {
    let (relu, per_channel, shared) = (&Simple::Relu, &Slope { shared: false }, &Slope { shared: true });
    mse::<[f32; C], _>((PRelu::new() as PRelu,), &[per_channel], values.clone())?;
    mse::<Signal<I, C>, _>((PRelu::new() as PRelu,), &[per_channel], values.clone())?;
    mse::<Image<2, I, C>, _>((Relu, PRelu::<Shared>::new(), Tanh), &[relu, shared, &Simple::Tanh], values.clone())?;
    let network = (Dense::<C>::new(), PRelu::<Shared>::new(), Dense::<3>::new());
    losses::<[f32; I], _, 3>(network, &[&linear(C), shared, &linear(3)], values.clone())?;
    let network = (Dense::<C>::new(), PRelu::new() as PRelu, Dense::<3>::new());
    losses::<[f32; I], _, 3>(network, &[&linear(C), per_channel, &linear(3)], values)
}

const PRELU: [Check; 4] = [prelu::<1, 1>, prelu::<4, 3>, prelu::<3, 7>, prelu::<7, 2>];

fn dropout<X: Tensor>(rate: f32, seed: u32, values: Values) -> TestCaseResult {
    let (layer, drop) = (Dropout { rate, seed }, |place: &[u32]| Drop { rate, seed, place: place.to_vec() });
    mse::<X, _>((layer,), &[&drop(&[0])], values.clone())?;
    mse::<X, _>((Tanh, layer), &[&Simple::Tanh, &drop(&[1])], values.clone())?;
    mse::<X, _>((Relu, layer, Tanh), &[&Simple::Relu, &drop(&[1]), &Simple::Tanh], values.clone())?;
    mse::<X, _>((layer, (Tanh, layer)), &[&drop(&[0]), &Simple::Tanh, &drop(&[1, 1])], values)
}

const DROPOUT: [Check; 6] = [
    |v| dropout::<[f32; 1]>(0.5, 0, v),
    |v| dropout::<[f32; 9]>(0.5, 3, v),
    |v| dropout::<Signal<5, 3>>(0.125, 0, v),
    |v| dropout::<Image<3, 2, 4>>(0.75, 9, v),
    |v| dropout::<Image<3, 2, 4>>(0.0, 9, v),
    // Behind a dense layer and before another.
    |v| {
        let network = (Dense::<8>::new(), Relu, Dropout::new(0.5), Dense::<3>::new());
        let drop = Drop { rate: 0.5, seed: 0, place: vec![2] };
        losses::<[f32; 4], _, 3>(network, &[&linear(8), &Simple::Relu, &drop, &linear(3)], v)
    },
];

/// Tokens in place of the first inputs.
fn embedding<const T: usize, const V: usize, const D: usize>(mut values: Values) -> TestCaseResult {
    let table = Table { rows: V, width: D };
    let tokens = |values: &mut Values, targets: usize| {
        values.0[targets..][..T].iter_mut().for_each(|x| *x = (x.abs() * V as f32).floor().min(V as f32 - 1.0));
    };
    let mut alone = values.clone();
    tokens(&mut alone, T * D);
    mse::<[f32; T], _>((Embedding::<V, D>,), &[&table], alone)?;
    tokens(&mut values, T * D);
    mse::<[f32; T], _>((Embedding::<V, D>, Tanh), &[&table, &Simple::Tanh], values)
}

const EMBEDDING: [Check; 4] = [embedding::<1, 1, 1>, embedding::<4, 5, 3>, embedding::<7, 2, 1>, embedding::<2, 9, 6>];

const PAD: [Check; 5] = [
    |v| {
        let model = Around { value: 0.0, before: &[1], output: &[3] };
        mse::<Signal<1, 1>, _>((Pad::<Signal<3, 1>>::default(), Tanh), &[&model, &Simple::Tanh], v)
    },
    |v| {
        let model = Around { value: -0.5, before: &[1], output: &[7] };
        mse::<Signal<4, 3>, _>((Relu, Pad::<Signal<7, 3>>::new(-0.5)), &[&Simple::Relu, &model], v)
    },
    |v| {
        let model = Around { value: 2.0, before: &[0, 2], output: &[2, 5] };
        let pad = Pad::<Image<2, 5, 2>>::new(2.0).before(0, 2);
        mse::<Image<2, 3, 2>, _>((Tanh, pad, Relu), &[&Simple::Tanh, &model, &Simple::Relu], v)
    },
    |v| {
        let model = Around { value: 0.0, before: &[1, 1], output: &[4, 3] };
        let network = (Relu, Pad::<Image<4, 3, 1>>::default(), Flatten::<12>, Dense::<3>::new());
        losses::<Image<2, 1, 1>, _, 3>(network, &[&Simple::Relu, &model, &Vector, &linear(3)], v)
    },
    |v| {
        let model = Around { value: 1.0, before: &[0, 0], output: &[3, 3] };
        mse::<Image<3, 3, 2>, _>((Pad::<Image<3, 3, 2>>::new(1.0),), &[&model], v)
    },
];

const SHAPES: [Check; 6] = [
    |v| {
        let network = (Tanh, Reshape::<Image<2, 3, 1>>::new(), Relu);
        mse::<[f32; 6], _>(network, &[&Simple::Tanh, &Shaped(&[2, 3, 1]), &Simple::Relu], v)
    },
    |v| {
        let network = (Relu, Reshape::<Signal<3, 4>>::new(), Softmax);
        let softmax = SoftmaxOf { logarithm: false };
        mse::<Image<3, 2, 2>, _>(network, &[&Simple::Relu, &Shaped(&[3, 4]), &softmax], v)
    },
    |v| {
        let network = (Dense::<6>::new(), Reshape::<Signal<3, 2>>::new(), Relu, Flatten::<6>, Dense::<2>::new());
        let stages: &[&dyn Stage] = &[&linear(6), &Shaped(&[3, 2]), &Simple::Relu, &Vector, &linear(2)];
        losses::<[f32; 3], _, 2>(network, stages, v)
    },
    |v| mse::<[f32; 1], _>((Scale { mean: [0.5], factor: [-3.0] },), &[&Shift { mean: &[0.5], factor: &[-3.0] }], v),
    |v| {
        let (layer, model) =
            (Scale { mean: [0.5, -1.0], factor: [2.0, 0.25] }, Shift { mean: &[0.5, -1.0], factor: &[2.0, 0.25] });
        mse::<Signal<4, 2>, _>((Tanh, layer, Relu), &[&Simple::Tanh, &model, &Simple::Relu], v)
    },
    |v| {
        let (layer, model) =
            (Scale { mean: [0.5, 0.0, 1.0], factor: [2.0; 3] }, Shift { mean: &[0.5, 0.0, 1.0], factor: &[2.0; 3] });
        let network = (layer, Flatten::<6>, Dense::<3>::new());
        losses::<Image<1, 2, 3>, _, 3>(network, &[&model, &Vector, &linear(3)], v)
    },
];

proptest! {
    #![proptest_config(config())]

    #[test]
    fn gradients_of_straight_activations_are_those_of_the_model(shape: Index, values in values(192)) {
        activation(Relu6, &RELU6, shape, values.clone())?;
        activation(HardSigmoid::new(), &HARD_SIGMOID, shape, values.clone())?;
        activation(HardSigmoid { slope: 0.2, offset: 0.5 }, &HARD_SIGMOID_ONNX, shape, values.clone())?;
        activation(HardSwish, &HARD_SWISH, shape, values.clone())?;
        activation(Identity, &NOTHING, shape, values.clone())?;
        activation(Keep, &NOTHING, shape, values)?;
    }

    #[test]
    fn gradients_of_exponential_activations_are_those_of_the_model(shape: Index, values in values(192)) {
        activation(Elu::new(), &ELU, shape, values.clone())?;
        activation(Elu { alpha: 0.5 }, &ELU_HALF, shape, values.clone())?;
        activation(Selu::new(), &SELU, shape, values.clone())?;
        activation(Softplus::new(), &SOFTPLUS, shape, values.clone())?;
        activation(Softplus { beta: 3.0 }, &SOFTPLUS_3, shape, values.clone())?;
        activation(Softsign, &SOFTSIGN, shape, values)?;
    }

    #[test]
    fn gradients_of_smooth_activations_are_those_of_the_model(shape: Index, values in values(192)) {
        activation(Silu, &SILU, shape, values.clone())?;
        activation(Gelu, &GELU, shape, values.clone())?;
        activation(GeluTanh, &GELU_TANH, shape, values.clone())?;
        activation(Mish, &MISH, shape, values)?;
    }

    #[test]
    fn gradients_of_softmax_are_those_of_the_model(shape: Index, values in values(192)) {
        activation(Softmax, &SoftmaxOf { logarithm: false }, shape, values.clone())?;
        activation(LogSoftmax, &SoftmaxOf { logarithm: true }, shape, values)?;
    }

    #[test]
    fn gradients_of_learned_slopes_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&PRELU, index, values)?;
    }

    #[test]
    fn dropout_gradients_are_those_of_the_model_with_the_documented_mask(index: Index, values in values(192)) {
        pick(&DROPOUT, index, values)?;
    }

    #[test]
    fn embedding_gradients_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&EMBEDDING, index, values)?;
    }

    #[test]
    fn gradients_inside_a_padding_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&PAD, index, values)?;
    }

    #[test]
    fn gradients_through_other_shapes_and_scales_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&SHAPES, index, values)?;
    }
}

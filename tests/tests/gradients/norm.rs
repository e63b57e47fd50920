//! Normalisation by a sample's own statistics and by running ones.

use backpass::{
    BatchNorm, Conv1d, Conv2d, Dense, DepthwiseConv2d, Flatten, GroupNorm, Image, InstanceNorm, Layer, LayerNorm, Relu,
    Relu6, RmsNorm, Signal, Tanh, Tensor,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;

use crate::activations::RELU6;
use crate::basic::{Simple, Vector, linear};
use crate::conv::{axis, conv1d, conv2d, depthwise};
use crate::harness::{Check, Stage, State, Values, config, losses, mse, pick, values};

/// Over what mean and variance are taken.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Over {
    /// Each position by itself.
    Position,
    /// All positions, of so many groups of channels each.
    Groups(usize),
    /// All positions, of each channel by itself.
    Channel,
}

/// Normalisation by mean and variance, then a scale and a shift a channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Normal {
    pub(crate) over: Over,
    pub(crate) epsilon: f64,
}

impl Stage for Normal {
    fn apply(&self, state: &mut State<'_>) {
        let channels = state.channels();
        let (weight, bias) = (state.take(channels), state.take(channels));
        let group_of = |at: usize| match self.over {
            Over::Position => at / channels,
            Over::Groups(groups) => at % channels / (channels / groups),
            Over::Channel => at % channels,
        };
        let x = state.x.clone();
        let y = (0..x.len()).map(|at| {
            let group: Vec<f64> = (0..x.len()).filter(|other| group_of(*other) == group_of(at)).map(|i| x[i]).collect();
            let count = group.len() as f64;
            let mean = group.iter().sum::<f64>() / count;
            let variance = group.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
            (x[at] - mean) / (variance + self.epsilon).sqrt() * weight[at % channels] + bias[at % channels]
        });
        let (y, shape) = (y.collect(), state.shape.clone());
        state.set(y, &shape);
    }
}

/// Normalisation of each position by its root mean square, then a scale a channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rms {
    pub(crate) epsilon: f64,
}

impl Stage for Rms {
    fn apply(&self, state: &mut State<'_>) {
        let channels = state.channels();
        let weight = state.take(channels);
        let mut y = state.x.clone();
        for position in y.chunks_mut(channels) {
            let square = position.iter().map(|x| x * x).sum::<f64>() / channels as f64;
            position.iter_mut().zip(weight).for_each(|(x, w)| *x *= w / (square + self.epsilon).sqrt());
        }
        let shape = state.shape.clone();
        state.set(y, &shape);
    }
}

/// Normalisation of each channel by its running mean and variance, then a scale and a shift.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Running {
    pub(crate) epsilon: f64,
}

impl Stage for Running {
    fn apply(&self, state: &mut State<'_>) {
        let channels = state.channels();
        let [weight, bias, mean, variance] = [(); 4].map(|()| state.take(channels));
        // The shift moves every element.
        state.constant.fill(false);
        for position in state.x.chunks_mut(channels) {
            for (c, x) in position.iter_mut().enumerate() {
                *x = (*x - mean[c]) / (variance[c] + self.epsilon).sqrt() * weight[c] + bias[c];
            }
        }
    }
}

/// With this, small differences of the inputs are not blown up to more than f32 can tell.
pub(crate) const EPSILON: f64 = 0.125;
/// With this, any running variance above -1 is allowed, so that it may be drawn as every other number.
pub(crate) const RUNNING_EPSILON: f64 = 1.5;

pub(crate) const fn normal(over: Over) -> Normal {
    Normal { over, epsilon: EPSILON }
}

/// A normalisation alone, behind and before gates, and before an activation.
fn norm<X: Tensor, L: Layer<X, Output = X> + Copy>(layer: L, model: &dyn Stage, values: Values) -> TestCaseResult {
    let relu = &Simple::Relu;
    mse::<X, _>((layer,), &[model], values.clone())?;
    mse::<X, _>((Relu, layer), &[relu, model], values.clone())?;
    mse::<X, _>((layer, Relu, layer), &[model, relu, model], values.clone())?;
    mse::<X, _>((Tanh, layer, Relu6), &[&Simple::Tanh, model, &RELU6], values)
}

fn layer<X: Tensor>(values: Values) -> TestCaseResult {
    norm::<X, _>(LayerNorm { epsilon: EPSILON as f32 }, &normal(Over::Position), values.clone())?;
    norm::<X, _>(RmsNorm { epsilon: EPSILON as f32 }, &Rms { epsilon: EPSILON }, values)
}

fn group<X: Tensor, const G: usize>(values: Values) -> TestCaseResult {
    norm::<X, _>(GroupNorm::<G> { epsilon: EPSILON as f32 }, &normal(Over::Groups(G)), values)
}

fn instance<X: Tensor>(values: Values) -> TestCaseResult {
    norm::<X, _>(InstanceNorm { epsilon: EPSILON as f32 }, &normal(Over::Channel), values)
}

fn batch<X: Tensor>(values: Values) -> TestCaseResult {
    let model = &Running { epsilon: RUNNING_EPSILON };
    let fixed = BatchNorm { epsilon: RUNNING_EPSILON as f32, momentum: 0.0 };
    norm::<X, _>(fixed, model, values.clone())?;
    // What the statistics gather leaves the gradients as they are.
    norm::<X, _>(BatchNorm { momentum: 0.1, ..fixed }, model, values)
}

const LAYER: [Check; 6] = [
    layer::<[f32; 1]>,
    layer::<[f32; 7]>,
    layer::<Signal<5, 1>>,
    layer::<Signal<4, 3>>,
    layer::<Image<1, 2, 5>>,
    layer::<Image<3, 2, 2>>,
];

const GROUP: [Check; 7] = [
    group::<[f32; 1], 1>,
    group::<[f32; 6], 3>,
    group::<[f32; 6], 2>,
    group::<Signal<5, 4>, 2>,
    group::<Signal<3, 3>, 3>,
    group::<Image<2, 3, 2>, 1>,
    group::<Image<1, 3, 6>, 2>,
];

const INSTANCE: [Check; 5] = [
    instance::<[f32; 3]>,
    instance::<Signal<7, 1>>,
    instance::<Signal<5, 3>>,
    instance::<Image<1, 1, 2>>,
    instance::<Image<3, 2, 4>>,
];

const BATCH: [Check; 5] =
    [batch::<[f32; 1]>, batch::<[f32; 7]>, batch::<Signal<5, 3>>, batch::<Image<2, 3, 1>>, batch::<Image<3, 2, 4>>];

/// The usual neighbours.
const NETWORKS: [Check; 4] = [
    |v| {
        let norm = LayerNorm { epsilon: EPSILON as f32 };
        let network = (Dense::<7>::new(), norm, Relu, Dense::<5>::new(), norm, Dense::<3>::new());
        let (model, relu) = (normal(Over::Position), Simple::Relu);
        losses::<[f32; 4], _, 3>(network, &[&linear(7), &model, &relu, &linear(5), &model, &linear(3)], v)
    },
    |v| {
        let norm = BatchNorm { epsilon: RUNNING_EPSILON as f32, momentum: 0.0 };
        let model = Running { epsilon: RUNNING_EPSILON };
        let network = (
            Conv2d::<Image<3, 3, 2>, 3>::new(),
            norm,
            Relu6,
            DepthwiseConv2d::<Image<2, 2, 2>, 2>::new(),
            norm,
            Relu,
            Flatten::<8>,
            Dense::<3>::new(),
        );
        let convolution = conv2d(axis(3, 3, 1, 1, 1), axis(3, 3, 1, 1, 1), 2);
        let each = depthwise(axis(2, 2, 1, 1, 0), axis(2, 2, 1, 1, 0));
        let stages: &[&dyn Stage] = &[&convolution, &model, &RELU6, &each, &model, &Simple::Relu, &Vector, &linear(3)];
        losses::<Image<3, 3, 1>, _, 3>(network, stages, v)
    },
    |v| {
        let network = (
            Conv1d::<Signal<6, 4>, 3>::new(),
            GroupNorm::<2> { epsilon: EPSILON as f32 },
            Relu,
            Conv1d::<Signal<6, 2>, 1>::new(),
            InstanceNorm { epsilon: EPSILON as f32 },
            Tanh,
        );
        let (first, second) = (conv1d(axis(6, 3, 1, 1, 1), 4), conv1d(axis(6, 1, 1, 1, 0), 2));
        let (group, instance) = (normal(Over::Groups(2)), normal(Over::Channel));
        let stages: &[&dyn Stage] = &[&first, &group, &Simple::Relu, &second, &instance, &Simple::Tanh];
        mse::<Signal<6, 2>, _>(network, stages, v)
    },
    |v| {
        let (norm, model) = (RmsNorm { epsilon: EPSILON as f32 }, Rms { epsilon: EPSILON });
        let network = (Conv1d::<Signal<3, 3>, 2, 2>::new(), Relu, norm, Flatten::<9>, norm, Dense::<2>::new());
        let strided = conv1d(axis(3, 2, 2, 1, 0), 3);
        let stages: &[&dyn Stage] = &[&strided, &Simple::Relu, &model, &Vector, &model, &linear(2)];
        losses::<Signal<6, 2>, _, 2>(network, stages, v)
    },
];

proptest! {
    #![proptest_config(config())]

    #[test]
    fn gradients_of_normalised_positions_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&LAYER, index, values)?;
    }

    #[test]
    fn gradients_of_normalised_groups_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&GROUP, index, values)?;
    }

    #[test]
    fn gradients_of_normalised_channels_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&INSTANCE, index, values)?;
    }

    #[test]
    fn gradients_of_batch_normalisation_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&BATCH, index, values)?;
    }

    #[test]
    fn gradients_of_normalised_networks_are_those_of_the_model(index: Index, values in values(384)) {
        pick(&NETWORKS, index, values)?;
    }
}

//! Pools over windows and over all positions.

use backpass::{
    AveragePool, Conv2d, Dense, Flatten, GlobalAveragePool, GlobalMaxPool, Image, Layer, MaxPool, Pad, Relu, Relu6,
    Scale, Sigmoid, Signal, Tanh, Tensor,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;

use crate::activations::{Around, RELU6, Shift};
use crate::basic::{Simple, Vector, linear};
use crate::conv::{axis, conv2d};
use crate::harness::{Check, Stage, State, Values, config, losses, mse, pick, values};

/// The largest element of each window, or its mean, channel by channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pool {
    pub(crate) max: bool,
    /// Rows and columns; a signal has one column.
    pub(crate) window: [usize; 2],
    pub(crate) stride: [usize; 2],
}

/// The same over all positions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Global {
    pub(crate) max: bool,
}

/// The largest of some elements; its distance from another that moves apart is one from a kink.
fn largest(state: &mut State<'_>, window: &[usize]) -> (f64, bool) {
    let first = window.iter().copied().reduce(|a, b| if state.x[b] > state.x[a] { b } else { a }).unwrap();
    for other in window.iter().filter(|other| **other != first) {
        if !(state.constant[first] && state.constant[*other]) {
            state.note_kink(state.x[first] - state.x[*other]);
        }
    }
    (state.x[first], state.constant[first])
}

fn mean(state: &State<'_>, window: &[usize]) -> (f64, bool) {
    let sum: f64 = window.iter().map(|at| state.x[*at]).sum();
    (sum / window.len() as f64, window.iter().all(|at| state.constant[*at]))
}

/// Replaces the input by what each window gives.
fn reduce(state: &mut State<'_>, max: bool, windows: &[Vec<usize>], shape: &[usize]) {
    let reduced = windows.iter().map(|window| if max { largest(state, window) } else { mean(state, window) });
    let (y, constant) = reduced.unzip::<_, _, Vec<_>, Vec<_>>();
    state.set(y, shape);
    state.constant = constant;
}

impl Stage for Pool {
    fn apply(&self, state: &mut State<'_>) {
        let channels = state.channels();
        let is_signal = state.shape.len() == 2;
        let (height, width) = (state.shape[0], if is_signal { 1 } else { state.shape[1] });
        let [rows, columns] = [0, 1].map(|i| ([height, width][i] - self.window[i]) / self.stride[i] + 1);
        let mut windows = Vec::new();
        for output in 0..rows * columns * channels {
            let (pixel, channel) = (output / channels, output % channels);
            let (row, column) = (pixel / columns * self.stride[0], pixel % columns * self.stride[1]);
            let window = (0..self.window[0] * self.window[1]).map(|k| {
                let (row, column) = (row + k / self.window[1], column + k % self.window[1]);
                (row * width + column) * channels + channel
            });
            windows.push(window.collect());
        }
        let shape: &[usize] = if is_signal { &[rows, channels] } else { &[rows, columns, channels] };
        reduce(state, self.max, &windows, shape);
    }
}

impl Stage for Global {
    fn apply(&self, state: &mut State<'_>) {
        let channels = state.channels();
        let window = |channel| (channel..state.x.len()).step_by(channels).collect();
        let windows: Vec<Vec<usize>> = (0..channels).map(window).collect();
        reduce(state, self.max, &windows, &[channels]);
    }
}

pub(crate) const fn max(window: [usize; 2], stride: [usize; 2]) -> Pool {
    Pool { max: true, window, stride }
}

pub(crate) const fn average(window: [usize; 2], stride: [usize; 2]) -> Pool {
    Pool { max: false, window, stride }
}

/// A pool alone, behind and before gates, and before and behind activations.
fn pool<X: Tensor, P>(layer: P, model: &dyn Stage, values: Values) -> TestCaseResult
where
    P: Layer<X, Output: Tensor> + Copy,
{
    let relu = &Simple::Relu;
    mse::<X, _>((layer,), &[model], values.clone())?;
    mse::<X, _>((Tanh, layer, Sigmoid), &[&Simple::Tanh, model, &Simple::Sigmoid], values.clone())?;
    mse::<X, _>((Relu, layer), &[relu, model], values.clone())?;
    mse::<X, _>((Relu, layer, Tanh), &[relu, model, &Simple::Tanh], values.clone())?;
    mse::<X, _>((layer, Relu), &[model, relu], values)
}

/// A pool behind a ReLU6 that saturates.
fn saturated<X: Tensor, P, const C: usize>(layer: P, model: &dyn Stage, values: Values) -> TestCaseResult
where
    P: Layer<X, Output: Tensor> + Copy,
{
    let large = Scale { mean: [-0.25; C], factor: [10.0; C] };
    let times_10 = Shift { mean: &[-0.25; 8][..C], factor: &[10.0; 8][..C] };
    mse::<X, _>((large, Relu6, layer), &[&times_10, &RELU6, model], values.clone())?;
    mse::<X, _>((large, Relu6, layer, Tanh), &[&times_10, &RELU6, model, &Simple::Tanh], values)
}

const MAX: [Check; 12] = [
    |v| pool::<Signal<1, 1>, _>(MaxPool::<Signal<1, 1>, 1>::new(), &max([1, 1], [1, 1]), v),
    // The stride is the window, and a rest is left out.
    |v| pool::<Signal<7, 3>, _>(MaxPool::<Signal<3, 3>, 2>::new(), &max([2, 1], [2, 1]), v),
    // Windows overlap; then there are gaps between them.
    |v| pool::<Signal<9, 2>, _>(MaxPool::<Signal<4, 2>, 3, 2>::new(), &max([3, 1], [2, 1]), v),
    |v| pool::<Signal<6, 2>, _>(MaxPool::<Signal<4, 2>, 3, 1>::new(), &max([3, 1], [1, 1]), v),
    |v| pool::<Signal<8, 2>, _>(MaxPool::<Signal<3, 2>, 2, 3>::new(), &max([2, 1], [3, 1]), v),
    |v| pool::<Image<4, 4, 2>, _>(MaxPool::<Image<2, 2, 2>, 2>::new(), &max([2, 2], [2, 2]), v),
    |v| pool::<Image<5, 5, 1>, _>(MaxPool::<Image<2, 2, 1>, 3, 2>::new(), &max([3, 3], [2, 2]), v),
    // Rectangular, each axis with a stride of its own.
    |v| pool::<Image<5, 4, 2>, _>(MaxPool::<Image<2, 3, 2>, 3, 2, 2, 1>::new(), &max([3, 2], [2, 1]), v),
    |v| pool::<Image<2, 7, 1>, _>(MaxPool::<Image<1, 2, 1>, 2, 1, 3, 4>::new(), &max([2, 3], [1, 4]), v),
    |v| saturated::<Signal<9, 2>, _, 2>(MaxPool::<Signal<4, 2>, 3, 2>::new(), &max([3, 1], [2, 1]), v),
    |v| saturated::<Image<4, 4, 1>, _, 1>(MaxPool::<Image<3, 3, 1>, 2, 1>::new(), &max([2, 2], [1, 1]), v),
    // Padded with minus infinity.
    |v| {
        let network = (Pad::<Signal<6, 2>>::new(f32::NEG_INFINITY), MaxPool::<Signal<4, 2>, 3, 1>::new());
        let pad = Around { value: f64::NEG_INFINITY, before: &[1], output: &[6] };
        pool::<Signal<4, 2>, _>(network, &(pad, max([3, 1], [1, 1])), v)
    },
];

const AVERAGE: [Check; 11] = [
    |v| pool::<Signal<1, 1>, _>(AveragePool::<Signal<1, 1>, 1>::new(), &average([1, 1], [1, 1]), v),
    |v| pool::<Signal<7, 3>, _>(AveragePool::<Signal<3, 3>, 2>::new(), &average([2, 1], [2, 1]), v),
    |v| pool::<Signal<9, 2>, _>(AveragePool::<Signal<4, 2>, 3, 2>::new(), &average([3, 1], [2, 1]), v),
    |v| pool::<Signal<6, 2>, _>(AveragePool::<Signal<4, 2>, 3, 1>::new(), &average([3, 1], [1, 1]), v),
    |v| pool::<Signal<8, 2>, _>(AveragePool::<Signal<3, 2>, 2, 3>::new(), &average([2, 1], [3, 1]), v),
    |v| pool::<Image<4, 4, 2>, _>(AveragePool::<Image<2, 2, 2>, 2>::new(), &average([2, 2], [2, 2]), v),
    |v| pool::<Image<5, 5, 1>, _>(AveragePool::<Image<2, 2, 1>, 3, 2>::new(), &average([3, 3], [2, 2]), v),
    |v| pool::<Image<5, 4, 2>, _>(AveragePool::<Image<2, 3, 2>, 3, 2, 2, 1>::new(), &average([3, 2], [2, 1]), v),
    |v| pool::<Image<2, 7, 1>, _>(AveragePool::<Image<1, 2, 1>, 2, 1, 3, 4>::new(), &average([2, 3], [1, 4]), v),
    |v| saturated::<Signal<9, 2>, _, 2>(AveragePool::<Signal<4, 2>, 3, 2>::new(), &average([3, 1], [2, 1]), v),
    |v| saturated::<Image<4, 4, 1>, _, 1>(AveragePool::<Image<2, 2, 1>, 2>::new(), &average([2, 2], [2, 2]), v),
];

fn global<X: Tensor>(values: Values) -> TestCaseResult
where
    GlobalMaxPool: Layer<X, Output: Tensor>,
    GlobalAveragePool: Layer<X, Output: Tensor>,
{
    pool::<X, _>(GlobalMaxPool, &Global { max: true }, values.clone())?;
    pool::<X, _>(GlobalAveragePool, &Global { max: false }, values)
}

const GLOBAL: [Check; 7] = [
    global::<Signal<1, 1>>,
    global::<Signal<7, 1>>,
    global::<Signal<4, 3>>,
    global::<Image<1, 1, 4>>,
    global::<Image<3, 5, 1>>,
    global::<Image<2, 3, 2>>,
    |v| {
        saturated::<Signal<5, 3>, _, 3>(GlobalMaxPool, &Global { max: true }, v.clone())?;
        saturated::<Image<3, 2, 2>, _, 2>(GlobalAveragePool, &Global { max: false }, v)
    },
];

/// Pools between convolutions and dense layers, one behind another.
const NETWORKS: [Check; 3] = [
    |v| {
        let network = (
            Conv2d::<Image<4, 4, 2>, 3>::new(),
            Relu,
            MaxPool::<Image<2, 2, 2>, 2>::new(),
            Flatten::<8>,
            Dense::<3>::new(),
        );
        let convolution = conv2d(axis(4, 3, 1, 1, 1), axis(4, 3, 1, 1, 1), 2);
        let stages: &[&dyn Stage] = &[&convolution, &Simple::Relu, &max([2, 2], [2, 2]), &Vector, &linear(3)];
        losses::<Image<4, 4, 1>, _, 3>(network, stages, v)
    },
    |v| {
        let network = (
            MaxPool::<Image<4, 4, 1>, 2, 1>::new(),
            AveragePool::<Image<2, 3, 1>, 3, 1, 2, 1>::new(),
            MaxPool::<Image<1, 2, 1>, 2, 1>::new(),
            GlobalMaxPool,
        );
        let stages: &[&dyn Stage] =
            &[&max([2, 2], [1, 1]), &average([3, 2], [1, 1]), &max([2, 2], [1, 1]), &Global { max: true }];
        losses::<Image<5, 5, 1>, _, 1>(network, stages, v)
    },
    |v| {
        let network = (
            Conv2d::<Image<3, 3, 3>, 1>::new(),
            Relu6,
            AveragePool::<Image<2, 2, 3>, 2, 1>::new(),
            Relu,
            GlobalAveragePool,
            Dense::<2>::new(),
        );
        let convolution = conv2d(axis(3, 1, 1, 1, 0), axis(3, 1, 1, 1, 0), 3);
        let stages: &[&dyn Stage] =
            &[&convolution, &RELU6, &average([2, 2], [1, 1]), &Simple::Relu, &Global { max: false }, &linear(2)];
        losses::<Image<3, 3, 2>, _, 2>(network, stages, v)
    },
];

proptest! {
    #![proptest_config(config())]

    #[test]
    fn gradients_of_maxima_are_those_of_the_model(index: Index, values in values(256)) {
        pick(&MAX, index, values)?;
    }

    #[test]
    fn gradients_of_means_are_those_of_the_model(index: Index, values in values(256)) {
        pick(&AVERAGE, index, values)?;
    }

    #[test]
    fn gradients_of_global_pools_are_those_of_the_model(index: Index, values in values(256)) {
        pick(&GLOBAL, index, values)?;
    }

    #[test]
    fn gradients_of_networks_with_pools_are_those_of_the_model(index: Index, values in values(256)) {
        pick(&NETWORKS, index, values)?;
    }
}

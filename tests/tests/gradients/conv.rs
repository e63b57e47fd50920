//! Convolutions and depthwise convolutions over signals and images, and linear layers that learn their bias alone.

use backpass::{
    Bias, BiasOnly, Conv1d, Conv2d, Dense, DepthwiseConv1d, DepthwiseConv2d, Flatten, Image, Layer, Linear,
    LinearLayer, NoBias, Relu, Signal, Tanh, Tensor, Zero,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;

use crate::basic::{Simple, Vector, linear};
use crate::harness::{Check, Stage, State, Values, config, doubles, losses, mse, pick, values};

/// One axis of a convolution; the padding before the input is a number here, worked out by hand from Keras's or PyTorch's rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    output: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
}

/// What a signal has beside its time.
pub(crate) const ONE: Axis = Axis { output: 1, kernel: 1, stride: 1, dilation: 1, before: 0 };

pub(crate) const fn axis(output: usize, kernel: usize, stride: usize, dilation: usize, before: usize) -> Axis {
    Axis { output, kernel, stride, dilation, before }
}

/// A convolution over rows and columns; a signal has rows alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conv {
    pub(crate) axes: [Axis; 2],
    /// `None`: each channel by itself.
    pub(crate) outputs: Option<usize>,
    pub(crate) bias: bool,
    /// The weight, if it is no parameter.
    pub(crate) fixed: Option<&'static [f64]>,
}

pub(crate) const fn conv1d(time: Axis, outputs: usize) -> Conv {
    Conv { axes: [time, ONE], outputs: Some(outputs), bias: true, fixed: None }
}

pub(crate) const fn conv2d(rows: Axis, columns: Axis, outputs: usize) -> Conv {
    Conv { axes: [rows, columns], outputs: Some(outputs), bias: true, fixed: None }
}

pub(crate) const fn depthwise(rows: Axis, columns: Axis) -> Conv {
    Conv { axes: [rows, columns], outputs: None, bias: true, fixed: None }
}

impl Conv {
    const fn without_bias(self) -> Self {
        Self { bias: false, ..self }
    }
}

impl Stage for Conv {
    fn apply(&self, state: &mut State<'_>) {
        let [rows, columns] = self.axes;
        let is_signal = state.shape.len() == 2;
        let (height, width) = (state.shape[0], if is_signal { 1 } else { state.shape[1] });
        let inputs = state.channels();
        let outputs = self.outputs.unwrap_or(inputs);
        // Each output channel reads every input channel, or its own.
        let read = if self.outputs.is_some() { inputs } else { 1 };
        let weight = self.fixed.unwrap_or_else(|| state.take(rows.kernel * columns.kernel * read * outputs));
        let bias = if self.bias { state.take(outputs).to_vec() } else { vec![0.0; outputs] };
        let mut y = Vec::new();
        for row in 0..rows.output {
            for column in 0..columns.output {
                for (channel, bias) in bias.iter().enumerate() {
                    let mut sum = *bias;
                    for kernel_row in 0..rows.kernel {
                        for kernel_column in 0..columns.kernel {
                            for from in 0..read {
                                let at = |axis: Axis, o: usize, k: usize, length: usize| {
                                    let place = (o * axis.stride + k * axis.dilation) as isize - axis.before as isize;
                                    usize::try_from(place).ok().filter(|place| *place < length)
                                };
                                let (Some(r), Some(c)) =
                                    (at(rows, row, kernel_row, height), at(columns, column, kernel_column, width))
                                else {
                                    continue;
                                };
                                let x_channel = if self.outputs.is_some() { from } else { channel };
                                let x = state.x[(r * width + c) * inputs + x_channel];
                                let w =
                                    ((kernel_row * columns.kernel + kernel_column) * read + from) * outputs + channel;
                                sum += x * weight[w];
                            }
                        }
                    }
                    y.push(sum);
                }
            }
        }
        if is_signal {
            state.set(y, &[rows.output, outputs]);
        } else {
            state.set(y, &[rows.output, columns.output, outputs]);
        }
    }
}

/// A convolution alone, behind a ReLU, and before a tanh.
fn alone<X, L>(layer: L, model: Conv, values: Values) -> TestCaseResult
where
    X: Tensor,
    L: Layer<X, Output: Tensor> + Copy,
{
    mse::<X, _>((layer,), &[&model], values.clone())?;
    mse::<X, _>((Relu, layer), &[&Simple::Relu, &model], values.clone())?;
    mse::<X, _>((layer, Tanh), &[&model, &Simple::Tanh], values)
}

const SIGNALS: [Check; 14] = [
    |v| alone::<Signal<1, 1>, _>(Conv1d::<Signal<1, 1>, 1>::new(), conv1d(axis(1, 1, 1, 1, 0), 1), v),
    |v| alone::<Signal<1, 1>, _>(Conv1d::<Signal<1, 2>, 3>::new(), conv1d(axis(1, 3, 1, 1, 1), 2), v),
    |v| alone::<Signal<6, 2>, _>(Conv1d::<Signal<4, 3>, 3>::new(), conv1d(axis(4, 3, 1, 1, 0), 3), v),
    |v| alone::<Signal<6, 1>, _>(Conv1d::<Signal<6, 4>, 3>::new(), conv1d(axis(6, 3, 1, 1, 1), 4), v),
    // Of an odd number of padded elements, the odd one lies behind.
    |v| alone::<Signal<5, 2>, _>(Conv1d::<Signal<5, 2>, 4>::new(), conv1d(axis(5, 4, 1, 1, 1), 2), v),
    |v| alone::<Signal<6, 2>, _>(Conv1d::<Signal<3, 2>, 3, 2>::new(), conv1d(axis(3, 3, 2, 1, 0), 2), v),
    |v| alone::<Signal<6, 2>, _>(Conv1d::<Signal<3, 2>, 3, 2>::new().padding(1), conv1d(axis(3, 3, 2, 1, 1), 2), v),
    |v| alone::<Signal<9, 2>, _>(Conv1d::<Signal<5, 1>, 3, 2>::new(), conv1d(axis(5, 3, 2, 1, 1), 1), v),
    |v| alone::<Signal<7, 1>, _>(Conv1d::<Signal<2, 3>, 2, 4>::new(), conv1d(axis(2, 2, 4, 1, 0), 3), v),
    |v| alone::<Signal<8, 2>, _>(Conv1d::<Signal<4, 2>, 3, 1, Bias, 2>::new(), conv1d(axis(4, 3, 1, 2, 0), 2), v),
    |v| alone::<Signal<9, 1>, _>(Conv1d::<Signal<3, 3>, 2, 3, Bias, 2>::new(), conv1d(axis(3, 2, 3, 2, 0), 3), v),
    // Causal: all padding lies before.
    |v| {
        let layer = Conv1d::<Signal<5, 2>, 3, 1, NoBias, 2>::new().padding(4);
        alone::<Signal<5, 2>, _>(layer, conv1d(axis(5, 3, 1, 2, 4), 2).without_bias(), v)
    },
    // So much padding before that the first window lies wholly outside.
    |v| alone::<Signal<4, 2>, _>(Conv1d::<Signal<4, 2>, 3>::new().padding(3), conv1d(axis(4, 3, 1, 1, 3), 2), v),
    |v| alone::<Signal<4, 3>, _>(Conv1d::<Signal<4, 5>, 1>::new(), conv1d(axis(4, 1, 1, 1, 0), 5), v),
];

const IMAGES: [Check; 9] = [
    |v| {
        let model = conv2d(axis(1, 1, 1, 1, 0), axis(1, 1, 1, 1, 0), 1);
        alone::<Image<1, 1, 1>, _>(Conv2d::<Image<1, 1, 1>, 1>::new(), model, v)
    },
    |v| {
        let model = conv2d(axis(2, 3, 1, 1, 0), axis(3, 3, 1, 1, 0), 2);
        alone::<Image<4, 5, 1>, _>(Conv2d::<Image<2, 3, 2>, 3>::new(), model, v)
    },
    |v| {
        let model = conv2d(axis(3, 3, 1, 1, 1), axis(4, 3, 1, 1, 1), 2);
        alone::<Image<3, 4, 1>, _>(Conv2d::<Image<3, 4, 2>, 3>::new(), model, v)
    },
    |v| {
        let model = conv2d(axis(2, 3, 2, 1, 0), axis(2, 3, 2, 1, 0), 2);
        alone::<Image<4, 4, 1>, _>(Conv2d::<Image<2, 2, 2>, 3, 2>::new(), model, v)
    },
    |v| {
        let model = conv2d(axis(2, 3, 2, 1, 1), axis(2, 3, 2, 1, 1), 2).without_bias();
        alone::<Image<4, 4, 1>, _>(Conv2d::<Image<2, 2, 2>, 3, 2, NoBias>::new().padding(1, 1), model, v)
    },
    // Rectangular, each axis with a stride of its own.
    |v| {
        let model = conv2d(axis(3, 3, 2, 1, 1), axis(4, 2, 1, 1, 0), 2);
        alone::<Image<5, 4, 2>, _>(Conv2d::<Image<3, 4, 2>, 3, 2, Bias, 2, 1>::new(), model, v)
    },
    // Dilated, each axis by itself.
    |v| {
        let model = conv2d(axis(2, 2, 1, 3, 0), axis(1, 2, 1, 2, 0), 3);
        alone::<Image<5, 3, 2>, _>(Conv2d::<Image<2, 1, 3>, 2, 1, Bias, 2, 1, 3, 2>::new(), model, v)
    },
    |v| {
        let model = conv2d(axis(2, 1, 1, 1, 0), axis(3, 1, 1, 1, 0), 5);
        alone::<Image<2, 3, 4>, _>(Conv2d::<Image<2, 3, 5>, 1>::new(), model, v)
    },
    |v| {
        let model = conv2d(axis(2, 1, 2, 1, 0), axis(3, 1, 2, 1, 0), 3);
        alone::<Image<3, 5, 2>, _>(Conv2d::<Image<2, 3, 3>, 1, 2>::new(), model, v)
    },
];

const DEPTHWISE: [Check; 7] = [
    |v| alone::<Signal<1, 1>, _>(DepthwiseConv1d::<Signal<1, 1>, 1>::new(), depthwise(axis(1, 1, 1, 1, 0), ONE), v),
    |v| alone::<Signal<5, 9>, _>(DepthwiseConv1d::<Signal<3, 9>, 3>::new(), depthwise(axis(3, 3, 1, 1, 0), ONE), v),
    |v| alone::<Signal<6, 3>, _>(DepthwiseConv1d::<Signal<3, 3>, 3, 2>::new(), depthwise(axis(3, 3, 2, 1, 0), ONE), v),
    |v| {
        let layer = DepthwiseConv1d::<Signal<5, 2>, 3, 1, NoBias, 2>::new().padding(4);
        alone::<Signal<5, 2>, _>(layer, depthwise(axis(5, 3, 1, 2, 4), ONE).without_bias(), v)
    },
    |v| {
        let model = depthwise(axis(3, 3, 1, 1, 1), axis(4, 3, 1, 1, 1));
        alone::<Image<3, 4, 1>, _>(DepthwiseConv2d::<Image<3, 4, 1>, 3>::new(), model, v)
    },
    |v| {
        let model = depthwise(axis(2, 3, 2, 1, 1), axis(2, 3, 2, 1, 1));
        alone::<Image<4, 4, 3>, _>(DepthwiseConv2d::<Image<2, 2, 3>, 3, 2>::new().padding(1, 1), model, v)
    },
    |v| {
        let model = depthwise(axis(2, 3, 1, 1, 0), axis(3, 2, 1, 1, 0));
        alone::<Image<4, 4, 2>, _>(DepthwiseConv2d::<Image<2, 3, 2>, 3, 1, Bias, 2>::new(), model, v)
    },
];

/// Convolutions one behind another, with and without gates between them, before a dense layer.
const NETWORKS: [Check; 3] = [
    |v| {
        let network =
            (Conv1d::<Signal<6, 3>, 3>::new(), Conv1d::<Signal<3, 2>, 3, 2>::new(), Flatten::<6>, Dense::<3>::new());
        let (first, second) = (conv1d(axis(6, 3, 1, 1, 1), 3), conv1d(axis(3, 3, 2, 1, 0), 2));
        losses::<Signal<6, 1>, _, 3>(network, &[&first, &second, &Vector, &linear(3)], v)
    },
    |v| {
        let network = (
            Conv2d::<Image<4, 4, 3>, 3>::new(),
            Relu,
            Conv2d::<Image<2, 2, 2>, 3>::new(),
            Relu,
            Flatten::<8>,
            Dense::<2>::new(),
        );
        let first = conv2d(axis(4, 3, 1, 1, 1), axis(4, 3, 1, 1, 1), 3);
        let second = conv2d(axis(2, 3, 1, 1, 0), axis(2, 3, 1, 1, 0), 2);
        let stages: &[&dyn Stage] = &[&first, &Simple::Relu, &second, &Simple::Relu, &Vector, &linear(2)];
        losses::<Image<4, 4, 1>, _, 2>(network, stages, v)
    },
    // Depthwise separable.
    |v| {
        let network = (
            Conv1d::<Signal<6, 4>, 1>::new(),
            Relu,
            DepthwiseConv1d::<Signal<4, 4>, 3>::new(),
            Relu,
            Conv1d::<Signal<4, 2>, 1>::new(),
            Flatten::<8>,
            Dense::<3>::new(),
        );
        let (first, last) = (conv1d(axis(6, 1, 1, 1, 0), 4), conv1d(axis(4, 1, 1, 1, 0), 2));
        let middle = depthwise(axis(4, 3, 1, 1, 0), ONE);
        let stages: &[&dyn Stage] = &[&first, &Simple::Relu, &middle, &Simple::Relu, &last, &Vector, &linear(3)];
        losses::<Signal<6, 2>, _, 3>(network, stages, v)
    },
];

/// A linear layer that learns its bias alone; its weight is drawn too, and lives as long as the program.
fn bias_only<X: Tensor, L: LinearLayer<X> + Copy>(layer: L, model: Conv, mut values: Values) -> TestCaseResult {
    let weights: &'static _ = Box::leak(Box::new(Linear { weight: values.tensor(), bias: L::Bias::ZERO }));
    let fixed: &'static [f64] = Box::leak(doubles(<L::Weight as Tensor>::flat(&weights.weight)).into());
    alone::<X, _>(BiasOnly::<L, X>::new(layer, weights), Conv { fixed: Some(fixed), ..model }, values)
}

const BIAS_ONLY: [Check; 5] = [
    |v| bias_only::<Signal<1, 1>, _>(Conv1d::<Signal<1, 1>, 1>::new(), conv1d(axis(1, 1, 1, 1, 0), 1), v),
    |v| bias_only::<Signal<6, 2>, _>(Conv1d::<Signal<3, 3>, 3, 2>::new(), conv1d(axis(3, 3, 2, 1, 0), 3), v),
    |v| bias_only::<Signal<4, 3>, _>(Conv1d::<Signal<4, 5>, 1>::new(), conv1d(axis(4, 1, 1, 1, 0), 5), v),
    |v| {
        let model = conv2d(axis(3, 3, 1, 1, 1), axis(4, 3, 1, 1, 1), 2);
        bias_only::<Image<3, 4, 1>, _>(Conv2d::<Image<3, 4, 2>, 3>::new(), model, v)
    },
    |v| {
        let model = depthwise(axis(2, 3, 1, 1, 0), axis(3, 2, 1, 1, 0));
        bias_only::<Image<4, 4, 2>, _>(DepthwiseConv2d::<Image<2, 3, 2>, 3, 1, Bias, 2>::new(), model, v)
    },
];

proptest! {
    #![proptest_config(config())]

    #[test]
    fn convolution_gradients_over_signals_are_those_of_the_model(index: Index, values in values(384)) {
        pick(&SIGNALS, index, values)?;
    }

    #[test]
    fn convolution_gradients_over_images_are_those_of_the_model(index: Index, values in values(384)) {
        pick(&IMAGES, index, values)?;
    }

    #[test]
    fn depthwise_gradients_are_those_of_the_model(index: Index, values in values(384)) {
        pick(&DEPTHWISE, index, values)?;
    }

    #[test]
    fn gradients_of_convolutions_in_a_row_are_those_of_the_model(index: Index, values in values(384)) {
        pick(&NETWORKS, index, values)?;
    }

    #[test]
    fn gradients_with_a_weight_in_flash_are_those_of_the_model(index: Index, values in values(384)) {
        pick(&BIAS_ONLY, index, values)?;
    }
}

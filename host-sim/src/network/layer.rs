//! The layers that a network can be described with.

use std::fmt;

use super::Shape;
use super::chain::Stage;
use super::function::{Activation, Cell};
use super::parameter::{Parameter, Role};
use super::window::{Arguments, Padding, Window};

/// A layer, without the shapes that follow from its input.
///
/// What is said of a residual connection is said of the addition alone: its layers are [nodes](super::Node) of their own.
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// Fully connected.
    Dense {
        /// Outputs.
        outputs: usize,
        /// Whether a bias is added.
        bias: bool,
    },
    /// A convolution over a signal or an image.
    Conv {
        /// 1 for a signal, 2 for an image.
        axes: usize,
        /// Channels of the output.
        outputs: usize,
        /// What each output sees.
        window: Window,
        /// Whether a bias is added.
        bias: bool,
    },
    /// A convolution of each channel by itself.
    Depthwise {
        /// What each output sees.
        window: Window,
        /// Whether a bias is added.
        bias: bool,
    },
    /// The largest of each window, a channel by itself.
    MaxPool {
        /// What each output sees.
        window: Window,
    },
    /// The mean of each window, a channel by itself.
    AveragePool {
        /// What each output sees.
        window: Window,
    },
    /// The largest of each channel.
    GlobalMaxPool,
    /// The mean of each channel.
    GlobalAveragePool,
    /// A vector of all values.
    Flatten,
    /// A function of each value, or of each vector of channels.
    Activation(Activation),
    /// Zeros at random while training.
    Dropout {
        /// The probability of a zero.
        rate: f32,
    },
    /// Normalisation of each channel by running statistics.
    BatchNorm {
        /// Added to the variance.
        epsilon: f32,
    },
    /// Normalisation of each vector of channels by its own statistics.
    LayerNorm {
        /// Added to the variance.
        epsilon: f32,
    },
    /// The leaky rectifier that learns its slope.
    PRelu {
        /// Whether all channels have one slope, or each its own.
        shared: bool,
    },
    /// A recurrent layer over a signal.
    Recurrent {
        /// Its arithmetic.
        cell: Cell,
        /// Hidden units.
        hidden: usize,
        /// Whether every step's state is given on, or the last one's only.
        sequence: bool,
        /// Whether a bias is added.
        bias: bool,
    },
    /// What a branch gives, added to its input or to a projection of it.
    Residual {
        /// The branch.
        branch: Vec<Self>,
        /// The projection; empty if the input is added as it is.
        projection: Vec<Self>,
    },
    /// A copy, where the learner's residual connection needs one.
    Keep,
}

impl Layer {
    /// The output's shape.
    ///
    /// # Errors
    /// Why it does not take this input.
    pub(crate) fn output(&self, input: &Shape) -> Result<Shape, String> {
        let (positions, channels) = (input.positions(), input.channels());
        let windowed = |window: &Window, channels: usize| {
            if positions.is_empty() {
                return Err("it takes a signal (3x100) or an image (3x32x32), not a vector".to_string());
            }
            let mut axes = window.output(positions)?;
            axes.push(channels);
            shape(&axes)
        };
        match self {
            Self::Dense { outputs, .. } if positions.is_empty() => shape(&[*outputs]),
            Self::Dense { .. } => Err("it takes a vector: put flatten before it".into()),
            Self::Conv { axes: 1, .. } if positions.len() != 1 => Err("it takes a signal, such as 3x100".into()),
            Self::Conv { axes: 2, .. } if positions.len() != 2 => Err("it takes an image, such as 3x32x32".into()),
            Self::Conv { outputs, window, .. } => windowed(window, *outputs),
            Self::Depthwise { window, .. } => windowed(window, channels),
            Self::MaxPool { window } | Self::AveragePool { window } => {
                let output = windowed(window, channels)?;
                let plain = Window { padding: Padding::Valid, ..*window };
                let is_plain = || {
                    let before = positions.iter().zip(output.positions()).enumerate();
                    plain.output(positions).is_ok_and(|plain| plain == output.positions())
                        && before.into_iter().all(|(axis, (input, output))| window.before(axis, *input, *output) == 0)
                };
                if matches!(self, Self::MaxPool { .. }) && !is_plain() {
                    return Err(
                        "a max pool has no padding: leave it out, or choose lengths that its windows fit".into()
                    );
                }
                Ok(output)
            }
            Self::GlobalMaxPool | Self::GlobalAveragePool if positions.is_empty() => {
                Err("it takes a signal (3x100) or an image (3x32x32), not a vector".into())
            }
            Self::GlobalMaxPool | Self::GlobalAveragePool => shape(&[channels]),
            Self::Flatten => shape(&[input.count()]),
            Self::Residual { .. } => Stage::new(self.clone(), input).map(|stage| stage.output),
            Self::Keep
            | Self::PRelu { .. }
            | Self::Activation(_)
            | Self::Dropout { .. }
            | Self::BatchNorm { .. }
            | Self::LayerNorm { .. } => Ok(input.clone()),
            Self::Recurrent { hidden, sequence, .. } => match (positions, sequence) {
                ([steps], true) => shape(&[*steps, *hidden]),
                ([_], false) => shape(&[*hidden]),
                _ => Err("it takes a signal (3x100: 3 channels, 100 steps)".into()),
            },
        }
    }

    /// Its parameters, for an input of this shape, as stage `stage` of a network.
    pub(crate) fn parameters(&self, input: &Shape, stage: &str) -> Vec<Parameter> {
        let (flat, channels) = (input.positions().len() < 2, input.channels());
        let weighted = |axes: &[usize], bias: Option<usize>| {
            let weight = Parameter::new(stage, "weight", axes, Role::Weight);
            let bias = bias.map(|outputs| Parameter::new(stage, "bias", &[outputs], Role::Bias));
            std::iter::once(weight).chain(bias).collect()
        };
        let kernel = |window: &Window, rest: &[usize]| {
            let sides = if flat { &window.kernel[..1] } else { &window.kernel[..] };
            [sides, rest].concat()
        };
        match self {
            Self::Dense { outputs, bias } => weighted(&[input.count(), *outputs], bias.then_some(*outputs)),
            Self::Conv { outputs, window, bias, .. } => {
                weighted(&kernel(window, &[channels, *outputs]), bias.then_some(*outputs))
            }
            Self::Depthwise { window, bias } => weighted(&kernel(window, &[channels]), bias.then_some(channels)),
            Self::LayerNorm { .. } => weighted(&[channels], Some(channels)),
            Self::PRelu { shared } => weighted(&[if *shared { 1 } else { channels }], None),
            Self::BatchNorm { .. } => {
                let statistic = |leaf| Parameter::new(stage, leaf, &[channels], Role::Statistic);
                let mut parameters: Vec<_> = weighted(&[channels], Some(channels));
                parameters.extend([statistic("running_mean"), statistic("running_var")]);
                parameters
            }
            Self::Recurrent { cell, hidden, bias, .. } => {
                let weight = |leaf, from| Parameter::new(stage, leaf, &[from, cell.gates(), *hidden], Role::Weight);
                // The learner's plain recurrent cell has one gate and no axis for it.
                let plain = |leaf, from| Parameter::new(stage, leaf, &[from, *hidden], Role::Weight);
                let of = |leaf, from| if let Cell::Rnn = cell { plain(leaf, from) } else { weight(leaf, from) };
                let rows: &[usize] = if let Cell::Rnn = cell { &[*hidden] } else { &[cell.bias_rows(), *hidden] };
                let bias = bias.then(|| Parameter::new(stage, "bias", rows, Role::Bias));
                [of("weight_ih", channels), of("weight_hh", *hidden)].into_iter().chain(bias).collect()
            }
            Self::MaxPool { .. }
            | Self::AveragePool { .. }
            | Self::GlobalMaxPool
            | Self::GlobalAveragePool
            | Self::Flatten
            | Self::Activation(_)
            | Self::Dropout { .. }
            | Self::Residual { .. }
            | Self::Keep => Vec::new(),
        }
    }

    /// What the learner calls it, for an input of this shape.
    #[must_use]
    pub fn name(&self, input: &Shape) -> &'static str {
        let flat = input.positions().len() < 2;
        match self {
            Self::Dense { .. } => "Dense",
            Self::Conv { .. } if flat => "Conv1d",
            Self::Conv { .. } => "Conv2d",
            Self::Depthwise { .. } if flat => "DepthwiseConv1d",
            Self::Depthwise { .. } => "DepthwiseConv2d",
            Self::MaxPool { .. } => "MaxPool",
            Self::AveragePool { .. } => "AveragePool",
            Self::GlobalMaxPool => "GlobalMaxPool",
            Self::GlobalAveragePool => "GlobalAveragePool",
            Self::Flatten => "Flatten",
            Self::Activation(activation) => activation.name(),
            Self::Dropout { .. } => "Dropout",
            Self::BatchNorm { .. } => "BatchNorm",
            Self::LayerNorm { .. } => "LayerNorm",
            Self::PRelu { .. } => "PRelu",
            Self::Recurrent { cell, .. } => cell.name(),
            Self::Residual { projection, .. } if projection.is_empty() => "Residual",
            Self::Residual { .. } => "ResidualProjection",
            Self::Keep => "Keep",
        }
    }

    /// Whether it is a weighted sum of its inputs: what a projection must begin with.
    pub(crate) const fn is_linear(&self) -> bool {
        matches!(self, Self::Dense { .. } | Self::Conv { .. } | Self::Depthwise { .. })
    }

    /// Whether each value it gives comes from the one in the same place, so that a vector stays in the order in which it was flattened.
    /// A residual connection's parts say it of themselves.
    pub(crate) const fn keeps_order(&self) -> bool {
        matches!(
            self,
            Self::Flatten
                | Self::Activation(_)
                | Self::Dropout { .. }
                | Self::BatchNorm { .. }
                | Self::LayerNorm { .. }
                | Self::PRelu { .. }
        )
    }

    /// The learner's `KEEPS_INPUT`: whether forward leaves the input as it was.
    pub(crate) const fn keeps_input(&self) -> bool {
        match self {
            Self::MaxPool { .. } | Self::GlobalMaxPool | Self::Flatten | Self::Dropout { .. } => false,
            Self::Activation(function) => {
                !function.in_place() && !matches!(function, Activation::Sigmoid | Activation::Tanh)
            }
            _ => true,
        }
    }

    /// The learner's `KEEPS_OUTPUT_GRADIENT`: whether backward leaves the gradient of the output as it was.
    pub(crate) const fn keeps_output_gradient(&self) -> bool {
        match self {
            Self::Flatten | Self::Dropout { .. } => false,
            Self::Activation(function) => !function.in_place(),
            _ => true,
        }
    }

    /// Numbers of four bytes that the learner keeps of it from forward to backward.
    #[must_use]
    pub fn tape_count(&self, input: &Shape, output: &Shape) -> usize {
        match self {
            // The sum takes the place of the branch's output.
            Self::Flatten | Self::Residual { .. } => 0,
            Self::Activation(activation) if activation.in_place() => 0,
            Self::Dropout { .. } => 1,
            Self::Recurrent { cell, hidden, .. } => {
                let steps = input.positions().iter().product::<usize>();
                let (gates, carry) = match cell {
                    Cell::Rnn => (0, 0),
                    Cell::Gru => (4 * hidden, 0),
                    Cell::Lstm => (4 * hidden, *hidden),
                };
                steps * (gates + hidden) + carry + output.count()
            }
            _ => output.count(),
        }
    }

    /// Multiplications and additions of a prediction: one for each use of a weight.
    #[must_use]
    pub fn multiply_adds(&self, input: &Shape, output: &Shape) -> usize {
        let (positions, channels) = (output.positions().iter().product::<usize>(), input.channels());
        let kernel = |window: &Window| match input.positions().len() {
            1 => window.kernel[0],
            _ => window.kernel[0] * window.kernel[1],
        };
        match self {
            Self::Dense { outputs, .. } => input.count() * outputs,
            Self::Conv { outputs, window, .. } => positions * kernel(window) * channels * outputs,
            Self::Depthwise { window, .. } => positions * kernel(window) * channels,
            Self::BatchNorm { .. } | Self::LayerNorm { .. } => output.count(),
            Self::Recurrent { cell, hidden, .. } => {
                input.positions().iter().product::<usize>() * cell.gates() * hidden * (channels + hidden)
            }
            _ => 0,
        }
    }
}

/// A shape that can exist.
fn shape(axes: &[usize]) -> Result<Shape, String> {
    Shape::new(axes).ok_or_else(|| "its output would be empty, or larger than any memory".into())
}

/// As it is written in a [line](super::line).
impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let no_bias = |bias: &bool| if *bias { "" } else { ",bias=no" };
        let arguments = |window| Arguments { window, usual_stride: [1; 2] };
        match self {
            Self::Dense { outputs, bias } => write!(f, "dense({outputs}{})", no_bias(bias)),
            Self::Conv { axes, outputs, window, bias } => {
                write!(f, "conv{axes}d({outputs},{}{})", arguments(window), no_bias(bias))
            }
            Self::Depthwise { window, bias } => write!(f, "depthwise({}{})", arguments(window), no_bias(bias)),
            Self::MaxPool { window } | Self::AveragePool { window } => {
                let name = if let Self::MaxPool { .. } = self { "maxpool" } else { "averagepool" };
                write!(f, "{name}({})", Arguments { window, usual_stride: window.kernel })
            }
            Self::GlobalMaxPool => f.write_str("globalmaxpool"),
            Self::GlobalAveragePool => f.write_str("globalaveragepool"),
            Self::Flatten => f.write_str("flatten"),
            Self::Activation(Activation::LeakyRelu { slope }) => write!(f, "leakyrelu({slope})"),
            Self::Activation(activation) => f.write_str(&activation.name().to_ascii_lowercase()),
            Self::Dropout { rate } => write!(f, "dropout({rate})"),
            Self::BatchNorm { epsilon } => write!(f, "batchnorm({epsilon})"),
            Self::LayerNorm { epsilon } => write!(f, "layernorm({epsilon})"),
            Self::PRelu { shared } => f.write_str(if *shared { "prelu(shared)" } else { "prelu" }),
            Self::Recurrent { cell, hidden, sequence, bias } => {
                let sequence = if *sequence { ",sequence" } else { "" };
                write!(f, "{}({hidden}{sequence}{})", cell.name().to_ascii_lowercase(), no_bias(bias))
            }
            Self::Residual { branch, projection } => {
                let words = |layers: &[Self]| layers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                write!(f, "residual({}", words(branch))?;
                if !projection.is_empty() {
                    write!(f, " | {}", words(projection))?;
                }
                f.write_str(")")
            }
            Self::Keep => f.write_str("keep"),
        }
    }
}

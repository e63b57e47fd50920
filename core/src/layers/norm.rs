//! Normalisation by a sample's own statistics.

use crate::gradients::Gradients;
use crate::inference::inference_in_tape;
use crate::init::Initialization;
use crate::kernel;
use crate::layer::{InputGradient, Layer, Pass};
use crate::message::Message;
use crate::params::Linear;
use crate::rng::Rng;
use crate::tensor::Tensor;

/// Layer normalisation over the last axis: each position of a signal or an image, or a vector, by itself,
/// `y = (x - mean) / √(variance + epsilon) weight + bias`. Weight (scale) and bias (shift) `[C]`, one a channel.
///
/// With `n = (x - mean) / √(variance + epsilon)` and `g = weight dy`: `dx = (g - mean(g) - n mean(g n)) / √(variance + epsilon)`,
/// `dweight = Σ dy n`, `dbias = Σ dy`. The variance is over n. The tape is the output; the input stays. Source: Ba, Kiros and Hinton,
/// "Layer normalization" (2016); PyTorch's `LayerNorm(C)` on channels last.
///
/// ```
/// use backpass::{Layer, LayerNorm, Linear, Pass};
/// let params = Linear { weight: [1.0, 2.0], bias: [0.0, 5.0] };
/// let (mut x, mut tape) = ([[1.0, 3.0], [7.0, -7.0]], [[0.0; 2]; 2]);
/// let y = *LayerNorm { epsilon: 0.0 }.forward(&params, &mut x, &mut tape, Pass::training(0));
/// assert_eq!(y, [[-1.0, 7.0], [1.0, 3.0]]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LayerNorm {
    /// Added to the variance.
    pub epsilon: f32,
}

/// Root mean square normalisation over the last axis: each position by itself, `y = x / √(mean(x²) + epsilon) weight`. Weight
/// (scale) `[C]`, one a channel.
///
/// With `n = x / √(mean(x²) + epsilon)` and `g = weight dy`: `dx = (g - n mean(g n)) / √(mean(x²) + epsilon)`, `dweight = Σ dy n`. The tape is
/// the output; the input stays. Source: Zhang and Sennrich, "Root mean square layer normalization" (2019); PyTorch's `RMSNorm(C)`,
/// whose epsilon for `f32`, 1.19e-7, is the default.
///
/// ```
/// use backpass::{Layer, Linear, Pass, RmsNorm};
/// let params = Linear { weight: [1.0, 2.0], bias: [] };
/// let mut tape = [0.0; 2];
/// let y = *RmsNorm { epsilon: 0.0 }.forward(&params, &mut [7.0, -1.0], &mut tape, Pass::training(0));
/// assert_eq!(y, [1.4, -0.4]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RmsNorm {
    /// Added to the mean square.
    pub epsilon: f32,
}

/// Group normalisation: the channels in `G` groups, each normalised over its channels and all positions. Formula, gradients,
/// weight and bias are those of [`LayerNorm`].
///
/// A number of channels that does not divide into `G` groups does not compile. Source: Wu and He, "Group normalization" (2018);
/// PyTorch's `GroupNorm`.
///
/// ```
/// use backpass::{GroupNorm, Layer, Linear, Pass};
/// let params = Linear { weight: [1.0; 4], bias: [0.0; 4] };
/// let mut tape = [0.0; 4];
/// let y = *GroupNorm::<2> { epsilon: 0.0 }.forward(&params, &mut [1.0, 3.0, 9.0, 5.0], &mut tape, Pass::training(0));
/// assert_eq!(y, [-1.0, 1.0, 1.0, -1.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct GroupNorm<const G: usize> {
    /// Added to the variance.
    pub epsilon: f32,
}

/// Instance normalisation: each channel normalised over all positions. Formula, gradients, weight and bias are those of
/// [`LayerNorm`].
///
/// Source: Ulyanov, Vedaldi and Lempitsky, "Instance normalization" (2016); PyTorch's `InstanceNorm2d` with `affine=True`.
///
/// ```
/// use backpass::{InstanceNorm, Layer, Linear, Pass};
/// let params = Linear { weight: [1.0, 2.0], bias: [0.0, 5.0] };
/// let (mut x, mut tape) = ([[1.0, 8.0], [3.0, 4.0]], [[0.0; 2]; 2]);
/// let y = *InstanceNorm { epsilon: 0.0 }.forward(&params, &mut x, &mut tape, Pass::training(0));
/// assert_eq!(y, [[-1.0, 7.0], [1.0, 3.0]]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InstanceNorm {
    /// Added to the variance.
    pub epsilon: f32,
}

/// Implements `new`, `Default`, `Layer` and `Inference` for a normalisation: its epsilon, its bias, its check, and what it does with
/// a whole tensor's slices.
macro_rules! norm {
    (
        [$($generics:tt)*] $layer:ty, $epsilon:expr, $bias:ty, $check:block,
        |$self:ident, $params:ident, $x:ident, $y:ident| $forward:expr,
        |$grads:ident, $want:ident| $backward:expr
    ) => {
        norm!(@new [$($generics)*] $layer, $epsilon);

        impl<X: Tensor, $($generics)*> Layer<X> for $layer {
            type Output = X;
            type Params = Linear<X::Channels, $bias>;
            type Tape = X;
            const NAME: &'static str = crate::layer::base_name(stringify!($layer));
            const KEEPS_INPUT: bool = true;
            const KEEPS_OUTPUT_GRADIENT: bool = true;

            fn forward<'t>(&self, params: &Self::Params, x: &'t mut X, tape: &'t mut X, _: Pass) -> &'t mut X {
                const $check;
                let ($self, $params, $x, $y) = (self, params, x.flat(), tape.flat_mut());
                $forward;
                tape
            }

            fn output<'t>(_: &'t mut X, tape: &'t mut X) -> &'t mut X {
                tape
            }

            fn backward(
                &self,
                params: &Self::Params,
                x: &mut X,
                dy: &mut X,
                grads: Option<crate::gradients::Gradients<'_, Self::Params>>,
                want: InputGradient,
            ) {
                let ($self, $params, $x, $y) = (self, params, x.flat_mut(), dy.flat());
                Gradients::learn(grads, |grads| {
                    let ($grads, $want) = (grads, want);
                    $backward;
                });
            }

            fn initialization(&self, _: Initialization) -> Initialization {
                // The scale of the weights before a normalisation makes no difference to its output.
                Initialization::He { slope: 0.0 }
            }

            fn initialize(&self, params: &mut Self::Params, _: Initialization, _: &mut Rng) {
                params.weight.flat_mut().fill(1.0);
                params.bias.flat_mut().fill(0.0);
            }
        }

        inference_in_tape!([X: Tensor, $($generics)*] X => $layer);
        crate::descend::descend_by_gradient!([X: Tensor, $($generics)*] X => $layer);
    };
    (@new [$($generics:tt)*] $layer:ty, $epsilon:expr) => {
        impl<$($generics)*> $layer {
            /// The layer with its usual epsilon.
            pub const fn new() -> Self {
                Self { epsilon: $epsilon }
            }
        }

        impl<$($generics)*> Default for $layer {
            fn default() -> Self {
                Self::new()
            }
        }
    };
}

norm!(
    [] LayerNorm, 1e-5, X::Channels, {},
    |layer, params, x, y| {
        let (channels, weight, bias) = (X::CHANNELS.max(1), params.weight.flat(), params.bias.flat());
        for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact_mut(channels)) {
            kernel::norm::forward(x, y, weight, bias, 1, layer.epsilon);
        }
    },
    |grads, want| {
        let (channels, mut grads) = (X::CHANNELS.max(1), grads);
        for (x, dy) in x.chunks_exact_mut(channels).zip(y.chunks_exact(channels)) {
            let learned = grads.as_mut().map(|grads| (grads.weight.flat_mut(), grads.bias.flat_mut()));
            kernel::norm::backward(x, dy, params.weight.flat(), learned, 1, layer.epsilon, want);
        }
    }
);

norm!(
    [] RmsNorm, f32::EPSILON, [f32; 0], {},
    |layer, params, x, y| {
        let channels = X::CHANNELS.max(1);
        for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact_mut(channels)) {
            kernel::norm::rms_forward(x, y, params.weight.flat(), layer.epsilon);
        }
    },
    |grads, want| {
        let (channels, mut grads) = (X::CHANNELS.max(1), grads);
        for (x, dy) in x.chunks_exact_mut(channels).zip(y.chunks_exact(channels)) {
            let learned = grads.as_mut().map(|grads| grads.weight.flat_mut());
            kernel::norm::rms_backward(x, dy, params.weight.flat(), learned, layer.epsilon, want);
        }
    }
);

norm!(
    [const G: usize] GroupNorm<G>, 1e-5, X::Channels,
    {
        let message = Message::new("GroupNorm: ").number(X::CHANNELS).text(" channels do not divide into ").number(G);
        assert!(G > 0 && X::CHANNELS % G == 0, "{}", message.text(" groups").as_str());
    },
    |layer, params, x, y| {
        kernel::norm::forward(x, y, params.weight.flat(), params.bias.flat(), G, layer.epsilon);
    },
    |grads, want| {
        let learned = grads.map(|grads| (grads.weight.flat_mut(), grads.bias.flat_mut()));
        kernel::norm::backward(x, y, params.weight.flat(), learned, G, layer.epsilon, want);
    }
);

norm!(
    [] InstanceNorm, 1e-5, X::Channels, {},
    |layer, params, x, y| {
        kernel::norm::forward(x, y, params.weight.flat(), params.bias.flat(), X::CHANNELS, layer.epsilon);
    },
    |grads, want| {
        let learned = grads.map(|grads| (grads.weight.flat_mut(), grads.bias.flat_mut()));
        kernel::norm::backward(x, y, params.weight.flat(), learned, X::CHANNELS, layer.epsilon, want);
    }
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Zero;

    type Params = Linear<[f32; 4], [f32; 4]>;
    const PARAMS: Params = Linear { weight: [1.0, -2.0, 0.5, 3.0], bias: [0.25, 0.0, -1.0, 2.0] };

    /// Output, input gradient and parameter gradients for one dL/dy.
    fn run<X: Tensor, L: Layer<X, Output = X, Tape = X, Params = Params>>(layer: L, input: X, dy: X) -> (X, X, Params) {
        let (mut x, mut tape, mut grads) = (input, X::ZERO, Params::ZERO);
        let y = *layer.forward(&PARAMS, &mut x, &mut tape, Pass::training(0));
        tape = dy;
        layer.backward(&PARAMS, &mut x, &mut tape, Some((&mut grads).into()), InputGradient::Full);
        (y, x, grads)
    }

    const SIGNAL: [[f32; 4]; 3] = [[1.0, -2.0, 0.5, 3.0], [0.0, 0.0, 4.0, -1.0], [2.5, 1.0, -3.0, 0.125]];
    const DY: [[f32; 4]; 3] = [[0.5, 1.0, -1.0, 2.0], [3.0, -0.5, 0.25, 1.0], [-2.0, 0.0, 1.5, -1.0]];

    #[test]
    fn groups_of_one_channel_are_instances_and_one_group_of_one_position_is_a_layer() {
        assert!(run(GroupNorm::<4>::new(), SIGNAL, DY) == run(InstanceNorm::new(), SIGNAL, DY));
        assert!(run(GroupNorm::<1>::new(), SIGNAL[0], DY[0]) == run(LayerNorm::new(), SIGNAL[0], DY[0]));
        assert!(run(GroupNorm::<1>::new(), SIGNAL, DY) != run(LayerNorm::new(), SIGNAL, DY));
    }

    #[test]
    fn equal_elements_become_the_shift_and_gradients_stay_finite() {
        let (y, dx, grads) = run(LayerNorm::new(), [7.0; 4], DY[0]);
        assert_eq!(y, PARAMS.bias);
        assert_eq!((grads.weight, grads.bias), ([0.0; 4], DY[0]));
        // g - mean(g), over the square root of epsilon: a large number, but finite.
        assert!(dx.iter().all(|dx| dx.is_finite()));
        assert!(dx.iter().sum::<f32>().abs() < 1e-3);
    }

    #[test]
    fn nan_is_passed_on() {
        let (y, dx, _) = run(InstanceNorm::new(), [[f32::NAN, 1.0, 2.0, 3.0], [1.0; 4]], [[1.0; 4]; 2]);
        assert!(y[0][0].is_nan() && y[1][0].is_nan() && y[0][1].is_finite());
        assert!(dx[1][0].is_nan() && dx[1][1].is_finite());
    }
}

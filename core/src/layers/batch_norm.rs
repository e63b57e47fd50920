//! Batch normalisation.

use crate::descend::descend_by_gradient;
use crate::gradients::Gradients;
use crate::inference::inference_in_tape;
use crate::init::Initialization;
use crate::kernel::norm::Channel;
use crate::layer::{InputGradient, Layer, Pass};
use crate::message::Message;
use crate::params::{Beside, Linear, Name, Params, Parts};
use crate::rng::Rng;
use crate::tensor::{Tensor, Zero};

/// Batch normalisation of each channel (the last axis) by running statistics,
/// `y = (x - running_mean) / √(running_var + epsilon) weight + bias`.
///
/// **Samples come one by one here, so there are no statistics of a batch: the running ones are used in training too**, as
/// constants. That is PyTorch's `BatchNorm` in evaluation mode with gradients: `dx = weight dy / √(running_var + epsilon)`,
/// `dweight = Σ dy (x - running_mean) / √(running_var + epsilon)`, `dbias = Σ dy` over all positions.
///
/// The running statistics follow the data. An update, over all its samples, takes
/// `running ← (1 - momentum) running + momentum statistic` with the mean of the samples' statistics: their mean over all
/// positions, and their mean squared distance from the running mean. It does so whatever the optimizer, and never for a
/// refused sample. `momentum` is 0.1, as PyTorch's; with 0 ([`fixed`](Self::fixed)), the usual choice when a trained network
/// is adapted, they stay.
///
/// Parameters are `weight` (scale, at first 1), `bias` (shift, 0), `running_mean` (0) and `running_var` (1), each `[C]`. The tape is the
/// output; the input stays. [`fold`](Self::fold) makes the layer part of the linear layer before it. Source: Ioffe and Szegedy,
/// "Batch normalization" (2015).
///
/// ```
/// use backpass::{BatchNorm, BatchNormParams, Conv2d, Image, Layer, NoBias, Pass, Relu};
/// type Net = (Conv2d<Image<8, 8, 4>, 3, 1, NoBias>, BatchNorm, Relu);
/// fn output_of<N: Layer<Image<8, 8, 1>, Output = Image<8, 8, 4>>>() {}
/// output_of::<Net>();
///
/// let params = BatchNormParams { weight: [2.0], bias: [1.0], running_mean: [3.0], running_var: [4.0] };
/// let norm = BatchNorm { epsilon: 0.0, ..BatchNorm::fixed() };
/// assert_eq!(*norm.forward(&params, &mut [5.0], &mut [0.0], Pass::training(0)), [3.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BatchNorm {
    /// Added to the variance.
    pub epsilon: f32,
    /// How much of the running statistics an update replaces, from 0 to 1.
    pub momentum: f32,
}

/// The parameters of [`BatchNorm`], one of each a channel.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BatchNormParams<C> {
    /// The scale.
    pub weight: C,
    /// The shift.
    pub bias: C,
    /// The running mean; among gradients, the sum of what each sample would add to it.
    pub running_mean: C,
    /// The running variance; among gradients, the sum of what each sample would add to it.
    pub running_var: C,
}

impl<C: Tensor> Zero for BatchNormParams<C> {
    const ZERO: Self = Self { weight: C::ZERO, bias: C::ZERO, running_mean: C::ZERO, running_var: C::ZERO };
}

impl<C: Tensor> Params for BatchNormParams<C> {
    const COUNT: usize = 4 * C::LEN;

    fn visit(&self, parent: Option<&Name<'_>>, visitor: &mut dyn FnMut(Name<'_>, &[f32])) {
        visitor(Name::leaf(parent, "weight").of::<C>(), self.weight.flat());
        visitor(Name::leaf(parent, "bias").of::<C>(), self.bias.flat());
        visitor(Name::statistic(parent, "running_mean").of::<C>(), self.running_mean.flat());
        visitor(Name::statistic(parent, "running_var").of::<C>(), self.running_var.flat());
    }

    fn visit_mut<const SETS: usize>(
        mut sets: [&mut Self; SETS],
        parent: Option<&Name<'_>>,
        visitor: &mut dyn FnMut(Name<'_>, [&mut [f32]; SETS]),
    ) where
        Beside: Parts<SETS>,
    {
        visitor(Name::leaf(parent, "weight"), Beside::parts(&mut sets, |set| set.weight.flat_mut()));
        visitor(Name::leaf(parent, "bias"), Beside::parts(&mut sets, |set| set.bias.flat_mut()));
        visitor(Name::statistic(parent, "running_mean"), Beside::parts(&mut sets, |set| set.running_mean.flat_mut()));
        visitor(Name::statistic(parent, "running_var"), Beside::parts(&mut sets, |set| set.running_var.flat_mut()));
    }
}

impl<C: Tensor> BatchNormParams<C> {
    /// Each channel.
    fn channels(&self) -> impl Iterator<Item = Channel> {
        let learned = self.weight.flat().iter().zip(self.bias.flat());
        let measured = self.running_mean.flat().iter().zip(self.running_var.flat());
        learned.zip(measured).map(|((weight, bias), (mean, variance))| Channel {
            weight: *weight,
            bias: *bias,
            mean: *mean,
            variance: *variance,
        })
    }

    /// The gradients of each channel: weight, bias, and what the statistics are to change by.
    fn channels_mut(&mut self) -> impl Iterator<Item = [&mut f32; 4]> {
        let learned = self.weight.flat_mut().iter_mut().zip(self.bias.flat_mut());
        let measured = self.running_mean.flat_mut().iter_mut().zip(self.running_var.flat_mut());
        learned.zip(measured).map(|((weight, bias), (mean, variance))| [weight, bias, mean, variance])
    }
}

impl BatchNorm {
    /// The layer with epsilon 1e-5 and momentum 0.1.
    pub const fn new() -> Self {
        Self { epsilon: 1e-5, momentum: 0.1 }
    }

    /// The layer with epsilon 1e-5, whose running statistics stay as they are.
    pub const fn fixed() -> Self {
        Self { epsilon: 1e-5, momentum: 0.0 }
    }

    /// Makes the layer part of the linear layer (dense, convolution, depthwise convolution) before it: with
    /// `s = weight / √(running_var + epsilon)`, its weight becomes `w s` and its bias `(b - running_mean) s + bias`, channel by
    /// channel. A linear layer without bias is first given one of zeros.
    ///
    /// ```
    /// use backpass::{BatchNorm, BatchNormParams, Linear};
    /// let norm = BatchNormParams { weight: [3.0], bias: [1.0], running_mean: [2.0], running_var: [4.0] };
    /// let mut dense = Linear { weight: [[10.0], [20.0]], bias: [4.0] };
    /// BatchNorm { epsilon: 0.0, ..BatchNorm::new() }.fold(&norm, &mut dense);
    /// assert_eq!(dense, Linear { weight: [[15.0], [30.0]], bias: [4.0] });
    /// ```
    pub fn fold<W: Tensor, C: Tensor>(&self, params: &BatchNormParams<C>, linear: &mut Linear<W, C>) {
        const {
            let message =
                Message::new("BatchNorm: it has ").number(C::LEN).text(" channels, but the linear layer has ");
            assert!(W::CHANNELS == C::LEN, "{}", message.number(W::CHANNELS).text(" outputs").as_str());
        }
        let scale = |channel: Channel| channel.weight * channel.inverse(self.epsilon);
        for weights in linear.weight.flat_mut().chunks_exact_mut(C::LEN.max(1)) {
            weights.iter_mut().zip(params.channels()).for_each(|(weight, channel)| *weight *= scale(channel));
        }
        for (bias, channel) in linear.bias.flat_mut().iter_mut().zip(params.channels()) {
            *bias = (*bias - channel.mean) * scale(channel) + channel.bias;
        }
    }
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self::new()
    }
}

/// The elements of a channel: every `CHANNELS`th from this one on.
fn from(values: &[f32], channel: usize) -> &[f32] {
    values.get(channel..).unwrap_or_default()
}

impl<X: Tensor> Layer<X> for BatchNorm {
    type Output = X;
    type Params = BatchNormParams<X::Channels>;
    type Tape = X;
    const NAME: &'static str = "BatchNorm";
    const KEEPS_INPUT: bool = true;
    const KEEPS_OUTPUT_GRADIENT: bool = true;

    fn forward<'t>(&self, params: &Self::Params, x: &'t mut X, tape: &'t mut X, _: Pass) -> &'t mut X {
        for (index, channel) in params.channels().enumerate() {
            let y = tape.flat_mut().get_mut(index..).unwrap_or_default();
            channel.forward(from(x.flat(), index), y, X::CHANNELS, self.epsilon);
        }
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
        grads: Option<Gradients<'_, Self::Params>>,
        want: InputGradient,
    ) {
        if let Some(grads) = grads {
            grads.add(|grads| {
                let channels = params.channels().zip(grads.channels_mut()).enumerate();
                for (index, (channel, [weight, bias, mean, variance])) in channels {
                    let x = from(x.flat(), index);
                    let learned = channel.gradients(x, from(dy.flat(), index), X::CHANNELS, self.epsilon);
                    *weight += learned.0;
                    *bias += learned.1;
                    if self.momentum != 0.0 {
                        let measured = channel.statistics(x, X::CHANNELS);
                        *mean += self.momentum * (measured.0 - channel.mean);
                        *variance += self.momentum * (measured.1 - channel.variance);
                    }
                }
            });
        }
        if want != InputGradient::Unused {
            for (index, channel) in params.channels().enumerate() {
                let x = x.flat_mut().get_mut(index..).unwrap_or_default();
                channel.input_gradient(x, from(dy.flat(), index), X::CHANNELS, self.epsilon, want);
            }
        }
    }

    fn initialization(&self, after: Initialization) -> Initialization {
        after
    }

    fn initialize(&self, params: &mut Self::Params, _: Initialization, _: &mut Rng) {
        params.weight.flat_mut().fill(1.0);
        params.bias.flat_mut().fill(0.0);
        params.running_mean.flat_mut().fill(0.0);
        params.running_var.flat_mut().fill(1.0);
    }
}

inference_in_tape!([X: Tensor] X => BatchNorm);
descend_by_gradient!([X: Tensor] X => BatchNorm);

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;
    use crate::Dense;

    const PARAMS: BatchNormParams<[f32; 2]> =
        BatchNormParams { weight: [2.0, -1.0], bias: [0.5, 0.25], running_mean: [1.0, -2.0], running_var: [4.0, 0.25] };
    const SAMPLE: [[f32; 2]; 2] = [[3.0, 1.0], [7.0, -2.0]];

    fn gradients(norm: BatchNorm, samples: &[[[f32; 2]; 2]]) -> BatchNormParams<[f32; 2]> {
        let mut grads = BatchNormParams::ZERO;
        for sample in samples {
            let (mut x, mut tape) = (*sample, Zero::ZERO);
            norm.forward(&PARAMS, &mut x, &mut tape, Pass::training(0));
            tape = [[1.0, 0.0], [0.0, 2.0]];
            norm.backward(&PARAMS, &mut x, &mut tape, Some((&mut grads).into()), InputGradient::Full);
        }
        grads
    }

    #[test]
    fn statistics_gather_what_an_update_adds_to_them() {
        let norm = BatchNorm { epsilon: 0.0, momentum: 0.25 };
        let grads = gradients(norm, &[SAMPLE]);
        // Sample means 5 and -0.5; mean squared distances from 1 and -2: (4 + 36) / 2 and (9 + 0) / 2.
        assert_eq!(grads.running_mean, [0.25 * (5.0 - 1.0), 0.25 * (-0.5 + 2.0)]);
        assert_eq!(grads.running_var, [0.25 * (20.0 - 4.0), 0.25 * (4.5 - 0.25)]);
        let both = gradients(norm, &[SAMPLE, SAMPLE]);
        assert_eq!(both.running_mean, grads.running_mean.map(|sum| 2.0 * sum));
        assert_eq!(both.running_var, grads.running_var.map(|sum| 2.0 * sum));
        // What is learned does not depend on it.
        let fixed = gradients(BatchNorm { momentum: 0.0, ..norm }, &[SAMPLE]);
        assert_eq!((fixed.weight, fixed.bias), (grads.weight, grads.bias));
        assert_eq!((fixed.running_mean, fixed.running_var), ([0.0; 2], [0.0; 2]));
    }

    #[test]
    fn what_is_measured_is_named_as_a_statistic() {
        let mut seen = Vec::new();
        PARAMS.visit(None, &mut |name, _| seen.push((name.to_string(), name.is_statistic())));
        let names = seen.iter().map(|(name, statistic)| (name.as_str(), *statistic)).collect::<Vec<_>>();
        assert_eq!(names, [("weight", false), ("bias", false), ("running_mean", true), ("running_var", true)]);
        assert_eq!(BatchNormParams::<[f32; 2]>::COUNT, 8);
    }

    #[test]
    fn folded_it_computes_the_same() {
        let linear = Linear { weight: [[1.0, -2.0], [0.5, 4.0], [-3.0, 0.25]], bias: [1.0, -1.0] };
        let norm = BatchNorm { epsilon: 0.0, ..BatchNorm::fixed() };
        let (mut x, mut tape) = ([0.5, -1.0, 2.0], Zero::ZERO);
        let expected = *(Dense::<2>::new(), norm).forward(&(linear, PARAMS), &mut x, &mut tape, Pass::Predicting);
        let mut folded = linear;
        norm.fold(&PARAMS, &mut folded);
        let y = *Dense::<2>::new().forward(&folded, &mut x, &mut [0.0; 2], Pass::Predicting);
        // All numbers are multiples of 1/16, so nothing is rounded.
        assert_eq!(y, expected);
    }
}

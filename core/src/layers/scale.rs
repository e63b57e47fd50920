//! Normalisation of the input with fixed numbers.

use crate::descend::descend_without_params;
use crate::gradients::Gradients;
use crate::inference::inference_in_place;
use crate::init::Initialization;
use crate::layer::{InputGradient, Layer, Pass};
use crate::message::Message;
use crate::tensor::Tensor;

/// Fixed shift and scale of each channel (the last axis), `y = (x - mean) factor`, in place: the normalisation of a sensor's
/// readings as a layer, so that it is flashed with the network.
///
/// `dx = factor dy`. Nothing is learned; no tape. The factor is usually one over the standard deviation.
///
/// It belongs to the beginning of a network. Directly behind a ReLU that something before it learns through, it would hide which
/// gates are closed: then its gradient is NaN, and the learner refuses the sample.
///
/// ```
/// use backpass::{Layer, Pass, Scale};
/// let celsius = Scale { mean: [20.0, 1013.0], factor: [0.1, 0.05] };
/// let y = *celsius.forward(&(), &mut [[25.0, 1013.0], [20.0, 1033.0]], &mut (), Pass::Predicting);
/// assert_eq!(y, [[0.5, 0.0], [0.0, 1.0]]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Scale<const C: usize> {
    /// What is subtracted from each channel.
    pub mean: [f32; C],
    /// What each channel is then multiplied by.
    pub factor: [f32; C],
}

impl<X: Tensor, const C: usize> Layer<X> for Scale<C> {
    type Output = X;
    type Params = ();
    type Tape = ();
    const NAME: &'static str = "Scale";

    fn forward<'t>(&self, (): &(), x: &'t mut X, (): &'t mut (), _: Pass) -> &'t mut X {
        const {
            let message = Message::new("Scale: it has ").number(C).text(" channels, but its input has ");
            assert!(C == X::CHANNELS, "{}", message.number(X::CHANNELS).as_str());
        }
        for position in x.flat_mut().chunks_exact_mut(C.max(1)) {
            for ((x, mean), factor) in position.iter_mut().zip(&self.mean).zip(&self.factor) {
                *x = (*x - mean) * factor;
            }
        }
        x
    }

    fn output<'t>(x: &'t mut X, (): &'t mut ()) -> &'t mut X {
        x
    }

    fn backward(&self, (): &(), x: &mut X, (): &mut (), _: Option<Gradients<'_, ()>>, want: InputGradient) {
        if want == InputGradient::Unused {
            return;
        }
        for position in x.flat_mut().chunks_exact_mut(C.max(1)) {
            for (x, factor) in position.iter_mut().zip(&self.factor) {
                *x = if want.is_gated() { f32::NAN } else { *x * factor };
            }
        }
    }

    fn output_gradient(&self, input: InputGradient) -> InputGradient {
        input.if_used(InputGradient::Full)
    }

    fn initialization(&self, after: Initialization) -> Initialization {
        after
    }
}

inference_in_place!([X: Tensor, const C: usize] X => Scale<C>);
descend_without_params!([X: Tensor, const C: usize] X => Scale<C>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CrossEntropy, Dense, Learner, Memory, ObserveError, Relu, Sgd};

    #[test]
    fn behind_a_relu_the_sample_is_refused() {
        type Net = (Dense<2>, Relu, Scale<2>, Dense<2>);
        let scale = Scale { mean: [1.0, 2.0], factor: [2.0, 0.5] };
        let mut memory = Memory::<Net, [f32; 1], Sgd>::new();
        let net = (Dense::new(), Relu, scale, Dense::new());
        let mut learner = Learner::new(&mut memory, net, CrossEntropy, Sgd::new(0.1));
        learner.initialize(1);
        assert_eq!(learner.observe(&[1.0], &0), Err(ObserveError::Gradient { discarded: 0 }));
    }
}

//! The leaky rectified linear unit that learns its slope.

use core::fmt;
use core::marker::PhantomData;

use crate::descend::descend_by_gradient;
use crate::gradients::Gradients;
use crate::inference::inference_in_tape;
use crate::init::Initialization;
use crate::kernel;
use crate::layer::{InputGradient, Layer, Pass};
use crate::layers::window::typed;
use crate::params::Linear;
use crate::rng::Rng;
use crate::tensor::Tensor;

/// How many slopes a [`PRelu`] has: [`PerChannel`] or [`Shared`].
pub trait Slopes {
    /// The slopes for inputs of type `X`.
    type Of<X: Tensor>: Tensor;
}

/// One slope a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PerChannel;

/// One slope for all channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Shared;

impl Slopes for PerChannel {
    type Of<X: Tensor> = X::Channels;
}

impl Slopes for Shared {
    type Of<X: Tensor> = [f32; 1];
}

/// Parametric ReLU, `y = x` if `x > 0`, else `a x`, on a tensor of any shape; the slope `a` is learned: one a channel (the last
/// axis), or with `PRelu<Shared>` one for all.
///
/// `dx = dy` if `x > 0`, else `a dy`; `da = Σ x dy` over the elements that are not positive. The parameter is named `weight` and starts
/// at 0.25. The tape is the output; the input stays. Source: He et al., "Delving deep into rectifiers" (2015), equation 1;
/// PyTorch's `PReLU`.
///
/// ```
/// use backpass::{Layer, Linear, PRelu, Pass, Shared};
/// let slope = Linear { weight: [0.5], bias: [] };
/// let mut tape = [0.0; 2];
/// let y = *PRelu::<Shared>::new().forward(&slope, &mut [-1.0, 2.0], &mut tape, Pass::training(0));
/// assert_eq!(y, [-0.5, 2.0]);
/// ```
pub struct PRelu<S = PerChannel>(PhantomData<S>);

typed!([S] PRelu<S>, "PRelu");

impl<X: Tensor, S: Slopes> Layer<X> for PRelu<S> {
    type Output = X;
    type Params = Linear<S::Of<X>, [f32; 0]>;
    type Tape = X;
    const NAME: &'static str = "PRelu";
    const KEEPS_INPUT: bool = true;
    const KEEPS_OUTPUT_GRADIENT: bool = true;

    fn forward<'t>(&self, params: &Self::Params, x: &'t mut X, tape: &'t mut X, _: Pass) -> &'t mut X {
        kernel::elementwise::prelu(x.flat(), params.weight.flat(), tape.flat_mut());
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
                kernel::elementwise::prelu_slope_gradient(x.flat(), dy.flat(), grads.weight.flat_mut());
            });
        }
        kernel::elementwise::prelu_backward(x.flat_mut(), params.weight.flat(), dy.flat(), want);
    }

    fn initialization(&self, _: Initialization) -> Initialization {
        Initialization::He { slope: START }
    }

    fn initialize(&self, params: &mut Self::Params, _: Initialization, _: &mut Rng) {
        params.weight.flat_mut().fill(START);
    }
}

/// The slope before training.
const START: f32 = 0.25;

inference_in_tape!([X: Tensor, S: Slopes] X => PRelu<S>);
descend_by_gradient!([X: Tensor, S: Slopes] X => PRelu<S>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Zero;

    #[test]
    fn slopes_learn_from_negative_inputs_alone() {
        let params = Linear { weight: [0.5, 0.25], bias: [] };
        let layer: PRelu = PRelu::new();
        let (mut x, mut tape, mut grads) =
            ([[-2.0, 3.0], [0.0, -4.0]], Zero::ZERO, Linear { weight: [0.0; 2], bias: [] });
        assert_eq!(*layer.forward(&params, &mut x, &mut tape, Pass::training(0)), [[-1.0, 3.0], [0.0, -1.0]]);
        tape = [[1.0, 10.0], [100.0, 1000.0]];
        layer.backward(&params, &mut x, &mut tape, Some((&mut grads).into()), InputGradient::Full);
        assert_eq!(grads.weight, [-2.0, -4000.0]);
        assert_eq!(x, [[0.5, 10.0], [50.0, 250.0]]);
    }
}

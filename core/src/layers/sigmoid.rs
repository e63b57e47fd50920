//! The logistic sigmoid.

use crate::descend::descend_without_params;
use crate::gradients::Gradients;
use crate::inference::inference_in_tape;
use crate::kernel;
use crate::layer::{InputGradient, Layer, Pass};
use crate::tensor::Tensor;

/// Logistic sigmoid, `y = 1 / (1 + e^-x)`, on a tensor of any shape.
///
/// `dx = dy y (1 - y)`. The output is kept twice: in the tape, where dL/dy will overwrite it, and in the input's place.
///
/// ```
/// use backpass::{Layer, Pass, Sigmoid};
/// let mut tape = [0.0; 2];
/// assert_eq!(*Sigmoid.forward(&(), &mut [0.0, 20.0], &mut tape, Pass::training(0)), [0.5, 1.0]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sigmoid;

impl<X: Tensor> Layer<X> for Sigmoid {
    type Output = X;
    type Params = ();
    type Tape = X;
    const NAME: &'static str = "Sigmoid";
    const KEEPS_OUTPUT_GRADIENT: bool = true;

    fn forward<'t>(&self, (): &(), x: &'t mut X, tape: &'t mut X, pass: Pass) -> &'t mut X {
        kernel::elementwise::sigmoid(x.flat_mut(), tape.flat_mut(), pass);
        tape
    }

    fn output<'t>(_: &'t mut X, tape: &'t mut X) -> &'t mut X {
        tape
    }

    fn backward(&self, (): &(), x: &mut X, dy: &mut X, _: Option<Gradients<'_, ()>>, want: InputGradient) {
        kernel::elementwise::sigmoid_backward(x.flat_mut(), dy.flat(), want);
    }

    fn output_gradient(&self, input: InputGradient) -> InputGradient {
        input.if_used(InputGradient::Full)
    }
}

inference_in_tape!([X: Tensor] X => Sigmoid);
descend_without_params!([X: Tensor] X => Sigmoid);

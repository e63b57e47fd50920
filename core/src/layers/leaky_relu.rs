//! The leaky rectified linear unit.

use crate::descend::descend_without_params;
use crate::gradients::Gradients;
use crate::inference::inference_in_tape;
use crate::init::Initialization;
use crate::kernel;
use crate::layer::{InputGradient, Layer, Pass};
use crate::tensor::Tensor;

/// Leaky ReLU, `y = x` if `x > 0`, else `slope x`, on a tensor of any shape.
///
/// `dx = dy` if `x > 0`, else `slope dy`. The tape is the output; the input stays for its sign. The usual slope is 0.01
/// (the default). Source: Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models" (2013).
///
/// ```
/// use backpass::{Layer, LeakyRelu, Pass};
/// let leaky = LeakyRelu { slope: 0.1 };
/// assert_eq!(*leaky.forward(&(), &mut [-1.0, 0.5], &mut [0.0; 2], Pass::training(0)), [-0.1, 0.5]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LeakyRelu {
    /// The slope for negative input.
    pub slope: f32,
}

impl LeakyRelu {
    /// The layer with slope 0.01.
    pub const fn new() -> Self {
        Self { slope: 0.01 }
    }
}

impl Default for LeakyRelu {
    fn default() -> Self {
        Self::new()
    }
}

impl<X: Tensor> Layer<X> for LeakyRelu {
    type Output = X;
    type Params = ();
    type Tape = X;
    const NAME: &'static str = "LeakyRelu";
    const KEEPS_INPUT: bool = true;
    const KEEPS_OUTPUT_GRADIENT: bool = true;

    fn forward<'t>(&self, (): &(), x: &'t mut X, tape: &'t mut X, _: Pass) -> &'t mut X {
        kernel::elementwise::leaky_relu(x.flat(), tape.flat_mut(), self.slope);
        tape
    }

    fn output<'t>(_: &'t mut X, tape: &'t mut X) -> &'t mut X {
        tape
    }

    fn backward(&self, (): &(), x: &mut X, dy: &mut X, _: Option<Gradients<'_, ()>>, want: InputGradient) {
        kernel::elementwise::leaky_relu_backward(x.flat_mut(), dy.flat(), self.slope, want);
    }

    // Not `WhereActive`: a tiny negative input times the slope may round to a zero that is no closed gate.
    fn output_gradient(&self, input: InputGradient) -> InputGradient {
        input.if_used(InputGradient::Full)
    }

    fn initialization(&self, _: Initialization) -> Initialization {
        Initialization::He { slope: self.slope }
    }
}

inference_in_tape!([X: Tensor] X => LeakyRelu);
descend_without_params!([X: Tensor] X => LeakyRelu);

//! The rectified linear unit.

use crate::descend::descend_without_params;
use crate::gradients::Gradients;
use crate::inference::inference_in_place;
use crate::init::Initialization;
use crate::kernel;
use crate::layer::{InputGradient, Layer, Pass};
use crate::tensor::Tensor;

/// ReLU, `y = max(x, 0)`, in place on a tensor of any shape; no parameters, no tape.
///
/// `dx = dy` where `y > 0`, else 0. Backward costs nothing: the layer behind leaves the zeros of a closed gate standing
/// ([`InputGradient::WhereActive`]), and a zero is the gradient. NaN passes through, so that divergence is seen.
///
/// ```
/// use backpass::{Layer, Pass, Relu};
/// assert_eq!(*Relu.forward(&(), &mut [-1.0, 0.5], &mut (), Pass::training(0)), [0.0, 0.5]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Relu;

impl<X: Tensor> Layer<X> for Relu {
    type Output = X;
    type Params = ();
    type Tape = ();
    const NAME: &'static str = "Relu";

    fn forward<'t>(&self, (): &(), x: &'t mut X, (): &'t mut (), _: Pass) -> &'t mut X {
        kernel::elementwise::relu(x.flat_mut());
        x
    }

    fn output<'t>(x: &'t mut X, (): &'t mut ()) -> &'t mut X {
        x
    }

    fn backward(&self, (): &(), _: &mut X, (): &mut (), _: Option<Gradients<'_, ()>>, _: InputGradient) {}

    fn output_gradient(&self, input: InputGradient) -> InputGradient {
        input.through_gate()
    }

    fn initialization(&self, _: Initialization) -> Initialization {
        Initialization::He { slope: 0.0 }
    }
}

inference_in_place!([X: Tensor] X => Relu);
descend_without_params!([X: Tensor] X => Relu);

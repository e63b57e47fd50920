//! The rectified linear unit with a ceiling.

use crate::descend::descend_without_params;
use crate::gradients::Gradients;
use crate::inference::inference_in_place;
use crate::init::Initialization;
use crate::kernel;
use crate::layer::{InputGradient, Layer, Pass};
use crate::tensor::Tensor;

/// The ceiling.
const CEILING: f32 = 6.0;

/// ReLU6, `y = min(max(x, 0), 6)`, in place on a tensor of any shape; no parameters, no tape.
///
/// `dx = dy` where `0 < y < 6`, else 0. As with [`Relu`](crate::Relu) backward costs nothing: the layer behind leaves the zeros of
/// closed gates standing and writes zeros where `y` has reached 6 ([`InputGradient::WhereBelow`]). NaN passes through. Source: Howard
/// et al., "MobileNets" (2017); PyTorch's `ReLU6`.
///
/// ```
/// use backpass::{Layer, Pass, Relu6};
/// assert_eq!(*Relu6.forward(&(), &mut [-1.0, 0.5, 7.0], &mut (), Pass::training(0)), [0.0, 0.5, 6.0]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Relu6;

impl<X: Tensor> Layer<X> for Relu6 {
    type Output = X;
    type Params = ();
    type Tape = ();
    const NAME: &'static str = "Relu6";

    fn forward<'t>(&self, (): &(), x: &'t mut X, (): &'t mut (), _: Pass) -> &'t mut X {
        kernel::elementwise::clip(x.flat_mut(), CEILING);
        x
    }

    fn output<'t>(x: &'t mut X, (): &'t mut ()) -> &'t mut X {
        x
    }

    fn backward(&self, (): &(), _: &mut X, (): &mut (), _: Option<Gradients<'_, ()>>, _: InputGradient) {}

    fn output_gradient(&self, input: InputGradient) -> InputGradient {
        match input {
            InputGradient::Unused => InputGradient::Unused,
            // Gates before this one that close below the ceiling stay closed.
            InputGradient::WhereBelow(bound) if bound < CEILING => InputGradient::WhereBelow(bound),
            _ => InputGradient::WhereBelow(CEILING),
        }
    }

    fn initialization(&self, _: Initialization) -> Initialization {
        Initialization::He { slope: 0.0 }
    }
}

inference_in_place!([X: Tensor] X => Relu6);
descend_without_params!([X: Tensor] X => Relu6);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dense, Linear};

    #[test]
    fn saturated_and_closed_gates_have_no_gradient_and_the_weights_behind_learn_from_both() {
        let net = (Relu6, Dense::<1>::new());
        let mut params = ((), Linear { weight: [[2.0], [3.0], [5.0], [7.0]], bias: [0.0] });
        let (mut x, mut tape) = ([-1.0, 6.5, 2.0, 6.0], Default::default());
        let y = net.forward(&params, &mut x, &mut tape, Pass::training(0));
        assert_eq!(*y, [3.0 * 6.0 + 5.0 * 2.0 + 7.0 * 6.0]);
        *y = [1.0];
        let values = params;
        net.backward(&values, &mut x, &mut tape, Some((&mut params).into()), InputGradient::Full);
        assert_eq!(x, [0.0, 0.0, 5.0, 0.0]);
        assert_eq!(params.1.weight, [[2.0], [3.0 + 6.0], [5.0 + 2.0], [7.0 + 6.0]]);
    }
}

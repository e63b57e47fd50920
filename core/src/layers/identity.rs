//! Layers that change nothing.

use crate::descend::descend_without_params;
use crate::gradients::Gradients;
use crate::inference::{inference_in_place, inference_in_tape};
use crate::init::Initialization;
use crate::kernel::elementwise;
use crate::layer::{InputGradient, Layer, Pass};
use crate::tensor::Tensor;

/// The identity, `y = x`, on a tensor of any shape: the branch of a [`Concat`](crate::Concat) that passes its input on.
///
/// In place; no parameters, no tape. `dx = dy`.
///
/// ```
/// use backpass::{Identity, Layer, Pass};
/// assert_eq!(*Identity.forward(&(), &mut [-1.0, 0.5], &mut (), Pass::training(0)), [-1.0, 0.5]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Identity;

impl<X: Tensor> Layer<X> for Identity {
    type Output = X;
    type Params = ();
    type Tape = ();
    const NAME: &'static str = "Identity";

    fn forward<'t>(&self, (): &(), x: &'t mut X, (): &'t mut (), _: Pass) -> &'t mut X {
        x
    }

    fn output<'t>(x: &'t mut X, (): &'t mut ()) -> &'t mut X {
        x
    }

    fn backward(&self, (): &(), _: &mut X, (): &mut (), _: Option<Gradients<'_, ()>>, _: InputGradient) {}

    fn output_gradient(&self, input: InputGradient) -> InputGradient {
        input
    }

    fn initialization(&self, after: Initialization) -> Initialization {
        after
    }
}

inference_in_place!([X: Tensor] X => Identity);
descend_without_params!([X: Tensor] X => Identity);

/// The identity with an output of its own, `y = x`: one copy, for a branch of [`Residual`](crate::Residual) whose first layer
/// would change its input or whose last one shares its output's place.
///
/// ```
/// use backpass::{Dense, Keep, Layer, Relu, Residual};
/// // ReLU works in place: before it and behind it a copy is kept.
/// type Block = Residual<(Keep, Relu, Dense<3>, Relu, Keep)>;
/// fn takes<N: Layer<[f32; 3]>>() {}
/// takes::<Block>();
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Keep;

impl<X: Tensor> Layer<X> for Keep {
    type Output = X;
    type Params = ();
    type Tape = X;
    const NAME: &'static str = "Keep";
    const KEEPS_INPUT: bool = true;
    const KEEPS_OUTPUT_GRADIENT: bool = true;

    fn forward<'t>(&self, (): &(), x: &'t mut X, tape: &'t mut X, _: Pass) -> &'t mut X {
        *tape = *x;
        tape
    }

    fn output<'t>(_: &'t mut X, tape: &'t mut X) -> &'t mut X {
        tape
    }

    fn backward(&self, (): &(), x: &mut X, dy: &mut X, _: Option<Gradients<'_, ()>>, want: InputGradient) {
        x.flat_mut().iter_mut().zip(dy.flat()).for_each(|(x, dy)| elementwise::replace(x, *dy, want));
    }

    fn output_gradient(&self, input: InputGradient) -> InputGradient {
        input.if_used(InputGradient::Full)
    }

    fn initialization(&self, after: Initialization) -> Initialization {
        after
    }
}

inference_in_tape!([X: Tensor] X => Keep);
descend_without_params!([X: Tensor] X => Keep);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_leaves_both_its_input_and_its_gradient() {
        let (mut x, mut tape) = ([0.0, 2.0, 3.0], [9.0; 3]);
        assert_eq!(*Keep.forward(&(), &mut x, &mut tape, Pass::training(0)), [0.0, 2.0, 3.0]);
        assert_eq!(x, [0.0, 2.0, 3.0]);
        tape = [1.0, 0.0, 5.0];
        Keep.backward(&(), &mut x, &mut tape, None, InputGradient::WhereActive);
        assert_eq!(x.map(f32::to_bits), [0, (-0.0_f32).to_bits(), 5.0_f32.to_bits()]);
        assert_eq!(tape, [1.0, 0.0, 5.0]);
    }
}

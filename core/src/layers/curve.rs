//! Activations that are a function of one number, whose slope is computed anew from the input.

use crate::kernel::elementwise;
use crate::layer::{InputGradient, Pass};

/// A function of one number and its derivative.
pub(crate) trait Curve {
    /// f(x).
    fn value(&self, x: f32, pass: Pass) -> f32;
    /// f'(x).
    fn slope(&self, x: f32) -> f32;
}

/// y = f(x).
pub(crate) fn forward(curve: &impl Curve, x: &[f32], y: &mut [f32], pass: Pass) {
    x.iter().zip(y).for_each(|(x, y)| *y = curve.value(*x, pass));
}

/// dx = dy f'(x).
pub(crate) fn backward(curve: &impl Curve, x: &mut [f32], dy: &[f32], want: InputGradient) {
    for (x, dy) in x.iter_mut().zip(dy) {
        if *x != 0.0 || !want.is_gated() {
            let slope = curve.slope(*x);
            elementwise::replace(x, dy * slope, want);
        }
    }
}

/// Implements `Layer` and `Inference` for a `Curve`. The input stays, the tape is the output. `$after` is what suits the linear
/// layer before it.
macro_rules! curve {
    ($layer:ident, $after:expr) => {
        impl<X: Tensor> Layer<X> for $layer {
            type Output = X;
            type Params = ();
            type Tape = X;
            const NAME: &'static str = crate::layer::base_name(stringify!($layer));
            const KEEPS_INPUT: bool = true;
            const KEEPS_OUTPUT_GRADIENT: bool = true;

            fn forward<'t>(&self, (): &(), x: &'t mut X, tape: &'t mut X, pass: Pass) -> &'t mut X {
                curve::forward(self, x.flat(), tape.flat_mut(), pass);
                tape
            }

            fn output<'t>(_: &'t mut X, tape: &'t mut X) -> &'t mut X {
                tape
            }

            fn backward(&self, (): &(), x: &mut X, dy: &mut X, _: Option<crate::gradients::Gradients<'_, ()>>, want: InputGradient) {
                curve::backward(self, x.flat_mut(), dy.flat(), want);
            }

            fn output_gradient(&self, input: InputGradient) -> InputGradient {
                input.if_used(InputGradient::Full)
            }

            fn initialization(&self, _: Initialization) -> Initialization {
                #[allow(clippy::redundant_closure_call)]
                ($after)(self)
            }
        }

        inference_in_tape!([X: Tensor] X => $layer);
        crate::descend::descend_without_params!([X: Tensor] X => $layer);
    };
}

pub(crate) use curve;

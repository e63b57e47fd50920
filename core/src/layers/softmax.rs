//! Softmax and its logarithm.

use crate::inference::inference_in_tape;
use crate::kernel;
use crate::layer::{InputGradient, Layer, Pass};
use crate::tensor::Tensor;

/// Softmax over the last axis, `y[j] = e^x[j] / Σ_k e^x[k]`, for each position of a signal or an image by itself.
///
/// `dx[j] = y[j] (dy[j] - Σ_k dy[k] y[k])`. The tape is the output; the input stays, and backward computes `y` from it again. For
/// training a classifier use [`CrossEntropy`](crate::CrossEntropy) on the logits, without this layer. Definition: PyTorch's
/// `Softmax(dim=-1)` on channels last.
///
/// ```
/// use backpass::{Layer, Pass, Softmax};
/// let mut tape = [0.0; 2];
/// assert_eq!(*Softmax.forward(&(), &mut [5.0, 5.0], &mut tape, Pass::training(0)), [0.5, 0.5]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Softmax;

/// The logarithm of softmax over the last axis, `y[j] = x[j] - ln Σ_k e^x[k]`, for each position of a signal or an image by itself.
///
/// `dx[j] = dy[j] - softmax(x)[j] Σ_k dy[k]`. The tape is the output; the input stays. Definition: PyTorch's `LogSoftmax(dim=-1)` on
/// channels last.
///
/// ```
/// use backpass::{Layer, LogSoftmax, Pass};
/// let mut tape = [0.0; 2];
/// let y = *LogSoftmax.forward(&(), &mut [5.0, 5.0], &mut tape, Pass::training(0));
/// assert_eq!(y, [-(2.0_f32.ln()); 2]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LogSoftmax;

/// Implements `Layer` and `Inference`, from a position's forward and backward functions.
macro_rules! over_last_axis {
    ($layer:ident, $forward:path, $backward:path) => {
        impl<X: Tensor> Layer<X> for $layer {
            type Output = X;
            type Params = ();
            type Tape = X;
            const NAME: &'static str = crate::layer::base_name(stringify!($layer));
            const KEEPS_INPUT: bool = true;
            const KEEPS_OUTPUT_GRADIENT: bool = true;

            fn forward<'t>(&self, (): &(), x: &'t mut X, tape: &'t mut X, _: Pass) -> &'t mut X {
                let channels = X::CHANNELS.max(1);
                for (x, y) in x.flat().chunks_exact(channels).zip(tape.flat_mut().chunks_exact_mut(channels)) {
                    $forward(x, y);
                }
                tape
            }

            fn output<'t>(_: &'t mut X, tape: &'t mut X) -> &'t mut X {
                tape
            }

            fn backward(&self, (): &(), x: &mut X, dy: &mut X, _: Option<crate::gradients::Gradients<'_, ()>>, want: InputGradient) {
                let channels = X::CHANNELS.max(1);
                for (x, dy) in x.flat_mut().chunks_exact_mut(channels).zip(dy.flat().chunks_exact(channels)) {
                    $backward(x, dy, want);
                }
            }

            fn output_gradient(&self, input: InputGradient) -> InputGradient {
                input.if_used(InputGradient::Full)
            }
        }

        inference_in_tape!([X: Tensor] X => $layer);
        crate::descend::descend_without_params!([X: Tensor] X => $layer);
    };
}

over_last_axis!(Softmax, kernel::softmax::forward, kernel::softmax::backward);
over_last_axis!(LogSoftmax, kernel::softmax::log_forward, kernel::softmax::log_backward);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_position_is_by_itself_and_huge_logits_do_not_overflow() {
        let (mut x, mut tape) = ([[3e38, -3e38], [0.0, 0.0]], [[0.0; 2]; 2]);
        assert_eq!(*Softmax.forward(&(), &mut x, &mut tape, Pass::training(0)), [[1.0, 0.0], [0.5, 0.5]]);
        tape = [[1.0, 2.0], [1.0, 3.0]];
        Softmax.backward(&(), &mut x, &mut tape, None, InputGradient::Full);
        assert_eq!(x, [[0.0, 0.0], [-0.5, 0.5]]);
    }

    #[test]
    fn closed_gates_stay() {
        for gated in [true, false] {
            let want = if gated { InputGradient::WhereActive } else { InputGradient::Full };
            let (mut x, mut tape) = ([0.0, 1.0, 0.5], [0.0; 3]);
            Softmax.forward(&(), &mut x, &mut tape, Pass::training(0));
            Softmax.backward(&(), &mut x, &mut [1.0, 0.0, 0.0], None, want);
            assert_eq!(x[0] == 0.0, gated);
            assert!(x[1] < 0.0 && x[2] < 0.0);
            let (mut x, mut tape) = ([0.0, 1.0, 0.5], [0.0; 3]);
            LogSoftmax.forward(&(), &mut x, &mut tape, Pass::training(0));
            LogSoftmax.backward(&(), &mut x, &mut [1.0, 0.0, 0.0], None, want);
            assert_eq!(x[0] == 0.0, gated);
        }
    }
}

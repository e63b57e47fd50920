//! Embedding of indices.

use crate::descend::descend_by_gradient;
use crate::gradients::Gradients;
use crate::inference::inference_in_tape;
use crate::init::Initialization;
use crate::kernel;
use crate::layer::{InputGradient, Layer, Pass};
use crate::params::Linear;
use crate::rng::Rng;
use crate::tensor::{Signal, Tensor};

/// A learned vector for each of `V` tokens: indices `[T]` in, a signal `[T][D]` out, `y[t] = weight[x[t]]`. Weight `[V][D]`.
///
/// Indices are whole numbers from 0 to `V - 1`, as `f32`. Anything else gives NaN, so that the learner refuses the sample.
/// `dweight[x[t]] += dy[t]`; an index has no gradient: `dx = 0`. The tape is the output. Definition: PyTorch's `Embedding`.
///
/// ```
/// use backpass::{Embedding, Layer, Linear, Pass, Zero};
/// let params = Linear { weight: [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], bias: [] };
/// let (mut x, mut tape) = ([2.0, 0.0], Zero::ZERO);
/// let y = Embedding::<3, 2>.forward(&params, &mut x, &mut tape, Pass::Predicting);
/// assert_eq!(*y, [[5.0, 6.0], [1.0, 2.0]]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Embedding<const V: usize, const D: usize>;

impl<const T: usize, const V: usize, const D: usize> Layer<[f32; T]> for Embedding<V, D> {
    type Output = Signal<T, D>;
    type Params = Linear<[[f32; D]; V], [f32; 0]>;
    type Tape = Signal<T, D>;
    const NAME: &'static str = "Embedding";
    const KEEPS_INPUT: bool = true;
    const KEEPS_OUTPUT_GRADIENT: bool = true;

    fn forward<'t>(
        &self,
        params: &Self::Params,
        x: &'t mut [f32; T],
        tape: &'t mut Signal<T, D>,
        _: Pass,
    ) -> &'t mut Signal<T, D> {
        // Whole numbers up to 2^24 are exact.
        const { assert!(D > 0 && V <= 1 << 24, "Embedding: it needs at least one dimension, and at most 2^24 tokens") };
        kernel::embedding::forward(x, params.weight.flat(), tape.flat_mut(), D);
        tape
    }

    fn output<'t>(_: &'t mut [f32; T], tape: &'t mut Signal<T, D>) -> &'t mut Signal<T, D> {
        tape
    }

    fn backward(
        &self,
        _: &Self::Params,
        x: &mut [f32; T],
        dy: &mut Signal<T, D>,
        grads: Option<Gradients<'_, Self::Params>>,
        want: InputGradient,
    ) {
        if let Some(grads) = grads {
            grads.add(|grads| kernel::embedding::backward(x, dy.flat(), grads.weight.flat_mut(), D));
        }
        x.iter_mut().for_each(|x| kernel::elementwise::replace(x, 0.0, want));
    }

    fn initialize(&self, params: &mut Self::Params, after: Initialization, rng: &mut Rng) {
        after.fill(params.weight.flat_mut(), V, D, rng);
    }
}

inference_in_tape!([const T: usize, const V: usize, const D: usize] [f32; T] => Embedding<V, D>);
descend_by_gradient!([const T: usize, const V: usize, const D: usize] [f32; T] => Embedding<V, D>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Zero;

    #[test]
    fn an_index_that_is_none_gives_nan_and_no_gradient() {
        let mut params = Linear { weight: [[1.0], [2.0]], bias: [] };
        for bad in [-1.0, 0.5, 2.0, 1e30, f32::NAN, f32::INFINITY] {
            let (mut x, mut tape) = ([bad, 1.0], Zero::ZERO);
            let y = *Embedding::<2, 1>.forward(&params, &mut x, &mut tape, Pass::training(0));
            assert!(y[0][0].is_nan() && y[1][0] == 2.0, "{bad}");
        }
        let (mut x, mut tape) = ([-0.0, 1.0, 1.0, 7.0], [[1.0], [2.0], [4.0], [8.0]]);
        let values = params;
        Embedding::<2, 1>.backward(&values, &mut x, &mut tape, Some((&mut params).into()), InputGradient::Full);
        assert_eq!((params.weight, x), ([[2.0], [8.0]], [0.0; 4]));
    }
}

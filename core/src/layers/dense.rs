//! The fully connected layer.

use core::fmt;
use core::marker::PhantomData;

use crate::inference::inference_in_tape;
use crate::init::Initialization;
use crate::kernel;
use crate::layer::{InputGradient, Layer, Pass};
use crate::params::Linear;
use crate::rng::Rng;
use crate::tensor::{Tensor, Zero};

/// Whether a linear layer has a bias: [`Bias`] or [`NoBias`].
pub trait BiasChoice: fmt::Debug + Copy {
    /// The bias of a layer with so many outputs.
    type Of<const OUTPUTS: usize>: Tensor;
}

/// The layer adds a learned bias (the default).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Bias;

/// The layer has no bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NoBias;

impl BiasChoice for Bias {
    type Of<const OUTPUTS: usize> = [f32; OUTPUTS];
}

impl BiasChoice for NoBias {
    type Of<const OUTPUTS: usize> = [f32; 0];
}

/// A fully connected layer, `y = x W + b`: `[I]` in, `[O]` out, weight `[I][O]`, bias `[O]`.
///
/// The number of inputs follows from the layer before. `Dense<O, NoBias>` leaves the bias out. The tape is the output.
///
/// Gradients: `dW[i][j] = x[i] dy[j]`, `db = dy`, `dx[i] = Σ_j W[i][j] dy[j]`. An input that is zero takes no part in
/// forward or in dW, exactly, so a ReLU before this layer saves about half its work.
///
/// ```
/// use backpass::{CrossEntropy, Dense, Learner, Memory, NoBias, Sgd};
/// let mut memory = Memory::<Dense<2, NoBias>, [f32; 3], Sgd>::new();
/// let mut learner = Learner::new(&mut memory, Dense::new(), CrossEntropy, Sgd::new(0.1));
/// learner.params_mut().weight = [[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]];
/// assert_eq!(*learner.predict(&[1.0, 2.0, 3.0]), [7.0, -1.0]);
/// ```
#[derive(Clone, Copy)]
pub struct Dense<const O: usize, B = Bias>(PhantomData<B>);

impl<const O: usize, B> Dense<O, B> {
    /// The layer; it has no settings beyond its type.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<const O: usize, B> Default for Dense<O, B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const O: usize, B> fmt::Debug for Dense<O, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dense<{O}>")
    }
}

#[cfg(feature = "defmt")]
impl<const O: usize, B> defmt::Format for Dense<O, B> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Dense<{}>", O);
    }
}

impl<const I: usize, const O: usize, B: BiasChoice> Layer<[f32; I]> for Dense<O, B> {
    type Output = [f32; O];
    type Params = Linear<[[f32; O]; I], B::Of<O>>;
    type Tape = [f32; O];
    const KEEPS_INPUT: bool = true;
    const KEEPS_OUTPUT_GRADIENT: bool = true;

    fn forward<'t>(
        &self,
        params: &Self::Params,
        x: &'t mut [f32; I],
        tape: &'t mut Self::Tape,
        _: Pass,
    ) -> &'t mut [f32; O] {
        const { assert!(O > 0, "Dense<O>: a dense layer needs at least one output") };
        kernel::dense::forward(x, params.weight.flat(), params.bias.flat(), tape);
        tape
    }

    fn output<'t>(_: &'t mut [f32; I], tape: &'t mut Self::Tape) -> &'t mut [f32; O] {
        tape
    }

    fn backward(
        &self,
        params: &Self::Params,
        x: &mut [f32; I],
        dy: &mut Self::Tape,
        grads: Option<&mut Self::Params>,
        want: InputGradient,
    ) {
        match grads {
            Some(grads) => {
                let (weight, bias) = (grads.weight.flat_mut(), grads.bias.flat_mut());
                kernel::dense::backward(x, params.weight.flat(), dy, weight, bias, want);
            }
            None => kernel::dense::input_gradient(x, params.weight.flat(), dy, want),
        }
    }

    fn initialize(&self, params: &mut Self::Params, after: Initialization, rng: &mut Rng) {
        after.fill(params.weight.flat_mut(), I, O, rng);
        params.bias = Zero::ZERO;
    }
}

inference_in_tape!([const I: usize, const O: usize, B: BiasChoice] [f32; I] => Dense<O, B>);

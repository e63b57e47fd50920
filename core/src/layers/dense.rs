//! The fully connected layer.

use core::fmt;
use core::marker::PhantomData;

use crate::descend::{Descend, Descent, Later, Place};
use crate::gradients::Accumulation;
use crate::inference::inference_in_tape;
use crate::init::Initialization;
use crate::kernel;
use crate::layer::{InputGradient, Layer, Pass};
use crate::layers::linear::{self, linear_layer};
use crate::layers::{LinearLayer, Projection};
use crate::params::Linear;
use crate::rng::Rng;
use crate::tensor::Tensor;

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

impl<const I: usize, const O: usize, B: BiasChoice> LinearLayer<[f32; I]> for Dense<O, B> {
    type Weight = [[f32; O]; I];
    type Bias = B::Of<O>;
    const FAN_IN: usize = I;
    const FAN_OUT: usize = O;

    fn product(&self, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
        const { assert!(O > 0, "Dense<O>: a dense layer needs at least one output") };
        kernel::dense::forward(x, weight, bias, y);
    }

    fn gradients(
        &self,
        x: &mut [f32],
        weight: &[f32],
        dy: &[f32],
        weight_gradient: &mut [f32],
        bias_gradient: &mut [f32],
        sum: Option<&mut Accumulation>,
        want: InputGradient,
    ) {
        kernel::dense::backward(x, weight, dy, weight_gradient, bias_gradient, sum, want);
    }

    fn input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
        kernel::dense::input_gradient(x, weight, dy, want);
    }

    fn add_to_input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
        kernel::dense::add_input_gradient(x, weight, dy, want);
    }

    fn bias_gradient(dy: &[f32], bias_gradient: &mut [f32]) {
        kernel::conv::bias_backward(O, dy, bias_gradient);
    }
}

linear_layer!([const I: usize, const O: usize, B: BiasChoice] [f32; I] => Dense<O, B> => [f32; O]);

impl<const I: usize, const O: usize, B: BiasChoice> Descend<[f32; I]> for Dense<O, B> {
    /// Each weight is read once on the way back, so it can take its step right after.
    type Shared<P: Place> = ();
    type Next<P: Place> = Later;

    fn descend<P: Place>(
        &self,
        params: &mut Self::Params,
        (): &mut (),
        x: &mut [f32; I],
        dy: &mut [f32; O],
        descent: &mut Descent,
        want: InputGradient,
    ) {
        kernel::dense::descend(x, params.weight.flat_mut(), params.bias.flat_mut(), dy, descent, want);
    }
}

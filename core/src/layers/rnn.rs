//! The simple recurrent layer.

use core::fmt;
use core::marker::PhantomData;

use crate::kernel::rnn::{self, Activation};
use crate::layer::{InputGradient, Pass};
use crate::layers::dense::{Bias, BiasChoice};
use crate::layers::recurrent::{CellGradients, CellTape, CellWeights, Last, Recurrent, RecurrentCell};
use crate::layers::{Relu, Tanh};

/// A simple recurrent layer (Elman's) with `H` hidden units, over a window `[T][C]`: `h' = tanh(b + x W + h U)`.
///
/// `R` is [`Last`] (`[H]` out) or [`Sequence`](crate::Sequence) (`[T][H]`), `B` [`Bias`] or [`NoBias`](crate::NoBias), `A`
/// [`Tanh`] or [`Relu`]. [`Recurrent`] says what is common to all of them. Parameters:
///
/// | | shape | PyTorch |
/// |---|---|---|
/// | `weight_ih`, W | `[C][H]` | `weight_ih_l0`, transposed |
/// | `weight_hh`, U | `[H][H]` | `weight_hh_l0`, transposed |
/// | `bias`, b | `[H]` | `bias_ih_l0 + bias_hh_l0` |
///
/// Tape: `4 H (T + Y)` bytes, where `Y` is 1 for `Last` and `T` for `Sequence`. Definition: PyTorch's `RNN`; Elman, "Finding
/// structure in time" (1990). What must be remembered over many steps is learned better by a [`Gru`](crate::Gru): Bengio et al.,
/// "Learning long-term dependencies with gradient descent is difficult" (1994).
///
/// ```
/// use backpass::{CrossEntropy, Dense, Learner, Memory, Rnn, Sgd, Signal};
/// type Net = (Rnn<8>, Dense<2>);
/// type Ram = Memory<Net, Signal<20, 3>, Sgd>;
/// assert_eq!(Ram::PARAMETERS, 4 * (3 * 8 + 8 * 8 + 8 + 8 * 2 + 2));
/// assert_eq!(Ram::ACTIVATIONS, 4 * (20 * 3 + 8 * (20 + 1) + 2));
/// let mut memory = Ram::new();
/// let mut learner = Learner::new(&mut memory, Net::default(), CrossEntropy, Sgd::new(0.1));
/// learner.initialize(1);
/// assert!(learner.train(&[[0.5, -1.0, 0.25]; 20], &1).is_ok());
/// ```
pub type Rnn<const H: usize, R = Last, B = Bias, A = Tanh> = Recurrent<RnnCell<H, B, A>, R>;

/// What a simple recurrent layer puts its sum through: [`Tanh`] or [`Relu`].
///
/// ```
/// use backpass::{Bias, Last, Layer, Pass, Relu, Rnn, Tensor, Zero};
/// // Weights of zero, so that the bias is all: ReLU leaves it, tanh would not.
/// let layer = Rnn::<1, Last, Bias, Relu>::new();
/// let params = backpass::RecurrentParams { bias: [3.0], ..Zero::ZERO };
/// let y = *layer.forward(&params, &mut [[1.0, 2.0]; 5], &mut Zero::ZERO, Pass::Predicting);
/// assert_eq!(y, [3.0]);
/// ```
pub trait RnnActivation: fmt::Debug + Copy {
    /// Whether it is ReLU.
    const IS_RELU: bool;
}

impl RnnActivation for Tanh {
    const IS_RELU: bool = false;
}

impl RnnActivation for Relu {
    const IS_RELU: bool = true;
}

/// The cell of an [`Rnn`].
#[derive(Debug, Clone, Copy)]
pub struct RnnCell<const H: usize, B = Bias, A = Tanh>(PhantomData<(B, A)>);

const fn activation<A: RnnActivation>() -> Activation {
    if A::IS_RELU { Activation::Relu } else { Activation::Tanh }
}

impl<const H: usize, B: BiasChoice, A: RnnActivation> RecurrentCell for RnnCell<H, B, A> {
    const NAME: &'static str = "Rnn";
    type Hidden = [f32; H];
    type Weights = [f32; H];
    type Recurrence = [[f32; H]; H];
    type Bias = B::Of<H>;
    type Gates = [f32; 0];
    type Carry = [f32; 0];

    fn forward(weights: &CellWeights<'_>, x: &[f32], tape: CellTape<'_>, pass: Pass) {
        rnn::forward(activation::<A>(), weights, x, tape, pass);
    }

    fn backward(
        weights: &CellWeights<'_>,
        x: &mut [f32],
        tape: CellTape<'_>,
        gradients: Option<CellGradients<'_>>,
        want: InputGradient,
    ) {
        rnn::backward(activation::<A>(), weights, x, tape, gradients, want);
    }
}

//! The gated recurrent unit.

use core::fmt;
use core::marker::PhantomData;

use crate::kernel::gru;
use crate::layer::{InputGradient, Pass};
use crate::layers::dense::{Bias, BiasChoice};
use crate::layers::recurrent::{CellGradients, CellTape, CellWeights, Last, Recurrent, RecurrentCell};
use crate::tensor::Tensor;

/// A gated recurrent unit with `H` hidden units, over a window `[T][C]`.
///
/// ```text
/// r = σ(b_r + x W_r + h U_r)                     reset gate
/// z = σ(b_z + x W_z + h U_z)                     update gate
/// n = tanh(b_n + x W_n + r (b_q + h U_n))        candidate
/// h' = (1 - z) n + z h
/// ```
///
/// `R` is [`Last`] (`[H]` out) or [`Sequence`](crate::Sequence) (`[T][H]`), `B` [`Bias`] or [`NoBias`](crate::NoBias), `F`
/// [`ResetAfter`] (above: PyTorch, cuDNN, Keras's `reset_after`, ONNX's `linear_before_reset` of 1) or [`ResetBefore`] (the
/// paper's, and ONNX's default: `n = tanh(b_n + x W_n + (r h) U_n)`; a quarter less to keep). [`Recurrent`] says what is
/// common to all of them. Parameters:
///
/// | | shape | PyTorch |
/// |---|---|---|
/// | `weight_ih`, W | `[C][3][H]`: r, z, n | `weight_ih_l0`, transposed |
/// | `weight_hh`, U | `[H][3][H]`: r, z, n | `weight_hh_l0`, transposed |
/// | `bias`, reset after | `[4][H]`: r, z, n, q | of `bias_ih_l0 + bias_hh_l0` the first `2 H` values; the last `H` of `bias_ih_l0`; the last `H` of `bias_hh_l0` |
/// | `bias`, reset before | `[3][H]`: r, z, n | none; ONNX: the sum of its two, in the order z, r, n |
///
/// The update gate's bias starts at 1, so that a unit remembers before it has learned to, as an LSTM's forget gate does.
///
/// Tape: `4 H (5 T + Y)` bytes, with reset before `4 H (4 T + Y)`, where `Y` is 1 for `Last` and `T` for `Sequence`. Definition:
/// PyTorch's `GRU`; Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014).
///
/// ```
/// use backpass::{Adam, CrossEntropy, Dense, Gru, Learner, Memory, Sequence, Signal};
/// type Net = (Gru<12, Sequence>, Gru<6>, Dense<3>);
/// type Ram = Memory<Net, Signal<16, 2>, Adam>;
/// assert_eq!(Ram::ACTIVATIONS, 4 * (16 * 2 + 12 * (5 * 16 + 16) + 6 * (5 * 16 + 1) + 3));
/// let mut memory = Ram::new();
/// let mut learner = Learner::new(&mut memory, Net::default(), CrossEntropy, Adam::new(0.01));
/// learner.initialize(1);
/// assert!(learner.train(&[[0.5, -1.0]; 16], &2).is_ok());
/// ```
pub type Gru<const H: usize, R = Last, B = Bias, F = ResetAfter> = Recurrent<GruCell<H, B, F>, R>;

/// Where a GRU's reset gate acts: [`ResetAfter`] or [`ResetBefore`] the product with its weight.
pub trait ResetForm: fmt::Debug + Copy {
    /// As many rows as there are biases, and values kept of the gates.
    type Rows<Row: Tensor>: Tensor;
    /// Whether it acts on the product.
    const IS_AFTER: bool;
}

/// The reset gate acts on the product `b_q + h U_n` (the default).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ResetAfter;

/// The reset gate acts on the hidden state, before the product.
///
/// ```
/// use backpass::{Bias, Gru, Last, Layer, ResetBefore, Signal};
/// // One row of biases and one of what is kept less.
/// type After = <Gru<8> as Layer<Signal<10, 1>>>::Tape;
/// type Before = <Gru<8, Last, Bias, ResetBefore> as Layer<Signal<10, 1>>>::Tape;
/// assert_eq!(size_of::<After>() - size_of::<Before>(), 4 * 10 * 8);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ResetBefore;

impl ResetForm for ResetAfter {
    type Rows<Row: Tensor> = [Row; 4];
    const IS_AFTER: bool = true;
}

impl ResetForm for ResetBefore {
    type Rows<Row: Tensor> = [Row; 3];
    const IS_AFTER: bool = false;
}

/// The cell of a [`Gru`].
#[derive(Debug, Clone, Copy)]
pub struct GruCell<const H: usize, B = Bias, F = ResetAfter>(PhantomData<(B, F)>);

impl<const H: usize, B: BiasChoice, F: ResetForm> RecurrentCell for GruCell<H, B, F> {
    const NAME: &'static str = "Gru";
    const REMEMBERS: Option<usize> = Some(1);
    type Hidden = [f32; H];
    type Weights = [[f32; H]; 3];
    type Recurrence = [[[f32; H]; 3]; H];
    type Bias = F::Rows<B::Of<H>>;
    type Gates = F::Rows<[f32; H]>;
    type Carry = [f32; 0];

    fn forward(weights: &CellWeights<'_>, x: &[f32], tape: CellTape<'_>, pass: Pass) {
        gru::forward(F::IS_AFTER, weights, x, tape, pass);
    }

    fn backward(
        weights: &CellWeights<'_>,
        x: &mut [f32],
        tape: CellTape<'_>,
        gradients: Option<CellGradients<'_>>,
        want: InputGradient,
    ) {
        gru::backward(F::IS_AFTER, weights, x, tape, gradients, want);
    }
}

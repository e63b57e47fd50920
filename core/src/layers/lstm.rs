//! Long short-term memory.

use core::marker::PhantomData;

use crate::kernel::lstm;
use crate::layer::{InputGradient, Pass};
use crate::layers::dense::{Bias, BiasChoice};
use crate::layers::recurrent::{CellGradients, CellTape, CellWeights, Last, Recurrent, RecurrentCell};

/// Long short-term memory with `H` hidden units and as many cells, over a window `[T][C]`.
///
/// ```text
/// i = σ(b_i + x W_i + h U_i)        input gate
/// f = σ(b_f + x W_f + h U_f)        forget gate
/// g = tanh(b_g + x W_g + h U_g)     candidate
/// o = σ(b_o + x W_o + h U_o)        output gate
/// c' = f c + i g
/// h' = o tanh c'
/// ```
///
/// `R` is [`Last`] (`[H]` out) or [`Sequence`](crate::Sequence) (`[T][H]`), `B` [`Bias`] or [`NoBias`](crate::NoBias).
/// [`Recurrent`] says what is common to all of them. Parameters:
///
/// | | shape | PyTorch |
/// |---|---|---|
/// | `weight_ih`, W | `[C][4][H]`: i, f, g, o | `weight_ih_l0`, transposed |
/// | `weight_hh`, U | `[H][4][H]`: i, f, g, o | `weight_hh_l0`, transposed |
/// | `bias`, b | `[4][H]`: i, f, g, o | `bias_ih_l0 + bias_hh_l0` |
///
/// ONNX has the order i, o, f, g. The forget gate's bias starts at 1, so that a cell remembers before it has learned to
/// (Jozefowicz et al., "An empirical exploration of recurrent network architectures", 2015).
///
/// Tape: `4 H (5 T + 1 + Y)` bytes, where `Y` is 1 for `Last` and `T` for `Sequence`. The hidden states are not kept:
/// backward has them from gates and cells. Definition: PyTorch's `LSTM`; Gers et al., "Learning to forget" (2000).
///
/// ```
/// use backpass::{Adam, Dense, Learner, Lstm, MeanSquaredError, Memory, Signal};
/// type Net = (Lstm<10>, Dense<1>);
/// type Ram = Memory<Net, Signal<24, 1>, Adam>;
/// assert_eq!(Ram::ACTIVATIONS, 4 * (24 + 10 * (5 * 24 + 2) + 1));
/// let mut memory = Ram::new();
/// let mut learner = Learner::new(&mut memory, Net::default(), MeanSquaredError, Adam::new(0.01));
/// learner.initialize(1);
/// assert_eq!(learner.params().0.bias[1], [1.0; 10]);
/// assert!(learner.train(&[[0.5]; 24], &[2.0]).is_ok());
/// ```
pub type Lstm<const H: usize, R = Last, B = Bias> = Recurrent<LstmCell<H, B>, R>;

/// The cell of an [`Lstm`].
#[derive(Debug, Clone, Copy)]
pub struct LstmCell<const H: usize, B = Bias>(PhantomData<B>);

impl<const H: usize, B: BiasChoice> RecurrentCell for LstmCell<H, B> {
    const NAME: &'static str = "Lstm";
    const REMEMBERS: Option<usize> = Some(1);
    type Hidden = [f32; H];
    type Weights = [[f32; H]; 4];
    type Recurrence = [[[f32; H]; 4]; H];
    type Bias = [B::Of<H>; 4];
    type Gates = [[f32; H]; 4];
    type Carry = [f32; H];

    fn forward(weights: &CellWeights<'_>, x: &[f32], tape: CellTape<'_>, pass: Pass) {
        lstm::forward(weights, x, tape, pass);
    }

    fn backward(
        weights: &CellWeights<'_>,
        x: &mut [f32],
        tape: CellTape<'_>,
        gradients: Option<CellGradients<'_>>,
        want: InputGradient,
    ) {
        lstm::backward(weights, x, tape, gradients, want);
    }
}

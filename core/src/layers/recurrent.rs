//! What recurrent layers have in common: a cell that goes over a window step by step, and what is given on.

use core::fmt;
use core::marker::PhantomData;

use crate::inference::{Inference, max};
use crate::init::Initialization;
use crate::layer::{InputGradient, Layer, Pass};
use crate::math;
use crate::message::Message;
use crate::params::{Name, Params};
use crate::rng::Rng;
use crate::tensor::{Signal, Tensor, Zero};

pub use crate::kernel::recurrent::{CellGradients, CellTape, CellWeights};

/// What a recurrent layer gives on: [`Last`] or [`Sequence`].
pub trait Returned: fmt::Debug + Copy {
    /// The output, for `T` steps with a hidden state of type `H` each.
    type Of<H: Tensor, const T: usize>: Tensor;
}

/// The recurrent layer gives the hidden state after the last step, `[H]` (the default).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Last;

/// The recurrent layer gives the hidden state after every step, `[T][H]`: for another recurrent layer, say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sequence;

impl Returned for Last {
    type Of<H: Tensor, const T: usize> = H;
}

impl Returned for Sequence {
    type Of<H: Tensor, const T: usize> = [H; T];
}

/// The arithmetic of a recurrent layer with `H` hidden units and `G` gates: [`RnnCell`](crate::RnnCell),
/// [`GruCell`](crate::GruCell), [`LstmCell`](crate::LstmCell).
///
/// On slices, so that all shapes share it; the types say how long they are.
pub trait RecurrentCell: fmt::Debug + Copy {
    /// The layer's name, for messages.
    const NAME: &'static str;
    /// The hidden state, `[f32; H]`.
    type Hidden: Tensor;
    /// The weights of one input, or of one hidden unit: `[[f32; H]; G]`.
    type Weights: Tensor;
    /// The weights of the hidden state, `[H][G][H]`.
    type Recurrence: Tensor;
    /// The bias.
    type Bias: Tensor;
    /// What is kept of a step's gates.
    type Gates: Tensor;
    /// A second state beside the one that is kept for each step.
    type Carry: Tensor;

    /// Goes over all steps of `x`, `[T][C]`, from the state that the tape holds if the pass is
    /// [`Continuing`](Pass::Continuing), else from zero.
    fn forward(weights: &CellWeights<'_>, x: &[f32], tape: CellTape<'_>, pass: Pass);

    /// Back-propagation through time. Adds to the gradients, if there are any, and leaves dL/dx in `x` as far as `want` asks.
    fn backward(
        weights: &CellWeights<'_>,
        x: &mut [f32],
        tape: CellTape<'_>,
        gradients: Option<CellGradients<'_>>,
        want: InputGradient,
    );

    /// The bias for the start of training.
    fn initialize_bias(bias: &mut [f32]) {
        bias.fill(0.0);
    }
}

/// The parameters of a recurrent layer: two weights and a bias, named as PyTorch's.
///
/// Input-major, so PyTorch's weights transposed; gates in PyTorch's order. PyTorch has two biases that mostly add up: `bias`
/// is their sum; see each layer. Without a bias, `B` has no elements and no slice of that name is visited.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RecurrentParams<I, U, B> {
    /// From the input, `[C][G][H]`: PyTorch's `weight_ih_l0`, transposed.
    pub weight_ih: I,
    /// From the hidden state, `[H][G][H]`: PyTorch's `weight_hh_l0`, transposed.
    pub weight_hh: U,
    /// One value a gate and unit, `[G][H]`; one row more for some.
    pub bias: B,
}

impl<I: Tensor, U: Tensor, B: Tensor> Zero for RecurrentParams<I, U, B> {
    const ZERO: Self = Self { weight_ih: I::ZERO, weight_hh: U::ZERO, bias: B::ZERO };
}

impl<I: Tensor, U: Tensor, B: Tensor> Params for RecurrentParams<I, U, B> {
    const COUNT: usize = I::LEN + U::LEN + B::LEN;

    fn visit(&self, parent: Option<&Name<'_>>, visitor: &mut dyn FnMut(Name<'_>, &[f32])) {
        visitor(Name::leaf(parent, "weight_ih"), self.weight_ih.flat());
        visitor(Name::leaf(parent, "weight_hh"), self.weight_hh.flat());
        if B::LEN > 0 {
            visitor(Name::leaf(parent, "bias"), self.bias.flat());
        }
    }

    fn visit_mut<const SETS: usize>(
        mut sets: [&mut Self; SETS],
        parent: Option<&Name<'_>>,
        visitor: &mut dyn FnMut(Name<'_>, [&mut [f32]; SETS]),
    ) {
        visitor(Name::leaf(parent, "weight_ih"), sets.each_mut().map(|set| set.weight_ih.flat_mut()));
        visitor(Name::leaf(parent, "weight_hh"), sets.each_mut().map(|set| set.weight_hh.flat_mut()));
        if B::LEN > 0 {
            visitor(Name::leaf(parent, "bias"), sets.each_mut().map(|set| set.bias.flat_mut()));
        }
    }
}

/// A recurrent layer with a cell of type `K`: see [`Rnn`](crate::Rnn), [`Gru`](crate::Gru), [`Lstm`](crate::Lstm), which are
/// this type.
///
/// Takes a window `Signal<T, C>`, `[time][channel]`, of any length and gives, for `R` = [`Last`], the hidden state after its
/// last step, `[H]`, or for [`Sequence`] that after every step, `[T][H]`. Parameters do not depend on `T`: what was trained on
/// windows predicts windows of any length, or step by step ([`Streaming`](crate::Streaming)).
///
/// Training is full back-propagation through time over the window, from a state of zero. An input or a hidden unit that is
/// zero takes no part in forward or in dW, exactly.
pub struct Recurrent<K, R = Last>(PhantomData<(K, R)>);

impl<K, R> Recurrent<K, R> {
    /// The layer; it has no settings beyond its type.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<K, R> Default for Recurrent<K, R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, R> Clone for Recurrent<K, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, R> Copy for Recurrent<K, R> {}

impl<K: RecurrentCell, R> fmt::Debug for Recurrent<K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}<{}>", K::NAME, K::Hidden::LEN)
    }
}

#[cfg(feature = "defmt")]
impl<K: RecurrentCell, R> defmt::Format for Recurrent<K, R> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}<{}>", K::NAME, K::Hidden::LEN);
    }
}

/// What a recurrent layer keeps: gates and one state for each step, the second state of a cell that has two, and the output.
#[derive(Debug, Clone, Copy)]
pub struct RecurrentTape<G, H, S, Y> {
    gates: G,
    states: H,
    carry: S,
    output: Y,
}

impl<G: Zero, H: Zero, S: Zero, Y: Zero> Zero for RecurrentTape<G, H, S, Y> {
    const ZERO: Self = Self { gates: G::ZERO, states: H::ZERO, carry: S::ZERO, output: Y::ZERO };
}

impl<G: Tensor, H: Tensor, S: Tensor, Y: Tensor, const T: usize> RecurrentTape<[G; T], [H; T], S, Y> {
    fn slices(&mut self) -> CellTape<'_> {
        CellTape {
            steps: T,
            hidden: H::LEN,
            gates: self.gates.flat_mut(),
            states: self.states.flat_mut(),
            carry: self.carry.flat_mut(),
            output: self.output.flat_mut(),
        }
    }
}

impl<I: Tensor, U: Tensor, B: Tensor> RecurrentParams<I, U, B> {
    fn slices(&self) -> CellWeights<'_> {
        CellWeights { weight_ih: self.weight_ih.flat(), weight_hh: self.weight_hh.flat(), bias: self.bias.flat() }
    }
}

/// Refuses a layer without units and a window without steps.
const fn check<K: RecurrentCell, const T: usize>() {
    let message = Message::new(K::NAME).text("<H>: a recurrent layer needs at least one hidden unit");
    assert!(K::Hidden::LEN > 0, "{}", message.as_str());
    let message = Message::new(K::NAME).text(": the window needs at least one time step");
    assert!(T > 0, "{}", message.as_str());
}

impl<const T: usize, const C: usize, K: RecurrentCell, R: Returned> Layer<Signal<T, C>> for Recurrent<K, R> {
    type Output = R::Of<K::Hidden, T>;
    type Params = RecurrentParams<[K::Weights; C], K::Recurrence, K::Bias>;
    type Tape = RecurrentTape<[K::Gates; T], [K::Hidden; T], K::Carry, R::Of<K::Hidden, T>>;
    const KEEPS_INPUT: bool = true;
    const KEEPS_OUTPUT_GRADIENT: bool = true;

    fn forward<'t>(
        &self,
        params: &Self::Params,
        x: &'t mut Signal<T, C>,
        tape: &'t mut Self::Tape,
        pass: Pass,
    ) -> &'t mut Self::Output {
        const { check::<K, T>() };
        K::forward(&params.slices(), x.flat(), tape.slices(), pass);
        &mut tape.output
    }

    fn output<'t>(_: &'t mut Signal<T, C>, tape: &'t mut Self::Tape) -> &'t mut Self::Output {
        &mut tape.output
    }

    fn backward(
        &self,
        params: &Self::Params,
        x: &mut Signal<T, C>,
        tape: &mut Self::Tape,
        grads: Option<&mut Self::Params>,
        want: InputGradient,
    ) {
        let gradients = grads.map(|grads| CellGradients {
            weight_ih: grads.weight_ih.flat_mut(),
            weight_hh: grads.weight_hh.flat_mut(),
            bias: grads.bias.flat_mut(),
        });
        K::backward(&params.slices(), x.flat_mut(), tape.slices(), gradients, want);
    }

    /// `weight_ih` as Glorot has it for each gate; `weight_hh` uniform in ±1/√H, as PyTorch has it; the bias zero, but the
    /// forget gate's of an LSTM 1.
    fn initialize(&self, params: &mut Self::Params, _: Initialization, rng: &mut Rng) {
        Initialization::Glorot.fill(params.weight_ih.flat_mut(), C, K::Hidden::LEN, rng);
        let bound = 1.0 / math::sqrt(K::Hidden::LEN as f32);
        params.weight_hh.flat_mut().iter_mut().for_each(|weight| *weight = rng.symmetric(bound));
        K::initialize_bias(params.bias.flat_mut());
    }
}

impl<const T: usize, const C: usize, K: RecurrentCell, R: Returned> Inference<Signal<T, C>> for Recurrent<K, R> {
    /// The output, and the tape of a single step.
    const BUFFER: usize =
        max(T * C, <Self as Layer<Signal<T, C>>>::Output::LEN + K::Gates::LEN + K::Hidden::LEN + K::Carry::LEN);
    const SWAPS: bool = true;
    const HAS_STATE: bool = true;

    fn infer(&self, params: &Self::Params, here: &mut [f32], there: &mut [f32]) {
        const { check::<K, T>() };
        let hidden = K::Hidden::LEN;
        let (outputs, work) = there.split_at_mut_checked(R::Of::<K::Hidden, T>::LEN).unwrap_or_default();
        let (gates, work) = work.split_at_mut_checked(K::Gates::LEN).unwrap_or_default();
        let (states, work) = work.split_at_mut_checked(hidden).unwrap_or_default();
        let (carry, _) = work.split_at_mut_checked(K::Carry::LEN).unwrap_or_default();
        let last = outputs.len().saturating_sub(hidden);
        // One window of a single step after another; the buffer may be longer than the input.
        let mut pass = Pass::Predicting;
        for (t, x) in Signal::<T, C>::unflatten(here).iter().take(1).flatten().enumerate() {
            let output = outputs.get_mut((t * hidden).min(last)..).and_then(|rows| rows.get_mut(..hidden));
            let tape = CellTape {
                steps: 1,
                hidden,
                gates: &mut *gates,
                states: &mut *states,
                carry: &mut *carry,
                output: output.unwrap_or_default(),
            };
            K::forward(&params.slices(), x, tape, pass);
            pass = Pass::Continuing;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Gru, Lstm, Rnn};

    /// A window much smaller than the buffers, and one that fills them.
    fn check<X: Tensor, N: Inference<X> + Default>() {
        let (layer, mut params) = (N::default(), N::Params::ZERO);
        layer.initialize(&mut params, Initialization::Glorot, &mut Rng::new(2));
        let (mut x, mut tape) = (X::ZERO, N::Tape::ZERO);
        x.flat_mut().iter_mut().zip(1_u8..).for_each(|(x, n)| *x = 1.0 / f32::from(n));
        let (mut here, mut there) = (std::vec![9.0; N::BUFFER], std::vec![9.0; N::BUFFER]);
        here[..X::LEN].copy_from_slice(x.flat());
        layer.infer(&params, &mut here, &mut there);
        let y = layer.forward(&params, &mut x, &mut tape, Pass::Predicting).flat();
        assert_eq!(&there[..y.len()], y);
    }

    #[test]
    fn two_buffers_predict_the_same_however_long_they_are() {
        check::<Signal<1, 2>, Rnn<6>>();
        check::<Signal<1, 2>, Gru<6, Sequence>>();
        check::<Signal<2, 1>, Gru<6>>();
        check::<Signal<2, 1>, Lstm<6, Sequence>>();
        check::<Signal<40, 3>, Lstm<2>>();
    }
}

//! Branches side by side.

use core::fmt;
use core::marker::PhantomData;

use crate::descend::{Descend, Descent, Place};
use crate::gradients::Gradients;
use crate::inference::{Inference, max};
use crate::init::Initialization;
use crate::kernel::elementwise;
use crate::layer::{InputGradient, Layer, Pass, open_gate};
use crate::message::Message;
use crate::rng::Rng;
use crate::tensor::{Tensor, Zero};

/// Two branches over the same input, their outputs one after the other along the last axis: `y = [A(x), B(x)]`.
///
/// `Y` is the output: vectors `[f32; A + B]`, or signals or images of as many positions as both outputs have, with the
/// channels of both. `dL/dx` is the sum of the branches'. For three branches and more, nest it. Parameters: those of `A` are
/// named `0`, those of `B` `1`. Definition: `torch.cat` along the channels, as in Szegedy et al., "Going deeper with
/// convolutions" (2015); with [`Identity`](crate::Identity) as a branch, the dense block of Huang et al. (2017).
///
/// The tape holds what the branches keep, the output, and a second copy of the input: each branch leaves its gradient in its
/// own.
///
/// ```
/// use backpass::{Concat, Dense, Identity, Layer, Pass, Zero};
/// let both = Concat::<[f32; 5], Identity, Dense<2>>::default();
/// let (mut x, mut tape) = ([1.0, 2.0, 3.0], Zero::ZERO);
/// let y = both.forward(&Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
/// assert_eq!(*y, [1.0, 2.0, 3.0, 0.0, 0.0]);
/// ```
pub struct Concat<Y, A, B> {
    /// The first branch.
    pub first: A,
    /// The second branch.
    pub second: B,
    output: PhantomData<Y>,
}

impl<Y, A, B> Concat<Y, A, B> {
    /// The two branches.
    pub const fn new(first: A, second: B) -> Self {
        Self { first, second, output: PhantomData }
    }
}

impl<Y, A: Default, B: Default> Default for Concat<Y, A, B> {
    fn default() -> Self {
        Self::new(A::default(), B::default())
    }
}

impl<Y, A: Clone, B: Clone> Clone for Concat<Y, A, B> {
    fn clone(&self) -> Self {
        Self::new(self.first.clone(), self.second.clone())
    }
}

impl<Y, A: Copy, B: Copy> Copy for Concat<Y, A, B> {}

impl<Y, A: fmt::Debug, B: fmt::Debug> fmt::Debug for Concat<Y, A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Concat").field(&self.first).field(&self.second).finish()
    }
}

#[cfg(feature = "defmt")]
impl<Y, A: defmt::Format, B: defmt::Format> defmt::Format for Concat<Y, A, B> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Concat({}, {})", self.first, self.second);
    }
}

/// What [`Concat`] keeps for its backward pass: the branches' own, the second branch's input, and the output.
#[derive(Debug, Clone, Copy)]
pub struct ConcatTape<X, Y, A, B> {
    first: A,
    second: B,
    input: X,
    output: Y,
}

impl<X: Zero, Y: Zero, A: Zero, B: Zero> Zero for ConcatTape<X, Y, A, B> {
    const ZERO: Self = Self { first: A::ZERO, second: B::ZERO, input: X::ZERO, output: Y::ZERO };
}

/// Refuses an output that is not the two branches side by side.
const fn check<Y: Tensor, A: Tensor, B: Tensor>() {
    let positions = Y::LEN / max(Y::CHANNELS, 1);
    let fits = A::CHANNELS + B::CHANNELS == Y::CHANNELS
        && A::LEN == positions * A::CHANNELS
        && B::LEN == positions * B::CHANNELS;
    let message = Message::new("Concat: the branches give ")
        .number(A::LEN)
        .text(" values in ")
        .number(A::CHANNELS)
        .text(" channels and ")
        .number(B::LEN)
        .text(" in ")
        .number(B::CHANNELS)
        .text(", but the output is declared to have ")
        .number(Y::LEN)
        .text(" in ")
        .number(Y::CHANNELS);
    assert!(fits, "{}", message.as_str());
}

/// Each position of the output, split into the channels of the first branch and those of the second.
fn split<Y: Tensor, A: Tensor>(y: &mut [f32]) -> impl Iterator<Item = (&mut [f32], &mut [f32])> {
    y.chunks_exact_mut(Y::CHANNELS.max(1)).filter_map(|position| position.split_at_mut_checked(A::CHANNELS))
}

/// Copies the output of the first branch, or of the second, into its channels of `y`.
fn join<Y: Tensor, A: Tensor, B: Tensor>(y: &mut [f32], first: &[f32], second: &[f32]) {
    let outputs = first.chunks_exact(A::CHANNELS.max(1)).zip(second.chunks_exact(B::CHANNELS.max(1)));
    for ((a, b), (first, second)) in split::<Y, A>(y).zip(outputs) {
        elementwise::copy(first, a);
        elementwise::copy(second, b);
    }
}

/// Overwrites a branch's output by its gradient, as far as the branch reads it.
fn hand_over(output: &mut [f32], dy: &[f32], want: InputGradient) {
    output.iter_mut().zip(dy).for_each(|(y, dy)| elementwise::replace(y, *dy, want));
}

/// Adds the second branch's dL/dx to the first's.
fn add(x: &mut [f32], more: &[f32], want: InputGradient) {
    if want == InputGradient::Unused {
        return;
    }
    for (dx, more) in x.iter_mut().zip(more) {
        // Both branches left a closed gate at +0.0.
        let closed = dx.to_bits() == 0 && more.to_bits() == 0;
        *dx = if closed { 0.0 } else { open_gate(*dx + more) };
    }
}

impl<Y: Tensor, A, B> Concat<Y, A, B> {
    /// Overwrites both branches' outputs by their gradients.
    fn hand_on<X>(&self, x: &mut X, tape: &mut ConcatTape<X, Y, A::Tape, B::Tape>, want: InputGradient)
    where
        A: Layer<X, Output: Tensor>,
        B: Layer<X, Output: Tensor>,
    {
        let first = A::output(x, &mut tape.first).flat_mut().chunks_exact_mut(A::Output::CHANNELS.max(1));
        let second = B::output(&mut tape.input, &mut tape.second);
        let second = second.flat_mut().chunks_exact_mut(B::Output::CHANNELS.max(1));
        for ((a, b), (first, second)) in split::<Y, A::Output>(tape.output.flat_mut()).zip(first.zip(second)) {
            hand_over(first, a, self.first.output_gradient(want));
            hand_over(second, b, self.second.output_gradient(want));
        }
    }
}

impl<X, Y, A, B> Layer<X> for Concat<Y, A, B>
where
    X: Tensor,
    Y: Tensor,
    A: Layer<X, Output: Tensor>,
    B: Layer<X, Output: Tensor>,
{
    type Output = Y;
    type Params = (A::Params, B::Params);
    type Tape = ConcatTape<X, Y, A::Tape, B::Tape>;
    const NAME: &'static str = "Concat";
    const KEEPS_OUTPUT_GRADIENT: bool = true;
    const ONLY_FIRST: bool = A::ONLY_FIRST || B::ONLY_FIRST;
    const FORGETS_STATE: bool = A::FORGETS_STATE || B::FORGETS_STATE;

    fn names(visitor: &mut dyn FnMut(&'static str)) {
        visitor(Self::NAME);
        A::names(visitor);
        B::names(visitor);
    }

    fn forward<'t>(&self, params: &Self::Params, x: &'t mut X, tape: &'t mut Self::Tape, pass: Pass) -> &'t mut Y {
        const { check::<Y, A::Output, B::Output>() };
        tape.input = *x;
        let first = self.first.forward(&params.0, x, &mut tape.first, pass.stage(0));
        let second = self.second.forward(&params.1, &mut tape.input, &mut tape.second, pass.stage(1));
        join::<Y, A::Output, B::Output>(tape.output.flat_mut(), first.flat(), second.flat());
        &mut tape.output
    }

    fn output<'t>(_: &'t mut X, tape: &'t mut Self::Tape) -> &'t mut Y {
        &mut tape.output
    }

    fn backward(
        &self,
        params: &Self::Params,
        x: &mut X,
        tape: &mut Self::Tape,
        mut grads: Option<Gradients<'_, Self::Params>>,
        want: InputGradient,
    ) {
        self.hand_on(x, tape, want);
        self.first.backward(
            &params.0,
            x,
            &mut tape.first,
            grads.as_mut().map(|grads| grads.part(|(first, _)| first)),
            want,
        );
        self.second.backward(
            &params.1,
            &mut tape.input,
            &mut tape.second,
            grads.as_mut().map(|grads| grads.part(|(_, second)| second)),
            want,
        );
        add(x.flat_mut(), tape.input.flat(), want);
    }

    fn initialization(&self, after: Initialization) -> Initialization {
        self.first.initialization(self.second.initialization(after))
    }

    fn initialize(&self, params: &mut Self::Params, after: Initialization, rng: &mut Rng) {
        self.first.initialize(&mut params.0, after, rng);
        self.second.initialize(&mut params.1, after, rng);
    }
}

impl<X, Y, A, B> Descend<X> for Concat<Y, A, B>
where
    X: Tensor,
    Y: Tensor,
    A: Descend<X> + Layer<X, Output: Tensor>,
    B: Descend<X> + Layer<X, Output: Tensor>,
{
    type Shared<P: Place> = (A::Shared<P>, B::Shared<P>);
    type Next<P: Place> = A::Next<B::Next<P>>;

    fn descend<P: Place>(
        &self,
        params: &mut Self::Params,
        shared: &mut Self::Shared<P>,
        x: &mut X,
        tape: &mut Self::Tape,
        descent: &mut Descent,
        want: InputGradient,
    ) {
        self.hand_on(x, tape, want);
        self.first.descend::<P>(&mut params.0, &mut shared.0, x, &mut tape.first, descent, want);
        self.second.descend::<P>(&mut params.1, &mut shared.1, &mut tape.input, &mut tape.second, descent, want);
        add(x.flat_mut(), tape.input.flat(), want);
    }
}

impl<X, Y, A, B> Inference<X> for Concat<Y, A, B>
where
    X: Tensor,
    Y: Tensor,
    A: Inference<X>,
    B: Inference<X>,
{
    // The second branch's input, then what the branches work in; the output of the first is put where the second's is not.
    const BUFFER: usize = max(B::BUFFER + max(A::BUFFER, B::BUFFER), max(Y::LEN, A::BUFFER));

    const SWAPS: bool = false;
    const HAS_STATE: bool = A::HAS_STATE || B::HAS_STATE;

    fn infer(&self, params: &Self::Params, here: &mut [f32], there: &mut [f32]) {
        let (input, work) = there.split_at_mut_checked(B::BUFFER).unwrap_or_default();
        elementwise::copy(here.get(..X::LEN).unwrap_or_default(), input);
        self.first.infer(&params.0, here, work);
        if A::SWAPS {
            elementwise::copy(work.get(..A::Output::LEN).unwrap_or_default(), here);
        }
        self.second.infer(&params.1, input, work);
        spread::<Y, A::Output, B::Output>(here, if B::SWAPS { work } else { input });
    }
}

/// Moves the first branch's positions, which `y` begins with, apart, last one first, and puts the second's between them.
fn spread<Y: Tensor, A: Tensor, B: Tensor>(y: &mut [f32], second: &[f32]) {
    let positions = Y::LEN / Y::CHANNELS.max(1);
    for position in (0..positions).rev() {
        for channel in (0..A::CHANNELS).rev() {
            let value = y.get(position * A::CHANNELS + channel).copied().unwrap_or_default();
            if let Some(place) = y.get_mut(position * Y::CHANNELS + channel) {
                *place = value;
            }
        }
        let second = second.get(position * B::CHANNELS..).unwrap_or_default();
        let places = y.get_mut(position * Y::CHANNELS + A::CHANNELS..).unwrap_or_default();
        places.iter_mut().zip(second.iter().take(B::CHANNELS)).for_each(|(place, value)| *place = *value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Dense, Identity, Relu};
    use crate::params::Linear;

    #[test]
    fn positions_hold_the_channels_of_both_and_give_each_its_gradient() {
        let both = Concat::<[[f32; 4]; 2], _, _>::new(Identity, Relu);
        let (mut x, mut tape) = ([[1.0, -2.0], [-3.0, 4.0]], Zero::ZERO);
        let y = both.forward(&((), ()), &mut x, &mut tape, Pass::training(0));
        assert_eq!(*y, [[1.0, -2.0, 1.0, 0.0], [-3.0, 4.0, 0.0, 4.0]]);
        *y = [[1.0, 2.0, 10.0, 20.0], [3.0, 4.0, 30.0, 40.0]];
        both.backward(&((), ()), &mut x, &mut tape, None, InputGradient::Full);
        assert_eq!(x, [[11.0, 2.0], [3.0, 44.0]]);
    }

    #[test]
    fn a_gate_before_both_stays_closed_or_open() {
        let both = Concat::<[f32; 4], _, _>::new(Identity, Dense::<1>::new());
        let params = ((), Linear { weight: [[5.0]; 3], bias: [0.0] });
        let (mut x, mut tape) = ([0.0, 2.0, 3.0], Zero::ZERO);
        *both.forward(&params, &mut x, &mut tape, Pass::training(0)) = [7.0, -5.0, 1.0, 1.0];
        both.backward(&params, &mut x, &mut tape, None, InputGradient::WhereActive);
        assert_eq!(x.map(f32::to_bits), [0, (-0.0_f32).to_bits(), 6.0_f32.to_bits()]);
    }
}

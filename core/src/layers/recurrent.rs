//! What recurrent layers have in common: a cell that goes over a window step by step, and what is given on.

use core::fmt;
use core::marker::PhantomData;

use crate::descend::descend_by_gradient;
use crate::gradients::Gradients;
use crate::inference::{Inference, max};
use crate::init::Initialization;
use crate::kernel::recurrent;
use crate::layer::{InputGradient, Layer, Pass};
use crate::message::Message;
use crate::params::{Beside, Name, Params, Parts};
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
///
/// ```
/// use backpass::{Dense, Flatten, Layer, Lstm, Sequence, Signal};
/// type Stacked = (Lstm<6, Sequence>, Lstm<4>, Dense<2>);
/// type EveryStep = (Lstm<6, Sequence>, Flatten<60>, Dense<2>);
/// fn output_of<N: Layer<Signal<10, 3>, Output = [f32; 2]>>() {}
/// output_of::<Stacked>();
/// output_of::<EveryStep>();
/// ```
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
    /// Which row of the bias belongs to the gate that remembers, if the cell has one: it starts at 1, the others at 0.
    const REMEMBERS: Option<usize> = None;
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
}

/// The parameters of a recurrent layer: two weights and a bias, named as PyTorch's.
///
/// Input-major, so PyTorch's weights transposed; gates in PyTorch's order. PyTorch has two biases that mostly add up: `bias`
/// is their sum; see each layer. Without a bias, `B` has no elements and no slice of that name is visited.
///
/// ```
/// use backpass::{Frozen, Gru, Layer, RecurrentParams, Signal};
/// // In a program: what was trained before, in a file of constants.
/// static WEIGHTS: <Gru<4> as Layer<Signal<1, 3>>>::Params =
///     RecurrentParams { weight_ih: [[[0.1; 4]; 3]; 3], weight_hh: [[[0.2; 4]; 3]; 4], bias: [[0.0; 4]; 4] };
/// // The same weights for windows of any length.
/// let layer = Frozen::<Gru<4>, Signal<50, 3>>::new(Gru::new(), &WEIGHTS);
/// # let _ = layer;
/// ```
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
        visitor(Name::leaf(parent, "weight_ih").of::<I>(), self.weight_ih.flat());
        visitor(Name::leaf(parent, "weight_hh").of::<U>(), self.weight_hh.flat());
        if B::LEN > 0 {
            visitor(Name::leaf(parent, "bias").of::<B>(), self.bias.flat());
        }
    }

    fn visit_mut<const SETS: usize>(
        mut sets: [&mut Self; SETS],
        parent: Option<&Name<'_>>,
        visitor: &mut dyn FnMut(Name<'_>, [&mut [f32]; SETS]),
    ) where
        Beside: Parts<SETS>,
    {
        visitor(Name::leaf(parent, "weight_ih"), Beside::parts(&mut sets, |set| set.weight_ih.flat_mut()));
        visitor(Name::leaf(parent, "weight_hh"), Beside::parts(&mut sets, |set| set.weight_hh.flat_mut()));
        if B::LEN > 0 {
            visitor(Name::leaf(parent, "bias"), Beside::parts(&mut sets, |set| set.bias.flat_mut()));
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
///
/// ```
/// use backpass::{Bias, Last, Layer, Pass, RecurrentParams, Relu, Rnn, Zero};
/// let layer = Rnn::<1, Last, Bias, Relu>::new();
/// let params = RecurrentParams { weight_ih: [[1.0]], weight_hh: [[0.5]], bias: [0.0] };
/// // 1, then 2 + 0.5 * 1, then 3 + 0.5 * 2.5.
/// assert_eq!(*layer.forward(&params, &mut [[1.0], [2.0]], &mut Zero::ZERO, Pass::Predicting), [2.5]);
/// assert_eq!(*layer.forward(&params, &mut [[1.0], [2.0], [3.0]], &mut Zero::ZERO, Pass::Predicting), [4.25]);
/// ```
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
    const NAME: &'static str = K::NAME;
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
        grads: Option<Gradients<'_, Self::Params>>,
        want: InputGradient,
    ) {
        Gradients::learn(grads, |grads| {
            let gradients = grads.map(|grads| CellGradients {
                weight_ih: grads.weight_ih.flat_mut(),
                weight_hh: grads.weight_hh.flat_mut(),
                bias: grads.bias.flat_mut(),
            });
            K::backward(&params.slices(), x.flat_mut(), tape.slices(), gradients, want);
        });
    }

    /// Weights as Glorot has it, whatever comes behind, for each gate as a layer of its own; biases zero, but 1 for the gate that
    /// remembers: the forget gate of an LSTM, the update gate of a GRU.
    fn initialize(&self, params: &mut Self::Params, _: Initialization, rng: &mut Rng) {
        Initialization::Glorot.fill(params.weight_ih.flat_mut(), C, K::Hidden::LEN, rng);
        Initialization::Glorot.fill(params.weight_hh.flat_mut(), K::Hidden::LEN, K::Hidden::LEN, rng);
        let bias = params.bias.flat_mut();
        bias.fill(0.0);
        if let Some(gate) = K::REMEMBERS {
            recurrent::row_mut(bias, gate, K::Hidden::LEN).fill(1.0);
        }
    }
}

descend_by_gradient!([const T: usize, const C: usize, K: RecurrentCell, R: Returned] Signal<T, C> => Recurrent<K, R>);

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
        // One window of a single step after another.
        let mut pass = Pass::Predicting;
        for (t, x) in Signal::<T, C>::unflatten(here).first().into_iter().flatten().enumerate() {
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
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::{
        Bias, Conv1d, CrossEntropy, Dense, Flatten, Frozen, FrozenPrefix, Gru, Learner, Lstm, Memory, NoBias, Relu,
        ResetBefore, Rnn, Sgd, Tanh,
    };

    const WINDOW: Signal<6, 2> = [[0.5, -1.0], [0.0, 2.0], [-0.3, 0.0], [1.5, 0.4], [-2.0, 0.1], [0.7, -0.6]];

    /// Random parameters.
    fn params<X, N: Layer<X>>(seed: u64) -> N::Params {
        let (mut params, mut rng) = (N::Params::ZERO, Rng::new(seed));
        N::Params::visit_mut([&mut params], None, &mut |_, [values]| {
            values.iter_mut().for_each(|value| *value = rng.symmetric(0.8));
        });
        params
    }

    #[test]
    fn the_tape_is_as_large_as_the_page_says() {
        const fn check<const T: usize, L: Layer<Signal<T, 3>>>(values: usize) {
            assert!(size_of::<L::Tape>() == 4 * values);
        }
        const {
            check::<20, Rnn<7>>(7 * (20 + 1));
            check::<20, Rnn<7, Sequence, NoBias, Relu>>(7 * (20 + 20));
            check::<20, Gru<7>>(7 * (5 * 20 + 1));
            check::<20, Gru<7, Sequence>>(7 * (5 * 20 + 20));
            check::<20, Gru<7, Last, Bias, ResetBefore>>(7 * (4 * 20 + 1));
            check::<20, Gru<7, Sequence, Bias, ResetBefore>>(7 * (4 * 20 + 20));
            check::<20, Lstm<7>>(7 * (5 * 20 + 1 + 1));
            check::<20, Lstm<7, Sequence>>(7 * (5 * 20 + 1 + 20));
        }
    }

    #[test]
    fn parameters_have_pytorchs_names_and_do_not_depend_on_the_windows_length() {
        type P<L, const T: usize> = <L as Layer<Signal<T, 3>>>::Params;
        fn same<L: Layer<Signal<1, 3>> + Layer<Signal<50, 3>, Params = P<L, 1>>>(lens: &[usize]) {
            let mut seen = Vec::new();
            P::<L, 1>::ZERO.visit(None, &mut |name, values| seen.push((name.last(), values.len())));
            let expected: Vec<_> = ["weight_ih", "weight_hh", "bias"].into_iter().zip(lens.iter().copied()).collect();
            assert_eq!(seen, expected);
            assert_eq!(P::<L, 1>::COUNT, lens.iter().sum());
        }
        same::<Rnn<4>>(&[12, 16, 4]);
        same::<Rnn<4, Sequence, NoBias>>(&[12, 16]);
        same::<Gru<4>>(&[36, 48, 16]);
        same::<Gru<4, Last, Bias, ResetBefore>>(&[36, 48, 12]);
        same::<Gru<4, Last, NoBias>>(&[36, 48]);
        same::<Lstm<4>>(&[48, 64, 16]);
    }

    #[test]
    fn two_buffers_predict_the_same() {
        fn check<L: Inference<Signal<6, 2>> + Default>(buffer: usize) {
            let (params, mut x, mut tape) = (params::<Signal<6, 2>, L>(3), WINDOW, Zero::ZERO);
            let layer = L::default();
            let y = layer.forward(&params, &mut x, &mut tape, Pass::Predicting).flat().to_vec();
            assert_eq!((x, L::BUFFER), (WINDOW, buffer));
            // What lies in the buffers does not matter.
            let (mut here, mut there) = (vec![7.0; buffer], vec![7.0; buffer]);
            here[..12].copy_from_slice(WINDOW.flat());
            layer.infer(&params, &mut here, &mut there);
            assert_eq!(there[..y.len()], y);
        }
        check::<Rnn<3>>(12);
        check::<Rnn<7>>(14);
        check::<Rnn<3, Sequence>>(6 * 3 + 3);
        check::<Gru<3>>(3 + 3 * 5);
        check::<Gru<3, Sequence>>(6 * 3 + 3 * 5);
        check::<Gru<3, Sequence, NoBias, ResetBefore>>(6 * 3 + 3 * 4);
        check::<Lstm<3>>(3 + 3 * 6);
        check::<Lstm<3, Sequence>>(6 * 3 + 3 * 6);
    }

    #[test]
    fn a_frozen_prefix_of_recurrent_layers_feeds_the_head_what_the_network_would() {
        type Body = (Gru<4, Sequence>, Relu, Lstm<3>);
        static BODY: std::sync::OnceLock<<Body as Layer<Signal<6, 2>>>::Params> = std::sync::OnceLock::new();
        let body = BODY.get_or_init(|| params::<Signal<6, 2>, Body>(5));
        let prefix = FrozenPrefix::<Body, Signal<6, 2>, 44>::new(Body::default(), body);
        let (mut x, mut tape) = (WINDOW, Zero::ZERO);
        let ours = *prefix.forward(&(), &mut x, &mut tape, Pass::training(0));
        let (mut x, mut tape) = (WINDOW, Zero::ZERO);
        assert_eq!(ours, *Body::default().forward(body, &mut x, &mut tape, Pass::Predicting));
    }

    #[test]
    fn gates_frozen_weights_and_what_nobody_reads() {
        fn check<L: Layer<Signal<6, 2>, Output: Tensor> + Default>() {
            let (layer, params) = (L::default(), params::<Signal<6, 2>, L>(4));
            let run = |want, learns: bool| {
                let (mut x, mut tape, mut grads) = (WINDOW, Zero::ZERO, L::Params::ZERO);
                let y = layer.forward(&params, &mut x, &mut tape, Pass::training(0));
                y.flat_mut().iter_mut().zip([0.5, -1.0, 0.25].into_iter().cycle()).for_each(|(y, d)| *y = d);
                layer.backward(&params, &mut x, &mut tape, learns.then_some((&mut grads).into()), want);
                let mut all = Vec::new();
                grads.visit(None, &mut |_, values| all.extend_from_slice(values));
                (x, all)
            };
            let (full, grads) = run(InputGradient::Full, true);
            assert!(full.flat().iter().chain(&grads).all(|value| *value != 0.0));
            // Frozen: the same dL/dx.
            assert_eq!(run(InputGradient::Full, false).0, full);
            // Unused: the same gradients, and the input stays.
            assert_eq!(run(InputGradient::Unused, true), (WINDOW, grads.clone()));
            // Gates: closed ones stay, saturated ones close, the others are the same.
            for (want, bound) in [(InputGradient::WhereActive, f32::INFINITY), (InputGradient::WhereBelow(1.5), 1.5)] {
                let (gated, gated_grads) = run(want, true);
                assert_eq!(gated_grads, grads);
                for ((gated, full), x) in gated.flat().iter().zip(full.flat()).zip(WINDOW.flat()) {
                    let open = *x != 0.0 && *x < bound;
                    assert_eq!(*gated, if open { *full } else { 0.0 }, "{want:?}, {x}");
                }
            }
        }
        check::<Rnn<3>>();
        check::<Rnn<3, Sequence>>();
        check::<Gru<3>>();
        check::<Gru<3, Sequence>>();
        check::<Gru<3, Sequence, Bias, ResetBefore>>();
        check::<Lstm<3>>();
        check::<Lstm<3, Sequence>>();
    }

    #[test]
    fn a_recurrent_layer_in_flash_hands_the_gradient_on() {
        type Cell = Gru<3>;
        type Weights = <Cell as Layer<Signal<6, 2>>>::Params;
        static WEIGHTS: Weights =
            RecurrentParams { weight_ih: [[[0.5; 3]; 3]; 2], weight_hh: [[[0.25; 3]; 3]; 3], bias: [[0.1; 3]; 4] };
        let network = (
            Conv1d::<Signal<6, 2>, 1>::new(),
            Frozen::<Cell, Signal<6, 2>>::new(Gru::new(), &WEIGHTS),
            Dense::<2>::new(),
        );
        let mut memory = Memory::new();
        let mut learner = Learner::new(&mut memory, network, CrossEntropy, Sgd::new(0.5));
        learner.initialize(2);
        let before = learner.params().0.weight;
        let first = learner.train(&WINDOW, &1).unwrap();
        assert_ne!(learner.params().0.weight, before);
        assert!(learner.train(&WINDOW, &1).unwrap() < first);
    }

    #[test]
    fn nan_reaches_the_steps_behind_it_and_no_other() {
        fn check<L: Layer<Signal<6, 2>, Output = Signal<6, 3>> + Default>() {
            let (params, mut x, mut tape) = (params::<Signal<6, 2>, L>(6), WINDOW, Zero::ZERO);
            x[3][1] = f32::NAN;
            let y = *L::default().forward(&params, &mut x, &mut tape, Pass::training(0));
            assert!(y[..3].as_flattened().iter().all(|y| y.is_finite()));
            assert!(y[3..].as_flattened().iter().all(|y| y.is_nan()));
        }
        check::<Rnn<3, Sequence>>();
        check::<Rnn<3, Sequence, Bias, Relu>>();
        check::<Gru<3, Sequence>>();
        check::<Gru<3, Sequence, Bias, ResetBefore>>();
        check::<Lstm<3, Sequence>>();
    }

    #[test]
    fn huge_inputs_saturate_and_everything_stays_finite() {
        fn check<L: Layer<Signal<200, 1>, Output: Tensor> + Default>() {
            let params = params::<Signal<200, 1>, L>(7);
            let (mut x, mut tape, mut grads) = ([[1e36]; 200], L::Tape::ZERO, L::Params::ZERO);
            x.iter_mut().skip(1).step_by(2).for_each(|x| x[0] = -1e36);
            let y = L::default().forward(&params, &mut x, &mut tape, Pass::training(0));
            assert!(y.flat().iter().all(|y| y.abs() <= 1.0));
            y.flat_mut().fill(1.0);
            L::default().backward(&params, &mut x, &mut tape, Some((&mut grads).into()), InputGradient::Full);
            let mut finite = x.flat().iter().all(|dx| dx.is_finite());
            grads.visit(None, &mut |_, values| finite &= values.iter().all(|g| g.is_finite()));
            assert!(finite);
        }
        check::<Rnn<5>>();
        check::<Gru<5, Sequence>>();
        check::<Gru<5, Sequence, Bias, ResetBefore>>();
        check::<Lstm<5, Sequence>>();
    }

    #[test]
    fn what_changes_the_output_in_place_does_not_change_the_state() {
        // ReLU works in the output's place; the states behind it must be the layer's own.
        type Net = (Rnn<4, Sequence, Bias, Tanh>, Relu, Flatten<24>);
        let params = params::<Signal<6, 2>, Net>(8);
        let (mut x, mut tape) = (WINDOW, Zero::ZERO);
        let all = *Net::default().forward(&params, &mut x, &mut tape, Pass::Predicting);
        type Half = (Rnn<4, Sequence, Bias, Tanh>, Relu, Flatten<12>);
        let (first, second) = WINDOW.split_at(3);
        let (mut first, mut second): (Signal<3, 2>, Signal<3, 2>) =
            (first.try_into().unwrap(), second.try_into().unwrap());
        let mut tape = Zero::ZERO;
        Half::default().forward(&params, &mut first, &mut tape, Pass::Predicting);
        let last = *Half::default().forward(&params, &mut second, &mut tape, Pass::Continuing);
        assert_eq!(all[12..], last);
    }

    #[test]
    fn weights_start_within_their_bounds_and_gates_that_remember_open() {
        let mut params = <Lstm<16> as Layer<Signal<4, 5>>>::Params::ZERO;
        params.bias = [[9.0; 16]; 4];
        Layer::<Signal<4, 5>>::initialize(&Lstm::<16>::new(), &mut params, Initialization::Glorot, &mut Rng::new(1));
        let most = |values: &[f32]| values.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        let bound = Initialization::Glorot.bound(5, 16);
        assert!((0.95 * bound..=bound).contains(&most(params.weight_ih.flat())));
        let bound = Initialization::Glorot.bound(16, 16);
        assert!((0.95 * bound..=bound).contains(&most(params.weight_hh.flat())));
        assert_eq!(params.bias, [[0.0; 16], [1.0; 16], [0.0; 16], [0.0; 16]]);

        let mut params = <Gru<2> as Layer<Signal<4, 5>>>::Params::ZERO;
        params.bias = [[9.0; 2]; 4];
        Layer::<Signal<4, 5>>::initialize(&Gru::<2>::new(), &mut params, Initialization::Glorot, &mut Rng::new(1));
        assert_eq!(params.bias, [[0.0; 2], [1.0; 2], [0.0; 2], [0.0; 2]]);
    }
}

//! Prediction step by step.

use core::fmt;

use crate::kernel::elementwise;
use crate::layer::{Layer, Pass};
use crate::tensor::{Tensor, Zero};

/// What a network needs to predict from a stream: each step goes on from the state in which the one before left the recurrent
/// layers.
///
/// `X` is one step, `Signal<1, C>`, or a few, `Signal<T, C>`. A recurrent network has the same parameters for a window of any
/// length, so it learns from windows and predicts from single steps, in between or at the same time. Steps give what the
/// window that they make gives, bit for bit, if all of the network's memory is in its recurrent layers.
///
/// A layer that sees several time steps at once, a convolution or a pool over time, sees those of `X` alone. Mostly the network's
/// type then does not take an `X` of another length. A [`FrozenPrefix`](crate::FrozenPrefix) of recurrent layers keeps no
/// state, so it does not compile here; [`Frozen`](crate::Frozen) does.
///
/// ```
/// use backpass::{Adam, CrossEntropy, Dense, Gru, Learner, Memory, Signal, Streaming};
/// use static_cell::ConstStaticCell;
///
/// type Net = (Gru<8>, Dense<2>);
/// static STREAM: ConstStaticCell<Streaming<Net, Signal<1, 3>>> = ConstStaticCell::new(Streaming::new());
///
/// // It learns from windows of 10 steps ...
/// let mut memory = Memory::<Net, Signal<10, 3>, Adam>::new();
/// let mut learner = Learner::new(&mut memory, Net::default(), CrossEntropy, Adam::new(0.01));
/// learner.initialize(1);
/// let window = [[0.5, -0.25, 1.0]; 10];
/// learner.train(&window, &1)?;
///
/// // ... and predicts after each step.
/// let stream = STREAM.take();
/// let mut logits = [0.0; 2];
/// for step in &window {
///     logits = *stream.predict(learner.network(), learner.params(), &[*step]);
/// }
/// assert_eq!(logits, *learner.predict(&window));
///
/// // The next one starts afresh.
/// stream.reset();
/// # Ok::<(), backpass::TrainError>(())
/// ```
pub struct Streaming<N: Layer<X>, X: Tensor> {
    input: X,
    tape: N::Tape,
    /// Whether there was a step since the start.
    started: bool,
}

impl<N: Layer<X>, X: Tensor> Streaming<N, X> {
    /// Before the first step: all zeros, so that a static lies in `.bss`.
    #[must_use]
    pub const fn new() -> Self {
        Self { input: X::ZERO, tape: Zero::ZERO, started: false }
    }

    /// Forgets all steps: the next one is the first.
    pub const fn reset(&mut self) {
        self.started = false;
    }

    /// The network's output after one more step.
    ///
    /// Where the step or the output is not finite, the output is of no use, and all steps are forgotten: the next one is the first.
    /// So one bad step does not spoil the state for good.
    pub fn predict(&mut self, network: &N, params: &N::Params, step: &X) -> &N::Output
    where
        N::Output: Tensor,
    {
        const {
            assert!(
                !N::FORGETS_STATE,
                "Streaming: a FrozenPrefix keeps no state of its recurrent layers; use `Frozen` instead"
            );
        }
        self.input = *step;
        let pass = if self.started { Pass::Continuing } else { Pass::Predicting };
        let output = network.forward(params, &mut self.input, &mut self.tape, pass);
        let is_finite = |values: &[f32]| elementwise::first_not_finite(values).is_none();
        self.started = is_finite(step.flat()) && is_finite(output.flat());
        output
    }
}

impl<N: Layer<X>, X: Tensor> Default for Streaming<N, X> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Layer<X>, X: Tensor> fmt::Debug for Streaming<N, X> {
    /// Its size and whether it has started, not its contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").field("bytes", &size_of::<Self>()).field("started", &self.started).finish()
    }
}

#[cfg(feature = "defmt")]
impl<N: Layer<X>, X: Tensor> defmt::Format for Streaming<N, X> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Streaming {{ bytes: {}, started: {} }}", size_of::<Self>(), self.started);
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::rng::Rng;
    use crate::{
        Adam, Bias, CrossEntropy, Dense, Frozen, Gru, Learner, Lstm, Memory, NoBias, Params, Relu, ResetBefore, Rnn,
        Sequence, Signal,
    };

    fn window<const T: usize>(seed: u64) -> Signal<T, 3> {
        let mut rng = Rng::new(seed);
        [(); T].map(|()| [(); 3].map(|()| rng.symmetric(1.0)))
    }

    /// Parameters after some training on windows.
    fn trained<N: Layer<Signal<12, 3>, Output = [f32; 2]> + Copy>(network: N) -> N::Params {
        let mut memory = Memory::<N, Signal<12, 3>, Adam>::new();
        let mut learner = Learner::new(&mut memory, network, CrossEntropy, Adam::new(0.05));
        learner.initialize(1);
        for seed in 0..10 {
            learner.train(&window(seed), &usize::from(seed % 2 == 0)).unwrap();
        }
        let mut copy = N::Params::ZERO;
        N::Params::visit_mut([&mut copy, learner.params_mut()], None, &mut |_, [to, from]| to.copy_from_slice(from));
        copy
    }

    /// A window of 12 steps gives the same as 12 single ones, as 4 times 3 and as 6 times 2; also after a reset.
    fn check<N, P: Params>(network: N)
    where
        N: Copy
            + Layer<Signal<12, 3>, Output = [f32; 2], Params = P>
            + Layer<Signal<1, 3>, Output = [f32; 2], Params = P>
            + Layer<Signal<2, 3>, Output = [f32; 2], Params = P>
            + Layer<Signal<3, 3>, Output = [f32; 2], Params = P>,
    {
        fn in_parts<N: Layer<Signal<T, 3>, Output = [f32; 2]>, const T: usize>(
            stream: &mut Streaming<N, Signal<T, 3>>,
            network: &N,
            params: &N::Params,
            window: &Signal<12, 3>,
        ) -> [u32; 2] {
            let mut output = [0.0; 2];
            for step in window.as_chunks::<T>().0 {
                output = *stream.predict(network, params, step);
            }
            output.map(f32::to_bits)
        }
        let params = trained::<N>(network);
        let (mut ones, mut twos, mut threes) = (Streaming::new(), Streaming::new(), Streaming::new());
        for seed in 20..23 {
            let window = window::<12>(seed);
            let (mut x, mut tape) = (window, <N as Layer<Signal<12, 3>>>::Tape::ZERO);
            let whole: &[f32; 2] = network.forward(&params, &mut x, &mut tape, Pass::Predicting);
            let whole = whole.map(f32::to_bits);
            assert_eq!(in_parts::<N, 1>(&mut ones, &network, &params, &window), whole);
            assert_eq!(in_parts::<N, 2>(&mut twos, &network, &params, &window), whole);
            assert_eq!(in_parts::<N, 3>(&mut threes, &network, &params, &window), whole);
            ones.reset();
            twos.reset();
            threes.reset();
        }
    }

    #[test]
    fn single_steps_give_what_their_window_gives_bit_for_bit() {
        check((Rnn::<5>::new(), Dense::<2>::new()));
        check((Rnn::<4, Sequence, Bias, Relu>::new(), Rnn::<5, crate::Last, NoBias>::new(), Dense::<2>::new()));
        check((Gru::<5>::new(), Relu, Dense::<2>::new()));
        check((Gru::<4, Sequence>::new(), Relu, Gru::<3, crate::Last, Bias, ResetBefore>::new(), Dense::<2>::new()));
        check((Lstm::<5>::new(), Dense::<2>::new()));
        check((Lstm::<4, Sequence>::new(), Relu, Gru::<3, Sequence>::new(), Lstm::<2>::new()));
    }

    #[test]
    fn a_stream_goes_on_while_the_network_learns() {
        let mut memory = Memory::<(Gru<4>, Dense<2>), Signal<12, 3>, Adam>::new();
        let mut learner = Learner::new(&mut memory, Default::default(), CrossEntropy, Adam::new(0.05));
        learner.initialize(1);
        let mut stream = Streaming::<(Gru<4>, Dense<2>), Signal<1, 3>>::new();
        let mut outputs = Vec::new();
        for step in &window::<4>(1) {
            outputs.push(*stream.predict(learner.network(), learner.params(), &[*step]));
            learner.train(&window(3), &1).unwrap();
        }
        // The state is that of the earlier steps: the same step gives something else after a reset.
        let again = *stream.predict(learner.network(), learner.params(), &[window::<4>(1)[3]]);
        stream.reset();
        let first = *stream.predict(learner.network(), learner.params(), &[window::<4>(1)[3]]);
        assert_ne!(again, first);
        assert!(outputs.as_flattened().iter().all(|output| output.is_finite()));
    }

    #[test]
    fn frozen_recurrent_layers_keep_their_state() {
        type Body = (Gru<4>, Dense<2>);
        static BODY: std::sync::OnceLock<<Body as Layer<Signal<12, 3>>>::Params> = std::sync::OnceLock::new();
        let body = BODY.get_or_init(|| trained::<Body>(Body::default()));
        let frozen = Frozen::<Body, Signal<1, 3>>::new(Body::default(), body);
        let (mut ours, mut plain) = (Streaming::new(), Streaming::new());
        for step in window::<5>(4) {
            assert_eq!(ours.predict(&frozen, &(), &[step]), plain.predict(&Body::default(), body, &[step]));
        }
    }

    #[test]
    fn after_a_step_that_is_not_finite_the_next_one_is_the_first() {
        fn check<N: Layer<Signal<1, 3>, Output: Tensor> + Default>() {
            let (network, mut params, mut rng) = (N::default(), N::Params::ZERO, Rng::new(1));
            network.initialize(&mut params, crate::Initialization::Glorot, &mut rng);
            let mut stream = Streaming::<N, Signal<1, 3>>::new();
            let fresh = *stream.predict(&network, &params, &[[0.5; 3]]);
            stream.predict(&network, &params, &[[f32::NAN; 3]]);
            assert_eq!(stream.predict(&network, &params, &[[0.5; 3]]).flat(), fresh.flat());
        }
        check::<Rnn<3>>();
        check::<Gru<3>>();
        check::<Lstm<3, Sequence>>();
    }
}

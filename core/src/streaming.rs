//! Prediction step by step.

use core::fmt;

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
    /// A step that is not finite may leave a state that is not, until [`reset`](Self::reset).
    pub fn predict(&mut self, network: &N, params: &N::Params, step: &X) -> &N::Output {
        const {
            assert!(
                !N::FORGETS_STATE,
                "Streaming: a FrozenPrefix keeps no state of its recurrent layers; use `Frozen` instead"
            );
        }
        self.input = *step;
        let pass = if self.started { Pass::Continuing } else { Pass::Predicting };
        self.started = true;
        network.forward(params, &mut self.input, &mut self.tape, pass)
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

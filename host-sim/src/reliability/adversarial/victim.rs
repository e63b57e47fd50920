//! A learner under attack, and what must hold after each thing that is done to it.

use std::fmt::Debug;

use backpass::error::{ObserveError, TrainError, UpdateError};
use backpass::memory::Training;
use backpass::{
    Adadelta, Adagrad, Adam, AmsGrad, ClipNorm, ClipValue, Descend, InPlace, Lars, Layer, LayerRates, Learner, Lion,
    Loss, Memory, Momentum, Optimizer, Params, RmsProp, Rng, Schedule, Scheduled, Sgd, State, Tensor,
};

use super::garbage::{self, Goal, number};

/// A learner of any type.
pub(super) trait Victim {
    /// Draws new weights. A calm learner is then asked for nothing bad, and may refuse nothing; any other gets a learning rate
    /// that may be bad too.
    fn restart(&mut self, rng: &mut Rng, calm: bool);
    /// Does one thing to it, at random. What went wrong, if something did.
    fn attack(&mut self, rng: &mut Rng, calm: bool) -> Result<(), String>;
    /// How often it has refused something since it was restarted.
    fn refused(&self) -> u32;
    /// The bits of all that it knows.
    fn bits(&mut self) -> Vec<u32>;
}

/// A rule whose learning rate can be set.
pub(super) trait Rate: Copy {
    fn rate(&mut self) -> &mut f32;
}

macro_rules! rates {
    ($($rule:ty),+) => { $(impl Rate for $rule {
        fn rate(&mut self) -> &mut f32 {
            &mut self.learning_rate
        }
    })+ };
}
rates!(Adadelta, Adagrad, Adam, AmsGrad, InPlace, Lars, Lion, Momentum, Sgd);

impl<const C: bool, const M: bool> Rate for RmsProp<C, M> {
    fn rate(&mut self) -> &mut f32 {
        &mut self.learning_rate
    }
}

macro_rules! wrapped {
    ($([$($generics:tt)*] $rule:ty),+) => { $(impl<$($generics)*> Rate for $rule {
        fn rate(&mut self) -> &mut f32 {
            self.optimizer.rate()
        }
    })+ };
}
wrapped!(
    [O: Rate] ClipNorm<O>,
    [O: Rate] ClipValue<O>,
    [O: Rate, const N: usize] LayerRates<O, N>,
    [O: Rate, S: Schedule + Copy] Scheduled<O, S>
);

/// A network, what it learns, and by which rule.
#[derive(Clone, Copy)]
pub(super) struct Subject<N, X, L, T, O> {
    pub(super) network: N,
    pub(super) goal: Goal<L, T>,
    pub(super) rule: O,
    /// A sample as it should be.
    pub(super) plain: fn(&mut Rng) -> X,
}

/// A subject in its memory, and what its counters must be.
struct Life<N: Layer<X>, X: Tensor, L, T, O: Training<N, X>> {
    subject: Subject<N, X, L, T, O>,
    memory: Box<Memory<N, X, O>>,
    rule: O,
    expected: Counters,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counters {
    observed: u32,
    refused: u32,
    pending: u32,
}

impl<N: Layer<X> + Copy, X: Tensor, L: Copy, T, O: Training<N, X> + Rate> Life<N, X, L, T, O> {
    fn new(subject: Subject<N, X, L, T, O>) -> Self {
        Self { memory: Box::default(), rule: subject.rule, expected: Counters::default(), subject }
    }

    fn learner(&mut self) -> Learner<'_, N, X, L, O> {
        Learner::new(&mut self.memory, self.subject.network, self.subject.goal.loss, self.rule)
    }

    fn restart(&mut self, rng: &mut Rng, calm: bool) {
        self.rule = self.subject.rule;
        if !calm {
            *self.rule.rate() = rate(rng);
        }
        let seed = rng.next_u64();
        self.learner().initialize(seed);
        self.expected = Counters::default();
    }

    /// Parameters, and what the optimizer keeps for the whole network.
    fn known(&mut self) -> Vec<u32> {
        let mut bits = Vec::new();
        let learner = self.learner();
        learner.params().visit(None, &mut |_, values| bits.extend(values.iter().map(|value| value.to_bits())));
        let mut state = *learner.optimizer_state();
        state.words(&mut |word| bits.push(*word));
        bits
    }

    fn sample(&self, rng: &mut Rng, calm: bool) -> X {
        if calm || rng.below(4) == 0 { (self.subject.plain)(rng) } else { garbage::sample(rng) }
    }

    fn target(&self, rng: &mut Rng, calm: bool) -> T {
        if calm { (self.subject.goal.plain)(rng) } else { (self.subject.goal.garbage)(rng) }
    }

    fn counters_are_right(&mut self) -> Result<(), String> {
        let expected = self.expected;
        let learner = self.learner();
        let counters =
            Counters { observed: learner.observed(), refused: learner.refused(), pending: learner.pending() };
        ensure(counters == expected, || format!("counters are {counters:?}, not {expected:?}"))
    }

    /// Whether what a sample came to is right, given what was asked; counts it.
    fn judge(&mut self, sample: &X, target: &T, result: Result<f32, ObserveError>, calm: bool) -> Result<(), String> {
        let bad = sample.flat().iter().position(|value| !value.is_finite());
        let valid = (self.subject.goal.is_valid)(target);
        let pending = self.expected.pending;
        let right = match (bad, valid, result) {
            (Some(bad), _, Err(ObserveError::Sample { index })) => index == bad,
            (None, false, Err(ObserveError::Target(_))) => true,
            (None, true, Ok(loss)) => loss.is_finite(),
            (None, true, Err(ObserveError::Loss | ObserveError::Backward)) => !calm,
            (None, true, Err(ObserveError::Gradient { discarded })) => !calm && discarded == pending,
            _ => false,
        };
        match result {
            Ok(_) => self.expected.observed += 1,
            Err(_) => self.expected.refused += 1,
        }
        ensure(right, || format!("bad element {bad:?}, valid target {valid}, {pending} pending: {result:?}"))
    }

    /// A prediction for a plain sample is finite where no parameter is large, and changes nothing.
    fn predict(&mut self, rng: &mut Rng) -> Result<(), String>
    where
        N::Output: Tensor,
    {
        let sample = (self.subject.plain)(rng);
        let tame = largest(self.learner().params()) < 100.0;
        let mut learner = self.learner();
        let output = learner.predict(&sample);
        let finite = output.flat().iter().all(|value| value.is_finite());
        ensure(finite || !tame, || format!("a prediction is {:?}", output.flat()))
    }
}

/// A learning rate that may be bad.
fn rate(rng: &mut Rng) -> f32 {
    const RATES: [f32; 12] =
        [1e-3, 0.01, 0.1, 1.0, 100.0, 1e9, 1e38, f32::INFINITY, f32::NAN, 0.0, -0.1, f32::MIN_POSITIVE];
    // Mostly those of use, with which training goes on.
    let of = if rng.below(2) == 0 { 6 } else { 12 };
    RATES[rng.below(of) as usize]
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// The largest magnitude; NaN if one is.
fn largest<P: Params>(params: &P) -> f32 {
    let mut largest = 0.0_f32;
    params.visit(None, &mut |_, values| {
        for value in values {
            largest = if value.is_nan() || largest.is_nan() { f32::NAN } else { largest.max(value.abs()) };
        }
    });
    largest
}

/// Learns by an optimizer, with a gradient array.
struct ByGradient<N: Layer<X>, X: Tensor, L, T, O: Optimizer>(Life<N, X, L, T, O>);

/// Learns in place.
struct ByDescent<N: Descend<X>, X: Tensor, L, T>(Life<N, X, L, T, InPlace>);

/// Boxes a subject that learns by an optimizer.
pub(super) fn by_gradient<N, X, L, T, O>(subject: Subject<N, X, L, T, O>) -> Box<dyn Victim>
where
    N: Layer<X, Output: Tensor> + Copy + 'static,
    X: Tensor,
    L: Loss<N::Output, T> + Copy + 'static,
    T: 'static,
    O: Optimizer<State: Debug> + Rate + 'static,
{
    Box::new(ByGradient(Life::new(subject)))
}

/// Boxes a subject that learns in place.
pub(super) fn by_descent<N, X, L, T>(subject: Subject<N, X, L, T, InPlace>) -> Box<dyn Victim>
where
    N: Descend<X> + Layer<X, Output: Tensor> + Copy + 'static,
    X: Tensor,
    L: Loss<N::Output, T> + Copy + 'static,
    T: 'static,
{
    Box::new(ByDescent(Life::new(subject)))
}

impl<N, X, L, T, O> ByGradient<N, X, L, T, O>
where
    N: Layer<X, Output: Tensor> + Copy,
    X: Tensor,
    L: Loss<N::Output, T> + Copy,
    O: Optimizer<State: Debug> + Rate,
{
    /// All that must not change where something is refused.
    fn all(&mut self) -> Vec<u32> {
        let mut bits = self.0.known();
        let learner = self.0.learner();
        for set in learner.moments() {
            set.visit(None, &mut |_, values| bits.extend(values.iter().map(|value| value.to_bits())));
        }
        bits
    }

    fn gradients(&mut self) -> Option<Vec<u32>> {
        self.0.learner().gradients().map(|gradients| {
            let mut bits = Vec::new();
            gradients.visit(None, &mut |_, values| bits.extend(values.iter().map(|value| value.to_bits())));
            bits
        })
    }

    fn observe(&mut self, rng: &mut Rng, calm: bool) -> Result<(), String> {
        let (sample, target) = (self.0.sample(rng, calm), self.0.target(rng, calm));
        let (known, gradients) = (self.all(), self.gradients());
        let result = self.0.learner().observe(&sample, &target);
        self.0.judge(&sample, &target, result, calm)?;
        match result {
            Ok(_) => self.0.expected.pending += 1,
            Err(ObserveError::Gradient { .. }) => self.0.expected.pending = 0,
            Err(_) => ensure(self.gradients() == gradients, || format!("{result:?}: the gradient has changed"))?,
        }
        let finite = self.0.learner().gradients().is_none_or(|gradients| largest(gradients).is_finite());
        ensure(finite, || format!("{result:?}: the gradient is not finite"))?;
        ensure(self.all() == known, || format!("observe: {result:?}: parameters, moments or state have changed"))
    }

    fn update(&mut self, calm: bool) -> Result<(), String> {
        let (known, gradients) = (self.all(), self.gradients());
        let result = self.0.learner().update();
        let nothing = self.0.expected.pending == 0;
        let right = match result {
            Ok(()) => !nothing,
            Err(UpdateError::NothingObserved) => nothing,
            Err(_) => !nothing && !calm,
        };
        ensure(right, || format!("{} pending: {result:?}", self.0.expected.pending))?;
        match result {
            Ok(()) => self.0.expected.pending = 0,
            Err(error) => {
                self.0.expected.refused += u32::from(error == UpdateError::NotFinite);
                let same = self.all() == known && self.gradients() == gradients;
                ensure(same, || format!("update: {error:?}: something has changed"))?;
            }
        }
        self.is_finite()
    }

    fn train(&mut self, rng: &mut Rng, calm: bool) -> Result<(), String> {
        let (sample, target) = (self.0.sample(rng, calm), self.0.target(rng, calm));
        let (known, gradients) = (self.all(), self.gradients());
        let result = self.0.learner().train(&sample, &target);
        let observed = match result {
            Ok(loss) => Ok(loss),
            Err(TrainError::Observe(error)) => Err(error),
            Err(_) => Ok(0.0),
        };
        self.0.judge(&sample, &target, observed, calm)?;
        match result {
            Ok(_) => self.0.expected.pending = 0,
            Err(error) => {
                ensure(self.all() == known, || format!("train: {error:?}: parameters, moments or state have changed"))?;
                match error {
                    TrainError::Update(UpdateError::NotFinite) => {
                        ensure(!calm, || format!("{error:?}"))?;
                        self.0.expected.refused += 1;
                        self.0.expected.pending = 0;
                    }
                    TrainError::Observe(ObserveError::Gradient { .. }) => self.0.expected.pending = 0,
                    TrainError::Observe(_) => {
                        ensure(self.gradients() == gradients, || format!("{error:?}: the gradient has changed"))?;
                    }
                    error => return Err(format!("train: {error:?}")),
                }
            }
        }
        self.is_finite()
    }

    /// What must leave everything as it was.
    fn ask(&mut self, rng: &mut Rng) -> Result<(), String> {
        let (known, gradients) = (self.all(), self.gradients());
        let (sample, target) = (self.0.sample(rng, false), self.0.target(rng, false));
        let mut learner = self.0.learner();
        learner.predict(&sample);
        let result = learner.evaluate(&sample, &target).map(|(loss, _)| loss);
        let fits = sample.flat().iter().all(|value| value.is_finite()) && (self.0.subject.goal.is_valid)(&target);
        let right = match result {
            Ok(loss) => fits && loss.is_finite(),
            Err(ObserveError::Loss) => fits,
            Err(_) => !fits,
        };
        ensure(right, || format!("evaluate: fits {fits}, {result:?}"))?;
        self.0.predict(rng)?;
        let same = self.all() == known && self.gradients() == gradients;
        ensure(same, || "predict, evaluate: something has changed".to_owned())
    }

    fn is_finite(&mut self) -> Result<(), String> {
        let learner = self.0.learner();
        let finite = largest(learner.params()).is_finite()
            && learner.moments().iter().all(|moments| largest(moments).is_finite());
        ensure(finite, || "parameters or moments are not finite".to_owned())
    }
}

impl<N, X, L, T, O> Victim for ByGradient<N, X, L, T, O>
where
    N: Layer<X, Output: Tensor> + Copy,
    X: Tensor,
    L: Loss<N::Output, T> + Copy,
    O: Optimizer<State: Debug> + Rate,
{
    fn restart(&mut self, rng: &mut Rng, calm: bool) {
        self.0.restart(rng, calm);
    }

    fn attack(&mut self, rng: &mut Rng, calm: bool) -> Result<(), String> {
        match rng.below(16) {
            0..9 => self.observe(rng, calm)?,
            9..12 => self.update(calm)?,
            12..14 => self.train(rng, calm)?,
            14 if calm => {}
            14 => match rng.below(4) {
                0 => *self.0.rule.rate() = rate(rng),
                1 => {
                    self.0.learner().discard();
                    self.0.expected.pending = 0;
                }
                _ => {
                    let metric = number(rng);
                    self.0.learner().report(metric);
                    let state = format!("{:?}", self.0.learner().optimizer_state());
                    let finite = !state.contains("NaN") && !state.contains("inf");
                    ensure(finite, || format!("the metric {metric} was reported: {state}"))?;
                }
            },
            _ => self.ask(rng)?,
        }
        self.0.counters_are_right()
    }

    fn refused(&self) -> u32 {
        self.0.expected.refused
    }

    fn bits(&mut self) -> Vec<u32> {
        let mut bits = self.all();
        bits.extend(self.gradients().unwrap_or_default());
        bits
    }
}

impl<N, X, L, T> Victim for ByDescent<N, X, L, T>
where
    N: Descend<X> + Layer<X, Output: Tensor> + Copy,
    X: Tensor,
    L: Loss<N::Output, T> + Copy,
{
    fn restart(&mut self, rng: &mut Rng, calm: bool) {
        self.0.restart(rng, calm);
    }

    fn attack(&mut self, rng: &mut Rng, calm: bool) -> Result<(), String> {
        if !calm && rng.below(64) == 0 {
            *self.0.rule.rate() = rate(rng);
        }
        if rng.below(16) == 0 {
            let known = self.0.known();
            self.0.predict(rng)?;
            ensure(self.0.known() == known, || "predict: the parameters have changed".to_owned())?;
        } else {
            let (sample, target) = (self.0.sample(rng, calm), self.0.target(rng, calm));
            let known = self.0.known();
            let result = self.0.learner().train(&sample, &target);
            let observed = match result {
                Ok(loss) => Ok(loss),
                Err(TrainError::Observe(error)) => Err(error),
                Err(error) => return Err(format!("train in place: {error:?}")),
            };
            self.0.judge(&sample, &target, observed, calm)?;
            if matches!(observed, Err(ObserveError::Sample { .. } | ObserveError::Target(_) | ObserveError::Loss)) {
                ensure(self.0.known() == known, || format!("train in place: {result:?}: the parameters have changed"))?;
            }
            ensure(largest(self.0.learner().params()).is_finite(), || {
                format!("train in place: {result:?}: the parameters are not finite")
            })?;
        }
        self.0.counters_are_right()
    }

    fn refused(&self) -> u32 {
        self.0.expected.refused
    }

    fn bits(&mut self) -> Vec<u32> {
        self.0.known()
    }
}

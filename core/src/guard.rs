//! A guard that goes back to the last good parameters when learning has gone wrong.
//!
//! What is not finite is refused and changes nothing ([`ObserveError`], [`UpdateError`]). But parameters can be finite and yet
//! spoiled: a learning rate that is too high, or a sensor that drifts off before it fails, makes them grow until every sample's
//! loss overflows, and then all that comes is refused. A device that is far from its programmer needs a way back:
//!
//! * [`Guard`] keeps one copy of the parameters in RAM and restores it.
//! * [`Refusals`] only counts, in 8 bytes: for a device that restores from elsewhere, such as a checkpoint in flash or a model that
//!   it was shipped with.
//!
//! Use one where the device learns unattended; where somebody watches, a count of [`refused`](Learner::refused) is enough.

use core::fmt;

use crate::descend::largest;
use crate::error::{ObserveError, TrainError, UpdateError};
use crate::kernel::elementwise;
use crate::layer::Layer;
use crate::learner::Learner;
use crate::memory::Training;
use crate::params::Params;
use crate::tensor::Tensor;

/// What became of a sample, of a step, or of both: the results of [`observe`](Learner::observe), [`update`](Learner::update) and
/// [`train`](Learner::train).
pub trait Outcome {
    /// Whether a sample was accepted; `None` if there was none.
    fn sample(&self) -> Option<bool>;
    /// Whether a step was accepted; `None` if there was none.
    fn step(&self) -> Option<bool>;
    /// The loss of a sample that was learned from.
    fn loss(&self) -> Option<f32>;
}

impl Outcome for Result<f32, ObserveError> {
    fn sample(&self) -> Option<bool> {
        Some(self.is_ok())
    }

    fn step(&self) -> Option<bool> {
        None
    }

    fn loss(&self) -> Option<f32> {
        self.ok()
    }
}

impl Outcome for Result<(), UpdateError> {
    fn sample(&self) -> Option<bool> {
        None
    }

    fn step(&self) -> Option<bool> {
        match self {
            Ok(()) => Some(true),
            Err(UpdateError::NothingObserved) => None,
            Err(UpdateError::NotFinite) => Some(false),
        }
    }

    fn loss(&self) -> Option<f32> {
        None
    }
}

impl Outcome for Result<f32, TrainError> {
    fn sample(&self) -> Option<bool> {
        Some(!matches!(self, Err(TrainError::Observe(_))))
    }

    fn step(&self) -> Option<bool> {
        match self {
            Ok(_) => Some(true),
            Err(TrainError::Observe(_)) => None,
            Err(TrainError::Update(error)) => Err(*error).step(),
        }
    }

    fn loss(&self) -> Option<f32> {
        self.ok()
    }
}

/// Counts refusals in a row, and says when there were `LIMIT`: samples refused without one accepted between, or steps. All
/// refusals count, bad samples too: a sensor that fails has often sent nonsense before.
///
/// ```
/// use backpass::guard::Refusals;
/// use backpass::{CrossEntropy, Dense, InPlace, Learner, Memory};
///
/// let mut memory = Memory::new();
/// let mut learner = Learner::new(&mut memory, Dense::<2>::new(), CrossEntropy, InPlace::new(0.1));
/// let mut refusals = Refusals::<3>::new();
/// let mut restored = 0;
/// for sample in [[0.5], [f32::NAN], [f32::NAN], [f32::NAN], [0.5]] {
///     if refusals.watch(&learner.train(&sample, &1)) {
///         // Here the device loads its checkpoint.
///         restored += 1;
///     }
/// }
/// assert_eq!(restored, 1);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Refusals<const LIMIT: u32 = 8> {
    samples: u32,
    steps: u32,
}

impl<const LIMIT: u32> Refusals<LIMIT> {
    /// Before the first: zeros.
    pub const fn new() -> Self {
        const { assert!(LIMIT > 0, "Refusals: the limit must be at least 1") };
        Self { samples: 0, steps: 0 }
    }

    /// Takes in what became of a sample or a step. Returns whether this was the last of `LIMIT` refusals in a row; then the count
    /// begins again.
    pub fn watch(&mut self, outcome: &impl Outcome) -> bool {
        let count = |row: &mut u32, accepted| match accepted {
            Some(true) => *row = 0,
            Some(false) => *row = row.saturating_add(1),
            None => {}
        };
        count(&mut self.samples, outcome.sample());
        count(&mut self.steps, outcome.step());
        let reached = self.in_a_row() >= LIMIT;
        if reached {
            *self = Self::new();
        }
        reached
    }

    /// How many there were in a row so far: samples or steps, whichever are more.
    pub const fn in_a_row(&self) -> u32 {
        if self.samples > self.steps { self.samples } else { self.steps }
    }
}

/// Keeps a copy of the last good parameters `P`, and restores it after `LIMIT` refusals in a row ([`Refusals`]).
///
/// **When a copy is taken.** After every `KEEP` samples in a row that were accepted, if their mean loss is at most
/// `k + s max(|k|, 0.01)` and no parameter's magnitude is above `s (2 w + 1)`, where `k` is the copy's mean loss, `w` its largest
/// magnitude, and the slack `s` is 1 and doubles with every `KEEP` samples that do not give a copy: so a task that became harder
/// gets one in the end, and parameters that explode do not. [`keep`](Self::keep) takes one at once: call it when the weights are
/// drawn or loaded, and whenever the device knows better (a good validation).
///
/// **What restoring does.** Parameters become the copy's, bit for bit; a gradient that is pending is discarded; the optimizer's
/// moments, and what belongs to them, begin at zero; a schedule goes on where it is; the counters go on. If the cause is not
/// gone, it happens again: a device that sees [`restored`](Self::restored) grow may lower the learning rate.
///
/// The copy takes as much RAM as the parameters, and 36 bytes more; all zeros at first, so a static lies in `.bss`.
///
/// ```
/// use backpass::{Dense, Guard, Layer, Learner, MeanSquaredError, Memory, Sgd};
///
/// type Net = Dense<1>;
/// type P = <Net as Layer<[f32; 2]>>::Params;
/// let mut guard = Guard::<P, 4>::new();
/// assert_eq!(size_of_val(&guard), size_of::<P>() + 36);
///
/// let mut memory = Memory::new();
/// let mut learner = Learner::new(&mut memory, Net::new(), MeanSquaredError, Sgd::new(0.1));
/// learner.initialize(1);
/// guard.keep(&mut learner);
/// let good = *learner.params();
///
/// // A setting that makes the weights explode: soon every loss overflows.
/// learner.optimizer_mut().learning_rate = 1e12;
/// for _ in 0..20 {
///     // Watches, and hands the result on.
///     let result = guard.watch(learner.train(&[1.0, 2.0], &[3.0]), &mut learner);
///     if guard.restored() > 0 {
///         assert!(result.is_err());
///         break;
///     }
/// }
/// assert_eq!(guard.restored(), 1);
/// assert_eq!(*learner.params(), good);
/// ```
pub struct Guard<P, const LIMIT: u32 = 8, const KEEP: u32 = 128> {
    copy: P,
    kept: bool,
    refusals: Refusals<LIMIT>,
    /// The number of the learner's next sample, when it was last seen.
    stream: u32,
    /// Samples accepted in a row, and the sum of their losses.
    accepted: u32,
    sum: f32,
    /// The copy's mean loss; infinite until it is known.
    mark: f32,
    /// What the bounds for the next copy are multiplied by.
    slack: f32,
    restored: u32,
}

/// The least by which a copy's loss may be above that of the one before.
const LEAST: f32 = 0.01;

impl<P: Params, const LIMIT: u32, const KEEP: u32> Guard<P, LIMIT, KEEP> {
    /// Without a copy: zeros.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(KEEP > 0, "Guard: the number of samples from copy to copy must be at least 1") };
        Self {
            copy: P::ZERO,
            kept: false,
            refusals: Refusals::new(),
            stream: 0,
            accepted: 0,
            sum: 0.0,
            mark: 0.0,
            slack: 0.0,
            restored: 0,
        }
    }

    /// Takes a copy of the parameters as they are, unless one of them is infinite or NaN. Returns whether it did.
    pub fn keep<N, X, L, O>(&mut self, learner: &mut Learner<'_, N, X, L, O>) -> bool
    where
        N: Layer<X, Params = P>,
        X: Tensor,
        O: Training<N, X>,
    {
        let params = &mut learner.memory_mut().params;
        if !largest(params).is_finite() {
            return false;
        }
        copy(params, &mut self.copy);
        // Its loss is not known yet.
        (self.kept, self.mark, self.slack) = (true, f32::INFINITY, 1.0);
        self.begin();
        true
    }

    /// Takes in what became of a sample or a step, and hands it on; takes a copy or restores it, if it is time. Without a copy
    /// nothing is restored.
    pub fn watch<N, X, L, O, R>(&mut self, outcome: R, learner: &mut Learner<'_, N, X, L, O>) -> R
    where
        N: Layer<X, Params = P>,
        X: Tensor,
        O: Training<N, X>,
        R: Outcome,
    {
        let stream = learner.memory_mut().counters.stream;
        // A sample that the loss ignores is as if it had not been there.
        let ignored = outcome.loss().is_some() && stream == self.stream;
        self.stream = stream;
        if ignored {
            return outcome;
        }
        if self.refusals.watch(&outcome) {
            self.restore(learner);
        } else if outcome.sample() == Some(false) || outcome.step() == Some(false) {
            self.begin();
        } else if let Some(loss) = outcome.loss() {
            self.accepted += 1;
            self.sum += loss;
            if self.accepted == KEEP {
                self.consider(learner);
            }
        }
        outcome
    }

    /// Makes the copy the learner's parameters; returns whether there is one. [`watch`](Self::watch) does it when it is time.
    pub fn restore<N, X, L, O>(&mut self, learner: &mut Learner<'_, N, X, L, O>) -> bool
    where
        N: Layer<X, Params = P>,
        X: Tensor,
        O: Training<N, X>,
    {
        if self.kept {
            copy(&mut self.copy, learner.params_mut());
            learner.memory_mut().restart();
            self.restored = self.restored.saturating_add(1);
        }
        self.begin();
        self.kept
    }

    /// The copy, if there is one.
    pub const fn kept(&self) -> Option<&P> {
        if self.kept { Some(&self.copy) } else { None }
    }

    /// How often the copy was restored. Stays at `u32::MAX` once there.
    pub const fn restored(&self) -> u32 {
        self.restored
    }

    /// The refusals in a row so far.
    pub const fn refusals(&self) -> &Refusals<LIMIT> {
        &self.refusals
    }

    /// Takes a copy after samples that were accepted, if their loss and the parameters are as they should be.
    fn consider<N, X, L, O>(&mut self, learner: &mut Learner<'_, N, X, L, O>)
    where
        N: Layer<X, Params = P>,
        X: Tensor,
        O: Training<N, X>,
    {
        let mean = self.sum / KEEP as f32;
        let allowance = if self.mark.abs() > LEAST { self.mark.abs() } else { LEAST };
        let good = mean <= self.mark + self.slack * allowance
            && largest(learner.params()) <= self.slack * (2.0 * largest(&self.copy) + 1.0);
        if mean.is_finite() && (good || !self.kept) && self.keep(learner) {
            self.mark = mean;
        } else {
            self.slack *= 2.0;
            self.begin();
        }
    }

    /// Counts accepted samples afresh.
    const fn begin(&mut self) {
        (self.accepted, self.sum) = (0, 0.0);
    }
}

/// Copies slice by slice.
fn copy<P: Params>(from: &mut P, to: &mut P) {
    P::visit_mut([from, to], None, &mut |_, [from, to]| elementwise::copy(from, to));
}

impl<P: Params, const LIMIT: u32, const KEEP: u32> Default for Guard<P, LIMIT, KEEP> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Params, const LIMIT: u32, const KEEP: u32> fmt::Debug for Guard<P, LIMIT, KEEP> {
    /// Counters, not the copy.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("kept", &self.kept)
            .field("refusals", &self.refusals)
            .field("restored", &self.restored)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<P: Params, const LIMIT: u32, const KEEP: u32> defmt::Format for Guard<P, LIMIT, KEEP> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Guard {{ kept: {}, refusals: {}, restored: {} }}", self.kept, self.refusals, self.restored);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Exponential;
    use crate::{Adam, CrossEntropy, Dense, InPlace, MeanSquaredError, Memory, Optimizer, Relu, Rng, Sgd};

    type Net = (Dense<5>, Relu, Dense<3>);
    type P = <Net as Layer<[f32; 4]>>::Params;
    const BAD: [f32; 4] = [f32::NAN; 4];

    fn bits<P: Params>(params: &P) -> std::vec::Vec<u32> {
        let mut bits = std::vec::Vec::new();
        params.visit(None, &mut |_, values| bits.extend(values.iter().map(|value| value.to_bits())));
        bits
    }

    fn sample(rng: &mut Rng) -> [f32; 4] {
        [(); 4].map(|()| rng.symmetric(1.0))
    }

    #[test]
    fn a_row_of_refusals_is_counted_for_samples_and_for_steps() {
        let bad = ObserveError::Loss;
        let mut refusals = Refusals::<3>::new();
        let mut watch = |sample: bool| refusals.watch(&if sample { Ok(0.5) } else { Err(bad) });
        assert_eq!(
            [false, false, true, false, false, false].map(&mut watch),
            [false, false, false, false, false, true]
        );
        // And from the beginning.
        assert_eq!([false, false, false].map(&mut watch), [false, false, true]);

        // Accepted samples between refused steps do not end the row, nor does an update without samples.
        let mut refusals = Refusals::<2>::new();
        let step: Result<(), UpdateError> = Err(UpdateError::NotFinite);
        assert!(!refusals.watch(&step));
        assert!(!refusals.watch(&Ok::<f32, ObserveError>(0.5)));
        assert!(!refusals.watch(&Err::<(), _>(UpdateError::NothingObserved)));
        assert!(refusals.watch(&step));
        assert!(!refusals.watch(&Err::<f32, _>(TrainError::Update(UpdateError::NotFinite))));
        assert!(!refusals.watch(&Ok::<f32, TrainError>(0.5)));
        assert!(!refusals.watch(&Err::<f32, _>(TrainError::Update(UpdateError::NotFinite))));
        assert_eq!(refusals.in_a_row(), 1);
    }

    #[test]
    fn exploded_parameters_come_back_and_learning_goes_on() {
        fn check<O: Optimizer>(optimizer: O, spoil: impl Fn(&mut O), mend: impl Fn(&mut O)) {
            let (mut memory, mut guard, mut rng) = (Memory::new(), Guard::<P, 8, 16>::new(), Rng::new(5));
            let mut learner = Learner::new(&mut memory, Net::default(), MeanSquaredError, optimizer);
            learner.initialize(3);
            assert!(guard.keep(&mut learner));
            for _ in 0..40 {
                let x = sample(&mut rng);
                guard.watch(learner.train(&x, &[x[0], x[1], 0.5]), &mut learner).unwrap();
            }
            // Two copies were taken; eight more steps were not kept.
            let good = bits(guard.kept().unwrap());
            assert_ne!(good, bits(learner.params()));
            spoil(learner.optimizer_mut());
            let mut refused = 0;
            while guard.restored() == 0 {
                let x = sample(&mut rng);
                refused += u32::from(guard.watch(learner.train(&x, &[x[0], x[1], 0.5]), &mut learner).is_err());
                assert!(refused < 100);
            }
            assert_eq!(bits(learner.params()), good);
            assert_eq!((learner.pending(), learner.refused()), (0, refused));
            assert!(learner.moments().iter().all(|moments| bits(moments).iter().all(|bits| *bits == 0)));
            mend(learner.optimizer_mut());
            for _ in 0..40 {
                let x = sample(&mut rng);
                guard.watch(learner.train(&x, &[x[0], x[1], 0.5]), &mut learner).unwrap();
            }
            assert_eq!(guard.restored(), 1);
        }
        check(Sgd::new(0.05), |sgd| sgd.learning_rate = 1e9, |sgd| sgd.learning_rate = 0.05);
        check(Adam::new(0.01), |adam| adam.learning_rate = 1e30, |adam| adam.learning_rate = 0.01);
    }

    #[test]
    fn a_step_that_makes_parameters_large_is_not_kept() {
        let (mut memory, mut guard) = (Memory::new(), Guard::<P, 8, 4>::new());
        let mut learner = Learner::new(&mut memory, Net::default(), MeanSquaredError, Sgd::new(0.01));
        learner.initialize(3);
        guard.keep(&mut learner);
        let good = bits(guard.kept().unwrap());
        for step in 0..4 {
            // The fourth makes a window whole, and its step goes far off: nothing has been refused yet.
            learner.optimizer_mut().learning_rate = if step == 3 { 1e6 } else { 1e-30 };
            guard.watch(learner.train(&[1.0; 4], &[2.0; 3]), &mut learner).unwrap();
        }
        assert!(largest(learner.params()) > 100.0);
        assert_eq!(bits(guard.kept().unwrap()), good);
    }

    #[test]
    fn a_task_that_became_harder_gets_its_copy_in_the_end() {
        let (mut memory, mut guard) = (Memory::new(), Guard::<P, 8, 4>::new());
        let mut learner = Learner::new(&mut memory, Net::default(), MeanSquaredError, Sgd::new(1e-6));
        learner.initialize(3);
        guard.keep(&mut learner);
        let run = |guard: &mut Guard<P, 8, 4>,
                   learner: &mut Learner<'_, Net, [f32; 4], MeanSquaredError, Sgd>,
                   target: f32,
                   windows: u32| {
            for _ in 0..4 * windows {
                guard.watch(learner.train(&[0.1; 4], &[target; 3]), learner).unwrap();
            }
            bits(guard.kept().unwrap())
        };
        let easy = run(&mut guard, &mut learner, 0.2, 2);
        // A loss a thousand times as large: not at once, but after ten doublings or so.
        assert_eq!(run(&mut guard, &mut learner, 10.0, 5), easy);
        assert_ne!(run(&mut guard, &mut learner, 10.0, 10), easy);
    }

    #[test]
    fn it_guards_descent_in_place_and_mini_batches_and_passes_over_what_is_ignored() {
        let (mut memory, mut guard) = (Memory::new(), Guard::<P, 3>::new());
        let mut learner = Learner::new(&mut memory, Net::default(), CrossEntropy.ignore(2), InPlace::new(0.1));
        learner.initialize(3);
        guard.keep(&mut learner);
        let good = bits(learner.params());
        guard.watch(learner.train(&[0.5; 4], &1), &mut learner).unwrap();
        assert_ne!(bits(learner.params()), good);
        for sample in [BAD, [0.5; 4], BAD] {
            // An ignored one does not end the row.
            let _ = guard.watch(learner.train(&sample, &2), &mut learner);
        }
        assert_eq!((guard.refusals().in_a_row(), guard.restored()), (2, 0));
        assert!(guard.watch(learner.train(&BAD, &1), &mut learner).is_err());
        assert_eq!((guard.restored(), bits(learner.params())), (1, good));

        let (mut memory, mut guard) = (Memory::new(), Guard::<P, 2>::new());
        let optimizer = Sgd::new(0.1).schedule(Exponential::new(0.5));
        let mut learner = Learner::new(&mut memory, Net::default(), CrossEntropy, optimizer);
        learner.initialize(3);
        guard.watch(learner.observe(&[0.5; 4], &1), &mut learner).unwrap();
        guard.watch(learner.update(), &mut learner).unwrap();
        guard.keep(&mut learner);
        learner.optimizer_mut().optimizer.learning_rate = f32::NAN;
        for _ in 0..2 {
            guard.watch(learner.observe(&[0.5; 4], &1), &mut learner).unwrap();
            assert!(guard.watch(learner.update(), &mut learner).is_err());
        }
        // The gradient that led there is gone; the schedule goes on.
        assert_eq!((guard.restored(), learner.pending(), learner.optimizer_state().steps), (1, 0, 1));
    }

    #[test]
    fn without_a_copy_nothing_is_restored_and_bad_parameters_are_not_kept() {
        let (mut memory, mut guard) = (Memory::new(), Guard::<P, 1>::new());
        let mut learner = Learner::new(&mut memory, Net::default(), CrossEntropy, Sgd::new(0.1));
        learner.initialize(3);
        let before = bits(learner.params());
        assert!(guard.watch(learner.train(&BAD, &1), &mut learner).is_err());
        assert_eq!((guard.restored(), bits(learner.params())), (0, before));
        learner.params_mut().2.bias[0] = f32::NAN;
        assert!(!guard.keep(&mut learner) && guard.kept().is_none());
    }
}

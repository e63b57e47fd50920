//! A schedule of the learning rate.

use crate::optimizer::{Optimizer, State, Step};
use crate::params::Params;
use crate::schedule::Schedule;
use crate::tensor::Zero;

/// An optimizer whose learning rate follows a [`Schedule`], step by step.
///
/// The schedule gives a factor on the optimizer's own learning rate, which stays the setting to change. The count of
/// steps is in [`Memory`](crate::Memory); a refused step does not count. Built by [`Optimizer::schedule`].
///
/// ```
/// use backpass::schedule::Cosine;
/// use backpass::{CrossEntropy, Dense, Learner, Memory, Optimizer, Sgd};
/// let optimizer = Sgd::new(0.1).schedule(Cosine::new(50));
/// let mut memory = Memory::new();
/// let mut learner = Learner::new(&mut memory, Dense::<2>::new(), CrossEntropy, optimizer);
/// for _ in 0..25 {
///     learner.train(&[1.0, 2.0], &1)?;
/// }
/// let state = learner.optimizer_state();
/// assert_eq!(state.steps, 25);
/// assert_eq!(learner.optimizer().factor(state), 0.5);
/// learner.optimizer_mut().optimizer.learning_rate = 0.2; // all of the schedule twice as fast
/// # Ok::<(), backpass::TrainError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Scheduled<O, S> {
    /// The factor on the learning rate.
    pub schedule: S,
    /// What takes the step.
    pub optimizer: O,
}

/// What [`Scheduled`] keeps: the count of steps, what the schedule keeps, and what the optimizer keeps.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScheduledState<O, S> {
    /// The steps taken; stays at `u32::MAX` once there.
    pub steps: u32,
    /// The schedule's.
    pub schedule: S,
    /// The optimizer's.
    pub optimizer: O,
}

impl<O: Zero, S: Zero> Zero for ScheduledState<O, S> {
    const ZERO: Self = Self { steps: 0, schedule: S::ZERO, optimizer: O::ZERO };
}

impl<O: State, S: State> State for ScheduledState<O, S> {
    fn words(&mut self, visitor: &mut dyn FnMut(&mut u32)) {
        self.steps.words(visitor);
        self.schedule.words(visitor);
        self.optimizer.words(visitor);
    }
}

impl<O: Optimizer, S: Schedule> Scheduled<O, S> {
    /// The factor on the learning rate of the next step.
    pub fn factor(&self, state: &ScheduledState<O::State, S::State>) -> f32 {
        self.schedule.factor(state.steps, &state.schedule)
    }
}

impl<O: Optimizer, S: Schedule> Optimizer for Scheduled<O, S> {
    const NAME: &'static str = O::NAME;

    type Moments<P: Params> = O::Moments<P>;
    type State = ScheduledState<O::State, S::State>;

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut O::Moments<P>,
        state: &mut Self::State,
        step: Step<'_>,
    ) -> bool {
        let step = Step { rate: step.rate * self.factor(state), ..step };
        let taken = self.optimizer.step(params, gradients, moments, &mut state.optimizer, step);
        if taken {
            state.steps = state.steps.saturating_add(1);
        }
        taken
    }

    fn report(&self, metric: f32, state: &mut Self::State) {
        self.schedule.report(metric, &mut state.schedule);
        self.optimizer.report(metric, &mut state.optimizer);
    }
}

//! Linear warm-up.

use crate::schedule::Schedule;

/// Rises in a straight line from `start` to 1 over `steps` steps; then follows another schedule from its beginning.
///
/// PyTorch's `SequentialLR` of `LinearLR(start_factor, total_iters=steps)` and the other, with the milestone at `steps`. The
/// start is 1/3 as PyTorch's unless set.
///
/// ```
/// use backpass::schedule::{Cosine, LinearWarmup, Schedule};
/// let schedule = LinearWarmup { start: 0.2, ..LinearWarmup::new(4, Cosine::new(100)) };
/// assert_eq!([0, 2, 4, 54].map(|t| schedule.factor(t, &())), [0.2, 0.6, 1.0, 0.5]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LinearWarmup<S> {
    /// How long it rises.
    pub steps: u32,
    /// The factor of the first step.
    pub start: f32,
    /// What comes after it.
    pub after: S,
}

impl<S> LinearWarmup<S> {
    /// From a third to all of the learning rate in so many steps, and then `after`.
    pub const fn new(steps: u32, after: S) -> Self {
        Self { steps, start: 1.0 / 3.0, after }
    }
}

impl<S: Schedule> Schedule for LinearWarmup<S> {
    type State = S::State;

    fn factor(&self, steps: u32, state: &S::State) -> f32 {
        match steps.checked_sub(self.steps) {
            Some(behind) => self.after.factor(behind, state),
            None => self.start + (1.0 - self.start) * (steps as f32 / self.steps as f32),
        }
    }

    fn report(&self, metric: f32, state: &mut S::State) {
        self.after.report(metric, state);
    }
}

//! Reduction on a plateau.

use crate::math;
use crate::optimizer::State;
use crate::schedule::Schedule;
use crate::tensor::Zero;

/// Falls by a factor whenever a metric, such as a validation loss, has not got smaller for a while.
///
/// The metric comes by [`Learner::report`](crate::Learner::report), once an epoch say. It is better if it is below
/// `best (1 - threshold)`; after more than `patience` reports in a row that were not better, the factor is multiplied by
/// `gamma`, down to `minimum`, and the next `cooldown` reports do not count as worse. A metric that is infinite or NaN is not better.
///
/// PyTorch's `ReduceLROnPlateau` (its `factor` is `gamma` here) with mode `min` and a relative threshold, whose defaults these
/// are: 0.1, 10, 1e-4, 0 and 0. There is no `eps`: any reduction counts.
///
/// ```
/// use backpass::schedule::ReduceOnPlateau;
/// use backpass::{Adam, Dense, Learner, MeanSquaredError, Memory, Optimizer};
/// let schedule = ReduceOnPlateau { gamma: 0.5, patience: 1, ..ReduceOnPlateau::new() };
/// let mut memory = Memory::<_, [f32; 2], _>::new();
/// let optimizer = Adam::new(1e-3).schedule(schedule);
/// let mut learner = Learner::new(&mut memory, Dense::<1>::new(), MeanSquaredError, optimizer);
/// for (loss, factor) in [(0.9, 1.0), (0.7, 1.0), (0.7, 1.0), (0.8, 0.5)] {
///     learner.report(loss);
///     assert_eq!(learner.optimizer().factor(learner.optimizer_state()), factor);
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ReduceOnPlateau {
    /// What the factor is multiplied by.
    pub gamma: f32,
    /// How many reports in a row may not be better.
    pub patience: u32,
    /// The relative improvement from which a report is better.
    pub threshold: f32,
    /// How many reports after a reduction do not count as worse.
    pub cooldown: u32,
    /// The least factor.
    pub minimum: f32,
}

/// What [`ReduceOnPlateau`] keeps: 20 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PlateauState {
    /// The best metric so far, if any report was better.
    pub best: f32,
    /// 1 once a report was better; 0 before.
    pub improved: u32,
    /// Reports in a row that were not better.
    pub worse: u32,
    /// Reports left that do not count as worse.
    pub cooldown: u32,
    /// How often the factor fell; stays at `u32::MAX` once there.
    pub reductions: u32,
}

impl ReduceOnPlateau {
    /// With PyTorch's defaults.
    pub const fn new() -> Self {
        Self { gamma: 0.1, patience: 10, threshold: 1e-4, cooldown: 0, minimum: 0.0 }
    }
}

impl Default for ReduceOnPlateau {
    fn default() -> Self {
        Self::new()
    }
}

impl Zero for PlateauState {
    const ZERO: Self = Self { best: 0.0, improved: 0, worse: 0, cooldown: 0, reductions: 0 };
}

impl State for PlateauState {
    fn words(&mut self, visitor: &mut dyn FnMut(&mut u32)) {
        self.best.words(visitor);
        for word in [&mut self.improved, &mut self.worse, &mut self.cooldown, &mut self.reductions] {
            word.words(visitor);
        }
    }
}

impl Schedule for ReduceOnPlateau {
    type State = PlateauState;

    fn factor(&self, _: u32, state: &PlateauState) -> f32 {
        let factor = math::power(self.gamma, state.reductions);
        if state.reductions > 0 && factor < self.minimum { self.minimum } else { factor }
    }

    fn report(&self, metric: f32, state: &mut PlateauState) {
        let bound = if state.improved == 0 { f32::INFINITY } else { state.best * (1.0 - self.threshold) };
        if metric.is_finite() && metric < bound {
            (state.best, state.improved, state.worse) = (metric, 1, 0);
        } else {
            state.worse = state.worse.saturating_add(1);
        }
        if state.cooldown > 0 {
            (state.cooldown, state.worse) = (state.cooldown - 1, 0);
        }
        if state.worse > self.patience {
            state.reductions = state.reductions.saturating_add(1);
            (state.cooldown, state.worse) = (self.cooldown, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_that_is_not_finite_is_never_better() {
        let plateau = ReduceOnPlateau { patience: 2, ..ReduceOnPlateau::new() };
        let mut state = PlateauState::ZERO;
        for metric in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            plateau.report(metric, &mut state);
        }
        assert_eq!(state, PlateauState { reductions: 1, ..PlateauState::ZERO });
        plateau.report(0.5, &mut state);
        plateau.report(f32::NAN, &mut state);
        assert_eq!((state.best, state.worse), (0.5, 1));
    }

    #[test]
    fn the_words_of_the_state_are_all_of_it() {
        let mut state = PlateauState { best: 0.5, improved: 1, worse: 2, cooldown: 3, reductions: 4 };
        let mut words = std::vec::Vec::new();
        state.words(&mut |word| words.push(*word));
        assert_eq!(words, [0.5_f32.to_bits(), 1, 2, 3, 4]);
        assert_eq!(size_of::<PlateauState>(), 4 * words.len());
    }
}

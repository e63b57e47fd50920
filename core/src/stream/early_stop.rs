//! When to stop training.

use crate::checkpoint::{Archive, Persist};
use crate::stream::error::ValueError;

/// Early stopping: tells when a loss, the mean of an epoch or of a validation set say, has not got smaller for a while.
///
/// A loss is worse if it is above `best - tolerance`, where `best` is the smallest before it; after more than `patience` worse ones
/// in a row training should stop. scikit-learn's `MLPClassifier` stops so, with `tol` and `n_iter_no_change`, whose defaults these are:
/// 1e-4 and 10.
///
/// ```
/// use backpass::stream::EarlyStop;
/// let mut stop = EarlyStop::new().patience(2);
/// let losses = [0.9, 0.5, 0.4, 0.41, 0.42, 0.39, 0.4, 0.45, 0.4, 0.1];
/// let stopped = losses.iter().position(|loss| stop.update(*loss).unwrap());
/// assert_eq!((stopped, stop.best()), (Some(8), Some(0.39)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EarlyStop {
    patience: u32,
    tolerance: f32,
    best: Option<f32>,
    worse: u32,
}

impl EarlyStop {
    /// With scikit-learn's defaults.
    pub const fn new() -> Self {
        Self { patience: 10, tolerance: 1e-4, best: None, worse: 0 }
    }

    /// With another number of losses in a row that may be worse.
    #[must_use]
    pub const fn patience(self, patience: u32) -> Self {
        Self { patience, ..self }
    }

    /// With another difference by which a loss must be smaller than the best, in the unit of the loss.
    #[must_use]
    pub const fn tolerance(self, tolerance: f32) -> Self {
        Self { tolerance, ..self }
    }

    /// Takes the next loss. Whether training should stop, and whether it should have before.
    ///
    /// # Errors
    /// [`NotFinite`](ValueError::NotFinite); nothing has changed then.
    pub fn update(&mut self, loss: f32) -> Result<bool, ValueError> {
        if !loss.is_finite() {
            return Err(ValueError::NotFinite);
        }
        match self.best {
            Some(best) if loss > best - self.tolerance => self.worse = self.worse.saturating_add(1),
            _ => self.worse = 0,
        }
        self.best = Some(self.best.map_or(loss, |best| best.min(loss)));
        Ok(self.is_stopped())
    }

    /// Whether training should stop.
    pub const fn is_stopped(&self) -> bool {
        self.worse > self.patience
    }

    /// The smallest loss so far.
    pub const fn best(&self) -> Option<f32> {
        self.best
    }

    /// Forgets all losses. Settings stay.
    pub const fn reset(&mut self) {
        (self.best, self.worse) = (None, 0);
    }
}

impl Persist for EarlyStop {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.name("EarlyStop");
        let (mut known, mut best) = (self.best.is_some(), self.best.unwrap_or_default());
        archive.bool(&mut known);
        archive.finite(core::slice::from_mut(&mut best));
        self.best = known.then_some(best);
        archive.u32(&mut self.worse);
    }
}

impl Default for EarlyStop {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_falls_too_slowly_stops_too() {
        let mut stop = EarlyStop::new().patience(3).tolerance(0.1);
        let stopped = (0..).position(|i| stop.update(10.0 - 0.05 * i as f32).unwrap());
        // The first, then four that are worse.
        assert_eq!(stopped, Some(4));
        assert!(stop.is_stopped());
        stop.update(-100.0).unwrap();
        assert!(!stop.is_stopped());
        stop.reset();
        assert_eq!(stop.best(), None);
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let mut stop = EarlyStop::new().patience(0);
        stop.update(1.0).unwrap();
        let before = stop;
        assert_eq!(stop.update(f32::NAN), Err(ValueError::NotFinite));
        assert_eq!(stop, before);
        stop.worse = u32::MAX;
        stop.update(1.0).unwrap();
        assert_eq!(stop.worse, u32::MAX);
    }
}

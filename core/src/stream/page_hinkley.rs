//! The test of Page and Hinkley.

use crate::checkpoint::{Archive, Persist};
use crate::stream::compensated::Compensated;
use crate::stream::drift::Drift;
use crate::stream::error::ValueError;
use crate::stream::mean::Mean;

/// Which change of the mean is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Side {
    /// That it rises: of a loss, that it got worse.
    Up,
    /// That it falls.
    Down,
    /// Either.
    Both,
}

/// The Page-Hinkley test: how far the sum of `x - mean - delta` has risen above its minimum.
///
/// With a running mean of all values, `up = alpha up + x - mean - delta` and `down = alpha down + x - mean + delta`. From value
/// `min_instances` on there is a change when `up` is more than `threshold` above its minimum so far, or `down` is more than that
/// below its maximum. The threshold has the unit of the values; multiply it to be told later, of larger changes.
///
/// `river.drift.PageHinkley`, with its defaults: both sides, delta 0.005, threshold 50, alpha 0.9999, from 30 values on. Its maximum begins at
/// -1, and so does this one. Source: Page, "Continuous inspection schemes" (Biometrika 1954). Sums are kept in two `f32`, so
/// values are within 1e-5 of the threshold of those of `f64`.
///
/// ```
/// use backpass::stream::{Drift, PageHinkley, Side};
/// let mut detector = PageHinkley::new().threshold(10.0).side(Side::Up);
/// for loss in [0.5; 100] {
///     assert!(!detector.update(loss)?);
/// }
/// let after = (1..).find(|_| detector.update(1.5).unwrap());
/// assert_eq!(after, Some(11));
/// # Ok::<(), backpass::stream::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PageHinkley {
    min_instances: u32,
    delta: f32,
    threshold: f32,
    alpha: f32,
    side: Side,
    state: State,
}

/// What changes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct State {
    mean: Mean,
    up: Compensated,
    down: Compensated,
    least_up: f32,
    most_down: f32,
    detected: bool,
}

impl State {
    /// Before the first value. The minimum is then that of the first, whatever it is.
    const START: Self = Self {
        mean: Mean::new(),
        up: Compensated::ZERO,
        down: Compensated::ZERO,
        least_up: 0.0,
        most_down: -1.0,
        detected: false,
    };

    fn is_finite(&self) -> bool {
        self.up.value().is_finite() && self.down.value().is_finite()
    }
}

impl PageHinkley {
    /// With river's defaults.
    pub const fn new() -> Self {
        Self { min_instances: 30, delta: 0.005, threshold: 50.0, alpha: 0.9999, side: Side::Both, state: State::START }
    }

    /// With another least number of values before a change is told of.
    #[must_use]
    pub const fn min_instances(self, min_instances: u32) -> Self {
        Self { min_instances, ..self }
    }

    /// With another change of the mean that is tolerated, in the unit of the values.
    #[must_use]
    pub const fn delta(self, delta: f32) -> Self {
        Self { delta, ..self }
    }

    /// With another distance that the sum may go, in the unit of the values.
    #[must_use]
    pub const fn threshold(self, threshold: f32) -> Self {
        Self { threshold, ..self }
    }

    /// With another share of the sum that is left at each value: 1 forgets nothing.
    #[must_use]
    pub const fn alpha(self, alpha: f32) -> Self {
        Self { alpha, ..self }
    }

    /// Looking for another change.
    #[must_use]
    pub const fn side(self, side: Side) -> Self {
        Self { side, ..self }
    }

    /// How far the sum has risen above its minimum, and fallen below its maximum: what is compared with the threshold.
    pub const fn sums(&self) -> [f32; 2] {
        let State { up, down, least_up, most_down, .. } = self.state;
        [up.value() - least_up, most_down - down.value()]
    }

    /// The mean of the values since the start.
    pub const fn mean(&self) -> f32 {
        self.state.mean.get()
    }
}

impl Drift for PageHinkley {
    fn update(&mut self, value: f32) -> Result<bool, ValueError> {
        let mut state = if self.state.detected { State::START } else { self.state };
        state.mean.update(value)?;
        let deviation = state.mean.distance_to(value);
        // alpha s = s - (1 - alpha) s: what is small is rounded, not what is large.
        let forgotten = |sum: Compensated| sum.plus(-(1.0 - self.alpha) * sum.value());
        state.up = forgotten(state.up).plus(deviation).plus(-self.delta);
        state.down = forgotten(state.down).plus(deviation).plus(self.delta);
        if !state.is_finite() {
            return Err(ValueError::TooLarge);
        }
        if state.mean.count() == 1 || state.up.value() < state.least_up {
            state.least_up = state.up.value();
        }
        if state.down.value() > state.most_down {
            state.most_down = state.down.value();
        }
        self.state = state;
        let [up, down] = self.sums().map(|sum| sum > self.threshold);
        self.state.detected = state.mean.count() >= self.min_instances
            && match self.side {
                Side::Up => up,
                Side::Down => down,
                Side::Both => up || down,
            };
        Ok(self.state.detected)
    }

    fn is_detected(&self) -> bool {
        self.state.detected
    }

    fn reset(&mut self) {
        self.state = State::START;
    }
}

impl Persist for PageHinkley {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.name("PageHinkley");
        let State { mean, up, down, least_up, most_down, detected } = &mut self.state;
        mean.persist(archive);
        up.persist(archive, f32::MAX);
        down.persist(archive, f32::MAX);
        for value in [least_up, most_down] {
            let value = archive.f32(value);
            archive.require(value.is_finite());
        }
        archive.bool(detected);
    }
}

impl Default for PageHinkley {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_is_told_of_alone() {
        let first = |side, to: f32| {
            let mut detector = PageHinkley::new().threshold(5.0).side(side);
            for _ in 0..50 {
                assert_eq!(detector.update(1.0), Ok(false));
            }
            (0..100).find(|_| detector.update(to).unwrap())
        };
        assert!(first(Side::Up, 2.0).is_some() && first(Side::Up, 0.0).is_none());
        assert!(first(Side::Down, 2.0).is_none() && first(Side::Down, 0.0).is_some());
        assert!(first(Side::Both, 2.0).is_some() && first(Side::Both, 0.0).is_some());
    }

    #[test]
    fn after_an_alarm_it_starts_afresh() {
        let mut detector = PageHinkley::new().threshold(5.0);
        (0..50).for_each(|_| assert_eq!(detector.update(0.0), Ok(false)));
        assert!((0..50).any(|_| detector.update(1.0).unwrap()));
        assert!(detector.is_detected());
        detector.update(1.0).unwrap();
        assert!(!detector.is_detected());
        let mut fresh = PageHinkley::new().threshold(5.0);
        fresh.update(1.0).unwrap();
        assert_eq!(detector, fresh);
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let mut detector = PageHinkley::new();
        detector.update(1.0).unwrap();
        let before = detector;
        assert_eq!(detector.update(f32::NAN), Err(ValueError::NotFinite));
        assert_eq!(detector.update(1e20), Err(ValueError::TooLarge));
        assert_eq!(detector, before);
        // A setting that makes the sums infinite.
        detector.delta = f32::MAX;
        detector.update(1.0).unwrap();
        let before = detector;
        assert_eq!(detector.update(1.0), Err(ValueError::TooLarge));
        assert_eq!(detector, before);
    }
}

//! Cosine annealing.

use crate::math;
use crate::schedule::Schedule;

/// Falls from 1 to `minimum` over `period` steps along half a cosine:
/// `minimum + (1 - minimum) (1 + cos(π t / period)) / 2` after `t` steps.
///
/// Without restarts it then stays at the minimum: PyTorch's `CosineAnnealingLR` up to its `T_max`. With
/// [`restarts`](Self::restarts) it starts again from 1, each period `multiplier` times as long as the one before: PyTorch's
/// `CosineAnnealingWarmRestarts` with `T_0`, `T_mult` and `eta_min` as a factor. Source: Loshchilov and Hutter, "SGDR:
/// stochastic gradient descent with warm restarts" (2017).
///
/// Error below 1e-6 of the value while a period has at most 2²⁴ steps; a period of 0 counts as 1.
///
/// ```
/// use backpass::schedule::{Cosine, Schedule};
/// let once = Cosine::new(10);
/// assert_eq!([0, 5, 10, 11].map(|t| once.factor(t, &())), [1.0, 0.5, 0.0, 0.0]);
/// let again = Cosine { minimum: 0.1, ..Cosine::new(10).restarts(2) };
/// assert_eq!(again.factor(10, &()), 1.0);
/// assert_eq!(again.factor(20, &()), 0.55); // half of the second period
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Cosine {
    /// The steps of the first period.
    pub period: u32,
    /// The ratio of a period's length to that of the one before; 0: there is one period only.
    pub multiplier: u32,
    /// The factor at the end of a period.
    pub minimum: f32,
}

impl Cosine {
    /// Once from 1 to 0, over so many steps.
    pub const fn new(period: u32) -> Self {
        Self { period, multiplier: 0, minimum: 0.0 }
    }

    /// With warm restarts, each period `multiplier` times as long as the one before.
    #[must_use]
    pub const fn restarts(self, multiplier: u32) -> Self {
        Self { multiplier, ..self }
    }

    /// The steps behind the start of the current period, and that period.
    fn position(&self, steps: u32) -> (u32, u32) {
        let period = self.period.max(1);
        match self.multiplier {
            0 => (steps, period),
            1 => (steps % period, period),
            multiplier => {
                // At most 32 periods, each at least twice as long as the one before, hold every count of steps.
                let (mut steps, mut period) = (steps, period);
                while let Some(rest) = steps.checked_sub(period) {
                    steps = rest;
                    period = period.saturating_mul(multiplier);
                }
                (steps, period)
            }
        }
    }
}

impl Schedule for Cosine {
    type State = ();

    fn factor(&self, steps: u32, (): &()) -> f32 {
        let (elapsed, period) = self.position(steps);
        self.minimum + (1.0 - self.minimum) * math::half_cosine(elapsed as f32, period as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_count_of_steps_ends_in_some_period() {
        for (period, multiplier) in [(0, 0), (0, 1), (0, 2), (1, 2), (1, u32::MAX), (u32::MAX, 7), (7, 3)] {
            let cosine = Cosine { period, multiplier, minimum: 0.25 };
            for steps in [0, 1, 6, 7, 1 << 31, u32::MAX - 1, u32::MAX] {
                assert!((0.25..=1.0).contains(&cosine.factor(steps, &())), "{cosine:?} after {steps}");
            }
            assert_eq!(cosine.factor(0, &()), 1.0);
        }
    }

    #[test]
    fn the_error_is_within_the_stated_bound() {
        for (period, minimum) in [(60_u32, 0.0_f32), (60, 0.1), (1001, 0.0), (1 << 24, 0.0), (1 << 24, 0.25)] {
            let cosine = Cosine { minimum, ..Cosine::new(period) };
            for steps in (0..period).step_by(1 + period as usize / 3000) {
                let left = 1.0 - f64::from(steps) / f64::from(period);
                let half = (std::f64::consts::FRAC_PI_2 * left).sin().powi(2);
                let exact = f64::from(minimum) + (1.0 - f64::from(minimum)) * half;
                let error = (f64::from(cosine.factor(steps, &())) - exact).abs();
                assert!(error < 1e-6 * exact, "{steps} of {period}: {error:e} of {exact:e}");
            }
        }
    }

    #[test]
    fn a_period_begins_where_the_one_before_ends() {
        let cosine = Cosine::new(3).restarts(2);
        let starts: std::vec::Vec<u32> = (0..100).filter(|t| cosine.position(*t).0 == 0).collect();
        assert_eq!(starts, [0, 3, 9, 21, 45, 93]);
    }
}

//! One cycle.

use crate::math;
use crate::schedule::Schedule;

/// Rises from `1 / div_factor` to 1 and falls to `1 / (div_factor final_div_factor)`, each along half a cosine; the
/// optimizer's learning rate is the largest.
///
/// PyTorch's `OneCycleLR` with cosine annealing, two phases and momentum left alone (`cycle_momentum=False`): the top is at
/// step `pct_start steps - 1`, the end at step `steps - 1`, counted from 0. Behind the end, where PyTorch raises an error, it
/// stays. Defaults are PyTorch's: 0.3, 25 and 1e4. Source: Smith and Topin, "Super-convergence" (2018).
///
/// Error below 1e-6 of the value for a cycle of up to 2¹⁶ steps and below 1e-5 for up to 2²⁴, measured with a last factor of
/// 1/500.
///
/// ```
/// use backpass::schedule::{OneCycle, Schedule};
/// let cycle = OneCycle::new(100);
/// assert_eq!(cycle.factor(0, &()), 0.04);
/// assert_eq!(cycle.factor(29, &()), 1.0);
/// assert!((cycle.factor(99, &()) - 4e-6).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OneCycle {
    /// The steps of the whole cycle.
    pub steps: u32,
    /// The part of the cycle in which it rises.
    pub pct_start: f32,
    /// What the largest factor, 1, is divided by at the start.
    pub div_factor: f32,
    /// What the factor at the start is divided by at the end.
    pub final_div_factor: f32,
}

impl OneCycle {
    /// The usual cycle, over so many steps.
    pub const fn new(steps: u32) -> Self {
        Self { steps, pct_start: 0.3, div_factor: 25.0, final_div_factor: 1e4 }
    }
}

impl Schedule for OneCycle {
    type State = ();

    fn factor(&self, steps: u32, (): &()) -> f32 {
        let (elapsed, total) = (steps as f32, self.steps as f32);
        let (top, start) = (self.pct_start * total - 1.0, 1.0 / self.div_factor);
        if elapsed < top {
            start + (1.0 - start) * math::half_cosine(top - elapsed, top)
        } else {
            let end = start / self.final_div_factor;
            end + (1.0 - end) * math::half_cosine(elapsed - top, total - 1.0 - top)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_falls_and_stays() {
        let cycle = OneCycle::new(50);
        let factors: std::vec::Vec<f32> = (0..60).map(|t| cycle.factor(t, &())).collect();
        assert!(factors[..15].is_sorted_by(|a, b| a < b));
        assert!(factors[14..50].is_sorted_by(|a, b| a > b));
        assert!(factors[50..].iter().all(|factor| *factor == factors[49]));
    }

    #[test]
    fn the_error_is_within_the_stated_bound() {
        for (total, bound) in [(10_u32, 1e-6), (60, 1e-6), (1001, 1e-6), (1 << 16, 1e-6), (1 << 24, 1e-5)] {
            let cycle = OneCycle { pct_start: 0.27, div_factor: 10.0, final_div_factor: 50.0, ..OneCycle::new(total) };
            let (top, start) = (f64::from(0.27_f32) * f64::from(total) - 1.0, 0.1);
            let half = |x: f64| (1.0 + (std::f64::consts::PI * x).cos()) / 2.0;
            for steps in (0..total).step_by(1 + total as usize / 3000) {
                let t = f64::from(steps);
                let exact = if t <= top {
                    1.0 + (start - 1.0) * half(t / top)
                } else {
                    0.002 + 0.998 * half((t - top) / (f64::from(total) - 1.0 - top))
                };
                let error = (f64::from(cycle.factor(steps, &())) - exact).abs();
                assert!(error < bound * exact, "{steps} of {total}: {error:e} of {exact:e}");
            }
        }
    }

    #[test]
    fn a_cycle_without_room_is_over_at_once() {
        assert_eq!(OneCycle { pct_start: 0.1, ..OneCycle::new(10) }.factor(0, &()), 1.0);
        for steps in [0, 1] {
            assert!((OneCycle::new(steps).factor(1, &()) - 4e-6).abs() < 1e-12);
        }
    }
}

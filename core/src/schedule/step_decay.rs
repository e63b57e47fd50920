//! Decay in steps.

use crate::math;
use crate::schedule::Schedule;

/// Falls by a factor every `period` steps: `gammaᵏ` with `k = ⌊t / period⌋` after `t` steps. PyTorch's `StepLR`.
///
/// The power is taken by repeated squaring; its relative error is below `6e-8 k`. A period of 0 counts as 1.
///
/// ```
/// use backpass::schedule::{Schedule, StepDecay};
/// let halves = StepDecay::new(100, 0.5);
/// assert_eq!([0, 99, 100, 250].map(|t| halves.factor(t, &())), [1.0, 1.0, 0.5, 0.25]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StepDecay {
    /// The steps from one fall to the next.
    pub period: u32,
    /// The factor by which it falls.
    pub gamma: f32,
}

impl StepDecay {
    /// With the steps from one fall to the next, and the factor.
    pub const fn new(period: u32, gamma: f32) -> Self {
        Self { period, gamma }
    }
}

impl Schedule for StepDecay {
    type State = ();

    fn factor(&self, steps: u32, (): &()) -> f32 {
        math::power(self.gamma, steps.checked_div(self.period).unwrap_or(steps))
    }
}

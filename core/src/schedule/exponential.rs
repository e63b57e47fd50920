//! Exponential decay.

use crate::math;
use crate::schedule::Schedule;

/// Falls by the same factor at every step: `gammaᵗ` after `t` steps. PyTorch's `ExponentialLR`.
///
/// The power is taken by repeated squaring; its relative error is below `6e-8 t`.
///
/// ```
/// use backpass::schedule::{Exponential, Schedule};
/// assert_eq!(Exponential::new(0.5).factor(3, &()), 0.125);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Exponential {
    /// The factor from one step to the next.
    pub gamma: f32,
}

impl Exponential {
    /// With the factor from one step to the next.
    pub const fn new(gamma: f32) -> Self {
        Self { gamma }
    }
}

impl Schedule for Exponential {
    type State = ();

    fn factor(&self, steps: u32, (): &()) -> f32 {
        math::power(self.gamma, steps)
    }
}

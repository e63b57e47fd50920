//! Adadelta.

use crate::kernel::descent::{descend_within, tame};
use crate::math;
use crate::optimizer::decay::Decay;
use crate::optimizer::{Optimizer, Step};
use crate::params::Params;

/// Adadelta: `s ← ρ s + (1 - ρ) g²`, `Δ = g √(u + ε) / √(s + ε)`, `u ← ρ u + (1 - ρ) Δ²`, `w ← w - lr Δ`. Keeps two moments
/// a parameter.
///
/// Decoupled weight decay `λ` first takes `w ← (1 - lr λ) w`; an L2 penalty `g ← g + l2 w` (PyTorch's `weight_decay`).
/// Sources: Zeiler, "ADADELTA: an adaptive learning rate method" (2012), where lr is 1; PyTorch's `Adadelta`, whose defaults
/// these are: ρ 0.9, ε 1e-6, and a learning rate of 1.
///
/// ```
/// use backpass::Adadelta;
/// let adadelta = Adadelta { rho: 0.95, ..Adadelta::new(1.0) };
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Adadelta {
    /// The learning rate, lr.
    pub learning_rate: f32,
    /// The decay of both moments, ρ.
    pub rho: f32,
    /// What keeps the division finite, and the first steps from being zero, ε.
    pub epsilon: f32,
    /// The decoupled weight decay, λ.
    pub weight_decay: f32,
    /// The L2 penalty.
    pub l2: f32,
}

impl Adadelta {
    /// The rule with its usual decay of the moments and without weight decay.
    pub const fn new(learning_rate: f32) -> Self {
        Self { learning_rate, rho: 0.9, epsilon: 1e-6, weight_decay: 0.0, l2: 0.0 }
    }

    /// With decoupled weight decay.
    #[must_use]
    pub const fn weight_decay(self, weight_decay: f32) -> Self {
        Self { weight_decay, ..self }
    }

    /// With an L2 penalty: its gradient, `l2 w`, is added to each gradient.
    #[must_use]
    pub const fn l2(self, l2: f32) -> Self {
        Self { l2, ..self }
    }
}

impl Optimizer for Adadelta {
    const NAME: &'static str = "Adadelta";

    type Moments<P: Params> = [P; 2];
    type State = ();

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut [P; 2],
        (): &mut (),
        step: Step<'_>,
    ) -> bool {
        let Self { rho, epsilon, .. } = *self;
        let alpha = 1.0 - rho;
        descend_within(
            params,
            gradients,
            moments,
            step,
            tame(&[self.learning_rate, self.weight_decay, self.l2], &[rho], epsilon),
            |slice| {
                let rate = self.learning_rate * slice.rate();
                let decay = Decay::new(rate, self.weight_decay, self.l2);
                move |p, g, [s, u]| {
                    let g = decay.gradient(p, g);
                    let s = rho * s + alpha * (g * g);
                    let delta = g * (math::sqrt(u + epsilon) / math::sqrt(s + epsilon));
                    let u = rho * u + alpha * (delta * delta);
                    (decay.weight(p) - rate * delta, [s, u])
                }
            },
        )
    }
}

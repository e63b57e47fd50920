//! Lion.

use crate::kernel::descent::{descend_within, tame};
use crate::optimizer::decay::Decay;
use crate::optimizer::{Optimizer, Step};
use crate::params::Params;

/// Lion: `w ← w - lr sign(β₁ m + (1 - β₁) g)`, then `m ← β₂ m + (1 - β₂) g`. Keeps one moment a parameter.
///
/// The sign of zero is zero. Every step has the same size, so the learning rate is usually a third to a tenth of Adam's.
/// Decoupled weight decay `λ`, as in the paper, first takes `w ← (1 - lr λ) w`; an L2 penalty `g ← g + l2 w`. Source:
/// Chen et al., "Symbolic discovery of optimization algorithms" (2023), algorithm 2, with its β₁ 0.9 and β₂ 0.99.
///
/// ```
/// use backpass::Lion;
/// let lion = Lion::new(1e-4).weight_decay(0.1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Lion {
    /// The learning rate, lr.
    pub learning_rate: f32,
    /// How much of the moment is in the direction of a step, β₁.
    pub beta1: f32,
    /// The decay of the moment, β₂.
    pub beta2: f32,
    /// The decoupled weight decay, λ.
    pub weight_decay: f32,
    /// The L2 penalty.
    pub l2: f32,
}

impl Lion {
    /// The rule with its usual decays and without weight decay.
    pub const fn new(learning_rate: f32) -> Self {
        Self { learning_rate, beta1: 0.9, beta2: 0.99, weight_decay: 0.0, l2: 0.0 }
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

impl Optimizer for Lion {
    const NAME: &'static str = "Lion";

    type Moments<P: Params> = [P; 1];
    type State = ();

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut [P; 1],
        (): &mut (),
        step: Step<'_>,
    ) -> bool {
        let Self { beta1, beta2, .. } = *self;
        let (alpha1, alpha2) = (1.0 - beta1, 1.0 - beta2);
        descend_within(
            params,
            gradients,
            moments,
            step,
            tame(&[self.learning_rate, self.weight_decay, self.l2], &[beta1, beta2], 1.0),
            |slice| {
                let rate = self.learning_rate * slice.rate();
                let decay = Decay::new(rate, self.weight_decay, self.l2);
                move |p, g, [m]| {
                    let g = decay.gradient(p, g);
                    let direction = sign(beta1 * m + alpha1 * g);
                    (decay.weight(p) - rate * direction, [beta2 * m + alpha2 * g])
                }
            },
        )
    }
}

/// 1, -1, or zero for zero; NaN stays NaN, so that the step is refused.
const fn sign(x: f32) -> f32 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        x
    }
}

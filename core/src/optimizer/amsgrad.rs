//! AMSGrad.

use crate::kernel::descent::{descend_within, tame};
use crate::math;
use crate::optimizer::adam::AdamState;
use crate::optimizer::decay::Decay;
use crate::optimizer::{Optimizer, Step};
use crate::params::Params;

/// AMSGrad: [`Adam`](crate::Adam), whose step is divided by the largest second moment so far: `v̂ ← max(v̂, v)`,
/// `w ← w - lr (m / c₁) / (√(v̂ / c₂) + ε)`. Keeps three moments a parameter.
///
/// Weight decay as in Adam, both ways. Sources: Reddi, Kale and Kumar, "On the convergence of Adam and beyond" (2018); the
/// bias corrections are those of PyTorch's `Adam(amsgrad=True)`, and so are the defaults: β₁ 0.9, β₂ 0.999, ε 1e-8.
///
/// ```
/// use backpass::{AmsGrad, Dense, Memory};
/// let amsgrad = AmsGrad::new(1e-3).weight_decay(0.01);
/// type Ram = Memory<Dense<2>, [f32; 3], AmsGrad>;
/// assert_eq!(Ram::MOMENTS, 3 * Ram::PARAMETERS);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AmsGrad {
    /// The learning rate, lr.
    pub learning_rate: f32,
    /// The decay of the first moment, β₁.
    pub beta1: f32,
    /// The decay of the second moment, β₂.
    pub beta2: f32,
    /// What keeps the division finite, ε.
    pub epsilon: f32,
    /// The decoupled weight decay, λ.
    pub weight_decay: f32,
    /// The L2 penalty.
    pub l2: f32,
}

impl AmsGrad {
    /// The rule with its usual decays and without weight decay.
    pub const fn new(learning_rate: f32) -> Self {
        Self { learning_rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, l2: 0.0 }
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

impl Optimizer for AmsGrad {
    const NAME: &'static str = "AmsGrad";

    type Moments<P: Params> = [P; 3];
    type State = AdamState;

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut [P; 3],
        state: &mut AdamState,
        step: Step<'_>,
    ) -> bool {
        let Self { beta1, beta2, epsilon, .. } = *self;
        let (alpha1, alpha2) = (1.0 - beta1, 1.0 - beta2);
        let next = state.next(beta1, beta2);
        let root = 1.0 / math::sqrt(next.correction2);
        let taken = descend_within(
            params,
            gradients,
            moments,
            step,
            tame(&[self.learning_rate, self.weight_decay, self.l2], &[beta1, beta2], epsilon),
            |slice| {
                let rate = self.learning_rate * slice.rate();
                let decay = Decay::new(rate, self.weight_decay, self.l2);
                let rate = rate / next.correction1;
                move |p, g, [m, v, largest]| {
                    let g = decay.gradient(p, g);
                    let m = beta1 * m + alpha1 * g;
                    let v = beta2 * v + alpha2 * (g * g);
                    let largest = if v > largest { v } else { largest };
                    (decay.weight(p) - rate * (m / (math::sqrt(largest) * root + epsilon)), [m, v, largest])
                }
            },
        );
        if taken {
            *state = next;
        }
        taken
    }
}

//! Adam and AdamW.

use crate::kernel::descent::{descend_within, tame};
use crate::math;
use crate::optimizer::decay::Decay;
use crate::optimizer::{Optimizer, State, Step};
use crate::params::Params;
use crate::tensor::Zero;

/// Adam: `m ← β₁ m + (1 - β₁) g`, `v ← β₂ v + (1 - β₂) g²`, `w ← w - lr (m / c₁) / (√(v / c₂) + ε)` with the bias
/// corrections `c = 1 - βᵗ` at step `t`. Keeps two moments a parameter.
///
/// **AdamW** is this rule with decoupled weight decay `λ`, which first takes `w ← (1 - lr λ) w`: [`Adam::adamw`]. An L2
/// penalty takes `g ← g + l2 w` (the `weight_decay` of PyTorch's `Adam`). Sources: Kingma and Ba, "Adam: a method for
/// stochastic optimization" (2015); Loshchilov and Hutter, "Decoupled weight decay regularization" (2019). Defaults are
/// theirs and PyTorch's: β₁ 0.9, β₂ 0.999, ε 1e-8.
///
/// ```
/// use backpass::Adam;
/// let adam_w = Adam::adamw(1e-3);
/// assert_eq!(adam_w, Adam::new(1e-3).weight_decay(0.01));
/// let adam = Adam { epsilon: 1e-6, ..Adam::new(1e-3) };
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[doc(alias = "AdamW")]
pub struct Adam {
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

impl Adam {
    /// The rule with its usual decays and without weight decay.
    pub const fn new(learning_rate: f32) -> Self {
        Self { learning_rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, l2: 0.0 }
    }

    /// AdamW, with PyTorch's decoupled weight decay of 0.01.
    pub const fn adamw(learning_rate: f32) -> Self {
        Self::new(learning_rate).weight_decay(0.01)
    }

    /// With decoupled weight decay (AdamW).
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

/// Adam's bias corrections, `1 - βᵗ` after `t` steps: zero at first, brought forward by `c ← β c + (1 - β)`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AdamState {
    /// 1 - β₁ᵗ.
    pub correction1: f32,
    /// 1 - β₂ᵗ.
    pub correction2: f32,
}

impl AdamState {
    /// After one more step. Moments take the same factors `β` and `1 - β`, so their rounding cancels.
    pub(crate) const fn next(self, beta1: f32, beta2: f32) -> Self {
        Self {
            correction1: beta1 * self.correction1 + (1.0 - beta1),
            correction2: beta2 * self.correction2 + (1.0 - beta2),
        }
    }
}

impl Zero for AdamState {
    const ZERO: Self = Self { correction1: 0.0, correction2: 0.0 };
}

impl State for AdamState {
    fn words(&mut self, visitor: &mut dyn FnMut(&mut u32)) {
        self.correction1.words(visitor);
        self.correction2.words(visitor);
    }
}

impl Optimizer for Adam {
    const NAME: &'static str = "Adam";

    type Moments<P: Params> = [P; 2];
    type State = AdamState;

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut [P; 2],
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
                move |p, g, [m, v]| {
                    let g = decay.gradient(p, g);
                    let m = beta1 * m + alpha1 * g;
                    let v = beta2 * v + alpha2 * (g * g);
                    (decay.weight(p) - rate * (m / (math::sqrt(v) * root + epsilon)), [m, v])
                }
            },
        );
        if taken {
            *state = next;
        }
        taken
    }
}

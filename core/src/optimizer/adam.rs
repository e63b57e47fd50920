//! Adam.

use crate::kernel::descent;
use crate::math;
use crate::optimizer::Optimizer;
use crate::params::Params;
use crate::tensor::Zero;

/// Adam: `m ← β₁ m + (1 - β₁) g`, `v ← β₂ v + (1 - β₂) g²`, `w ← w - lr (m / c₁) / (√(v / c₂) + ε)` with the bias
/// corrections `c = 1 - βᵗ` at step `t`. Keeps two moments a parameter.
///
/// Decoupled weight decay `λ` (AdamW) first takes `w ← (1 - lr λ) w`. Sources: Kingma and Ba, "Adam: a method for
/// stochastic optimization" (2015); Loshchilov and Hutter, "Decoupled weight decay regularization" (2019). Defaults are
/// theirs and PyTorch's: β₁ 0.9, β₂ 0.999, ε 1e-8.
///
/// ```
/// use backpass::Adam;
/// let adam_w = Adam::new(1e-3).weight_decay(0.01);
/// let adam = Adam { epsilon: 1e-6, ..Adam::new(1e-3) };
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
}

impl Adam {
    /// The rule with its usual decays and without weight decay.
    pub const fn new(learning_rate: f32) -> Self {
        Self { learning_rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }

    /// With decoupled weight decay (AdamW).
    #[must_use]
    pub const fn weight_decay(self, weight_decay: f32) -> Self {
        Self { weight_decay, ..self }
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

impl Zero for AdamState {
    const ZERO: Self = Self { correction1: 0.0, correction2: 0.0 };
}

impl Optimizer for Adam {
    type Moments<P: Params> = [P; 2];
    type State = AdamState;

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        [first, second]: &mut [P; 2],
        state: &mut AdamState,
        scale: f32,
    ) -> bool {
        let Self { learning_rate: rate, beta1, beta2, epsilon, weight_decay } = *self;
        // Moments and corrections share these factors, so their rounding cancels.
        let (alpha1, alpha2) = (1.0 - beta1, 1.0 - beta2);
        let next = AdamState {
            correction1: beta1 * state.correction1 + alpha1,
            correction2: beta2 * state.correction2 + alpha2,
        };
        let (keep, rate) = (1.0 - rate * weight_decay, rate / next.correction1);
        let root = 1.0 / math::sqrt(next.correction2);
        let rule = |p: f32, g: f32, [m, v]: [f32; 2]| {
            let g = g * scale;
            let m = beta1 * m + alpha1 * g;
            let v = beta2 * v + alpha2 * (g * g);
            (keep * p - rate * (m / (math::sqrt(v) * root + epsilon)), [m, v])
        };
        let mut finite = true;
        P::visit_mut([&mut *params, &mut *gradients, &mut *first, &mut *second], None, &mut |_, [p, g, m, v]| {
            finite &= descent::is_finite(descent::with_moments(p, g, m, v), rule);
        });
        if finite {
            P::visit_mut([params, gradients, first, second], None, &mut |_, [p, g, m, v]| {
                descent::apply(descent::with_moments(p, g, m, v), rule);
            });
            *state = next;
        }
        finite
    }
}

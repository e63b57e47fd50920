//! Adagrad.

use crate::kernel::descent::{descend_within, tame};
use crate::math;
use crate::optimizer::decay::Decay;
use crate::optimizer::{Optimizer, Step};
use crate::params::Params;

/// Adagrad: `s ← s + g²`, `w ← w - lrₜ g / (√(s₀ + s) + ε)`. Keeps one moment a parameter.
///
/// The sum starts from `s₀`, the initial accumulator, which is kept beside it, so that memory starts at zero. With a decay
/// `d` of the learning rate, `lrₜ = lr / (1 + d t)` after `t` steps. Decoupled weight decay `λ` first takes
/// `w ← (1 - lrₜ λ) w`; an L2 penalty `g ← g + l2 w` (PyTorch's `weight_decay`). Sources: Duchi, Hazan and Singer, "Adaptive
/// subgradient methods for online learning and stochastic optimization" (2011); PyTorch's `Adagrad`, whose defaults these
/// are: no decay, `s₀` 0, ε 1e-10; its learning rate is 0.01.
///
/// ```
/// use backpass::Adagrad;
/// let adagrad = Adagrad { learning_rate_decay: 1e-3, initial_accumulator: 0.1, ..Adagrad::new(0.01) };
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Adagrad {
    /// The learning rate, lr.
    pub learning_rate: f32,
    /// The decay of the learning rate, d.
    pub learning_rate_decay: f32,
    /// What the sum of squares starts from, s₀.
    pub initial_accumulator: f32,
    /// What keeps the division finite, ε.
    pub epsilon: f32,
    /// The decoupled weight decay, λ.
    pub weight_decay: f32,
    /// The L2 penalty.
    pub l2: f32,
}

impl Adagrad {
    /// The rule without any decay.
    pub const fn new(learning_rate: f32) -> Self {
        Self {
            learning_rate,
            learning_rate_decay: 0.0,
            initial_accumulator: 0.0,
            epsilon: 1e-10,
            weight_decay: 0.0,
            l2: 0.0,
        }
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

impl Optimizer for Adagrad {
    const NAME: &'static str = "Adagrad";

    type Moments<P: Params> = [P; 1];
    /// The steps taken; stays at `u32::MAX` once there.
    type State = u32;

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut [P; 1],
        steps: &mut u32,
        step: Step<'_>,
    ) -> bool {
        let Self { initial_accumulator: initial, epsilon, .. } = *self;
        let decayed = self.learning_rate / (1.0 + self.learning_rate_decay * *steps as f32);
        let taken = descend_within(
            params,
            gradients,
            moments,
            step,
            tame(&[decayed, self.weight_decay, self.l2], &[], epsilon),
            |slice| {
                let rate = decayed * slice.rate();
                let decay = Decay::new(rate, self.weight_decay, self.l2);
                move |p, g, [s]| {
                    let g = decay.gradient(p, g);
                    let s = s + g * g;
                    (decay.weight(p) - rate * (g / (math::sqrt(initial + s) + epsilon)), [s])
                }
            },
        );
        if taken {
            *steps = steps.saturating_add(1);
        }
        taken
    }
}

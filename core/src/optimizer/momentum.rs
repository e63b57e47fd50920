//! Stochastic gradient descent with momentum.

use crate::kernel::descent::{Factor, descend_within, tame};
use crate::optimizer::decay::Decay;
use crate::optimizer::{Optimizer, Step};
use crate::params::Params;

/// Stochastic gradient descent with momentum `μ`: `m ← μ m + g`, `w ← w - lr m`. Keeps one moment a parameter.
///
/// Nesterov's variant steps along `g + μ m` instead. With dampening `τ`, `m ← μ m + (1 - τ) g`, but for the first step,
/// which takes `m ← g`. (PyTorch refuses both together; here they combine.) Decoupled weight decay `λ` first takes
/// `w ← (1 - lr λ) w`; an L2 penalty `g ← g + l2 w`. Definition: PyTorch's `SGD`, whose `weight_decay` is L2;
/// Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013); decoupled weight decay as
/// in Loshchilov and Hutter (2019), algorithm 1.
///
/// ```
/// use backpass::Momentum;
/// let momentum = Momentum::new(0.01, 0.9).nesterov().weight_decay(1e-4);
/// let dampened = Momentum::new(0.01, 0.9).dampening(0.1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Momentum {
    /// The learning rate, lr.
    pub learning_rate: f32,
    /// The momentum, μ.
    pub momentum: f32,
    /// The dampening, τ.
    pub dampening: f32,
    /// Whether to step along `g + μ m`.
    pub nesterov: bool,
    /// The decoupled weight decay, λ.
    pub weight_decay: f32,
    /// The L2 penalty.
    pub l2: f32,
}

impl Momentum {
    /// The rule without dampening and weight decay. The usual momentum is 0.9.
    pub const fn new(learning_rate: f32, momentum: f32) -> Self {
        Self { learning_rate, momentum, dampening: 0.0, nesterov: false, weight_decay: 0.0, l2: 0.0 }
    }

    /// Nesterov's variant.
    #[must_use]
    pub const fn nesterov(self) -> Self {
        Self { nesterov: true, ..self }
    }

    /// With dampening.
    #[must_use]
    pub const fn dampening(self, dampening: f32) -> Self {
        Self { dampening, ..self }
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

impl Optimizer for Momentum {
    const NAME: &'static str = "Momentum";

    type Moments<P: Params> = [P; 1];
    /// 0 before the first step, 1 behind it.
    type State = u32;

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut [P; 1],
        begun: &mut u32,
        step: Step<'_>,
    ) -> bool {
        let Self { momentum, nesterov, .. } = *self;
        let share = Factor::new(if *begun == 0 { 1.0 } else { 1.0 - self.dampening });
        let taken = descend_within(
            params,
            gradients,
            moments,
            step,
            tame(&[self.learning_rate, self.weight_decay, self.l2, self.momentum, self.dampening], &[], 1.0),
            |slice| {
                let rate = self.learning_rate * slice.rate();
                let decay = Decay::new(rate, self.weight_decay, self.l2);
                move |p, g, [m]| {
                    let g = decay.gradient(p, g);
                    let m = momentum * m + share.times(g);
                    let direction = if nesterov { g + momentum * m } else { m };
                    (decay.weight(p) - rate * direction, [m])
                }
            },
        );
        if taken {
            *begun = 1;
        }
        taken
    }
}

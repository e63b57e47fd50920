//! Stochastic gradient descent with momentum.

use crate::kernel::descent;
use crate::optimizer::Optimizer;
use crate::params::Params;

/// Stochastic gradient descent with momentum `μ`: `m ← μ m + g`, `w ← w - lr m`. Keeps one moment a parameter.
///
/// Nesterov's variant steps along `g + μ m` instead. Decoupled weight decay `λ` first takes `w ← (1 - lr λ) w`.
/// Definition: PyTorch's `SGD` (without dampening); Sutskever et al., "On the importance of initialization and momentum in
/// deep learning" (2013); weight decay as in Loshchilov and Hutter (2019), algorithm 1.
///
/// ```
/// use backpass::Momentum;
/// let momentum = Momentum::new(0.01, 0.9).nesterov().weight_decay(1e-4);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Momentum {
    /// The learning rate, lr.
    pub learning_rate: f32,
    /// The momentum, μ.
    pub momentum: f32,
    /// Whether to step along `g + μ m`.
    pub nesterov: bool,
    /// The decoupled weight decay, λ.
    pub weight_decay: f32,
}

impl Momentum {
    /// The rule without weight decay. The usual momentum is 0.9.
    pub const fn new(learning_rate: f32, momentum: f32) -> Self {
        Self { learning_rate, momentum, nesterov: false, weight_decay: 0.0 }
    }

    /// Nesterov's variant.
    #[must_use]
    pub const fn nesterov(self) -> Self {
        Self { nesterov: true, ..self }
    }

    /// With decoupled weight decay.
    #[must_use]
    pub const fn weight_decay(self, weight_decay: f32) -> Self {
        Self { weight_decay, ..self }
    }
}

impl Optimizer for Momentum {
    type Moments<P: Params> = [P; 1];
    type State = ();

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        [velocity]: &mut [P; 1],
        (): &mut (),
        scale: f32,
    ) -> bool {
        let Self { learning_rate: rate, momentum, nesterov, weight_decay } = *self;
        let keep = 1.0 - rate * weight_decay;
        let rule = |p: f32, g: f32, [m]: [f32; 1]| {
            let g = g * scale;
            let m = momentum * m + g;
            let direction = if nesterov { g + momentum * m } else { m };
            (keep * p - rate * direction, [m])
        };
        let mut finite = true;
        P::visit_mut([&mut *params, &mut *gradients, &mut *velocity], None, &mut |_, [p, g, m]| {
            finite &= descent::is_finite(descent::with_moment(p, g, m), rule);
        });
        if finite {
            P::visit_mut([params, gradients, velocity], None, &mut |_, [p, g, m]| {
                descent::apply(descent::with_moment(p, g, m), rule);
            });
        }
        finite
    }
}

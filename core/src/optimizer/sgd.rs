//! Plain stochastic gradient descent.

use crate::kernel::descent;
use crate::optimizer::Optimizer;
use crate::params::Params;

/// Stochastic gradient descent: `w ← w - lr g`. Needs no memory beyond the gradient.
///
/// With decoupled weight decay `λ`: `w ← (1 - lr λ) w - lr g`. Source: Loshchilov and Hutter, "Decoupled weight decay
/// regularization" (2019), algorithm 1. With momentum, see [`Momentum`](crate::Momentum).
///
/// ```
/// use backpass::Sgd;
/// let sgd = Sgd::new(0.05).weight_decay(1e-4);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sgd {
    /// The learning rate, lr.
    pub learning_rate: f32,
    /// The decoupled weight decay, λ.
    pub weight_decay: f32,
}

impl Sgd {
    /// The rule without weight decay.
    pub const fn new(learning_rate: f32) -> Self {
        Self { learning_rate, weight_decay: 0.0 }
    }

    /// With decoupled weight decay.
    #[must_use]
    pub const fn weight_decay(self, weight_decay: f32) -> Self {
        Self { weight_decay, ..self }
    }
}

impl Optimizer for Sgd {
    type Moments<P: Params> = [P; 0];
    type State = ();

    fn step<P: Params>(&self, params: &mut P, gradients: &mut P, _: &mut [P; 0], (): &mut (), scale: f32) -> bool {
        let (rate, keep) = (self.learning_rate * scale, 1.0 - self.learning_rate * self.weight_decay);
        let rule = |p: f32, g: f32, []: [f32; 0]| (keep * p - rate * g, []);
        let mut finite = true;
        P::visit_mut([&mut *params, &mut *gradients], None, &mut |_, [p, g]| {
            finite &= descent::is_finite(descent::plain(p, g), rule);
        });
        if finite {
            P::visit_mut([params, gradients], None, &mut |_, [p, g]| descent::apply(descent::plain(p, g), rule));
        }
        finite
    }
}

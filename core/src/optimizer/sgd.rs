//! Plain stochastic gradient descent.

use crate::optimizer::decay::Decay;
use crate::optimizer::{Optimizer, Step, descend};
use crate::params::Params;

/// Stochastic gradient descent: `w ← w - lr g`. Needs no memory beyond the gradient.
///
/// With decoupled weight decay `λ`: `w ← (1 - lr λ) w - lr g`; with an L2 penalty: `g ← g + l2 w` first. Sources: PyTorch's
/// `SGD`, whose `weight_decay` is L2; Loshchilov and Hutter, "Decoupled weight decay regularization" (2019), algorithm 1.
/// With momentum, see [`Momentum`](crate::Momentum).
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
    /// The L2 penalty.
    pub l2: f32,
}

impl Sgd {
    /// The rule without weight decay.
    pub const fn new(learning_rate: f32) -> Self {
        Self { learning_rate, weight_decay: 0.0, l2: 0.0 }
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

impl Optimizer for Sgd {
    type Moments<P: Params> = [P; 0];
    type State = ();

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut [P; 0],
        (): &mut (),
        step: Step<'_>,
    ) -> bool {
        descend(params, gradients, moments, step, |slice| {
            let rate = self.learning_rate * slice.rate();
            let decay = Decay::new(rate, self.weight_decay, self.l2);
            move |p, g, []| (decay.weight(p) - rate * decay.gradient(p, g), [])
        })
    }
}

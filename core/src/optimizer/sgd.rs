//! Plain stochastic gradient descent.

use core::cell::Cell;

use backpass_arch::{self as arch, Descent};

use crate::gradients::is_safe;
use crate::kernel::descent::{self, Pass, Slice, passes};
use crate::kernel::elementwise::larger;
use crate::optimizer::decay::Decay;
use crate::optimizer::{Bounds, Optimizer, Step};
use crate::params::{Name, Params};

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

impl Sgd {
    /// The step for the slice of this name.
    #[inline(never)]
    fn descent(&self, name: &Name<'_>, step: Step<'_>) -> Descent {
        if name.is_statistic() {
            // It takes its mean change as it is.
            return Descent { keep: 1.0, rate: -1.0, scale: step.mean, l2: 0.0 };
        }
        let rate = self.learning_rate * step.rate_of(name);
        Descent { keep: 1.0 - rate * self.weight_decay, rate, scale: step.scale, l2: self.l2 }
    }

    /// An upper bound of the weights after a step without clipping; what is known before it says that of weights and gradients.
    fn bound(&self, step: Step<'_>) -> f32 {
        let Some(Bounds { gradients, values }) = step.bounds else { return f32::INFINITY };
        let rate = (self.learning_rate * step.largest_rate()).abs();
        let gradient = step.scale.abs() * gradients + self.l2.abs() * values.get();
        let weight = (1.0 + rate * self.weight_decay.abs()) * values.get() + rate * gradient;
        let statistic = values.get() + step.mean * gradients;
        // Rounded up by more than the errors of the operations.
        larger(weight, statistic) * 1.000_001
    }
}

impl Optimizer for Sgd {
    const NAME: &'static str = "Sgd";

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
        let bound = Cell::new(f32::INFINITY);
        // The same bits in one pass, if nothing can overflow.
        let is_safe = || {
            bound.set(self.bound(step));
            step.clip == f32::INFINITY && is_safe(bound.get())
        };
        passes(params, gradients, moments, step, is_safe, |pass, name, p, g, m| {
            if pass == Pass::Only {
                arch::descend(p, g, self.descent(name, step));
                return bound.get();
            }
            descent::slice::<false, _, _>(pass, name, p, g, m, &step, &|slice: &Slice<'_>| {
                let Descent { keep, rate, l2, .. } = self.descent(slice.name(), step);
                let decay = Decay::of(keep, l2);
                move |p, g, []: [f32; 0]| (decay.weight(p) - rate * decay.gradient(p, g), [])
            })
        })
    }
}

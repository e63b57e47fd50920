//! Plain stochastic gradient descent.

use backpass_arch::{self as arch, Descent};

use crate::gradients::is_safe;
use crate::kernel::descent::descend_by_call;
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

/// An upper bound of the weights after a step, from those of weights and gradients before it.
fn bound(step: Descent, weight: f32, gradient: f32) -> f32 {
    let gradient = step.scale.abs() * gradient + step.l2.abs() * weight;
    // Rounded up by more than the errors of the operations.
    (step.keep.abs() * weight + step.rate.abs() * gradient) * 1.000_001
}

impl Sgd {
    /// The step for the slice of this name.
    fn descent(&self, name: &Name<'_>, step: Step<'_>) -> Descent {
        if name.is_statistic() {
            // It takes its mean change as it is.
            return Descent { keep: 1.0, rate: -1.0, scale: step.mean, l2: 0.0 };
        }
        let rate = self.learning_rate * step.rate_of(name);
        Descent { keep: 1.0 - rate * self.weight_decay, rate, scale: step.scale, l2: self.l2 }
    }

    /// The step without clipping, in one pass, if the bounds of all magnitudes say that nothing can overflow. Returns whether it
    /// was taken; the bits are those of the step that runs dry first.
    fn step_in_one_pass<P: Params>(&self, params: &mut P, gradients: &mut P, step: Step<'_>) -> bool {
        let Some(Bounds { gradients: gradient, values }) = step.bounds else { return false };
        let mut bound = 0.0;
        gradients.visit(None, &mut |name, _| {
            bound = larger(bound, self::bound(self.descent(&name, step), values.get(), gradient));
        });
        if !is_safe(bound) {
            return false;
        }
        P::visit_mut([params, gradients], None, &mut |name, [p, g]| arch::descend(p, g, self.descent(&name, step)));
        values.set(bound);
        true
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
        if step.clip == f32::INFINITY && self.step_in_one_pass(params, gradients, step) {
            return true;
        }
        // The loop of the usual pass is that above.
        descend_by_call(params, gradients, moments, step, |slice| {
            let Descent { keep, rate, l2, .. } = self.descent(slice.name(), step);
            let decay = Decay::of(keep, l2);
            move |p, g, []| (decay.weight(p) - rate * decay.gradient(p, g), [])
        })
    }
}

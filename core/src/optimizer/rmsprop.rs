//! RMSprop, in its four variants.

use crate::kernel::descent::{descend_within, tame};
use crate::math;
use crate::optimizer::decay::Decay;
use crate::optimizer::{Optimizer, Step};
use crate::params::Params;

/// RMSprop: `s ← α s + (1 - α) g²`, `w ← w - lr g / (√s + ε)`. Keeps one moment a parameter.
///
/// The variants are types, because their moments are memory:
///
/// | type | built by | what changes | moments |
/// |---|---|---|---|
/// | `RmsProp` | `RmsProp::new(lr)` | | 1 |
/// | [`MomentumRmsProp`] | `.momentum(μ)` | `b ← μ b + g / (√s + ε)`, `w ← w - lr b` | 2 |
/// | [`CenteredRmsProp`] | `.centered()` | `a ← α a + (1 - α) g`; the root is `√(s - a²)` | 2 |
/// | [`CenteredMomentumRmsProp`] | `.centered().momentum(μ)` | both | 3 |
///
/// Where rounding makes `s - a²` negative, it counts as zero. Decoupled weight decay `λ` first takes `w ← (1 - lr λ) w`; an
/// L2 penalty `g ← g + l2 w` (PyTorch's `weight_decay`). Sources: Tieleman and Hinton, "Lecture 6.5: rmsprop" (2012);
/// centred: Graves, "Generating sequences with recurrent neural networks" (2013); PyTorch's `RMSprop`, whose defaults these
/// are: α 0.99, ε 1e-8; its learning rate is 0.01.
///
/// ```
/// use backpass::{CenteredRmsProp, Dense, Memory, RmsProp};
/// let plain = RmsProp { alpha: 0.9, ..RmsProp::new(0.001) };
/// let centered: CenteredRmsProp = plain.centered();
/// type Ram<O> = Memory<Dense<2>, [f32; 3], O>;
/// assert_eq!(Ram::<RmsProp>::MOMENTS, Ram::<RmsProp>::PARAMETERS);
/// assert_eq!(Ram::<CenteredRmsProp>::MOMENTS, 2 * Ram::<RmsProp>::PARAMETERS);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RmsProp<const CENTERED: bool = false, const MOMENTUM: bool = false> {
    /// The learning rate, lr.
    pub learning_rate: f32,
    /// The decay of the moments, α.
    pub alpha: f32,
    /// What keeps the division finite, ε.
    pub epsilon: f32,
    /// The momentum, μ; used by the variants with momentum only.
    pub momentum: f32,
    /// The decoupled weight decay, λ.
    pub weight_decay: f32,
    /// The L2 penalty.
    pub l2: f32,
}

/// [`RmsProp`] centred: divided by the deviation of the gradient instead of its root mean square. Keeps two moments a
/// parameter.
pub type CenteredRmsProp = RmsProp<true, false>;

/// [`RmsProp`] with momentum. Keeps two moments a parameter.
pub type MomentumRmsProp = RmsProp<false, true>;

/// [`RmsProp`] centred and with momentum. Keeps three moments a parameter.
pub type CenteredMomentumRmsProp = RmsProp<true, true>;

impl RmsProp {
    /// The rule with its usual decay of the moments and without weight decay.
    pub const fn new(learning_rate: f32) -> Self {
        Self { learning_rate, alpha: 0.99, epsilon: 1e-8, momentum: 0.0, weight_decay: 0.0, l2: 0.0 }
    }
}

impl<const MOMENTUM: bool> RmsProp<false, MOMENTUM> {
    /// Centred.
    #[must_use]
    pub const fn centered(self) -> RmsProp<true, MOMENTUM> {
        self.variant()
    }
}

impl<const CENTERED: bool> RmsProp<CENTERED, false> {
    /// With momentum.
    #[must_use]
    pub const fn momentum(self, momentum: f32) -> RmsProp<CENTERED, true> {
        Self { momentum, ..self }.variant()
    }
}

impl<const CENTERED: bool, const MOMENTUM: bool> RmsProp<CENTERED, MOMENTUM> {
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

    /// The same settings for another variant.
    const fn variant<const C: bool, const M: bool>(self) -> RmsProp<C, M> {
        let Self { learning_rate, alpha, epsilon, momentum, weight_decay, l2 } = self;
        RmsProp { learning_rate, alpha, epsilon, momentum, weight_decay, l2 }
    }

    /// Whether the settings are [`tame`].
    fn is_tame(&self) -> bool {
        tame(&[self.learning_rate, self.weight_decay, self.l2, self.momentum], &[self.alpha], self.epsilon)
    }

    /// `x ← α x + (1 - α) new`.
    fn average(&self) -> impl Fn(f32, f32) -> f32 + use<CENTERED, MOMENTUM> {
        let (alpha, rest) = (self.alpha, 1.0 - self.alpha);
        move |x, new| alpha * x + rest * new
    }

    /// `g / (√variance + ε)`.
    fn scaled(&self) -> impl Fn(f32, f32) -> f32 + use<CENTERED, MOMENTUM> {
        let epsilon = self.epsilon;
        move |g, variance| g / (math::sqrt(variance) + epsilon)
    }
}

impl Optimizer for RmsProp {
    const NAME: &'static str = "RmsProp";

    type Moments<P: Params> = [P; 1];
    type State = ();

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut [P; 1],
        (): &mut (),
        step: Step<'_>,
    ) -> bool {
        descend_within(params, gradients, moments, step, self.is_tame(), |slice| {
            let rate = self.learning_rate * slice.rate();
            let decay = Decay::new(rate, self.weight_decay, self.l2);
            let (average, scaled) = (self.average(), self.scaled());
            move |p, g, [s]| {
                let g = decay.gradient(p, g);
                let s = average(s, g * g);
                (decay.weight(p) - rate * scaled(g, s), [s])
            }
        })
    }
}

impl Optimizer for MomentumRmsProp {
    const NAME: &'static str = "MomentumRmsProp";

    type Moments<P: Params> = [P; 2];
    type State = ();

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut [P; 2],
        (): &mut (),
        step: Step<'_>,
    ) -> bool {
        let momentum = self.momentum;
        descend_within(params, gradients, moments, step, self.is_tame(), |slice| {
            let rate = self.learning_rate * slice.rate();
            let decay = Decay::new(rate, self.weight_decay, self.l2);
            let (average, scaled) = (self.average(), self.scaled());
            move |p, g, [s, b]| {
                let g = decay.gradient(p, g);
                let s = average(s, g * g);
                let b = momentum * b + scaled(g, s);
                (decay.weight(p) - rate * b, [s, b])
            }
        })
    }
}

impl Optimizer for CenteredRmsProp {
    const NAME: &'static str = "CenteredRmsProp";

    type Moments<P: Params> = [P; 2];
    type State = ();

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut [P; 2],
        (): &mut (),
        step: Step<'_>,
    ) -> bool {
        descend_within(params, gradients, moments, step, self.is_tame(), |slice| {
            let rate = self.learning_rate * slice.rate();
            let decay = Decay::new(rate, self.weight_decay, self.l2);
            let (average, scaled) = (self.average(), self.scaled());
            move |p, g, [s, a]| {
                let g = decay.gradient(p, g);
                let (s, a) = (average(s, g * g), average(a, g));
                (decay.weight(p) - rate * scaled(g, variance(s, a)), [s, a])
            }
        })
    }
}

impl Optimizer for CenteredMomentumRmsProp {
    const NAME: &'static str = "CenteredMomentumRmsProp";

    type Moments<P: Params> = [P; 3];
    type State = ();

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut [P; 3],
        (): &mut (),
        step: Step<'_>,
    ) -> bool {
        let momentum = self.momentum;
        descend_within(params, gradients, moments, step, self.is_tame(), |slice| {
            let rate = self.learning_rate * slice.rate();
            let decay = Decay::new(rate, self.weight_decay, self.l2);
            let (average, scaled) = (self.average(), self.scaled());
            move |p, g, [s, a, b]| {
                let g = decay.gradient(p, g);
                let (s, a) = (average(s, g * g), average(a, g));
                let b = momentum * b + scaled(g, variance(s, a));
                (decay.weight(p) - rate * b, [s, a, b])
            }
        })
    }
}

/// `s - a²`, at least zero; NaN stays NaN, so that the step is refused.
const fn variance(square: f32, mean: f32) -> f32 {
    let variance = square - mean * mean;
    if variance < 0.0 { 0.0 } else { variance }
}

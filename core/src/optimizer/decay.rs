//! Weight decay, both ways, for all rules.

use crate::kernel::descent::Factor;

/// Weight decay in one slice of parameters.
#[derive(Clone, Copy)]
pub(crate) struct Decay {
    /// `1 - lr λ`: decoupled.
    keep: Factor,
    /// What of each weight is added to its gradient: L2.
    l2: Option<f32>,
}

impl Decay {
    /// At learning rate `rate`.
    pub(crate) fn new(rate: f32, weight_decay: f32, l2: f32) -> Self {
        Self::of(1.0 - rate * weight_decay, l2)
    }

    /// Of each weight, `keep` is kept.
    pub(crate) fn of(keep: f32, l2: f32) -> Self {
        Self { keep: Factor::new(keep), l2: (l2 != 0.0).then_some(l2) }
    }

    /// What is left of a weight, to step from.
    pub(crate) const fn weight(self, weight: f32) -> f32 {
        self.keep.times(weight)
    }

    /// The gradient with the L2 penalty's.
    pub(crate) const fn gradient(self, weight: f32, gradient: f32) -> f32 {
        match self.l2 {
            Some(l2) => gradient + l2 * weight,
            None => gradient,
        }
    }
}

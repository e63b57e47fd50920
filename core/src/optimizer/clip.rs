//! Gradient clipping, by value and by norm.

use crate::kernel::descent;
use crate::optimizer::{Optimizer, Step};
use crate::params::Params;

/// An optimizer whose gradient is clipped by value: each element of the mean gradient to `-bound..=bound`.
///
/// As PyTorch's `clip_grad_value_` before the step: an L2 penalty comes after it. A step with a bound that is negative or
/// NaN is refused. Built by [`Optimizer::clip_value`], which says what happens where several wrappers meet.
///
/// ```
/// use backpass::{Adam, ClipValue, Optimizer};
/// let clipped: ClipValue<Adam> = Adam::new(1e-3).clip_value(0.5);
/// const CLIPPED: ClipValue<Adam> = ClipValue { bound: 0.5, optimizer: Adam::new(1e-3) };
/// assert_eq!(clipped, CLIPPED);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClipValue<O> {
    /// The largest magnitude of an element.
    pub bound: f32,
    /// What takes the step.
    pub optimizer: O,
}

/// An optimizer whose gradient is clipped by its global norm: the mean gradient `g` of all parameters that are learned is
/// multiplied by `min(1, max_norm / (‖g‖ + 1e-6))`.
///
/// As PyTorch's `clip_grad_norm_` before the step, with its 1e-6. The norm is Euclidean; frozen layers and running statistics
/// take no part in it, while a layer whose learning rate is zero does. Costs one more pass over the gradients. A step with a
/// `max_norm` that is negative or NaN is refused. Built by [`Optimizer::clip_norm`], which says what happens where several
/// wrappers meet.
///
/// ```
/// use backpass::{ClipNorm, Optimizer, Sgd};
/// let clipped: ClipNorm<Sgd> = Sgd::new(0.1).clip_norm(1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClipNorm<O> {
    /// The largest norm.
    pub max_norm: f32,
    /// What takes the step.
    pub optimizer: O,
}

impl<O: Optimizer> Optimizer for ClipValue<O> {
    const NAME: &'static str = O::NAME;

    type Moments<P: Params> = O::Moments<P>;
    type State = O::State;

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut O::Moments<P>,
        state: &mut O::State,
        step: Step<'_>,
    ) -> bool {
        let clip = if self.bound < step.clip { self.bound } else { step.clip };
        self.bound >= 0.0 && self.optimizer.step(params, gradients, moments, state, Step { clip, ..step })
    }

    fn report(&self, metric: f32, state: &mut O::State) {
        self.optimizer.report(metric, state);
    }
}

impl<O: Optimizer> Optimizer for ClipNorm<O> {
    const NAME: &'static str = O::NAME;

    type Moments<P: Params> = O::Moments<P>;
    type State = O::State;

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut O::Moments<P>,
        state: &mut O::State,
        step: Step<'_>,
    ) -> bool {
        let factor = self.max_norm / (descent::gradient_norm(gradients, step) + 1e-6);
        // A clip by value further out has acted already: its bound shrinks as the gradient does.
        let step =
            if factor < 1.0 { Step { scale: step.scale * factor, clip: step.clip * factor, ..step } } else { step };
        self.max_norm >= 0.0 && self.optimizer.step(params, gradients, moments, state, step)
    }

    fn report(&self, metric: f32, state: &mut O::State) {
        self.optimizer.report(metric, state);
    }
}

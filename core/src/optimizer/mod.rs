//! The optimizers, one a file: rules of descent, and wrappers that change the gradient or the learning rate of any rule.
//!
//! | rule | moments | state |
//! |---|---|---|
//! | [`Sgd`] | 0 | none |
//! | [`Momentum`], with Nesterov's variant and dampening | 1 | 4 bytes |
//! | [`RmsProp`] | 1; with momentum or centred 2, with both 3 | none |
//! | [`Adagrad`] | 1 | 4 bytes |
//! | [`Adadelta`] | 2 | none |
//! | [`Adam`], also as AdamW | 2 | 8 bytes |
//! | [`AmsGrad`] | 3 | 8 bytes |
//! | [`Lion`] | 1 | none |
//! | [`Lars`] | 1 | none |
//!
//! Every rule has weight decay both ways: `.weight_decay(λ)` is decoupled, `w ← (1 - lr λ) w` before the step; `.l2(λ)`
//! adds `λ w` to the gradient, which is what PyTorch calls `weight_decay` in all but AdamW. All parameters decay, biases
//! too, as in PyTorch; [`Lars`] spares biases its L2 penalty.
//!
//! | wrapper | built by | what it changes |
//! |---|---|---|
//! | [`ClipValue`] | [`clip_value`](Optimizer::clip_value) | bounds each element of the mean gradient |
//! | [`ClipNorm`] | [`clip_norm`](Optimizer::clip_norm) | bounds the global norm of the mean gradient |
//! | [`LayerRates`] | [`layer_rates`](Optimizer::layer_rates) | a factor on the learning rate for each stage of the network |
//! | [`Scheduled`] | [`schedule`](Optimizer::schedule) | a factor on the learning rate that follows a [`Schedule`] |
//!
//! Wrappers keep no moments. **Their order** is from the outside in, so the one built last acts first:
//! `rule.clip_norm(1.0).clip_value(0.1)` clips by value, then by norm. It matters for the two ways of clipping only;
//! factors on the learning rate multiply, and a gradient is clipped before the rule adds an L2 penalty to it.
//!
//! [Running statistics](crate::Name::statistic) are no business of any of these: whatever the optimizer, an update adds the mean
//! of what the samples would add.

pub mod adadelta;
pub mod adagrad;
pub mod adam;
pub mod amsgrad;
pub mod clip;
mod decay;
pub mod lars;
pub mod layer_rates;
pub mod lion;
pub mod momentum;
pub mod rmsprop;
pub mod scheduled;
pub mod sgd;
pub mod state;
pub mod step;

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adam::Adam;
pub use amsgrad::AmsGrad;
pub use clip::{ClipNorm, ClipValue};
pub use lars::Lars;
pub use layer_rates::LayerRates;
pub use lion::Lion;
pub use momentum::Momentum;
pub use rmsprop::{CenteredMomentumRmsProp, CenteredRmsProp, MomentumRmsProp, RmsProp};
pub use scheduled::{Scheduled, ScheduledState};
pub use sgd::Sgd;
pub use state::State;
pub use step::{Bounds, LayerFactors, Step};

pub use crate::kernel::descent::{Sets, SideBySide, Slice, Visitor, descend};
use crate::params::Params;
use crate::schedule::Schedule;
use crate::tensor::Zero;

/// A rule of descent, or a wrapper around one.
///
/// The value holds the hyper-parameters, which may be changed between steps
/// ([`Learner::optimizer_mut`](crate::Learner::optimizer_mut)). What the rule remembers lies in
/// [`Memory`](crate::Memory): `Moments`, in copies of the parameters, and `State`. A rule of your own is a few lines with
/// [`descend`].
///
/// ```
/// use backpass::schedule::{LinearWarmup, StepDecay};
/// use backpass::{Dense, Memory, Optimizer, Relu, Sgd};
///
/// // Ten steps of warm-up, then half the rate every 100 steps; the first layer at a tenth of it; the norm at most 1.
/// let schedule = LinearWarmup::new(10, StepDecay::new(100, 0.5));
/// let optimizer = Sgd::new(0.1).clip_norm(1.0).schedule(schedule).layer_rates([0.1, 1.0, 1.0]);
///
/// fn counters<O: Optimizer>(_: O) -> usize {
///     type Net = (Dense<8>, Relu, Dense<3>);
///     assert_eq!(Memory::<Net, [f32; 4], O>::MOMENTS, 0);
///     size_of::<O::State>()
/// }
/// assert_eq!(counters(optimizer), 4); // the count of steps
/// ```
pub trait Optimizer {
    /// What the rule is called, such as `Adam`; a wrapper has the name of its rule. A [checkpoint](crate::checkpoint) is loaded only where it
    /// is that of the optimizer that saved it.
    const NAME: &'static str = "";

    /// What is kept for each parameter: `[P; 0]` for plain SGD, `[P; 1]` for momentum, `[P; 2]` for Adam.
    type Moments<P: Params>: Zero + AsRef<[P]> + AsMut<[P]>;

    /// What is kept for the whole network; zero before the first step.
    type State: State;

    /// Takes one step along `gradients`, a sum over the samples, as [`Step`] says.
    ///
    /// Returns whether the step was taken: if any new parameter or moment would not be finite, nothing is changed.
    #[must_use]
    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut Self::Moments<P>,
        state: &mut Self::State,
        step: Step<'_>,
    ) -> bool;

    /// Takes in a metric, such as a validation loss, for a schedule that depends on one
    /// ([`ReduceOnPlateau`](crate::schedule::ReduceOnPlateau)). Others do nothing.
    fn report(&self, metric: f32, state: &mut Self::State) {
        let _ = (metric, state);
    }

    /// With each element of the mean gradient clipped to `-bound..=bound`. The wrapper built last acts first.
    fn clip_value(self, bound: f32) -> ClipValue<Self>
    where
        Self: Sized,
    {
        ClipValue { bound, optimizer: self }
    }

    /// With the mean gradient clipped to a global norm of at most `max_norm`. The wrapper built last acts first.
    fn clip_norm(self, max_norm: f32) -> ClipNorm<Self>
    where
        Self: Sized,
    {
        ClipNorm { max_norm, optimizer: self }
    }

    /// With a factor on the learning rate for each stage of the network; 0 freezes a stage.
    fn layer_rates<const N: usize>(self, factors: [f32; N]) -> LayerRates<Self, N>
    where
        Self: Sized,
    {
        LayerRates { factors, optimizer: self }
    }

    /// With a learning rate that follows a schedule.
    fn schedule<S: Schedule>(self, schedule: S) -> Scheduled<Self, S>
    where
        Self: Sized,
    {
        Scheduled { schedule, optimizer: self }
    }
}

#[cfg(test)]
mod tests;

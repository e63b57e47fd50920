//! Learning rate schedules, one a file.
//!
//! A schedule gives, for each step of an optimizer, a factor on its learning rate, by
//! [`Optimizer::schedule`](crate::Optimizer::schedule). Steps are updates, not epochs.

pub mod constant;
pub mod cosine;
pub mod exponential;
pub mod one_cycle;
pub mod reduce_on_plateau;
pub mod step_decay;
pub mod warmup;

pub use constant::Constant;
pub use cosine::Cosine;
pub use exponential::Exponential;
pub use one_cycle::OneCycle;
pub use reduce_on_plateau::{PlateauState, ReduceOnPlateau};
pub use step_decay::StepDecay;
pub use warmup::LinearWarmup;

use crate::optimizer::State;

/// A factor on the learning rate that changes from step to step.
///
/// The value is configuration. What changes, the count of steps and what a schedule keeps beside it, is in
/// [`Memory`](crate::Memory).
///
/// Implement it for a schedule of your own:
///
/// ```
/// use backpass::schedule::Schedule;
///
/// /// Falls as one over the root of the number of steps.
/// struct InverseRoot;
///
/// impl Schedule for InverseRoot {
///     type State = ();
///     fn factor(&self, steps: u32, (): &()) -> f32 {
///         1.0 / (1.0 + steps as f32).sqrt()
///     }
/// }
/// assert_eq!(InverseRoot.factor(3, &()), 0.5);
/// ```
pub trait Schedule {
    /// What the schedule keeps beside the count of steps; zero at first.
    type State: State;

    /// The factor for the next step, after `steps` steps.
    fn factor(&self, steps: u32, state: &Self::State) -> f32;

    /// Takes in a metric; see [`Learner::report`](crate::Learner::report). Most schedules have no use for it.
    fn report(&self, metric: f32, state: &mut Self::State) {
        let _ = (metric, state);
    }
}

//! The optimizers, one a file.

pub mod adam;
pub mod momentum;
pub mod sgd;

pub use adam::Adam;
pub use momentum::Momentum;
pub use sgd::Sgd;

use crate::params::Params;
use crate::tensor::Zero;

/// A rule of descent.
///
/// The value holds the hyper-parameters, which may be changed between steps
/// ([`Learner::optimizer_mut`](crate::Learner::optimizer_mut)). What the rule remembers lies in
/// [`Memory`](crate::Memory): `Moments`, in copies of the parameters, and `State`.
pub trait Optimizer {
    /// What is kept for each parameter: `[P; 0]` for plain SGD, `[P; 1]` for momentum, `[P; 2]` for Adam.
    type Moments<P: Params>: Zero + AsRef<[P]> + AsMut<[P]>;

    /// What is kept for the whole network; zero before the first step.
    type State: Zero + Copy;

    /// Takes one step along `gradients` times `scale` (the gradients are a sum, `scale` is one over the number of samples)
    /// and clears `gradients`.
    ///
    /// Returns whether the step was taken: if any new parameter or moment would not be finite, nothing is changed.
    #[must_use]
    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut Self::Moments<P>,
        state: &mut Self::State,
        scale: f32,
    ) -> bool;
}

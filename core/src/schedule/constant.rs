//! No change.

use crate::schedule::Schedule;

/// The same factor always: 1 leaves the learning rate as it is. Of use after a [`LinearWarmup`](crate::schedule::LinearWarmup).
///
/// ```
/// use backpass::schedule::{Constant, LinearWarmup, Schedule};
/// let warmup = LinearWarmup::new(10, Constant(1.0));
/// assert_eq!(warmup.factor(1000, &()), 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Constant(
    /// The factor.
    pub f32,
);

impl Schedule for Constant {
    type State = ();

    fn factor(&self, _: u32, (): &()) -> f32 {
        self.0
    }
}

//! What a rule of descent keeps beside a network.

use backpass::memory::Training;
use backpass::optimizer::State;
use backpass::{Dense, Zero};

/// What a rule keeps, as its type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    /// What the learner calls the rule.
    pub(crate) name: &'static str,
    /// Numbers for each parameter.
    pub(crate) moments: usize,
    /// Words of a checkpoint for the whole network.
    pub(crate) words: usize,
    /// Bytes in memory for the whole network.
    pub(crate) state_bytes: usize,
}

impl Kept {
    /// What `O` keeps; it does not depend on the network.
    pub(crate) fn of<O: Training<Dense<1>, [f32; 1]>>() -> Self {
        let (mut state, mut words) = (O::State::ZERO, 0);
        state.words(&mut |_| words += 1);
        let moments = O::Moments::ZERO.as_ref().len();
        Self { name: O::NAME, moments, words, state_bytes: size_of::<O::State>() }
    }
}

//! What an optimizer remembers for a whole network.

use crate::tensor::Zero;

/// A few numbers that an optimizer or a schedule keeps in [`Memory`](crate::Memory): zero before the first step, copied
/// freely, and to be stored and restored word by word.
///
/// ```
/// use backpass::State;
/// use backpass::optimizer::adam::AdamState;
/// let mut state = AdamState { correction1: 0.5, correction2: 0.25 };
/// let mut stored = Vec::new();
/// state.words(&mut |word| stored.push(*word));
/// assert_eq!(stored, [0.5_f32.to_bits(), 0.25_f32.to_bits()]);
///
/// let (mut restored, mut words) = (AdamState { correction1: 0.0, correction2: 0.0 }, stored.into_iter());
/// restored.words(&mut |word| *word = words.next().unwrap());
/// assert_eq!(restored, state);
/// ```
pub trait State: Zero + Copy {
    /// Calls `visitor` with each number, always in the same order: counters as they are, an `f32` as its bits. What the
    /// visitor leaves there is the new number.
    fn words(&mut self, visitor: &mut dyn FnMut(&mut u32));

    /// Begins afresh what belongs to moments that are set to zero; a schedule goes on. By default that is all of it.
    fn restart(&mut self) {
        *self = Self::ZERO;
    }

    /// Whether steps can have led here. A [checkpoint](crate::checkpoint) with anything else is not loaded.
    fn is_valid(&self) -> bool {
        true
    }
}

impl State for () {
    fn words(&mut self, _: &mut dyn FnMut(&mut u32)) {}
}

impl State for u32 {
    fn words(&mut self, visitor: &mut dyn FnMut(&mut u32)) {
        visitor(self);
    }
}

impl State for f32 {
    fn words(&mut self, visitor: &mut dyn FnMut(&mut u32)) {
        let mut bits = self.to_bits();
        visitor(&mut bits);
        *self = Self::from_bits(bits);
    }
}

//! The accuracy of late.

use heapless::Deque;

use crate::checkpoint::{Archive, Persist};

/// The share of right answers among the last `W`: `river.utils.Rolling(metrics.Accuracy, window_size=W)`. One byte an answer.
///
/// ```
/// use backpass::stream::RollingAccuracy;
/// let mut accuracy = RollingAccuracy::<4>::new();
/// for right in [false, false, true, true, true] {
///     accuracy.update(right);
/// }
/// assert_eq!(accuracy.get(), 0.75);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RollingAccuracy<const W: usize> {
    /// The oldest first.
    right: Deque<bool, W>,
}

impl<const W: usize> RollingAccuracy<W> {
    /// Without answers.
    pub const fn new() -> Self {
        const { assert!(W > 0, "RollingAccuracy: a window of no answers") };
        Self { right: Deque::new() }
    }

    /// Takes one more answer, and forgets the oldest if there are `W`.
    pub fn update(&mut self, right: bool) {
        if self.right.is_full() {
            self.right.pop_front();
        }
        // There is place now.
        let _ = self.right.push_back(right);
    }

    /// The share of right answers, 0 to 1; 0 without answers.
    pub fn get(&self) -> f32 {
        if self.right.is_empty() {
            return 0.0;
        }
        self.right.iter().filter(|right| **right).count() as f32 / self.right.len() as f32
    }

    /// How many answers there are: `W` at most.
    pub fn len(&self) -> usize {
        self.right.len()
    }

    /// Whether there are no answers.
    pub fn is_empty(&self) -> bool {
        self.right.is_empty()
    }

    /// Forgets all answers.
    pub fn clear(&mut self) {
        self.right.clear();
    }
}

impl<const W: usize> Persist for RollingAccuracy<W> {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.name("RollingAccuracy");
        // A queue may begin anywhere in its array; here it begins at the first place.
        let mut answers = [false; W];
        answers.iter_mut().zip(self.right.iter()).for_each(|(answer, right)| *answer = *right);
        let mut len = self.right.len() as u32;
        let stored = archive.u32(&mut len);
        archive.require(stored as usize <= W);
        answers.persist(archive);
        self.clear();
        answers.into_iter().take(len as usize).for_each(|right| self.update(right));
    }
}

impl<const W: usize> Default for RollingAccuracy<W> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_the_last_answers() {
        let answers: std::vec::Vec<bool> = (0..100).map(|i| i * i % 7 < 3).collect();
        let mut accuracy = RollingAccuracy::<9>::new();
        assert_eq!((accuracy.get(), accuracy.is_empty()), (0.0, true));
        for (i, right) in answers.iter().enumerate() {
            accuracy.update(*right);
            let last = &answers[(i + 1).saturating_sub(9)..=i];
            assert_eq!(accuracy.len(), last.len());
            assert_eq!(accuracy.get(), last.iter().filter(|right| **right).count() as f32 / last.len() as f32);
        }
        accuracy.clear();
        assert!(accuracy.is_empty());
    }
}

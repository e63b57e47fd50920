//! Which class was taken for which.

use crate::checkpoint::{Archive, Persist};
use crate::stream::error::ClassOutOfRange;
use crate::tensor::Zero;

/// Counts of a classifier's answers for `K` classes, and what is made of them. 4 `K`² bytes. `river.metrics.ConfusionMatrix`.
///
/// ```
/// use backpass::stream::ConfusionMatrix;
/// let mut matrix = ConfusionMatrix::<3>::new();
/// for (actual, predicted) in [(2, 0), (0, 0), (2, 2), (2, 2), (0, 0), (1, 2)] {
///     matrix.update(actual, predicted)?;
/// }
/// assert_eq!(matrix.counts(), &[[2, 0, 0], [0, 0, 1], [1, 0, 2]]); // [actual][predicted]
/// assert_eq!(matrix.accuracy(), 4.0 / 6.0);
/// # Ok::<(), backpass::stream::ClassOutOfRange>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ConfusionMatrix<const K: usize> {
    counts: [[u32; K]; K],
}

impl<const K: usize> ConfusionMatrix<K> {
    /// Without answers: all zeros, so that a static lies in `.bss`.
    pub const fn new() -> Self {
        Self { counts: [[0; K]; K] }
    }

    /// Counts one answer. A count stays at `u32::MAX` once there.
    ///
    /// # Errors
    /// [`ClassOutOfRange`]; nothing has changed then.
    pub fn update(&mut self, actual: usize, predicted: usize) -> Result<(), ClassOutOfRange> {
        ClassOutOfRange::check(actual, K)?;
        ClassOutOfRange::check(predicted, K)?;
        if let Some(count) = self.counts.get_mut(actual).and_then(|row| row.get_mut(predicted)) {
            *count = count.saturating_add(1);
        }
        Ok(())
    }

    /// The counts, `[actual][predicted]`.
    pub const fn counts(&self) -> &[[u32; K]; K] {
        &self.counts
    }

    /// How many answers there were.
    pub fn total(&self) -> u64 {
        sum(self.counts.as_flattened())
    }

    /// The share of right answers, 0 to 1; 0 without answers.
    pub fn accuracy(&self) -> f32 {
        share(self.right(), self.total())
    }

    /// Of the samples of a class, the share of right answers: `river.metrics.Recall`. 0 without samples.
    pub fn recall(&self, class: usize) -> f32 {
        share(self.right_of(class), self.actual(class))
    }

    /// Of the answers that name a class, the share of right ones: `river.metrics.Precision`. 0 without answers.
    pub fn precision(&self, class: usize) -> f32 {
        share(self.right_of(class), self.predicted(class))
    }

    /// The mean recall of the classes that had samples: `river.metrics.BalancedAccuracy`. 0 without samples.
    pub fn balanced_accuracy(&self) -> f32 {
        let (mut recalls, mut classes) = (0.0, 0.0);
        for class in (0..K).filter(|class| self.actual(*class) > 0) {
            recalls += self.recall(class);
            classes += 1.0;
        }
        if classes > 0.0 { recalls / classes } else { 0.0 }
    }

    /// Cohen's kappa, `(p - e) / (1 - e)`: `p` is the accuracy, `e` that of answers drawn with the same shares. 0 where `e` is 1. Cohen,
    /// "A coefficient of agreement for nominal scales" (1960).
    pub fn kappa(&self) -> f32 {
        let total = self.total();
        let chance =
            (0..K).map(|class| share(self.actual(class), total) * share(self.predicted(class), total)).sum::<f32>();
        if chance < 1.0 { (self.accuracy() - chance) / (1.0 - chance) } else { 0.0 }
    }

    /// Forgets all answers.
    pub fn clear(&mut self) {
        self.counts.as_flattened_mut().fill(0);
    }

    fn right(&self) -> u64 {
        (0..K).map(|class| self.right_of(class)).sum()
    }

    fn right_of(&self, class: usize) -> u64 {
        self.counts.get(class).and_then(|row| row.get(class)).map_or(0, |count| u64::from(*count))
    }

    fn actual(&self, class: usize) -> u64 {
        self.counts.get(class).map_or(0, |row| sum(row))
    }

    fn predicted(&self, class: usize) -> u64 {
        self.counts.iter().filter_map(|row| row.get(class)).map(|count| u64::from(*count)).sum()
    }
}

fn sum(counts: &[u32]) -> u64 {
    counts.iter().map(|count| u64::from(*count)).sum()
}

/// One number over another; 0 over 0.
fn share(part: u64, whole: u64) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 / whole as f32 }
}

impl<const K: usize> Persist for ConfusionMatrix<K> {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.name("ConfusionMatrix");
        self.counts.persist(archive);
    }
}

impl<const K: usize> Default for ConfusionMatrix<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const K: usize> Zero for ConfusionMatrix<K> {
    const ZERO: Self = Self::new();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_answers_all_is_zero() {
        let matrix = ConfusionMatrix::<3>::new();
        let all =
            [matrix.accuracy(), matrix.balanced_accuracy(), matrix.kappa(), matrix.recall(1), matrix.precision(9)];
        assert_eq!((all, matrix.total()), ([0.0; 5], 0));
    }

    #[test]
    fn a_class_that_does_not_exist_is_refused() {
        let mut matrix = ConfusionMatrix::<3>::new();
        assert_eq!(matrix.update(3, 0), Err(ClassOutOfRange { class: 3, classes: 3 }));
        assert_eq!(matrix.update(0, 7), Err(ClassOutOfRange { class: 7, classes: 3 }));
        assert_eq!(matrix, ConfusionMatrix::new());
    }

    #[test]
    fn full_counts_stay_and_their_sum_does_not_overflow() {
        let mut matrix = ConfusionMatrix::<2> { counts: [[u32::MAX; 2]; 2] };
        matrix.update(1, 1).unwrap();
        assert_eq!((matrix.total(), matrix.accuracy(), matrix.kappa()), (4 * u64::from(u32::MAX), 0.5, 0.0));
        matrix.clear();
        assert_eq!(matrix.total(), 0);
    }
}

//! Classes, and what they were taken for.

use std::collections::{BTreeMap, VecDeque};

/// Classifications that the rolling accuracy is of.
const ROLLING: usize = 100;
/// Classes that are told apart: a damaged message may have any name.
const MOST: usize = 64;
/// The name of all others.
const OTHERS: &str = "others";

/// How often each class was taken for which, by their names, and the accuracy of late.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confusion {
    labels: Vec<String>,
    counts: BTreeMap<(String, String), u64>,
    late: VecDeque<bool>,
}

impl Confusion {
    /// Adds a classification.
    pub fn add(&mut self, class: &str, predicted: &str) {
        let names = (self.known(class), self.known(predicted));
        *self.counts.entry(names).or_default() += 1;
        if self.late.len() == ROLLING {
            self.late.pop_front();
        }
        self.late.push_back(class == predicted);
    }

    /// The name under which a class is counted; a new one is taken in.
    fn known(&mut self, label: &str) -> String {
        let place = |labels: &[String], label| labels.binary_search_by(|other| order(other).cmp(&order(label)));
        let mut label = label;
        if self.labels.len() >= MOST && place(&self.labels, label).is_err() {
            label = OTHERS;
        }
        if let Err(place) = place(&self.labels, label) {
            self.labels.insert(place, label.to_owned());
        }
        label.to_owned()
    }

    /// The classes' names: numbers by their size, then words.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// How often a class was taken for another one, or for itself.
    #[must_use]
    pub fn count(&self, class: &str, predicted: &str) -> u64 {
        self.counts.get(&(class.to_owned(), predicted.to_owned())).copied().unwrap_or(0)
    }

    /// All classifications.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Those that were right.
    #[must_use]
    pub fn right(&self) -> u64 {
        self.counts.iter().filter(|((class, predicted), _)| class == predicted).map(|(_, count)| count).sum()
    }

    /// The share that was right of the last 100, in percent; `None` before the first.
    #[must_use]
    pub fn rolling_accuracy(&self) -> Option<f64> {
        let right = self.late.iter().filter(|right| **right).count();
        (!self.late.is_empty()).then(|| 100.0 * right as f64 / self.late.len() as f64)
    }

    /// The matrix, a row a true class.
    #[must_use]
    pub fn rows(&self) -> Vec<Vec<u64>> {
        let row = |class: &String| self.labels.iter().map(|predicted| self.count(class, predicted)).collect();
        self.labels.iter().map(row).collect()
    }
}

/// Numbers before words, 2 before 10.
fn order(label: &str) -> (u64, &str) {
    (label.parse().unwrap_or(u64::MAX), label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_in_order_whatever_comes_first() {
        let mut confusion = Confusion::default();
        for (class, predicted) in [("10", "2"), ("2", "2"), ("walk", "10"), ("2", "2")] {
            confusion.add(class, predicted);
        }
        assert_eq!(confusion.labels(), ["2", "10", "walk"]);
        assert_eq!(confusion.rows(), [[2, 0, 0], [1, 0, 0], [0, 1, 0]]);
        assert_eq!((confusion.right(), confusion.total()), (2, 4));
        assert_eq!(confusion.rolling_accuracy(), Some(50.0));
    }

    #[test]
    fn there_are_not_more_classes_than_can_be_kept() {
        let mut confusion = Confusion::default();
        (0..1000).for_each(|class| confusion.add(&class.to_string(), "1"));
        assert_eq!((confusion.labels().len(), confusion.total()), (MOST + 1, 1000));
        assert!(confusion.labels().is_sorted_by_key(|label| order(label)));
    }

    #[test]
    fn the_rolling_accuracy_forgets() {
        let mut confusion = Confusion::default();
        assert_eq!(confusion.rolling_accuracy(), None);
        (0..ROLLING).for_each(|_| confusion.add("1", "2"));
        (0..ROLLING).for_each(|_| confusion.add("1", "1"));
        assert_eq!(confusion.rolling_accuracy(), Some(100.0));
    }
}

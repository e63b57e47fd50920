//! Every class with the same share.

use crate::checkpoint::Archive;
use crate::rng::Rng;
use crate::stream::error::ClassOutOfRange;
use crate::stream::replay::Sampling;
use crate::tensor::Zero;

/// A label that is the index of a class: `u8`, `u16` or `usize`.
pub trait Class: Copy + Into<usize> {
    /// Hands it to a checkpoint, and returns the class that is there.
    fn persist(&mut self, archive: &mut Archive<'_>) -> usize;
}

impl Class for u8 {
    fn persist(&mut self, archive: &mut Archive<'_>) -> usize {
        archive.u8(self).into()
    }
}

impl Class for u16 {
    fn persist(&mut self, archive: &mut Archive<'_>) -> usize {
        archive.u16(self).into()
    }
}

impl Class for usize {
    fn persist(&mut self, archive: &mut Archive<'_>) -> usize {
        archive.usize(self)
    }
}

/// Class-balancing reservoir sampling (CBRS) for `K` classes: the memory holds as many samples of each class as it can, and of
/// each class a random choice of all that came. 5 `K` bytes, rounded up to 4.
///
/// Once the memory is full, a class is *full* from when on it is a largest one in it. A sample of a class that is not full
/// takes the place of a random sample of the largest classes. A sample of a full class takes the place of a random one of
/// its own class, with probability `m / n`: `m` of the `n` samples of the class that came, this one too, are in the memory.
///
/// Source: Chrysakis and Moens, "Online continual learning from imbalanced data" (ICML 2020), algorithm 1. Which class is full is
/// asked from when on the memory is. After `u32::MAX` samples of a class its count stays.
///
/// ```
/// use backpass::stream::{ClassBalanced, Replay};
/// let mut replay = Replay::<[f32; 2], u8, ClassBalanced<3>, 30>::new();
/// for i in 0..1000_u16 {
///     // 90 % of one class, 9 % and 1 % of the others.
///     let class = match i % 100 { 0 => 2, 1..10 => 1, _ => 0 };
///     replay.add(&[f32::from(i); 2], class)?;
/// }
/// let count = |class| (0..30).filter(|i| replay.get(*i).unwrap().label() == class).count();
/// assert_eq!([count(0), count(1), count(2)], [10, 10, 10]);
/// # Ok::<(), backpass::stream::ReplayError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClassBalanced<const K: usize> {
    /// How many samples of each class came.
    seen: [u32; K],
    /// Which classes are, or have been, a largest one.
    full: [bool; K],
}

impl<const K: usize> ClassBalanced<K> {
    /// How many samples of each class came. Stays at `u32::MAX` once there.
    pub const fn seen(&self) -> &[u32; K] {
        &self.seen
    }
}

impl<const K: usize> Zero for ClassBalanced<K> {
    const ZERO: Self = Self { seen: [0; K], full: [false; K] };
}

impl<L: Class, const K: usize> Sampling<L> for ClassBalanced<K> {
    fn place(
        &mut self,
        stored: &[L],
        capacity: usize,
        label: &L,
        rng: &mut Rng,
    ) -> Result<Option<usize>, ClassOutOfRange> {
        let class = (*label).into();
        let out_of_range = ClassOutOfRange { class, classes: K };
        let seen = self.seen.get_mut(class).ok_or(out_of_range)?;
        *seen = seen.saturating_add(1);
        if stored.len() < capacity {
            return Ok(Some(stored.len()));
        }

        let mut sizes = [0_u32; K];
        for label in stored {
            if let Some(size) = sizes.get_mut((*label).into()) {
                *size = size.saturating_add(1);
            }
        }
        let largest = sizes.iter().fold(0, |largest, size| largest.max(*size));
        for (full, size) in self.full.iter_mut().zip(&sizes) {
            *full |= *size == largest;
        }

        let size = |class: usize| sizes.get(class).copied().unwrap_or_default();
        if self.full.get(class) == Some(&false) {
            let largest_ones = sizes.iter().filter(|size| **size == largest).count() as u32;
            let chosen = rng.below(largest.saturating_mul(largest_ones));
            return Ok(nth(stored, chosen, |class| size(class) == largest));
        }
        if rng.below(*seen) < size(class) {
            let chosen = rng.below(size(class));
            return Ok(nth(stored, chosen, |other| other == class));
        }
        Ok(None)
    }

    fn persist(&mut self, labels: &mut [L], len: usize, archive: &mut Archive<'_>) {
        archive.name("ClassBalanced");
        let mut sizes = [0_u32; K];
        for (place, label) in labels.iter_mut().enumerate() {
            let class = label.persist(archive);
            archive.require(class < K);
            if let (true, Some(size)) = (place < len, sizes.get_mut(class)) {
                *size = size.saturating_add(1);
            }
        }
        for ((seen, full), size) in self.seen.iter_mut().zip(&mut self.full).zip(sizes) {
            let seen = archive.u32(seen);
            archive.require(seen >= size);
            archive.bool(full);
        }
    }
}

/// The position of the `n`-th stored sample, from 0, whose class is one that is `wanted`.
fn nth<L: Class>(stored: &[L], n: u32, wanted: impl Fn(usize) -> bool) -> Option<usize> {
    let mut positions = stored.iter().enumerate().filter(|(_, label)| wanted((**label).into()));
    positions.nth(n as usize).map(|(position, _)| position)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::stream::{Replay, ReplayError};

    const KEPT: usize = 20;

    /// What a memory holds after a stream of classes: their positions in the stream, class by class.
    fn kept(classes: impl Iterator<Item = u8>, seed: u64) -> [Vec<usize>; 4] {
        let mut replay = Replay::<f32, u8, ClassBalanced<4>, KEPT>::seeded(seed);
        for (i, class) in classes.enumerate() {
            replay.add(&(i as f32), class).unwrap();
        }
        let mut kept = [const { Vec::new() }; 4];
        for i in 0..replay.len() {
            let (example, mut position) = (replay.get(i).unwrap(), f32::NAN);
            example.write(&mut position);
            kept[usize::from(example.label())].push(position as usize);
        }
        kept
    }

    #[test]
    fn classes_become_as_equal_as_they_can() {
        // One after another, as a device meets them; sizes 500, 3, 200, 30.
        let classes =
            || [(0, 500), (1, 3), (2, 200), (3, 30)].into_iter().flat_map(|(c, n)| [c].into_iter().cycle().take(n));
        for seed in 0..50 {
            let kept = kept(classes(), seed);
            // All three of the rare one; 17 places for the others.
            assert_eq!(kept[1].iter().sum::<usize>(), 500 + 501 + 502, "seed {seed}: {kept:?}");
            for class in [0, 2, 3] {
                assert!((5..=6).contains(&kept[class].len()), "seed {seed}: {kept:?}");
            }
        }
    }

    #[test]
    fn of_each_class_every_sample_is_kept_equally_often() {
        // A stream of 120: the classes are mixed, and of 60, 30, 20 and 10 samples.
        let class = |i: usize| match i % 12 {
            0..6 => 0,
            6..9 => 1,
            9..11 => 2,
            _ => 3,
        };
        let mut counts = [0_u32; 120];
        for seed in 0..20_000 {
            let kept = kept((0..120).map(class), seed);
            assert!(kept.iter().all(|kept| kept.len() == 5), "{kept:?}");
            kept.iter().flatten().for_each(|i| counts[*i] += 1);
        }
        // Degrees of freedom 59, 29, 19, 9: 99.9 % of all draws are below these.
        for (wanted, bound) in [(0, 98.3), (1, 58.3), (2, 43.8), (3, 27.9)] {
            let of_class: Vec<_> = (0..120).filter(|i| class(*i) == wanted).map(|i| counts[i]).collect();
            let expected = 20_000.0 * 5.0 / of_class.len() as f64;
            let statistic: f64 = of_class.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
            std::println!("class {wanted}: chi-square {statistic:.1} ({} degrees of freedom)", of_class.len() - 1);
            assert!(statistic < bound, "class {wanted}: {statistic} {of_class:?}");
        }
    }

    #[test]
    fn a_class_that_does_not_exist_is_refused_and_changes_nothing() {
        let mut replay = Replay::<f32, u8, ClassBalanced<4>, 3>::new();
        replay.add(&1.0, 3).unwrap();
        let before = replay;
        let error = ClassOutOfRange { class: 4, classes: 4 };
        assert_eq!(replay.add(&1.0, 4), Err(ReplayError::Class(error)));
        assert_eq!(replay, before);
    }
}

//! Every sample so far with the same probability.

use crate::checkpoint::{Archive, Persist};
use crate::rng::Rng;
use crate::stream::error::ClassOutOfRange;
use crate::stream::replay::Sampling;
use crate::tensor::Zero;

/// Reservoir sampling: of `n` samples so far, each is in a memory of `N` with probability `N / n`. 4 bytes.
///
/// The `n`-th sample draws a place below `n`; it takes it if the memory has it. Algorithm R, in Vitter, "Random sampling with a
/// reservoir" (ACM Transactions on Mathematical Software 1985). The probability of a place is exact to `n / 2^32` of it, by
/// [`Rng::below`]. After `u32::MAX` samples the count stays, so that later samples are a little likelier than earlier ones.
///
/// The memory then has the classes of the stream in the shares of the stream, so a rare class may be missing:
/// [`ClassBalanced`](crate::stream::ClassBalanced) keeps it.
///
/// ```
/// use backpass::stream::{Replay, Reservoir};
/// // Without labels: for an autoencoder.
/// let mut replay = Replay::<[f32; 8], (), Reservoir, 10>::new();
/// for i in 0..1000 {
///     replay.add(&[i as f32; 8], ())?;
/// }
/// assert_eq!(replay.len(), 10);
/// # Ok::<(), backpass::stream::ReplayError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Reservoir {
    seen: u32,
}

impl Reservoir {
    /// How many samples came so far. Stays at `u32::MAX` once there.
    pub const fn seen(&self) -> u32 {
        self.seen
    }
}

impl Zero for Reservoir {
    const ZERO: Self = Self { seen: 0 };
}

impl<L: Persist> Sampling<L> for Reservoir {
    fn place(&mut self, stored: &[L], capacity: usize, _: &L, rng: &mut Rng) -> Result<Option<usize>, ClassOutOfRange> {
        self.seen = self.seen.saturating_add(1);
        let place = if stored.len() < capacity { stored.len() } else { rng.below(self.seen) as usize };
        Ok((place < capacity).then_some(place))
    }

    fn persist(&mut self, labels: &mut [L], len: usize, archive: &mut Archive<'_>) {
        archive.name("Reservoir");
        let seen = archive.u32(&mut self.seen);
        archive.require(seen as usize >= len);
        labels.persist(archive);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Replay;

    /// The statistic of Pearson's test that all of `counts` have the same expectation.
    pub(crate) fn chi_square(counts: &[u32]) -> f64 {
        let expected = counts.iter().map(|count| f64::from(*count)).sum::<f64>() / counts.len() as f64;
        counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum()
    }

    #[test]
    fn every_sample_is_kept_equally_often() {
        const STREAM: usize = 100;
        const KEPT: usize = 10;
        let mut counts = [0; STREAM];
        let mut pairs = [0; STREAM];
        for seed in 0..10_000 {
            let mut replay = Replay::<f32, u8, Reservoir, KEPT>::seeded(seed);
            for i in 0..STREAM {
                replay.add(&(i as f32), i as u8).unwrap();
            }
            let mut kept: std::vec::Vec<_> = (0..KEPT).map(|i| usize::from(replay.get(i).unwrap().label())).collect();
            kept.iter().for_each(|i| counts[*i] += 1);
            kept.sort_unstable();
            // Of the pairs too: the distance between neighbours around the circle.
            kept.iter().zip(kept.iter().cycle().skip(1)).for_each(|(a, b)| pairs[(b + STREAM - a) % STREAM] += 1);
        }
        // 99 degrees of freedom: mean 99, deviation 14; above 149 one seed in a thousand would be. The counts of a draw without
        // replacement vary less, by 1 - 10/100.
        let statistic = chi_square(&counts);
        std::println!(
            "inclusion of 100 samples in 10,000 reservoirs of 10: chi-square {statistic:.1} (99 degrees of freedom)"
        );
        assert!(statistic < 149.0 * 0.9 && statistic > 56.0 * 0.9, "{statistic}");
        // Gaps of ten uniform places in a hundred: P(gap = g) = C(99 - g, 8) / C(99, 9).
        let binomial = |n: usize, k: usize| (0..k).map(|i| (n - i) as f64 / (k - i) as f64).product::<f64>();
        let mut statistic = 0.0;
        let mut degrees = 0;
        for (gap, count) in pairs.iter().enumerate().skip(1).take(45) {
            let expected = 100_000.0 * binomial(STREAM - 1 - gap, KEPT - 2) / binomial(STREAM - 1, KEPT - 1);
            statistic += (f64::from(*count) - expected).powi(2) / expected;
            degrees += 1;
        }
        std::println!("gaps between kept samples: chi-square {statistic:.1} ({degrees} cells)");
        assert!(statistic < 80.0, "{statistic}");
    }

    #[test]
    fn a_full_count_stays() {
        let mut reservoir = Reservoir { seen: u32::MAX };
        let place = reservoir.place(&[(); 3], 3, &(), &mut Rng::new(1));
        assert_eq!((place, reservoir.seen()), (Ok(None), u32::MAX));
    }
}

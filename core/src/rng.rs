//! The seeded random generator: SplitMix64, the same numbers on every platform.

use crate::tensor::Zero;

/// SplitMix64: a 64-bit counter, mixed.
///
/// `state += 0x9e3779b97f4a7c15`, then the finaliser of Stafford's variant 13. Every seed gives a full period of 2^64.
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014). Not for secrets.
///
/// Every function is `const`, so that a shuffle can be made by the compiler and lie in flash.
///
/// ```
/// use backpass::Rng;
/// let mut a = Rng::new(7);
/// let mut b = Rng::new(7);
/// assert_eq!(a.next_u64(), b.next_u64());
/// assert!((0.0..1.0).contains(&a.unit()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Rng {
    state: u64,
}

impl Zero for Rng {
    const ZERO: Self = Self::new(0);
}

impl Rng {
    /// A generator for the given seed. Any seed is good, zero too.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The state: the seed of a generator that goes on from here.
    pub const fn state(&self) -> u64 {
        self.state
    }

    /// The next 64 random bits.
    #[inline(never)]
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..1`: 24 random bits, so every value is exact and equally likely.
    pub const fn unit(&mut self) -> f32 {
        // What is left fits in 32 bits, which an FPU converts in one instruction.
        (self.next_u64() >> 40) as u32 as f32 * (1.0 / 16_777_216.0)
    }

    /// A number in `-bound..bound`.
    pub const fn symmetric(&mut self, bound: f32) -> f32 {
        (2.0 * self.unit() - 1.0) * bound
    }

    /// An index in `0..n`; `0` if `n` is 0.
    ///
    /// The upper half of a 32 by 32 bit product (Lemire 2019) without its rejection step: an index is likelier than
    /// another by at most `n / 2^32`.
    pub const fn below(&mut self, n: u32) -> u32 {
        (((self.next_u64() >> 32) * n as u64) >> 32) as u32
    }

    /// Shuffles `items` in place (Fisher and Yates, from the end): for `i` from the last down to 1, swaps item `i` with
    /// item `below(i + 1)`.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u32 + 1) as usize;
            // Both are below the length; `get_disjoint_mut` would refuse equal ones, which need no swap.
            if let Ok([a, b]) = items.get_disjoint_mut([other, last]) {
                core::mem::swap(a, b);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_published_sequence() {
        // The reference implementation's first outputs for seed 1234567 (Vigna, prng.di.unimi.it/splitmix64.c).
        let mut rng = Rng::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(expected.map(|_| rng.next_u64()), expected);
    }

    #[test]
    fn numbers_fill_their_range_evenly() {
        let mut rng = Rng::new(3);
        let (mut sum, mut low, mut high) = (0.0, 1.0_f32, 0.0_f32);
        for _ in 0..10_000 {
            let v = rng.unit();
            sum += f64::from(v);
            low = low.min(v);
            high = high.max(v);
        }
        // The mean of 10,000 uniform numbers has a standard deviation of 0.003.
        assert!((sum / 10_000.0 - 0.5).abs() < 0.012, "{sum}");
        assert!((0.0..0.001).contains(&low) && (0.999..1.0).contains(&high));

        let mut counts = [0; 7];
        (0..7000).for_each(|_| counts[rng.below(7) as usize] += 1);
        assert!(counts.iter().all(|c| (880..1120).contains(c)), "{counts:?}");
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
    }

    #[test]
    fn a_shuffle_keeps_every_item_and_depends_on_the_seed() {
        let shuffled = |seed| {
            let mut items: [u32; 100] = core::array::from_fn(|i| i as u32);
            Rng::new(seed).shuffle(&mut items);
            items
        };
        let mut sorted = shuffled(1);
        assert_ne!(shuffled(1), shuffled(2));
        assert_eq!(shuffled(1), shuffled(1));
        sorted.sort_unstable();
        assert!(sorted.iter().enumerate().all(|(i, v)| *v == i as u32));
    }
}

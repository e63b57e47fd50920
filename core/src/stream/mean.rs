//! The running mean.

use crate::checkpoint::{Archive, Persist};
use crate::stream::compensated::Compensated;
use crate::stream::error::{LARGEST_MEAN, ValueError};
use crate::tensor::Zero;

/// The mean of all values so far: `mean += (x - mean) / n`. `river.stats.Mean`. 12 bytes.
///
/// Source: Welford, "Note on a method for calculating corrected sums of squares and products" (Technometrics 1962). The mean is kept in
/// two `f32`; after 10 million values it is within 1e-6 of the spread of the values of the exact one. After `u32::MAX` values
/// the count stays, and the mean forgets exponentially, over about as many.
///
/// ```
/// use backpass::stream::Mean;
/// let mut mean = Mean::new();
/// for loss in [2.0, 1.0, 0.0] {
///     mean.update(loss)?;
/// }
/// assert_eq!((mean.get(), mean.count()), (1.0, 3));
/// assert!(mean.update(f32::NAN).is_err());
/// # Ok::<(), backpass::stream::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Mean {
    count: u32,
    mean: Compensated,
}

impl Mean {
    /// Of nothing.
    pub const fn new() -> Self {
        Self { count: 0, mean: Compensated::ZERO }
    }

    /// Takes one more value.
    ///
    /// # Errors
    /// [`ValueError`]: it is not finite, or above 1e18. Nothing has changed then.
    pub fn update(&mut self, value: f32) -> Result<(), ValueError> {
        ValueError::check(value)?;
        self.count = self.count.saturating_add(1);
        self.mean = self.mean.plus(self.mean.distance_to(value) / self.count as f32);
        Ok(())
    }

    /// The mean; 0 of nothing.
    pub const fn get(&self) -> f32 {
        self.mean.value()
    }

    /// How many values there were. Stays at `u32::MAX` once there.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// `value` minus the mean.
    pub(crate) const fn distance_to(&self, value: f32) -> f32 {
        self.mean.distance_to(value)
    }
}

impl Persist for Mean {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.name("Mean");
        archive.u32(&mut self.count);
        self.mean.persist(archive, LARGEST_MEAN);
    }
}

impl Default for Mean {
    fn default() -> Self {
        Self::new()
    }
}

impl Zero for Mean {
    const ZERO: Self = Self::new();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    #[test]
    fn ten_million_values_have_the_mean_that_f64_gives() {
        let (mut mean, mut rng, mut exact) = (Mean::new(), Rng::new(1), 0.0_f64);
        for n in 1..=10_000_000 {
            let x = 100.0 + rng.symmetric(1.0);
            mean.update(x).unwrap();
            exact += (f64::from(x) - exact) / f64::from(n);
        }
        // 100 itself is known to 3.8e-6.
        assert!((f64::from(mean.get()) - exact).abs() < 4e-6, "{} {exact}", mean.get());
        assert!((f64::from(mean.distance_to(100.0)) - (100.0 - exact)).abs() < 1e-6);
    }

    #[test]
    fn a_full_count_stays() {
        let mut mean = Mean { count: u32::MAX, mean: Compensated::ZERO };
        mean.update(1.0).unwrap();
        assert_eq!(mean.count(), u32::MAX);
        assert!((mean.get() * 4_294_967_296.0 - 1.0).abs() < 1e-6);
    }
}

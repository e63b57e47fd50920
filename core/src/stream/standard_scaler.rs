//! Mean 0, variance 1.

use crate::checkpoint::{Archive, Persist};
use crate::layers::Scale;
use crate::math;
use crate::message::Message;
use crate::stream::compensated::Compensated;
use crate::stream::error::{LARGEST_MEAN, LARGEST_VARIANCE, SampleError, ValueError};
use crate::stream::normalizer::{self, Normalizer};
use crate::tensor::{Tensor, Zero};

/// Running mean and variance of `C` channels, and `y = (x - mean) / sqrt(variance)`. 8 + 16 `C` bytes.
///
/// The statistics are those of the whole stream: for the n-th observation `mean += (x - mean) / n` and
/// `variance += ((x - old mean)(x - new mean) - variance) / n` (Welford, Technometrics 1962): the population's variance, as in river's
/// and scikit-learn's `StandardScaler`.
///
/// Both are kept in two `f32` each, so that a long run loses nothing: after 10 million values with a mean of 100 and a deviation of 1,
/// the mean is within 2e-6 deviations and the variance within 2e-6 of what `f64` gives (a test measures it; plain `f32` is off by 5e-3).
/// After `u32::MAX` observations the count stays, and the statistics forget exponentially, over about as many.
///
/// ```
/// use backpass::stream::{Normalizer, StandardScaler};
/// let mut scaler = StandardScaler::<3>::new();
/// for row in [[0.0, 1.0, 9.0], [0.5, 1.0, 10.0], [1.0, 1.0, 11.0]] {
///     scaler.learn(&row)?;
/// }
/// assert_eq!(scaler.mean(), [0.5, 1.0, 10.0]);
/// let mut row = [1.0, 7.0, 10.0];
/// scaler.transform(&mut row)?;
/// // The second channel was constant.
/// assert!((row[0] - 1.2247449).abs() < 1e-6 && row[1..] == [0.0, 0.0]);
/// # Ok::<(), backpass::stream::SampleError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StandardScaler<const C: usize> {
    count: u32,
    frozen: bool,
    means: [Compensated; C],
    variances: [Compensated; C],
}

impl<const C: usize> StandardScaler<C> {
    /// Before the first observation: all zeros, so that a static lies in `.bss`.
    pub const fn new() -> Self {
        Self { count: 0, frozen: false, means: [Compensated::ZERO; C], variances: [Compensated::ZERO; C] }
    }

    /// The mean of each channel.
    pub fn mean(&self) -> [f32; C] {
        self.means.map(Compensated::value)
    }

    /// The population's variance of each channel.
    pub fn variance(&self) -> [f32; C] {
        self.variances.map(Compensated::value)
    }

    /// The same scaling as a layer: what was measured, made a part of a network.
    ///
    /// A channel that was constant has a factor of 0.
    pub fn layer(&self) -> Scale<C> {
        Scale { mean: self.mean(), factor: self.variance().map(factor) }
    }
}

/// One over the deviation; 0 where there is none.
fn factor(variance: f32) -> f32 {
    let deviation = math::sqrt(variance);
    // NaN, of a variance that rounding has made negative, is not above 0.
    if deviation > 0.0 { 1.0 / deviation } else { 0.0 }
}

impl<const C: usize> Normalizer for StandardScaler<C> {
    fn learn<X: Tensor>(&mut self, sample: &X) -> Result<(), SampleError> {
        const { check_channels::<X>("StandardScaler", C) };
        if self.frozen {
            return SampleError::check_finite(sample.flat());
        }
        SampleError::check(sample.flat(), ValueError::check)?;
        for row in sample.flat().chunks_exact(C) {
            self.count = self.count.saturating_add(1);
            let share = 1.0 / self.count as f32;
            for ((mean, variance), x) in self.means.iter_mut().zip(&mut self.variances).zip(row) {
                let before = mean.distance_to(*x);
                *mean = mean.plus(before * share);
                let after = mean.distance_to(*x);
                *variance = variance.plus(variance.distance_to(before * after) * share);
            }
        }
        Ok(())
    }

    fn transform<X: Tensor>(&self, sample: &mut X) -> Result<(), SampleError> {
        const { check_channels::<X>("StandardScaler", C) };
        let channels = self.means.iter().zip(&self.variances).map(|(mean, variance)| {
            let deviation = math::sqrt(variance.value());
            move |x| if deviation > 0.0 { mean.distance_to(x) / deviation } else { 0.0 }
        });
        normalizer::transform::<X, C, _>(sample, channels)
    }

    fn freeze(&mut self) {
        self.frozen = true;
    }

    fn resume(&mut self) {
        self.frozen = false;
    }

    fn is_frozen(&self) -> bool {
        self.frozen
    }

    fn count(&self) -> u32 {
        self.count
    }
}

impl<const C: usize> Persist for StandardScaler<C> {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.name("StandardScaler");
        archive.u32(&mut self.count);
        archive.bool(&mut self.frozen);
        self.means.iter_mut().for_each(|mean| mean.persist(archive, LARGEST_MEAN));
        self.variances.iter_mut().for_each(|variance| variance.persist(archive, LARGEST_VARIANCE));
    }
}

/// Stops the compiler where a sample has other channels than a scaler.
pub(super) const fn check_channels<X: Tensor>(scaler: &str, channels: usize) {
    let message = Message::new(scaler).text(": it has ").number(channels).text(" channels, but the sample has ");
    assert!(channels == X::CHANNELS && channels > 0, "{}", message.number(X::CHANNELS).as_str());
}

impl<const C: usize> Default for StandardScaler<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const C: usize> Zero for StandardScaler<C> {
    const ZERO: Self = Self::new();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Layer, Pass, Rng};

    /// How far mean and variance are from those in f64, in deviations and relative, after `n` values.
    fn errors(n: u32, offset: f32, mut draw: impl FnMut(u32) -> f32) -> (f64, f64) {
        let mut scaler = StandardScaler::<1>::new();
        let (mut mean, mut squares) = (0.0_f64, 0.0_f64);
        for i in 1..=n {
            let x = offset + draw(i);
            scaler.learn(&x).unwrap();
            let before = f64::from(x) - mean;
            mean += before / f64::from(i);
            squares += before * (f64::from(x) - mean);
        }
        let variance = squares / f64::from(n);
        // Both halves of the mean: how far it is from the offset, which is exact.
        let ours = f64::from(offset) - f64::from(scaler.means[0].distance_to(offset));
        let deviations = (ours - mean).abs() / variance.sqrt();
        (deviations, (f64::from(scaler.variance()[0]) / variance - 1.0).abs())
    }

    #[test]
    fn ten_million_values_have_the_mean_and_the_variance_that_f64_gives() {
        let mut rng = Rng::new(1);
        // The sum of three uniform numbers: deviation 1.
        let (mean, variance) =
            errors(10_000_000, 100.0, |_| rng.symmetric(1.0) + rng.symmetric(1.0) + rng.symmetric(1.0));
        std::println!("after 10,000,000 values: mean off by {mean:e} deviations, variance by {variance:e}");
        assert!(mean < 2e-6 && variance < 2e-6, "{mean:e} {variance:e}");
        // A slow wave, whose mean never comes to rest.
        let (mean, variance) = errors(10_000_000, 0.0, |i| (i / 1000 % 200) as f32 - 100.0);
        std::println!("of a slow wave: mean off by {mean:e} deviations, variance by {variance:e}");
        assert!(mean < 2e-6 && variance < 2e-6, "{mean:e} {variance:e}");
    }

    #[test]
    fn a_large_offset_does_not_hide_a_small_variance() {
        let mut rng = Rng::new(2);
        let (mean, variance) = errors(10_000, 16_384.0, |_| rng.symmetric(1.0));
        assert!(mean < 1e-5 && variance < 1e-5, "{mean:e} {variance:e}");
    }

    #[test]
    fn rows_windows_and_images_are_measured_alike() {
        let rows = [[1.0, 5.0], [2.0, 4.0], [4.0, -3.0], [8.0, 2.0]];
        let (mut single, mut window, mut image) =
            (StandardScaler::<2>::new(), StandardScaler::<2>::new(), StandardScaler::<2>::new());
        rows.iter().for_each(|row| single.learn(row).unwrap());
        window.learn(&rows).unwrap();
        image.learn(&[[rows[0], rows[1]], [rows[2], rows[3]]]).unwrap();
        assert_eq!(single, window);
        assert_eq!(single, image);
        assert_eq!(single.count(), 4);
        let (mut whole, mut each) = (rows, rows);
        single.transform(&mut whole).unwrap();
        each.iter_mut().for_each(|row| single.transform(row).unwrap());
        assert_eq!(whole, each);
    }

    #[test]
    fn frozen_it_measures_nothing_and_goes_on_after() {
        let (mut frozen, mut plain) = (StandardScaler::<1>::new(), StandardScaler::<1>::new());
        for (i, x) in [1.0, 2.0, 50.0, 3.0].into_iter().enumerate() {
            if i == 2 {
                frozen.freeze();
                assert!(frozen.is_frozen());
                frozen.learn(&[x]).unwrap();
                frozen.resume();
            } else {
                frozen.learn(&[x]).unwrap();
                plain.learn(&[x]).unwrap();
            }
        }
        assert_eq!(frozen, plain);
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let mut scaler = StandardScaler::<2>::new();
        scaler.learn(&[[1.0, 2.0], [2.0, 5.0]]).unwrap();
        let before = scaler;
        // The first row would be fine.
        assert_eq!(
            scaler.learn(&[[1.0, 2.0], [2.0, f32::NAN]]),
            Err(SampleError { index: 3, error: ValueError::NotFinite })
        );
        assert_eq!(scaler.learn(&[0.0, 1e19]), Err(SampleError { index: 1, error: ValueError::TooLarge }));
        scaler.freeze();
        assert!(scaler.learn(&[f32::INFINITY, 0.0]).is_err());
        scaler.resume();
        assert_eq!(scaler, before);
        let mut row = [1.0, f32::NAN];
        assert_eq!(scaler.transform(&mut row), Err(SampleError { index: 1, error: ValueError::NotFinite }));
        assert_eq!(row[0], 1.0);
        // Finite, but its distance from the mean, in deviations, is not.
        scaler.variances[1] = Compensated::ZERO.plus(1e-30);
        let mut row = [1.0, -3e38];
        assert_eq!(scaler.transform(&mut row), Err(SampleError { index: 1, error: ValueError::TooLarge }));
        assert_eq!(row, [1.0, -3e38]);
    }

    #[test]
    fn the_largest_values_have_a_finite_variance() {
        let mut scaler = StandardScaler::<1>::new();
        for i in 0..1000 {
            scaler.learn(&if i % 2 == 0 { 1e18 } else { -1e18 }).unwrap();
        }
        assert!((scaler.variance()[0] / 1e36 - 1.0).abs() < 1e-5);
    }

    #[test]
    fn as_a_layer_it_gives_the_same() {
        let mut scaler = StandardScaler::<2>::new();
        scaler.learn(&[[1.0, 3.0], [2.0, 3.0], [6.0, 3.0]]).unwrap();
        let (mut ours, mut theirs) = ([4.0, 3.0], [4.0, 3.0]);
        scaler.transform(&mut ours).unwrap();
        scaler.layer().forward(&(), &mut theirs, &mut (), Pass::Predicting);
        assert!((ours[0] - theirs[0]).abs() < 1e-6 && theirs[1] == 0.0);
    }

    #[test]
    fn a_full_count_stays() {
        let mut scaler = StandardScaler::<1> { count: u32::MAX, ..StandardScaler::new() };
        scaler.learn(&[1.0]).unwrap();
        assert_eq!(scaler.count(), u32::MAX);
        assert!(scaler.mean()[0] > 0.0);
    }
}

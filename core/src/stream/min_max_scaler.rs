//! The range from 0 to 1.

use crate::checkpoint::{Archive, Persist};
use crate::stream::error::{SampleError, ValueError};
use crate::stream::normalizer::{self, Normalizer};
use crate::stream::standard_scaler::check_channels;
use crate::tensor::{Tensor, Zero};

/// Running minimum and maximum of `C` channels, and `y = (x - minimum) / (maximum - minimum)`. 8 + 8 `C` bytes.
///
/// River's and scikit-learn's `MinMaxScaler`. What comes after [`freeze`](Normalizer::freeze) may lie outside of 0 to 1. One outlier
/// spoils the range for good; [`StandardScaler`](crate::stream::StandardScaler) forgives it.
///
/// ```
/// use backpass::stream::{MinMaxScaler, Normalizer};
/// let mut scaler = MinMaxScaler::<2>::new();
/// scaler.learn(&[[0.0, -4.0], [10.0, 4.0]])?;
/// let mut row = [5.0, 6.0];
/// scaler.transform(&mut row)?;
/// assert_eq!(row, [0.5, 1.25]);
/// # Ok::<(), backpass::stream::SampleError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MinMaxScaler<const C: usize> {
    count: u32,
    frozen: bool,
    minima: [f32; C],
    maxima: [f32; C],
}

impl<const C: usize> MinMaxScaler<C> {
    /// Before the first observation: all zeros, so that a static lies in `.bss`.
    pub const fn new() -> Self {
        Self { count: 0, frozen: false, minima: [0.0; C], maxima: [0.0; C] }
    }

    /// The least value of each channel; 0 before the first.
    pub const fn minimum(&self) -> &[f32; C] {
        &self.minima
    }

    /// The largest value of each channel; 0 before the first.
    pub const fn maximum(&self) -> &[f32; C] {
        &self.maxima
    }
}

impl<const C: usize> Normalizer for MinMaxScaler<C> {
    fn learn<X: Tensor>(&mut self, sample: &X) -> Result<(), SampleError> {
        const { check_channels::<X>("MinMaxScaler", C) };
        if self.frozen {
            return SampleError::check_finite(sample.flat());
        }
        SampleError::check(sample.flat(), ValueError::check)?;
        for row in sample.flat().chunks_exact(C) {
            for ((minimum, maximum), x) in self.minima.iter_mut().zip(&mut self.maxima).zip(row) {
                if self.count == 0 || x < minimum {
                    *minimum = *x;
                }
                if self.count == 0 || x > maximum {
                    *maximum = *x;
                }
            }
            self.count = self.count.saturating_add(1);
        }
        Ok(())
    }

    fn transform<X: Tensor>(&self, sample: &mut X) -> Result<(), SampleError> {
        const { check_channels::<X>("MinMaxScaler", C) };
        let channels = self.minima.iter().zip(&self.maxima).map(|(minimum, maximum)| {
            let range = maximum - minimum;
            move |x: f32| if range > 0.0 { (x - minimum) / range } else { 0.0 }
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

impl<const C: usize> Persist for MinMaxScaler<C> {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.name("MinMaxScaler");
        archive.u32(&mut self.count);
        archive.bool(&mut self.frozen);
        for (minimum, maximum) in self.minima.iter_mut().zip(&mut self.maxima) {
            let (minimum, maximum) = (archive.f32(minimum), archive.f32(maximum));
            let sound = |value| ValueError::check(value).is_ok();
            archive.require(minimum <= maximum && sound(minimum) && sound(maximum));
        }
    }
}

impl<const C: usize> Default for MinMaxScaler<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const C: usize> Zero for MinMaxScaler<C> {
    const ZERO: Self = Self::new();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_observation_is_both_ends() {
        let mut scaler = MinMaxScaler::<2>::new();
        scaler.learn(&[5.0, -5.0]).unwrap();
        assert_eq!((scaler.minimum(), scaler.maximum()), (&[5.0, -5.0], &[5.0, -5.0]));
        let mut row = [5.0, 7.0];
        scaler.transform(&mut row).unwrap();
        assert_eq!(row, [0.0; 2]);
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let mut scaler = MinMaxScaler::<1>::new();
        scaler.learn(&[[0.0], [1.0]]).unwrap();
        let before = scaler;
        assert_eq!(
            scaler.learn(&[[7.0], [f32::INFINITY]]),
            Err(SampleError { index: 1, error: ValueError::NotFinite })
        );
        assert_eq!(scaler.learn(&-1e19), Err(SampleError { index: 0, error: ValueError::TooLarge }));
        scaler.freeze();
        scaler.learn(&100.0).unwrap();
        assert!(scaler.is_frozen());
        scaler.resume();
        assert_eq!(scaler, before);
        let mut x = f32::NAN;
        assert!(scaler.transform(&mut x).is_err());
    }
}

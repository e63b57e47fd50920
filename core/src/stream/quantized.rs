//! A sample in 8-bit numbers.

use crate::checkpoint::Archive;
use crate::message::Message;
use crate::stream::replay::{Storage, Stored};
use crate::tensor::{Tensor, Zero};

/// A sample of `LEN` elements in one byte each, for a [`Replay`](crate::stream::Replay) memory: a quarter of its `f32`, and 8 bytes for each scale.
///
/// Affine quantisation: `x` becomes `code = round(255 (x - minimum) / (maximum - minimum))`, and comes back as
/// `minimum (1 - code / 255) + maximum (code / 255)`. Minimum and maximum are those of this sample; with `CHANNELS` above 1, of each
/// channel (the last axis) of this sample, for channels of different size, such as acceleration and rotation.
///
/// An element is off by at most half a step, `(maximum - minimum) / 510`, and what `f32` rounds: 2^-22 of the larger of the
/// two magnitudes. Minimum and maximum come back exactly.
///
/// Source: Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference" (CVPR 2018),
/// with the range of each sample; for replay, Pellegrini et al., "Latent replay for real-time continual learning" (IROS 2020), and
/// Ravaglia et al., "A TinyML platform for on-device continual learning with quantized latent replays" (IEEE JETCAS 2021).
///
/// ```
/// use backpass::stream::{Quantized, Storage};
/// use backpass::Zero;
/// assert_eq!(size_of::<Quantized<150, 3>>(), 150 + 2 + 3 * 8); // f32: 600
/// let mut quantized = Quantized::<4>::ZERO;
/// quantized.store(&[0.0, 1.0, 2.0, 16.0]);
/// let mut sample = [0.0; 4];
/// quantized.write(&mut sample);
/// for (before, after) in [0.0, 1.0, 2.0, 16.0].iter().zip(sample) {
///     assert!((before - after).abs() <= 16.0 / 510.0 + 1e-5);
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Quantized<const LEN: usize, const CHANNELS: usize = 1> {
    codes: [u8; LEN],
    minima: [f32; CHANNELS],
    maxima: [f32; CHANNELS],
}

impl<const LEN: usize, const CHANNELS: usize> Zero for Quantized<LEN, CHANNELS> {
    const ZERO: Self = Self { codes: [0; LEN], minima: [0.0; CHANNELS], maxima: [0.0; CHANNELS] };
}

impl<const LEN: usize, const CHANNELS: usize> Stored for Quantized<LEN, CHANNELS> {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.name("Quantized");
        archive.bytes(&mut self.codes);
        for (minimum, maximum) in self.minima.iter_mut().zip(&mut self.maxima) {
            let (minimum, maximum) = (archive.f32(minimum), archive.f32(maximum));
            archive.require(minimum.is_finite() && maximum.is_finite() && minimum <= maximum);
        }
    }
}

impl<X: Tensor, const LEN: usize, const CHANNELS: usize> Storage<X> for Quantized<LEN, CHANNELS> {
    fn store(&mut self, sample: &X) {
        const { check::<X>(LEN, CHANNELS) };
        for (channel, (minimum, maximum)) in self.minima.iter_mut().zip(&mut self.maxima).enumerate() {
            let values = || sample.flat().iter().skip(channel).step_by(CHANNELS);
            (*minimum, *maximum) = (f32::INFINITY, f32::NEG_INFINITY);
            for x in values() {
                (*minimum, *maximum) = (minimum.min(*x), maximum.max(*x));
            }
            // Of halves, so that the range of any finite numbers is finite.
            let (low, range) = (0.5 * *minimum, 0.5 * *maximum - 0.5 * *minimum);
            let steps = if range > 0.0 { 255.0 / range } else { 0.0 };
            // Ranges below 1e-36 or so have an infinite number of steps in a unit.
            let of_range = |x: f32| if steps.is_finite() { (x - low) * steps } else { 255.0 * ((x - low) / range) };
            for (code, x) in self.codes.iter_mut().skip(channel).step_by(CHANNELS).zip(values()) {
                // Rounds to the nearest: what is cut off is below the half that was added. Beyond a byte, it saturates.
                *code = (of_range(0.5 * x) + 0.5) as u8;
            }
        }
    }

    fn write(&self, sample: &mut X) {
        const { check::<X>(LEN, CHANNELS) };
        for (channel, (minimum, maximum)) in self.minima.iter().zip(&self.maxima).enumerate() {
            let codes = self.codes.iter().skip(channel).step_by(CHANNELS);
            for (x, code) in sample.flat_mut().iter_mut().skip(channel).step_by(CHANNELS).zip(codes) {
                let share = f32::from(*code) * (1.0 / 255.0);
                // Rounding leaves no value outside of the range.
                *x = (minimum * (1.0 - share) + maximum * share).max(*minimum).min(*maximum);
            }
        }
    }
}

/// Stops the compiler where a sample does not fit.
const fn check<X: Tensor>(len: usize, channels: usize) {
    let message = Message::new("Quantized: it holds ").number(len).text(" elements, but the sample has ");
    assert!(len == X::LEN && len > 0, "{}", message.number(X::LEN).as_str());
    let message = Message::new("Quantized: it has ").number(channels).text(" scales; use 1, or one a channel: ");
    assert!(channels == 1 || channels == X::CHANNELS, "{}", message.number(X::CHANNELS).as_str());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn restored<const N: usize>(sample: [f32; N]) -> [f32; N] {
        let (mut quantized, mut restored) = (Quantized::<N>::ZERO, [f32::NAN; N]);
        quantized.store(&sample);
        quantized.write(&mut restored);
        restored
    }

    /// The stated bound, computed in f64; subnormal numbers are rounded to multiples of 1.4e-45.
    fn check_bound(sample: &[f32], restored: &[f32]) {
        let (low, high) = sample.iter().fold((f32::MAX, f32::MIN), |(low, high), x| (low.min(*x), high.max(*x)));
        let (low, high) = (f64::from(low), f64::from(high));
        let bound = (high - low) / 510.0 + 2.0_f64.powi(-22) * low.abs().max(high.abs()) + 1e-44;
        for (before, after) in sample.iter().zip(restored) {
            let error = (f64::from(*before) - f64::from(*after)).abs();
            assert!(error <= bound, "{before:e} came back as {after:e}: {error:e} above {bound:e}");
        }
    }

    proptest! {
        #[test]
        fn the_error_is_within_the_stated_bound(sample: [f32; 9]) {
            let sample = sample.map(|x| if x.is_finite() { x } else { 0.0 });
            check_bound(&sample, &restored(sample));
        }

        #[test]
        fn of_similar_numbers_too(offset in -1e6_f32..1e6, noise in prop::array::uniform9(-1.0_f32..1.0), size in -30..20) {
            let sample = noise.map(|x| offset + x * libm::ldexpf(1.0, size));
            check_bound(&sample, &restored(sample));
        }

        #[test]
        fn each_channel_has_its_own_range(sample: [[f32; 3]; 4], scale in 1.0_f32..1e6) {
            let sample = sample.map(|[a, b, c]| [a % 1.0, (b % 1.0) * scale, c % 1.0 - scale]);
            let sample = sample.map(|row| row.map(|x| if x.is_finite() { x } else { 0.0 }));
            let (mut quantized, mut restored) = (Quantized::<12, 3>::ZERO, [[f32::NAN; 3]; 4]);
            quantized.store(&sample);
            quantized.write(&mut restored);
            for channel in 0..3 {
                check_bound(&sample.map(|row| row[channel]), &restored.map(|row| row[channel]));
            }
        }
    }

    #[test]
    fn both_ends_come_back_exactly() {
        let sample = [0.1, -7.3, 99.7, 5.0, -7.3];
        let restored = restored(sample);
        assert_eq!((restored[1], restored[2], restored[4]), (-7.3, 99.7, -7.3));
    }

    #[test]
    fn extreme_ranges_stay_finite() {
        for sample in [[f32::MAX, -f32::MAX, 0.0], [f32::MAX; 3], [1e-45, 0.0, -1e-45], [0.0; 3], [-3.5; 3]] {
            let restored = restored(sample);
            assert!(restored.iter().all(|x| x.is_finite()), "{restored:?}");
            check_bound(&sample, &restored);
        }
    }
}

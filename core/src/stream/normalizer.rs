//! What scalers have in common.

use crate::stream::error::SampleError;
use crate::tensor::Tensor;

/// Measures the channels of a stream and brings them to one scale.
///
/// The channels are the last axis of a sample: a row `[f32; 3]` of a sensor, a whole window `[[f32; 3]; 50]` or an image
/// `[[[f32; 3]; 8]; 8]` can be given to a scaler of 3 channels; each of their positions is one observation.
///
/// [`StandardScaler`](crate::stream::StandardScaler) has mean 0 and variance 1 as its aim, [`MinMaxScaler`](crate::stream::MinMaxScaler)
/// the range from 0 to 1. Rescaling shifts what a network has learned, so most devices [`freeze`](Self::freeze) the scaler after a while.
///
/// ```
/// use backpass::stream::{MinMaxScaler, Normalizer, StandardScaler};
/// fn measure(scaler: &mut impl Normalizer) -> Result<[f32; 2], backpass::stream::SampleError> {
///     scaler.learn(&[[20.0, 990.0], [30.0, 1010.0]])?;
///     scaler.freeze();
///     scaler.learn(&[500.0, 500.0])?; // measures nothing
///     let mut row = [25.0, 1010.0];
///     scaler.transform(&mut row)?;
///     Ok(row)
/// }
/// assert_eq!(measure(&mut StandardScaler::<2>::new())?, [0.0, 1.0]);
/// assert_eq!(measure(&mut MinMaxScaler::<2>::new())?, [0.5, 1.0]);
/// # Ok::<(), backpass::stream::SampleError>(())
/// ```
pub trait Normalizer {
    /// Measures a sample, unless frozen.
    ///
    /// # Errors
    /// [`SampleError`]: an element is not finite or above 1e18. Nothing has changed then.
    fn learn<X: Tensor>(&mut self, sample: &X) -> Result<(), SampleError>;

    /// Scales a sample in place, by what was measured so far. A channel that was constant so far becomes 0, as in river: there is
    /// no scale to bring it to.
    ///
    /// # Errors
    /// [`SampleError`]: an element is not finite, or would not be. The sample is what it was.
    fn transform<X: Tensor>(&self, sample: &mut X) -> Result<(), SampleError>;

    /// Stops measuring.
    fn freeze(&mut self);

    /// Goes on measuring, from where it stopped.
    fn resume(&mut self);

    /// Whether it has stopped measuring.
    fn is_frozen(&self) -> bool;

    /// How many observations were measured. Stays at `u32::MAX` once there.
    fn count(&self) -> u32;
}

/// Scales a sample by what `channels` gives for each channel, a function of an element; changes nothing if a result is not finite.
pub(super) fn transform<X: Tensor, const C: usize, F: Fn(f32) -> f32>(
    sample: &mut X,
    channels: impl Iterator<Item = F> + Clone,
) -> Result<(), SampleError> {
    use crate::stream::error::ValueError;
    // The element at fault is looked for only when there is one.
    let mut sound = true;
    for (channel, scale) in channels.clone().enumerate() {
        for x in sample.flat().iter().skip(channel).step_by(C) {
            sound &= x.is_finite() && scale(*x).is_finite();
        }
    }
    if !sound {
        SampleError::check_finite(sample.flat())?;
        let mut least = usize::MAX;
        for (channel, scale) in channels.enumerate() {
            for (index, x) in sample.flat().iter().enumerate().skip(channel).step_by(C) {
                if !scale(*x).is_finite() {
                    least = least.min(index);
                }
            }
        }
        return Err(SampleError { index: least, error: ValueError::TooLarge });
    }
    for (channel, scale) in channels.enumerate() {
        for x in sample.flat_mut().iter_mut().skip(channel).step_by(C) {
            *x = scale(*x);
        }
    }
    Ok(())
}

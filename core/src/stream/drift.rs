//! What drift detectors have in common.

use crate::stream::error::ValueError;

/// Tells when the mean of a stream of numbers changes: of a loss, say, when the world is no longer what a network has learned.
///
/// [`PageHinkley`](crate::stream::PageHinkley) takes 60 bytes and a few operations a value; [`Adwin`](crate::stream::Adwin) takes about 0.7 KB, has a
/// mathematical bound on false alarms, and needs no threshold in the unit of the values.
///
/// ```
/// use backpass::stream::{Adwin, Drift, PageHinkley};
/// fn first_alarm(detector: &mut impl Drift) -> Result<Option<usize>, backpass::stream::ValueError> {
///     for i in 0..400 {
///         let loss = if i < 200 { 0.1 } else { 0.9 } + 0.01 * (i % 7) as f32;
///         if detector.update(loss)? {
///             return Ok(Some(i));
///         }
///     }
///     Ok(None)
/// }
/// assert_eq!(first_alarm(&mut PageHinkley::new().threshold(5.0))?, Some(206));
/// assert_eq!(first_alarm(&mut Adwin::<10>::new())?, Some(223));
/// # Ok::<(), backpass::stream::ValueError>(())
/// ```
pub trait Drift {
    /// Takes one more value. Whether the mean has changed. After that the detector starts afresh: with the next value, as in river.
    ///
    /// # Errors
    /// [`ValueError`]: it is not finite, or too large. Nothing has changed then.
    fn update(&mut self, value: f32) -> Result<bool, ValueError>;

    /// Whether the last value told of a change.
    fn is_detected(&self) -> bool;

    /// Forgets all values. Settings stay.
    fn reset(&mut self);
}

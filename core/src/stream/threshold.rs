//! From where on an error is an anomaly.

use crate::checkpoint::{Archive, Persist};
use crate::stream::error::ValueError;
use crate::stream::quantile::Quantile;

/// A threshold for anomalies: the running `q`-quantile of the errors of normal samples, times a margin. 36 bytes.
///
/// [`learn`](Self::learn) while all is normal; then an error [`is_anomaly`](Self::is_anomaly) if it is above the threshold. Learning on from
/// every error, alarms too, as `river.anomaly.QuantileFilter` does, makes a share of `1 - q` of a stream that does not change anomalies.
/// The error is that of an autoencoder's reconstruction, say: its loss.
///
/// ```
/// use backpass::stream::Threshold;
/// let mut threshold = Threshold::new(0.99).margin(1.5);
/// for i in 0..500 {
///     threshold.learn(0.1 + (i % 100) as f32 * 1e-3)?; // 0.1 to 0.199
/// }
/// assert!(!threshold.is_anomaly(0.2)? && threshold.is_anomaly(0.31)?);
/// # Ok::<(), backpass::stream::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Threshold {
    margin: f32,
    quantile: Quantile,
}

impl Threshold {
    /// At the `q`-quantile, such as 0.99; without a margin.
    pub const fn new(q: f32) -> Self {
        Self { margin: 1.0, quantile: Quantile::new(q) }
    }

    /// With a factor that the quantile is multiplied by.
    #[must_use]
    pub const fn margin(self, margin: f32) -> Self {
        Self { margin, ..self }
    }

    /// Takes the error of a normal sample.
    ///
    /// # Errors
    /// [`ValueError`]: it is not finite, or above 1e18. Nothing has changed then.
    pub fn learn(&mut self, error: f32) -> Result<(), ValueError> {
        self.quantile.update(error)
    }

    /// Whether an error is above the threshold; `false` as long as nothing is known.
    ///
    /// # Errors
    /// [`NotFinite`](ValueError::NotFinite).
    pub fn is_anomaly(&self, error: f32) -> Result<bool, ValueError> {
        if !error.is_finite() {
            return Err(ValueError::NotFinite);
        }
        Ok(self.get().is_some_and(|threshold| error > threshold))
    }

    /// The threshold, in the unit of the errors; `None` as long as nothing is known.
    pub fn get(&self) -> Option<f32> {
        Some(self.margin * self.quantile.get()?)
    }

    /// The quantile, which has counted the errors.
    pub const fn quantile(&self) -> &Quantile {
        &self.quantile
    }

    /// Forgets all errors, to learn anew what is normal.
    pub const fn reset(&mut self) {
        self.quantile.reset();
    }
}

impl Persist for Threshold {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.name("Threshold");
        self.quantile.persist(archive);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_an_anomaly_before_something_is_known() {
        let mut threshold = Threshold::new(0.9);
        assert_eq!(threshold.is_anomaly(1e10), Ok(false));
        threshold.learn(1.0).unwrap();
        // As large as what is normal is normal: an error that is always the same is no alarm.
        assert_eq!((threshold.is_anomaly(1.0), threshold.is_anomaly(1.1)), (Ok(false), Ok(true)));
        threshold.reset();
        assert_eq!(threshold.is_anomaly(1e10), Ok(false));
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let mut threshold = Threshold::new(0.9);
        threshold.learn(1.0).unwrap();
        let before = threshold;
        assert_eq!(threshold.learn(f32::NAN), Err(ValueError::NotFinite));
        assert_eq!(threshold.is_anomaly(f32::INFINITY), Err(ValueError::NotFinite));
        assert_eq!(threshold, before);
    }
}

//! What a sensor feels.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// One g in m/s².
pub const STANDARD_GRAVITY: f32 = 9.806_65;

/// How a sensor is moved: at each time, acceleration along x, y and z in m/s² as an accelerometer measures it, and rotation
/// about x, y and z in rad/s.
///
/// Every function of the time in seconds is one.
pub trait Motion {
    /// The motion at a time, in seconds from the start.
    fn at(&self, seconds: f64) -> [f32; 6];
}

impl<F: Fn(f64) -> [f32; 6]> Motion for F {
    fn at(&self, seconds: f64) -> [f32; 6] {
        self(seconds)
    }
}

/// Rows of a recording at a fixed rate. Clones share them, so a test can add rows while a sensor plays them.
///
/// Between two rows the earlier one holds; before the first and after the last row the sensor feels these.
///
/// ```
/// use backpass_sim::devices::{Motion, Playback};
/// let playback = Playback::new(10.0);
/// playback.extend([[1.0; 6], [2.0; 6]]);
/// assert_eq!(playback.at(0.15), [2.0; 6]);
/// assert_eq!(playback.at(7.0), [2.0; 6]);
/// ```
#[derive(Clone)]
pub struct Playback {
    rate: f64,
    rows: Rc<RefCell<Vec<[f32; 6]>>>,
}

impl Playback {
    /// Without rows: no acceleration, no rotation. `rate` is in rows a second.
    ///
    /// # Panics
    /// If the rate is not a number above 0.
    #[must_use]
    pub fn new(rate: f64) -> Self {
        assert!(rate > 0.0 && rate.is_finite(), "Playback: a rate of {rate} rows a second");
        Self { rate, rows: Rc::default() }
    }

    /// Adds rows at the end.
    pub fn extend(&self, rows: impl IntoIterator<Item = [f32; 6]>) {
        self.rows.borrow_mut().extend(rows);
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.borrow().len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.borrow().is_empty()
    }
}

impl Motion for Playback {
    fn at(&self, seconds: f64) -> [f32; 6] {
        let rows = self.rows.borrow();
        // A time that is a row's own, but for rounding, is that row's. Negative times saturate at the first.
        let index = (seconds * self.rate + 1e-6).floor() as usize;
        rows.get(index).or(rows.last()).copied().unwrap_or([0.0; 6])
    }
}

impl fmt::Debug for Playback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Playback").field("rate", &self.rate).field("rows", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_played_at_its_time() {
        let playback = Playback::new(10.0);
        assert_eq!(playback.at(1.0), [0.0; 6]);
        playback.extend((0..1000).map(|i| [i as f32; 6]));
        for i in 0..1000 {
            assert_eq!(playback.at(f64::from(i) * 0.1)[0], i as f32);
        }
        assert_eq!((playback.at(-1.0)[0], playback.at(1e9)[0]), (0.0, 999.0));
    }
}

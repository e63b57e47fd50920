//! Adaptive windowing.

use heapless::Deque;

use crate::checkpoint::{Archive, Persist};
use crate::math;
use crate::stream::compensated::Compensated;
use crate::stream::drift::Drift;
use crate::stream::error::{LARGEST_MEAN, ValueError};

/// ADWIN, adaptive windowing: a window over the latest values that is as long as their mean does not change. When the means of its older
/// and its younger part differ by more than chance allows, there is a change.
///
/// The window is an exponential histogram: row `i` has up to `BUCKETS` buckets, each the sum and the variance of `2^i` values. So a
/// window of `BUCKETS (2^ROWS - 1)` values, 20,475 by default, takes about 9 bytes for each bucket, 0.6 KB. Beyond that the oldest bucket is dropped,
/// where the published algorithm would add a row.
///
/// Of two parts of `n0` and `n1` values, the means are different if they differ by more than
/// `sqrt(2 m v d) + 2/3 m d`, where `m = 1 / (n0 - l + 1) + 1 / (n1 - l + 1)`, `l` is `min_window_length`, `v` the variance of the window and
/// `d = ln(2 ln(n0 + n1) / delta)`.
///
/// `river.drift.ADWIN`, with its defaults. Source: Bifet and Gavalda, "Learning from time-changing data with adaptive windowing" (SIAM
/// Data Mining 2007). Sums are in two `f32`, those of a bucket in one: alarms come with the same value as in `f64`, unless a difference is within
/// 1e-5 of its bound; then one check, `clock` values, later or earlier.
///
/// ```
/// use backpass::stream::{Adwin, Drift};
/// let mut detector = Adwin::<10>::new(); // up to 5,115 values
/// for i in 0..1000 {
///     assert!(!detector.update((i % 3) as f32)?);
/// }
/// assert_eq!((detector.width(), detector.mean()), (1000, 0.999));
/// let after = (1..).find(|_| detector.update(3.0).unwrap());
/// assert_eq!(after, Some(24)); // it looks every 32 values
/// # Ok::<(), backpass::stream::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Adwin<const ROWS: usize = 12, const BUCKETS: usize = 5> {
    delta: f32,
    clock: u32,
    min_window_length: u32,
    grace_period: u32,
    /// Row `i` has buckets of `2^i` values, the oldest first.
    rows: [Deque<Bucket, BUCKETS>; ROWS],
    width: u32,
    total: Compensated,
    /// The sum of the squared distances from the mean.
    variance: Compensated,
    /// Values since the last check.
    tick: u32,
    detected: bool,
}

/// What is known of `2^i` values that came one after another.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Bucket {
    total: f32,
    /// The sum of the squared distances from their mean.
    variance: f32,
}

impl Bucket {
    /// Two buckets of `size` values each as one.
    fn merge(self, other: Self, size: f32) -> Self {
        let difference = self.total / size - other.total / size;
        let variance = self.variance + other.variance + 0.5 * size * difference * difference;
        // The bound is for sums that a checkpoint made up.
        Self { total: self.total + other.total, variance: variance.min(2.0 * MOST_VARIANCE) }
    }
}

/// The number of values in a bucket of row `row`.
const fn size(row: usize) -> u32 {
    1 << row
}

/// The largest sum of squares: room for rounding below `f32::MAX`.
const MOST_VARIANCE: f32 = 1e38;

impl<const ROWS: usize, const BUCKETS: usize> Adwin<ROWS, BUCKETS> {
    /// With river's defaults: delta 0.002, a check every 32 values, parts of 5 values at least, and a grace period of 10.
    pub const fn new() -> Self {
        const {
            assert!(ROWS > 0 && ROWS <= 24, "Adwin: it has 1 to 24 rows");
            assert!(BUCKETS > 1 && BUCKETS <= 128, "Adwin: it has 2 to 128 buckets in a row");
        }
        Self {
            delta: 0.002,
            clock: 32,
            min_window_length: 5,
            grace_period: 10,
            rows: [const { Deque::new() }; ROWS],
            width: 0,
            total: Compensated::ZERO,
            variance: Compensated::ZERO,
            tick: 0,
            detected: false,
        }
    }

    /// With another probability of a false alarm that is accepted at each check.
    #[must_use]
    pub fn delta(mut self, delta: f32) -> Self {
        self.delta = delta;
        self
    }

    /// With another number of values from one check to the next; 1 checks at each.
    #[must_use]
    pub fn clock(mut self, clock: u32) -> Self {
        self.clock = clock;
        self
    }

    /// With another least number of values in each part.
    #[must_use]
    pub fn min_window_length(mut self, min_window_length: u32) -> Self {
        self.min_window_length = min_window_length;
        self
    }

    /// With another number of values that there must be before there is a check.
    #[must_use]
    pub fn grace_period(mut self, grace_period: u32) -> Self {
        self.grace_period = grace_period;
        self
    }

    /// How many values are in the window.
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// The mean of the values in the window; 0 of none.
    pub fn mean(&self) -> f32 {
        if self.width == 0 { 0.0 } else { self.total.value() / self.width as f32 }
    }

    /// The variance of the values in the window, that of a population; 0 of none.
    pub fn variance(&self) -> f32 {
        if self.width == 0 { 0.0 } else { self.variance.value() / self.width as f32 }
    }

    fn insert(&mut self, value: f32) -> Result<(), ValueError> {
        ValueError::check(value)?;
        let mut added = 0.0;
        if self.width > 0 {
            let distance = value - self.mean();
            added = distance * distance * (self.width as f32 / (self.width as f32 + 1.0));
        }
        let variance = self.variance.plus(added);
        if variance.value() > MOST_VARIANCE {
            return Err(ValueError::TooLarge);
        }
        self.variance = variance;
        self.total = self.total.plus(value);
        self.width += 1;

        // A full row gives its two oldest buckets, as one, to the next before it takes another.
        let mut bucket = Bucket { total: value, variance: 0.0 };
        for (row, buckets) in self.rows.iter_mut().enumerate() {
            let Err(more) = buckets.push_back(bucket) else { return Ok(()) };
            let (Some(oldest), Some(old)) = (buckets.pop_front(), buckets.pop_front()) else { return Ok(()) };
            bucket = oldest.merge(old, size(row) as f32);
            // There is place for two now.
            let _ = buckets.push_back(more);
        }
        // There is no further row.
        self.forget(bucket, size(ROWS));
        Ok(())
    }

    /// Takes the oldest bucket, which is in no row any more, of `values` values out of the sums.
    fn forget(&mut self, bucket: Bucket, values: u32) {
        self.width = self.width.saturating_sub(values);
        self.total = self.total.plus(-bucket.total);
        if self.width == 0 {
            (self.total, self.variance) = (Compensated::ZERO, Compensated::ZERO);
            return;
        }
        let (gone, left) = (values as f32, self.width as f32);
        let difference = bucket.total / gone - self.mean();
        let between = difference * difference * (gone * (left / (gone + left)));
        let rest = self.variance.plus(-(bucket.variance + between));
        // Rounding may leave less than nothing; sums that a checkpoint made up may leave anything.
        self.variance = if rest.value() >= 0.0 { rest } else { Compensated::ZERO };
    }

    fn forget_oldest(&mut self) {
        let oldest =
            self.rows.iter_mut().enumerate().rev().find_map(|(row, buckets)| Some((row, buckets.pop_front()?)));
        if let Some((row, bucket)) = oldest {
            self.forget(bucket, size(row));
        }
    }

    /// Whether the means of the two parts differ at any cut between buckets.
    fn is_cut(&self) -> bool {
        let (mut n0, mut n1) = (0, self.width);
        let (mut u0, mut u1) = (Compensated::ZERO, self.total);
        let variance = self.variance();
        let d = math::ln(2.0 * math::ln(self.width as f32) / self.delta);
        for (row, buckets) in self.rows.iter().enumerate().rev() {
            for bucket in buckets {
                (n0, n1) = (n0 + size(row), n1.saturating_sub(size(row)));
                (u0, u1) = (u0.plus(bucket.total), u1.plus(-bucket.total));
                if n1 == 0 {
                    return false;
                }
                let least = self.min_window_length;
                if n0 < least || n1 < least {
                    continue;
                }
                let difference = (u0.value() / n0 as f32 - u1.value() / n1 as f32).abs();
                // In f32: a setting of 0 adds 1 to both.
                let part = |n: u32| 1.0 / (n as f32 - least as f32 + 1.0);
                let m = part(n0) + part(n1);
                if difference > math::sqrt(2.0 * m * variance * d) + 2.0 / 3.0 * d * m {
                    return true;
                }
            }
        }
        false
    }
}

impl<const ROWS: usize, const BUCKETS: usize> Drift for Adwin<ROWS, BUCKETS> {
    fn update(&mut self, value: f32) -> Result<bool, ValueError> {
        if self.detected {
            ValueError::check(value)?;
            self.reset();
        }
        self.insert(value)?;
        self.tick = self.tick.saturating_add(1);
        if self.tick >= self.clock {
            self.tick = 0;
            while self.width > self.grace_period && self.is_cut() {
                self.detected = true;
                self.forget_oldest();
            }
        }
        Ok(self.detected)
    }

    fn is_detected(&self) -> bool {
        self.detected
    }

    fn reset(&mut self) {
        self.rows.iter_mut().for_each(Deque::clear);
        (self.width, self.tick, self.detected) = (0, 0, false);
        (self.total, self.variance) = (Compensated::ZERO, Compensated::ZERO);
    }
}

impl<const ROWS: usize, const BUCKETS: usize> Persist for Adwin<ROWS, BUCKETS> {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.name("Adwin");
        let (mut width, mut stored_width) = (0, 0.0);
        for (row, buckets) in self.rows.iter_mut().enumerate() {
            // A queue may begin anywhere in its array; here it begins at the first place.
            let mut values = [Bucket { total: 0.0, variance: 0.0 }; BUCKETS];
            values.iter_mut().zip(buckets.iter()).for_each(|(value, bucket)| *value = *bucket);
            let mut len = buckets.len() as u32;
            let stored = archive.u32(&mut len);
            archive.require(stored as usize <= BUCKETS);
            stored_width += stored as f32 * size(row) as f32;
            for Bucket { total, variance } in &mut values {
                let (total, variance) = (archive.f32(total), archive.f32(variance));
                archive.require(total.abs() <= size(row) as f32 * LARGEST_MEAN);
                archive.require((0.0..=2.0 * MOST_VARIANCE).contains(&variance));
            }
            buckets.clear();
            // There is place for all.
            values.into_iter().take(len as usize).for_each(|bucket| buckets.push_back(bucket).unwrap_or_default());
            width += buckets.len() as u32 * size(row);
        }
        self.width = width;
        self.total.persist(archive, stored_width * LARGEST_MEAN);
        self.variance.persist(archive, 2.0 * MOST_VARIANCE);
        archive.u32(&mut self.tick);
        archive.bool(&mut self.detected);
    }
}

impl<const ROWS: usize, const BUCKETS: usize> Default for Adwin<ROWS, BUCKETS> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::Rng;

    /// Mean and variance of numbers, in f64.
    fn exact(values: &[f32]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
        (mean, values.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n)
    }

    #[test]
    fn the_window_is_what_its_last_values_are() {
        // No check: it only grows, up to 5 (2^6 - 1) values, and then drops the oldest.
        let mut detector = Adwin::<6>::new().grace_period(u32::MAX);
        let mut rng = Rng::new(5);
        let mut values = Vec::new();
        for i in 0..5000 {
            let x = 3.0 + rng.symmetric(1.0) + if i % 1000 < 500 { 0.0 } else { 10.0 };
            values.push(x);
            detector.update(x).unwrap();
            let width = detector.width() as usize;
            assert!(if i < 250 { width == i + 1 } else { (251..=315).contains(&width) }, "{i}: {width}");
            let (mean, variance) = exact(&values[values.len() - width..]);
            assert!((f64::from(detector.mean()) - mean).abs() < 1e-5, "{i}");
            assert!((f64::from(detector.variance()) - variance).abs() < 1e-4 * (1.0 + variance), "{i}");
        }
    }

    #[test]
    fn false_alarms_are_rare() {
        let mut alarms = 0;
        for seed in 0..20 {
            let (mut detector, mut rng) = (Adwin::<12>::new(), Rng::new(seed));
            alarms += (0..10_000).filter(|_| detector.update(rng.unit()).unwrap()).count();
        }
        // 312 checks a run, in each at most 0.002: less than 13. The bound is known to be a wide one.
        assert!(alarms < 13, "{alarms}");
    }

    #[test]
    fn a_constant_stream_never_changes_and_a_step_is_seen() {
        let mut detector = Adwin::<8>::new();
        for _ in 0..5000 {
            assert_eq!(detector.update(0.7), Ok(false));
        }
        assert!((0..64).any(|_| detector.update(0.0).unwrap()));
    }

    #[test]
    fn after_an_alarm_it_starts_afresh() {
        let mut detector = Adwin::<8>::new();
        (0..320).for_each(|i| assert_eq!(detector.update(if i < 310 { 0.0 } else { 5.0 }), Ok(i == 319)));
        assert!(detector.is_detected() && detector.width() < 320);
        assert_eq!(detector.update(f32::NAN), Err(ValueError::NotFinite));
        assert!(detector.is_detected());
        detector.update(5.0).unwrap();
        assert_eq!((detector.width(), detector.mean(), detector.is_detected()), (1, 5.0, false));
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let mut detector = Adwin::<8>::new().grace_period(u32::MAX);
        for _ in 0..50 {
            detector.update(1e18).unwrap();
            detector.update(-1e18).unwrap();
        }
        let before = detector.clone();
        assert_eq!(detector.update(-1e18), Err(ValueError::TooLarge));
        assert_eq!(detector.update(f32::INFINITY), Err(ValueError::NotFinite));
        assert_eq!(detector.update(2e18), Err(ValueError::TooLarge));
        assert_eq!(detector, before);
    }
}

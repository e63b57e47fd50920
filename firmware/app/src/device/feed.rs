//! Rows of a sensor that may fail.

use super::event::Fault;
use super::sensor::{Sensor, SensorError};

/// Reads a sensor at a fixed rate, and sees when it fails, hangs, and is well again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Feed<const C: usize> {
    /// Readings since the last attempt to set the sensor up; it is set up when this is 0.
    since_start: u32,
    started: bool,
    /// Rows missed since the last good one.
    missed: u32,
    /// Whether the fault was told of.
    told: bool,
    last: [f32; C],
    /// How often the last row came again.
    repeated: u32,
    /// Readings in a second.
    per_second: u32,
}

/// What came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Reading<const C: usize> {
    Row([f32; C]),
    /// A row after some were missed.
    RowAfterGap([f32; C], u32),
    /// Nothing, because of a fault that begins now.
    Failed(Fault),
    /// Nothing, as before.
    Missing,
}

/// A sensor that gives one row for this many seconds hangs: its last bits are noise.
const STUCK_SECONDS: u32 = 2;

impl<const C: usize> Feed<C> {
    pub(crate) const fn new(per_second: u32) -> Self {
        let per_second = if per_second == 0 { 1 } else { per_second };
        Self { since_start: 0, started: false, missed: 0, told: false, last: [0.0; C], repeated: 0, per_second }
    }

    pub(crate) const fn is_failing(&self) -> bool {
        self.told
    }

    pub(crate) fn next(&mut self, sensor: &mut impl Sensor<C>) -> Reading<C> {
        match self.read(sensor) {
            Ok(row) => {
                self.repeated = if same(&row, &self.last) { self.repeated.saturating_add(1) } else { 0 };
                self.last = row;
                if self.repeated >= STUCK_SECONDS.saturating_mul(self.per_second) {
                    // A sensor that hangs may come back when it is set up anew.
                    if self.repeated.checked_rem(self.per_second) == Some(0) {
                        self.started = false;
                        self.since_start = 0;
                    }
                    return self.fail(Fault::SensorStuck);
                }
                self.told = false;
                match core::mem::take(&mut self.missed) {
                    0 => Reading::Row(row),
                    missed => Reading::RowAfterGap(row, missed),
                }
            }
            Err(error) => self.fail(Fault::Sensor(error)),
        }
    }

    fn fail(&mut self, fault: Fault) -> Reading<C> {
        self.missed = self.missed.saturating_add(1);
        if core::mem::replace(&mut self.told, true) { Reading::Missing } else { Reading::Failed(fault) }
    }

    fn read(&mut self, sensor: &mut impl Sensor<C>) -> Result<[f32; C], SensorError> {
        if !self.started {
            let now = self.since_start == 0;
            self.since_start = if self.since_start >= self.per_second { 0 } else { self.since_start.saturating_add(1) };
            if !now {
                return Err(SensorError::NoAnswer);
            }
            sensor.start()?;
            self.started = true;
        }
        let row = sensor.read().and_then(|row| {
            if row.iter().all(|value| value.is_finite()) { Ok(row) } else { Err(SensorError::NotFinite) }
        });
        if row.is_err() && self.missed.checked_rem(self.per_second).is_some_and(|n| n + 1 == self.per_second) {
            // For a second it did not answer: it may have lost its supply, and with it its settings.
            self.started = false;
            self.since_start = 0;
        }
        row
    }
}

fn same<const C: usize>(a: &[f32; C], b: &[f32; C]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers from a script: a row, or an error.
    struct Scripted {
        rows: std::vec::Vec<Result<f32, SensorError>>,
        next: usize,
        starts: u32,
        refuses: u32,
    }

    impl Sensor<1> for Scripted {
        fn start(&mut self) -> Result<(), SensorError> {
            self.starts += 1;
            if self.starts <= self.refuses { Err(SensorError::NoAnswer) } else { Ok(()) }
        }

        fn read(&mut self) -> Result<[f32; 1], SensorError> {
            self.next += 1;
            self.rows[self.next - 1].map(|value| [value])
        }
    }

    fn scripted(rows: impl IntoIterator<Item = Result<f32, SensorError>>, refuses: u32) -> Scripted {
        Scripted { rows: rows.into_iter().collect(), next: 0, starts: 0, refuses }
    }

    #[test]
    fn a_fault_is_told_of_once_and_its_end_with_the_rows_missed() {
        let mut sensor = scripted([Ok(1.0), Err(SensorError::Bus), Err(SensorError::NoAnswer), Ok(2.0), Ok(3.0)], 0);
        let mut feed = Feed::new(10);
        assert_eq!(feed.next(&mut sensor), Reading::Row([1.0]));
        assert_eq!(feed.next(&mut sensor), Reading::Failed(Fault::Sensor(SensorError::Bus)));
        assert_eq!(feed.next(&mut sensor), Reading::Missing);
        assert!(feed.is_failing());
        assert_eq!(feed.next(&mut sensor), Reading::RowAfterGap([2.0], 2));
        assert_eq!(feed.next(&mut sensor), Reading::Row([3.0]));
        assert_eq!(sensor.starts, 1);
    }

    #[test]
    fn a_sensor_that_does_not_start_is_tried_every_second() {
        let mut sensor = scripted((0..9).map(|i| Ok(i as f32)), 3);
        let mut feed = Feed::new(10);
        let readings: std::vec::Vec<_> = (0..35).map(|_| feed.next(&mut sensor)).collect();
        assert_eq!(readings[0], Reading::Failed(Fault::Sensor(SensorError::NoAnswer)));
        assert_eq!(sensor.starts, 4);
        assert_eq!(readings[33], Reading::RowAfterGap([0.0], 33));
    }

    #[test]
    fn a_sensor_that_stops_answering_is_set_up_anew() {
        let rows = (0..30).map(|i| if i < 25 { Err(SensorError::NoAnswer) } else { Ok(1.0) });
        let mut sensor = scripted(rows, 0);
        let mut feed = Feed::new(10);
        let readings: std::vec::Vec<_> = (0..26).map(|_| feed.next(&mut sensor)).collect();
        assert_eq!(readings[25], Reading::RowAfterGap([1.0], 25));
        assert_eq!(sensor.starts, 3);
    }

    #[test]
    fn the_same_row_for_long_is_a_sensor_that_hangs() {
        let rows = core::iter::repeat_n(Ok(4.0), 40).chain([Ok(4.5)]);
        let mut sensor = scripted(rows, 0);
        let mut feed = Feed::new(10);
        let readings: std::vec::Vec<_> = (0..41).map(|_| feed.next(&mut sensor)).collect();
        assert_eq!(readings[20], Reading::Failed(Fault::SensorStuck));
        assert!(readings[..20].iter().all(|reading| *reading == Reading::Row([4.0])));
        assert!(matches!(readings[40], Reading::RowAfterGap([4.5], 20)));
        assert_eq!(sensor.starts, 3, "at the start, and twice while it hung");
    }

    #[test]
    fn a_row_that_is_not_finite_is_a_fault() {
        let mut sensor = scripted([Ok(f32::NAN), Ok(1.0)], 0);
        let mut feed = Feed::new(10);
        assert_eq!(feed.next(&mut sensor), Reading::Failed(Fault::Sensor(SensorError::NotFinite)));
        assert_eq!(feed.next(&mut sensor), Reading::RowAfterGap([1.0], 1));
    }
}

//! Numbers over time, in little memory.

/// Points that are kept; of more, each two become their mean.
const MOST: usize = 512;

/// Numbers over seconds, from the first on. What is kept does not grow: early points are as far apart as late ones.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curve {
    points: Vec<(f64, f64)>,
    /// How many numbers each point is the mean of, as a power of 2.
    halvings: u32,
    /// The sum of those that make no whole point yet, and their number.
    pending: (f64, f64, u32),
    last: Option<f64>,
}

impl Curve {
    /// Adds a number. One that is not finite is the last, but no point.
    pub fn add(&mut self, seconds: f64, value: f64) {
        self.last = Some(value);
        if !value.is_finite() {
            return;
        }
        let (times, values, count) = self.pending;
        self.pending = (times + seconds, values + value, count + 1);
        if self.pending.2 < 1 << self.halvings {
            return;
        }
        let (times, values, count) = std::mem::take(&mut self.pending);
        self.points.push((times / f64::from(count), values / f64::from(count)));
        if self.points.len() > MOST {
            let (pairs, odd) = self.points.as_chunks::<2>();
            // Of an odd number, the last one waits for the next.
            if let Some((time, value)) = odd.first() {
                let weight = f64::from(1_u32 << self.halvings);
                self.pending = (weight * time, weight * value, 1 << self.halvings);
            }
            self.points = pairs.iter().map(|[(t, v), (u, w)]| (0.5 * (t + u), 0.5 * (v + w))).collect();
            self.halvings += 1;
        }
    }

    /// Seconds and numbers, in their order.
    #[must_use]
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// The last number, which may be none that is finite.
    #[must_use]
    pub const fn last(&self) -> Option<f64> {
        self.last
    }

    /// Whether there was none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.last.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_keeps_its_shape() {
        let mut curve = Curve::default();
        for step in 0..100_000_u32 {
            curve.add(f64::from(step), 2.0 * f64::from(step));
        }
        let points = curve.points();
        assert!(points.len() > MOST / 2 && points.len() <= MOST, "{}", points.len());
        assert!(points.is_sorted_by(|a, b| a.0 < b.0));
        assert!(points.iter().all(|(time, value)| (value - 2.0 * time).abs() < 1e-6), "each is the mean of its times");
        assert!(points[0].0 < 300.0 && points[points.len() - 1].0 > 99_000.0);
        assert_eq!(curve.last(), Some(2.0 * 99_999.0));
    }

    #[test]
    fn what_is_not_finite_is_told_but_not_drawn() {
        let mut curve = Curve::default();
        assert!(curve.is_empty());
        curve.add(0.0, 1.0);
        curve.add(1.0, f64::NAN);
        assert_eq!(curve.points(), [(0.0, 1.0)]);
        assert!(curve.last().is_some_and(f64::is_nan));
    }
}

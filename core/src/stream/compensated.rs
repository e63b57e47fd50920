//! A running number that does not lose what a long run adds to it.

use crate::checkpoint::Archive;

/// A sum in two `f32`: the rounded sum, and what its rounding has left over; about 48 bits together.
///
/// Compensated summation (Kahan 1965; Neumaier 1974) with the exact sum of two numbers by Knuth (The Art of Computer
/// Programming 2, 4.2.2). One addition is off by at most 2^-47 of the result.
///
/// A plain `f32` stops to follow its mean after 2^24 values: what one value adds is then less than the rounding.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Compensated {
    high: f32,
    low: f32,
}

impl Compensated {
    pub(crate) const ZERO: Self = Self { high: 0.0, low: 0.0 };

    /// The nearest `f32`.
    pub(crate) const fn value(self) -> f32 {
        self.high
    }

    /// The sum and `x`.
    pub(crate) const fn plus(self, x: f32) -> Self {
        let (sum, left) = exact_sum(self.high, x);
        let (high, low) = exact_sum(sum, self.low + left);
        Self { high, low }
    }

    /// Hands both numbers to a checkpoint, in which the sum must be of a magnitude up to `most`.
    pub(crate) fn persist(&mut self, archive: &mut Archive<'_>, most: f32) {
        let (high, low) = (archive.f32(&mut self.high), archive.f32(&mut self.low));
        // What was left over is less than the sum shows.
        archive.require(high.abs() <= most && high + low == high);
    }

    /// `x` minus the sum, rounded once or twice.
    pub(crate) const fn distance_to(self, x: f32) -> f32 {
        (x - self.high) - self.low
    }
}

/// a + b, rounded, and the error of that.
const fn exact_sum(a: f32, b: f32) -> (f32, f32) {
    let sum = a + b;
    let b_there = sum - a;
    (sum, (a - (sum - b_there)) + (b - b_there))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_million_small_numbers_add_up() {
        let (mut sum, mut plain, mut exact) = (Compensated::ZERO.plus(1000.0), 1000.0_f32, 1000.0_f64);
        for i in 0..10_000_000 {
            let x = 1e-5 * (1 + i % 3) as f32;
            sum = sum.plus(x);
            plain += x;
            exact += f64::from(x);
        }
        assert!((f64::from(sum.high) + f64::from(sum.low) - exact).abs() < 1e-8 * exact);
        // That it matters: the plain sum has not moved.
        assert_eq!(plain, 1000.0);
    }

    #[test]
    fn what_was_added_can_be_taken_away_again() {
        let mut sum = Compensated::ZERO;
        let values = [1e10_f32, -3.0, 0.125, 1e-3, -7e5];
        for x in values {
            sum = sum.plus(x);
        }
        for x in values {
            sum = sum.plus(-x);
        }
        assert!(sum.value().abs() < 1e-3, "{sum:?}");
        assert_eq!(Compensated::ZERO.plus(3.0).distance_to(5.0), 2.0);
    }
}

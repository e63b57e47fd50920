//! How costs grow: a straight line through them, and how far they are from it.

/// How far from a straight line a cost may be, relative to the line.
pub const LINEAR: f64 = 0.10;
/// How many bytes of code another layer of a kind that is there already may add, on the average.
pub const EACH_LAYER: f64 = 200.0;

/// `cost = fixed + each * size`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// The cost of nothing.
    pub fixed: f64,
    /// The cost of one more.
    pub each: f64,
}

impl Line {
    /// How far a cost is from the line, relative to the line.
    #[must_use]
    pub fn deviation(&self, size: f64, cost: f64) -> f64 {
        cost / (self.fixed + self.each * size) - 1.0
    }
}

/// The line with the smallest sum of squared relative distances to points of size and cost. Points of one size, or fewer
/// than two, have none.
#[must_use]
pub fn fit(points: &[(f64, f64)]) -> Option<Line> {
    // Weighted least squares with weights 1 / cost², so that small sizes count as much as large ones.
    let sum = |of: fn(f64, f64) -> f64| points.iter().map(|(x, y)| of(*x, *y) / (y * y)).sum::<f64>();
    let (n, x, y) = (sum(|_, _| 1.0), sum(|x, _| x), sum(|_, y| y));
    let (xx, xy) = (sum(|x, _| x * x), sum(|x, y| x * y));
    let determinant = n * xx - x * x;
    // Rounding leaves a little of what should be zero.
    if determinant <= 1e-9 * n * xx || !determinant.is_finite() {
        return None;
    }
    Some(Line { fixed: (xx * y - x * xy) / determinant, each: (n * xy - x * y) / determinant })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_and_what_is_off_it_is_told() {
        let line = fit(&[(1.0, 12.0), (10.0, 30.0), (100.0, 210.0)]).unwrap();
        assert!((line.fixed - 10.0).abs() < 1e-9 && (line.each - 2.0).abs() < 1e-9);
        assert!((line.deviation(50.0, 121.0) - 0.1).abs() < 1e-9);
        // A square is no line.
        let square: Vec<_> = [1.0, 10.0, 100.0].map(|x: f64| (x, x * x)).to_vec();
        let line = fit(&square).unwrap();
        assert!(square.iter().any(|(x, y)| line.deviation(*x, *y).abs() > 0.5));
    }

    #[test]
    fn a_line_needs_two_sizes() {
        assert_eq!(fit(&[]), None);
        assert_eq!(fit(&[(5.0, 1.0)]), None);
        assert_eq!(fit(&[(5.0, 1.0), (5.0, 2.0)]), None);
    }
}

//! Losses over the elements of an output, over a margin between classes, and over the angle between vectors.
//!
//! Each comes as a loss alone and as a loss whose gradient takes the output's place; both go through the same
//! operations, so they give the same bits. Sums run in rising order. A mean divides each term before it is added
//! (`scale` = 1 / n is multiplied first), so a mean that is in range does not overflow on the way.

use crate::kernel::elementwise;
use crate::layer::InputGradient;
use crate::math;

/// Σ of a loss's terms, `term(y, t, 1 / n)`; the second value, a slope, is not used.
pub(crate) fn mean(y: &[f32], target: &[f32], mut term: impl FnMut(f32, f32, f32) -> (f32, f32)) -> f32 {
    let scale = 1.0 / y.len() as f32;
    y.iter().zip(target).fold(0.0, |sum, (y, t)| sum + term(*y, *t, scale).0)
}

/// The same; leaves each term's slope in place of y.
pub(crate) fn mean_gradient(
    y: &mut [f32],
    target: &[f32],
    want: InputGradient,
    mut term: impl FnMut(f32, f32, f32) -> (f32, f32),
) -> f32 {
    let scale = 1.0 / y.len() as f32;
    let mut sum = 0.0;
    for (y, t) in y.iter_mut().zip(target) {
        let (loss, slope) = term(*y, *t, scale);
        sum += loss;
        elementwise::replace(y, slope, want);
    }
    sum
}

/// (y - t)² s, and 2 (y - t) s.
pub(crate) fn squared_error(y: f32, t: f32, scale: f32) -> (f32, f32) {
    let slope = (y - t) * scale;
    (slope * (y - t), 2.0 * slope)
}

/// |y - t| s, and its sign times s; 0 where y = t.
pub(crate) fn absolute_error(y: f32, t: f32, scale: f32) -> (f32, f32) {
    let error = y - t;
    let slope = if error == 0.0 { 0.0 } else { scale.copysign(error) };
    (error.abs() * scale, slope)
}

/// (y - t)² s / 2 up to a distance of δ, then δ (|y - t| - δ / 2) s.
pub(crate) fn huber(delta: f32) -> impl Fn(f32, f32, f32) -> (f32, f32) {
    move |y, t, scale| {
        let error = y - t;
        if error.abs() <= delta {
            let slope = error * scale;
            (0.5 * slope * error, slope)
        } else {
            let slope = delta * scale;
            (slope * (error.abs() - 0.5 * delta), slope.copysign(error))
        }
    }
}

/// max(0, margin - t y) s, or its square times s.
pub(crate) fn binary_hinge(margin: f32, squared: bool) -> impl Fn(f32, f32, f32) -> (f32, f32) {
    move |y, t, scale| {
        let short = margin - t * y;
        // Not `> 0`, so that NaN is seen.
        if short <= 0.0 {
            (0.0, 0.0)
        } else if squared {
            let slope = short * scale;
            (slope * short, -2.0 * t * slope)
        } else {
            (short * scale, -t * scale)
        }
    }
}

/// (p t ln(1 + e^-z) + (1 - t) ln(1 + e^z)) s for the logit z, and ((1 - t) σ(z) - p t σ(-z)) s.
///
/// With `e = exp(-|z|)` the logarithms are `ln(1 + e)`, and |z| more on the side where the exponent is positive; the
/// sigmoids are `1 / (1 + e)` and `e / (1 + e)`. So nothing overflows and no small number is a difference of large
/// ones. `positive` gives p, element after element.
pub(crate) fn binary_cross_entropy<'w>(
    mut positive: impl Iterator<Item = &'w f32>,
) -> impl FnMut(f32, f32, f32) -> (f32, f32) {
    move |z, t, scale| {
        let e = math::exp(-z.abs());
        let log = math::ln_1p(e);
        let large = 1.0 / (1.0 + e);
        let small = e * large;
        let (plus, minus, above, below) = if z < 0.0 { (0.0, -z, small, large) } else { (z, 0.0, large, small) };
        let one = positive.next().unwrap_or(&1.0) * t * scale;
        let zero = (1.0 - t) * scale;
        (one * (minus + log) + zero * (plus + log), zero * above - one * below)
    }
}

/// How far each logit of another class comes into the margin of class `t`: `m[j] = margin - z[t] + z[j]`.
///
/// Halves are computed, because the difference of two logits may be beyond f32 where its share of the mean is not.
/// Halving and doubling are exact.
struct Margin {
    /// Half of margin - z[t].
    half: f32,
    scale: f32,
    squared: bool,
}

impl Margin {
    /// NaN for a class that does not exist.
    fn new(logits: &[f32], class: usize, margin: f32, squared: bool) -> Self {
        let logit = logits.get(class).copied().unwrap_or(f32::NAN);
        Self { half: 0.5 * margin - 0.5 * logit, scale: 1.0 / logits.len() as f32, squared }
    }

    /// max(0, m[j]) / C, or its square over C, and the slope.
    fn term(&self, logit: f32) -> (f32, f32) {
        let half = self.half + 0.5 * logit;
        if half <= 0.0 {
            (0.0, 0.0)
        } else if self.squared {
            let slope = half * (4.0 * self.scale);
            (slope * half, slope)
        } else {
            (half * (2.0 * self.scale), self.scale)
        }
    }
}

/// Σ_{j ≠ t} max(0, margin - z[t] + z[j]) / C, or of the squares.
pub(crate) fn class_hinge(logits: &[f32], class: usize, margin: f32, squared: bool) -> f32 {
    let margin = Margin::new(logits, class, margin, squared);
    let others = logits.iter().enumerate().filter(|(j, _)| *j != class);
    others.fold(0.0, |sum, (_, z)| sum + margin.term(*z).0)
}

/// The same; leaves each term's slope in place of its logit, and minus their sum in place of z[t].
pub(crate) fn class_hinge_gradient(
    logits: &mut [f32],
    class: usize,
    margin: f32,
    squared: bool,
    want: InputGradient,
) -> f32 {
    let margin = Margin::new(logits, class, margin, squared);
    let (mut sum, mut slopes) = (0.0, 0.0);
    for (j, z) in logits.iter_mut().enumerate() {
        if j != class {
            let (loss, slope) = margin.term(*z);
            sum += loss;
            slopes += slope;
            elementwise::replace(z, slope, want);
        }
    }
    if let Some(z) = logits.get_mut(class) {
        elementwise::replace(z, -slopes, want);
    }
    sum
}

/// Added to squared lengths, as PyTorch does, so that a vector of zeros has a cosine: 0.
const EPSILON: f32 = 1e-12;
/// 2^40: the squares of elements up to here, and products of such sums, are in range.
const LARGE: f32 = 1_099_511_627_776.0;
/// 2^-80: takes larger elements to between 2^-40 and 2^48.
const SHRINK: f32 = 1.0 / (LARGE * LARGE);

/// A vector, shrunk by a power of two if its elements are so large that their squares might overflow.
#[derive(Clone, Copy)]
struct Shrunk {
    factor: f32,
    /// The squared length, after shrinking, plus ε.
    square: f32,
}

impl Shrunk {
    fn new(v: &[f32]) -> Self {
        let is_large = v.iter().any(|v| v.abs() > LARGE);
        let (factor, epsilon) = if is_large { (SHRINK, 0.0) } else { (1.0, EPSILON) };
        let square = v.iter().fold(0.0, |sum, v| sum + (v * factor) * (v * factor));
        Self { factor, square: square + epsilon }
    }
}

/// What is known of two vectors' angle.
struct Angle {
    y: Shrunk,
    target: Shrunk,
    /// The product of the lengths.
    lengths: f32,
    cosine: f32,
}

impl Angle {
    fn new(y: &[f32], target: &[f32]) -> Self {
        let shrunk = (Shrunk::new(y), Shrunk::new(target));
        let lengths = math::sqrt(shrunk.0.square) * math::sqrt(shrunk.1.square);
        let product = y.iter().zip(target).fold(0.0, |sum, (y, t)| sum + (y * shrunk.0.factor) * (t * shrunk.1.factor));
        Self { y: shrunk.0, target: shrunk.1, lengths, cosine: product / lengths }
    }

    /// 1 - cos for a positive label, else max(0, cos - margin).
    fn loss(&self, label: f32, margin: f32) -> f32 {
        if label > 0.0 {
            1.0 - self.cosine
        } else if self.cosine <= margin {
            0.0
        } else {
            self.cosine - margin
        }
    }
}

/// The loss of an output y against a target vector and a label of 1 or -1, with
/// `cos = Σ y t / (√(Σ y² + ε) √(Σ t² + ε))`.
pub(crate) fn cosine_embedding(y: &[f32], target: &[f32], label: f32, margin: f32) -> f32 {
    Angle::new(y, target).loss(label, margin)
}

/// The same; leaves ∓dcos/dy in place of y, where `dcos/dy[i] = t[i] / lengths - y[i] cos / (Σ y² + ε)`.
pub(crate) fn cosine_embedding_gradient(
    y: &mut [f32],
    target: &[f32],
    label: f32,
    margin: f32,
    want: InputGradient,
) -> f32 {
    let angle = Angle::new(y, target);
    let loss = angle.loss(label, margin);
    let sign = if label > 0.0 {
        -1.0
    } else if loss == 0.0 {
        0.0
    } else {
        1.0
    };
    let along = angle.cosine / angle.y.square;
    for (y, t) in y.iter_mut().zip(target) {
        let slope = t * angle.target.factor / angle.lengths - *y * angle.y.factor * along;
        elementwise::replace(y, sign * (slope * angle.y.factor), want);
    }
    loss
}

#[cfg(test)]
mod tests {
    use super::*;

    type Term = fn(f32, f32, f32) -> (f32, f32);

    #[test]
    fn a_mean_in_range_does_not_overflow_on_the_way() {
        let y = [3e38, -3e38, 2e38, 1e38];
        let term: Term = absolute_error;
        assert!((mean(&y, &[0.0; 4], term) / 2.25e38 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn nan_is_not_hidden() {
        let weights = [1.0];
        let nan = [f32::NAN, 1.0];
        assert!(mean(&nan, &[1.0; 2], squared_error).is_nan());
        assert!(mean(&nan, &[1.0; 2], absolute_error).is_nan());
        assert!(mean(&nan, &[1.0; 2], huber(1.0)).is_nan());
        assert!(mean(&nan, &[1.0; 2], binary_hinge(1.0, false)).is_nan());
        assert!(mean(&nan, &[1.0; 2], binary_cross_entropy(weights.iter().cycle())).is_nan());
        for class in [0, 1, 2] {
            assert!(class_hinge(&nan, class, 1.0, false).is_nan());
            assert!(class_hinge_gradient(&mut { nan }, class, 1.0, true, InputGradient::Full).is_nan());
        }
        for label in [1.0, -1.0] {
            assert!(cosine_embedding(&nan, &[1.0; 2], label, 0.5).is_nan());
        }
    }

    #[test]
    fn shrinking_a_vector_leaves_the_angle() {
        let (y, target) = ([1.0, -2.0, 3.0], [2.0, 0.5, 1.0]);
        let plain = cosine_embedding(&y, &target, 1.0, 0.0);
        for factor in [0.99 * LARGE / 3.0, LARGE, 1e38] {
            let large = y.map(|y| y * factor);
            assert!((cosine_embedding(&large, &target, 1.0, 0.0) - plain).abs() < 1e-6, "{factor}");
            assert!((cosine_embedding(&target, &large, 1.0, 0.0) - plain).abs() < 1e-6, "{factor}");
            assert!((cosine_embedding(&large, &large, 1.0, 0.0)).abs() < 1e-6, "{factor}");
        }
    }
}

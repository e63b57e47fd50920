//! Passes over all elements of an activation, a parameter or a sample.
//!
//! A backward function finds dL/dy in `dy` and what the forward pass left in `x`; it leaves dL/dx in `x`.
//!
//! On a Cortex-M4F, for each element: ReLU 1 load, 1 comparison, 1 move, 1 store, 5.8 cycles against a floor of 5 (`it` takes one); the sum of
//! magnitudes, which says that all are finite, 1 load, 1 absolute value, 1 add, 3.5 against 3; a copy 2.1 against 2. One loop
//! for all shapes: inlined, each layer would have an unrolled one of its own.

use backpass_arch as arch;

use crate::layer::{InputGradient, Pass, open_gate};
use crate::math;

/// Copies as many values as both have.
pub(crate) fn copy(from: &[f32], to: &mut [f32]) {
    arch::copy(from, to);
}

/// Copies `len` values from one place to another.
pub(crate) fn copy_part(from: &[f32], at: usize, to: &mut [f32], to_at: usize, len: usize) {
    let (from, to) = (from.get(at..).unwrap_or_default(), to.get_mut(to_at..).unwrap_or_default());
    to.iter_mut().zip(from).take(len).for_each(|(to, from)| *to = *from);
}

/// Overwrites `len` inputs by their gradients, as [`replace`] does.
pub(crate) fn replace_part(x: &mut [f32], at: usize, dx: &[f32], dx_at: usize, len: usize, want: InputGradient) {
    let (x, dx) = (x.get_mut(at..).unwrap_or_default(), dx.get(dx_at..).unwrap_or_default());
    x.iter_mut().zip(dx).take(len).for_each(|(x, dx)| replace(x, *dx, want));
}

/// Overwrites an input by its gradient, as far as `want` asks: a zero is a closed gate and stays.
pub(crate) fn replace(x: &mut f32, gradient: f32, want: InputGradient) {
    match want {
        InputGradient::Unused => {}
        InputGradient::Full => *x = gradient,
        InputGradient::WhereActive | InputGradient::WhereBelow(_) => {
            if *x != 0.0 {
                *x = want.at(*x, gradient);
            }
        }
    }
}

/// What a kernel is to leave in the place of an input, as [`replace`] does, where a gradient is wanted.
pub(crate) const fn left(want: InputGradient) -> arch::Left {
    match want {
        InputGradient::Unused | InputGradient::Full => arch::Left::All,
        InputGradient::WhereActive => arch::Left::Open(f32::NAN),
        InputGradient::WhereBelow(bound) => arch::Left::Open(bound),
    }
}

/// Adds `more` to a gradient, as far as `want` asks: a closed gate, +0.0, stays closed.
pub(crate) fn add_gradient(gradient: &mut f32, more: f32, want: InputGradient) {
    match want {
        InputGradient::Unused => {}
        InputGradient::Full => *gradient += more,
        InputGradient::WhereActive | InputGradient::WhereBelow(_) => {
            if gradient.to_bits() != 0 {
                *gradient = open_gate(*gradient + more);
            }
        }
    }
}

/// y = max(x, 0), in place. NaN stays NaN, so that a diverged value is refused and not hidden.
#[inline(never)]
pub(crate) fn relu(x: &mut [f32]) {
    arch::relu(x);
}

/// y = min(max(x, 0), ceiling), in place. NaN stays NaN.
pub(crate) fn clip(x: &mut [f32], ceiling: f32) {
    for x in x {
        if *x <= 0.0 {
            *x = 0.0;
        } else if *x > ceiling {
            *x = ceiling;
        }
    }
}

/// y = x if x > 0, else slope x, with a slope a channel or one for all.
pub(crate) fn prelu(x: &[f32], slopes: &[f32], y: &mut [f32]) {
    let channels = slopes.len().max(1);
    for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact_mut(channels)) {
        for ((x, y), slope) in x.iter().zip(y).zip(slopes) {
            *y = if *x > 0.0 { *x } else { slope * x };
        }
    }
}

/// Adds x dy to the slope's gradient, for each x that is not positive.
pub(crate) fn prelu_slope_gradient(x: &[f32], dy: &[f32], gradients: &mut [f32]) {
    let channels = gradients.len().max(1);
    for (x, dy) in x.chunks_exact(channels).zip(dy.chunks_exact(channels)) {
        for ((x, dy), gradient) in x.iter().zip(dy).zip(gradients.iter_mut()) {
            if *x < 0.0 {
                *gradient += x * dy;
            }
        }
    }
}

/// dx = dy if x > 0, else slope dy.
pub(crate) fn prelu_backward(x: &mut [f32], slopes: &[f32], dy: &[f32], want: InputGradient) {
    let channels = slopes.len().max(1);
    for (x, dy) in x.chunks_exact_mut(channels).zip(dy.chunks_exact(channels)) {
        for ((x, dy), slope) in x.iter_mut().zip(dy).zip(slopes) {
            let dx = if *x > 0.0 { *dy } else { slope * dy };
            replace(x, dx, want);
        }
    }
}

/// y = x if x > 0, else slope x.
pub(crate) fn leaky_relu(x: &[f32], y: &mut [f32], slope: f32) {
    for (x, y) in x.iter().zip(y) {
        *y = if *x > 0.0 { *x } else { slope * x };
    }
}

/// dx = dy if x > 0, else slope dy.
pub(crate) fn leaky_relu_backward(x: &mut [f32], dy: &[f32], slope: f32, want: InputGradient) {
    for (x, dy) in x.iter_mut().zip(dy) {
        let dx = if *x > 0.0 { *dy } else { slope * dy };
        replace(x, dx, want);
    }
}

/// y = tanh x, left in `x` too: y is zero where x is, so a closed gate can still be told.
pub(crate) fn tanh(x: &mut [f32], y: &mut [f32], pass: Pass) {
    for (x, y) in x.iter_mut().zip(y) {
        *x = math::tanh(*x, pass);
        *y = *x;
    }
}

/// dx = dy (1 - y²), with y in `x`.
pub(crate) fn tanh_backward(x: &mut [f32], dy: &[f32], want: InputGradient) {
    let want = want.mapped(|bound| math::tanh(bound, Pass::training(0)));
    for (x, dy) in x.iter_mut().zip(dy) {
        replace(x, dy * (1.0 - *x * *x), want);
    }
}

/// What [`sigmoid`] leaves in place of an input of zero. Its own outputs are never negative, so this mark is unmistakable.
const ZERO_INPUT: f32 = -1.0;

/// y = 1 / (1 + e^-x), left in `x` too, but for inputs of zero: those leave a mark, because y is 1/2 there and a closed
/// gate could not be told.
pub(crate) fn sigmoid(x: &mut [f32], y: &mut [f32], pass: Pass) {
    for (x, y) in x.iter_mut().zip(y) {
        *y = math::sigmoid(*x, pass);
        *x = if *x == 0.0 { ZERO_INPUT } else { *y };
    }
}

/// dx = dy y (1 - y), with y in `x`.
pub(crate) fn sigmoid_backward(x: &mut [f32], dy: &[f32], want: InputGradient) {
    let want = want.mapped(|bound| math::sigmoid(bound, Pass::training(0)));
    for (x, dy) in x.iter_mut().zip(dy) {
        *x = match *x == ZERO_INPUT {
            true if want.is_gated() => 0.0,
            true => dy * 0.25,
            false => want.at(*x, dy * *x * (1.0 - *x)),
        };
    }
}

/// The largest magnitude of `so_far` and of all elements; infinite or NaN if one is.
#[inline(never)]
pub(crate) fn largest(so_far: f32, values: &[f32]) -> f32 {
    let mut largest = so_far;
    for value in values {
        largest = larger(largest, *value);
        if !largest.is_finite() {
            break;
        }
    }
    largest
}

/// The larger of two magnitudes; NaN if one is.
pub(crate) fn larger(a: f32, b: f32) -> f32 {
    // Magnitudes are ordered as their bits are, NaN last.
    f32::from_bits(a.abs().to_bits().max(b.abs().to_bits()))
}

/// The first element that is infinite or NaN.
#[inline(never)]
pub(crate) fn first_not_finite(values: &[f32]) -> Option<usize> {
    // The sum of magnitudes is quicker; it may overflow where no element does.
    if arch::magnitude(values).is_finite() {
        return None;
    }
    for (index, value) in values.iter().enumerate() {
        if !value.is_finite() {
            return Some(index);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relu_closes_on_negatives_and_keeps_nan() {
        let mut x = [-1.0, -0.0, 0.0, 2.0, f32::NAN, f32::NEG_INFINITY];
        relu(&mut x);
        assert_eq!(x[..4], [0.0, 0.0, 0.0, 2.0]);
        assert!(x[4].is_nan() && x[5] == 0.0);
    }

    #[test]
    fn a_closed_gate_keeps_its_zero_and_any_other_zero_gets_its_gradient() {
        let dy = [3.0; 3];
        let mut y = [0.0; 3];
        let input = [0.0, 1.0, -1.0];
        for (want, at_zero) in [(InputGradient::WhereActive, [0.0; 3]), (InputGradient::Full, [3.0, 0.75, 1.5])] {
            let mut x = input;
            tanh(&mut x, &mut y, Pass::training(0));
            tanh_backward(&mut x, &dy, want);
            assert_eq!(x[0], at_zero[0]);
            assert!(x[1] > 0.0 && x[1] == x[2]);

            let mut x = input;
            sigmoid(&mut x, &mut y, Pass::training(0));
            assert_eq!(y[0], 0.5);
            sigmoid_backward(&mut x, &dy, want);
            assert_eq!(x[0], at_zero[1]);
            assert!((x[1] - x[2]).abs() < 1e-6 && x[1] > 0.5);

            let mut x = input;
            leaky_relu(&x, &mut y, 0.5);
            assert_eq!(y, [0.0, 1.0, -0.5]);
            leaky_relu_backward(&mut x, &dy, 0.5, want);
            assert_eq!(x, [at_zero[2], 3.0, 1.5]);
        }
    }

    #[test]
    fn a_saturated_sigmoid_has_gradient_zero() {
        let (mut x, mut y) = ([-200.0, 200.0], [0.0; 2]);
        sigmoid(&mut x, &mut y, Pass::training(0));
        assert_eq!(y, [0.0, 1.0]);
        sigmoid_backward(&mut x, &[1.0; 2], InputGradient::Full);
        assert_eq!(x, [0.0, 0.0]);
    }

    #[test]
    fn finds_every_kind_of_non_finite_value() {
        assert_eq!(first_not_finite(&[]), None);
        assert_eq!(first_not_finite(&[f32::MAX, f32::MIN, 0.0, -0.0, 1e-45]), None);
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for place in 0..9 {
                let mut values = [1.0; 9];
                values[place] = bad;
                assert_eq!(first_not_finite(&values), Some(place));
            }
        }
    }
}

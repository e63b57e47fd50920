//! Passes over weights and their gradients, and over an activation.

use super::LANES;
use crate::Descent;

/// A [`Descent`] step for each weight.
///
/// For each: 2 loads, 1 multiply and up to 3 more, 1 subtraction and perhaps 1 add, 1 store.
#[cfg_attr(target_arch = "x86_64", inline(always))]
pub fn descend(weight: &mut [f32], gradient: &[f32], step: Descent) {
    let Descent { keep, rate, scale, l2 } = step;
    let weights = weight.iter_mut().zip(gradient);
    if step.is_plain() {
        weights.for_each(|(w, g)| *w -= rate * g);
    } else if l2 == 0.0 {
        // To multiply by 1 is exact.
        weights.for_each(|(w, g)| *w = keep * *w - rate * (scale * g));
    } else {
        weights.for_each(|(w, g)| *w = keep * *w - rate * (scale * g + l2 * *w));
    }
}

/// `Σ |v|` in four lanes, over the whole groups of four; then lane after lane, then the last elements.
///
/// An upper bound of every magnitude: infinite or NaN if an element is, or if it overflows. For each: 1 load, 1 add.
#[inline(never)]
pub fn magnitude(values: &[f32]) -> f32 {
    let (groups, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for group in groups {
        lanes.iter_mut().zip(group).for_each(|(lane, v)| *lane += v.abs());
    }
    lanes.iter().chain(rest).fold(0.0, |sum, v| sum + v.abs())
}

/// `to[j] = from[j]`, for as many as both have.
///
/// For each: 1 load, 1 store.
pub fn copy(from: &[f32], to: &mut [f32]) {
    let len = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
        to.copy_from_slice(from);
    }
}

/// The square root, exactly rounded.
pub fn sqrt(x: f32) -> f32 {
    libm::sqrtf(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_follows_its_formula_and_factors_of_one_leave_their_operation_out() {
        let (weight, gradient) = ([0.3, -0.7, -0.0, 5.0, 1.1], [0.2, 0.4, 0.0, -2.0, 0.9]);
        for (keep, scale, l2) in [(1.0, 1.0, 0.0), (0.9, 1.0, 0.0), (1.0, 0.5, 0.0), (0.9, 0.5, 0.01), (1.0, 1.0, 0.01)]
        {
            let mut stepped = weight;
            descend(&mut stepped, &gradient, Descent { keep, rate: 0.1, scale, l2 });
            for ((stepped, w), g) in stepped.iter().zip(weight).zip(gradient) {
                let g = if l2 == 0.0 { scale * g } else { scale * g + l2 * w };
                assert_eq!(stepped.to_bits(), (keep * w - 0.1 * g).to_bits());
            }
        }
    }

    #[test]
    fn a_magnitude_is_a_bound_and_tells_what_is_not_finite() {
        for len in 0..30 {
            let mut values = [-0.5; 30];
            assert_eq!(magnitude(&values[..len]), 0.5 * len as f32);
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].iter().filter(|_| len > 0) {
                values[len / 2] = *bad;
                assert!(!magnitude(&values[..len]).is_finite());
            }
        }
    }

    #[test]
    fn as_many_are_copied_as_both_have() {
        let mut to = [0.0; 3];
        copy(&[1.0, 2.0], &mut to);
        assert_eq!(to, [1.0, 2.0, 0.0]);
        copy(&[4.0; 9], &mut to);
        assert_eq!(to, [4.0; 3]);
    }

    #[test]
    fn a_root_is_that_of_the_standard_library() {
        for bits in (0..=u32::MAX).step_by(65_521) {
            let x = f32::from_bits(bits);
            assert!(sqrt(x).to_bits() == x.sqrt().to_bits() || x.sqrt().is_nan() && sqrt(x).is_nan(), "{x:e}");
        }
    }
}

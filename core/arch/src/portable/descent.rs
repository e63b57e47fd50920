//! Passes over weights and their gradients, and over an activation.

use super::LANES;
use crate::Descent;

/// A [`Descent`] step for each weight.
///
/// For each: 2 loads, 1 multiply and up to 3 more, 1 subtraction and perhaps 1 add, 1 store.
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

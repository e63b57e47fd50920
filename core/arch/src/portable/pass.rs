//! Passes over all elements of a slice.

/// `x = max(x, 0)`; NaN stays, and -0.0 becomes +0.0.
///
/// For each element: 1 load, 1 comparison, 1 store.
pub fn relu(x: &mut [f32]) {
    for x in x {
        *x = if *x <= 0.0 { 0.0 } else { *x };
    }
}

/// `Σ |v|` over the whole groups of four, in four lanes: lane `l` sums the elements with `i mod 4 = l`, rising. And the rest.
///
/// For each element: 1 load, 1 absolute value, 1 add.
pub fn magnitudes(values: &[f32]) -> ([f32; 4], &[f32]) {
    magnitudes_from([0.0; 4], values)
}

pub(crate) fn magnitudes_from(mut lanes: [f32; 4], values: &[f32]) -> ([f32; 4], &[f32]) {
    let (groups, rest) = values.as_chunks::<4>();
    for group in groups {
        lanes.iter_mut().zip(group).for_each(|(lane, v)| *lane += v.abs());
    }
    (lanes, rest)
}

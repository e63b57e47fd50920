//! The windows of a depthwise convolution: each channel by itself.

use crate::Walk;

/// `sums[c] += Σ a[c] b[c]` for the channels of a window's elements, rows and columns rising.
///
/// For each product: 2 loads, 1 multiply, 1 add.
pub fn add_window<const N: usize>(sums: &mut [f32; N], a: &[f32], b: &[f32], walk: &Walk) {
    walk.for_each(|at, other| {
        if let (Some(a), Some(b)) = (tile::<N>(a, at), tile::<N>(b, other)) {
            sums.iter_mut().zip(a).zip(b).for_each(|((sum, a), b)| *sum += a * b);
        }
    });
}

/// [`add_window`] of weights and dL/dy, and `g[c] += x[c] d[c]` for the gradients, which lie as the weights do.
///
/// For each weight: 3 loads, 2 multiplies, 2 adds, 1 store.
pub fn meet_window<const N: usize>(
    sums: &mut [f32; N],
    x: &[f32; N],
    weight: &[f32],
    dy: &[f32],
    gradient: &mut [f32],
    walk: &Walk,
) {
    walk.for_each(|at, other| {
        let gradient = gradient.get_mut(at..).and_then(|gradient| gradient.first_chunk_mut::<N>());
        if let (Some(w), Some(d), Some(g)) = (tile::<N>(weight, at), tile::<N>(dy, other), gradient) {
            sums.iter_mut().zip(w).zip(d).for_each(|((sum, w), d)| *sum += w * d);
            g.iter_mut().zip(x).zip(d).for_each(|((g, x), d)| *g += x * d);
        }
    });
}

/// `N` elements from element `at` on.
fn tile<const N: usize>(values: &[f32], at: usize) -> Option<&[f32; N]> {
    values.get(at..).and_then(|values| values.first_chunk())
}

impl Walk {
    #[inline(always)]
    fn for_each(&self, mut visit: impl FnMut(usize, usize)) {
        let (mut row, mut other_row) = (self.first, self.other_first);
        for _ in 0..self.rows {
            let (mut at, mut other) = (row, other_row);
            for _ in 0..self.columns {
                visit(at, other);
                (at, other) = (at.wrapping_add(self.column), other.wrapping_add_signed(self.other_column));
            }
            (row, other_row) = (row.wrapping_add(self.row), other_row.wrapping_add_signed(self.other_row));
        }
    }
}

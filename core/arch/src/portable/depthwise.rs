//! The windows of a depthwise convolution: each channel by itself.

use crate::{Left, Walk};

/// Channels whose sums stay in registers while the kernel passes over.
const TILE: usize = 8;

/// `sums[c] += Σ a[c] b[c]` for the channels of a window's elements, rows and columns rising.
///
/// For each product: 2 loads, 1 multiply, 1 add.
pub fn add_window(sums: &mut [f32], a: &[f32], b: &[f32], walk: &Walk) {
    let (tiles, rest) = sums.as_chunks_mut::<TILE>();
    let mut walk = *walk;
    for sums in tiles {
        add(sums, a, b, &walk);
        walk = walk.on(TILE);
    }
    add_from(0, rest, a, b, &walk);
}

/// The channels from `channel` on, one by one.
pub(crate) fn add_from(channel: usize, sums: &mut [f32], a: &[f32], b: &[f32], walk: &Walk) {
    let mut walk = walk.on(channel);
    for sums in sums.get_mut(channel..).unwrap_or_default().as_chunks_mut::<1>().0 {
        add(sums, a, b, &walk);
        walk = walk.on(1);
    }
}

fn add<const N: usize>(sums: &mut [f32; N], a: &[f32], b: &[f32], walk: &Walk) {
    walk.for_each(|at, other| {
        if let (Some(a), Some(b)) = (tile::<N>(a, at), tile::<N>(b, other)) {
            sums.iter_mut().zip(a).zip(b).for_each(|((sum, a), b)| *sum += a * b);
        }
    });
}

/// `dx[c] = Σ w[c] d[c]` as by [`add_window`], and `g[c] += x[c] d[c]` for the gradients, which lie as the weights do; what `left` says
/// takes the place of `x`.
///
/// For each weight: 3 loads, 2 multiplies, 2 adds, 1 store.
pub fn meet_window(x: &mut [f32], left: Left, weight: &[f32], dy: &[f32], gradient: &mut [f32], walk: &Walk) {
    let (tiles, rest) = x.as_chunks_mut::<TILE>();
    let mut walk = *walk;
    for x in tiles {
        meet(x, left, weight, dy, gradient, &walk);
        walk = walk.on(TILE);
    }
    meet_from(0, rest, left, weight, dy, gradient, &walk);
}

/// The channels from `channel` on, one by one.
pub(crate) fn meet_from(
    channel: usize,
    x: &mut [f32],
    left: Left,
    weight: &[f32],
    dy: &[f32],
    gradient: &mut [f32],
    walk: &Walk,
) {
    let mut walk = walk.on(channel);
    for x in x.get_mut(channel..).unwrap_or_default().as_chunks_mut::<1>().0 {
        meet(x, left, weight, dy, gradient, &walk);
        walk = walk.on(1);
    }
}

fn meet<const N: usize>(x: &mut [f32; N], left: Left, weight: &[f32], dy: &[f32], gradient: &mut [f32], walk: &Walk) {
    let mut sums = [0.0; N];
    walk.for_each(|at, other| {
        let gradient = gradient.get_mut(at..).and_then(|gradient| gradient.first_chunk_mut::<N>());
        if let (Some(w), Some(d), Some(g)) = (tile::<N>(weight, at), tile::<N>(dy, other), gradient) {
            sums.iter_mut().zip(w).zip(d).for_each(|((sum, w), d)| *sum += w * d);
            g.iter_mut().zip(&*x).zip(d).for_each(|((g, x), d)| *g += x * d);
        }
    });
    for (x, dx) in x.iter_mut().zip(sums) {
        if left.takes(*x) {
            *x = left.of(*x, dx);
        }
    }
}

/// `N` elements from element `at` on.
fn tile<const N: usize>(values: &[f32], at: usize) -> Option<&[f32; N]> {
    values.get(at..).and_then(|values| values.first_chunk())
}

impl Walk {
    /// The same walk for the channels from `channel` on.
    fn on(&self, channel: usize) -> Self {
        Self { first: self.first + channel, other_first: self.other_first + channel, ..*self }
    }

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

//! Sums over the windows of a convolution, and the meeting of its inputs with kernel and gradient.

use core::hint::black_box;

use super::{LANES, TILE, join};
use crate::{Left, Meeting, Start, Sums};

/// Whether a product that is zero is worth a branch: where there is no FPU, a multiplication is a call.
const SKIPS: bool =
    cfg!(any(all(target_arch = "arm", target_abi = "eabi"), all(target_arch = "riscv32", not(target_feature = "f")),));

/// What is done with a sum.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sum<'a> {
    /// It is left.
    From(Start<'a>),
    /// It starts at +0.0, and so many times it is subtracted from what is there.
    Descent(f32),
}

/// `y[p][j] = start + Σ x[i] w[i][j]`, over the runs and their products rising, zeros of `x` left out.
///
/// For each product: 1 load, 1 multiply, 1 add.
pub fn sums(x: &[f32], weight: &[f32], start: Start<'_>, y: &mut [f32], shape: &Sums) {
    if shape.fits(x.len(), weight.len(), start, y.len()) {
        tiles(x, weight, y, shape, Sum::From(start));
    }
}

/// `y[p][j] = y[p][j] - rate Σ x[i] w[i][j]`, the sum as in [`sums`], from +0.0.
pub fn descend_sums(x: &[f32], weight: &[f32], y: &mut [f32], rate: f32, shape: &Sums) {
    if shape.fits(x.len(), weight.len(), Start::Zero, y.len()) {
        tiles(x, weight, y, shape, Sum::Descent(rate));
    }
}

/// All outputs of a shape that fits.
fn tiles(x: &[f32], weight: &[f32], y: &mut [f32], shape: &Sums, sum: Sum<'_>) {
    let mut at = 0;
    while !SKIPS && at + 2 * TILE <= shape.outputs {
        pixels::<{ 2 * TILE }>(x, weight, y, shape, at, sum);
        at += 2 * TILE;
    }
    while at + TILE <= shape.outputs {
        pixels::<TILE>(x, weight, y, shape, at, sum);
        at += TILE;
    }
    if at + 4 <= shape.outputs {
        pixels::<4>(x, weight, y, shape, at, sum);
        at += 4;
    }
    narrow(x, weight, y, shape, at, sum);
}

/// The outputs from `at` on, by twos and one.
pub(crate) fn narrow(x: &[f32], weight: &[f32], y: &mut [f32], shape: &Sums, mut at: usize, sum: Sum<'_>) {
    while at + 2 <= shape.outputs {
        pixels::<2>(x, weight, y, shape, at, sum);
        at += 2;
    }
    if at < shape.outputs {
        pixels::<1>(x, weight, y, shape, at, sum);
    }
}

/// The `T` outputs from `at` on, of every pixel: of two at once, where there is an FPU.
fn pixels<const T: usize>(x: &[f32], weight: &[f32], y: &mut [f32], shape: &Sums, at: usize, sum: Sum<'_>) {
    let mut pixel = 0;
    while !SKIPS && pixel + 2 <= shape.pixels {
        tile::<2, T>(x, weight, y, shape, [pixel, at], sum);
        pixel += 2;
    }
    while pixel < shape.pixels {
        tile::<1, T>(x, weight, y, shape, [pixel, at], sum);
        pixel += 1;
    }
}

/// The `T` outputs from `at` on, of the `P` pixels from `first` on.
fn tile<const P: usize, const T: usize>(
    x: &[f32],
    weight: &[f32],
    y: &mut [f32],
    shape: &Sums,
    [first, at]: [usize; 2],
    sum: Sum<'_>,
) {
    let Sums { outputs, x_pixel, x_stride, runs, .. } = *shape;
    let mut sums = [[0.0; T]; P];
    for (n, sums) in sums.iter_mut().enumerate() {
        let start = match sum {
            Sum::From(Start::Zero) | Sum::Descent(_) => None,
            Sum::From(Start::At(values)) => chunk(values, at),
            Sum::From(Start::Kept) => chunk(y, (first + n) * outputs + at),
        };
        *sums = *start.unwrap_or(&[0.0; T]);
    }
    let mut inputs = x.get(first * x_pixel..).unwrap_or_default();
    let mut weights = weight.get(at..).unwrap_or_default();
    for _ in 0..runs.rows {
        for n in 0..runs.count {
            let Some(row) = chunk::<T>(weights, n * runs.stride) else { break };
            for (p, sums) in sums.iter_mut().enumerate() {
                let x = inputs.get(n * x_stride + p * x_pixel).copied().unwrap_or_default();
                if x != 0.0 {
                    sums.iter_mut().zip(row).for_each(|(sum, w)| *sum += x * w);
                }
            }
        }
        inputs = inputs.get(runs.x_step..).unwrap_or_default();
        weights = weights.get(runs.weight_step..).unwrap_or_default();
    }
    for (n, sums) in sums.into_iter().enumerate() {
        let place = y.get_mut((first + n) * outputs + at..).and_then(|y| y.first_chunk_mut::<T>());
        match (place, sum) {
            (Some(place), Sum::From(_)) => *place = sums,
            (Some(place), Sum::Descent(rate)) => place.iter_mut().zip(sums).for_each(|(y, sum)| *y -= rate * sum),
            (None, _) => {}
        }
    }
}

/// The `T` elements from element `at` on.
#[inline(always)]
fn chunk<const T: usize>(values: &[f32], at: usize) -> Option<&[f32; T]> {
    values.get(at..).and_then(|values| values.first_chunk())
}

/// For an input pixel of a convolution, and each of its channels `c` that counts (see [`Left`]): `g[k][c][j] += x[c] d[k][j]` over all
/// kernel elements `k` that it meets, and `dx[c] = Σ_k Σ_j w[k][c][j] d[k][j]` in four lanes: product `j` is in lane `j mod 4`, kernel elements
/// rising; then `(lane 0 + lane 2) + (lane 1 + lane 3)`. What `left` says takes the input's place.
///
/// The weights of the pixel's first channel at the first kernel element are the first of `weight` and `gradient`. Where it `skips`, zeros of
/// `d` may be left out: where the weights, `x` and `d` are finite and no element of `g` is -0.0, the bits are the same.
///
/// For each weight: 3 loads, 2 multiplies, 2 adds, 1 store.
pub fn meet(
    pixel: &mut [f32],
    left: Left,
    weight: &[f32],
    dy: &[f32],
    gradient: &mut [f32],
    shape: &Meeting,
    skips: bool,
) {
    if !shape.fits(pixel.len(), weight.len().min(gradient.len()), dy.len()) {
        return;
    }
    each(pixel, left, dy, shape, |lanes, x, at, dy| {
        let (Some(weight), Some(gradient)) = (part(weight, at, dy.len()), gradient.get_mut(at..)) else { return };
        let Some(gradient) = gradient.get_mut(..dy.len()) else { return };
        let ((rows, row), (dys, dy)) = (weight.as_chunks::<LANES>(), dy.as_chunks::<LANES>());
        let (gradients, gradient) = gradient.as_chunks_mut::<LANES>();
        for ((row, dy), gradient) in rows.iter().zip(dys).zip(gradients) {
            meet_group(lanes, row, dy, x, gradient, skips);
        }
        if !row.is_empty() {
            meet_group(lanes, row, dy, x, gradient, skips);
        }
    });
}

/// [`meet`] without gradients of weights.
///
/// For each weight: 2 loads, 1 multiply, 1 add.
pub fn meet_input(pixel: &mut [f32], left: Left, weight: &[f32], dy: &[f32], shape: &Meeting, skips: bool) {
    if !shape.fits(pixel.len(), weight.len(), dy.len()) {
        return;
    }
    each(pixel, left, dy, shape, |lanes, _, at, dy| {
        let Some(weight) = part(weight, at, dy.len()) else { return };
        let ((rows, row), (dys, dy)) = (weight.as_chunks::<LANES>(), dy.as_chunks::<LANES>());
        for (row, dy) in rows.iter().zip(dys) {
            input_group(lanes, row, dy, skips);
        }
        if !row.is_empty() {
            input_group(lanes, row, dy, skips);
        }
    });
}

/// Leaves dL/dx of each channel that counts. `add` adds to its lanes what one kernel element does, whose weights begin at an element and
/// which meets a part of dL/dy.
#[inline(always)]
fn each(
    pixel: &mut [f32],
    left: Left,
    dy: &[f32],
    shape: &Meeting,
    mut add: impl FnMut(&mut [f32; LANES], f32, usize, &[f32]),
) {
    let len = shape.outputs;
    for (channel, x) in pixel.iter_mut().enumerate().filter(|(_, x)| left.takes(**x)) {
        let mut lanes = [0.0; LANES];
        let (mut row_at, mut dy_row_at) = (channel * len, shape.dy_first);
        for _ in 0..shape.rows {
            let (mut at, mut dy_at) = (row_at, dy_row_at);
            for _ in 0..shape.columns {
                let Some(dy) = part(dy, dy_at, len) else { break };
                add(&mut lanes, *x, at, dy);
                (at, dy_at) = (at + shape.weight_column, dy_at.wrapping_sub(shape.dy_column));
            }
            (row_at, dy_row_at) = (row_at + shape.weight_row, dy_row_at.wrapping_sub(shape.dy_row));
        }
        // From memory: else compilers split the lanes into halves, as they are joined.
        *x = left.of(*x, join(black_box(lanes)));
    }
}

/// `len` elements from element `at` on.
fn part(values: &[f32], at: usize, len: usize) -> Option<&[f32]> {
    values.get(at..).and_then(|values| values.get(..len))
}

/// What up to four outputs add to a channel's lanes and gradient.
#[inline(always)]
fn meet_group(lanes: &mut [f32; LANES], weight: &[f32], dy: &[f32], x: f32, gradient: &mut [f32], skips: bool) {
    for (((lane, w), d), g) in lanes.iter_mut().zip(weight).zip(dy).zip(gradient) {
        if SKIPS && skips && *d == 0.0 {
            continue;
        }
        *lane += w * d;
        *g += x * d;
    }
}

/// What up to four outputs add to a channel's lanes.
#[inline(always)]
fn input_group(lanes: &mut [f32; LANES], weight: &[f32], dy: &[f32], skips: bool) {
    for ((lane, w), d) in lanes.iter_mut().zip(weight).zip(dy) {
        if SKIPS && skips && *d == 0.0 {
            continue;
        }
        *lane += w * d;
    }
}

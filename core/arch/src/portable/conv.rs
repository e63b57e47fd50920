//! Sums over the windows of a convolution, and the meeting of its inputs with kernel and gradient.

use core::cell::Cell;

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
        tiles(x, weight, y, shape, 0, Sum::From(start));
    }
}

/// `y[p][j] = y[p][j] - rate Σ x[i] w[i][j]`, the sum as in [`sums`], from +0.0.
pub fn descend_sums(x: &[f32], weight: &[f32], y: &mut [f32], rate: f32, shape: &Sums) {
    if shape.fits(x.len(), weight.len(), Start::Zero, y.len()) {
        tiles(x, weight, y, shape, 0, Sum::Descent(rate));
    }
}

/// The outputs from `at` on, of a shape that fits.
pub(crate) fn tiles(x: &[f32], weight: &[f32], y: &mut [f32], shape: &Sums, mut at: usize, sum: Sum<'_>) {
    while at + TILE <= shape.outputs {
        tile::<TILE>(x, weight, y, shape, at, sum);
        at += TILE;
    }
    let rest = shape.outputs.saturating_sub(at);
    if rest & 4 != 0 {
        tile::<4>(x, weight, y, shape, at, sum);
        at += 4;
    }
    if rest & 2 != 0 {
        tile::<2>(x, weight, y, shape, at, sum);
        at += 2;
    }
    if rest & 1 != 0 {
        tile::<1>(x, weight, y, shape, at, sum);
    }
}

/// The `T` outputs from `at` on, of every pixel.
fn tile<const T: usize>(x: &[f32], weight: &[f32], y: &mut [f32], shape: &Sums, at: usize, sum: Sum<'_>) {
    let Sums { pixels, outputs, x_pixel, x_stride, runs } = *shape;
    let columns = weight.get(at..).unwrap_or_default();
    let (mut pixel, mut places) = (x, y.get_mut(at..).unwrap_or_default());
    for _ in 0..pixels {
        let Some(place) = places.first_chunk_mut::<T>() else { return };
        let mut sums = match sum {
            Sum::From(Start::Zero) | Sum::Descent(_) => [0.0; T],
            Sum::From(Start::At(values)) => match values.get(at..).and_then(|values| values.first_chunk::<T>()) {
                Some(values) => *values,
                None => [0.0; T],
            },
            Sum::From(Start::Kept) => *place,
        };
        let (mut inputs, mut weights) = (pixel, columns);
        for _ in 0..runs.rows {
            // `max` tells the compiler that `chunks` cannot panic.
            for (n, row) in weights.chunks(runs.stride.max(1)).take(runs.count).enumerate() {
                let (Some(&x), Some(row)) = (inputs.get(n * x_stride), row.first_chunk::<T>()) else { break };
                if x == 0.0 {
                    continue;
                }
                for (sum, w) in sums.iter_mut().zip(row) {
                    *sum += x * w;
                }
            }
            inputs = inputs.get(runs.x_step..).unwrap_or_default();
            weights = weights.get(runs.weight_step..).unwrap_or_default();
        }
        match sum {
            Sum::From(_) => *place = sums,
            Sum::Descent(rate) => place.iter_mut().zip(sums).for_each(|(y, sum)| *y -= rate * sum),
        }
        pixel = pixel.get(x_pixel..).unwrap_or_default();
        places = places.get_mut(outputs..).unwrap_or_default();
    }
}

/// For an input pixel of a convolution, and each of its channels `c` that counts (see [`Left`]): `g[k][c][j] += x[c] d[k][j]` over all
/// kernel elements `k` that it meets, and `dx[c] = Σ_k Σ_j w[k][c][j] d[k][j]` in four lanes: product `j` is in lane `j mod 4`, kernel elements
/// rising; then `(lane 0 + lane 2) + (lane 1 + lane 3)`. What `left` says takes the input's place.
///
/// The weights of the pixel's first channel at the first kernel element are the first of `weight` and `gradient`. Zeros of `d` may
/// be left out: where the weights, `x` and `d` are finite and no element of `g` is -0.0, the bits are the same.
///
/// For each weight: 3 loads, 2 multiplies, 2 adds, 1 store.
pub fn meet(pixel: &mut [f32], left: Left, weight: &[f32], dy: &[f32], gradient: &mut [f32], shape: &Meeting) {
    if !shape.fits(pixel.len(), weight.len().min(gradient.len()), dy.len()) {
        return;
    }
    let mut meeting = Pixel { pixel, left, weight, dy, gradient, shape };
    let (mut open, mut count) = ([0; 4], 0);
    for channel in 0..meeting.pixel.len() {
        if !meeting.pixel.get(channel).is_some_and(|x| left.takes(*x)) {
            continue;
        }
        if let Some(place) = open.get_mut(count) {
            *place = channel;
            count += 1;
        }
        if count == open.len() {
            meeting.add(open);
            count = 0;
        }
    }
    open.into_iter().take(count).for_each(|channel| meeting.add([channel]));
}

/// The channels of one pixel.
struct Pixel<'a> {
    pixel: &'a mut [f32],
    left: Left,
    weight: &'a [f32],
    dy: &'a [f32],
    gradient: &'a mut [f32],
    shape: &'a Meeting,
}

impl Pixel<'_> {
    /// Adds what these channels, all different, meet.
    fn add<const N: usize>(&mut self, channels: [usize; N]) {
        let shape = self.shape;
        let x = channels.map(|channel| self.pixel.get(channel).copied().unwrap_or_default());
        let len = shape.outputs;
        // The rows of the channels do not overlap, but only we know.
        let gradient = Cell::from_mut(&mut *self.gradient).as_slice_of_cells();
        let mut lanes = [[0.0; LANES]; N];
        for row in 0..shape.rows {
            for column in 0..shape.columns {
                let at = row * shape.weight_row + column * shape.weight_column;
                let dy_at = shape.dy_first.saturating_sub(row * shape.dy_row + column * shape.dy_column);
                let (dys, dy_rest) = part(self.dy, dy_at, len).as_chunks::<LANES>();
                let rows = channels.map(|channel| part(self.weight, at + channel * len, len).as_chunks::<LANES>());
                let gradients = channels.map(|channel| part(gradient, at + channel * len, len).as_chunks::<LANES>());
                for (n, dy) in dys.iter().enumerate() {
                    // Behind a max-pool, many groups are zeros.
                    if dy.iter().all(|d| *d == 0.0) {
                        continue;
                    }
                    for (((lanes, x), (row, _)), (gradient, _)) in lanes.iter_mut().zip(x).zip(rows).zip(gradients) {
                        if let (Some(row), Some(gradient)) = (row.get(n), gradient.get(n)) {
                            add_group(lanes, row, dy, x, gradient);
                        }
                    }
                }
                for (((lanes, x), (_, row)), (_, gradient)) in lanes.iter_mut().zip(x).zip(rows).zip(gradients) {
                    add(lanes, row, dy_rest, x, gradient);
                }
            }
        }
        for (channel, (x, lanes)) in channels.into_iter().zip(x.into_iter().zip(lanes)) {
            if let Some(place) = self.pixel.get_mut(channel) {
                *place = self.left.of(x, join(lanes));
            }
        }
    }
}

/// `len` elements from element `at` on; none if there are not so many.
fn part<T>(values: &[T], at: usize, len: usize) -> &[T] {
    values.get(at..).and_then(|values| values.get(..len)).unwrap_or_default()
}

/// What four outputs add to a channel's lanes and gradient. All is read before anything is written: a vector.
#[inline(always)]
fn add_group(
    lanes: &mut [f32; LANES],
    weight: &[f32; LANES],
    dy: &[f32; LANES],
    x: f32,
    gradient: &[Cell<f32>; LANES],
) {
    if SKIPS {
        return add(lanes, weight, dy, x, gradient);
    }
    let (mut products, mut sums) = (*weight, gradient.each_ref().map(Cell::get));
    products.iter_mut().zip(dy).for_each(|(product, d)| *product *= d);
    lanes.iter_mut().zip(products).for_each(|(lane, product)| *lane += product);
    sums.iter_mut().zip(dy).for_each(|(sum, d)| *sum += x * d);
    gradient.iter().zip(sums).for_each(|(g, sum)| g.set(sum));
}

/// What up to four outputs add to a channel's lanes and gradient.
#[inline(always)]
fn add(lanes: &mut [f32; LANES], weight: &[f32], dy: &[f32], x: f32, gradient: &[Cell<f32>]) {
    for (((lane, w), d), g) in lanes.iter_mut().zip(weight).zip(dy).zip(gradient) {
        if SKIPS && *d == 0.0 {
            continue;
        }
        *lane += w * d;
        g.set(g.get() + x * d);
    }
}

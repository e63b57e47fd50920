//! Sums over the windows of a convolution, and the meeting of its inputs with kernel and gradient.

use super::{LANES, TILE, join};
use crate::meet::{self, Meet};
use crate::{Meeting, Start, Sums};

/// Whether a product that is zero is worth a branch: where there is no FPU, a multiplication is a call.
const SKIPS: bool = cfg!(any(
    all(target_arch = "arm", target_abi = "eabi"),
    all(target_arch = "riscv32", not(target_feature = "f")),
));

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

/// For an input pixel of a convolution, and each of its channels `c` that is not zero, or for `all`: `g[k][c][j] += x[c] d[k][j]` over all
/// kernel elements `k` that it meets, and `dx[c] = Σ_k Σ_j w[k][c][j] d[k][j]` in four lanes: product `j` is in lane `j mod 4`, kernel elements
/// rising; then `(lane 0 + lane 2) + (lane 1 + lane 3)`. `finish` makes of `x` and `dx` what is left in the input's place.
///
/// The weights of the pixel's first channel at the first kernel element are the first of `weight` and `gradient`. Zeros of `d` may
/// be left out: where the weights, `x` and `d` are finite and no element of `g` is -0.0, the bits are the same.
///
/// For each weight: 3 loads, 2 multiplies, 2 adds, 1 store.
pub fn meet(
    pixel: &mut [f32],
    all: bool,
    weight: &[f32],
    dy: &[f32],
    gradient: &mut [f32],
    shape: &Meeting,
    finish: impl Fn(f32, f32) -> f32,
) {
    if shape.fits(pixel.len(), weight.len().min(gradient.len()), dy.len()) {
        meet::meet(pixel, all, finish, Plain { weight, dy, gradient, shape });
    }
}

/// One channel after another.
pub(crate) struct Plain<'a> {
    pub(crate) weight: &'a [f32],
    pub(crate) dy: &'a [f32],
    pub(crate) gradient: &'a mut [f32],
    pub(crate) shape: &'a Meeting,
}

impl Meet for Plain<'_> {
    fn four(&mut self, x: [f32; 4], channels: [usize; 4]) -> [f32; 4] {
        self.add(x, channels)
    }

    fn one(&mut self, x: f32, channel: usize) -> f32 {
        let [dx] = self.add([x], [channel]);
        dx
    }
}

impl Plain<'_> {
    fn add<const N: usize>(&mut self, x: [f32; N], channels: [usize; N]) -> [f32; N] {
        let shape = self.shape;
        let len = shape.outputs;
        let mut lanes = [[0.0; LANES]; N];
        for row in 0..shape.rows {
            for column in 0..shape.columns {
                let at = row * shape.weight_row + column * shape.weight_column;
                let dy_at = shape.dy_first.saturating_sub(row * shape.dy_row + column * shape.dy_column);
                let dy = part(self.dy, dy_at, len);
                for ((lanes, channel), x) in lanes.iter_mut().zip(channels).zip(x) {
                    let at = at + channel * len;
                    let gradient = self.gradient.get_mut(at..).and_then(|gradient| gradient.get_mut(..len));
                    add(lanes, part(self.weight, at, len), dy, x, gradient.unwrap_or_default());
                }
            }
        }
        lanes.map(join)
    }
}

/// `len` elements from element `at` on; none if there are not so many.
fn part(values: &[f32], at: usize, len: usize) -> &[f32] {
    values.get(at..).and_then(|values| values.get(..len)).unwrap_or_default()
}

/// What one kernel element adds to a channel's lanes and gradient.
#[inline(always)]
fn add(lanes: &mut [f32; LANES], weight: &[f32], dy: &[f32], x: f32, gradient: &mut [f32]) {
    if SKIPS {
        for (j, ((w, d), g)) in weight.iter().zip(dy).zip(gradient).enumerate() {
            if *d != 0.0
                && let Some(lane) = lanes.get_mut(j % LANES)
            {
                *lane += w * d;
                *g += x * d;
            }
        }
        return;
    }
    let ((rows, row_rest), (dys, dy_rest)) = (weight.as_chunks::<LANES>(), dy.as_chunks::<LANES>());
    let (gradients, gradient_rest) = gradient.as_chunks_mut::<LANES>();
    for ((row, dy), gradient) in rows.iter().zip(dys).zip(gradients) {
        for (((lane, w), d), g) in lanes.iter_mut().zip(row).zip(dy).zip(gradient) {
            *lane += w * d;
            *g += x * d;
        }
    }
    for (((lane, w), d), g) in lanes.iter_mut().zip(row_rest).zip(dy_rest).zip(gradient_rest) {
        *lane += w * d;
        *g += x * d;
    }
}

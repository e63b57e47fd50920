//! The depthwise convolution: each channel by itself, weights `[kernel row][kernel column][channel]`.
//!
//! | | mathematics | for each weight and position |
//! |---|---|---|
//! | forward | `y[o][c] = b[c] + Σ_k x[i][c] w[k][c]`; kernel row and column rising | 2 loads, 1 multiply, 1 add |
//! | backward | `g[k][c] += x[i][c] d[o][c]`, positions rising; `dx[i][c] = Σ_k w[k][c] d[o][c]`, kernel row and column rising | 3 loads, 1 store, 2 multiplies, 2 adds |
//! | backward without `dx`, or without `g` | the same | 2 loads, 1 multiply, 1 add |
//!
//! Channels are taken eight at a time, then one by one; each is a sum of its own.
//!
//! Cycles for each product on a Cortex-M4F, by the table of its manual, counted in an emulator, with eight channels in registers
//! (`backpass-sim bench depthwise2d --profile` shows them by function: 7,744 products):
//!
//! | | floor | reached in a 3x3 window |
//! |---|---|---|
//! | forward; backward without `dx`, or without `g` | 4.3 | 6.3 |
//! | backward, with `dx` put in its place | 8.5 | 11.4 |
//!
//! What is above the floor is mostly what a tile costs once, spread over nine products: sums and steps that are loaded and
//! stored.
//!
//! Tried, and left: a call for each eight channels (7 % more in MobileNet); zeros of `d` skipped, which eight channels seldom
//! share; closed inputs skipped, for the same reason; `g` and `dx` in a pass each (6.3 + 6.3).

use backpass_arch::{self as arch, Walk};

use crate::kernel::conv::{Geometry, Span};
use crate::kernel::dense;
use crate::kernel::elementwise;
use crate::layer::InputGradient;

/// Channels whose dL/dx is computed before it is put in its place.
const TILE: usize = 8;

/// The output from input, weight and bias; the bias may be empty.
pub(crate) fn forward(g: &Geometry, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
    let mut pixels = y.chunks_exact_mut(g.inputs.max(1));
    for row in 0..g.rows.output {
        let rows = g.rows.inputs_of(row);
        for column in 0..g.columns.output {
            let columns = g.columns.inputs_of(column);
            let Some(y) = pixels.next() else { return };
            dense::start(bias, y);
            arch::add_window(y, weight, x, &walk(g, g.columns.input, rows, columns, 1));
        }
    }
}

/// The walk over kernel elements, and over the pixels that they meet: inputs or outputs, `width` a row, rising or (`-1`) falling.
fn walk(g: &Geometry, width: usize, rows: Span, columns: Span, direction: isize) -> Walk {
    let (channels, kernel_row) = (g.inputs, g.columns.kernel * g.inputs);
    let step = |step: usize| direction * step.cast_signed();
    Walk {
        rows: rows.count,
        columns: columns.count,
        first: rows.kernel * kernel_row + columns.kernel * channels,
        row: rows.kernel_step * kernel_row,
        column: columns.kernel_step * channels,
        other_first: (rows.other * width + columns.other) * channels,
        other_row: step(rows.other_step * width * channels),
        other_column: step(columns.other_step * channels),
    }
}

/// Calls `visit` with each input pixel and the walk over what it meets.
fn for_each_pixel(g: &Geometry, x: &mut [f32], mut visit: impl FnMut(&mut [f32], &Walk)) {
    let (row_steps, column_steps) = (g.rows.steps(), g.columns.steps());
    let mut pixels = x.chunks_exact_mut(g.inputs.max(1));
    for row in 0..g.rows.input {
        let rows = g.rows.outputs_of(row, row_steps);
        for column in 0..g.columns.input {
            let columns = g.columns.outputs_of(column, column_steps);
            let Some(pixel) = pixels.next() else { return };
            visit(pixel, &walk(g, g.columns.output, rows, columns, -1));
        }
    }
}

/// Adds dL/dW and dL/db to the gradients, which are zeros for the `first` sample, from dL/dy; leaves dL/dx in `x` as far as `want` asks. `bias_gradient` may be
/// empty.
#[expect(clippy::too_many_arguments, reason = "slices, each with a part of its own")]
pub(crate) fn backward(
    g: &Geometry,
    x: &mut [f32],
    weight: &[f32],
    dy: &[f32],
    weight_gradient: &mut [f32],
    bias_gradient: &mut [f32],
    first: bool,
    want: InputGradient,
) {
    if first {
        weight_gradient.fill(0.0);
        bias_gradient.fill(0.0);
    }
    if want == InputGradient::Unused {
        self::weight_gradient(g, x, dy, weight_gradient);
    } else {
        let left = elementwise::left(want);
        for_each_pixel(g, x, |x, walk| arch::meet_window(x, left, weight, dy, weight_gradient, walk));
    }
    crate::kernel::conv::bias_backward(g.inputs, dy, bias_gradient);
}

/// Adds dL/dW to the gradient: for each kernel element a walk over the inputs and outputs that it joins.
fn weight_gradient(g: &Geometry, x: &[f32], dy: &[f32], gradient: &mut [f32]) {
    let (channels, kernel_columns) = (g.inputs, g.columns.kernel.max(1));
    for (kernel, gradient) in gradient.chunks_exact_mut(channels.max(1)).enumerate() {
        let (output_row, row, rows) = g.rows.outputs_at(kernel / kernel_columns);
        let (output_column, column, columns) = g.columns.outputs_at(kernel % kernel_columns);
        let walk = Walk {
            rows,
            columns,
            first: (row * g.columns.input + column) * channels,
            row: g.rows.stride * g.columns.input * channels,
            column: g.columns.stride * channels,
            other_first: (output_row * g.columns.output + output_column) * channels,
            other_row: (g.columns.output * channels).cast_signed(),
            other_column: channels.cast_signed(),
        };
        arch::add_window(gradient, x, dy, &walk);
    }
}

/// Leaves dL/dx in `x` as far as `want` asks; the weights do not learn.
pub(crate) fn input_gradient(g: &Geometry, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
    if want != InputGradient::Unused {
        for_each_gradient(g, x, weight, dy, |x, dx| elementwise::replace(x, dx, want));
    }
}

/// Adds dL/dx to the gradient that `x` holds: everywhere, or where a gate is open.
pub(crate) fn add_input_gradient(g: &Geometry, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
    for_each_gradient(g, x, weight, dy, |x, dx| elementwise::add_gradient(x, dx, want));
}

/// Calls `visit` with each input and its dL/dx.
fn for_each_gradient(g: &Geometry, x: &mut [f32], weight: &[f32], dy: &[f32], visit: impl Fn(&mut f32, f32)) {
    for_each_pixel(g, x, |pixel, walk| {
        let mut walk = *walk;
        for x in pixel.chunks_mut(TILE) {
            let mut sums = [0.0; TILE];
            let Some(dx) = sums.get_mut(..x.len()) else { return };
            arch::add_window(dx, weight, dy, &walk);
            x.iter_mut().zip(dx).for_each(|(x, dx)| visit(x, *dx));
            walk.first += TILE;
            walk.other_first += TILE;
        }
    });
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::kernel::conv::tests::{WANTS, added, bits, geometry, left, random, sizes, triples};
    use crate::rng::Rng;

    #[test]
    fn every_sum_is_that_of_the_definition_in_the_documented_order() {
        for seed in 0..600 {
            let rng = &mut Rng::new(seed);
            let g = &geometry(rng, Some(0));
            let triples = triples(g);
            let channels = g.inputs;
            let [inputs, outputs, kernels] = sizes(g);
            let input = random(rng, inputs * channels);
            let weight = random(rng, kernels * channels);
            let bias = random(rng, channels);
            let dy = random(rng, outputs * channels);

            let mut expected: Vec<f32> = bias.iter().copied().cycle().take(outputs * channels).collect();
            for triple in &triples {
                for c in 0..channels {
                    expected[triple.output * channels + c] +=
                        input[triple.input * channels + c] * weight[triple.kernel * channels + c];
                }
            }
            let mut y = vec![9.0; outputs * channels];
            forward(g, &input, &weight, &bias, &mut y);
            assert_eq!(bits(&y), bits(&expected), "seed {seed}, {g:?}");

            let (mut gradient, mut dx) = (vec![0.25; weight.len()], vec![0.0; input.len()]);
            for (at, x) in input.iter().enumerate() {
                let (pixel, c) = (at / channels, at % channels);
                let mut meets: Vec<_> = triples.iter().filter(|triple| triple.input == pixel).collect();
                meets.sort_by_key(|triple| triple.kernel);
                for triple in meets {
                    let (w, d) = (triple.kernel * channels + c, dy[triple.output * channels + c]);
                    gradient[w] += x * d;
                    dx[at] += weight[w] * d;
                }
            }
            let mut bias_sums = vec![0.5; channels];
            for (at, d) in dy.iter().enumerate() {
                bias_sums[at % channels] += d;
            }
            for want in WANTS {
                let (mut x, mut gw, mut gb) = (input.clone(), vec![0.25; weight.len()], vec![0.5; channels]);
                backward(g, &mut x, &weight, &dy, &mut gw, &mut gb, false, want);
                let expected: Vec<_> = input.iter().zip(&dx).map(|(x, dx)| left(*x, *dx, want)).collect();
                assert_eq!(bits(&x), bits(&expected), "seed {seed}, {want:?}, {g:?}");
                assert_eq!(bits(&gw), bits(&gradient), "seed {seed}, {want:?}, {g:?}");
                assert_eq!(bits(&gb), bits(&bias_sums), "seed {seed}, {want:?}, {g:?}");

                let mut frozen = input.clone();
                input_gradient(g, &mut frozen, &weight, &dy, want);
                assert_eq!(bits(&frozen), bits(&x), "seed {seed}, frozen, {want:?}, {g:?}");

                let mut sum = input.clone();
                add_input_gradient(g, &mut sum, &weight, &dy, want);
                let expected: Vec<_> = input.iter().zip(&dx).map(|(x, dx)| added(*x, *dx, want)).collect();
                assert_eq!(bits(&sum), bits(&expected), "seed {seed}, added, {want:?}, {g:?}");
            }
        }
    }

    #[test]
    fn nan_stays_in_its_channel() {
        use crate::kernel::conv::Axis;
        let rows = Axis { input: 3, output: 3, kernel: 3, stride: 1, dilation: 1, before: 1 };
        let columns = Axis { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, before: 0 };
        let g = Geometry { rows, columns, inputs: 2, outputs: 2 };
        let mut y = [0.0; 6];
        forward(&g, &[f32::NAN, 1.0, 1.0, 1.0, 1.0, 1.0], &[1.0; 6], &[], &mut y);
        assert_eq!(y.map(f32::is_nan), [true, false, true, false, false, false]);
        assert_eq!((y[1], y[3]), (2.0, 3.0));
    }
}

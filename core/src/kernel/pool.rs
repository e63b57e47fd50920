//! Pooling over images `[row][column][channel]`; a signal is an image of one column. No window of a maximum reaches over the edge.
//!
//! The maximum of a window is its first largest element, rows and columns rising; NaN is larger than anything. For the
//! backward pass no index array is kept: once the maxima of a window are known, the place of input `j`, in storage order, takes
//! the position of the maximum that output `j` is. That input is needed no more: it never lies behind the first
//! element of window `j`, and all later windows (of the same channel) begin behind it.
//!
//! The mean of a window is the sum in rising order over the number of its elements inside; of a window that is wholly outside, zero.
//! Its gradient sums over the windows that an input is in from the last to the first, rows, then columns; so does that of the
//! maximum.
//!
//! | | mathematics | for each element of a window |
//! |---|---|---|
//! | maximum | `y[o] = max x[i]`, `p[o] = i` of it | 1 load, 1 comparison; for each output 2 stores |
//! | its gradient | `dx[p[o]] += d[o]`, outputs falling | for each input 1 store, for each output 3 loads, 1 add, 2 stores |
//! | mean | `y[o] = (Σ x[i]) / n` | 1 load, 1 add; for each output 1 division, 1 store |
//! | its gradient | `dx[i] = (Σ d[o]) / n`, or `Σ (d[o] / n)` | 1 load, 1 add; for each input 1 division, 1 store |
//!
//! Cycles on a Cortex-M4F, by the table of its manual, counted in an emulator, 16 channels and windows of 2x2 side by side
//! (`backpass-sim bench pool --profile`). A division takes 14.
//!
//! | | floor | reached |
//! |---|---|---|
//! | maximum, for each input | 6.4 | 9.7, and 2.1 for the calls |
//! | its gradient, for each input | 3.1 | 7.2 |
//! | mean, for each input | 5.8 | 19 |
//! | its gradient, for each input | 17.3 | 50 |
//!
//! A comparison of floats takes four instructions: compare, fetch the flags, choose value and place. The largest of eight channels
//! and their places stay in registers. Eight channels at a time halved the cost of the mean's gradient. Left: assembly for
//! means, which no network spends a hundredth of its step in; the gradients of maxima in fewer passes: the zeros of all inputs
//! must be written, and a position says where the gradient goes only once.

use backpass_arch::{self as arch, CLOSED, Window};

use crate::kernel::conv::{Axis, Geometry};
use crate::kernel::elementwise;
use crate::layer::{InputGradient, open_gate};

/// Channels whose sums stay in registers while the windows pass.
const TILE: usize = 8;

/// y is the maximum of each window; before a backward pass, `x` takes the positions of the maxima.
pub(crate) fn max(g: &Geometry, x: &mut [f32], y: &mut [f32], keep: bool) {
    let image_row = g.columns.input * g.inputs;
    let window = Window {
        rows: g.rows.kernel,
        columns: g.columns.kernel,
        row_step: g.rows.dilation * image_row,
        column_step: g.columns.dilation * g.inputs,
    };
    let mut pixels = y.chunks_exact_mut(g.inputs.max(1));
    let mut place = 0;
    for row in 0..g.rows.output {
        let mut first = row * g.rows.stride * image_row;
        for _ in 0..g.columns.output {
            let Some(y) = pixels.next() else { return };
            arch::window_max(x, first, keep.then_some(place), y, &window);
            first += g.columns.stride * g.inputs;
            place += g.inputs;
        }
    }
}

/// dx is the sum of dy over the windows whose maximum an input is, zero elsewhere. `x` holds the positions of the maxima.
pub(crate) fn max_backward(x: &mut [f32], dy: &[f32], want: InputGradient) {
    if want == InputGradient::Unused {
        return;
    }
    x.iter_mut().skip(dy.len()).for_each(|x| *x = 0.0);
    // From the last: a position lies at its output's place or behind it, where the gradient already is.
    for (j, dy) in dy.iter().enumerate().rev() {
        let Some(place) = x.get_mut(j) else { continue };
        let bits = place.to_bits();
        *place = 0.0;
        if bits & CLOSED != 0 && want.is_gated() {
            continue;
        }
        if let Some(dx) = x.get_mut((bits & !CLOSED) as usize) {
            *dx = if want.is_gated() { open_gate(*dx + dy) } else { *dx + dy };
        }
    }
}

/// y is the mean of each window.
pub(crate) fn average(g: &Geometry, x: &[f32], y: &mut [f32]) {
    let channels = g.inputs.max(1);
    let mut pixels = y.chunks_exact_mut(channels);
    for row in 0..g.rows.output {
        for column in 0..g.columns.output {
            let Some(y) = pixels.next() else { return };
            let elements = elements(g, row, column);
            y.fill(0.0);
            for (_, row) in g.rows.inputs_of(row).rising() {
                for (_, column) in g.columns.inputs_of(column).rising() {
                    let at = (row * g.columns.input + column) * channels;
                    y.iter_mut().zip(x.get(at..).unwrap_or_default()).for_each(|(y, x)| *y += x);
                }
            }
            y.iter_mut().for_each(|y| *y /= elements);
        }
    }
}

/// How many elements of a window lie inside; 1 if none does.
fn elements(g: &Geometry, row: usize, column: usize) -> f32 {
    (g.rows.inputs_of(row).count() * g.columns.inputs_of(column).count()).max(1) as f32
}

/// How many elements a window has, if none reaches over an edge.
fn elements_of_all(g: &Geometry) -> Option<f32> {
    let inside = |axis: &Axis| axis.before == 0 && axis.inputs_of(axis.output.saturating_sub(1)).count() == axis.kernel;
    (inside(&g.rows) && inside(&g.columns)).then(|| (g.rows.kernel * g.columns.kernel) as f32)
}

/// dx is the sum, over the windows that an input is in, of dy over the number of the window's elements; where that is the same for
/// all windows, the division is the last step.
pub(crate) fn average_backward(g: &Geometry, x: &mut [f32], dy: &[f32], want: InputGradient) {
    let channels = g.inputs.max(1);
    let (row_steps, column_steps) = (g.rows.steps(), g.columns.steps());
    let all = elements_of_all(g);
    let count = all.unwrap_or(1.0);
    let mut pixels = x.chunks_exact_mut(channels);
    for row in 0..g.rows.input {
        let rows = g.rows.outputs_of(row, row_steps);
        for column in 0..g.columns.input {
            let columns = g.columns.outputs_of(column, column_steps);
            let Some(pixel) = pixels.next() else { return };
            for (tile, x) in pixel.chunks_mut(TILE).enumerate() {
                let mut sums = [0.0; TILE];
                for (_, row) in rows.falling() {
                    for (_, column) in columns.falling() {
                        let at = (row * g.columns.output + column) * channels + tile * TILE;
                        let sums = sums.iter_mut().zip(dy.get(at..).unwrap_or_default());
                        if all.is_some() {
                            sums.for_each(|(sum, dy)| *sum += dy);
                        } else {
                            let elements = elements(g, row, column);
                            sums.for_each(|(sum, dy)| *sum += dy / elements);
                        }
                    }
                }
                x.iter_mut().zip(sums).for_each(|(x, sum)| elementwise::replace(x, sum / count, want));
            }
        }
    }
}

/// One window over all positions: what a global pool is.
pub(crate) const fn global(positions: usize, channels: usize) -> Geometry {
    let rows = Axis { input: positions, output: 1, kernel: positions, stride: 1, dilation: 1, before: 0 };
    let columns = Axis { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, before: 0 };
    Geometry { rows, columns, inputs: channels, outputs: channels }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use std::vec;
    use std::vec::Vec;

    fn axis(input: usize, kernel: usize, stride: usize) -> Axis {
        Axis { input, output: (input - kernel) / stride + 1, kernel, stride, dilation: 1, before: 0 }
    }

    /// Every window shape on small images against the definition, with the gradient scattered to a copy.
    #[test]
    fn the_places_of_inputs_hold_the_positions_without_losing_any() {
        let mut rng = Rng::new(4);
        for (height, width, channels) in [(1, 1, 1), (4, 1, 2), (5, 4, 3), (6, 7, 1)] {
            for (kh, kw, sh, sw) in [(1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 1, 1), (3, 2, 2, 1), (2, 3, 1, 3), (4, 1, 1, 2)]
            {
                if kh > height || kw > width {
                    continue;
                }
                let g = Geometry {
                    rows: axis(height, kh, sh),
                    columns: axis(width, kw, sw),
                    inputs: channels,
                    outputs: channels,
                };
                let outputs = g.rows.output * g.columns.output * channels;
                // Few values, so that there are ties, and zeros.
                let x: Vec<f32> = (0..height * width * channels).map(|_| rng.below(4) as f32).collect();
                let dy: Vec<f32> = (0..outputs).map(|_| rng.symmetric(1.0)).collect();
                for want in [InputGradient::Full, InputGradient::WhereActive] {
                    let (mut place, mut y) = (x.clone(), vec![9.0; outputs]);
                    max(&g, &mut place, &mut y, true);
                    max_backward(&mut place, &dy, want);
                    let mut expected = vec![0.0; x.len()];
                    for j in (0..outputs).rev() {
                        let (pixel, channel) = (j / channels, j % channels);
                        let (row, column) = (pixel / g.columns.output, pixel % g.columns.output);
                        let window: Vec<usize> = (0..kh * kw)
                            .map(|k| ((row * sh + k / kw) * width + column * sw + k % kw) * channels + channel)
                            .collect();
                        let first = window.iter().copied().reduce(|a, b| if x[b] > x[a] { b } else { a }).unwrap();
                        assert_eq!(y[j], x[first]);
                        if want == InputGradient::Full || x[first] != 0.0 {
                            expected[first] += dy[j];
                        }
                    }
                    assert_eq!(place, expected, "{g:?} {want:?}");
                }
            }
        }
    }

    /// Windows that reach over the edges, and wholly beyond them, against the definition.
    #[test]
    fn a_mean_counts_the_elements_inside_only() {
        let mut rng = Rng::new(9);
        let (height, width, channels) = (4, 3, 2);
        let place = |row: usize, column: usize, channel: usize| (row * width + column) * channels + channel;
        for (kernel, stride, before, output) in [(3, 1, 1, 4), (3, 2, 0, 2), (2, 1, 1, 5), (2, 3, 4, 3)] {
            let rows = Axis { input: height, output, kernel, stride, dilation: 1, before };
            let columns = Axis { input: width, output: 2, kernel: 2, stride: 2, dilation: 1, before: 0 };
            let g = Geometry { rows, columns, inputs: channels, outputs: channels };
            let x: Vec<f32> = (0..height * width * channels).map(|_| rng.symmetric(1.0)).collect();
            let dy: Vec<f32> = (0..output * 2 * channels).map(|_| rng.symmetric(1.0)).collect();
            let (mut y, mut dx) = (vec![9.0; dy.len()], x.clone());
            average(&g, &x, &mut y);
            average_backward(&g, &mut dx, &dy, InputGradient::Full);
            let mut gradient = vec![0.0; x.len()];
            for (j, (y, dy)) in y.iter().zip(&dy).enumerate() {
                let (pixel, channel) = (j / channels, j % channels);
                let inside: Vec<usize> = (0..kernel * 2)
                    .map(|k| (pixel / 2 * stride + k / 2, pixel % 2 * 2 + k % 2))
                    .filter(|(row, column)| (before..before + height).contains(row) && *column < width)
                    .map(|(row, column)| place(row - before, column, channel))
                    .collect();
                let count = inside.len().max(1) as f32;
                let mean = inside.iter().map(|i| x[*i]).sum::<f32>() / count;
                assert!((y - mean).abs() <= 1e-6, "{g:?}: {y}, {mean}");
                inside.iter().for_each(|i| gradient[*i] += dy / count);
            }
            assert!(dx.iter().zip(&gradient).all(|(a, b)| (a - b).abs() <= 1e-6), "{g:?}: {dx:?}, {gradient:?}");
        }
    }

    /// The formulas of the page, element by element.
    #[test]
    fn means_are_summed_in_the_documented_order() {
        let mut rng = Rng::new(5);
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        for (height, width, channels) in [(1, 1, 1), (4, 1, 2), (5, 4, 3), (6, 7, 1)] {
            for (kh, kw, sh, sw) in [(1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 1, 1), (3, 2, 2, 1), (2, 3, 1, 3), (4, 1, 1, 2)]
            {
                if kh > height || kw > width {
                    continue;
                }
                let (rows, columns) = (axis(height, kh, sh), axis(width, kw, sw));
                let g = Geometry { rows, columns, inputs: channels, outputs: channels };
                let x: Vec<f32> = (0..height * width * channels).map(|_| rng.symmetric(1.0).max(0.0)).collect();
                let outputs = rows.output * columns.output * channels;
                let dy: Vec<f32> = (0..outputs).map(|_| rng.symmetric(1.0)).collect();
                let at = |row: usize, column: usize, channel: usize| (row * width + column) * channels + channel;
                let (mut expected, mut sums) = (vec![0.0; outputs], vec![0.0; x.len()]);
                for j in (0..outputs).rev() {
                    let (pixel, channel) = (j / channels, j % channels);
                    let (row, column) = (pixel / columns.output * sh, pixel % columns.output * sw);
                    for k in 0..kh * kw {
                        let i = at(row + k / kw, column + k % kw, channel);
                        expected[j] += x[i];
                        sums[i] += dy[j];
                    }
                    expected[j] /= (kh * kw) as f32;
                }
                let mut y = vec![9.0; outputs];
                average(&g, &x, &mut y);
                assert_eq!(bits(&y), bits(&expected), "{g:?}");
                for want in [InputGradient::Unused, InputGradient::Full, InputGradient::WhereActive] {
                    let mut dx = x.clone();
                    average_backward(&g, &mut dx, &dy, want);
                    let expected: Vec<f32> = (0..x.len())
                        .map(|i| match want {
                            InputGradient::Unused => x[i],
                            InputGradient::WhereActive if x[i] == 0.0 => 0.0,
                            _ => want.at(x[i], sums[i] / (kh * kw) as f32),
                        })
                        .collect();
                    assert_eq!(bits(&dx), bits(&expected), "{g:?} {want:?}");
                }
            }
        }
    }

    #[test]
    fn nan_is_the_maximum_and_predicting_keeps_the_input() {
        let g = global(3, 1);
        let (mut x, mut y) = ([1.0, f32::NAN, 2.0], [0.0]);
        max(&g, &mut x, &mut y, false);
        assert!(y[0].is_nan());
        assert_eq!((x[0], x[2]), (1.0, 2.0));
        let mut x = [f32::NEG_INFINITY; 3];
        max(&g, &mut x, &mut y, true);
        assert_eq!(y, [f32::NEG_INFINITY]);
    }
}

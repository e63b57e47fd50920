//! The convolution on images `[row][column][channel]`, weights `[kernel row][kernel column][in][out]`. A signal is an image of
//! one column.
//!
//! Output pixel `o` of an axis reads input `i = o stride + k dilation - before` for each kernel element `k`; what lies outside
//! the input counts as zero.
//!
//! | | mathematics | for each weight and position |
//! |---|---|---|
//! | forward | `y[o][j] = b[j] + Σ_k Σ_c x[i][c] w[k][c][j]`; kernel row, kernel column and channel rising, zeros of `x` left out | 1 load, 1 multiply, 1 add |
//! | backward | `g[k][c][j] += x[i][c] d[o][j]`, positions rising, unless `x` is 0; `dx[i][c] = Σ_k Σ_j w[k][c][j] d[o][j]` in four lanes, kernel row and column rising | 3 loads, 1 store, 2 multiplies, 2 adds |
//! | backward without `dx` | `g` the same, its sums in registers | 1 load, 1 multiply, 1 add |
//! | backward without `g` | `dx` the same | 2 loads, 1 multiply, 1 add |
//! | descent without `dx` | the same, then `w = w - rate g` | 1 load, 1 multiply, 1 add |
//!
//! The four lanes of `dx`: lane `l` sums the products with `j mod 4 = l`, over all kernel elements; then
//! `(lane 0 + lane 2) + (lane 1 + lane 3)`. Each input is visited once and overwritten by its gradient, so there is no
//! scratch; one that ReLU closed is skipped in all of it.
//!
//! **Zeros of `d`**, three quarters of them behind a 2x2 max-pool, cost next to nothing: in a sum of finite numbers that does not
//! start at -0.0 a product with zero changes no bit, so the loops may leave it out. Where an input, a weight or an element of dL/dy
//! is infinite or NaN, every product is computed.
//!
//! A pointwise convolution (kernel and stride 1) is the dense kernel on each pixel, and sums as that does: the last `O mod 4`
//! products of `dx` come after its lanes.
//!
//! Cycles for each product on a Cortex-M4F, by the table of its manual, counted in an emulator (`backpass-sim bench "conv2d 8x8x8x16 3x3"
//! --profile` shows them by function: 61,952 products, of which 10.1 cycles each in the backward pass, calls included), against the floor: the loads,
//! stores, multiplies and adds above, taken many registers at a time, the weights loaded once for all outputs in registers.
//!
//! | | floor | reached |
//! |---|---|---|
//! | forward, and `g` alone: two pixels, or channels, by eight outputs | 2.8 | 3.6 |
//! | the same, one of the two zero | 3.4 | 5.6 |
//! | the same for one, by sixteen outputs | 3.3 | 3.7 |
//! | by eight | 3.4 | 4.2 |
//! | by four | 3.8 | 5.5 |
//! | backward, `d` without zeros | 7.8 | 9.0 |
//! | backward, a zero of `d` | 0 | 1.8 |
//! | backward, another element of `d` in a group of four that has zeros | 10 | 11.9 |
//! | `dx` alone (the weights are frozen), `d` without zeros | 3.6 | 4.5 |
//! | `dx` alone, a zero of `d` | 0 | 1.6 |
//! | `dx` alone, another element of `d` | 4 | 5.7 |
//!
//! The difference is tests for zeros, steps of pointers and the end of the loop. A call of the sums takes some 600 cycles beside, so
//! neighbours with the same window are one call; a pixel of the backward pass takes 200, and 220 for each four channels.
//!
//! What paid, in cycles of a step of the network 16x16x1, 3x3x8, pool, 3x3x16, pool, 10 (963 k before, 900 k after): channels chosen and dL/dx
//! left in assembly (44 k); two pixels that share weights (17 k). On a computer: two pixels by sixteen outputs, the four
//! lanes kept in one vector, no test for zeros inside a kernel element, maxima chosen and not branched to (67 µs before, 40 µs after, of
//! which the guesses of branches are half).
//!
//! Tried or worked out, and left:
//! * A second pass for `g` beside one for `dx`: 3.6 + 4.5 instead of 9.0 where `d` is dense, but 3.6 for `g` where three
//!   quarters of `d` are zero, since sixteen outputs are taken together, whatever they are.
//! * `g` by elements of `d` that are not zero, with inputs in registers: 0.9 for a zero and 4.7 for another with eight channels, by
//!   count; only where there is a max-pool and no dL/dx is that less.
//! * Eight channels by one lane in the backward pass: looks at each `d` once instead of twice, but takes four passes over `d`,
//!   and its step of addresses costs 1 for each product.
//! * Four channels together in the portable loops: 5 µs more on a computer, since four rows of weights and four of gradients
//!   are checked anyway.

use backpass_arch::{self as arch, Left, Meeting, Runs, Start, Sums};

use crate::descend::DescentStep;
use crate::kernel::{dense, elementwise};
use crate::layer::InputGradient;

/// Channels whose dL/dx is computed before it is added.
const TILE: usize = 8;

/// One axis of a convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    /// How many elements of padding lie before the input.
    pub(crate) before: usize,
}

/// A convolution's shapes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Geometry {
    pub(crate) rows: Axis,
    pub(crate) columns: Axis,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

/// Kernel elements `k, k + step, ...` and for each the other end of its connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) kernel: usize,
    pub(crate) kernel_step: usize,
    pub(crate) other: usize,
    pub(crate) other_step: usize,
    pub(crate) count: usize,
}

impl Axis {
    /// The inputs that output `o` reads: from the first kernel element inside, rising.
    pub(crate) fn inputs_of(&self, o: usize) -> Span {
        let dilation = self.dilation.max(1);
        let start = o * self.stride;
        let kernel = self.before.saturating_sub(start).div_ceil(dilation);
        let other = (start + kernel * dilation).saturating_sub(self.before);
        let inside = if other < self.input { (self.input - 1 - other) / dilation + 1 } else { 0 };
        let count = self.kernel.saturating_sub(kernel).min(inside);
        Span { kernel, kernel_step: 1, other, other_step: dilation, count }
    }

    /// The outputs that read input `i`: kernel elements rise, outputs fall. `steps` are [`steps`](Self::steps).
    pub(crate) fn outputs_of(&self, i: usize, (kernel_step, other_step): (usize, usize)) -> Span {
        let (stride, dilation) = (self.stride.max(1), self.dilation.max(1));
        let none = Span { kernel: 0, kernel_step, other: 0, other_step, count: 0 };
        let place = i + self.before;
        for kernel in 0..self.kernel {
            let Some(start) = place.checked_sub(kernel * dilation) else { return none };
            let other = start / stride;
            if other * stride == start && other < self.output {
                let count = (self.kernel - 1 - kernel) / kernel_step.max(1);
                let count = count.min(other / other_step.max(1)) + 1;
                return Span { kernel, kernel_step, other, other_step, count };
            }
        }
        none
    }

    /// From one kernel element that meets an input to the next: by so many kernel elements and so many outputs.
    pub(crate) fn steps(&self) -> (usize, usize) {
        let (stride, dilation) = (self.stride.max(1), self.dilation.max(1));
        let (mut divisor, mut rest) = (stride, dilation);
        while rest > 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        (stride / divisor.max(1), dilation / divisor.max(1))
    }
}

impl Axis {
    /// How many outputs from `o` on read the same kernel elements: one, or all whose whole kernel lies inside the input.
    fn alike(&self, o: usize) -> usize {
        let span = self.kernel.saturating_sub(1) * self.dilation;
        if o * self.stride < self.before {
            return 1;
        }
        match (self.input + self.before).checked_sub(span + 1) {
            Some(last) => (last / self.stride.max(1) + 1).min(self.output).saturating_sub(o).max(1),
            None => 1,
        }
    }

    /// The outputs whose kernel element `k` lies inside: the first of them, the input that it reads there, and how many.
    pub(crate) fn outputs_at(&self, k: usize) -> (usize, usize, usize) {
        let (stride, place) = (self.stride.max(1), k * self.dilation);
        let first = self.before.saturating_sub(place).div_ceil(stride);
        let input = (first * stride + place).saturating_sub(self.before);
        let count = match self.input.checked_sub(input + 1) {
            Some(behind) => (behind / stride + 1).min(self.output.saturating_sub(first)),
            None => 0,
        };
        (first, input, count)
    }
}

impl Span {
    /// Kernel element and input, both rising.
    pub(crate) fn rising(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.count).map(move |n| (self.kernel + n * self.kernel_step, self.other + n * self.other_step))
    }

    /// How many there are.
    pub(crate) const fn count(self) -> usize {
        self.count
    }

    /// Kernel element, rising, and output, falling.
    pub(crate) fn falling(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.count)
            .map(move |n| (self.kernel + n * self.kernel_step, self.other.saturating_sub(n * self.other_step)))
    }
}

impl Geometry {
    /// Whether each output pixel reads its own input pixel only.
    fn is_pointwise(&self) -> bool {
        let own = |axis: &Axis| axis.kernel == 1 && axis.stride == 1 && axis.before == 0 && axis.input == axis.output;
        own(&self.rows) && own(&self.columns)
    }
}

/// The output from input, weight and bias; the bias may be empty.
pub(crate) fn forward(g: &Geometry, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
    let start = if bias.len() == g.outputs { Start::At(bias) } else { Start::Zero };
    if g.is_pointwise() {
        let runs = Runs { rows: 1, count: g.inputs, x_step: 0, weight_step: 0, stride: g.outputs };
        let pixels = g.rows.output * g.columns.output;
        let shape = Sums { pixels, outputs: g.outputs, x_pixel: g.inputs, x_stride: 1, runs };
        arch::sums(x, weight, start, y, &shape);
        return;
    }
    let (element, image_row) = (g.inputs * g.outputs, g.columns.input * g.inputs);
    let kernel_row = g.columns.kernel * element;
    for (row, y) in (0..g.rows.output).zip(y.chunks_exact_mut((g.columns.output * g.outputs).max(1))) {
        let rows = g.rows.inputs_of(row);
        let (mut column, mut places) = (0, y);
        while column < g.columns.output {
            let columns = g.columns.inputs_of(column);
            // Neighbours that read the same kernel elements are computed together.
            let pixels = g.columns.alike(column);
            let Some((y, behind)) = places.split_at_mut_checked(pixels * g.outputs) else { return };
            (column, places) = (column + pixels, behind);
            let x = x.get((rows.other * g.columns.input + columns.other) * g.inputs..).unwrap_or_default();
            let at = (rows.kernel * g.columns.kernel + columns.kernel) * element;
            let weight = weight.get(at..).unwrap_or_default();
            let x_pixel = g.columns.stride * g.inputs;
            let shape = |runs| Sums { pixels, outputs: g.outputs, x_pixel, x_stride: 1, runs };
            if rows.count == 0 || columns.count == 0 {
                y.chunks_exact_mut(g.outputs.max(1)).for_each(|y| dense::start(bias, y));
            } else if columns.other_step == 1 || columns.count == 1 {
                // Kernel elements of a row lie one after another, and so do the inputs that they meet.
                let runs = Runs {
                    rows: rows.count,
                    count: columns.count * g.inputs,
                    x_step: rows.other_step * image_row,
                    weight_step: kernel_row,
                    stride: g.outputs,
                };
                arch::sums(x, weight, start, y, &shape(runs));
            } else {
                let runs = Runs {
                    rows: columns.count,
                    count: g.inputs,
                    x_step: columns.other_step * g.inputs,
                    weight_step: element,
                    stride: g.outputs,
                };
                for row in 0..rows.count {
                    let start = if row == 0 { start } else { Start::Kept };
                    let x = x.get(row * rows.other_step * image_row..).unwrap_or_default();
                    let weight = weight.get(row * kernel_row..).unwrap_or_default();
                    arch::sums(x, weight, start, y, &shape(runs));
                }
            }
        }
    }
}

/// Calls `sums` for each kernel element, with the inputs and the part of dL/dy from the first position on at which it lies
/// inside, the place of its weights, and the shape of their gradients' sums.
fn for_each_kernel_element(
    g: &Geometry,
    x: &[f32],
    dy: &[f32],
    place: &mut [f32],
    sums: impl Fn(&[f32], &[f32], &mut [f32], &Sums),
) {
    let mut elements = place.chunks_exact_mut((g.inputs * g.outputs).max(1));
    for kernel_row in 0..g.rows.kernel {
        let (output_row, row, rows) = g.rows.outputs_at(kernel_row);
        for kernel_column in 0..g.columns.kernel {
            let (output_column, column, columns) = g.columns.outputs_at(kernel_column);
            let Some(place) = elements.next() else { return };
            let x = x.get((row * g.columns.input + column) * g.inputs..).unwrap_or_default();
            let dy = dy.get((output_row * g.columns.output + output_column) * g.outputs..).unwrap_or_default();
            let runs = Runs {
                rows: if columns == 0 { 0 } else { rows },
                count: columns,
                x_step: g.rows.stride * g.columns.input * g.inputs,
                weight_step: g.columns.output * g.outputs,
                stride: g.outputs,
            };
            let x_stride = g.columns.stride * g.inputs;
            sums(x, dy, place, &Sums { pixels: g.inputs, outputs: g.outputs, x_pixel: 1, x_stride, runs });
        }
    }
}

/// Adds dL/dW to the gradient, or leaves it there.
fn weight_gradient(g: &Geometry, x: &[f32], dy: &[f32], gradient: &mut [f32], first: bool) {
    let start = if first { Start::Zero } else { Start::Kept };
    for_each_kernel_element(g, x, dy, gradient, |x, dy, gradient, shape| {
        if shape.runs.rows > 0 {
            arch::sums(x, dy, start, gradient, shape);
        } else if first {
            gradient.fill(0.0);
        }
    });
}

/// A step of descent, `w = keep w - rate g`, in the place of the weights, of a convolution whose dL/dx nobody wants.
pub(crate) fn descend_first(
    g: &Geometry,
    x: &[f32],
    weight: &mut [f32],
    bias: &mut [f32],
    dy: &[f32],
    DescentStep { keep, rate }: DescentStep,
) {
    if keep != 1.0 {
        weight.iter_mut().chain(bias.iter_mut()).for_each(|w| *w *= keep);
    }
    for_each_kernel_element(g, x, dy, weight, |x, dy, weight, shape| {
        if shape.runs.rows > 0 {
            arch::descend_sums(x, dy, weight, rate, shape);
        }
    });
    arch::descend_sums(&[1.0], dy, bias, rate, &pixel_sums(g.outputs, dy));
}

/// Calls `visit` with each input pixel, the shape of its meeting with kernel and dL/dy, and where the weights begin that it meets first.
fn for_each_pixel(g: &Geometry, x: &mut [f32], mut visit: impl FnMut(&mut [f32], &Meeting, usize)) {
    let (row_steps, column_steps) = (g.rows.steps(), g.columns.steps());
    let element = g.inputs * g.outputs;
    let mut pixels = x.chunks_exact_mut(g.inputs.max(1));
    for row in 0..g.rows.input {
        let rows = g.rows.outputs_of(row, row_steps);
        for column in 0..g.columns.input {
            let columns = g.columns.outputs_of(column, column_steps);
            let Some(pixel) = pixels.next() else { return };
            let shape = Meeting {
                outputs: g.outputs,
                rows: rows.count,
                columns: columns.count,
                weight_row: rows.kernel_step * g.columns.kernel * element,
                weight_column: columns.kernel_step * element,
                dy_first: (rows.other * g.columns.output + columns.other) * g.outputs,
                dy_row: rows.other_step * g.columns.output * g.outputs,
                dy_column: columns.other_step * g.outputs,
            };
            visit(pixel, &shape, (rows.kernel * g.columns.kernel + columns.kernel) * element);
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
    finite: bool,
    want: InputGradient,
) {
    sum_pixels(g.outputs, dy, bias_gradient, if first { Start::Zero } else { Start::Kept });
    if want == InputGradient::Unused {
        self::weight_gradient(g, x, dy, weight_gradient, first);
        return;
    }
    if first {
        weight_gradient.fill(0.0);
    }
    if g.is_pointwise() && !g.outputs.is_multiple_of(dense::LANES) {
        for (x, dy) in x.chunks_exact_mut(g.inputs.max(1)).zip(dy.chunks_exact(g.outputs.max(1))) {
            dense::backward(x, weight, dy, weight_gradient, &mut [], None, want);
        }
        return;
    }
    let skips = finite && is_finite(weight);
    for_each_pixel(g, x, |pixel, shape, at| {
        if let (Some(weight), Some(gradient)) = (weight.get(at..), weight_gradient.get_mut(at..)) {
            arch::meet(pixel, elementwise::left(want), weight, dy, gradient, shape, skips);
        }
    });
}

/// Whether all are: then a product with a zero changes nothing in a sum.
fn is_finite(values: &[f32]) -> bool {
    arch::magnitude(values).is_finite()
}

/// Adds dL/db: dL/dy of all pixels.
pub(crate) fn bias_backward(outputs: usize, dy: &[f32], bias_gradient: &mut [f32]) {
    sum_pixels(outputs, dy, bias_gradient, Start::Kept);
}

fn sum_pixels(outputs: usize, dy: &[f32], gradient: &mut [f32], start: Start<'_>) {
    arch::sums(&[1.0], dy, start, gradient, &pixel_sums(outputs, dy));
}

/// The sums of dL/dy over all pixels.
fn pixel_sums(outputs: usize, dy: &[f32]) -> Sums {
    let count = dy.len().checked_div(outputs).unwrap_or_default();
    let runs = Runs { rows: 1, count, x_step: 0, weight_step: 0, stride: outputs };
    Sums { pixels: 1, outputs, x_pixel: 0, x_stride: 0, runs }
}

/// Leaves dL/dx in `x` as far as `want` asks; the weights do not learn.
pub(crate) fn input_gradient(g: &Geometry, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
    if g.is_pointwise() {
        for (x, dy) in x.chunks_exact_mut(g.inputs.max(1)).zip(dy.chunks_exact(g.outputs.max(1))) {
            dense::input_gradient(x, weight, dy, want);
        }
        return;
    }
    if want == InputGradient::Unused {
        return;
    }
    let skips = is_finite(weight);
    for_each_pixel(g, x, |pixel, shape, at| {
        let weight = weight.get(at..).unwrap_or_default();
        arch::meet_input(pixel, elementwise::left(want), weight, dy, shape, skips);
    });
}

/// Adds dL/dx to the gradient that `x` holds: everywhere, or where a gate is open.
pub(crate) fn add_input_gradient(g: &Geometry, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
    if g.is_pointwise() {
        for (x, dy) in x.chunks_exact_mut(g.inputs.max(1)).zip(dy.chunks_exact(g.outputs.max(1))) {
            dense::add_input_gradient(x, weight, dy, want);
        }
        return;
    }
    let skips = is_finite(weight);
    for_each_pixel(g, x, |pixel, shape, at| {
        let mut weight = weight.get(at..).unwrap_or_default();
        for x in pixel.chunks_mut(TILE) {
            let mut sums = [0.0; TILE];
            let Some(dx) = sums.get_mut(..x.len()) else { return };
            arch::meet_input(dx, Left::All, weight, dy, shape, skips);
            x.iter_mut().zip(dx).for_each(|(x, dx)| elementwise::add_gradient(x, *dx, want));
            weight = weight.get(TILE * g.outputs..).unwrap_or_default();
        }
    });
}

#[cfg(test)]
pub(crate) mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::layer::open_gate;
    use crate::rng::Rng;

    /// An output pixel, a kernel element and the input pixel that it reads there.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Triple {
        pub(crate) output: usize,
        pub(crate) kernel: usize,
        pub(crate) input: usize,
    }

    /// Every product of a convolution, from the definition: outputs rising, kernel elements rising.
    pub(crate) fn triples(g: &Geometry) -> Vec<Triple> {
        let along = |axis: &Axis| {
            let axis = *axis;
            (0..axis.output * axis.kernel).filter_map(move |n| {
                let (o, k) = (n / axis.kernel, n % axis.kernel);
                let i = (o * axis.stride + k * axis.dilation).checked_sub(axis.before)?;
                (i < axis.input).then_some((o, k, i))
            })
        };
        let mut all = Vec::new();
        for (row, kernel_row, input_row) in along(&g.rows) {
            for (column, kernel_column, input_column) in along(&g.columns) {
                all.push(Triple {
                    output: row * g.columns.output + column,
                    kernel: kernel_row * g.columns.kernel + kernel_column,
                    input: input_row * g.columns.input + input_column,
                });
            }
        }
        all.sort_by_key(|triple| (triple.output, triple.kernel));
        all
    }

    /// Shapes of any kind, also ones that no layer declares: windows wholly outside, outputs that nothing reaches.
    pub(crate) fn geometry(rng: &mut Rng, outputs: Option<usize>) -> Geometry {
        let mut below = |n: u32| rng.below(n) as usize;
        let mut axis = || Axis {
            input: 1 + below(6),
            output: 1 + below(6),
            kernel: 1 + below(4),
            stride: 1 + below(4),
            dilation: 1 + below(3),
            before: below(3) * below(5),
        };
        let (rows, columns) = (axis(), axis());
        let inputs = [1, 2, 3, 8, 9, 19][below(6)];
        let outputs = outputs.map_or([1, 2, 3, 4, 5, 7, 8, 9, 15][below(9)], |_| inputs);
        match below(4) {
            // A signal.
            0 => {
                let columns = Axis { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, before: 0 };
                Geometry { rows, columns, inputs, outputs }
            }
            // Pointwise.
            1 => {
                let axis = |axis: Axis| Axis { output: axis.input, kernel: 1, stride: 1, before: 0, ..axis };
                Geometry { rows: axis(rows), columns: axis(columns), inputs, outputs }
            }
            _ => Geometry { rows, columns, inputs, outputs },
        }
    }

    /// Random values, about one in five exactly zero.
    pub(crate) fn random(rng: &mut Rng, count: usize) -> Vec<f32> {
        (0..count).map(|_| rng.symmetric(1.0)).map(|v| if v < -0.6 { 0.0 } else { v }).collect()
    }

    pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    pub(crate) const WANTS: [InputGradient; 4] =
        [InputGradient::Unused, InputGradient::Full, InputGradient::WhereActive, InputGradient::WhereBelow(0.5)];

    /// What backward leaves in place of `x`, by the contract of `InputGradient`.
    pub(crate) fn left(x: f32, dx: f32, want: InputGradient) -> f32 {
        match want {
            InputGradient::Unused => x,
            InputGradient::Full => dx,
            InputGradient::WhereActive if x == 0.0 => 0.0,
            InputGradient::WhereActive => open_gate(dx),
            InputGradient::WhereBelow(bound) if x == 0.0 || x >= bound => 0.0,
            InputGradient::WhereBelow(_) => open_gate(dx),
        }
    }

    /// What is left of a gradient that is there already and of `dx`.
    pub(crate) fn added(gradient: f32, dx: f32, want: InputGradient) -> f32 {
        match want {
            InputGradient::Unused => gradient,
            InputGradient::Full => gradient + dx,
            InputGradient::WhereActive | InputGradient::WhereBelow(_) if gradient.to_bits() == 0 => 0.0,
            InputGradient::WhereActive | InputGradient::WhereBelow(_) => open_gate(gradient + dx),
        }
    }

    /// How many elements input, output and kernel have, channels aside.
    pub(crate) fn sizes(g: &Geometry) -> [usize; 3] {
        [g.rows.input * g.columns.input, g.rows.output * g.columns.output, g.rows.kernel * g.columns.kernel]
    }

    #[test]
    fn every_sum_is_that_of_the_definition_in_the_documented_order() {
        let (mut pointwise, mut outside) = (0, 0);
        for seed in 0..600 {
            let rng = &mut Rng::new(seed);
            let g = &geometry(rng, None);
            let triples = triples(g);
            let (ci, co) = (g.inputs, g.outputs);
            let [inputs, outputs, kernels] = sizes(g);
            let input = random(rng, inputs * ci);
            let weight = random(rng, kernels * ci * co);
            let bias = random(rng, co);
            let mut dy = random(rng, outputs * co);
            if seed % 2 == 1 {
                // As behind a max-pool.
                dy.iter_mut().for_each(|d| *d *= [0.0, 0.0, -0.0, 1.0][rng.below(4) as usize]);
            }
            let w = |kernel: usize, c: usize, j: usize| (kernel * ci + c) * co + j;
            pointwise += usize::from(g.is_pointwise());
            outside += usize::from((0..outputs).any(|o| triples.iter().all(|triple| triple.output != o)));

            let mut expected: Vec<f32> = bias.iter().copied().cycle().take(outputs * co).collect();
            for triple in &triples {
                for c in 0..ci {
                    let x = input[triple.input * ci + c];
                    for j in 0..co {
                        if x != 0.0 {
                            expected[triple.output * co + j] += x * weight[w(triple.kernel, c, j)];
                        }
                    }
                }
            }
            let mut y = vec![9.0; outputs * co];
            forward(g, &input, &weight, &bias, &mut y);
            assert_eq!(bits(&y), bits(&expected), "seed {seed}, {g:?}");

            let (mut gradient, mut dx) = (vec![0.25; weight.len()], vec![0.0; input.len()]);
            for (at, x) in input.iter().enumerate() {
                let (pixel, c) = (at / ci, at % ci);
                let mut meets: Vec<_> = triples.iter().filter(|triple| triple.input == pixel).collect();
                meets.sort_by_key(|triple| triple.kernel);
                let (mut lanes, mut last) = ([0.0_f32; 4], Vec::new());
                for triple in meets {
                    for j in 0..co {
                        let (w, d) = (w(triple.kernel, c, j), dy[triple.output * co + j]);
                        if *x != 0.0 {
                            gradient[w] += x * d;
                        }
                        if g.is_pointwise() && j >= co / 4 * 4 {
                            last.push(weight[w] * d);
                        } else {
                            lanes[j % 4] += weight[w] * d;
                        }
                    }
                }
                let joined = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
                dx[at] = last.iter().fold(joined, |sum, product| sum + product);
            }
            let mut bias_sums = vec![0.5; co];
            for (at, d) in dy.iter().enumerate() {
                bias_sums[at % co] += d;
            }
            for (want, finite) in WANTS.into_iter().flat_map(|want| [(want, false), (want, true)]) {
                let (mut x, mut gw, mut gb) = (input.clone(), vec![0.25; weight.len()], vec![0.5; co]);
                backward(g, &mut x, &weight, &dy, &mut gw, &mut gb, false, finite, want);
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
        assert!(pointwise > 50 && outside > 50, "{pointwise} pointwise, {outside} with a window wholly outside");
    }

    #[test]
    fn the_first_sample_overwrites_and_descent_takes_a_step_along_the_same_gradient() {
        for seed in 0..200 {
            let rng = &mut Rng::new(seed);
            let g = &geometry(rng, None);
            let [inputs, outputs, kernels] = sizes(g);
            let (x, dy) = (random(rng, inputs * g.inputs), random(rng, outputs * g.outputs));
            let (weight, bias) = (random(rng, kernels * g.inputs * g.outputs), random(rng, g.outputs));
            for want in WANTS {
                let run = |before: f32, first: bool| {
                    let (mut gw, mut gb) = (vec![before; weight.len()], vec![before; bias.len()]);
                    backward(g, &mut x.clone(), &weight, &dy, &mut gw, &mut gb, first, true, want);
                    (gw, gb)
                };
                let ((gw, gb), (expected_gw, expected_gb)) = (run(f32::NAN, true), run(0.0, false));
                assert_eq!(bits(&gw), bits(&expected_gw), "seed {seed}, {want:?}, {g:?}");
                assert_eq!(bits(&gb), bits(&expected_gb), "seed {seed}, {want:?}, {g:?}");
                let (mut w, mut b) = (weight.clone(), bias.clone());
                descend_first(g, &x, &mut w, &mut b, &dy, DescentStep { keep: 1.0, rate: 0.3 });
                let step = |from: &[f32], gradient: &[f32]| -> Vec<f32> {
                    from.iter().zip(gradient).map(|(w, g)| w - 0.3 * g).collect()
                };
                assert_eq!(bits(&w), bits(&step(&weight, &gw)), "seed {seed}, {g:?}");
                assert_eq!(bits(&b), bits(&step(&bias, &gb)), "seed {seed}, {g:?}");
            }
        }
    }

    /// What is left out where everything is finite is zero times something finite.
    #[test]
    fn an_infinite_weight_makes_nan_of_a_gradient_of_zero() {
        let rows = Axis { input: 3, output: 3, kernel: 3, stride: 1, dilation: 1, before: 1 };
        let columns = Axis { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, before: 0 };
        for outputs in [3, 4, 9] {
            let g = Geometry { rows, columns, inputs: 5, outputs };
            for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
                let (mut weight, mut gradient) = (vec![1.0; 15 * outputs], vec![0.0; 15 * outputs]);
                weight[7 * outputs + 1] = bad;
                let (mut x, mut dy) = (vec![1.0; 15], vec![0.0; 3 * outputs]);
                dy[0] = 1.0;
                backward(&g, &mut x, &weight, &dy, &mut gradient, &mut [], false, true, InputGradient::Full);
                // Channel 2 of every pixel meets it, at the middle of the kernel.
                let nans: Vec<usize> = (0..15).filter(|at| x[*at].is_nan()).collect();
                assert_eq!(nans, [2, 7, 12], "{outputs} outputs");
                assert!(gradient.iter().all(|g| g.is_finite()));
            }
        }
    }

    #[test]
    fn without_a_bias_the_sum_starts_at_zero() {
        let one = Axis { input: 2, output: 2, kernel: 2, stride: 1, dilation: 1, before: 1 };
        let columns = Axis { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, before: 0 };
        let g = Geometry { rows: one, columns, inputs: 1, outputs: 1 };
        let mut y = [7.0; 2];
        forward(&g, &[2.0, 3.0], &[10.0, 1.0], &[], &mut y);
        assert_eq!(y, [2.0, 23.0]);
        let (mut x, mut gradient) = ([2.0, 3.0], [0.0; 2]);
        backward(&g, &mut x, &[10.0, 1.0], &[1.0, 100.0], &mut gradient, &mut [], false, false, InputGradient::Full);
        assert_eq!((x, gradient), ([1001.0, 100.0], [200.0, 302.0]));
    }

    #[test]
    fn nan_reaches_every_output_that_reads_it_and_no_other() {
        let axis = Axis { input: 5, output: 5, kernel: 3, stride: 1, dilation: 1, before: 1 };
        let columns = Axis { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, before: 0 };
        let g = Geometry { rows: axis, columns, inputs: 1, outputs: 1 };
        let mut y = [0.0; 5];
        forward(&g, &[1.0, f32::NAN, 1.0, 1.0, 1.0], &[1.0; 3], &[0.0], &mut y);
        assert_eq!(y.map(f32::is_nan), [true, true, true, false, false]);
        let (mut x, mut gradient) = ([1.0, f32::NAN, 0.0, 1.0, 1.0], [0.0; 3]);
        backward(&g, &mut x, &[1.0; 3], &[1.0; 5], &mut gradient, &mut [], false, false, InputGradient::WhereActive);
        assert!(gradient.iter().all(|gradient| gradient.is_nan()));
        assert_eq!((x[1], x[2].to_bits()), (3.0, 0));
    }
}

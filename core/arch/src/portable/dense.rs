//! Products of a vector with a matrix, and outer products.

use super::{LANES, TILE, join};
use crate::{Start, begin, has_rows};

/// `y[j] = start[j] + Σ x[i] w[i][j]`, `i` rising, zeros of `x` left out. `weight` begins with the first input's weights for all outputs;
/// from there those of the next input are `stride` further on.
///
/// For each weight: 1 load, 1 multiply, 1 add.
pub fn product(x: &[f32], weight: &[f32], stride: usize, start: Start<'_>, y: &mut [f32]) {
    begin(start, y);
    if !has_rows(x.len(), y.len(), stride, weight.len()) {
        return;
    }
    let mut columns = weight;
    let (tiles, rest) = y.as_chunks_mut::<TILE>();
    for tile in tiles {
        columns = add_tile(x, columns, stride, tile);
    }
    let (fours, rest) = rest.as_chunks_mut::<4>();
    for tile in fours {
        columns = add_tile(x, columns, stride, tile);
    }
    let (twos, ones) = rest.as_chunks_mut::<2>();
    for tile in twos {
        columns = add_tile(x, columns, stride, tile);
    }
    for tile in ones.as_chunks_mut::<1>().0 {
        columns = add_tile(x, columns, stride, tile);
    }
}

/// The outputs whose first weights `columns` begins with; returns the weights from the next output on.
fn add_tile<'w, const T: usize>(x: &[f32], columns: &'w [f32], stride: usize, y: &mut [f32; T]) -> &'w [f32] {
    let mut sums = *y;
    // `max` tells the compiler that `chunks` cannot panic.
    for (&x, row) in x.iter().zip(columns.chunks(stride.max(1))) {
        if x == 0.0 {
            continue;
        }
        let Some(row) = row.first_chunk::<T>() else { break };
        for (sum, w) in sums.iter_mut().zip(row) {
            *sum += x * w;
        }
    }
    *y = sums;
    columns.get(T..).unwrap_or_default()
}

/// `g[i][j] = x[i] d[j]`, +0.0 where `x[i]` is zero.
///
/// For each weight: 1 multiply, 1 store.
pub fn outer(x: &[f32], dy: &[f32], gradient: &mut [f32]) {
    by_rows(x, dy, gradient, outer_row);
}

/// `g[i][j] += x[i] d[j]`, rows where `x[i]` is zero left as they are.
///
/// For each weight: 1 load, 1 multiply, 1 add, 1 store.
pub fn add_outer(x: &[f32], dy: &[f32], gradient: &mut [f32]) {
    by_rows(x, dy, gradient, add_outer_row);
}

/// `w[i][j] = w[i][j] - rate (x[i] d[j])`, rows where `x[i]` is zero left as they are.
///
/// For each weight: 1 load, 2 multiplies, 1 subtraction, 1 store.
pub fn descend_outer(x: &[f32], dy: &[f32], weight: &mut [f32], rate: f32) {
    by_rows(x, dy, weight, |row, x, dy| descend_outer_row(row, x, dy, rate));
}

/// Calls `step` for each row of a matrix `[x.len()][dy.len()]`; for none, if it has not so many.
fn by_rows(x: &[f32], dy: &[f32], matrix: &mut [f32], step: impl Fn(&mut [f32], f32, &[f32])) {
    if x.len().saturating_mul(dy.len()) <= matrix.len() {
        // `max` tells the compiler that the chunks cannot panic.
        for (&x, row) in x.iter().zip(matrix.chunks_exact_mut(dy.len().max(1))) {
            step(row, x, dy);
        }
    }
}

fn outer_row(row: &mut [f32], x: f32, dy: &[f32]) {
    if x == 0.0 {
        row.fill(0.0);
    } else {
        row.iter_mut().zip(dy).for_each(|(g, d)| *g = x * d);
    }
}

fn add_outer_row(row: &mut [f32], x: f32, dy: &[f32]) {
    if x != 0.0 {
        row.iter_mut().zip(dy).for_each(|(g, d)| *g += x * d);
    }
}

fn descend_outer_row(row: &mut [f32], x: f32, dy: &[f32], rate: f32) {
    if x != 0.0 {
        row.iter_mut().zip(dy).for_each(|(w, d)| *w -= rate * (x * d));
    }
}

/// `Σ_j w[j] d[j]` in four lanes: lane `l` sums the products with `j mod 4 = l`, in rising order, over the whole groups of four;
/// then `(lane 0 + lane 2) + (lane 1 + lane 3)`, then the last products one by one.
///
/// For each weight: 2 loads, 1 multiply, 1 add.
pub fn dot(weight: &[f32], dy: &[f32]) -> f32 {
    let ((rows, row_rest), (dys, dy_rest)) = (weight.as_chunks::<LANES>(), dy.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (row, dy) in rows.iter().zip(dys) {
        for ((lane, w), d) in lanes.iter_mut().zip(row).zip(dy) {
            *lane += w * d;
        }
    }
    finish(lanes, row_rest, dy_rest)
}

/// For each row of the weights whose `x` is not zero: the row of the gradient becomes `g[j] = x d[j]`, and `x` the [`dot`] product of
/// weights and `dy`, in one pass; -0.0 stands for a product of +0.0. Where `x` is zero it stays, and the row of the gradient
/// becomes zero.
///
/// For each weight: 2 loads, 2 multiplies, 1 add, 1 store.
pub fn outer_rows(x: &mut [f32], weight: &[f32], dy: &[f32], gradient: &mut [f32]) {
    for_each_row(x, weight, dy, gradient, |x, row, gradient| {
        if x == 0.0 {
            gradient.fill(0.0);
            return 0.0;
        }
        dot_and(row, dy, gradient, |g, _, d| *g = x * d)
    });
}

/// [`outer_rows`], but `g[j] += x d[j]`, and rows of the gradient where `x` is zero stay.
///
/// For each weight: 3 loads, 2 multiplies, 2 adds, 1 store.
pub fn add_outer_rows(x: &mut [f32], weight: &[f32], dy: &[f32], gradient: &mut [f32]) {
    for_each_row(x, weight, dy, gradient, |x, row, gradient| {
        if x == 0.0 { 0.0 } else { dot_and(row, dy, gradient, |g, _, d| *g += x * d) }
    });
}

/// Calls `row` with each `x` and its rows, and puts what it gives in the place of an `x` that is not zero.
fn for_each_row(
    x: &mut [f32],
    weight: &[f32],
    dy: &[f32],
    gradient: &mut [f32],
    row: impl Fn(f32, &[f32], &mut [f32]) -> f32,
) {
    // `max` tells the compiler that the chunks cannot panic.
    let len = dy.len().max(1);
    if dy.is_empty() || x.len().saturating_mul(dy.len()) > weight.len().min(gradient.len()) {
        return;
    }
    for ((x, weight), gradient) in x.iter_mut().zip(weight.chunks_exact(len)).zip(gradient.chunks_exact_mut(len)) {
        let dx = row(*x, weight, gradient);
        if *x != 0.0 {
            *x = negative_zero(dx);
        }
    }
}

/// -0.0 for +0.0.
fn negative_zero(dx: f32) -> f32 {
    if dx.to_bits() == 0 { -0.0 } else { dx }
}

fn dot_and(weight: &[f32], dy: &[f32], gradient: &mut [f32], step: impl Fn(&mut f32, f32, f32)) -> f32 {
    let ((rows, row_rest), (dys, dy_rest)) = (weight.as_chunks::<LANES>(), dy.as_chunks::<LANES>());
    let (gradients, gradient_rest) = gradient.as_chunks_mut::<LANES>();
    let mut lanes = [0.0; LANES];
    for ((row, dy), gradient) in rows.iter().zip(dys).zip(gradients) {
        for (((lane, w), d), g) in lanes.iter_mut().zip(row).zip(dy).zip(gradient) {
            *lane += w * d;
            step(g, *w, *d);
        }
    }
    gradient_rest.iter_mut().zip(row_rest).zip(dy_rest).for_each(|((g, w), d)| step(g, *w, *d));
    finish(lanes, row_rest, dy_rest)
}

/// For each row of the weights whose `x` is not zero: `x` becomes the [`dot`] product of the weights, as they are, and `dy`; then
/// `w[j] = w[j] - rate (x d[j])` with `x` as it was; in one pass. -0.0 stands for a product of +0.0. Where `x` is zero, all stays.
///
/// For each weight: 2 loads, 3 multiplies, 2 adds, 1 store.
pub fn descend_rows(x: &mut [f32], weight: &mut [f32], dy: &[f32], rate: f32) {
    if dy.is_empty() || x.len().saturating_mul(dy.len()) > weight.len() {
        return;
    }
    for (x, row) in x.iter_mut().zip(weight.chunks_exact_mut(dy.len().max(1))) {
        if *x != 0.0 {
            *x = negative_zero(dot_and_descend(row, dy, *x, rate));
        }
    }
}

fn dot_and_descend(weight: &mut [f32], dy: &[f32], x: f32, rate: f32) -> f32 {
    let ((rows, row_rest), (dys, dy_rest)) = (weight.as_chunks_mut::<LANES>(), dy.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (row, dy) in rows.iter_mut().zip(dys) {
        for ((lane, w), d) in lanes.iter_mut().zip(row).zip(dy) {
            *lane += *w * d;
            *w -= rate * (x * d);
        }
    }
    let sum = finish(lanes, row_rest, dy_rest);
    row_rest.iter_mut().zip(dy_rest).for_each(|(w, d)| *w -= rate * (x * d));
    sum
}

/// Joins the lanes and adds the last products.
fn finish(lanes: [f32; LANES], row_rest: &[f32], dy_rest: &[f32]) -> f32 {
    let mut sum = join(lanes);
    for (w, d) in row_rest.iter().zip(dy_rest) {
        sum += w * d;
    }
    sum
}

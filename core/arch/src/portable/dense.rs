//! Products of a vector with a matrix, and outer products.

use super::{LANES, TILE, join};
use crate::{Start, begin, has_rows, negative_zero};

/// Whether the processor has registers for four numbers and more.
const VECTORS: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
/// Outputs at once where there are vectors: eight registers of four.
const WIDE: usize = 32;

/// `y[j] = start[j] + Σ x[i] w[i][j]`, `i` rising, zeros of `x` left out. `weight` begins with the first input's weights for all outputs;
/// from there those of the next input are `stride` further on.
///
/// For each weight: 1 load, 1 multiply, 1 add.
#[cfg_attr(target_arch = "x86_64", inline(always))]
pub fn product(x: &[f32], weight: &[f32], stride: usize, start: Start<'_>, y: &mut [f32]) {
    begin(start, y);
    if !has_rows(x.len(), y.len(), stride, weight.len()) {
        return;
    }
    let mut columns = weight;
    // An addition takes a processor with vectors some cycles; so many sums at once hide that.
    let (wide, rest) = if VECTORS { y.as_chunks_mut::<WIDE>() } else { (&mut [][..], y) };
    for tile in wide {
        columns = add_tile(x, columns, stride, tile);
    }
    let (tiles, rest) = rest.as_chunks_mut::<TILE>();
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
#[cfg_attr(target_arch = "x86_64", inline(always))]
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
#[cfg_attr(target_arch = "x86_64", inline(always))]
pub fn outer(x: &[f32], dy: &[f32], gradient: &mut [f32]) {
    by_rows(x, dy, gradient, outer_row);
}

/// `g[i][j] += x[i] d[j]`, rows where `x[i]` is zero left as they are.
///
/// For each weight: 1 load, 1 multiply, 1 add, 1 store.
#[cfg_attr(target_arch = "x86_64", inline(always))]
pub fn add_outer(x: &[f32], dy: &[f32], gradient: &mut [f32]) {
    by_rows(x, dy, gradient, add_outer_row);
}

/// `w[i][j] = w[i][j] - rate (x[i] d[j])`, rows where `x[i]` is zero left as they are.
///
/// For each weight: 1 load, 2 multiplies, 1 subtraction, 1 store.
#[cfg_attr(target_arch = "x86_64", inline(always))]
pub fn descend_outer(x: &[f32], dy: &[f32], weight: &mut [f32], rate: f32) {
    by_rows(x, dy, weight, |row, x, dy| descend_outer_row(row, x, dy, rate));
}

/// Calls `step` for each row of a matrix `[x.len()][dy.len()]`; for none, if it has not so many.
#[cfg_attr(target_arch = "x86_64", inline(always))]
fn by_rows(x: &[f32], dy: &[f32], matrix: &mut [f32], step: impl Fn(&mut [f32], f32, &[f32])) {
    if x.len().saturating_mul(dy.len()) <= matrix.len() {
        // `max` tells the compiler that the chunks cannot panic.
        for (&x, row) in x.iter().zip(matrix.chunks_exact_mut(dy.len().max(1))) {
            step(row, x, dy);
        }
    }
}

#[cfg_attr(target_arch = "x86_64", inline(always))]
fn outer_row(row: &mut [f32], x: f32, dy: &[f32]) {
    if x == 0.0 {
        row.fill(0.0);
    } else {
        row.iter_mut().zip(dy).for_each(|(g, d)| *g = x * d);
    }
}

#[cfg_attr(target_arch = "x86_64", inline(always))]
fn add_outer_row(row: &mut [f32], x: f32, dy: &[f32]) {
    if x != 0.0 {
        row.iter_mut().zip(dy).for_each(|(g, d)| *g += x * d);
    }
}

#[cfg_attr(target_arch = "x86_64", inline(always))]
fn descend_outer_row(row: &mut [f32], x: f32, dy: &[f32], rate: f32) {
    if x != 0.0 {
        row.iter_mut().zip(dy).for_each(|(w, d)| *w -= rate * (x * d));
    }
}

/// `Σ_j w[j] d[j]` in four lanes: lane `l` sums the products with `j mod 4 = l`, in rising order, over the whole groups of four;
/// then `(lane 0 + lane 2) + (lane 1 + lane 3)`, then the last products one by one.
///
/// For each weight: 2 loads, 1 multiply, 1 add.
#[cfg_attr(target_arch = "x86_64", inline(always))]
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
#[cfg_attr(target_arch = "x86_64", inline(always))]
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
#[cfg_attr(target_arch = "x86_64", inline(always))]
pub fn add_outer_rows(x: &mut [f32], weight: &[f32], dy: &[f32], gradient: &mut [f32]) {
    for_each_row(x, weight, dy, gradient, |x, row, gradient| {
        if x == 0.0 { 0.0 } else { dot_and(row, dy, gradient, |g, _, d| *g += x * d) }
    });
}

/// Calls `row` with each `x` and its rows, and puts what it gives in the place of an `x` that is not zero.
#[cfg_attr(target_arch = "x86_64", inline(always))]
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

#[cfg_attr(target_arch = "x86_64", inline(always))]
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
#[cfg_attr(target_arch = "x86_64", inline(always))]
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

#[cfg_attr(target_arch = "x86_64", inline(always))]
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
#[cfg_attr(target_arch = "x86_64", inline(always))]
fn finish(lanes: [f32; LANES], row_rest: &[f32], dy_rest: &[f32]) -> f32 {
    let mut sum = join(lanes);
    for (w, d) in row_rest.iter().zip(dy_rest) {
        sum += w * d;
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    /// Numbers from -1 to 1, some of them zero.
    fn numbers(seed: u32, count: usize) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761);
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if state >> 30 == 0 { 0.0 } else { (state >> 8) as f32 / 8_388_608.0 - 1.0 }
        };
        (0..count).map(|_| next()).collect()
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn a_product_sums_in_the_documented_order_for_every_width_and_stride() {
        // Every kind of tile; an interpreter has no time for all widths.
        let widths = (0..40).step_by(if cfg!(miri) { 13 } else { 1 });
        for (outputs, inputs, extra) in widths.flat_map(|o| [(o, 0, 0), (o, 1, 2), (o, 5, 0), (o, 6, 3)]) {
            let stride = outputs + extra;
            let (x, w, b) = (numbers(1, inputs), numbers(2, inputs * stride), numbers(3, outputs));
            for (start, first) in
                [(Start::Zero, vec![0.0; outputs]), (Start::At(&b), b.clone()), (Start::Kept, vec![0.5; outputs])]
            {
                let mut y = vec![0.5; outputs];
                product(&x, &w, stride, start, &mut y);
                let mut expected = first;
                for (j, sum) in expected.iter_mut().enumerate() {
                    (0..inputs).filter(|i| x[*i] != 0.0).for_each(|i| *sum += x[i] * w[i * stride + j]);
                }
                assert_eq!(bits(&y), bits(&expected), "{inputs} inputs, {outputs} outputs");
            }
        }
    }

    #[test]
    fn outer_products_and_rows_follow_their_formulas() {
        for (rows, len) in (0..21).flat_map(|len| [(1, len), (4, len), (7, len)]) {
            let (x, d, w) = (numbers(4, rows), numbers(5, len), numbers(6, rows * len));
            let (mut first, mut added, mut descended) = (w.clone(), w.clone(), w.clone());
            outer(&x, &d, &mut first);
            add_outer(&x, &d, &mut added);
            descend_outer(&x, &d, &mut descended, 0.25);
            let (mut dx, mut first_rows, mut added_rows, mut descended_rows) =
                (x.clone(), w.clone(), w.clone(), w.clone());
            outer_rows(&mut dx, &w, &d, &mut first_rows);
            add_outer_rows(&mut x.clone(), &w, &d, &mut added_rows);
            descend_rows(&mut x.clone(), &mut descended_rows, &d, 0.25);
            for (i, x) in x.iter().enumerate() {
                let row = &w[i * len..][..len];
                for (j, d) in d.iter().enumerate() {
                    let at = i * len + j;
                    assert_eq!(first[at], x * d);
                    assert_eq!(added[at], row[j] + x * d);
                    assert_eq!(descended[at], row[j] - 0.25 * (x * d));
                }
                if len > 0 {
                    assert_eq!(dx[i], if *x == 0.0 { 0.0 } else { dot(row, &d) });
                }
            }
            if len > 0 {
                assert_eq!([first_rows, added_rows, descended_rows], [first, added, descended]);
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_not_computed() {
        let mut y = [7.0; 3];
        product(&[1.0, 2.0], &[1.0; 5], 3, Start::Kept, &mut y);
        assert_eq!(y, [7.0; 3]);
        let mut matrix = [7.0; 5];
        outer(&[1.0, 2.0], &[1.0; 3], &mut matrix);
        add_outer(&[1.0, 2.0], &[1.0; 3], &mut matrix);
        descend_outer(&[1.0, 2.0], &[1.0; 3], &mut matrix, 1.0);
        descend_rows(&mut [1.0, 2.0], &mut matrix, &[1.0; 3], 1.0);
        assert_eq!(matrix, [7.0; 5]);
    }
}

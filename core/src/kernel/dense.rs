//! The dense layer: y = b + x W, with the weight input-major, `[in][out]`.
//!
//! | | mathematics | for each weight |
//! |---|---|---|
//! | forward | `y[j] = b[j] + Σ_i x[i] w[i][j]`, `i` rising, zeros of `x` left out | 1 load, 1 multiply, 1 add |
//! | backward | `g[i][j] += x[i] d[j]` unless `x[i]` is 0; `dx[i] = Σ_j w[i][j] d[j]` in four lanes | 3 loads, 1 store, 2 multiplies, 2 adds |
//!
//! The four lanes of `dx`: lane `l` sums the products with `j mod 4 = l` in rising order, over the whole groups of four;
//! then `(lane 0 + lane 2) + (lane 1 + lane 3)`, then the last `O mod 4` products one by one. A 4-wide vector unit and a
//! scalar core do the same additions.

use crate::kernel::elementwise;
use crate::layer::InputGradient;

/// Outputs computed together: their sums stay in registers while the weights stream past.
const TILE: usize = 8;
/// Lanes of the dot product.
pub(crate) const LANES: usize = 4;

/// y = b + x W. `weight` has `x.len() * y.len()` elements; `bias` as many as `y`, or none for b = 0.
pub(crate) fn forward(x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
    start(bias, y);
    add_product(x, weight, y);
}

/// y = b.
pub(crate) fn start(bias: &[f32], y: &mut [f32]) {
    if bias.len() == y.len() {
        y.copy_from_slice(bias);
    } else {
        y.fill(0.0);
    }
}

/// y += x W.
pub(crate) fn add_product(x: &[f32], weight: &[f32], y: &mut [f32]) {
    add_columns(x, weight, y.len(), y);
}

/// y += x W for the columns of W, a weight of rows of `outputs`, that `columns` begins with: as many as `y` has.
pub(crate) fn add_columns(x: &[f32], mut columns: &[f32], outputs: usize, y: &mut [f32]) {
    let (tiles, rest) = y.as_chunks_mut::<TILE>();
    for tile in tiles {
        columns = accumulate(x, columns, outputs, tile);
    }
    let (fours, rest) = rest.as_chunks_mut::<4>();
    for tile in fours {
        columns = accumulate(x, columns, outputs, tile);
    }
    let (twos, ones) = rest.as_chunks_mut::<2>();
    for tile in twos {
        columns = accumulate(x, columns, outputs, tile);
    }
    for tile in ones.as_chunks_mut::<1>().0 {
        columns = accumulate(x, columns, outputs, tile);
    }
}

/// Adds x W to the `T` outputs whose first weights `columns` begins with; returns the weights from the next output on.
fn accumulate<'w, const T: usize>(x: &[f32], columns: &'w [f32], outputs: usize, y: &mut [f32; T]) -> &'w [f32] {
    let mut sums = *y;
    // `max` tells the compiler that `chunks` cannot panic.
    for (&x, row) in x.iter().zip(columns.chunks(outputs.max(1))) {
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

/// Adds dL/dW and dL/db to the gradients, from dL/dy; leaves dL/dx in `x` as far as `want` asks. `bias_gradient` may be
/// empty.
pub(crate) fn backward(
    x: &mut [f32],
    weight: &[f32],
    dy: &[f32],
    weight_gradient: &mut [f32],
    bias_gradient: &mut [f32],
    want: InputGradient,
) {
    let outputs = dy.len().max(1);
    let rows = weight.chunks_exact(outputs);
    let gradients = weight_gradient.chunks_exact_mut(outputs);
    match want {
        InputGradient::Unused => {
            for (&mut x, gradient) in x.iter_mut().zip(gradients) {
                if x != 0.0 {
                    add_scaled(gradient, x, dy);
                }
            }
        }
        InputGradient::Full | InputGradient::WhereActive | InputGradient::WhereBelow(_) => {
            for ((x, row), gradient) in x.iter_mut().zip(rows).zip(gradients) {
                if *x != 0.0 {
                    let dx = add_scaled_and_dot(gradient, *x, dy, row);
                    *x = want.at(*x, dx);
                } else if want == InputGradient::Full {
                    *x = dot(row, dy);
                }
            }
        }
    }
    for (gradient, dy) in bias_gradient.iter_mut().zip(dy) {
        *gradient += dy;
    }
}

/// Leaves dL/dx in `x` as far as `want` asks; the weights do not learn.
pub(crate) fn input_gradient(x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
    let rows = weight.chunks_exact(dy.len().max(1));
    match want {
        InputGradient::Unused => {}
        InputGradient::Full => x.iter_mut().zip(rows).for_each(|(x, row)| *x = dot(row, dy)),
        InputGradient::WhereActive | InputGradient::WhereBelow(_) => {
            for (x, row) in x.iter_mut().zip(rows) {
                if *x != 0.0 {
                    *x = want.at(*x, dot(row, dy));
                }
            }
        }
    }
}

/// Adds dL/dx to the gradient that `x` holds: everywhere, or where a gate is open.
pub(crate) fn add_input_gradient(x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
    let rows = weight.chunks_exact(dy.len().max(1));
    for (x, row) in x.iter_mut().zip(rows) {
        elementwise::add_gradient(x, dot(row, dy), want);
    }
}

/// g += x d.
pub(crate) fn add_scaled(gradient: &mut [f32], x: f32, dy: &[f32]) {
    for (g, d) in gradient.iter_mut().zip(dy) {
        *g += x * d;
    }
}

/// Σ_j w[j] d[j].
pub(crate) fn dot(row: &[f32], dy: &[f32]) -> f32 {
    let ((rows, row_rest), (dys, dy_rest)) = (row.as_chunks::<LANES>(), dy.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (row, dy) in rows.iter().zip(dys) {
        for ((lane, w), d) in lanes.iter_mut().zip(row).zip(dy) {
            *lane += w * d;
        }
    }
    finish(lanes, row_rest, dy_rest)
}

/// g += x d, and Σ_j w[j] d[j], in one pass over `dy`.
pub(crate) fn add_scaled_and_dot(gradient: &mut [f32], x: f32, dy: &[f32], row: &[f32]) -> f32 {
    let ((rows, row_rest), (dys, dy_rest)) = (row.as_chunks::<LANES>(), dy.as_chunks::<LANES>());
    let (gradients, gradient_rest) = gradient.as_chunks_mut::<LANES>();
    let mut lanes = [0.0; LANES];
    for ((row, dy), gradient) in rows.iter().zip(dys).zip(gradients) {
        for (((lane, w), d), g) in lanes.iter_mut().zip(row).zip(dy).zip(gradient) {
            *lane += w * d;
            *g += x * d;
        }
    }
    add_scaled(gradient_rest, x, dy_rest);
    finish(lanes, row_rest, dy_rest)
}

/// Adds the products to the lanes, those of the last group too: product `j` to lane `j mod 4`.
#[inline(always)]
pub(crate) fn add_dot(lanes: &mut [f32; LANES], row: &[f32], dy: &[f32]) {
    let ((rows, row_rest), (dys, dy_rest)) = (row.as_chunks::<LANES>(), dy.as_chunks::<LANES>());
    for (row, dy) in rows.iter().zip(dys) {
        for ((lane, w), d) in lanes.iter_mut().zip(row).zip(dy) {
            *lane += w * d;
        }
    }
    for ((lane, w), d) in lanes.iter_mut().zip(row_rest).zip(dy_rest) {
        *lane += w * d;
    }
}

/// g += x d, and [`add_dot`], in one pass over `dy`.
#[inline(always)]
pub(crate) fn add_scaled_and_dot_to(lanes: &mut [f32; LANES], gradient: &mut [f32], x: f32, dy: &[f32], row: &[f32]) {
    let ((rows, row_rest), (dys, dy_rest)) = (row.as_chunks::<LANES>(), dy.as_chunks::<LANES>());
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

/// The sum of the lanes.
pub(crate) fn join([a, b, c, d]: [f32; LANES]) -> f32 {
    (a + c) + (b + d)
}

/// Joins the lanes and adds the last products.
fn finish(lanes: [f32; LANES], row_rest: &[f32], dy_rest: &[f32]) -> f32 {
    let mut sum = join(lanes);
    for (w, d) in row_rest.iter().zip(dy_rest) {
        sum += w * d;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use std::vec;
    use std::vec::Vec;

    fn random(n: usize, rng: &mut Rng) -> Vec<f32> {
        (0..n).map(|_| if rng.below(4) == 0 { 0.0 } else { rng.symmetric(2.0) }).collect()
    }

    /// The formulas of the page, element by element.
    #[test]
    fn sums_in_the_documented_order_for_every_size() {
        let mut rng = Rng::new(1);
        for outputs in 1..20 {
            for inputs in [0, 1, 2, 7, 16] {
                let (x, w) = (random(inputs, &mut rng), random(inputs * outputs, &mut rng));
                let (b, dy) = (random(outputs, &mut rng), random(outputs, &mut rng));
                let mut y = vec![9.0; outputs];
                forward(&x, &w, &b, &mut y);
                for j in 0..outputs {
                    let mut sum = b[j];
                    for i in 0..inputs {
                        if x[i] != 0.0 {
                            sum += x[i] * w[i * outputs + j];
                        }
                    }
                    assert_eq!(y[j].to_bits(), sum.to_bits(), "{inputs} inputs, output {j} of {outputs}");
                }

                for want in [InputGradient::Unused, InputGradient::Full, InputGradient::WhereActive] {
                    let mut dx = x.clone();
                    let (mut gw, mut gb) = (vec![0.5; w.len()], vec![0.25; outputs]);
                    backward(&mut dx, &w, &dy, &mut gw, &mut gb, want);
                    for i in 0..inputs {
                        let row = &w[i * outputs..][..outputs];
                        let mut lanes = [0.0; 4];
                        let whole = outputs / 4 * 4;
                        (0..whole).for_each(|j| lanes[j % 4] += row[j] * dy[j]);
                        let mut sum = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
                        (whole..outputs).for_each(|j| sum += row[j] * dy[j]);
                        let expected = match want {
                            InputGradient::Unused => x[i],
                            InputGradient::WhereActive if x[i] == 0.0 => x[i],
                            _ => want.at(x[i], sum),
                        };
                        assert_eq!(dx[i].to_bits(), expected.to_bits(), "{want:?}, input {i}");
                        for j in 0..outputs {
                            assert_eq!(gw[i * outputs + j], 0.5 + x[i] * dy[j]);
                        }
                    }
                    assert!(gb.iter().zip(&dy).all(|(g, d)| *g == 0.25 + d));
                }
            }
        }
    }

    #[test]
    fn an_empty_bias_counts_as_zero() {
        let mut y = [5.0; 2];
        forward(&[2.0], &[1.0, 3.0], &[], &mut y);
        assert_eq!(y, [2.0, 6.0]);
    }
}

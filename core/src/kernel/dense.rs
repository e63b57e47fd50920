//! The dense layer: y = b + x W, with the weight input-major, `[in][out]`.
//!
//! | | mathematics | for each weight | floor | reached |
//! |---|---|---|---|---|
//! | forward | `y[j] = b[j] + Σ_i x[i] w[i][j]`, `i` rising, zeros of `x` left out | 1 load, 1 multiply, 1 add | 3 | 3.7 |
//! | gradient of `w`, first sample | `g[i][j] = x[i] d[j]` | 1 multiply, 1 store | 2 | 2.8 |
//! | later samples | `g[i][j] += x[i] d[j]`, zeros of `x` left out | 1 load, 1 multiply, 1 add, 1 store | 4 | 4.9 |
//! | descent in place | `w[i][j] = w[i][j] - rate (x[i] d[j])`, zeros of `x` left out | 1 load, 2 multiplies, 1 add, 1 store | 5 | 5.9 |
//! | the three with `dx[i] = Σ_j w[i][j] d[j]` | of the weights as they were, in four lanes | 1 or 2 loads, 1 multiply, 1 add more | 6, 8, 8 | 7.3, 9.5, 9.3 |
//!
//! Cycles are those of a Cortex-M4F by its manual: the floor counts a load or store as 1, as neighbours are, and a multiply or add as 1; what
//! was reached was counted in an emulator for rows of 32 to 640 outputs. What is above the floor: for each input and sixteen outputs
//! a load, the test for zero and the loop, 8 to 10 cycles, and one cycle for each load or store of many registers. Where nobody
//! wants `dx`, `d` stays in registers; else it is loaded for each row.
//!
//! The four lanes of `dx`: lane `l` sums the products with `j mod 4 = l` in rising order, over the whole groups of four;
//! then `(lane 0 + lane 2) + (lane 1 + lane 3)`, then the last `O mod 4` products one by one. A 4-wide vector unit and a
//! scalar core do the same additions. The loops are those of [`backpass_arch`].
//!
//! On a computer with plain x86-64 flags a step of 64-32-10 takes 0.75 µs (in place 0.48), one of 640-128-128-8-128-128-640 49 µs (27);
//! without AVX, 0.89 (0.59) and 54 (32); without tiles of 32 outputs, 1.01 (0.71) and 64 (43). Weights that begin at a cache line change
//! the second by 4 µs, the first not at all.
//!
//! What did not pay: fused multiply-adds (3 cycles against 2, and other bits). A copy of the bias before the products, instead of sums that
//! start from it. Rust's own loop for the last outputs: a tenth of a step of 64-32-10. The bias as the row of an input that is always 1: a
//! call costs more than 42 biases do. The rate multiplied into `x` first would save a multiply a weight in place, but not
//! give the bits of the way with a gradient array.

use backpass_arch::{self as arch, Start};

use crate::descend::{Descent, DescentStep};
use crate::gradients::{Accumulation, growth, is_first, settle};
use crate::kernel::elementwise;
use crate::layer::InputGradient;

/// Lanes of the dot product.
pub(crate) const LANES: usize = arch::LANES;

/// y = b + x W. `weight` has `x.len() * y.len()` elements; `bias` as many as `y`, or none for b = 0.
#[inline(never)]
pub(crate) fn forward(x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
    arch::product(x, weight, y.len(), beginning(bias, y), y);
}

/// What sums start from: the bias, if there is one.
fn beginning<'b>(bias: &'b [f32], y: &[f32]) -> Start<'b> {
    if bias.len() == y.len() { Start::At(bias) } else { Start::Zero }
}

/// y = b.
pub(crate) fn start(bias: &[f32], y: &mut [f32]) {
    arch::product(&[], &[], 0, beginning(bias, y), y);
}

/// y += x W.
pub(crate) fn add_product(x: &[f32], weight: &[f32], y: &mut [f32]) {
    add_columns(x, weight, y.len(), y);
}

/// y += x W for the columns of W, a weight of rows of `outputs`, that `columns` begins with: as many as `y` has.
#[inline(never)]
pub(crate) fn add_columns(x: &[f32], columns: &[f32], outputs: usize, y: &mut [f32]) {
    arch::product(x, columns, outputs, Start::Kept, y);
}

/// Leaves dL/dW and dL/db in the gradients if this is the first sample, else adds them; leaves dL/dx in `x` as far as `want` asks.
/// `bias_gradient` may be empty. `sum` is what is known of the gradients, its bound to be kept up if somebody wants to know it.
#[inline(never)]
pub(crate) fn backward(
    x: &mut [f32],
    weight: &[f32],
    dy: &[f32],
    weight_gradient: &mut [f32],
    bias_gradient: &mut [f32],
    sum: Option<&mut Accumulation>,
    want: InputGradient,
) {
    let first = is_first(sum.as_deref());
    let growth = if sum.is_some() { growth(x, dy) } else { 0.0 };
    match want {
        InputGradient::Unused if first => arch::outer(x, dy, weight_gradient),
        InputGradient::Unused => arch::add_outer(x, dy, weight_gradient),
        InputGradient::WhereActive if first => arch::outer_rows(x, weight, dy, weight_gradient),
        InputGradient::WhereActive => arch::add_outer_rows(x, weight, dy, weight_gradient),
        _ => row_by_row(x, weight, dy, weight_gradient, first, want),
    }
    if first {
        arch::copy(dy, bias_gradient);
    } else {
        bias_gradient.iter_mut().zip(dy).for_each(|(g, d)| *g += d);
    }
    settle(sum, growth, weight_gradient, bias_gradient);
}

/// A step of descent, `w = keep w - rate g`, in the place of the weights; leaves dL/dx, for the weights as they were, in `x` as far
/// as `want` asks. Does nothing if the descent was refused, or refuses it now.
#[inline(never)]
pub(crate) fn descend(
    x: &mut [f32],
    weight: &mut [f32],
    bias: &mut [f32],
    dy: &[f32],
    descent: &mut Descent,
    want: InputGradient,
) {
    if descent.is_refused() {
        return;
    }
    let Some(step) = descent.allow(growth(x, dy)) else { return };
    let DescentStep { keep, rate } = step;
    match want {
        _ if keep != 1.0 => decay_and_descend(x, weight, dy, step, want),
        InputGradient::Unused => arch::descend_outer(x, dy, weight, rate),
        InputGradient::WhereActive => arch::descend_rows(x, weight, dy, rate),
        InputGradient::Full | InputGradient::WhereBelow(_) => {
            for (x, row) in x.iter_mut().zip(weight.chunks_exact_mut(dy.len().max(1))) {
                let mut place = [*x];
                arch::descend_rows(&mut place, row, dy, rate);
                replace(x, place, want, || arch::dot(row, dy));
            }
        }
    }
    bias.iter_mut().zip(dy).for_each(|(b, d)| *b = keep * *b - rate * d);
}

/// The gradients where a zero input has a gradient too, or a large one none.
#[inline(never)]
fn row_by_row(
    x: &mut [f32],
    weight: &[f32],
    dy: &[f32],
    weight_gradient: &mut [f32],
    first: bool,
    want: InputGradient,
) {
    let outputs = dy.len().max(1);
    let rows = weight.chunks_exact(outputs).zip(weight_gradient.chunks_exact_mut(outputs));
    for (x, (row, gradient)) in x.iter_mut().zip(rows) {
        let mut place = [*x];
        if first {
            arch::outer_rows(&mut place, row, dy, gradient);
        } else {
            arch::add_outer_rows(&mut place, row, dy, gradient);
        }
        replace(x, place, want, || arch::dot(row, dy));
    }
}

/// Overwrites an input by its gradient, which its own row has left in `place`; where it is zero, nothing was computed yet.
fn replace(x: &mut f32, [place]: [f32; 1], want: InputGradient, dot: impl FnOnce() -> f32) {
    if *x != 0.0 {
        // -0.0 stands for +0.0 there.
        *x = want.at(*x, place + 0.0);
    } else if want == InputGradient::Full {
        *x = dot();
    }
}

/// [`descend`] with weight decay: a row without gradient still decays.
fn decay_and_descend(x: &mut [f32], weight: &mut [f32], dy: &[f32], step: DescentStep, want: InputGradient) {
    let DescentStep { keep, rate } = step;
    for (x, row) in x.iter_mut().zip(weight.chunks_exact_mut(dy.len().max(1))) {
        let value = *x;
        if want == InputGradient::Full || (value != 0.0 && want != InputGradient::Unused) {
            *x = want.at(value, arch::dot(row, dy));
        }
        scale(row, keep);
        arch::descend_outer(&[value], dy, row, rate);
    }
}

#[inline(never)]
fn scale(values: &mut [f32], factor: f32) {
    values.iter_mut().for_each(|value| *value *= factor);
}

/// Leaves dL/dx in `x` as far as `want` asks; the weights do not learn.
#[inline(never)]
pub(crate) fn input_gradient(x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
    let rows = weight.chunks_exact(dy.len().max(1));
    match want {
        InputGradient::Unused => {}
        InputGradient::Full => x.iter_mut().zip(rows).for_each(|(x, row)| *x = arch::dot(row, dy)),
        InputGradient::WhereActive | InputGradient::WhereBelow(_) => {
            for (x, row) in x.iter_mut().zip(rows) {
                if *x != 0.0 {
                    *x = want.at(*x, arch::dot(row, dy));
                }
            }
        }
    }
}

/// Adds dL/dx to the gradient that `x` holds: everywhere, or where a gate is open.
#[inline(never)]
pub(crate) fn add_input_gradient(x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
    let rows = weight.chunks_exact(dy.len().max(1));
    for (x, row) in x.iter_mut().zip(rows) {
        elementwise::add_gradient(x, arch::dot(row, dy), want);
    }
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
                    backward(&mut dx, &w, &dy, &mut gw, &mut gb, None, want);
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

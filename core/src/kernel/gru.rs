//! The gated recurrent unit: reset gate r, update gate z, candidate n; columns of weights in this order.
//!
//! | | mathematics, for each step |
//! |---|---|
//! | forward | `r, z = σ(a)`, with `a` as in [`recurrent`]; reset after the product: `q = b_q + h U_n`, `n = tanh(b_n + x W_n + r q)`; before it: `n = tanh(b_n + x W_n + (r h) U_n)`; `h' = n + z (h - n)` |
//! | backward | `dn = dh' (1 - z) (1 - n²)`, `dz = dh' (h - n) (z (1 - z))`; after: `dr = dn q (r (1 - r))`, `dq = dn r`; before: `m[k] = Σ_j u_n[k][j] dn[j]`, `dr = m h (r (1 - r))` |
//! | | after: `dh[k] = (Σ_j u[k][j] d[j] + dh'[k] z[k]) + dy[k]` over `dr`, `dz`, `dq`; before: `dh[k] = (Σ_j u[k][j] d[j] + (dh'[k] z[k] + m[k] r[k])) + dy[k]` over `dr`, `dz`; with dL/dy of the step before |
//!
//! The factors of a product are multiplied from the left, brackets first. Kept are the states and r, z, n, with reset after
//! the product also q. Backward overwrites the gates by their gradients, and each state by its gradient.

use crate::kernel::recurrent::{self, CellGradients, CellTape, CellWeights, Units, halves, or_zeros};
use crate::kernel::{dense, elementwise};
use crate::layer::{InputGradient, Pass};
use crate::math;

/// How many values are kept of a step's gates, for each hidden unit.
const fn rows(reset_after: bool) -> usize {
    if reset_after { 4 } else { 3 }
}

pub(crate) fn forward(reset_after: bool, weights: &CellWeights<'_>, x: &[f32], mut tape: CellTape<'_>, pass: Pass) {
    let (hidden, inputs) = (tape.hidden, x.len() / tape.steps.max(1));
    let candidate = weights.weight_hh.get(2 * hidden..).unwrap_or_default();
    tape.begin(pass);
    for t in 0..tape.steps {
        let (before, h, gates) = tape.step(t, rows(reset_after) * hidden);
        dense::start(weights.bias, gates);
        let (rzn, q) = halves(gates, 3 * hidden);
        dense::add_product(recurrent::row(x, t, inputs), weights.weight_ih, rzn);
        let (rz, n) = halves(rzn, 2 * hidden);
        dense::add_columns(before, weights.weight_hh, 3 * hidden, rz);
        rz.iter_mut().for_each(|gate| *gate = math::sigmoid(*gate, pass));
        let (r, z) = halves(rz, hidden);
        if reset_after {
            dense::add_columns(before, candidate, 3 * hidden, q);
            n.iter_mut().zip(r).zip(q).for_each(|((n, r), q)| *n += *r * *q);
        } else {
            // The place of the new state holds r h until it is needed.
            h.iter_mut().zip(r).zip(before).for_each(|((h, r), before)| *h = *r * before);
            dense::add_columns(h, candidate, 3 * hidden, n);
        }
        n.iter_mut().for_each(|n| *n = math::tanh(*n, pass));
        for (((h, before), n), z) in h.iter_mut().zip(before).zip(n).zip(z) {
            *h = *n + *z * (before - *n);
        }
    }
    tape.give_states();
}

pub(crate) fn backward(
    reset_after: bool,
    weights: &CellWeights<'_>,
    x: &mut [f32],
    tape: CellTape<'_>,
    mut gradients: Option<CellGradients<'_>>,
    want: InputGradient,
) {
    let (steps, hidden) = (tape.steps, tape.hidden);
    let inputs = x.len() / steps.max(1);
    elementwise::copy(recurrent::last_row(tape.output, hidden), recurrent::last_row(tape.states, hidden));
    for t in (0..steps).rev() {
        let dy = recurrent::gradient_before(tape.output, steps, hidden, t);
        let (earlier, dh, _) = recurrent::split(tape.states, t, hidden);
        let before = recurrent::last_row(earlier, hidden);
        let (rzn, q) = halves(recurrent::row_mut(tape.gates, t, rows(reset_after) * hidden), 3 * hidden);
        gates_backward(rzn, dh, before);
        if reset_after {
            candidate_after(rzn, q);
        } else {
            let (rz, dn) = halves(rzn, 2 * hidden);
            let units = Units::new(weights, gradients.as_mut(), 3 * hidden, 2 * hidden, dn);
            candidate_before(halves(rz, hidden).0, dh, before, units);
        }
        recurrent::input_backward(weights, recurrent::row_mut(x, t, inputs), rzn, gradients.as_mut(), want);
        if reset_after {
            if let Some(gradients) = gradients.as_mut() {
                let bias = recurrent::row_mut(gradients.bias, 3, hidden);
                bias.iter_mut().zip(&*q).for_each(|(gradient, dq)| *gradient += dq);
            }
            // The hidden state leads to q where the input leads to n.
            elementwise::copy(q, halves(rzn, 2 * hidden).1);
        }
        let d = if reset_after { rzn } else { halves(rzn, 2 * hidden).0 };
        let mut units = Units::new(weights, gradients.as_mut(), 3 * hidden, 0, d);
        for ((h, direct), dy) in before.iter_mut().zip(dh).zip(or_zeros(dy)) {
            *h = units.next(*h) + *direct + dy;
        }
    }
}

/// Overwrites z and n by their gradients, and dh' by what of it goes past the gates.
fn gates_backward(rzn: &mut [f32], dh: &mut [f32], before: &[f32]) {
    let (_, zn) = halves(rzn, dh.len());
    let (z, n) = halves(zn, dh.len());
    for (((z, n), dh), h) in z.iter_mut().zip(n).zip(dh).zip(or_zeros(before)) {
        let (gate, candidate, gradient) = (*z, *n, *dh);
        *n = gradient * (1.0 - gate) * (1.0 - candidate * candidate);
        *z = gradient * (h - candidate) * (gate * (1.0 - gate));
        *dh = gradient * gate;
    }
}

/// Overwrites r and q by their gradients.
fn candidate_after(rzn: &mut [f32], q: &mut [f32]) {
    let (r, zn) = halves(rzn, q.len());
    let (_, dn) = halves(zn, q.len());
    for ((r, dn), q) in r.iter_mut().zip(dn).zip(q) {
        let (gate, product) = (*r, *q);
        *r = *dn * product * (gate * (1.0 - gate));
        *q = *dn * gate;
    }
}

/// Overwrites r by its gradient and adds to `dh` what goes through r h. Before the first step there is no h.
fn candidate_before(r: &mut [f32], dh: &mut [f32], before: &[f32], mut units: Units<'_, '_, '_>) {
    if before.is_empty() {
        r.fill(0.0);
    }
    for ((r, dh), h) in r.iter_mut().zip(dh).zip(before) {
        let gate = *r;
        let m = units.next(gate * h);
        *r = m * h * (gate * (1.0 - gate));
        *dh += m * gate;
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::kernel::recurrent::testing::{Layer, Results, check, sum};

    fn sigmoid(a: f32) -> f32 {
        1.0 / (1.0 + libm::expf(-a))
    }

    fn definition(reset_after: bool, layer: &Layer) -> Results {
        let (h, width) = (layer.hidden, layer.width);
        let (mut states, mut gates) = (vec![vec![0.0; h]], Vec::new());
        for t in 0..layer.steps {
            let before = states[t].clone();
            let from_input = |j: usize| sum(layer.bias(j), layer.x(t), &layer.w, width, j);
            let gate = |j: usize| sigmoid(sum(from_input(j), &before, &layer.u, width, j));
            let r: Vec<f32> = (0..h).map(gate).collect();
            let z: Vec<f32> = (h..2 * h).map(gate).collect();
            let q: Vec<f32> = (0..h).map(|j| sum(layer.bias(3 * h + j), &before, &layer.u, width, 2 * h + j)).collect();
            let reset: Vec<f32> = (0..h).map(|j| r[j] * before[j]).collect();
            let n: Vec<f32> = (0..h)
                .map(|j| match reset_after {
                    true => libm::tanhf(from_input(2 * h + j) + r[j] * q[j]),
                    false => libm::tanhf(sum(from_input(2 * h + j), &reset, &layer.u, width, 2 * h + j)),
                })
                .collect();
            states.push((0..h).map(|j| n[j] + z[j] * (before[j] - n[j])).collect());
            gates.push([r, z, n, q]);
        }
        let mut results = layer.results(&states);
        let mut dh = layer.dy(layer.steps - 1).to_vec();
        for t in (0..layer.steps).rev() {
            let ([r, z, n, q], before) = (&gates[t], &states[t]);
            let dn: Vec<f32> = (0..h).map(|j| dh[j] * (1.0 - z[j]) * (1.0 - n[j] * n[j])).collect();
            let dz: Vec<f32> = (0..h).map(|j| dh[j] * (before[j] - n[j]) * (z[j] * (1.0 - z[j]))).collect();
            let mut direct: Vec<f32> = (0..h).map(|j| dh[j] * z[j]).collect();
            let dq: Vec<f32> = (0..h).map(|j| dn[j] * r[j]).collect();
            let dr: Vec<f32> = (0..h)
                .map(|j| {
                    let slope = r[j] * (1.0 - r[j]);
                    if reset_after {
                        return dn[j] * q[j] * slope;
                    }
                    let m = layer.add_hidden(&mut results, j, r[j] * before[j], 2 * h, &dn);
                    direct[j] += m * r[j];
                    m * before[j] * slope
                })
                .collect();
            let d = [dr.as_slice(), &dz, &dn].concat();
            layer.add_input(&mut results, t, &d);
            results.gb.iter_mut().zip(d.iter().chain(&dq)).for_each(|(g, d)| *g += d);
            let through = if reset_after { [dr, dz, dq].concat() } else { [dr, dz].concat() };
            if t > 0 {
                let dy = layer.dy(t - 1);
                let unit = |k: usize| {
                    layer.add_hidden(&mut results, k, before[k], 0, &through) + direct[k] + dy.get(k).unwrap_or(&0.0)
                };
                dh = (0..h).map(unit).collect();
            }
        }
        results
    }

    #[test]
    fn sums_in_the_documented_order_for_every_size() {
        for reset_after in [true, false] {
            let kept = rows(reset_after);
            check(
                [3, kept, kept, 0],
                |weights, x, tape, pass| forward(reset_after, weights, x, tape, pass),
                |weights, x, tape, gradients, want| backward(reset_after, weights, x, tape, gradients, want),
                |layer| definition(reset_after, layer),
            );
        }
    }
}

//! Long short-term memory: input gate i, forget gate f, candidate g, output gate o; columns of weights in this order.
//!
//! | | mathematics, for each step |
//! |---|---|
//! | forward | `i, f, o = σ(a)`, `g = tanh(a)`, with `a` as in [`recurrent`]; `c' = f c + i g`, `h' = o tanh c'` |
//! | backward | with `k = tanh c'`: `do = dh' k (o (1 - o))`, `dc = dc' + dh' o (1 - k²)`, `di = dc g (i (1 - i))`, `df = dc c (f (1 - f))`, `dg = dc i (1 - g²)`; `dc f` for the step before, and `dh[k] = (Σ_j u[k][j] d[j]) + dy[k]`, with dL/dy of it |
//!
//! The factors of a product are multiplied from the left, brackets first. Kept are the gates, the cells `c'` and the last
//! hidden state; the others are `o tanh c'` again, the same bits, at one tanh a unit and step. Backward overwrites the gates
//! by their gradients; a cell first by its tanh, then by `dc f`; the hidden state by dL/dh.

use crate::kernel::recurrent::{self, CellGradients, CellTape, CellWeights, Units, halves, or_zeros};
use crate::kernel::{dense, elementwise};
use crate::layer::{InputGradient, Pass};
use crate::math;

pub(crate) fn forward(weights: &CellWeights<'_>, x: &[f32], tape: CellTape<'_>, pass: Pass) {
    let (hidden, inputs) = (tape.hidden, x.len() / tape.steps.max(1));
    let (earlier, last, _) = recurrent::split(tape.states, tape.steps.saturating_sub(1), hidden);
    let first = recurrent::row_mut(earlier, 0, hidden);
    match pass {
        // With a single step the cell is where it is needed.
        Pass::Continuing => elementwise::copy(last, first),
        Pass::Training { .. } | Pass::Predicting => {
            first.fill(0.0);
            if first.is_empty() {
                last.fill(0.0);
            }
            tape.carry.fill(0.0);
        }
    }
    for t in 0..tape.steps {
        let (earlier, cell, _) = recurrent::split(tape.states, t, hidden);
        if t > 0 {
            elementwise::copy(recurrent::last_row(earlier, hidden), cell);
        }
        let gates = recurrent::row_mut(tape.gates, t, 4 * hidden);
        dense::forward(recurrent::row(x, t, inputs), weights.weight_ih, weights.bias, gates);
        dense::add_product(tape.carry, weights.weight_hh, gates);
        let (sigmoids, rest) = halves(gates, 2 * hidden);
        let (g, o) = halves(rest, hidden);
        sigmoids.iter_mut().chain(o.iter_mut()).for_each(|gate| *gate = math::sigmoid(*gate, pass));
        g.iter_mut().for_each(|g| *g = math::tanh(*g, pass));
        let (i, f) = halves(sigmoids, hidden);
        for (((cell, i), f), g) in cell.iter_mut().zip(i).zip(f).zip(g) {
            *cell = *f * *cell + *i * *g;
        }
        for ((h, o), cell) in tape.carry.iter_mut().zip(o).zip(cell) {
            *h = *o * math::tanh(*cell, pass);
        }
        elementwise::copy(tape.carry, recurrent::output_row(tape.output, tape.steps, hidden, t));
    }
}

pub(crate) fn backward(
    weights: &CellWeights<'_>,
    x: &mut [f32],
    tape: CellTape<'_>,
    mut gradients: Option<CellGradients<'_>>,
    want: InputGradient,
) {
    let (steps, hidden) = (tape.steps, tape.hidden);
    let inputs = x.len() / steps.max(1);
    elementwise::copy(recurrent::last_row(tape.output, hidden), tape.carry);
    tanh(recurrent::last_row(tape.states, hidden));
    for t in (0..steps).rev() {
        let dy = recurrent::gradient_before(tape.output, steps, hidden, t);
        let (earlier, cell, later) = recurrent::split(tape.states, t, hidden);
        let before = recurrent::last_row(earlier, hidden);
        let (earlier_gates, gates, _) = recurrent::split(tape.gates, t, 4 * hidden);
        gates_backward(gates, cell, tape.carry, before, recurrent::row(later, 0, hidden));
        tanh(before);
        recurrent::input_backward(weights, recurrent::row_mut(x, t, inputs), gates, gradients.as_mut(), want);
        let mut units = Units::new(weights, gradients.as_mut(), 4 * hidden, 0, gates);
        let o = recurrent::last_row(earlier_gates, hidden);
        for (((dh, o), k), dy) in tape.carry.iter_mut().zip(o).zip(before).zip(or_zeros(dy)) {
            *dh = units.next(*o * *k) + dy;
        }
    }
}

fn tanh(cells: &mut [f32]) {
    cells.iter_mut().for_each(|cell| *cell = math::tanh(*cell, Pass::training(0)));
}

/// Overwrites the gates by their gradients, and tanh c' by the gradient of the cell before. `before` are the cells before,
/// `dc` the gradient that comes from the step behind; either is empty where there is no such step.
fn gates_backward(gates: &mut [f32], cell: &mut [f32], dh: &[f32], before: &[f32], dc: &[f32]) {
    let hidden = dh.len();
    let (i_f, g_o) = halves(gates, 2 * hidden);
    let ((i, f), (g, o)) = (halves(i_f, hidden), halves(g_o, hidden));
    let gates = i.iter_mut().zip(f).zip(g.iter_mut().zip(o));
    let states = cell.iter_mut().zip(dh).zip(or_zeros(before).zip(or_zeros(dc)));
    for (((i, f), (g, o)), ((k, dh), (c, dc))) in gates.zip(states) {
        let (input, forget, candidate, open) = (*i, *f, *g, *o);
        let dc = dc + dh * open * (1.0 - *k * *k);
        *o = dh * *k * (open * (1.0 - open));
        *i = dc * candidate * (input * (1.0 - input));
        *f = dc * c * (forget * (1.0 - forget));
        *g = dc * input * (1.0 - candidate * candidate);
        *k = dc * forget;
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

    fn definition(layer: &Layer) -> Results {
        let (h, width) = (layer.hidden, layer.width);
        let (mut states, mut cells, mut gates) = (vec![vec![0.0; h]], vec![vec![0.0; h]], Vec::new());
        for t in 0..layer.steps {
            let a = |j: usize| {
                let input = sum(layer.bias(j), layer.x(t), &layer.w, width, j);
                sum(input, &states[t], &layer.u, width, j)
            };
            let gate = |g: usize, f: fn(f32) -> f32| -> Vec<f32> { (g * h..(g + 1) * h).map(|j| f(a(j))).collect() };
            let [i, f, g, o] = [gate(0, sigmoid), gate(1, sigmoid), gate(2, libm::tanhf), gate(3, sigmoid)];
            let cell: Vec<f32> = (0..h).map(|j| f[j] * cells[t][j] + i[j] * g[j]).collect();
            states.push((0..h).map(|j| o[j] * libm::tanhf(cell[j])).collect());
            cells.push(cell);
            gates.push([i, f, g, o]);
        }
        let mut results = layer.results(&states);
        let (mut dh, mut dc) = (layer.dy(layer.steps - 1).to_vec(), vec![0.0; h]);
        for t in (0..layer.steps).rev() {
            let [i, f, g, o] = &gates[t];
            let mut d = vec![0.0; 4 * h];
            for j in 0..h {
                let k = libm::tanhf(cells[t + 1][j]);
                let cell = dc[j] + dh[j] * o[j] * (1.0 - k * k);
                d[j] = cell * g[j] * (i[j] * (1.0 - i[j]));
                d[h + j] = cell * cells[t][j] * (f[j] * (1.0 - f[j]));
                d[2 * h + j] = cell * i[j] * (1.0 - g[j] * g[j]);
                d[3 * h + j] = dh[j] * k * (o[j] * (1.0 - o[j]));
                dc[j] = cell * f[j];
            }
            layer.add_input(&mut results, t, &d);
            results.gb.iter_mut().zip(&d).for_each(|(g, d)| *g += d);
            if t > 0 {
                let dy = layer.dy(t - 1);
                dh = (0..h)
                    .map(|k| layer.add_hidden(&mut results, k, states[t][k], 0, &d) + dy.get(k).unwrap_or(&0.0))
                    .collect();
            }
        }
        results
    }

    #[test]
    fn sums_in_the_documented_order_for_every_size() {
        check([4, 4, 4, 1], forward, backward, definition);
    }
}

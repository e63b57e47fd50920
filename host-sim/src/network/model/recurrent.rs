//! Recurrent layers. Columns of the weights: GRU r, z, n; LSTM i, f, g, o.

use super::super::{Cell, Stage};
use super::activation::sigmoid;
use super::{Gradients, Named, Step};

/// What is kept of each step, in the order of the names.
const fn names(cell: Cell) -> &'static [&'static str] {
    match cell {
        Cell::Rnn => &["h"],
        Cell::Gru => &["r", "z", "n", "q", "h"],
        Cell::Lstm => &["i", "f", "g", "o", "c", "h"],
    }
}

/// Adds `Σ_i x[i] w[i][column]` to each column from `from` on.
fn add(x: &[f64], w: &[f64], columns: usize, from: usize, sums: &mut [f64]) {
    for (x, w) in x.iter().zip(w.chunks_exact(columns)) {
        sums.iter_mut().zip(&w[from..]).for_each(|(sum, w)| *sum += x * w);
    }
}

pub(super) fn forward(
    cell: Cell,
    hidden: usize,
    sequence: bool,
    stage: &Stage,
    params: &[Vec<f64>],
    x: &[f64],
) -> Step {
    let (channels, columns) = (stage.input.channels(), cell.gates() * hidden);
    let [w, u] = [&params[0], &params[1]];
    let zeros = vec![0.0; cell.bias_rows() * hidden];
    let bias = params.get(2).unwrap_or(&zeros);
    let (mut h, mut c) = (vec![0.0; hidden], vec![0.0; hidden]);
    let mut kept: Vec<Vec<f64>> = vec![Vec::new(); names(cell).len()];
    for x in x.chunks_exact(channels) {
        let mut a = bias[..columns].to_vec();
        add(x, w, columns, 0, &mut a);
        let step: Vec<Vec<f64>> = match cell {
            Cell::Rnn => {
                add(&h, u, columns, 0, &mut a);
                h = a.iter().map(|a| a.tanh()).collect();
                vec![h.clone()]
            }
            Cell::Gru => {
                add(&h, u, columns, 0, &mut a[..2 * hidden]);
                let mut q = bias[columns..].to_vec();
                add(&h, u, columns, 2 * hidden, &mut q);
                let gates: Vec<f64> = a[..2 * hidden].iter().map(|a| sigmoid(*a)).collect();
                let (r, z) = gates.split_at(hidden);
                let n: Vec<f64> = (0..hidden).map(|j| (a[2 * hidden + j] + r[j] * q[j]).tanh()).collect();
                h = (0..hidden).map(|j| (1.0 - z[j]) * n[j] + z[j] * h[j]).collect();
                vec![r.to_vec(), z.to_vec(), n, q, h.clone()]
            }
            Cell::Lstm => {
                add(&h, u, columns, 0, &mut a);
                let gate = |gate: usize, function: fn(f64) -> f64| -> Vec<f64> {
                    a[gate * hidden..][..hidden].iter().map(|a| function(*a)).collect()
                };
                let (i, f, g, o) = (gate(0, sigmoid), gate(1, sigmoid), gate(2, f64::tanh), gate(3, sigmoid));
                c = (0..hidden).map(|j| f[j] * c[j] + i[j] * g[j]).collect();
                h = (0..hidden).map(|j| o[j] * c[j].tanh()).collect();
                vec![i, f, g, o, c.clone(), h.clone()]
            }
        };
        kept.iter_mut().zip(step).for_each(|(kept, step)| kept.extend(step));
    }
    let steps = x.len() / channels;
    let states = kept.last().map_or(&[][..], |states| states);
    let y = if sequence { states.to_vec() } else { states[(steps - 1) * hidden..].to_vec() };
    let named = names(cell).iter().zip(kept).map(|(name, values)| Named::new(name, &[steps, hidden], values));
    Step { y, kept: named.collect(), ..Step::default() }
}

/// The chain rule backwards in time. `dL/da` is the gradient of each gate's sum.
#[allow(clippy::too_many_arguments, reason = "what a stage has")]
pub(super) fn backward(
    cell: Cell,
    hidden: usize,
    sequence: bool,
    stage: &Stage,
    params: &[Vec<f64>],
    x: &[f64],
    step: &Step,
    dy: &[f64],
) -> Gradients {
    let (channels, columns) = (stage.input.channels(), cell.gates() * hidden);
    let steps = x.len() / channels;
    let [w, u] = [&params[0], &params[1]];
    let mut gradients: Vec<Vec<f64>> = params.iter().map(|values| vec![0.0; values.len()]).collect();
    let (mut dx, mut sums) = (vec![0.0; x.len()], vec![0.0; steps * columns]);
    let (mut dh, mut dc) = (vec![0.0; hidden], vec![0.0; hidden]);
    for t in (0..steps).rev() {
        let given = if sequence { &dy[t * hidden..][..hidden] } else { dy };
        if sequence || t + 1 == steps {
            dh.iter_mut().zip(given).for_each(|(dh, dy)| *dh += dy);
        }
        let zeros = vec![0.0; hidden];
        let of = |name: usize| &step.kept[name].values[t * hidden..][..hidden];
        let earlier = |name: usize| {
            if t == 0 { zeros.as_slice() } else { &step.kept[name].values[(t - 1) * hidden..][..hidden] }
        };
        let before = earlier(names(cell).len() - 1);
        // dL/da on the input's side, and dL/da on the state's side; what goes to the state before directly.
        let mut da = vec![0.0; columns];
        let mut direct = vec![0.0; hidden];
        let mut dq = None;
        match cell {
            Cell::Rnn => (0..hidden).for_each(|j| da[j] = dh[j] * (1.0 - of(0)[j].powi(2))),
            Cell::Gru => {
                let (r, z, n, q) = (of(0), of(1), of(2), of(3));
                let mut after = vec![0.0; hidden];
                for j in 0..hidden {
                    let dn = dh[j] * (1.0 - z[j]) * (1.0 - n[j] * n[j]);
                    da[j] = dn * q[j] * r[j] * (1.0 - r[j]);
                    da[hidden + j] = dh[j] * (before[j] - n[j]) * z[j] * (1.0 - z[j]);
                    da[2 * hidden + j] = dn;
                    after[j] = dn * r[j];
                    direct[j] = dh[j] * z[j];
                }
                dq = Some(after);
            }
            Cell::Lstm => {
                let (i, f, g, o, c, c_before) = (of(0), of(1), of(2), of(3), of(4), earlier(4));
                for j in 0..hidden {
                    let k = c[j].tanh();
                    let dcell = dc[j] + dh[j] * o[j] * (1.0 - k * k);
                    da[j] = dcell * g[j] * i[j] * (1.0 - i[j]);
                    da[hidden + j] = dcell * c_before[j] * f[j] * (1.0 - f[j]);
                    da[2 * hidden + j] = dcell * i[j] * (1.0 - g[j] * g[j]);
                    da[3 * hidden + j] = dh[j] * k * o[j] * (1.0 - o[j]);
                    dc[j] = dcell * f[j];
                }
            }
        }
        let mut of_state = da.clone();
        if let Some(dq) = &dq {
            of_state[2 * hidden..].copy_from_slice(dq);
        }
        let x = &x[t * channels..][..channels];
        outer(x, &da, &mut gradients[0]);
        outer(before, &of_state, &mut gradients[1]);
        if let Some(bias) = gradients.get_mut(2) {
            let all = da.iter().chain(dq.iter().flatten());
            bias.iter_mut().zip(all).for_each(|(bias, da)| *bias += da);
        }
        for (i, dx) in dx[t * channels..][..channels].iter_mut().enumerate() {
            *dx = dot(&w[i * columns..][..columns], &da);
        }
        dh = (0..hidden).map(|k| direct[k] + dot(&u[k * columns..][..columns], &of_state)).collect();
        sums[t * columns..][..columns].copy_from_slice(&da);
    }
    (dx, gradients, vec![Named::new("dL/da", &[steps, cell.gates(), hidden], sums)])
}

fn outer(x: &[f64], da: &[f64], gradient: &mut [f64]) {
    for (x, row) in x.iter().zip(gradient.chunks_exact_mut(da.len())) {
        row.iter_mut().zip(da).for_each(|(gradient, da)| *gradient += x * da);
    }
}

fn dot(w: &[f64], da: &[f64]) -> f64 {
    w.iter().zip(da).map(|(w, da)| w * da).sum()
}

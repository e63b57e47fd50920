//! What the recurrent kernels have in common: their slices, and the passes over the weights of one time step.
//!
//! With `T` steps, `C` inputs, `H` hidden units and `G` gates, every step of every kernel is
//!
//! | | mathematics |
//! |---|---|
//! | forward | `a[j] = b[j] + Σ_i x[i] w[i][j] + Σ_k h[k] u[k][j]`, `i` then `k` rising, zeros left out; then the gates |
//! | backward | the gates' gradients `d`; then `gb[j] += d[j]`, `gw[i][j] += x[i] d[j]`, `dx[i] = Σ_j w[i][j] d[j]`; then `gu[k][j] += h[k] d[j]`, `dh[k] = Σ_j u[k][j] d[j]` |
//!
//! with the products summed as those of the [dense layer](super::dense): dot products in four lanes. Backward goes from the
//! last step to the first, so gradients of weights add up in that order. The state before the first step of training is
//! zero: it has no products.

use crate::kernel::{dense, elementwise};
use crate::layer::{InputGradient, Pass};

/// The weights of a recurrent layer, input-major, in storage order.
#[derive(Debug, Clone, Copy)]
pub struct CellWeights<'a> {
    /// From the input: `[C][G][H]`.
    pub weight_ih: &'a [f32],
    /// From the hidden state: `[H][G][H]`.
    pub weight_hh: &'a [f32],
    /// The bias, or none.
    pub bias: &'a [f32],
}

/// The gradients of [`CellWeights`].
#[derive(Debug)]
pub struct CellGradients<'a> {
    /// From the input: `[C][G][H]`.
    pub weight_ih: &'a mut [f32],
    /// From the hidden state: `[H][G][H]`.
    pub weight_hh: &'a mut [f32],
    /// The bias, or none.
    pub bias: &'a mut [f32],
}

/// What a recurrent layer keeps, in storage order.
#[derive(Debug)]
pub struct CellTape<'a> {
    /// How many time steps, `T`.
    pub steps: usize,
    /// How many hidden units, `H`.
    pub hidden: usize,
    /// What the cell keeps of its gates, for each step. Backward overwrites it by gradients.
    pub gates: &'a mut [f32],
    /// One state of the cell for each step, `[T][H]`; the last one is what a pass goes on from.
    pub states: &'a mut [f32],
    /// Another state, if the cell has two.
    pub carry: &'a mut [f32],
    /// The hidden states of the last steps, as many as are given on; in backward, their gradients.
    pub output: &'a mut [f32],
}

/// Row `index` of rows of `len`; empty if there is none.
pub(crate) fn row(values: &[f32], index: usize, len: usize) -> &[f32] {
    values.get(index * len..).and_then(|values| values.get(..len)).unwrap_or_default()
}

pub(crate) fn row_mut(values: &mut [f32], index: usize, len: usize) -> &mut [f32] {
    values.get_mut(index * len..).and_then(|values| values.get_mut(..len)).unwrap_or_default()
}

/// The last row of rows of `len`; empty if there is none.
pub(crate) fn last_row(values: &mut [f32], len: usize) -> &mut [f32] {
    values.rchunks_exact_mut(len.max(1)).next().unwrap_or_default()
}

/// The rows before row `index`, that row, and those behind it.
pub(crate) fn split(rows: &mut [f32], index: usize, len: usize) -> (&mut [f32], &mut [f32], &mut [f32]) {
    let (before, rest) = rows.split_at_mut_checked(index * len).unwrap_or_default();
    let (row, behind) = rest.split_at_mut_checked(len).unwrap_or_default();
    (before, row, behind)
}

/// `values` cut in two; nothing if `at` lies behind their end.
pub(crate) fn halves(values: &mut [f32], at: usize) -> (&mut [f32], &mut [f32]) {
    values.split_at_mut_checked(at).unwrap_or_default()
}

/// The values, and zeros behind them.
pub(crate) fn or_zeros(values: &[f32]) -> impl Iterator<Item = f32> {
    values.iter().copied().chain(core::iter::repeat(0.0))
}

/// The row of the output that belongs to step `t`, if its state is given on.
fn output_index(output: &[f32], steps: usize, hidden: usize, t: usize) -> Option<usize> {
    (t + output.len() / hidden.max(1)).checked_sub(steps)
}

/// The output's row for step `t`; empty if its state is not given on.
pub(crate) fn output_row(output: &mut [f32], steps: usize, hidden: usize, t: usize) -> &mut [f32] {
    let index = output_index(output, steps, hidden, t);
    index.map_or(&mut [], |index| row_mut(output, index, hidden))
}

/// dL/dy of the step before step `t`; empty if its state is not given on, or if there is none.
pub(crate) fn gradient_before(output: &[f32], steps: usize, hidden: usize, t: usize) -> &[f32] {
    let index = t.checked_sub(1).and_then(|before| output_index(output, steps, hidden, before));
    index.map_or(&[], |index| row(output, index, hidden))
}

impl CellTape<'_> {
    /// Leaves the state before the first step at the beginning of the output, which is free until the end.
    pub(crate) fn begin(&mut self, pass: Pass) {
        let first = row_mut(self.output, 0, self.hidden);
        match pass {
            Pass::Continuing => elementwise::copy(last_row(self.states, self.hidden), first),
            Pass::Training { .. } | Pass::Predicting => first.fill(0.0),
        }
    }

    /// The state before step `t`, after [`begin`](Self::begin), the place of the one behind it, and the gates.
    pub(crate) fn step(&mut self, t: usize, gates: usize) -> (&[f32], &mut [f32], &mut [f32]) {
        let (earlier, state, _) = split(self.states, t, self.hidden);
        let before = if t == 0 { row(self.output, 0, self.hidden) } else { last_row(earlier, self.hidden) };
        (before, state, row_mut(self.gates, t, gates))
    }

    /// Gives the last states on.
    pub(crate) fn give_states(&mut self) {
        let first = self.states.len().saturating_sub(self.output.len());
        elementwise::copy(self.states.get(first..).unwrap_or_default(), self.output);
    }
}

/// The part of a step's backward pass that belongs to the input: gradients of `weight_ih` and of the bias's first values,
/// from the gates' gradients `d`; dL/dx as far as `want` asks.
pub(crate) fn input_backward(
    weights: &CellWeights<'_>,
    x: &mut [f32],
    d: &[f32],
    gradients: Option<&mut CellGradients<'_>>,
    want: InputGradient,
) {
    match gradients {
        Some(CellGradients { weight_ih, bias, .. }) => dense::backward(x, weights.weight_ih, d, weight_ih, bias, want),
        None => dense::input_gradient(x, weights.weight_ih, d, want),
    }
}

/// The part that belongs to the hidden state, one unit after another: columns of `weight_hh` with the gradients `d` of
/// what they lead to.
pub(crate) struct Units<'w, 'g, 'd> {
    weights: core::slice::ChunksExact<'w, f32>,
    gradients: Option<core::slice::ChunksExactMut<'g, f32>>,
    first: usize,
    d: &'d [f32],
}

impl<'w, 'g, 'd> Units<'w, 'g, 'd> {
    /// `d` belongs to the columns from `first` on; a row has `width` of them.
    pub(crate) fn new(
        weights: &CellWeights<'w>,
        gradients: Option<&'g mut CellGradients<'_>>,
        width: usize,
        first: usize,
        d: &'d [f32],
    ) -> Self {
        Self {
            weights: weights.weight_hh.chunks_exact(width.max(1)),
            gradients: gradients.map(|gradients| gradients.weight_hh.chunks_exact_mut(width.max(1))),
            first,
            d,
        }
    }

    /// The next unit, whose state is `h`: adds `h d` to its gradients and gives `Σ_j u[j] d[j]`.
    pub(crate) fn next(&mut self, h: f32) -> f32 {
        let (first, end) = (self.first, self.first + self.d.len());
        let weights = self.weights.next().and_then(|row| row.get(first..end)).unwrap_or_default();
        let gradients = self.gradients.as_mut().and_then(Iterator::next).and_then(|row| row.get_mut(first..end));
        match gradients {
            Some(gradients) if h != 0.0 => dense::add_scaled_and_dot(gradients, h, self.d, weights),
            _ => dense::dot(weights, self.d),
        }
    }
}

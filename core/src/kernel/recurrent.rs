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
//!
//! For each weight and step: forward 1 load, 1 multiply, 1 add; backward 3 loads, 1 store, 2 multiplies, 2 adds. On a Cortex-M4F, by
//! the table of its manual, counted in an emulator, a GRU of 16 units, 4 inputs and 16 steps takes
//!
//! | | floor | reached, calls included |
//! |---|---|---|
//! | forward, sixteen sums in registers | 3.3 | 4.4 |
//! | backward | 7.8 | 10.5 |
//! | a sigmoid | | 87 |
//! | a hyperbolic tangent | | 120 |
//!
//! cycles for each product, or each unit and gate (`backpass-sim bench gru --profile` shows them by function: 15,360 products). Worked out, and left: the gradients of weights in one pass over all steps at the
//! end, with sums in registers, 3.6 for each product and not the 5 or 6 that they are of the 10.5: all `d` would have to be
//! kept while `h` still is, the gradient of the state takes the place of the state, and sums of weights' gradients would have
//! to add up in another order than steps are undone.

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
        Some(CellGradients { weight_ih, bias, .. }) => {
            dense::backward(x, weights.weight_ih, d, weight_ih, bias, None, want);
        }
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
            Some(gradients) if h != 0.0 => {
                let mut place = [h];
                backpass_arch::add_outer_rows(&mut place, weights, self.d, gradients);
                // -0.0 stands for +0.0 there.
                let [sum] = place;
                sum + 0.0
            }
            _ => backpass_arch::dot(weights, self.d),
        }
    }
}

/// What the kernels' tests share: the documented sums, element by element.
#[cfg(test)]
pub(crate) mod testing {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::rng::Rng;

    /// Random numbers, about one in four zero.
    pub(crate) fn random(n: usize, rng: &mut Rng) -> Vec<f32> {
        (0..n).map(|_| if rng.below(4) == 0 { 0.0 } else { rng.symmetric(1.5) }).collect()
    }

    /// `start + Σ_i x[i] w[i][j]`, `i` rising, zeros left out, for rows of `width` columns.
    pub(crate) fn sum(start: f32, x: &[f32], w: &[f32], width: usize, j: usize) -> f32 {
        x.iter().enumerate().filter(|(_, x)| **x != 0.0).fold(start, |sum, (i, x)| sum + x * w[i * width + j])
    }

    /// `Σ_j w[j] d[j]` in four lanes.
    pub(crate) fn lanes(w: &[f32], d: &[f32]) -> f32 {
        let (mut lanes, whole) = ([0.0; 4], d.len() / 4 * 4);
        (0..whole).for_each(|j| lanes[j % 4] += w[j] * d[j]);
        (whole..d.len()).fold((lanes[0] + lanes[2]) + (lanes[1] + lanes[3]), |sum, j| sum + w[j] * d[j])
    }

    /// A layer with random weights and what surrounds it: `inputs` to `hidden`, `gates` of weights, `rows` of the bias.
    #[derive(Clone)]
    pub(crate) struct Layer {
        pub(crate) steps: usize,
        pub(crate) inputs: usize,
        pub(crate) hidden: usize,
        /// Columns of the weights.
        pub(crate) width: usize,
        pub(crate) w: Vec<f32>,
        pub(crate) u: Vec<f32>,
        pub(crate) b: Vec<f32>,
        pub(crate) x: Vec<f32>,
        pub(crate) dy: Vec<f32>,
    }

    /// What a pass leaves.
    #[derive(Debug, PartialEq)]
    pub(crate) struct Results {
        pub(crate) y: Vec<f32>,
        pub(crate) dx: Vec<f32>,
        pub(crate) gw: Vec<f32>,
        pub(crate) gu: Vec<f32>,
        pub(crate) gb: Vec<f32>,
    }

    impl Layer {
        pub(crate) fn x(&self, t: usize) -> &[f32] {
            &self.x[t * self.inputs..][..self.inputs]
        }

        pub(crate) fn bias(&self, j: usize) -> f32 {
            self.b.get(j).copied().unwrap_or(0.0)
        }

        /// dL/dy of step `t`.
        pub(crate) fn dy(&self, t: usize) -> &[f32] {
            let rows = self.dy.len() / self.hidden;
            (t + rows).checked_sub(self.steps).map_or(&[], |row| &self.dy[row * self.hidden..][..self.hidden])
        }

        /// Results before backward: gradients of 0.5 each, to be added to.
        pub(crate) fn results(&self, states: &[Vec<f32>]) -> Results {
            let y = states[1..].concat();
            Results {
                y: y[y.len() - self.dy.len()..].to_vec(),
                dx: vec![0.0; self.x.len()],
                gw: vec![0.5; self.w.len()],
                gu: vec![0.5; self.u.len()],
                gb: vec![0.5; self.b.len()],
            }
        }

        /// Adds step `t`'s part from the input: `d` are the gradients of the gates.
        pub(crate) fn add_input(&self, results: &mut Results, t: usize, d: &[f32]) {
            for (i, x) in self.x(t).iter().enumerate() {
                let at = i * self.width;
                results.dx[t * self.inputs + i] = lanes(&self.w[at..][..self.width], d);
                if *x != 0.0 {
                    (0..self.width).for_each(|j| results.gw[at + j] += x * d[j]);
                }
            }
        }

        /// Adds to the gradients of hidden unit `k`, whose state is `h`, in columns from `first` on; gives `Σ_j u[k][j] d[j]`.
        pub(crate) fn add_hidden(&self, results: &mut Results, k: usize, h: f32, first: usize, d: &[f32]) -> f32 {
            let at = k * self.width + first;
            if h != 0.0 {
                (0..d.len()).for_each(|j| results.gu[at + j] += h * d[j]);
            }
            lanes(&self.u[at..][..d.len()], d)
        }
    }

    /// Compares a kernel with the definition for many sizes, bit for bit; without weights' gradients too.
    ///
    /// `kept` is how many values of the gates are kept for each unit, `carry` whether there is a second state.
    pub(crate) fn check(
        [gates, rows, kept, carry]: [usize; 4],
        forward: impl Fn(&CellWeights<'_>, &[f32], CellTape<'_>, Pass),
        backward: impl Fn(&CellWeights<'_>, &mut [f32], CellTape<'_>, Option<CellGradients<'_>>, InputGradient),
        definition: impl Fn(&Layer) -> Results,
    ) {
        let mut rng = Rng::new(1);
        for (steps, inputs, hidden) in [(1, 1, 1), (1, 3, 4), (2, 2, 1), (3, 1, 2), (4, 5, 3), (6, 2, 5), (5, 7, 9)] {
            for (sequence, bias) in [(false, true), (true, true), (true, false)] {
                let width = gates * hidden;
                let layer = Layer {
                    steps,
                    inputs,
                    hidden,
                    width,
                    w: random(inputs * width, &mut rng),
                    u: random(hidden * width, &mut rng),
                    b: random(if bias { rows * hidden } else { 0 }, &mut rng),
                    x: random(steps * inputs, &mut rng),
                    dy: random(if sequence { steps * hidden } else { hidden }, &mut rng),
                };
                let expected = definition(&layer);
                let case = std::format!("{steps} steps, {inputs} inputs, {hidden} units, {sequence}, {bias}");
                for learns in [true, false] {
                    let weights = CellWeights { weight_ih: &layer.w, weight_hh: &layer.u, bias: &layer.b };
                    // What lies in the tape before must not matter.
                    let (mut g, mut s) = (vec![9.0; steps * kept * hidden], vec![9.0; steps * hidden]);
                    let (mut c, mut y) = (vec![9.0; carry * hidden], vec![9.0; layer.dy.len()]);
                    let mut places = |y: &mut [f32], pass: &mut dyn FnMut(CellTape<'_>)| {
                        let (gates, states, carry) = (g.as_mut_slice(), s.as_mut_slice(), c.as_mut_slice());
                        pass(CellTape { steps, hidden, gates, states, carry, output: y });
                    };
                    places(&mut y, &mut |tape| forward(&weights, &layer.x, tape, Pass::training(0)));
                    assert_eq!(bits(&y), bits(&expected.y), "output, {case}");

                    let mut dy = layer.dy.clone();
                    let mut ours = layer.results(&vec![vec![0.0; hidden]; steps + 1]);
                    let Results { dx, gw, gu, gb, .. } = &mut ours;
                    dx.copy_from_slice(&layer.x);
                    places(&mut dy, &mut |tape| {
                        let gradients = CellGradients { weight_ih: gw, weight_hh: gu, bias: gb };
                        backward(&weights, dx, tape, learns.then_some(gradients), InputGradient::Full);
                    });
                    assert_eq!(bits(&ours.dx), bits(&expected.dx), "input gradient, {case}, {learns}");
                    assert_eq!(bits(&dy), bits(&layer.dy), "dL/dy stays, {case}");
                    if learns {
                        assert_eq!(bits(&ours.gw), bits(&expected.gw), "weight_ih, {case}");
                        assert_eq!(bits(&ours.gu), bits(&expected.gu), "weight_hh, {case}");
                        assert_eq!(bits(&ours.gb), bits(&expected.gb), "bias, {case}");
                    }
                }
            }
        }
    }

    /// Bits; an addition of zero may have made a -0.0 into 0.0.
    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| (value + 0.0).to_bits()).collect()
    }
}

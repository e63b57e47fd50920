//! The simple recurrent layer of Elman: `h' = f(b + x W + h U)` with f = tanh or ReLU.
//!
//! | | mathematics, for each step |
//! |---|---|
//! | forward | `h'[j] = f(a[j])`, with `a` as in [`recurrent`] |
//! | backward | `d[j] = dh'[j] f'`, where `f'` is `1 - h'[j]²`, or for ReLU 1 if `h'[j] > 0`, else 0; `dh[k] = (Σ_j u[k][j] d[j]) + dy[k]`, with dL/dy of the step before |
//!
//! The states are all that is kept. Backward overwrites each by its `d`.

use crate::kernel::recurrent::{self, CellGradients, CellTape, CellWeights, Units, or_zeros};
use crate::kernel::{dense, elementwise};
use crate::layer::{InputGradient, Pass};
use crate::math;

/// f.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    Tanh,
    Relu,
}

impl Activation {
    fn apply(self, values: &mut [f32], pass: Pass) {
        match self {
            Self::Tanh => values.iter_mut().for_each(|value| *value = math::tanh(*value, pass)),
            Self::Relu => elementwise::relu(values),
        }
    }

    /// dL/da for dL/dh, from h.
    fn gradient(self, h: f32, dh: f32) -> f32 {
        match self {
            Self::Tanh => dh * (1.0 - h * h),
            Self::Relu if h > 0.0 => dh,
            Self::Relu => 0.0,
        }
    }
}

pub(crate) fn forward(f: Activation, weights: &CellWeights<'_>, x: &[f32], mut tape: CellTape<'_>, pass: Pass) {
    let inputs = x.len() / tape.steps.max(1);
    tape.begin(pass);
    for t in 0..tape.steps {
        let (before, h, _) = tape.step(t, 0);
        dense::forward(recurrent::row(x, t, inputs), weights.weight_ih, weights.bias, h);
        dense::add_product(before, weights.weight_hh, h);
        f.apply(h, pass);
    }
    tape.give_states();
}

pub(crate) fn backward(
    f: Activation,
    weights: &CellWeights<'_>,
    x: &mut [f32],
    tape: CellTape<'_>,
    mut gradients: Option<CellGradients<'_>>,
    want: InputGradient,
) {
    let (steps, hidden) = (tape.steps, tape.hidden);
    let inputs = x.len() / steps.max(1);
    let last = recurrent::last_row(tape.output, hidden);
    let last_state = recurrent::last_row(tape.states, hidden);
    last_state.iter_mut().zip(last).for_each(|(h, dy)| *h = f.gradient(*h, *dy));
    for t in (0..steps).rev() {
        let dy = recurrent::gradient_before(tape.output, steps, hidden, t);
        let (earlier, d, _) = recurrent::split(tape.states, t, hidden);
        recurrent::input_backward(weights, recurrent::row_mut(x, t, inputs), d, gradients.as_mut(), want);
        let mut units = Units::new(weights, gradients.as_mut(), hidden, 0, d);
        for (h, dy) in recurrent::last_row(earlier, hidden).iter_mut().zip(or_zeros(dy)) {
            let dh = units.next(*h) + dy;
            *h = f.gradient(*h, dh);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::kernel::recurrent::testing::{Layer, Results, check, sum};

    fn definition(f: Activation, layer: &Layer) -> Results {
        let h = layer.hidden;
        let mut states = vec![vec![0.0; h]];
        for t in 0..layer.steps {
            let unit = |j: usize| {
                let input = sum(layer.bias(j), layer.x(t), &layer.w, h, j);
                let a = sum(input, &states[t], &layer.u, h, j);
                if f == Activation::Tanh { libm::tanhf(a) } else { a.max(0.0) }
            };
            let state: Vec<f32> = (0..h).map(unit).collect();
            states.push(state);
        }
        let mut results = layer.results(&states);
        let mut dh = layer.dy(layer.steps - 1).to_vec();
        for t in (0..layer.steps).rev() {
            let slope = |h: f32| match f {
                Activation::Tanh => 1.0 - h * h,
                Activation::Relu => f32::from(h > 0.0),
            };
            let d: Vec<f32> = dh.iter().zip(&states[t + 1]).map(|(dh, h)| dh * slope(*h)).collect();
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
        for f in [Activation::Tanh, Activation::Relu] {
            check(
                [1, 1, 0, 0],
                |weights, x, tape, pass| forward(f, weights, x, tape, pass),
                |weights, x, tape, gradients, want| backward(f, weights, x, tape, gradients, want),
                |layer| definition(f, layer),
            );
        }
    }
}

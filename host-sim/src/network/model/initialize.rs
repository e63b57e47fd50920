//! Weights as the learner draws them.

use backpass::{Initialization, Rng};

use super::super::{Activation, Cell, Layer, Stage, Window};
use super::Model;

/// Fills the parameters of a network as [`Learner::initialize`](backpass::Learner::initialize) does.
pub(super) fn network(model: &mut Model, rng: &mut Rng) {
    let stages = model.network.stages().to_vec();
    chain(model, &stages, 0, Initialization::Glorot, rng);
}

/// Fills the parameters of stages, whose nodes begin with `first`, from the last to the first; gives what suits what lies before them.
fn chain(model: &mut Model, stages: &[Stage], first: usize, after: Initialization, rng: &mut Rng) -> Initialization {
    let mut end = first + count(stages);
    stages.iter().rev().fold(after, |after, stage| {
        let [branch, projection] = stage.parts();
        let node = end - 1;
        end -= count(std::slice::from_ref(stage));
        if branch.is_empty() {
            let range = model.range(node);
            fill(stage, &mut model.values[range], after, rng);
            return before(&stage.layer, after);
        }
        let before = chain(model, &branch, end, after, rng);
        chain(model, &projection, end + count(&branch), after, rng);
        before
    })
}

/// The number of nodes of stages.
fn count(stages: &[Stage]) -> usize {
    stages.iter().map(|stage| 1 + stage.parts().iter().map(|part| count(part)).sum::<usize>()).sum()
}

/// Fills a stage's parameters. `after` is what the stage behind asks for.
fn fill(stage: &Stage, values: &mut [Vec<f64>], after: Initialization, rng: &mut Rng) {
    let (input, output) = (stage.input.channels(), stage.output.channels());
    let size = |window: &Window| match stage.input.positions().len() {
        1 => window.kernel[0],
        _ => window.kernel[0] * window.kernel[1],
    };
    match &stage.layer {
        Layer::Dense { outputs, .. } => draw(values, after, input, *outputs, rng),
        Layer::Conv { window, .. } => draw(values, after, size(window) * input, size(window) * output, rng),
        Layer::Depthwise { window, .. } => draw(values, after, size(window), size(window), rng),
        Layer::BatchNorm { .. } => {
            // Scale, shift, running mean, running variance.
            values.iter_mut().zip([1.0, 0.0, 0.0, 1.0]).for_each(|(values, first)| values.fill(first));
        }
        Layer::PRelu { .. } => values[0].fill(SLOPE.into()),
        Layer::LayerNorm { .. } => values.iter_mut().zip([1.0, 0.0]).for_each(|(values, first)| values.fill(first)),
        Layer::Recurrent { cell, hidden, .. } => {
            draw(&mut values[..1], Initialization::Glorot, input, *hidden, rng);
            draw(&mut values[1..2], Initialization::Glorot, *hidden, *hidden, rng);
            if let (Some(bias), Cell::Gru | Cell::Lstm) = (values.get_mut(2), cell) {
                // The gate that remembers starts open.
                bias[*hidden..2 * *hidden].fill(1.0);
            }
        }
        _ => {}
    }
}

fn draw(values: &mut [Vec<f64>], after: Initialization, fan_in: usize, fan_out: usize, rng: &mut Rng) {
    let Some(weight) = values.first_mut() else { return };
    let mut drawn = vec![0.0; weight.len()];
    after.fill(&mut drawn, fan_in, fan_out, rng);
    *weight = drawn.into_iter().map(f64::from).collect();
}

/// A learned slope before training.
const SLOPE: f32 = 0.25;

/// What suits the linear layer before this one.
fn before(layer: &Layer, after: Initialization) -> Initialization {
    match layer {
        Layer::Activation(activation) => match activation {
            Activation::LeakyRelu { slope } => Initialization::He { slope: *slope },
            Activation::Relu
            | Activation::Relu6
            | Activation::Elu
            | Activation::Gelu
            | Activation::Silu
            | Activation::Mish
            | Activation::Softplus
            | Activation::HardSwish => Initialization::He { slope: 0.0 },
            _ => Initialization::Glorot,
        },
        Layer::MaxPool { .. }
        | Layer::AveragePool { .. }
        | Layer::GlobalMaxPool
        | Layer::GlobalAveragePool
        | Layer::Flatten
        | Layer::Dropout { .. }
        | Layer::Residual { .. }
        | Layer::Keep
        | Layer::BatchNorm { .. } => after,
        Layer::LayerNorm { .. } => Initialization::He { slope: 0.0 },
        Layer::PRelu { .. } => Initialization::He { slope: SLOPE },
        Layer::Dense { .. } | Layer::Conv { .. } | Layer::Depthwise { .. } | Layer::Recurrent { .. } => {
            Initialization::Glorot
        }
    }
}

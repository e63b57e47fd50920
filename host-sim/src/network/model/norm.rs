//! Normalisation.

use super::super::Stage;
use super::{Gradients, Named, Step, rows};

/// How much of the running statistics an update replaces: the learner's default.
const MOMENTUM: f64 = 0.1;

/// `n = (x - running_mean) / √(running_var + ε)`, `y = weight n + bias`, a channel by itself.
pub(super) fn batch(epsilon: f32, stage: &Stage, params: &[Vec<f64>], x: &[f64]) -> Step {
    let channels = stage.input.channels();
    let inverse = inverse(epsilon, params);
    let n: Vec<f64> =
        x.iter().enumerate().map(|(at, x)| (x - params[2][at % channels]) * inverse[at % channels]).collect();
    scaled(n, stage, params, Vec::new())
}

fn inverse(epsilon: f32, params: &[Vec<f64>]) -> Vec<f64> {
    params[3].iter().map(|variance| 1.0 / (variance + f64::from(epsilon)).sqrt()).collect()
}

/// `y = weight n + bias`.
fn scaled(n: Vec<f64>, stage: &Stage, params: &[Vec<f64>], more: Vec<Named>) -> Step {
    let channels = stage.input.channels();
    let y = n.iter().enumerate().map(|(at, n)| params[0][at % channels] * n + params[1][at % channels]).collect();
    let kept = [Named::new("n", stage.input.axes(), n)].into_iter().chain(more).collect();
    Step { y, kept, ..Step::default() }
}

/// The gradients of scale and shift.
fn learned(n: &[f64], dy: &[f64], channels: usize) -> Vec<Vec<f64>> {
    let mut gradients = vec![vec![0.0; channels]; 2];
    for (at, (n, dy)) in n.iter().zip(dy).enumerate() {
        gradients[0][at % channels] += n * dy;
        gradients[1][at % channels] += dy;
    }
    gradients
}

/// Running statistics are constants; the sample moves them by `momentum (statistic - running)`.
pub(super) fn batch_backward(
    epsilon: f32,
    stage: &Stage,
    params: &[Vec<f64>],
    x: &[f64],
    step: &Step,
    dy: &[f64],
) -> Gradients {
    let channels = stage.input.channels();
    let slopes: Vec<f64> = inverse(epsilon, params).iter().zip(&params[0]).map(|(inverse, w)| inverse * w).collect();
    let dx = dy.iter().enumerate().map(|(at, dy)| dy * slopes[at % channels]).collect();
    let mut gradients = learned(&step.kept[0].values, dy, channels);
    let count = (x.len() / channels) as f64;
    let mut statistics = vec![vec![0.0; channels]; 2];
    for (at, x) in x.iter().enumerate() {
        let c = at % channels;
        statistics[0][c] += MOMENTUM * (x - params[2][c]) / count;
        statistics[1][c] += MOMENTUM * ((x - params[2][c]).powi(2) - params[3][c]) / count;
    }
    gradients.extend(statistics);
    (dx, gradients, vec![Named::new("dy/dx", &[channels], slopes)])
}

/// `n = (x - mean) / √(variance + ε)`, `y = weight n + bias`, over the channels of each position.
pub(super) fn layer(epsilon: f32, stage: &Stage, params: &[Vec<f64>], x: &[f64]) -> Step {
    let channels = stage.input.channels();
    let (mut n, mut means, mut deviations) = (Vec::new(), Vec::new(), Vec::new());
    for row in x.chunks_exact(channels) {
        let mean = row.iter().sum::<f64>() / channels as f64;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / channels as f64;
        let deviation = (variance + f64::from(epsilon)).sqrt();
        n.extend(row.iter().map(|x| (x - mean) / deviation));
        means.push(mean);
        deviations.push(deviation);
    }
    let positions = rows(stage).max(1);
    let more = vec![Named::new("mean", &[positions], means), Named::new("deviation", &[positions], deviations)];
    scaled(n, stage, params, more)
}

/// With `d = weight dL/dy`: `dL/dx = (d - mean(d) - n mean(d n)) / deviation`.
pub(super) fn layer_backward(stage: &Stage, params: &[Vec<f64>], step: &Step, dy: &[f64]) -> Gradients {
    let channels = stage.input.channels();
    let (n, deviations) = (&step.kept[0].values, &step.kept[2].values);
    let d: Vec<f64> = dy.iter().enumerate().map(|(at, dy)| params[0][at % channels] * dy).collect();
    let mut dx = Vec::new();
    for ((d, n), deviation) in d.chunks_exact(channels).zip(n.chunks_exact(channels)).zip(deviations) {
        let mean = d.iter().sum::<f64>() / channels as f64;
        let along = d.iter().zip(n).map(|(d, n)| d * n).sum::<f64>() / channels as f64;
        dx.extend(d.iter().zip(n).map(|(d, n)| (d - mean - n * along) / deviation));
    }
    (dx, learned(n, dy, channels), vec![Named::new("d", stage.input.axes(), d)])
}

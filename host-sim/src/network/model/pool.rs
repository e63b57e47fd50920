//! Pools, a channel by itself. Padding is never counted.

use super::super::Stage;
use super::linear::Tap;
use super::{Gradients, Named, Step};

/// The largest of each window; the first where several are equal.
pub(super) fn max(stage: &Stage, taps: &[Tap], x: &[f64]) -> Step {
    let channels = stage.input.channels();
    let mut best: Vec<Option<usize>> = vec![None; stage.output.count()];
    for tap in taps {
        for c in 0..channels {
            let (best, at) = (&mut best[tap.output * channels + c], tap.input * channels + c);
            if best.is_none_or(|best| x[at] > x[best]) {
                *best = Some(at);
            }
        }
    }
    let places: Vec<usize> = best.into_iter().map(Option::unwrap_or_default).collect();
    Step {
        y: places.iter().map(|place| x[*place]).collect(),
        kept: vec![Named::new("place", stage.output.axes(), places.iter().map(|place| *place as f64).collect())],
        branches: places.into_iter().map(|place| u32::try_from(place).unwrap_or(u32::MAX)).collect(),
    }
}

/// dL/dy goes to where the maximum was.
pub(super) fn max_backward(stage: &Stage, step: &Step, dy: &[f64]) -> Gradients {
    let mut dx = vec![0.0; stage.input.count()];
    for (place, dy) in step.branches.iter().zip(dy) {
        dx[*place as usize] += dy;
    }
    (dx, Vec::new(), Vec::new())
}

/// How many elements each window has inside.
fn counts(stage: &Stage, taps: &[Tap]) -> Vec<f64> {
    let mut counts = vec![0.0; stage.output.count() / stage.output.channels()];
    taps.iter().for_each(|tap| counts[tap.output] += 1.0);
    counts
}

/// The mean of each window.
pub(super) fn average(stage: &Stage, taps: &[Tap], x: &[f64]) -> Step {
    let channels = stage.input.channels();
    let counts = counts(stage, taps);
    let mut y = vec![0.0; stage.output.count()];
    for tap in taps {
        for c in 0..channels {
            y[tap.output * channels + c] += x[tap.input * channels + c] / counts[tap.output];
        }
    }
    Step { y, ..Step::default() }
}

/// dL/dy goes to all, in equal parts.
pub(super) fn average_backward(stage: &Stage, taps: &[Tap], dy: &[f64]) -> Gradients {
    let channels = stage.input.channels();
    let counts = counts(stage, taps);
    let mut dx = vec![0.0; stage.input.count()];
    for tap in taps {
        for c in 0..channels {
            dx[tap.input * channels + c] += dy[tap.output * channels + c] / counts[tap.output];
        }
    }
    let parts = counts.iter().map(|count| 1.0 / count).collect();
    (dx, Vec::new(), vec![Named::new("dy/dx", &[counts.len()], parts)])
}

//! Dense layers and convolutions. Weights are input-major, channels last.

use super::super::{Layer, Stage, Window};
use super::{Gradients, Step};

/// An output position sees an input position through a position of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tap {
    pub(super) output: usize,
    pub(super) input: usize,
    pub(super) kernel: usize,
}

/// All taps of a convolution or a pool, by rising output and kernel position. What lies in the padding has none.
pub(super) fn taps(stage: &Stage) -> Vec<Tap> {
    let (input, output) = (stage.input.positions(), stage.output.positions());
    match &stage.layer {
        Layer::Conv { window, .. }
        | Layer::Depthwise { window, .. }
        | Layer::MaxPool { window }
        | Layer::AveragePool { window } => window_taps(window, input, output),
        Layer::GlobalMaxPool | Layer::GlobalAveragePool => {
            (0..input.iter().product()).map(|input| Tap { output: 0, input, kernel: input }).collect()
        }
        _ => Vec::new(),
    }
}

fn window_taps(window: &Window, input: &[usize], output: &[usize]) -> Vec<Tap> {
    // (output, input, kernel) along one axis.
    let along = |axis: usize| -> Vec<[usize; 3]> {
        let (Some(length), Some(out)) = (input.get(axis), output.get(axis)) else { return vec![[0; 3]] };
        let before = window.before(axis, *length, *out);
        let all = (0..*out).flat_map(|o| (0..window.kernel[axis]).map(move |k| (o, k)));
        let seen = all.filter_map(|(o, k)| {
            let place = (o * window.stride[axis] + k * window.dilation[axis]).checked_sub(before)?;
            (place < *length).then_some([o, place, k])
        });
        seen.collect()
    };
    let columns = along(1);
    let [out_width, in_width] = [output, input].map(|axes| axes.get(1).copied().unwrap_or(1));
    let kernel_width = if input.len() > 1 { window.kernel[1] } else { 1 };
    let mut taps: Vec<Tap> = along(0)
        .into_iter()
        .flat_map(|row| {
            columns.iter().map(move |column| Tap {
                output: row[0] * out_width + column[0],
                input: row[1] * in_width + column[1],
                kernel: row[2] * kernel_width + column[2],
            })
        })
        .collect();
    taps.sort_unstable_by_key(|tap| (tap.output, tap.kernel));
    taps
}

/// `positions` rows of the bias, or of zeros.
fn start(params: &[Vec<f64>], positions: usize, channels: usize) -> Vec<f64> {
    params.get(1).map_or_else(|| vec![0.0; positions * channels], |bias| bias.repeat(positions))
}

/// The gradient of a bias: dL/dy summed over positions.
fn bias_gradient(params: &[Vec<f64>], dy: &[f64]) -> Option<Vec<f64>> {
    let bias = params.get(1)?;
    let mut gradient = vec![0.0; bias.len()];
    for row in dy.chunks_exact(bias.len()) {
        gradient.iter_mut().zip(row).for_each(|(gradient, dy)| *gradient += dy);
    }
    Some(gradient)
}

/// `y[j] = b[j] + Σ_i x[i] w[i][j]`.
pub(super) fn dense(params: &[Vec<f64>], x: &[f64]) -> Step {
    let outputs = params[0].len() / x.len();
    let mut y = start(params, 1, outputs);
    for (x, w) in x.iter().zip(params[0].chunks_exact(outputs)) {
        y.iter_mut().zip(w).for_each(|(y, w)| *y += x * w);
    }
    Step { y, ..Step::default() }
}

/// `dL/dw[i][j] = x[i] dL/dy[j]`, `dL/db[j] = dL/dy[j]`, `dL/dx[i] = Σ_j w[i][j] dL/dy[j]`.
pub(super) fn dense_backward(params: &[Vec<f64>], x: &[f64], dy: &[f64]) -> Gradients {
    let dw = x.iter().flat_map(|x| dy.iter().map(move |dy| x * dy)).collect();
    let dx = params[0].chunks_exact(dy.len()).map(|w| w.iter().zip(dy).map(|(w, dy)| w * dy).sum()).collect();
    (dx, [dw].into_iter().chain(bias_gradient(params, dy)).collect(), Vec::new())
}

/// `y[o][j] = b[j] + Σ_k Σ_i x[o+k][i] w[k][i][j]`.
pub(super) fn conv(stage: &Stage, taps: &[Tap], params: &[Vec<f64>], x: &[f64]) -> Step {
    let (inputs, outputs) = (stage.input.channels(), stage.output.channels());
    let mut y = start(params, stage.output.count() / outputs, outputs);
    for tap in taps {
        let y = &mut y[tap.output * outputs..][..outputs];
        for i in 0..inputs {
            let x = x[tap.input * inputs + i];
            let w = &params[0][(tap.kernel * inputs + i) * outputs..][..outputs];
            y.iter_mut().zip(w).for_each(|(y, w)| *y += x * w);
        }
    }
    Step { y, ..Step::default() }
}

/// The same sums, with x and w in turn replaced by dL/dy.
pub(super) fn conv_backward(stage: &Stage, taps: &[Tap], params: &[Vec<f64>], x: &[f64], dy: &[f64]) -> Gradients {
    let (inputs, outputs) = (stage.input.channels(), stage.output.channels());
    let (mut dw, mut dx) = (vec![0.0; params[0].len()], vec![0.0; x.len()]);
    for tap in taps {
        let dy = &dy[tap.output * outputs..][..outputs];
        for i in 0..inputs {
            let (at, place) = (tap.input * inputs + i, (tap.kernel * inputs + i) * outputs);
            let (w, dw) = (&params[0][place..][..outputs], &mut dw[place..][..outputs]);
            dw.iter_mut().zip(dy).for_each(|(dw, dy)| *dw += x[at] * dy);
            dx[at] += w.iter().zip(dy).map(|(w, dy)| w * dy).sum::<f64>();
        }
    }
    (dx, [dw].into_iter().chain(bias_gradient(params, dy)).collect(), Vec::new())
}

/// `y[o][c] = b[c] + Σ_k x[o+k][c] w[k][c]`.
pub(super) fn depthwise(stage: &Stage, taps: &[Tap], params: &[Vec<f64>], x: &[f64]) -> Step {
    let channels = stage.input.channels();
    let mut y = start(params, stage.output.count() / channels, channels);
    for tap in taps {
        for c in 0..channels {
            y[tap.output * channels + c] += x[tap.input * channels + c] * params[0][tap.kernel * channels + c];
        }
    }
    Step { y, ..Step::default() }
}

pub(super) fn depthwise_backward(stage: &Stage, taps: &[Tap], params: &[Vec<f64>], x: &[f64], dy: &[f64]) -> Gradients {
    let channels = stage.input.channels();
    let (mut dw, mut dx) = (vec![0.0; params[0].len()], vec![0.0; x.len()]);
    for tap in taps {
        for c in 0..channels {
            let (at, place, dy) = (tap.input * channels + c, tap.kernel * channels + c, dy[tap.output * channels + c]);
            dw[place] += x[at] * dy;
            dx[at] += params[0][place] * dy;
        }
    }
    (dx, [dw].into_iter().chain(bias_gradient(params, dy)).collect(), Vec::new())
}

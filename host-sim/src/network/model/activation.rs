//! Activation functions and their derivatives.

use super::super::{Activation, Stage};
use super::{Gradients, Named, Step};

/// 1 / (1 + e^-x).
pub(super) fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

/// ln(1 + e^x).
pub(super) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Selu's constants: scale, and alpha.
const SELU: [f64; 2] = [1.050_700_987_355_480_5, 1.673_263_242_354_377_2];

/// f(x).
fn value(function: Activation, x: f64) -> f64 {
    match function {
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::LeakyRelu { slope } => {
            if x > 0.0 {
                x
            } else {
                f64::from(slope) * x
            }
        }
        Activation::Sigmoid => sigmoid(x),
        Activation::Tanh => x.tanh(),
        Activation::Elu => {
            if x > 0.0 {
                x
            } else {
                x.exp_m1()
            }
        }
        Activation::Selu => SELU[0] * if x > 0.0 { x } else { SELU[1] * x.exp_m1() },
        Activation::Gelu => x * normal(x),
        Activation::Silu => x * sigmoid(x),
        Activation::Mish => x * softplus(x).tanh(),
        Activation::Softplus => softplus(x),
        Activation::Softsign => x / (1.0 + x.abs()),
        Activation::HardSigmoid => (x / 6.0 + 0.5).clamp(0.0, 1.0),
        Activation::HardSwish => x * ((x + 3.0) / 6.0).clamp(0.0, 1.0),
        Activation::Softmax | Activation::LogSoftmax => x,
    }
}

/// f'(x); at a kink, what the learner takes.
fn slope(function: Activation, x: f64) -> f64 {
    let step = |open: bool| f64::from(u8::from(open));
    match function {
        Activation::Relu => step(x > 0.0),
        Activation::Relu6 => step(x > 0.0 && x < 6.0),
        Activation::LeakyRelu { slope } => {
            if x > 0.0 {
                1.0
            } else {
                f64::from(slope)
            }
        }
        Activation::Sigmoid => sigmoid(x) * sigmoid(-x),
        Activation::Tanh => 1.0 - x.tanh() * x.tanh(),
        Activation::Elu => {
            if x > 0.0 {
                1.0
            } else {
                x.exp()
            }
        }
        Activation::Selu => SELU[0] * if x > 0.0 { 1.0 } else { SELU[1] * x.exp() },
        Activation::Gelu => normal(x) + x * (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt(),
        Activation::Silu => sigmoid(x) * (1.0 + x * sigmoid(-x)),
        Activation::Mish => {
            let t = softplus(x).tanh();
            t + x * (1.0 - t * t) * sigmoid(x)
        }
        Activation::Softplus => sigmoid(x),
        Activation::Softsign => (1.0 + x.abs()).powi(-2),
        Activation::HardSigmoid => step(x > -3.0 && x < 3.0) / 6.0,
        Activation::HardSwish if x <= -3.0 => 0.0,
        Activation::HardSwish => {
            if x >= 3.0 {
                1.0
            } else {
                x / 3.0 + 0.5
            }
        }
        Activation::Softmax | Activation::LogSoftmax => 1.0,
    }
}

/// The normal distribution, Φ(x).
fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// On which piece of the function x lies; `None` where there are no kinks.
fn branch(function: Activation, x: f64) -> Option<u32> {
    let bounds: &[f64] = match function {
        Activation::Relu | Activation::LeakyRelu { .. } | Activation::Selu => &[0.0],
        Activation::Relu6 => &[0.0, 6.0],
        Activation::HardSigmoid | Activation::HardSwish => &[-3.0, 3.0],
        _ => return None,
    };
    // On a kink is a piece of its own: both sides are others.
    Some(bounds.iter().map(|bound| u32::from(x >= *bound) + u32::from(x > *bound)).sum())
}

/// Softmax of a row.
pub(super) fn softmax(x: &[f64]) -> Vec<f64> {
    let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = x.iter().map(|x| (x - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

pub(super) fn forward(function: Activation, stage: &Stage, x: &[f64]) -> Step {
    let rows = x.chunks_exact(stage.input.channels());
    match function {
        Activation::Softmax => Step { y: rows.flat_map(softmax).collect(), ..Step::default() },
        Activation::LogSoftmax => {
            let row = |x: &[f64]| {
                let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum = largest + x.iter().map(|x| (x - largest).exp()).sum::<f64>().ln();
                x.iter().map(|x| x - sum).collect::<Vec<_>>()
            };
            Step { y: rows.flat_map(row).collect(), ..Step::default() }
        }
        _ => Step {
            y: x.iter().map(|x| value(function, *x)).collect(),
            kept: Vec::new(),
            branches: x.iter().filter_map(|x| branch(function, *x)).collect(),
        },
    }
}

pub(super) fn backward(function: Activation, stage: &Stage, x: &[f64], step: &Step, dy: &[f64]) -> Gradients {
    let channels = stage.input.channels();
    let dx = match function {
        Activation::Softmax | Activation::LogSoftmax => {
            let rows = step.y.chunks_exact(channels).zip(dy.chunks_exact(channels));
            let row = |(y, dy): (&[f64], &[f64])| -> Vec<f64> {
                if function == Activation::Softmax {
                    let sum: f64 = y.iter().zip(dy).map(|(y, dy)| y * dy).sum();
                    y.iter().zip(dy).map(|(y, dy)| y * (dy - sum)).collect()
                } else {
                    let sum: f64 = dy.iter().sum();
                    y.iter().zip(dy).map(|(y, dy)| dy - y.exp() * sum).collect()
                }
            };
            rows.flat_map(row).collect()
        }
        _ => {
            let slopes: Vec<f64> = x.iter().map(|x| slope(function, *x)).collect();
            let dx = slopes.iter().zip(dy).map(|(slope, dy)| slope * dy).collect();
            return (dx, Vec::new(), vec![Named::new("dy/dx", stage.input.axes(), slopes)]);
        }
    };
    (dx, Vec::new(), jacobian(function, step, channels))
}

/// `y = x` if `x > 0`, else `a x`, with a slope `a` a channel or one for all.
pub(super) fn prelu(params: &[Vec<f64>], x: &[f64]) -> Step {
    let slopes = params[0].iter().cycle();
    Step {
        y: x.iter().zip(slopes).map(|(x, slope)| if *x > 0.0 { *x } else { slope * x }).collect(),
        kept: Vec::new(),
        branches: x.iter().filter_map(|x| branch(Activation::Relu, *x)).collect(),
    }
}

/// `dL/da = Σ x dL/dy` over the elements that are not positive.
pub(super) fn prelu_backward(stage: &Stage, params: &[Vec<f64>], x: &[f64], dy: &[f64]) -> Gradients {
    let count = params[0].len();
    let mut gradient = vec![0.0; count];
    for (at, (x, dy)) in x.iter().zip(dy).enumerate().filter(|(_, (x, _))| **x <= 0.0) {
        gradient[at % count] += x * dy;
    }
    let slopes: Vec<f64> =
        x.iter().zip(params[0].iter().cycle()).map(|(x, slope)| if *x > 0.0 { 1.0 } else { *slope }).collect();
    let dx = slopes.iter().zip(dy).map(|(slope, dy)| slope * dy).collect();
    (dx, vec![gradient], vec![Named::new("dy/dx", stage.input.axes(), slopes)])
}

/// The matrix of local derivatives, `dy[i]/dx[j]`, of the first position.
fn jacobian(function: Activation, step: &Step, channels: usize) -> Vec<Named> {
    let y = &step.y[..channels];
    let of = |i: usize, j: usize| {
        let same = f64::from(u8::from(i == j));
        if function == Activation::Softmax { y[i] * (same - y[j]) } else { same - y[j].exp() }
    };
    let values = (0..channels).flat_map(|i| (0..channels).map(move |j| of(i, j))).collect();
    vec![Named::new("dy/dx", &[channels, channels], values)]
}

//! The layers' formulas, as people write them.

use crate::network::{Activation, Cell, Layer};

/// Forward, and the chain rule.
pub(super) const fn of(layer: &Layer) -> (&'static str, &'static str) {
    match layer {
        Layer::Dense { .. } => (
            "y[j] = b[j] + Σ_i x[i] w[i][j]",
            "dL/dw[i][j] = x[i] dL/dy[j];  dL/db[j] = dL/dy[j];  dL/dx[i] = Σ_j w[i][j] dL/dy[j]",
        ),
        Layer::Conv { .. } => (
            "y[o][j] = b[j] + Σ_k Σ_i x[o+k][i] w[k][i][j]",
            "dL/dw[k][i][j] = Σ_o x[o+k][i] dL/dy[o][j];  dL/db[j] = Σ_o dL/dy[o][j];  dL/dx[o+k][i] gathers w[k][i][j] dL/dy[o][j]",
        ),
        Layer::Depthwise { .. } => (
            "y[o][c] = b[c] + Σ_k x[o+k][c] w[k][c]",
            "dL/dw[k][c] = Σ_o x[o+k][c] dL/dy[o][c];  dL/db[c] = Σ_o dL/dy[o][c];  dL/dx[o+k][c] gathers w[k][c] dL/dy[o][c]",
        ),
        Layer::MaxPool { .. } | Layer::GlobalMaxPool => (
            "y[o] = the largest x of the window, each channel by itself (place: where it was)",
            "dL/dy goes to where the largest was; the others get 0",
        ),
        Layer::AveragePool { .. } | Layer::GlobalAveragePool => (
            "y[o] = the mean of the window, each channel by itself",
            "dL/dy is shared out in equal parts: dy/dx = 1 / elements of the window",
        ),
        Layer::Flatten => ("y = x, as a vector", "dL/dx = dL/dy"),
        Layer::Dropout { .. } => (
            "y = x mask; the mask is 0 or 1 / (1 - rate), drawn as the learner draws it for its first sample",
            "dL/dx = mask dL/dy",
        ),
        Layer::BatchNorm { .. } => (
            "n = (x - running_mean) / √(running_var + ε);  y = weight n + bias",
            "dL/dweight = Σ n dL/dy;  dL/dbias = Σ dL/dy;  dL/dx = dL/dy weight / √(running_var + ε): running statistics are constants, \
             which the sample moves by a tenth of the distance from its own",
        ),
        Layer::LayerNorm { .. } => (
            "n = (x - mean) / deviation, over the channels;  y = weight n + bias",
            "dL/dweight = Σ n dL/dy;  dL/dbias = Σ dL/dy;  with d = weight dL/dy: dL/dx = (d - mean(d) - n mean(d n)) / deviation",
        ),
        Layer::Recurrent { cell: Cell::Rnn, .. } => (
            "h' = tanh a,  a = b + x W + h U, from step to step; h = 0 at first",
            "backwards in time: dL/da = dL/dh' (1 - h'²);  dL/dW = Σ x dL/da;  dL/dU = Σ h dL/da;  dL/dx = W dL/da;  dL/dh = U dL/da",
        ),
        Layer::Recurrent { cell: Cell::Gru, .. } => (
            "r, z = σ(b + x W + h U);  q = b_q + h U_n;  n = tanh(b_n + x W_n + r q);  h' = (1 - z) n + z h",
            "backwards in time: da_n = dh' (1 - z) (1 - n²);  da_z = dh' (h - n) z (1 - z);  da_r = da_n q r (1 - r);  dL/dW = Σ x da; \
             dL/dU = Σ h da (of n: r da_n);  dL/dx = W da;  dL/dh = U da + z dh'",
        ),
        Layer::Recurrent { cell: Cell::Lstm, .. } => (
            "i, f, o = σ(b + x W + h U);  g = tanh(b + x W + h U);  c' = f c + i g;  h' = o tanh c'",
            "backwards in time: da_o = dh' tanh c' o (1 - o);  dc' += dh' o (1 - tanh² c');  da_i = dc' g i (1 - i);  \
             da_f = dc' c f (1 - f);  da_g = dc' i (1 - g²);  dc = dc' f;  dL/dW = Σ x da;  dL/dU = Σ h da;  dL/dx = W da;  dL/dh = U da",
        ),
        Layer::Residual { .. } => (
            "y = x + shortcut: x is what the branch F gives, the shortcut is what F takes, or its projection P",
            "dL/dx = dL/dy, and the same for the shortcut",
        ),
        Layer::PRelu { .. } => (
            "y = x if x > 0, else a x, with a slope a (weight) that is learned",
            "dL/da = Σ x dL/dy where x <= 0;  dL/dx = dL/dy dy/dx, with dy/dx = 1 if x > 0, else a",
        ),
        Layer::Keep => ("y = x, a copy", "dL/dx = dL/dy"),
        Layer::Activation(function) => (activation(*function), chain(*function)),
    }
}

const fn activation(function: Activation) -> &'static str {
    match function {
        Activation::Relu => "y = max(x, 0)",
        Activation::Relu6 => "y = min(max(x, 0), 6)",
        Activation::LeakyRelu { .. } => "y = x if x > 0, else slope x",
        Activation::Sigmoid => "y = σ(x) = 1 / (1 + e^-x)",
        Activation::Tanh => "y = tanh x",
        Activation::Elu => "y = x if x > 0, else e^x - 1",
        Activation::Selu => "y = λ x if x > 0, else λ α (e^x - 1)",
        Activation::Gelu => "y = x Φ(x), with the normal distribution Φ",
        Activation::Silu => "y = x σ(x)",
        Activation::Mish => "y = x tanh(ln(1 + e^x))",
        Activation::Softplus => "y = ln(1 + e^x)",
        Activation::Softsign => "y = x / (1 + |x|)",
        Activation::HardSigmoid => "y = x / 6 + 1/2, held between 0 and 1",
        Activation::HardSwish => "y = x h, with h = x / 6 + 1/2, held between 0 and 1",
        Activation::Softmax => "y[j] = e^x[j] / Σ_k e^x[k]",
        Activation::LogSoftmax => "y[j] = x[j] - ln Σ_k e^x[k]",
    }
}

const fn chain(function: Activation) -> &'static str {
    match function {
        Activation::Relu => "dL/dx = dL/dy dy/dx, with dy/dx = 1 if x > 0, else 0: a closed gate lets nothing back",
        Activation::Relu6 => "dL/dx = dL/dy dy/dx, with dy/dx = 1 if 0 < x < 6, else 0",
        Activation::LeakyRelu { .. } => "dL/dx = dL/dy dy/dx, with dy/dx = 1 if x > 0, else slope",
        Activation::Sigmoid => "dL/dx = dL/dy dy/dx, with dy/dx = y (1 - y)",
        Activation::Tanh => "dL/dx = dL/dy dy/dx, with dy/dx = 1 - y²",
        Activation::Elu => "dL/dx = dL/dy dy/dx, with dy/dx = 1 if x > 0, else e^x",
        Activation::Selu => "dL/dx = dL/dy dy/dx, with dy/dx = λ if x > 0, else λ α e^x",
        Activation::Gelu => "dL/dx = dL/dy dy/dx, with dy/dx = Φ(x) + x φ(x)",
        Activation::Silu => "dL/dx = dL/dy dy/dx, with dy/dx = σ(x) (1 + x (1 - σ(x)))",
        Activation::Mish => "dL/dx = dL/dy dy/dx, with t = tanh(ln(1 + e^x)): dy/dx = t + x (1 - t²) σ(x)",
        Activation::Softplus => "dL/dx = dL/dy dy/dx, with dy/dx = σ(x)",
        Activation::Softsign => "dL/dx = dL/dy dy/dx, with dy/dx = 1 / (1 + |x|)²",
        Activation::HardSigmoid => "dL/dx = dL/dy dy/dx, with dy/dx = 1/6 if -3 < x < 3, else 0",
        Activation::HardSwish => "dL/dx = dL/dy dy/dx, with dy/dx = x / 3 + 1/2 if -3 < x < 3, 0 below, 1 above",
        Activation::Softmax => {
            "each y depends on each x: dy[i]/dx[j] = y[i] ([i = j] - y[j]);  dL/dx[j] = y[j] (dL/dy[j] - Σ_k dL/dy[k] y[k])"
        }
        Activation::LogSoftmax => {
            "each y depends on each x: dy[i]/dx[j] = [i = j] - e^y[j];  dL/dx[j] = dL/dy[j] - e^y[j] Σ_k dL/dy[k]"
        }
    }
}

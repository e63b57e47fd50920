//! A network as a PyTorch module, whose `state_dict` has the names that an export has.

use std::fmt::Write;

use super::naming::places;
use crate::network::window::Window;
use crate::network::{Activation, Cell, Layer, Network, Padding, Stage};

/// Modules that PyTorch has no name for. They are subclasses, so that the names of parameters stay.
const LAST: &str = "
class Last(nn.Module):
    \"\"\"The state after the last step of a recurrent module.\"\"\"

    def forward(self, x):
        return super().forward(x.transpose(1, 2))[0][:, -1]
";
const STEPS: &str = "
class Steps(nn.Module):
    \"\"\"The states after all steps of a recurrent module, channels first.\"\"\"

    def forward(self, x):
        return super().forward(x.transpose(1, 2))[0].transpose(1, 2)
";
const CHANNEL_NORM: &str = "
class ChannelNorm(nn.LayerNorm):
    \"\"\"Normalises the channels of each position.\"\"\"

    def forward(self, x):
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)
";

/// A Python module that defines `model`, an `nn.Sequential`: it takes `[batch][channel][position]..`, as PyTorch does.
#[must_use]
pub fn module(network: &Network) -> String {
    let stages = network.stages();
    let recurrent = |cell: Cell, sequence: bool| {
        let has = |stage: &Stage| matches!(stage.layer, Layer::Recurrent { cell: c, sequence: s, .. } if c == cell && s == sequence);
        stages.iter().any(has)
    };
    let mut source = format!("\"\"\"{network}\"\"\"\n\nfrom torch import nn\n\n");
    for (sequence, class) in [(false, LAST), (true, STEPS)] {
        let cells: Vec<_> =
            [Cell::Rnn, Cell::Gru, Cell::Lstm].into_iter().filter(|c| recurrent(*c, sequence)).collect();
        if cells.is_empty() {
            continue;
        }
        let prefix = prefix(sequence);
        let _ = writeln!(source, "{class}");
        for cell in cells {
            let name = cell.name().to_uppercase();
            let _ = writeln!(source, "\nclass {prefix}{name}({prefix}, nn.{name}):\n    pass\n");
        }
    }
    let normalises =
        |stage: &Stage| matches!(stage.layer, Layer::LayerNorm { .. }) && !stage.input.positions().is_empty();
    if stages.iter().any(normalises) {
        let _ = writeln!(source, "{CHANNEL_NORM}");
    }
    let _ = writeln!(source, "\nmodel = nn.Sequential(");
    for (index, line) in stages.iter().flat_map(modules).enumerate() {
        let _ = writeln!(source, "    {line},  # {index}");
    }
    source.push_str(")\n");
    source
}

/// What the parameters of each stage are called before the dot: the number of its module.
pub(crate) fn names(network: &Network) -> Vec<String> {
    let mut next = 0;
    let stages = places(network).into_iter().map(|place| {
        let modules = modules(place.stage);
        // Padding comes before what has the parameters.
        let own = modules.iter().position(|module| !module.starts_with("nn.ConstantPad")).unwrap_or(0);
        let name = (next + own).to_string();
        next += modules.len();
        name
    });
    stages.collect()
}

const fn prefix(sequence: bool) -> &'static str {
    if sequence { "Steps" } else { "Last" }
}

/// The modules of a stage, as Python expressions.
fn modules(stage: &Stage) -> Vec<String> {
    let (input, channels) = (&stage.input, stage.input.channels());
    let axes = input.positions().len();
    let bias = |bias: &bool| if *bias { "" } else { ", bias=False" };
    match &stage.layer {
        Layer::Dense { outputs, bias: has } => {
            vec![format!("nn.Linear({}, {outputs}{})", input.count(), bias(has))]
        }
        Layer::Conv { outputs, window, bias: has, .. } => windowed(stage, window, |padding| {
            let (kernel, rest) = convolution(window, axes);
            format!("nn.Conv{axes}d({channels}, {outputs}, {kernel}{rest}{padding}{})", bias(has))
        }),
        Layer::Depthwise { window, bias: has } => windowed(stage, window, |padding| {
            let (kernel, rest) = convolution(window, axes);
            format!("nn.Conv{axes}d({channels}, {channels}, {kernel}{rest}{padding}, groups={channels}{})", bias(has))
        }),
        Layer::MaxPool { window } => {
            let pool = format!("nn.MaxPool{axes}d({}, {})", size(window.kernel, axes), size(window.stride, axes));
            padded(stage, window, "float(\"-inf\")").into_iter().chain([pool]).collect()
        }
        Layer::AveragePool { window } => {
            let sides = window_sides(stage, window);
            let (kernel, stride) = (size(window.kernel, axes), size(window.stride, axes));
            let halves: Vec<_> = sides.iter().map(|(before, _)| *before).collect();
            vec![format!(
                "nn.AvgPool{axes}d({kernel}, {stride}, padding={}, ceil_mode={}, count_include_pad=False)",
                tuple(&halves),
                if sides.iter().any(|(before, after)| after > before) { "True" } else { "False" }
            )]
        }
        Layer::GlobalMaxPool => vec![format!("nn.AdaptiveMaxPool{axes}d(1)"), "nn.Flatten()".into()],
        Layer::GlobalAveragePool => vec![format!("nn.AdaptiveAvgPool{axes}d(1)"), "nn.Flatten()".into()],
        Layer::Flatten => vec!["nn.Flatten()".into()],
        Layer::Activation(activation) => vec![function(*activation)],
        Layer::Dropout { rate } => vec![format!("nn.Dropout({rate})")],
        Layer::BatchNorm { epsilon } => {
            vec![format!("nn.BatchNorm{}d({channels}, eps={epsilon:?})", axes.max(1))]
        }
        Layer::LayerNorm { epsilon } => {
            let class = if axes == 0 { "nn.LayerNorm" } else { "ChannelNorm" };
            vec![format!("{class}({channels}, eps={epsilon:?})")]
        }
        Layer::Recurrent { cell, hidden, sequence, bias: has } => {
            let (prefix, name) = (prefix(*sequence), cell.name().to_uppercase());
            vec![format!("{prefix}{name}({channels}, {hidden}, batch_first=True{})", bias(has))]
        }
    }
}

fn function(activation: Activation) -> String {
    match activation {
        Activation::Relu => "nn.ReLU()".into(),
        Activation::Relu6 => "nn.ReLU6()".into(),
        Activation::LeakyRelu { slope } => format!("nn.LeakyReLU({slope:?})"),
        Activation::Elu => "nn.ELU()".into(),
        Activation::Selu => "nn.SELU()".into(),
        Activation::Gelu => "nn.GELU()".into(),
        Activation::Silu => "nn.SiLU()".into(),
        Activation::HardSigmoid => "nn.Hardsigmoid()".into(),
        Activation::HardSwish => "nn.Hardswish()".into(),
        // The channels: the second axis, behind the batch.
        Activation::Softmax => "nn.Softmax(dim=1)".into(),
        Activation::LogSoftmax => "nn.LogSoftmax(dim=1)".into(),
        Activation::Sigmoid | Activation::Tanh | Activation::Mish | Activation::Softplus | Activation::Softsign => {
            format!("nn.{}()", activation.name())
        }
    }
}

/// Kernel, and stride and dilation where they are not 1.
fn convolution(window: &Window, axes: usize) -> (String, String) {
    let one = |name: &str, value: [usize; 2]| {
        if value[..axes].iter().all(|value| *value == 1) {
            String::new()
        } else {
            format!(", {name}={}", size(value, axes))
        }
    };
    let rest = one("stride", window.stride) + &one("dilation", window.dilation);
    (size(window.kernel, axes), rest)
}

/// A module with zeros around its input, itself or by a module before it.
fn windowed(stage: &Stage, window: &Window, module: impl Fn(&str) -> String) -> Vec<String> {
    let sides = window_sides(stage, window);
    if sides.iter().all(|(before, after)| before == after) {
        let halves: Vec<_> = sides.iter().map(|(before, _)| *before).collect();
        let padding =
            if halves.iter().all(|half| *half == 0) { String::new() } else { format!(", padding={}", tuple(&halves)) };
        return vec![module(&padding)];
    }
    padded(stage, window, "0.0").into_iter().chain([module("")]).collect()
}

fn padded(stage: &Stage, window: &Window, value: &str) -> Option<String> {
    let sides = window_sides(stage, window);
    // The last axis first.
    let numbers: Vec<_> = sides.iter().rev().flat_map(|(before, after)| [*before, *after]).collect();
    let is_needed = numbers.iter().any(|number| *number > 0);
    is_needed.then(|| format!("nn.ConstantPad{}d({}, {value})", sides.len(), tuple(&numbers)))
}

/// Padding before and behind each axis. What the window does not reach is cut off by a convolution anyway.
pub(crate) fn window_sides(stage: &Stage, window: &Window) -> Vec<(usize, usize)> {
    let lengths = stage.input.positions().iter().zip(stage.output.positions()).enumerate();
    let sides = lengths.map(|(axis, (input, output))| match window.padding {
        Padding::Valid => (0, 0),
        Padding::Same | Padding::Explicit { .. } => {
            (window.before(axis, *input, *output), window.after(axis, *input, *output))
        }
    });
    sides.collect()
}

fn size(size: [usize; 2], axes: usize) -> String {
    if axes < 2 || size[0] == size[1] { size[0].to_string() } else { format!("({}, {})", size[0], size[1]) }
}

fn tuple(numbers: &[usize]) -> String {
    match numbers {
        [number] => number.to_string(),
        numbers => format!("({})", numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_named_by_the_modules_that_hold_them() {
        let line = "3x16 conv1d(4,3,2,padding=0:1) relu globalaveragepool dense(2)";
        let network = Network::from_line(line).unwrap();
        // 0 pads, 1 is the convolution, 2 ReLU, 3 and 4 pool, 5 is dense.
        assert_eq!(names(&network), ["1", "2", "3", "5"]);
        let source = module(&network);
        assert!(source.contains("nn.ConstantPad1d((0, 1), 0.0),  # 0\n"), "{source}");
        assert!(source.contains("nn.Linear(4, 2),  # 5\n"), "{source}");
    }
}

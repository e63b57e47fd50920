//! A network as a PyTorch module, whose `state_dict` has the names that an export has.

use std::fmt::Write;

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

const RESIDUAL: &str = "
class Residual(nn.Sequential):
    \"\"\"What a branch gives, and its input.\"\"\"

    def forward(self, x):
        return super().forward(x) + x
";
const RESIDUAL_PROJECTION: &str = "
class ResidualProjection(nn.Sequential):
    \"\"\"What a branch and a projection give.\"\"\"

    def forward(self, x):
        branch, projection = self
        return branch(x) + projection(x)
";

/// A Python module that defines `model`, an `nn.Sequential`: it takes `[batch][channel][position]..`, as PyTorch does.
#[must_use]
pub fn module(network: &Network) -> String {
    let nodes = network.nodes();
    let has = |wanted: &dyn Fn(&Stage) -> bool| nodes.iter().any(|node| wanted(&node.stage));
    let recurrent = |cell: Cell, sequence: bool| {
        has(&|stage| matches!(stage.layer, Layer::Recurrent { cell: c, sequence: s, .. } if c == cell && s == sequence))
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
    if has(&normalises) {
        let _ = writeln!(source, "{CHANNEL_NORM}");
    }
    for (name, class) in [("Residual", RESIDUAL), ("ResidualProjection", RESIDUAL_PROJECTION)] {
        if has(&|stage| stage.layer.name(&stage.input) == name) {
            let _ = writeln!(source, "{class}");
        }
    }
    source.push_str("\nmodel = nn.Sequential(\n");
    sequence(&mut source, network.stages(), "", "    ");
    source.push_str(")\n");
    source
}

/// Writes the modules of stages, a line each, with what they are called behind it; `before` stands before the number of each.
fn sequence(source: &mut String, stages: &[Stage], before: &str, indent: &str) {
    let mut next = 0;
    let inner = format!("{indent}    ");
    for stage in stages {
        let [branch, projection] = stage.parts();
        if branch.is_empty() {
            for module in modules(stage) {
                let _ = writeln!(source, "{indent}{module},  # {before}{next}");
                next += 1;
            }
            continue;
        }
        let own = format!("{before}{next}");
        next += 1;
        let _ = writeln!(source, "{indent}{}(", stage.layer.name(&stage.input));
        if projection.is_empty() {
            sequence(source, &branch, &format!("{own}."), &inner);
        } else {
            for (index, part) in [branch, projection].iter().enumerate() {
                let _ = writeln!(source, "{inner}nn.Sequential(");
                sequence(source, part, &format!("{own}.{index}."), &format!("{inner}    "));
                let _ = writeln!(source, "{inner}),  # {own}.{index}");
            }
        }
        let _ = writeln!(source, "{indent}),  # {own}");
    }
}

/// What the parameters of each node are called before the dot: the number of its module, behind those that it lies in.
pub(crate) fn names(network: &Network) -> Vec<String> {
    let mut names = Vec::new();
    add_names(&mut names, network.stages(), "");
    names
}

fn add_names(names: &mut Vec<String>, stages: &[Stage], before: &str) {
    let mut next = 0;
    for stage in stages {
        let [branch, projection] = stage.parts();
        let own = format!("{before}{next}");
        if branch.is_empty() {
            let modules = modules(stage);
            // Padding comes before what has the parameters.
            let padding = modules.iter().position(|module| !module.starts_with("nn.ConstantPad")).unwrap_or(0);
            names.push(format!("{before}{}", next + padding));
            next += modules.len();
            continue;
        }
        if projection.is_empty() {
            add_names(names, &branch, &format!("{own}."));
        } else {
            add_names(names, &branch, &format!("{own}.0."));
            add_names(names, &projection, &format!("{own}.1."));
        }
        names.push(own);
        next += 1;
    }
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
        Layer::PRelu { shared: true } => vec!["nn.PReLU()".into()],
        Layer::PRelu { shared: false } => vec![format!("nn.PReLU({channels})")],
        // What lies within has modules of its own, and PyTorch needs no copies.
        Layer::Residual { .. } | Layer::Keep => Vec::new(),
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

    #[test]
    fn residual_connections_are_modules_of_modules() {
        let line = "2x8 residual(relu conv1d(2,3,padding=0:2)) residual(conv1d(4,3,2,padding=1) tanh | conv1d(4,1,2)) dense(2)";
        let network = Network::from_line(line).unwrap();
        // Keep has no module; nodes are: keep, relu, conv1d, sum, conv1d, tanh, conv1d, sum, flatten, dense.
        let expected = ["0.0", "0.0", "0.2", "0", "1.0.0", "1.0.1", "1.1.0", "1", "2", "3"];
        assert_eq!(names(&network), expected);
        let source = module(&network);
        for words in
            ["class Residual(", "class ResidualProjection(", "# 0.2\n    ),  # 0\n", "2, 4, 1, stride=2),  # 1.1.0\n"]
        {
            assert!(source.contains(words), "{words} in {source}");
        }
    }
}

//! A network as Rust: the type of the learner, and a constant of it.

use super::function::Activation;
use super::layer::Layer;
use super::window::Window;
use super::{LONGEST_TUPLE, Network, Shape, Stage};

impl Shape {
    /// The learner's type of it: `Vector<64>`, `Signal<100, 3>` (steps, channels), `Image<28, 28, 1>`.
    #[must_use]
    pub fn rust_type(&self) -> String {
        let lengths: Vec<_> = self.axes().iter().map(ToString::to_string).collect();
        let name = match lengths.len() {
            1 => "Vector",
            2 => "Signal",
            _ => "Image",
        };
        format!("{name}<{}>", lengths.join(", "))
    }
}

impl Stage {
    /// The layer's type: `Dense<10>`.
    #[must_use]
    pub fn rust_type(&self) -> String {
        let name = self.layer.name(&self.input);
        let arguments = match &self.layer {
            Layer::Dense { outputs, bias } => list([outputs.to_string()], (!bias).then_some("NoBias")),
            Layer::Conv { window, bias, .. } | Layer::Depthwise { window, bias } => self.windowed(window, *bias),
            Layer::MaxPool { window } | Layer::AveragePool { window } => self.pooled(window),
            Layer::Flatten => list([self.output.count().to_string()], None),
            Layer::Recurrent { hidden, sequence, bias, .. } => match (sequence, bias) {
                (false, true) => list([hidden.to_string()], None),
                (true, true) => list([hidden.to_string()], Some("Sequence")),
                (sequence, false) => {
                    let returned = if *sequence { "Sequence" } else { "Last" };
                    list([hidden.to_string(), returned.into()], Some("NoBias"))
                }
            },
            Layer::Residual { .. } => {
                let [branch, projection] = self.parts();
                let parts = [branch, projection].into_iter().filter(|part| !part.is_empty());
                list(parts.map(|part| within(&part, Self::rust_type)), None)
            }
            Layer::PRelu { shared: true } => list([], Some("Shared")),
            Layer::PRelu { shared: false }
            | Layer::Keep
            | Layer::GlobalMaxPool
            | Layer::GlobalAveragePool
            | Layer::Activation(_)
            | Layer::Dropout { .. }
            | Layer::BatchNorm { .. }
            | Layer::LayerNorm { .. } => String::new(),
        };
        format!("{name}{arguments}")
    }

    /// An expression for the layer: `Dense::new()`.
    #[must_use]
    pub fn rust_value(&self) -> String {
        let name = self.layer.name(&self.input);
        match &self.layer {
            Layer::Dense { .. } | Layer::MaxPool { .. } | Layer::Recurrent { .. } | Layer::PRelu { .. } => {
                format!("{name}::new()")
            }
            Layer::Conv { window, .. } | Layer::Depthwise { window, .. } | Layer::AveragePool { window } => {
                format!("{name}::new(){}", self.padding(window))
            }
            Layer::Activation(Activation::LeakyRelu { slope }) => format!("{name} {{ slope: {slope:?} }}"),
            // These have settings.
            Layer::Activation(Activation::Elu | Activation::Selu | Activation::Softplus | Activation::HardSigmoid) => {
                format!("{name}::new()")
            }
            Layer::Dropout { rate } => format!("{name}::new({rate:?})"),
            Layer::BatchNorm { epsilon } => format!("{name} {{ epsilon: {epsilon:?}, ..{name}::new() }}"),
            Layer::LayerNorm { epsilon } => format!("{name} {{ epsilon: {epsilon:?} }}"),
            Layer::Residual { .. } => {
                let [branch, projection] = self.parts();
                let parts = [branch, projection].into_iter().filter(|part| !part.is_empty());
                let parts: Vec<_> = parts.map(|part| within(&part, Self::rust_value)).collect();
                format!("{name}({})", parts.join(", "))
            }
            Layer::Flatten | Layer::Keep | Layer::GlobalMaxPool | Layer::GlobalAveragePool | Layer::Activation(_) => {
                name.into()
            }
        }
    }

    /// The names that the type and the value use, to be imported.
    fn names(&self) -> Vec<&'static str> {
        let mut names = vec![self.layer.name(&self.input)];
        match &self.layer {
            Layer::PRelu { shared: true } => names.push("Shared"),
            Layer::Dense { bias, .. } | Layer::Recurrent { bias, .. } if !bias => names.push("NoBias"),
            Layer::Conv { window, bias, .. } | Layer::Depthwise { window, bias } => {
                names.extend((!bias).then_some("NoBias"));
                // Written out where a later argument needs it.
                names.extend((*bias && self.has_extra(window)).then_some("Bias"));
            }
            _ => {}
        }
        if let Layer::Recurrent { sequence, bias, .. } = &self.layer {
            names.extend(sequence.then_some("Sequence").or((!bias).then_some("Last")));
        }
        if matches!(
            self.layer,
            Layer::Conv { .. } | Layer::Depthwise { .. } | Layer::MaxPool { .. } | Layer::AveragePool { .. }
        ) {
            names.push(if self.input.positions().len() == 1 { "Signal" } else { "Image" });
        }
        names
    }

    fn is_flat(&self) -> bool {
        self.input.positions().len() < 2
    }

    /// Whether arguments behind the bias are needed.
    fn has_extra(&self, window: &Window) -> bool {
        let Window { kernel, stride, dilation, .. } = window;
        dilation[0] != 1 || !self.is_flat() && (kernel[0] != kernel[1] || stride[0] != stride[1] || dilation[1] != 1)
    }

    fn windowed(&self, window: &Window, bias: bool) -> String {
        let Window { kernel, stride, dilation, .. } = window;
        let mut arguments = vec![self.output.rust_type(), kernel[0].to_string()];
        let extra = self.has_extra(window);
        if extra || !bias || stride[0] != 1 {
            arguments.push(stride[0].to_string());
        }
        if extra || !bias {
            arguments.push(if bias { "Bias" } else { "NoBias" }.into());
        }
        if extra && self.is_flat() {
            arguments.push(dilation[0].to_string());
        } else if extra {
            arguments.extend([kernel[1], stride[1], dilation[0], dilation[1]].map(|number| number.to_string()));
        }
        list(arguments, None)
    }

    fn pooled(&self, window: &Window) -> String {
        let Window { kernel, stride, .. } = window;
        let mut arguments = vec![self.output.rust_type(), kernel[0].to_string()];
        let oblong = !self.is_flat() && (kernel[0] != kernel[1] || stride[0] != stride[1]);
        if oblong || stride[0] != kernel[0] {
            arguments.push(stride[0].to_string());
        }
        if oblong {
            arguments.extend([kernel[1], stride[1]].map(|number| number.to_string()));
        }
        list(arguments, None)
    }

    /// The padding, where the shapes do not imply it.
    fn padding(&self, window: &Window) -> String {
        let (input, output) = (self.input.positions(), self.output.positions());
        let axes = || input.iter().zip(output).enumerate();
        let before: Vec<_> = axes().map(|(axis, (i, o))| window.before(axis, *i, *o)).collect();
        let implied: Vec<_> = axes().map(|(axis, (i, o))| window.implied(axis, *i, *o)).collect();
        if before.iter().zip(&implied).all(|(before, implied)| Some(*before) == *implied) {
            return String::new();
        }
        // An average pool takes two numbers for a signal too.
        let pool = matches!(self.layer, Layer::AveragePool { .. });
        let numbers = before.iter().copied().chain((pool && before.len() == 1).then_some(0));
        format!(".padding({})", numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(", "))
    }
}

impl Network {
    /// The network's type: `(Dense<32>, Relu, Dense<10>)`.
    #[must_use]
    pub fn rust_type(&self) -> String {
        tuple_of(&self.stages, Stage::rust_type)
    }

    /// A constant expression of that type.
    #[must_use]
    pub fn rust_value(&self) -> String {
        tuple_of(&self.stages, Stage::rust_value)
    }

    /// What `use backpass::{..}` must name for type, value and input, in alphabetical order.
    #[must_use]
    pub fn rust_names(&self) -> Vec<&'static str> {
        let input = match self.input.axes().len() {
            1 => "Vector",
            2 => "Signal",
            _ => "Image",
        };
        let mut names: Vec<_> = self.nodes().iter().flat_map(|node| node.stage.names()).chain([input]).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The parts of a tuple, or of a tuple of tuples.
fn tuple_of(stages: &[Stage], part: impl Fn(&Stage) -> String) -> String {
    let parts: Vec<_> = stages.iter().map(part).collect();
    if parts.len() <= LONGEST_TUPLE {
        return tuple(&parts);
    }
    tuple(&parts.chunks(LONGEST_TUPLE).map(tuple).collect::<Vec<_>>())
}

/// The same of a branch or a projection, where one alone is no tuple.
fn within(stages: &[Stage], part: impl Fn(&Stage) -> String) -> String {
    match stages {
        [stage] => part(stage),
        stages => tuple_of(stages, part),
    }
}

fn tuple(parts: &[String]) -> String {
    match parts {
        [part] => format!("({part},)"),
        parts => format!("({})", parts.join(", ")),
    }
}

fn list(arguments: impl IntoIterator<Item = String>, last: Option<&str>) -> String {
    let arguments: Vec<_> = arguments.into_iter().chain(last.map(Into::into)).collect();
    format!("<{}>", arguments.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_written_as_people_write_them() {
        let network =
            Network::from_line("3x100 conv1d(8,5) relu maxpool(2) gru(4,sequence,bias=no) dense(4,bias=no)").unwrap();
        assert_eq!(
            network.rust_type(),
            "(Conv1d<Signal<96, 8>, 5>, Relu, MaxPool<Signal<48, 8>, 2>, Gru<4, Sequence, NoBias>, Flatten<192>, \
             Dense<4, NoBias>)"
        );
        assert_eq!(network.rust_value(), "(Conv1d::new(), Relu, MaxPool::new(), Gru::new(), Flatten, Dense::new())");
        assert_eq!(network.input().rust_type(), "Signal<100, 3>");
    }

    #[test]
    fn residual_connections_are_tuples_within() {
        let line = "3x8x8 residual(relu conv2d(3,1)) residual(conv2d(4,3,2,padding=1) | conv2d(4,1,2) batchnorm)";
        let network = Network::from_line(line).unwrap();
        assert_eq!(
            network.rust_type(),
            "(Residual<(Keep, Relu, Conv2d<Image<8, 8, 3>, 1>)>, \
             ResidualProjection<Conv2d<Image<4, 4, 4>, 3, 2>, (Conv2d<Image<4, 4, 4>, 1, 2>, BatchNorm)>)"
        );
        assert_eq!(
            network.rust_value(),
            "(Residual((Keep, Relu, Conv2d::new())), \
             ResidualProjection(Conv2d::new().padding(1, 1), (Conv2d::new(), BatchNorm { epsilon: 1e-5, ..BatchNorm::new() })))"
        );
        assert_eq!(
            network.rust_names(),
            ["BatchNorm", "Conv2d", "Image", "Keep", "Relu", "Residual", "ResidualProjection"]
        );
    }

    #[test]
    fn padding_is_written_where_shapes_do_not_imply_it() {
        let value = |line: &str| Network::from_line(line).unwrap().rust_value();
        assert_eq!(value("1x8 conv1d(2,3,2,padding=1)"), "(Conv1d::new().padding(1),)");
        assert_eq!(value("1x8 conv1d(2,3,padding=1)"), "(Conv1d::new(),)");
        assert_eq!(value("1x8x8 conv2d(2,3,2,padding=1)"), "(Conv2d::new().padding(1, 1),)");
        assert_eq!(value("1x8 conv1d(2,3,dilation=2,padding=4:0)"), "(Conv1d::new().padding(4),)");
    }
}

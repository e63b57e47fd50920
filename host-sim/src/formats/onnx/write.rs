//! From a model to a graph.

use prost::Message;

use super::super::layout::Layout;
use super::super::naming::{Framework, Place, places};
use super::super::recurrent;
use super::super::torch::window_sides;
use super::super::{Model, Row};
use super::cell::gates;
use super::proto::{
    self, ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_INTS, Attribute, Dimension, FLOAT, INT64, Length, Node, Tensor,
};
use crate::network::window::Window;
use crate::network::{self, Activation, Cell, Layer, Shape, Value};

/// The version of the operators, and of the format that came with it.
const OPERATOR_SET: i64 = 17;
const IR_VERSION: i64 = 8;

/// The file, and what became of each parameter.
#[must_use]
pub fn write(model: &Model) -> (Vec<u8>, Vec<Row>) {
    let network = &model.network;
    let mut graph = Builder { graph: proto::Graph::default(), rows: Vec::new(), current: "input".into(), next: 0 };
    graph.graph.name = "backpass".into();
    graph.graph.doc_string = network.to_string();
    graph.graph.input.push(value("input", network.input()));
    let nodes = network.nodes();
    let mut values: Vec<String> = Vec::new();
    for ((node, place), arrays) in nodes.iter().zip(places(&nodes)).zip(model.nodes()) {
        let name = |value| match value {
            Value::Sample => "input",
            Value::Node(index) => &values[index],
        };
        graph.current = name(node.input).into();
        match node.shortcut {
            Some(shortcut) => graph.then("Add", &[name(shortcut)], vec![]),
            None => graph.layer(node, &place, arrays),
        }
        values.push(graph.current.clone());
    }
    // The last value is the output, whatever it was called.
    let last = std::mem::take(&mut graph.current);
    let names = graph.graph.node.iter_mut().flat_map(|node| node.output.iter_mut().chain(&mut node.input));
    names.filter(|name| **name == last).for_each(|name| *name = "output".into());
    graph.graph.output.push(value("output", network.output()));
    let file = proto::Model {
        ir_version: IR_VERSION,
        producer_name: "backpass".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        doc_string: String::new(),
        graph: Some(graph.graph),
        opset_import: vec![proto::OperatorSet { domain: String::new(), version: OPERATOR_SET }],
    };
    (file.encode_to_vec(), graph.rows)
}

/// A batch of tensors of a shape, channels first.
fn value(name: &str, shape: &Shape) -> proto::ValueInfo {
    let lengths = std::iter::once(shape.channels()).chain(shape.positions().iter().copied());
    let lengths = lengths.map(|length| Length::Value(length as i64));
    let dim = std::iter::once(Length::Name("batch".into())).chain(lengths);
    let dim = dim.map(|length| Dimension { length: Some(length) }).collect();
    let tensor = proto::TensorType { elem_type: FLOAT, shape: Some(proto::TensorShape { dim }) };
    proto::ValueInfo { name: name.into(), of: Some(proto::Type { tensor: Some(tensor) }) }
}

fn int(name: &str, value: usize) -> Attribute {
    Attribute { name: name.into(), i: Some(value as i64), kind: ATTRIBUTE_INT, ..Attribute::default() }
}

fn minus_one(name: &str) -> Attribute {
    Attribute { i: Some(-1), ..int(name, 0) }
}

fn float(name: &str, value: f32) -> Attribute {
    Attribute { name: name.into(), f: Some(value), kind: ATTRIBUTE_FLOAT, ..Attribute::default() }
}

fn ints(name: &str, values: impl IntoIterator<Item = usize>) -> Attribute {
    let ints = values.into_iter().map(|value| value as i64).collect();
    Attribute { name: name.into(), ints, kind: ATTRIBUTE_INTS, ..Attribute::default() }
}

/// A graph that grows behind its last value.
struct Builder {
    graph: proto::Graph,
    rows: Vec<Row>,
    current: String,
    /// The number of the next value.
    next: usize,
}

impl Builder {
    /// Adds a node that takes these inputs, and gives the name of its output.
    fn node(&mut self, op: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        let output = format!("value.{}", self.next);
        let name = format!("{op}.{}", self.next);
        self.next += 1;
        self.graph.node.push(Node {
            input: inputs.iter().map(|input| (*input).into()).collect(),
            output: vec![output.clone()],
            name,
            op_type: op.into(),
            attribute: attributes,
            domain: String::new(),
        });
        output
    }

    /// Adds a node behind the last value.
    fn then(&mut self, op: &str, others: &[&str], attributes: Vec<Attribute>) {
        let current = self.current.clone();
        self.current = self.node(op, &[&[current.as_str()][..], others].concat(), attributes);
    }

    fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        self.graph.initializer.push(Tensor {
            dims: shape.iter().map(|length| *length as i64).collect(),
            data_type: FLOAT,
            name: name.into(),
            raw_data: Some(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            ..Tensor::default()
        });
    }

    /// A number that formulas use, once.
    fn number(&mut self, name: &'static str, value: f32) -> &'static str {
        if !self.graph.initializer.iter().any(|known| known.name == name) {
            self.floats(name, &[], &[value]);
        }
        name
    }

    /// Axes to be removed.
    fn axes(&mut self, name: &'static str, axis: i64) -> &'static str {
        if !self.graph.initializer.iter().any(|known| known.name == name) {
            self.graph.initializer.push(Tensor {
                dims: vec![1],
                data_type: INT64,
                name: name.into(),
                raw_data: Some(axis.to_le_bytes().to_vec()),
                ..Tensor::default()
            });
        }
        name
    }

    fn layer(&mut self, node: &network::Node, place: &Place<'_>, arrays: &[Vec<f32>]) {
        let (layer, input) = (&node.stage.layer, &node.stage.input);
        if let Layer::Recurrent { cell, hidden, sequence, .. } = *layer {
            self.recurrent(node, (cell, hidden, sequence), arrays);
            return;
        }
        let entries = Framework::PyTorch.entries(place);
        let parameters = node.parameters();
        let values = Framework::PyTorch.write(place, &entries, arrays);
        let mut names = Vec::new();
        for (entry, values) in entries.iter().zip(&values) {
            let tensor = format!("{}.{}", node.name(), entry.leaves[0]);
            let mut entry = entry.clone();
            // Slopes stand over the channels, before the positions.
            if layer == &(Layer::PRelu { shared: false }) {
                entry.shape.extend(input.positions().iter().map(|_| 1));
            }
            self.floats(&tensor, &entry.shape, values);
            self.rows.push(Row {
                layer: layer.to_string(),
                parameter: parameters[entry.parameter].name.clone(),
                axes: parameters[entry.parameter].axes.clone(),
                tensor: tensor.clone(),
                shape: entry.shape.clone(),
            });
            names.push(tensor);
        }
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let positions = input.positions().len();
        match layer {
            Layer::Dense { .. } => self.then("Gemm", &names, vec![int("transB", 1)]),
            Layer::Conv { window, .. } => {
                let attributes = windowed(place, window, true);
                self.then("Conv", &names, attributes);
            }
            Layer::Depthwise { window, .. } => {
                let mut attributes = windowed(place, window, true);
                attributes.push(int("group", input.channels()));
                self.then("Conv", &names, attributes);
            }
            Layer::MaxPool { window } => self.then("MaxPool", &[], windowed(place, window, false)),
            Layer::AveragePool { window } => self.then("AveragePool", &[], windowed(place, window, false)),
            Layer::GlobalMaxPool | Layer::GlobalAveragePool => {
                let op = if let Layer::GlobalMaxPool = layer { "GlobalMaxPool" } else { "GlobalAveragePool" };
                self.then(op, &[], vec![]);
                self.then("Flatten", &[], vec![int("axis", 1)]);
            }
            Layer::Flatten => self.then("Flatten", &[], vec![int("axis", 1)]),
            Layer::PRelu { .. } => self.then("PRelu", &names, vec![]),
            Layer::Activation(activation) => self.activation(*activation),
            Layer::Dropout { rate } => {
                let ratio = format!("{}.ratio", node.name());
                self.floats(&ratio, &[], &[*rate]);
                self.then("Dropout", &[&ratio], vec![]);
            }
            Layer::BatchNorm { epsilon } => self.then("BatchNormalization", &names, vec![float("epsilon", *epsilon)]),
            Layer::LayerNorm { epsilon } => {
                // The channels go last, and back.
                let (last, first) = (positions + 1, 1);
                if positions > 0 {
                    let order = std::iter::once(0).chain(2..=last).chain([first]);
                    self.then("Transpose", &[], vec![ints("perm", order)]);
                }
                self.then("LayerNormalization", &names, vec![minus_one("axis"), float("epsilon", *epsilon)]);
                if positions > 0 {
                    let order = [0, last].into_iter().chain(1..last);
                    self.then("Transpose", &[], vec![ints("perm", order)]);
                }
            }
            // Nothing is to be done for a copy.
            Layer::Recurrent { .. } | Layer::Residual { .. } | Layer::Keep => {}
        }
    }

    fn activation(&mut self, activation: Activation) {
        match activation {
            Activation::Relu6 => {
                let (low, high) = (self.number("zero", 0.0), self.number("six", 6.0));
                self.then("Clip", &[low, high], vec![]);
            }
            Activation::LeakyRelu { slope } => self.then("LeakyRelu", &[], vec![float("alpha", slope)]),
            Activation::HardSigmoid => {
                self.then("HardSigmoid", &[], vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)]);
            }
            Activation::Softmax | Activation::LogSoftmax => self.then(activation.name(), &[], vec![int("axis", 1)]),
            // Operators of later versions.
            Activation::Silu => {
                let x = self.current.clone();
                let gate = self.node("Sigmoid", &[&x], vec![]);
                self.then("Mul", &[&gate], vec![]);
            }
            Activation::Mish => {
                let x = self.current.clone();
                let softplus = self.node("Softplus", &[&x], vec![]);
                let gate = self.node("Tanh", &[&softplus], vec![]);
                self.then("Mul", &[&gate], vec![]);
            }
            Activation::Gelu => {
                let x = self.current.clone();
                let root = self.number("root_of_two", std::f32::consts::SQRT_2);
                let (one, half) = (self.number("one", 1.0), self.number("half", 0.5));
                let scaled = self.node("Div", &[&x, root], vec![]);
                let erf = self.node("Erf", &[&scaled], vec![]);
                let gate = self.node("Add", &[&erf, one], vec![]);
                self.then("Mul", &[&gate], vec![]);
                self.then("Mul", &[half], vec![]);
            }
            Activation::Relu
            | Activation::Sigmoid
            | Activation::Tanh
            | Activation::Elu
            | Activation::Selu
            | Activation::Softplus
            | Activation::Softsign
            | Activation::HardSwish => self.then(activation.name(), &[], vec![]),
        }
    }

    fn recurrent(&mut self, node: &network::Node, (cell, hidden, sequence): (Cell, usize, bool), arrays: &[Vec<f32>]) {
        let (layer, channels) = (&node.stage.layer, node.stage.input.channels());
        let rows = cell.gates() * hidden;
        let mut names = Vec::new();
        for (parameter, values) in node.parameters().into_iter().zip(arrays) {
            let from = if names.is_empty() { channels } else { hidden };
            let (shape, values) = if parameter.leaf() == "bias" {
                (vec![1, 2 * rows], recurrent::split(cell, gates(cell), hidden, values).concat())
            } else {
                let layout = Layout::transposed(&[from, cell.gates(), hidden], &[1, 2, 0]).gates(1, gates(cell));
                (vec![1, rows, from], layout.write(values))
            };
            self.floats(&parameter.name, &shape, &values);
            self.rows.push(Row {
                layer: layer.to_string(),
                parameter: parameter.name.clone(),
                axes: parameter.axes,
                tensor: parameter.name.clone(),
                shape,
            });
            names.push(parameter.name);
        }
        // [batch][channel][step] to [step][batch][channel].
        self.then("Transpose", &[], vec![ints("perm", [2, 0, 1])]);
        let mut attributes = vec![int("hidden_size", hidden)];
        if cell == Cell::Gru {
            attributes.push(int("linear_before_reset", 1));
        }
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        self.then(&cell.name().to_uppercase(), &names, attributes);
        if sequence {
            let axes = self.axes("axis_1", 1);
            self.then("Squeeze", &[axes], vec![]);
            self.then("Transpose", &[], vec![ints("perm", [1, 2, 0])]);
        } else {
            // The state after the last step is the second output.
            if let Some(node) = self.graph.node.last_mut() {
                node.output.insert(0, String::new());
            }
            let axes = self.axes("axis_0", 0);
            self.then("Squeeze", &[axes], vec![]);
        }
    }
}

/// Kernel, stride, padding, and for a convolution dilation.
fn windowed(place: &Place<'_>, window: &Window, dilates: bool) -> Vec<Attribute> {
    let axes = place.stage.input.positions().len();
    let of = |size: [usize; 2]| size.into_iter().take(axes);
    let sides = window_sides(place.stage, window);
    let pads = sides.iter().map(|(before, _)| *before).chain(sides.iter().map(|(_, after)| *after));
    let mut attributes =
        vec![ints("kernel_shape", of(window.kernel)), ints("strides", of(window.stride)), ints("pads", pads)];
    if dilates {
        attributes.push(ints("dilations", of(window.dilation)));
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;
    use crate::network::Network;

    /// Numbers that tell every place from every other.
    fn model(line: &str) -> Model {
        let network = Network::from_line(line).unwrap();
        let count = network.parameter_count();
        let values: Vec<_> = (0..count).map(|i| (i * 2654435761 % 10007) as f32 / 5003.0 - 1.0).collect();
        Model::from_flat(network, &values).unwrap()
    }

    #[test]
    fn what_is_written_is_read_again_bit_for_bit() {
        let lines = [
            "64 dense(32) relu dense(10,bias=no) softmax",
            "3x20 conv1d(8,5) relu maxpool(2) flatten dense(6) relu dense(4)",
            "3x20 conv1d(8,5,2,dilation=2,padding=1:3) batchnorm leakyrelu(0.2) depthwise(3,padding=same) averagepool(2) \
             flatten batchnorm(0.001) dropout(0.25) layernorm dense(4)",
            "2x9x7 conv2d(4,3x2,2x1,padding=same) relu6 depthwise(2x1,bias=no) gelu maxpool(2x3) globalaveragepool dense(2) logsoftmax",
            "3x12 gru(5,sequence) layernorm lstm(4,sequence) rnn(3,sequence,bias=no) gru(2) dense(2) tanh",
            "2x6x6 layernorm(0.01) conv2d(3,1) globalmaxpool dense(3) silu dense(3) mish dense(3) hardswish dense(3) \
             hardsigmoid dense(3) softplus dense(3) softsign dense(3) elu dense(3) selu dense(3) sigmoid dense(1)",
            "1x28x28 conv2d(2,5) flatten dense(2)",
            "4x1 conv1d(3,1) lstm(2) dense(1)",
            "2x5x6 conv2d(3,2) prelu depthwise(2) prelu(shared) flatten prelu dense(4) prelu(shared) dense(3) prelu dense(1) prelu",
            "3x8x8 conv2d(4,3,padding=1) relu residual(conv2d(4,3,padding=1) batchnorm relu conv2d(4,3,padding=1) batchnorm) relu \
             residual(conv2d(6,3,2,padding=1) relu conv2d(6,3,padding=1) | conv2d(6,1,2) batchnorm) relu globalaveragepool dense(2)",
            "8 residual(dense(8)) residual(residual(relu dense(8) relu) tanh residual(dense(4) silu | dense(4)) | dense(6) relu dense(4)) \
             residual(gelu dense(4))",
            "3x9 residual(gru(3,sequence) layernorm dropout(0.5)) residual(averagepool(3,1) conv1d(3,1) | conv1d(3,3)) dense(2)",
        ];
        for line in lines {
            let model = model(line);
            let (bytes, rows) = write(&model);
            let back = read(&bytes, None, &|_| Err("no other file".into())).unwrap_or_else(|e| panic!("{line}: {e}"));
            assert_eq!(back.model.network().fingerprint(), model.network().fingerprint(), "{line}");
            let bits = |model: &Model| model.flat().iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&back.model), bits(&model), "{line}");
            assert_eq!(back.rows.len(), rows.len(), "{line}");
            // A second time, the same file.
            let bytes = write(&back.model).0;
            let again = read(&bytes, None, &|_| Err("no other file".into())).unwrap();
            assert!(write(&again.model).0 == bytes, "{line}");
        }
    }
}

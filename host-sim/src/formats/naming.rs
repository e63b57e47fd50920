//! What frameworks call the arrays of a layer, and how they store them.

use super::layout::Layout;
use super::recurrent::{self, AS_THEY_ARE, UPDATE_FIRST};
use crate::network::{Cell, Layer, Node, Shape, Stage, flattened, taken};

/// Whose names and layouts a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[allow(clippy::doc_markdown, reason = "the help shows it as it stands")]
pub enum Framework {
    /// PyTorch: `0.weight`; weights output-major, channels first
    #[value(name = "pytorch")]
    PyTorch,
    /// Keras: `dense/kernel`; weights input-major, channels last, as the learner has them
    Keras,
}

/// A tensor of a layer in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What the last part of its name may be; the first is written.
    pub(crate) leaves: &'static [&'static str],
    /// Which of the stage's parameters it is, or is part of.
    pub(crate) parameter: usize,
    pub(crate) shape: Vec<usize>,
    kind: Kind,
}

/// How an entry becomes a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Whole(Layout),
    /// The bias of a recurrent layer's input: the first of two, or all there is.
    InputBias,
    /// The bias of its hidden state.
    StateBias,
    /// Both, one behind the other.
    BothBiases,
}

/// Where a layer stands among the others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) stage: &'a Stage,
    /// The signal or image of which its input vector was made by a flatten.
    pub(crate) flattened: Option<&'a Shape>,
}

/// All nodes in their places.
pub(crate) fn places(nodes: &[Node]) -> Vec<Place<'_>> {
    let given = flattened(nodes);
    nodes.iter().map(|node| Place { stage: &node.stage, flattened: taken(&given, node.input) }).collect()
}

impl Framework {
    /// The tensors of a stage, in the order of its parameters.
    pub(crate) fn entries(self, place: &Place<'_>) -> Vec<Entry> {
        let Place { stage, flattened } = *place;
        let parameters = stage.layer.parameters(&stage.input, "");
        let whole = |leaves: [&'static [&'static str]; 2], parameter: usize, layout: Layout| Entry {
            leaves: leaves[usize::from(self == Self::Keras)],
            parameter,
            shape: layout.shape.clone(),
            kind: Kind::Whole(layout),
        };
        if let Layer::Recurrent { cell, hidden, bias, .. } = stage.layer {
            return self.recurrent(cell, stage.input.channels(), hidden, bias);
        }
        let vectors: [[&'static [&'static str]; 2]; 4] = match stage.layer {
            Layer::BatchNorm { .. } | Layer::LayerNorm { .. } => [
                [&["weight"], &["gamma"]],
                [&["bias"], &["beta"]],
                [&["running_mean"], &["moving_mean"]],
                [&["running_var"], &["moving_variance"]],
            ],
            Layer::PRelu { .. } => [[&["weight"], &["alpha"]], [&[], &[]], [&[], &[]], [&[], &[]]],
            _ => [[&["weight"], &["kernel", "depthwise_kernel"]], [&["bias"], &["bias"]], [&[], &[]], [&[], &[]]],
        };
        let layouts = parameters.iter().map(|parameter| match (self, flattened, &parameter.axes[..]) {
            // The rows of a flattened signal or image: its channels first.
            (Self::PyTorch, Some(shape), axes) if parameter.leaf() == "weight" && axes.len() == 2 => {
                flat(shape, &[axes[1]])
            }
            // It has no order.
            (_, _, axes) if matches!(stage.layer, Layer::PRelu { shared: true }) => Layout::straight(axes),
            (Self::PyTorch, Some(shape), axes) if !matches!(stage.layer, Layer::Dense { .. }) => {
                flat(shape, &[]).shaped(axes)
            }
            (Self::PyTorch, _, axes) => torch(&stage.layer, axes),
            (Self::Keras, _, axes) => match stage.layer {
                Layer::Depthwise { .. } if axes.len() > 1 => Layout::straight(axes).shaped(&[axes, &[1]].concat()),
                // Shared along the positions.
                Layer::PRelu { shared: false } => {
                    let ones = vec![1; stage.input.positions().len()];
                    Layout::straight(axes).shaped(&[&ones[..], axes].concat())
                }
                _ => Layout::straight(axes),
            },
        });
        layouts.zip(vectors).enumerate().map(|(index, (layout, leaves))| whole(leaves, index, layout)).collect()
    }

    fn recurrent(self, cell: Cell, inputs: usize, hidden: usize, bias: bool) -> Vec<Entry> {
        let rows = cell.gates() * hidden;
        let weight = |leaves, parameter, from: usize| {
            let view = [from, cell.gates(), hidden];
            let layout = match self {
                Self::PyTorch => Layout::transposed(&view, &[1, 2, 0]).shaped(&[rows, from]),
                Self::Keras => Layout::straight(&view).gates(1, self.gates(cell)).shaped(&[from, rows]),
            };
            Entry { leaves, parameter, shape: layout.shape.clone(), kind: Kind::Whole(layout) }
        };
        let biased = |leaves, shape: &[usize], kind| Entry { leaves, parameter: 2, shape: shape.to_vec(), kind };
        let mut entries = match self {
            Self::PyTorch => vec![
                weight(&["weight_ih_l0", "weight_ih"], 0, inputs),
                weight(&["weight_hh_l0", "weight_hh"], 1, hidden),
            ],
            Self::Keras => vec![weight(&["kernel"], 0, inputs), weight(&["recurrent_kernel"], 1, hidden)],
        };
        match self {
            _ if !bias => {}
            Self::PyTorch => entries.extend([
                biased(&["bias_ih_l0", "bias_ih"], &[rows], Kind::InputBias),
                biased(&["bias_hh_l0", "bias_hh"], &[rows], Kind::StateBias),
            ]),
            Self::Keras if cell == Cell::Gru => entries.push(biased(&["bias"], &[2, rows], Kind::BothBiases)),
            Self::Keras => entries.push(biased(&["bias"], &[rows], Kind::InputBias)),
        }
        entries
    }

    const fn gates(self, cell: Cell) -> &'static [usize] {
        match (self, cell) {
            (Self::Keras, Cell::Gru) => UPDATE_FIRST,
            _ => AS_THEY_ARE,
        }
    }

    /// The learner's arrays of a stage from those of its entries.
    pub(crate) fn read(self, place: &Place<'_>, entries: &[Entry], tensors: &[&[f32]]) -> Vec<Vec<f32>> {
        let parameters = place.stage.layer.parameters(&place.stage.input, "");
        let mut arrays = vec![Vec::new(); parameters.len()];
        let (mut input, mut state) = (Vec::new(), Vec::new());
        for (entry, values) in entries.iter().zip(tensors) {
            match &entry.kind {
                Kind::Whole(layout) => arrays[entry.parameter] = layout.read(values),
                Kind::InputBias => input = values.to_vec(),
                Kind::StateBias => state = values.to_vec(),
                Kind::BothBiases => {
                    let (first, second) = values.split_at(values.len() / 2);
                    (input, state) = (first.to_vec(), second.to_vec());
                }
            }
        }
        if let (Layer::Recurrent { cell, hidden, bias: true, .. }, Some(bias)) = (&place.stage.layer, arrays.get_mut(2))
        {
            state.resize(input.len(), 0.0);
            *bias = recurrent::join(*cell, self.gates(*cell), *hidden, &input, &state);
        }
        arrays
    }

    /// The values of each entry of a stage from the learner's arrays.
    pub(crate) fn write(self, place: &Place<'_>, entries: &[Entry], arrays: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let [input, state] = match (&place.stage.layer, arrays) {
            (Layer::Recurrent { cell, hidden, .. }, [_, _, bias]) => {
                recurrent::split(*cell, self.gates(*cell), *hidden, bias)
            }
            _ => [const { Vec::new() }; 2],
        };
        let values = entries.iter().map(|entry| match &entry.kind {
            Kind::Whole(layout) => layout.write(&arrays[entry.parameter]),
            Kind::InputBias => input.clone(),
            Kind::StateBias => state.clone(),
            Kind::BothBiases => [&input[..], &state].concat(),
        });
        values.collect()
    }
}

/// A flattened signal or image, its channels first; what lies behind is then first of all.
fn flat(shape: &Shape, behind: &[usize]) -> Layout {
    let view = [shape.axes(), behind].concat();
    let channels = shape.axes().len() - 1;
    let order: Vec<_> = (channels + 1..view.len()).chain([channels]).chain(0..channels).collect();
    let shape = [behind, &[shape.count()]].concat();
    Layout::transposed(&view, &order).shaped(&shape)
}

/// PyTorch's layout of an array.
fn torch(layer: &Layer, axes: &[usize]) -> Layout {
    match (layer, axes) {
        (Layer::Dense { .. }, [_, _]) => Layout::transposed(axes, &[1, 0]),
        (Layer::Conv { .. }, [_, _, _]) => Layout::transposed(axes, &[2, 1, 0]),
        (Layer::Conv { .. }, [_, _, _, _]) => Layout::transposed(axes, &[3, 2, 0, 1]),
        (Layer::Depthwise { .. }, [kernel, channels]) => {
            Layout::transposed(axes, &[1, 0]).shaped(&[*channels, 1, *kernel])
        }
        (Layer::Depthwise { .. }, [rows, columns, channels]) => {
            Layout::transposed(axes, &[2, 0, 1]).shaped(&[*channels, 1, *rows, *columns])
        }
        _ => Layout::straight(axes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Network;

    fn shapes(framework: Framework, line: &str) -> Vec<(&'static str, Vec<usize>)> {
        let network = Network::from_line(line).unwrap();
        let nodes = network.nodes();
        let entries = places(&nodes).into_iter().flat_map(|place| framework.entries(&place));
        entries.map(|entry| (entry.leaves[0], entry.shape)).collect()
    }

    #[test]
    fn shapes_are_those_of_the_frameworks() {
        let line = "3x9 conv1d(4,5) depthwise(2,bias=no) batchnorm dense(2)";
        let torch = shapes(Framework::PyTorch, line);
        let expected = [
            ("weight", vec![4, 3, 5]),
            ("bias", vec![4]),
            ("weight", vec![4, 1, 2]),
            ("weight", vec![4]),
            ("bias", vec![4]),
            ("running_mean", vec![4]),
            ("running_var", vec![4]),
            ("weight", vec![2, 16]),
            ("bias", vec![2]),
        ];
        assert_eq!(torch, expected);
        let keras = shapes(Framework::Keras, line);
        assert_eq!(keras[0], ("kernel", vec![5, 3, 4]));
        assert_eq!(keras[2], ("kernel", vec![2, 4, 1]));
        assert_eq!(keras[7], ("kernel", vec![16, 2]));
        let gru = shapes(Framework::Keras, "3x9 gru(4)");
        assert_eq!(gru, [("kernel", vec![3, 12]), ("recurrent_kernel", vec![4, 12]), ("bias", vec![2, 12])]);
        let lstm = shapes(Framework::PyTorch, "3x9 lstm(4,bias=no)");
        assert_eq!(lstm, [("weight_ih_l0", vec![16, 3]), ("weight_hh_l0", vec![16, 4])]);
    }

    #[test]
    fn rows_behind_a_flatten_are_channels_first_for_pytorch() {
        // 2 channels of 3 steps: the learner's rows are t0c0 t0c1 t1c0 t1c1 t2c0 t2c1.
        let network = Network::from_line("2x3 flatten relu dense(1,bias=no)").unwrap();
        let nodes = network.nodes();
        let place = places(&nodes).pop().unwrap();
        let entries = Framework::PyTorch.entries(&place);
        let written = Framework::PyTorch.write(&place, &entries, &[vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]]);
        assert_eq!(written, [[0.0, 2.0, 4.0, 1.0, 3.0, 5.0]]);
        let keras = Framework::Keras.entries(&place);
        assert_eq!(Framework::Keras.write(&place, &keras, &[vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]])[0][1], 1.0);
    }

    #[test]
    fn what_is_written_is_read_again_bit_for_bit() {
        for line in [
            "3x4x5 conv2d(2,2x3) prelu depthwise(2x1) flatten batchnorm prelu layernorm prelu(shared) dense(3) batchnorm(0.1) dense(1)",
            "2x8 conv1d(3,3) layernorm gru(2,sequence) lstm(3,sequence) rnn(2,sequence) gru(2,bias=no) dense(1)",
        ] {
            let network = Network::from_line(line).unwrap();
            for framework in [Framework::PyTorch, Framework::Keras] {
                for (index, place) in places(&network.nodes()).iter().enumerate() {
                    let parameters = place.stage.layer.parameters(&place.stage.input, "");
                    let mut next = 0.0;
                    let arrays: Vec<Vec<f32>> = parameters
                        .iter()
                        .map(|parameter| {
                            let numbers = (0..parameter.count()).map(|_| {
                                next += 0.37;
                                next
                            });
                            numbers.collect()
                        })
                        .collect();
                    let entries = framework.entries(place);
                    let written = framework.write(place, &entries, &arrays);
                    for (entry, values) in entries.iter().zip(&written) {
                        assert_eq!(entry.shape.iter().product::<usize>(), values.len());
                    }
                    let tensors: Vec<_> = written.iter().map(|values| &values[..]).collect();
                    assert_eq!(framework.read(place, &entries, &tensors), arrays, "{framework:?} {line} stage {index}");
                }
            }
        }
    }
}

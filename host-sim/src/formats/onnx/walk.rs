//! The way through a graph, from the sample to the output, layer by layer.

use std::collections::{HashMap, HashSet};

use super::super::tensor::shape_text;
use super::super::{Imported, Model, Problems, Row};
use super::constant::{Constant, Data};
use super::fold::fold;
use super::graph::{Graph, Node};
use crate::network::{Layer, Network, Node as NetworkNode, Shape, Stage};

/// What an axis of a tensor in the file is in the learner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axis {
    Batch,
    Channel,
    /// Steps, or rows and columns.
    Position(usize),
    /// An axis of length 1 that means nothing.
    One,
}

/// The signal or image that a vector was made of, and the order in which its axes went.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Flat {
    pub(crate) shape: Shape,
    pub(crate) order: Vec<Axis>,
}

/// A tensor of the file, for the table.
pub(crate) struct Used {
    pub(crate) parameter: usize,
    pub(crate) tensor: String,
    pub(crate) shape: Vec<usize>,
}

pub(crate) struct Taken {
    pub(crate) layer: Layer,
    pub(crate) input: Shape,
    pub(crate) arrays: Vec<Vec<f32>>,
    pub(crate) used: Vec<Used>,
}

/// The way cannot be gone on; why is among the problems.
pub(crate) struct Halt;

/// A way through a graph.
pub(crate) struct Walk<'g> {
    pub(crate) graph: &'g Graph,
    pub(crate) constants: HashMap<String, Constant>,
    /// Values that are computed from constants in a way that is not known here, and by what.
    unknown: HashMap<String, String>,
    /// The value where the way has come to.
    pub(crate) current: String,
    pub(crate) passed: HashSet<String>,
    pub(crate) done: HashSet<usize>,
    /// The lengths of the axes of the values that the way has come to.
    known: HashMap<String, Vec<usize>>,
    /// The nodes whose inputs depend on the sample.
    depends: HashSet<usize>,
    /// Where the way leads along one branch of several: the nodes of that branch, and the value at its end.
    pub(crate) branch: Option<(HashSet<usize>, String)>,
    /// In how many residual connections it is.
    pub(crate) depth: usize,
    /// The last node that it came to.
    reached: usize,
    pub(crate) batch: usize,
    /// What the axes of that value are.
    pub(crate) axes: Vec<Axis>,
    pub(crate) shape: Shape,
    pub(crate) flat: Option<Flat>,
    /// Padding that a node of its own has added: before and behind each position.
    pub(crate) padding: Option<Vec<(usize, usize)>>,
    /// Whether the last layer may still be given a bias by an addition.
    pub(crate) open_bias: bool,
    pub(crate) taken: Vec<Taken>,
    /// Whether a node has found other axes than it takes, so that those of the sample may be others.
    misread: bool,
    pub(crate) problems: Problems,
}

impl<'g> Walk<'g> {
    /// The way that begins with a sample whose axes are these.
    pub(crate) fn new(graph: &'g Graph, axes: Vec<Axis>, lengths: &[usize], shape: Shape) -> Self {
        let batch = axes.iter().zip(lengths).find(|(axis, _)| **axis == Axis::Batch).map_or(1, |(_, length)| *length);
        Self {
            graph,
            constants: graph.constants.clone(),
            unknown: HashMap::new(),
            current: graph.input.clone(),
            passed: HashSet::new(),
            done: HashSet::new(),
            known: HashMap::new(),
            depends: graph.depends(),
            branch: None,
            depth: 0,
            reached: 0,
            batch,
            axes,
            shape,
            flat: None,
            padding: None,
            open_bias: false,
            taken: Vec::new(),
            misread: false,
            problems: Problems::default(),
        }
    }

    /// Goes to the output. Beside the problems: how far it came, and whether the axes were as they should be.
    pub(crate) fn run(mut self) -> Result<Imported, ((usize, bool), Problems)> {
        let start = self.shape.clone();
        if self.follow(None).is_err() {
            return Err(((self.reached, !self.misread), self.problems));
        }
        let end = self.graph.nodes.len();
        match self.finish(start) {
            Ok(imported) => Ok(imported),
            Err(problems) => Err(((end, true), problems)),
        }
    }

    /// Goes on from node to node, until it comes to a value.
    pub(crate) fn follow(&mut self, end: Option<&str>) -> Result<(), Halt> {
        for index in 0..self.graph.nodes.len() {
            if end == Some(&self.current) {
                break;
            }
            if !self.is_beside(index) {
                self.reached = self.reached.max(index);
                self.step(index)?;
            }
        }
        Ok(())
    }

    /// Whether a node has been taken, or belongs to another branch.
    pub(crate) fn is_beside(&self, index: usize) -> bool {
        let is_others =
            |(nodes, _): &(HashSet<usize>, String)| self.depends.contains(&index) && !nodes.contains(&index);
        self.done.contains(&index) || self.branch.as_ref().is_some_and(is_others)
    }

    fn step(&mut self, index: usize) -> Result<(), Halt> {
        let graph = self.graph;
        let node = &graph.nodes[index];
        self.known.insert(self.current.clone(), self.lengths());
        if node.op == "Shape"
            && let Some(lengths) = node.input(0).and_then(|input| self.known.get(input))
        {
            let shape = Constant::ints(lengths.iter().map(|length| *length as i64).collect());
            self.constants.extend(node.outputs.first().map(|output| (output.clone(), shape)));
            return Ok(());
        }
        let takes = |name: &str| node.inputs.iter().any(|input| input == name);
        if !takes(&self.current) {
            if let Some(name) = node.inputs.iter().find(|input| self.passed.contains(*input)) {
                return Err(self.refuse_branch(&name.clone()));
            }
            self.compute(node);
            return Ok(());
        }
        if self.bias(node)? || self.elementwise(index)? {
            return Ok(());
        }
        if self.residual()? {
            return Ok(());
        }
        if self.consumers(&self.current).count() > 1 {
            return Err(self.refuse_branch(&self.current.clone()));
        }
        let output = self.operator(node)?;
        self.advance(output);
        Ok(())
    }

    /// The nodes that use a value for more than its shape.
    pub(crate) fn consumers(&self, name: &str) -> impl Iterator<Item = usize> {
        let uses = |node: &Node| node.op != "Shape" && node.inputs.iter().any(|input| input == name);
        let is_one = |(index, node): &(usize, &Node)| uses(node) && !self.is_beside(*index);
        let nodes = self.graph.nodes.iter().enumerate().filter(is_one);
        nodes.map(|(index, _)| index).collect::<Vec<_>>().into_iter()
    }

    pub(crate) fn advance(&mut self, output: String) {
        let before = std::mem::replace(&mut self.current, output);
        self.passed.insert(before);
    }

    /// Computes a node of constants.
    pub(crate) fn compute(&mut self, node: &Node) {
        let inputs: Option<Vec<_>> = node
            .inputs
            .iter()
            .map(|name| if name.is_empty() { Some(None) } else { self.constants.get(name).map(Some) })
            .collect();
        match inputs.and_then(|inputs| fold(node, &inputs)) {
            Some(value) => self.constants.extend(node.outputs.first().map(|output| (output.clone(), value))),
            None => self.unknown.extend(node.outputs.iter().map(|output| (output.clone(), node.title.clone()))),
        }
    }

    pub(crate) fn refuse_branch(&mut self, name: &str) -> Halt {
        let users: Vec<_> = self.consumers(name).map(|index| self.graph.nodes[index].title.as_str()).collect();
        let users = users.join(", ");
        self.problem(format!(
            "the value `{name}` goes to several nodes ({users}): branches can be imported only as residual connections, in which an Add \
             brings two of them together again"
        ));
        Halt
    }

    pub(crate) fn problem(&mut self, problem: String) {
        self.problems.add(problem);
    }

    /// Tells what is wrong with a node.
    pub(crate) fn refuse(&mut self, node: &Node, problem: impl AsRef<str>) -> Halt {
        self.problem(format!("{}: {}", node.title, problem.as_ref()));
        Halt
    }

    /// Tells that the axes of the current value are not those that a node takes.
    pub(crate) fn misread(&mut self, node: &Node, expected: &str) -> Halt {
        self.misread = true;
        let lengths = text(&self.lengths());
        self.refuse(node, format!("its input {lengths} must be {expected}"))
    }

    /// An input that must be known: why it is not.
    pub(crate) fn constant(&mut self, node: &Node, index: usize, what: &str) -> Result<Constant, Halt> {
        let Some(name) = node.input(index).map(str::to_string) else {
            return Err(self.refuse(node, format!("its {what} is missing")));
        };
        if let Some(constant) = self.constants.get(&name) {
            return Ok(constant.clone());
        }
        let how = self.unknown.get(&name).map_or(String::new(), |by| format!(", it is computed by {by}"));
        Err(self.refuse(node, format!("its {what} `{name}` is no constant{how}")))
    }

    /// The floats of an input, and its shape.
    pub(crate) fn floats(&mut self, node: &Node, index: usize, what: &str) -> Result<(Vec<usize>, Vec<f32>), Halt> {
        match self.constant(node, index, what)? {
            Constant { shape, data: Data::Floats(values) } => Ok((shape, values)),
            Constant { .. } => Err(self.refuse(node, format!("its {what} has integers"))),
        }
    }

    /// The lengths of the current value's axes.
    pub(crate) fn lengths(&self) -> Vec<usize> {
        self.axes.iter().map(|axis| self.length(*axis)).collect()
    }

    pub(crate) fn length(&self, axis: Axis) -> usize {
        match axis {
            Axis::Batch => self.batch,
            Axis::Channel => self.shape.channels(),
            Axis::Position(index) => self.shape.positions().get(index).copied().unwrap_or(1),
            Axis::One => 1,
        }
    }

    /// Adds a layer.
    pub(crate) fn push(
        &mut self,
        node: &Node,
        layer: Layer,
        arrays: Vec<Vec<f32>>,
        used: Vec<Used>,
    ) -> Result<(), Halt> {
        let Stage { layer, input, output } = match Stage::new(layer, &self.shape) {
            Ok(stage) => stage,
            Err(problem) => return Err(self.refuse(node, problem)),
        };
        if self.padding.is_some() {
            return Err(self.refuse(node, "padding by a node of its own is possible only before a convolution"));
        }
        self.shape = output;
        self.open_bias = false;
        if !layer.keeps_order() {
            self.flat = None;
        }
        self.taken.push(Taken { layer, input, arrays, used });
        Ok(())
    }

    /// Takes an addition as the bias of the linear layer before it.
    fn bias(&mut self, node: &Node) -> Result<bool, Halt> {
        if node.op != "Add" || !self.open_bias || self.consumers(&self.current).count() != 1 {
            return Ok(false);
        }
        let Some(other) = node.inputs.iter().find(|input| **input != self.current).cloned() else { return Ok(false) };
        let Some(Constant { shape, data: Data::Floats(values) }) = self.constants.get(&other).cloned() else {
            return Ok(false);
        };
        if !self.is_along_channels(&shape) || values.len() != self.shape.channels() {
            return Ok(false);
        }
        if let Some(Taken { layer, arrays, used, .. }) = self.taken.last_mut() {
            if let Layer::Dense { bias, .. } | Layer::Conv { bias, .. } | Layer::Depthwise { bias, .. } = layer {
                *bias = true;
            }
            arrays.push(values);
            used.push(Used { parameter: 1, tensor: other, shape });
        }
        self.open_bias = false;
        let output = self.output(node)?;
        self.advance(output);
        Ok(true)
    }

    /// Whether an array that is broadcast to the current value, from the last axis on, lies along its channels.
    pub(crate) fn is_along_channels(&self, shape: &[usize]) -> bool {
        let lengths = self.lengths();
        let from_end = |index: usize| lengths.len().checked_sub(index + 1);
        shape.iter().rev().enumerate().all(|(index, length)| match from_end(index) {
            Some(at) if self.axes[at] == Axis::Channel => *length == lengths[at],
            _ => *length == 1,
        })
    }

    /// The only output of a node.
    pub(crate) fn output(&mut self, node: &Node) -> Result<String, Halt> {
        match node.outputs.first().filter(|name| !name.is_empty()) {
            Some(name) => Ok(name.clone()),
            None => Err(self.refuse(node, "it has no output")),
        }
    }

    fn finish(mut self, input: Shape) -> Result<Imported, Problems> {
        if !self.graph.outputs.contains(&self.current) {
            let (outputs, current) = (self.graph.outputs.join(", "), &self.current);
            let problem = format!("the way from the input ends at `{current}`, not at the output `{outputs}`");
            self.problem(problem);
        }
        if self.padding.is_some() {
            self.problem("the model ends with padding".into());
        }
        let mut notes = self.graph.notes.clone();
        notes.extend(self.flat.as_ref().filter(|flat| flat.is_channels_first()).map(|flat| {
            format!(
                "the output is a flattened {}: the learner's has the same values channels last, in another order",
                flat.shape
            )
        }));
        let layers: Vec<_> = self.taken.iter().map(|taken| taken.layer.clone()).collect();
        if layers.is_empty() {
            self.problem("there is no layer in it".into());
        }
        self.problems.clone().or(())?;
        let network = Network::new(input, layers).map_err(|error| error.to_string())?;
        let nodes = network.nodes();
        let of_node = |node: &NetworkNode| -> Vec<_> {
            node.parameters().into_iter().map(|parameter| (node.label(), parameter)).collect()
        };
        let parameters: Vec<_> = nodes.iter().flat_map(of_node).collect();
        let (mut values, mut rows) = (Vec::new(), Vec::new());
        for taken in self.taken {
            let own = parameters.get(values.len()..).unwrap_or_default();
            rows.extend(taken.used.into_iter().filter_map(|used| {
                let (layer, parameter) = own.get(used.parameter)?;
                Some(Row {
                    layer: layer.clone(),
                    parameter: parameter.name.clone(),
                    axes: parameter.axes.clone(),
                    tensor: used.tensor,
                    shape: used.shape,
                })
            }));
            values.extend(taken.arrays);
        }
        Ok(Imported { model: Model::new(network, values)?, rows, notes })
    }
}

impl Flat {
    /// Whether the order of its elements is not the learner's.
    pub(crate) fn is_channels_first(&self) -> bool {
        let position = self.order.iter().position(|axis| *axis == Axis::Channel).unwrap_or(0);
        let counts = |axis: &Axis| matches!(axis, Axis::Position(index) if self.shape.positions()[*index] > 1);
        self.shape.channels() > 1 && self.order.iter().skip(position).any(counts)
    }

    /// The order as indices of the learner's axes.
    pub(crate) fn axes(&self) -> Vec<usize> {
        let channels = self.shape.positions().len();
        let index = |axis: &Axis| match axis {
            Axis::Position(index) => Some(*index),
            Axis::Channel => Some(channels),
            Axis::Batch | Axis::One => None,
        };
        self.order.iter().filter_map(index).collect()
    }
}

/// A shape in a message.
pub(crate) fn text(shape: &[usize]) -> String {
    shape_text(shape)
}

//! A network's layers by themselves, and which value goes where.

use super::chain::Stage;
use super::{LONGEST_TUPLE, Layer, Network, NetworkError, Parameter, Shape};

/// A value in a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// The sample.
    Sample,
    /// What a node gives.
    Node(usize),
}

/// A layer by itself: one of the network's, one within a residual connection, or the addition at the end of a residual connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands in the learner's tuples: stage, stage within it, and so on.
    pub path: Vec<usize>,
    /// Which of the network's layers it is, or lies within, from 1.
    pub number: usize,
    /// The layer; of an addition, the residual connection.
    pub stage: Stage,
    /// What it takes; of an addition, what the branch gives.
    pub input: Value,
    /// What an addition takes beside it.
    pub shortcut: Option<Value>,
    /// In how many residual connections it lies.
    pub depth: usize,
    /// Whether it lies in a projection.
    pub is_projected: bool,
    /// Whether it is the first of one.
    pub begins_projection: bool,
}

impl Node {
    /// What its parameters are called before the dot: `3`; within a residual connection, or in a network of more than 16 layers, `3.1`.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
    }

    /// The layer as in a line; of an addition, what it adds.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.stage.layer {
            Layer::Residual { projection, .. } if projection.is_empty() => "residual: F(x) + x".into(),
            Layer::Residual { .. } => "residual: F(x) + P(x)".into(),
            layer => layer.to_string(),
        }
    }

    /// How it is called in messages: `layer 3, dense(10)`; within a residual connection `layer 3 (2.0.1), dense(10)`.
    pub(crate) fn title(&self) -> String {
        let within = if self.depth > 0 { format!(" ({})", self.name()) } else { String::new() };
        format!("layer {}{within}, {}", self.number, self.label())
    }

    /// Its parameters with their names.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        self.stage.layer.parameters(&self.stage.input, &self.name())
    }
}

impl Stage {
    /// Numbers of four bytes that the learner keeps of it from forward to backward.
    #[must_use]
    pub fn tape_count(&self) -> usize {
        self.layer.tape_count(&self.input, &self.output)
    }

    /// Multiplications and additions of a prediction: one for each use of a weight.
    #[must_use]
    pub fn multiply_adds(&self) -> usize {
        self.layer.multiply_adds(&self.input, &self.output)
    }
}

/// The nodes of stages one after another.
pub(crate) fn nodes(stages: &[Stage]) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut input = Value::Sample;
    for (index, stage) in stages.iter().enumerate() {
        let place = Place { path: &[], number: index + 1, depth: 0, is_projected: false };
        input = add(&mut nodes, stage, &place.at(index, stages.len()), &place, input);
    }
    nodes
}

/// Where stages stand.
struct Place<'a> {
    path: &'a [usize],
    number: usize,
    depth: usize,
    is_projected: bool,
}

impl Place<'_> {
    /// The path of one of so many stages.
    fn at(&self, index: usize, count: usize) -> Vec<usize> {
        if count <= LONGEST_TUPLE {
            [self.path, &[index]].concat()
        } else {
            [self.path, &[index / LONGEST_TUPLE, index % LONGEST_TUPLE]].concat()
        }
    }
}

/// Adds a stage's nodes; gives the value of the last.
fn add(nodes: &mut Vec<Node>, stage: &Stage, path: &[usize], place: &Place<'_>, input: Value) -> Value {
    let [branch, projection] = stage.parts();
    let (number, depth) = (place.number, place.depth + 1);
    let part = |nodes: &mut Vec<Node>, stages: &[Stage], path: &[usize], is_projected: bool| {
        let place = Place { path, number, depth, is_projected: place.is_projected || is_projected };
        stages.iter().enumerate().fold(input, |value, (index, stage)| {
            // One alone is no tuple.
            let path = if stages.len() == 1 { path.to_vec() } else { place.at(index, stages.len()) };
            add(nodes, stage, &path, &place, value)
        })
    };
    let [of_branch, of_projection] = [0, 1].map(|index| [path, &[index]].concat());
    let (input, shortcut) = match (branch.is_empty(), projection.is_empty()) {
        (true, _) => (input, None),
        (false, true) => (part(nodes, &branch, path, false), Some(input)),
        (false, false) => {
            let last = part(nodes, &branch, &of_branch, false);
            let first = nodes.len();
            let projected = part(nodes, &projection, &of_projection, true);
            nodes[first].begins_projection = true;
            (last, Some(projected))
        }
    };
    nodes.push(Node {
        path: path.to_vec(),
        number,
        stage: stage.clone(),
        input,
        shortcut,
        depth: place.depth,
        is_projected: place.is_projected,
        begins_projection: false,
    });
    Value::Node(nodes.len() - 1)
}

/// For each node, the signal or image that what it gives, a vector, has the values of.
pub(crate) fn flattened(nodes: &[Node]) -> Vec<Option<&Shape>> {
    let mut given = Vec::new();
    for Node { stage, input, .. } in nodes {
        let taken = taken(&given, *input);
        given.push(match &stage.layer {
            Layer::Flatten if stage.input.axes().len() > 1 => Some(&stage.input),
            Layer::Residual { .. } | Layer::Keep => taken,
            layer if layer.keeps_order() => taken,
            _ => None,
        });
    }
    given
}

/// The same of what a node takes.
pub(crate) fn taken<'a>(given: &[Option<&'a Shape>], value: Value) -> Option<&'a Shape> {
    match value {
        Value::Sample => None,
        Value::Node(index) => given[index],
    }
}

/// Refuses to add a flattened signal or image to a vector that is none: other frameworks flatten channel by channel, so there the one
/// would have its values in another order than the other.
pub(super) fn check_order(network: &Network) -> Result<(), NetworkError> {
    let nodes = network.nodes();
    let given = flattened(&nodes);
    let order = |value| taken(&given, value).filter(|shape| shape.channels() > 1 && shape.count() > shape.channels());
    let differs = |node: &&Node| node.shortcut.is_some_and(|shortcut| order(node.input) != order(shortcut));
    nodes.iter().find(differs).map_or(Ok(()), |node| {
        let problem = "it would add a flattened signal or image to a vector that is none: put a dense layer before it";
        Err(NetworkError { number: node.number, layer: node.stage.layer.to_string(), problem: problem.into() })
    })
}

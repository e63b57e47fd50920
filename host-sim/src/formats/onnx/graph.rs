//! A model's graph, and what is asked of its nodes.

use std::collections::{HashMap, HashSet};

use prost::Message;

use super::super::Problems;
use super::constant::{Constant, External};
use super::proto;

/// An operator with its attributes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) op: String,
    /// How it is called in messages.
    pub(crate) title: String,
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<String>,
    attributes: Vec<proto::Attribute>,
}

impl Node {
    fn find(&self, name: &str) -> Option<&proto::Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    pub(crate) fn maybe_int(&self, name: &str) -> Option<i64> {
        self.find(name)?.i
    }

    pub(crate) fn int(&self, name: &str, usual: i64) -> i64 {
        self.maybe_int(name).unwrap_or(usual)
    }

    pub(crate) fn float(&self, name: &str) -> Option<f32> {
        self.find(name)?.f
    }

    pub(crate) fn ints(&self, name: &str) -> Option<&[i64]> {
        self.find(name).map(|attribute| &attribute.ints[..])
    }

    pub(crate) fn floats(&self, name: &str) -> Option<&[f32]> {
        self.find(name).map(|attribute| &attribute.floats[..])
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.find(name)?.s.as_ref().map(|text| String::from_utf8_lossy(text).into_owned())
    }

    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let strings = self.find(name).map_or(&[][..], |attribute| &attribute.strings[..]);
        strings.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    pub(crate) fn tensor(&self, name: &str) -> Option<Constant> {
        let tensor = self.find(name)?.t.as_ref()?;
        Constant::read(tensor, &|_| Err(String::new())).ok().map(|(constant, _)| constant)
    }

    /// The name of an input that is there.
    pub(crate) fn input(&self, index: usize) -> Option<&str> {
        self.inputs.get(index).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// Its attributes that are numbers, for a message.
    pub(crate) fn settings(&self) -> String {
        let settings = self.attributes.iter().filter_map(|attribute| match (attribute.f, attribute.i, &attribute.s) {
            (Some(value), ..) => Some(format!("{} = {value}", attribute.name)),
            (_, Some(value), _) => Some(format!("{} = {value}", attribute.name)),
            (.., Some(text)) => Some(format!("{} = {}", attribute.name, String::from_utf8_lossy(text))),
            _ => None,
        });
        settings.collect::<Vec<_>>().join(", ")
    }
}

/// A graph whose one input is the sample.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) constants: HashMap<String, Constant>,
    pub(crate) input: String,
    /// The lengths of the input's axes, as far as the model says.
    pub(crate) dims: Vec<Option<usize>>,
    pub(crate) outputs: Vec<String>,
    /// The version of the operators.
    pub(crate) opset: i64,
    pub(crate) notes: Vec<String>,
}

impl Graph {
    /// Reads a file.
    pub(crate) fn read(bytes: &[u8], external: External<'_>) -> Result<Self, Problems> {
        let model = proto::Model::decode(bytes).map_err(|error| format!("no whole ONNX file: {error}"))?;
        let graph = model.graph.ok_or("no whole ONNX file: there is no graph in it")?;
        let main = |set: &&proto::OperatorSet| set.domain.is_empty() || set.domain == "ai.onnx";
        let opset = model.opset_import.iter().find(main).map_or(0, |set| set.version);
        let (mut problems, mut notes, mut constants) = (Problems::default(), Vec::new(), HashMap::new());
        let used: HashSet<&String> = graph.node.iter().flat_map(|node| &node.input).collect();
        for tensor in &graph.initializer {
            match Constant::read(tensor, external) {
                Ok((constant, note)) => {
                    notes.extend(note.map(str::to_string).filter(|note| !notes.contains(note)));
                    constants.insert(tensor.name.clone(), constant);
                }
                Err(problem) if used.contains(&tensor.name) => {
                    problems.add(format!("initializer `{}`: {problem}", tensor.name));
                }
                Err(_) => {}
            }
        }
        let initializers: HashSet<_> = graph.initializer.iter().map(|tensor| &tensor.name).collect();
        let inputs: Vec<_> = graph.input.iter().filter(|input| !initializers.contains(&input.name)).collect();
        if inputs.len() != 1 {
            let names: Vec<_> = inputs.iter().map(|input| input.name.as_str()).collect();
            problems.add(format!("it has {} inputs ({}); a network has one", names.len(), names.join(", ")));
        }
        if graph.output.len() != 1 {
            let names: Vec<_> = graph.output.iter().map(|output| output.name.as_str()).collect();
            problems.add(format!("it has {} outputs ({}); a network has one", names.len(), names.join(", ")));
        }
        let nodes = graph.node.into_iter().enumerate().map(|(index, node)| {
            let prefix = if matches!(node.domain.as_str(), "" | "ai.onnx") { String::new() } else { node.domain + "." };
            let op = prefix + &node.op_type;
            let name = if node.name.is_empty() { (index + 1).to_string() } else { format!("`{}`", node.name) };
            let title = format!("node {name} ({op})");
            Node { op, title, inputs: node.input, outputs: node.output, attributes: node.attribute }
        });
        let nodes: Vec<_> = nodes.collect();
        let (input, dims) = inputs.first().map(|input| (input.name.clone(), dims(input))).unwrap_or_default();
        let outputs = graph.output.into_iter().map(|output| output.name).collect();
        problems.or(Self { nodes, constants, input, dims, outputs, opset, notes })
    }
}

impl Graph {
    /// The nodes whose inputs depend on the sample for more than its shape.
    pub(crate) fn depends(&self) -> HashSet<usize> {
        let (mut values, mut nodes) = (HashSet::from([&self.input]), HashSet::new());
        for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.op != "Shape") {
            if node.inputs.iter().any(|input| values.contains(input)) {
                values.extend(&node.outputs);
                nodes.insert(index);
            }
        }
        nodes
    }
}

fn dims(input: &proto::ValueInfo) -> Vec<Option<usize>> {
    let shape = input.of.as_ref().and_then(|of| of.tensor.as_ref()).and_then(|tensor| tensor.shape.as_ref());
    let lengths = shape.map_or(&[][..], |shape| &shape.dim[..]).iter().map(|dim| match dim.length {
        Some(proto::Length::Value(length)) => usize::try_from(length).ok().filter(|length| *length > 0),
        Some(proto::Length::Name(_)) | None => None,
    });
    lengths.collect()
}

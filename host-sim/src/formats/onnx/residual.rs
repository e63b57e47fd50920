//! Residual connections: a value goes two ways, and an addition brings them together again.

use std::collections::{HashMap, HashSet};

use super::graph::Node;
use super::walk::{Axis, Flat, Halt, Taken, Used, Walk};
use crate::network::{DEEPEST, Layer, Shape};

/// One of the two ways.
struct Side {
    taken: Vec<Taken>,
    axes: Vec<Axis>,
    shape: Shape,
    flat: Option<Flat>,
}

impl Side {
    fn begins_linear(&self) -> bool {
        self.taken.first().is_some_and(|first| first.layer.is_linear())
    }
}

/// Where all ways from a value come together.
struct Join<'g> {
    node: &'g Node,
    /// All nodes from the value to there.
    between: HashSet<usize>,
}

impl<'g> Walk<'g> {
    /// Takes the residual connection that begins with the current value; `false` if none does.
    pub(crate) fn residual(&mut self) -> Result<bool, Halt> {
        let Some(Join { node, between }) = self.join() else { return Ok(false) };
        let [first, second] = &node.inputs[..] else { return Ok(false) };
        let scopes = [first, second].map(|end| self.before(end, &between));
        if node.op != "Add" || self.padding.is_some() || !scopes[0].is_disjoint(&scopes[1]) {
            return Ok(false);
        }
        if self.depth == DEEPEST {
            return Err(self.refuse(node, format!("more than {DEEPEST} residual connections lie in one another")));
        }
        let [first_scope, second_scope] = scopes;
        let first = self.side(first_scope, first)?;
        let second = self.side(second_scope, second)?;
        self.close(node, first, second)?;
        self.done.extend(between);
        let output = self.output(node)?;
        self.advance(output);
        Ok(true)
    }

    /// The first node behind the current value that all ways lead through.
    fn join(&self) -> Option<Join<'g>> {
        let graph = self.graph;
        let end = self.branch.as_ref().map(|(_, end)| end);
        let uses = |name: &String| {
            let is_end = end.map_or_else(|| graph.outputs.contains(name), |end| end == name);
            self.consumers(name).count() + usize::from(is_end)
        };
        let mut left = HashMap::from([(&self.current, uses(&self.current))]);
        if left[&self.current] < 2 {
            return None;
        }
        let mut between = HashSet::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            let inputs: HashSet<_> = node.inputs.iter().filter(|input| left.contains_key(input)).collect();
            if inputs.is_empty() || node.op == "Shape" || self.is_beside(index) {
                continue;
            }
            for input in inputs {
                left.entry(input).and_modify(|uses| *uses -= 1);
            }
            left.extend(node.outputs.iter().map(|output| (output, uses(output))));
            between.insert(index);
            let mut open = left.iter().filter(|(_, uses)| **uses > 0).map(|(name, _)| *name);
            if open.next().is_some_and(|name| node.outputs.contains(name)) && open.next().is_none() {
                return Some(Join { node, between });
            }
        }
        None
    }

    /// Those of some nodes that a value is computed by.
    fn before(&self, end: &String, nodes: &HashSet<usize>) -> HashSet<usize> {
        let mut wanted = HashSet::from([end]);
        let mut before = HashSet::new();
        for (index, node) in self.graph.nodes.iter().enumerate().rev().filter(|(index, _)| nodes.contains(index)) {
            if node.outputs.iter().any(|output| wanted.contains(output)) {
                wanted.extend(&node.inputs);
                before.insert(index);
            }
        }
        before
    }

    /// Goes one of the two ways, and back to where they part.
    fn side(&mut self, nodes: HashSet<usize>, end: &str) -> Result<Side, Halt> {
        let (start, axes, shape, flat) =
            (self.current.clone(), self.axes.clone(), self.shape.clone(), self.flat.clone());
        let taken = std::mem::take(&mut self.taken);
        let branch = self.branch.replace((nodes, end.into()));
        self.open_bias = false;
        self.depth += 1;
        self.follow(Some(end))?;
        if self.current != end || self.padding.is_some() {
            self.problem(format!("the way from `{start}` ends at `{}`, not at `{end}`", self.current));
            return Err(Halt);
        }
        self.depth -= 1;
        self.branch = branch;
        self.current = start;
        Ok(Side {
            taken: std::mem::replace(&mut self.taken, taken),
            axes: std::mem::replace(&mut self.axes, axes),
            shape: std::mem::replace(&mut self.shape, shape),
            flat: std::mem::replace(&mut self.flat, flat),
        })
    }

    /// Adds the layer that both sides make.
    fn close(&mut self, node: &Node, first: Side, second: Side) -> Result<(), Halt> {
        let order = |side: &Side| side.flat.clone().filter(Flat::is_channels_first);
        if first.axes != second.axes || first.shape != second.shape || order(&first) != order(&second) {
            let [one, other] = [&first, &second].map(|side| side.shape.to_string());
            return Err(
                self.refuse(node, format!("its inputs, {one} and {other}, have not the same values in the same order"))
            );
        }
        let (branch, projection) = match (first.taken.is_empty(), second.taken.is_empty()) {
            (true, true) => return Err(self.refuse(node, "it adds a value to itself")),
            // The usual order: the shortcut last.
            (_, true) => (first, second),
            (true, _) => (second, first),
            _ if second.begins_linear() => (first, second),
            _ if first.begins_linear() => (second, first),
            _ => {
                let begins = [&first, &second].map(|side| side.taken[0].layer.to_string()).join(" and ");
                let problem = "one of the two must begin with a dense layer or a convolution";
                return Err(self.refuse(node, format!("its branches begin with {begins}: {problem}")));
            }
        };
        let Side { axes, flat, .. } = &branch;
        let (axes, flat) = (axes.clone(), flat.clone());
        let layers = |side: &Side| side.taken.iter().map(|taken| taken.layer.clone()).collect();
        let layer = Layer::Residual { branch: layers(&branch), projection: layers(&projection) };
        let (mut arrays, mut used) = (Vec::new(), Vec::new());
        for taken in branch.taken.into_iter().chain(projection.taken) {
            let before = arrays.len();
            used.extend(taken.used.into_iter().map(|used| Used { parameter: before + used.parameter, ..used }));
            arrays.extend(taken.arrays);
        }
        self.push(node, layer, arrays, used)?;
        (self.axes, self.flat) = (axes, flat);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::super::super::Problems;
    use super::super::{proto, read};

    /// The line of a graph on `x`, a vector of four, whose nodes are `output = Op(inputs)`. `w` is a matrix, `v` a narrow one.
    fn line(nodes: &[&str]) -> Result<String, Problems> {
        let floats = |name: &str, dims: [i64; 2]| proto::Tensor {
            dims: dims.to_vec(),
            data_type: proto::FLOAT,
            name: name.into(),
            raw_data: Some((0..dims[0] * dims[1]).flat_map(|i| (i as f32).to_le_bytes()).collect()),
            ..proto::Tensor::default()
        };
        let dims = [1, 4].map(|length| proto::Dimension { length: Some(proto::Length::Value(length)) });
        let tensor =
            proto::TensorType { elem_type: proto::FLOAT, shape: Some(proto::TensorShape { dim: dims.to_vec() }) };
        let value =
            |name: &str| proto::ValueInfo { name: name.into(), of: Some(proto::Type { tensor: Some(tensor.clone()) }) };
        let node = |text: &&str| {
            let (output, rest) = text.split_once(" = ").unwrap();
            let (op, inputs) = rest.trim_end_matches(')').split_once('(').unwrap();
            let input = inputs.split(", ").map(str::to_string).collect();
            let (name, op_type) = (format!("node_{output}"), op.to_string());
            proto::Node { input, output: vec![output.into()], name, op_type, ..proto::Node::default() }
        };
        let graph = proto::Graph {
            node: nodes.iter().map(node).collect(),
            initializer: vec![floats("w", [4, 4]), floats("v", [4, 3]), floats("u", [3, 4])],
            input: vec![value("x")],
            output: vec![value("y")],
            ..proto::Graph::default()
        };
        let set = proto::OperatorSet { domain: String::new(), version: 17 };
        let model = proto::Model { graph: Some(graph), opset_import: vec![set], ..proto::Model::default() };
        let read = read(&model.encode_to_vec(), None, &|_| Err("no other file".into()))?;
        Ok(read.model.network().to_string())
    }

    #[test]
    fn additions_in_any_order_are_residual_connections() {
        let dense = "dense(4,bias=no)";
        for (nodes, expected) in [
            (&["f = Gemm(x, w)", "y = Add(f, x)"][..], format!("4 residual({dense})")),
            (&["f = Gemm(x, w)", "y = Add(x, f)"], format!("4 residual({dense})")),
            // A projection, the branch, and a function that itself goes two ways.
            (
                &[
                    "a = Gemm(x, w)",
                    "b = Gemm(x, v)",
                    "c = Sigmoid(b)",
                    "d = Mul(b, c)",
                    "e = Gemm(d, u)",
                    "y = Add(e, a)",
                ],
                format!("4 residual(dense(3,bias=no) silu {dense} | {dense})"),
            ),
            // What cannot be a projection is the branch.
            (
                &["a = Relu(x)", "b = Gemm(a, w)", "c = Gemm(x, w)", "y = Add(c, b)"],
                format!("4 residual(keep relu {dense} | {dense})"),
            ),
            // Three terms.
            (
                &["f = Gemm(x, w)", "g = Gemm(x, w)", "s = Add(x, f)", "y = Add(s, g)"],
                format!("4 residual(residual({dense}) | {dense})"),
            ),
            // One within another, one behind another.
            (
                &[
                    "a = Gemm(x, w)",
                    "b = Tanh(a)",
                    "c = Gemm(b, w)",
                    "d = Add(c, a)",
                    "e = Add(x, d)",
                    "f = Gemm(e, w)",
                    "y = Add(f, e)",
                ],
                format!("4 residual({dense} residual(keep tanh {dense})) residual({dense})"),
            ),
            // The shape of what has been passed.
            (&["f = Gemm(x, w)", "s = Shape(x)", "g = Reshape(f, s)", "y = Add(g, x)"], format!("4 residual({dense})")),
        ] {
            assert_eq!(line(nodes).unwrap_or_else(|problems| panic!("{nodes:?}: {problems}")), expected, "{nodes:?}");
        }
    }

    #[test]
    fn other_branches_are_refused_by_name() {
        for (nodes, words) in [
            (&["f = Gemm(x, w)", "y = Mul(f, x)"][..], &["`x`", "node_f", "node_y", "residual"][..]),
            (&["y = Add(x, x)"], &["node_y"]),
            (&["i = Identity(x)", "y = Add(i, x)"], &["node_y", "to itself"]),
            (&["f = Gemm(x, v)", "y = Add(f, x)"], &["node_y", "3 and 4"]),
            (
                &["a = Relu(x)", "b = Tanh(x)", "y = Add(a, b)"],
                &["node_y", "relu and tanh", "dense layer or a convolution"],
            ),
            // One of the ways leads on from the middle of the other.
            (
                &["a = Gemm(x, w)", "b = Gemm(a, w)", "c = Gemm(a, w)", "d = Add(b, x)", "y = Add(c, d)"],
                &["`x`", "node_a", "node_d"],
            ),
            // A way that ends nowhere.
            (&["f = Gemm(x, w)", "s = Add(f, x)", "y = Gemm(x, w)"], &["`x`"]),
            // A slope for each row is none for each channel.
            (&["f = PRelu(x, u)", "y = Add(f, x)"], &["node_f", "[3, 4]", "one a channel"]),
            (&["f = Einsum(x)", "g = Gemm(x, w)", "y = Add(f, g)"], &["node_f", "Einsum"]),
        ] {
            let problems = line(nodes).expect_err("refused").to_string();
            assert!(words.iter().all(|word| problems.contains(word)), "{nodes:?}: {problems}");
        }
        let (mut deep, mut last) = (vec!["f0 = Gemm(x, w)".to_string()], "f0".to_string());
        for level in 1..40 {
            deep.push(format!("f{level} = Add({last}, x)"));
            last = format!("f{level}");
        }
        deep.push(format!("y = Relu({last})"));
        let nodes: Vec<&str> = deep.iter().map(String::as_str).collect();
        assert!(line(&nodes).unwrap_err().to_string().contains("lie in one another"));
    }
}

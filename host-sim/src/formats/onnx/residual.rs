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

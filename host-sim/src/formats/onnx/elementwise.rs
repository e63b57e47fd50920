//! Operators on each element that make an activation together.

use std::collections::HashMap;

use super::constant::Constant;
use super::function::{self, Function, POINTS, apply, recognise};
use super::walk::{Halt, Walk};
use crate::network::Layer;

impl Walk<'_> {
    /// Takes as many nodes as make an activation, from this one on.
    pub(crate) fn elementwise(&mut self, first: usize) -> Result<bool, Halt> {
        let graph = self.graph;
        if !function::OPERATORS.contains(&graph.nodes[first].op.as_str()) {
            return Ok(false);
        }
        let mut values = HashMap::from([(self.current.clone(), POINTS.to_vec())]);
        let mut region = Vec::new();
        for (index, node) in graph.nodes.iter().enumerate().skip(first) {
            if self.is_beside(index) {
                continue;
            }
            if !node.inputs.iter().any(|input| values.contains_key(input)) {
                if !node.inputs.iter().any(|input| self.passed.contains(input)) {
                    self.compute(node);
                }
                continue;
            }
            if node.op == "Shape" {
                continue;
            }
            let inputs: Vec<_> = node.inputs.iter().map(|input| self.operand(input, &values)).collect();
            let Some(result) = apply(node, &inputs) else { break };
            let output = self.output(node)?;
            values.insert(output.clone(), result);
            region.push(index);
            let is_open = |name: &String| {
                *name != output
                    && (graph.outputs.contains(name) || self.consumers(name).any(|user| !region.contains(&user)))
            };
            if values.keys().any(is_open) {
                continue;
            }
            if let Some(function) = values.get(&output).and_then(|values| recognise(values)) {
                if let Function::Activation(activation) = function {
                    self.push(node, Layer::Activation(activation), Vec::new(), Vec::new())?;
                }
                self.done.extend(region);
                self.advance(output);
                return Ok(true);
            }
        }
        if self.residual()? {
            return Ok(true);
        }
        let open = values.keys().find(|name| self.consumers(name).count() > 1).cloned();
        let titles: Vec<_> = region.iter().map(|index| graph.nodes[*index].title.as_str()).collect();
        match (open, &region[..]) {
            (Some(name), [] | [_]) => Err(self.refuse_branch(&name)),
            (_, []) => Err(self.refuse(&graph.nodes[first], "its other input must be a single number that is known")),
            (_, [one]) => {
                let node = &graph.nodes[*one];
                let settings = node.settings();
                let settings = if settings.is_empty() { String::new() } else { format!(" ({settings})") };
                let _ = self.refuse(node, format!("no activation of the learner{settings}"));
                // The shape is known all the same: what comes behind it can be told too.
                let output = self.output(node)?;
                self.advance(output);
                Ok(true)
            }
            _ => {
                self.problem(format!("{}: what they compute is no activation of the learner", titles.join(", ")));
                Err(Halt)
            }
        }
    }

    /// The values of an input of an elementwise node: known, or one number everywhere.
    fn operand(&self, name: &str, values: &HashMap<String, Vec<f64>>) -> Option<Vec<f64>> {
        let number = || self.constants.get(name).and_then(Constant::scalar).map(|value| vec![value; POINTS.len()]);
        values.get(name).cloned().or_else(number)
    }
}

//! Recurrent operators.

use super::super::layout::Layout;
use super::super::recurrent::{self, AS_THEY_ARE, OUTPUT_SECOND, UPDATE_FIRST};
use super::graph::Node;
use super::walk::{Axis, Halt, Used, Walk, text};
use crate::network::{Cell, Layer};

/// The order of the gates of a cell in ONNX.
pub(crate) const fn gates(cell: Cell) -> &'static [usize] {
    match cell {
        Cell::Rnn => AS_THEY_ARE,
        Cell::Gru => UPDATE_FIRST,
        Cell::Lstm => OUTPUT_SECOND,
    }
}

/// What of a recurrent operator's attributes the learner does not do.
pub(crate) fn check(node: &Node) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(direction) = node.text("direction").filter(|direction| direction != "forward") {
        problems.push(format!("direction = {direction}: the learner goes forward only"));
    }
    if node.op == "GRU" && node.int("linear_before_reset", 0) == 0 {
        problems.push(
            "linear_before_reset = 0: expected 1, the form of PyTorch and of Keras's reset_after, which `gru` of a line is".into(),
        );
    }
    if node.int("input_forget", 0) != 0 {
        problems.push("input_forget is not supported".into());
    }
    if let Some(clip) = node.float("clip") {
        problems.push(format!("clip = {clip} is not supported"));
    }
    let usual: &[&str] = match node.op.as_str() {
        "RNN" => &["tanh"],
        "GRU" => &["sigmoid", "tanh"],
        _ => &["sigmoid", "tanh", "tanh"],
    };
    let activations = node.texts("activations");
    let is_usual = activations.iter().map(|name| name.to_ascii_lowercase()).eq(usual.iter().copied());
    if !activations.is_empty() && !is_usual {
        problems.push(format!("activations = {activations:?}: expected {usual:?}"));
    }
    problems
}

impl Walk<'_> {
    pub(crate) fn recurrent(&mut self, node: &Node) -> Result<String, Halt> {
        let cell = match node.op.as_str() {
            "RNN" => Cell::Rnn,
            "GRU" => Cell::Gru,
            _ => Cell::Lstm,
        };
        let is_batch_first = node.int("layout", 0) != 0;
        let (first, second) =
            if is_batch_first { (Axis::Batch, Axis::Position(0)) } else { (Axis::Position(0), Axis::Batch) };
        if self.axes != [first, second, Axis::Channel] {
            return Err(self.misread(node, "[step, batch, channel]"));
        }
        let channels = self.shape.channels();
        let (w_shape, w) = self.floats(node, 1, "weight W")?;
        let (r_shape, r) = self.floats(node, 2, "weight R")?;
        let hidden = node.int("hidden_size", r_shape.last().map_or(0, |length| *length as i64));
        let Some(hidden) = usize::try_from(hidden).ok().filter(|hidden| (1..1 << 20).contains(hidden)) else {
            return Err(self.refuse(node, format!("hidden_size = {hidden} cannot be")));
        };
        let rows = cell.gates() * hidden;
        if w_shape != [1, rows, channels] || r_shape != [1, rows, hidden] {
            let (w, r) = (text(&w_shape), text(&r_shape));
            return Err(self.refuse(
                node,
                format!("W is {w} and R {r}, expected [1, {rows}, {channels}] and [1, {rows}, {hidden}]"),
            ));
        }
        let biases = if node.input(3).is_some() {
            let (shape, values) = self.floats(node, 3, "bias")?;
            if values.len() != 2 * rows {
                return Err(self.refuse(node, format!("its bias is {}, expected [1, {}]", text(&shape), 2 * rows)));
            }
            Some((shape, values))
        } else {
            None
        };
        if node.input(4).is_some() {
            return Err(self.refuse(node, "sequence_lens: all windows have the same length here"));
        }
        for (index, what) in [(5, "initial state"), (6, "initial cell"), (7, "peephole weight")] {
            if node.input(index).is_some() && !self.constant(node, index, what)?.is_zero() {
                return Err(self.refuse(node, format!("its {what} is not zero; the learner begins with zeros")));
            }
        }

        let weight = |from: usize, values: &[f32]| {
            Layout::transposed(&[from, cell.gates(), hidden], &[1, 2, 0]).gates(1, gates(cell)).read(values)
        };
        let name = |index: usize| node.input(index).unwrap_or_default().to_string();
        let mut arrays = vec![weight(channels, &w), weight(hidden, &r)];
        let mut used = vec![
            Used { parameter: 0, tensor: name(1), shape: w_shape },
            Used { parameter: 1, tensor: name(2), shape: r_shape },
        ];
        let bias = biases.is_some();
        if let Some((shape, values)) = biases {
            let (input, state) = values.split_at(rows);
            arrays.push(recurrent::join(cell, gates(cell), hidden, input, state));
            used.push(Used { parameter: 2, tensor: name(3), shape });
        }

        let uses = |index: usize| {
            let name = node.outputs.get(index).filter(|name| !name.is_empty());
            name.filter(|name| {
                self.graph.outputs.contains(name) || self.graph.nodes.iter().any(|node| node.inputs.contains(name))
            })
        };
        let (sequence, output) = match (uses(0).cloned(), uses(1).cloned(), uses(2)) {
            (Some(all), None, None) => (true, all),
            (None, Some(last), None) => (false, last),
            (None, None, None) => return Err(self.refuse(node, "nothing uses what it gives")),
            _ => return Err(self.refuse(node, "several of its outputs are used; a network has one way")),
        };
        self.push(node, Layer::Recurrent { cell, hidden, sequence, bias }, arrays, used)?;
        self.axes = match (sequence, is_batch_first) {
            (true, false) => vec![Axis::Position(0), Axis::One, Axis::Batch, Axis::Channel],
            (true, true) => vec![Axis::Batch, Axis::Position(0), Axis::One, Axis::Channel],
            (false, false) => vec![Axis::One, Axis::Batch, Axis::Channel],
            (false, true) => vec![Axis::Batch, Axis::One, Axis::Channel],
        };
        Ok(output)
    }
}

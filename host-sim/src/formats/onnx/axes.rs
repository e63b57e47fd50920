//! Operators that move, join, cut or pad axes.

use super::fold::{axis, range, resolve};
use super::graph::Node;
use super::operators::LONGEST;
use super::walk::{Axis, Flat, Halt, Walk, text};
use crate::network::Layer;

impl Walk<'_> {
    /// Makes a vector of all but the batch.
    pub(crate) fn flatten(&mut self, node: &Node) -> Result<(), Halt> {
        let order: Vec<_> = self.axes.iter().copied().filter(|axis| !matches!(axis, Axis::Batch | Axis::One)).collect();
        if !self.shape.positions().is_empty() {
            let shape = self.shape.clone();
            self.push(node, Layer::Flatten, vec![], vec![])?;
            self.flat = Some(Flat { shape, order });
        }
        self.axes = vec![Axis::Batch, Axis::Channel];
        Ok(())
    }

    pub(crate) fn reshape(&mut self, node: &Node, target: &[i64]) -> Result<(), Halt> {
        let lengths = self.lengths();
        let Some(shape) = resolve(&lengths, target) else {
            return Err(self.refuse(node, format!("{} cannot become {target:?}", text(&lengths))));
        };
        if self.axes.first() == Some(&Axis::Batch) && shape.len() == 2 && shape[0] == self.batch {
            return self.flatten(node);
        }
        // The same axes, with or without some of length 1.
        let mut rest = self.axes.iter().copied().filter(|axis| *axis != Axis::One).peekable();
        let mut axes = Vec::new();
        for length in &shape {
            match rest.peek() {
                Some(axis) if self.length(*axis) == *length => axes.extend(rest.next()),
                _ if *length == 1 => axes.push(Axis::One),
                _ => break,
            }
        }
        let is_whole = rest.all(|axis| self.length(axis) == 1) && axes.len() == shape.len();
        if !is_whole || !axes.contains(&Axis::Channel) || !axes.contains(&Axis::Batch) {
            return Err(self
                .refuse(node, format!("from {} to {}: only a flatten can be imported", text(&lengths), text(&shape))));
        }
        self.axes = axes;
        Ok(())
    }

    pub(crate) fn squeeze(&mut self, node: &Node, axes: Option<Vec<i64>>) -> Result<(), Halt> {
        let rank = self.axes.len();
        if node.op == "Unsqueeze" {
            let axes = axes.unwrap_or_default();
            let mut places: Vec<_> = axes.iter().filter_map(|at| axis(*at, rank + axes.len())).collect();
            places.sort_unstable();
            for place in places {
                self.axes.insert(place.min(self.axes.len()), Axis::One);
            }
            return Ok(());
        }
        let is_one = |at: &usize| self.axes[*at] == Axis::One;
        let squeezed: Vec<_> = match &axes {
            Some(axes) => axes.iter().filter_map(|at| axis(*at, rank)).collect(),
            None => (0..rank).filter(is_one).collect(),
        };
        if !squeezed.iter().all(is_one) || axes.is_some_and(|axes| axes.len() != squeezed.len()) {
            let lengths = text(&self.lengths());
            return Err(self.refuse(node, format!("an axis of {lengths} that has a meaning would be lost")));
        }
        self.axes = (0..rank).filter(|at| !squeezed.contains(at)).map(|at| self.axes[at]).collect();
        Ok(())
    }

    pub(crate) fn pad(&mut self, node: &Node) -> Result<(), Halt> {
        let axes = self.image(node)?;
        let given = if node.input(1).is_some() { Some(self.constant(node, 1, "pads")?) } else { None };
        let pads = given.as_ref().and_then(|pads| pads.as_ints()).or(node.ints("pads")).unwrap_or_default().to_vec();
        let value = if node.input(2).is_some() { self.constant(node, 2, "value")?.scalar() } else { Some(0.0) };
        let is_zero = value == Some(0.0) && node.float("value").unwrap_or(0.0) == 0.0;
        let is_constant = node.text("mode").is_none_or(|mode| mode == "constant");
        let rank = axes + 2;
        let is_possible = pads.len() == 2 * rank
            && pads.iter().all(|pad| (0..LONGEST).contains(pad))
            && [0, 1, rank, rank + 1].iter().all(|at| pads[*at] == 0);
        if !is_zero || !is_constant || !is_possible || node.input(3).is_some() || self.padding.is_some() {
            return Err(self.refuse(node, "only zeros around the positions, before a convolution, can be imported"));
        }
        self.padding = Some((2..rank).map(|at| (pads[at] as usize, pads[rank + at] as usize)).collect());
        Ok(())
    }

    /// What follows when only the last step of a recurrent layer's states is taken.
    pub(crate) fn last_step(&mut self, node: &Node) -> Result<(), Halt> {
        let rank = self.axes.len();
        let (at, index, removes) = if node.op == "Gather" {
            let index = self.constant(node, 1, "index")?;
            (axis(node.int("axis", 0), rank), index.scalar().map(|index| index as i64), index.shape.is_empty())
        } else {
            let mut parts = Vec::new();
            for (input, name) in [(1, "starts"), (2, "ends"), (3, "axes")] {
                let given = if node.input(input).is_some() { Some(self.constant(node, input, name)?) } else { None };
                let part = given.as_ref().and_then(|part| part.as_ints()).or(node.ints(name)).unwrap_or_default();
                parts.push(part.to_vec());
            }
            let at = parts[2].first().and_then(|at| axis(*at, rank)).filter(|_| parts[0].len() == 1);
            let length = at.map_or(1, |at| self.length(self.axes[at]));
            let index = match (&parts[0][..], &parts[1][..]) {
                ([start], [end]) => {
                    let (from, to) = range(length, *start, *end);
                    // All of it: nothing happens.
                    if from == 0 && to == length && at.is_some() {
                        return Ok(());
                    }
                    (to == from + 1).then_some(from as i64)
                }
                _ => None,
            };
            (at, index, false)
        };
        let Some((at, index)) = at.zip(index) else {
            return Err(self.refuse(node, "it takes something else than the last step of a recurrent layer"));
        };
        let length = self.length(self.axes[at]);
        let is_last = axis(index, length) == Some(length - 1);
        match (self.axes[at], self.taken.pop()) {
            (Axis::Position(0), Some(mut last))
                if is_last && matches!(last.layer, Layer::Recurrent { sequence: true, .. }) =>
            {
                if let Layer::Recurrent { sequence, .. } = &mut last.layer {
                    *sequence = false;
                }
                self.shape = last.input;
                self.push(node, last.layer, last.arrays, last.used)?;
            }
            (Axis::One, last) if is_last => self.taken.extend(last),
            _ => {
                return Err(self.refuse(node, "it takes something else than the last step of a recurrent layer"));
            }
        }
        if removes {
            self.axes.remove(at);
        } else {
            self.axes[at] = Axis::One;
        }
        Ok(())
    }
}

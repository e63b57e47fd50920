//! Operators that become layers.

use super::super::layout::Layout;
use super::fold::{axis, permutation};
use super::graph::Node;
use super::walk::{Axis, Halt, Used, Walk, text};
use crate::network::window::Window;
use crate::network::{Activation, Layer, Padding};

/// Longer strides, dilations and paddings are no network's.
pub(crate) const LONGEST: i64 = 1 << 15;

impl Walk<'_> {
    /// Takes a node whose one unknown input is the current value; gives the value where the way goes on.
    pub(crate) fn operator(&mut self, node: &Node) -> Result<String, Halt> {
        let is_first = node.inputs.first() == Some(&self.current);
        if !is_first {
            return Err(self.refuse(node, "the value that comes from the sample is not its first input"));
        }
        match node.op.as_str() {
            "Identity" | "Cast" => {}
            "Dropout" => self.dropout(node)?,
            "Gemm" => self.gemm(node)?,
            "MatMul" => self.matmul(node)?,
            "Conv" => self.conv(node)?,
            "MaxPool" | "AveragePool" => self.pool(node)?,
            "GlobalAveragePool" | "GlobalMaxPool" => {
                let keep = vec![Axis::One; self.axes.len().saturating_sub(2)];
                self.image(node)?;
                let layer = if node.op == "GlobalMaxPool" { Layer::GlobalMaxPool } else { Layer::GlobalAveragePool };
                self.push(node, layer, vec![], vec![])?;
                self.axes = [&[Axis::Batch, Axis::Channel][..], &keep].concat();
            }
            "ReduceMean" | "ReduceMax" => self.reduce(node)?,
            "BatchNormalization" => self.batch_norm(node)?,
            "LayerNormalization" => self.layer_norm(node)?,
            "PRelu" => self.prelu(node)?,
            "Softmax" | "LogSoftmax" => self.softmax(node)?,
            "Flatten" => {
                let at = node.int("axis", 1);
                if self.axes.first() != Some(&Axis::Batch) || axis(at, self.axes.len().max(2)) != Some(1) {
                    return Err(self.refuse(node, format!("axis = {at}: expected 1, with the batch before it")));
                }
                self.flatten(node)?;
            }
            "Reshape" => {
                let target = self.constant(node, 1, "shape")?;
                self.reshape(node, target.as_ints().unwrap_or_default())?;
            }
            "Squeeze" | "Unsqueeze" => {
                let given = if node.input(1).is_some() { Some(self.constant(node, 1, "axes")?) } else { None };
                let axes = given.as_ref().and_then(|axes| axes.as_ints()).or(node.ints("axes")).map(<[i64]>::to_vec);
                self.squeeze(node, axes)?;
            }
            "Transpose" => {
                let Some(order) = permutation(self.axes.len(), node.ints("perm")) else {
                    return Err(self.refuse(node, "its permutation does not fit its input"));
                };
                self.axes = order.iter().map(|at| self.axes[*at]).collect();
            }
            "Pad" => self.pad(node)?,
            "GRU" | "LSTM" | "RNN" => return self.recurrent(node),
            "Gather" | "Slice" => self.last_step(node)?,
            _ => return Err(self.refuse(node, "this operator is not supported")),
        }
        self.output(node)
    }

    fn dropout(&mut self, node: &Node) -> Result<(), Halt> {
        let given = if node.input(1).is_some() { self.constant(node, 1, "ratio")?.scalar() } else { None };
        let rate = given.map_or(node.float("ratio").unwrap_or(0.5), |rate| rate as f32);
        // In a prediction it does nothing, whatever the rate.
        if (0.0..1.0).contains(&rate) && rate > 0.0 {
            self.push(node, Layer::Dropout { rate }, vec![], vec![])?;
        }
        Ok(())
    }

    fn gemm(&mut self, node: &Node) -> Result<(), Halt> {
        if self.axes != [Axis::Batch, Axis::Channel] {
            return Err(self.misread(node, "[batch, channel]"));
        }
        let (shape, values) = self.floats(node, 1, "weight")?;
        let is_turned = node.int("transB", 0) != 0;
        self.dense(node, shape, &values, is_turned)?;
        if node.input(2).is_some() {
            let (shape, values) = self.floats(node, 2, "bias")?;
            let outputs = self.shape.channels();
            let values = if values.len() == 1 { vec![values[0]; outputs] } else { values };
            if values.len() != outputs {
                return Err(self.refuse(node, format!("its bias is {}, expected [{outputs}]", text(&shape))));
            }
            let tensor = node.input(2).unwrap_or_default().to_string();
            if let Some(last) = self.taken.last_mut() {
                last.layer = Layer::Dense { outputs, bias: true };
                last.arrays.push(values);
                last.used.push(Used { parameter: 1, tensor, shape });
            }
        } else {
            self.open_bias = true;
        }
        Ok(())
    }

    /// A dense layer without bias.
    fn dense(&mut self, node: &Node, shape: Vec<usize>, values: &[f32], is_turned: bool) -> Result<(), Halt> {
        let inputs = self.shape.channels();
        let (rows, outputs) = match (&shape[..], is_turned) {
            ([rows, outputs], false) | ([outputs, rows], true) => (*rows, *outputs),
            _ => return Err(self.refuse(node, format!("its weight is {}, expected a matrix", text(&shape)))),
        };
        if rows != inputs || outputs == 0 {
            return Err(self.refuse(node, format!("its weight is {}, but {inputs} values come in", text(&shape))));
        }
        let (view, order) = match &self.flat {
            Some(flat) => ([flat.shape.axes(), &[outputs]].concat(), flat.axes()),
            None => (vec![inputs, outputs], vec![0]),
        };
        let output = view.len() - 1;
        let order = if is_turned { [&[output][..], &order].concat() } else { [&order[..], &[output]].concat() };
        let values = Layout::transposed(&view, &order).read(values);
        let used = Used { parameter: 0, tensor: node.input(1).unwrap_or_default().into(), shape };
        self.push(node, Layer::Dense { outputs, bias: false }, vec![values], vec![used])
    }

    fn matmul(&mut self, node: &Node) -> Result<(), Halt> {
        let (shape, values) = self.floats(node, 1, "weight")?;
        match &self.axes[..] {
            [Axis::Batch, Axis::Channel] => self.dense(node, shape, &values, false)?,
            // Each step by itself: a convolution with a kernel of one.
            [Axis::Batch, Axis::Position(0), Axis::Channel] | [Axis::Position(0), Axis::Batch, Axis::Channel] => {
                let [rows, outputs] = shape[..] else {
                    return Err(self.refuse(node, format!("its weight is {}, expected a matrix", text(&shape))));
                };
                if rows != self.shape.channels() {
                    let inputs = self.shape.channels();
                    return Err(
                        self.refuse(node, format!("its weight is {}, but there are {inputs} channels", text(&shape)))
                    );
                }
                let layer = Layer::Conv { axes: 1, outputs, window: Window::new([1; 2]), bias: false };
                let used = Used { parameter: 0, tensor: node.input(1).unwrap_or_default().into(), shape };
                self.push(node, layer, vec![values], vec![used])?;
            }
            _ => {
                let lengths = text(&self.lengths());
                return Err(self.refuse(node, format!("the channels of its input {lengths} are not the last axis")));
            }
        }
        self.open_bias = true;
        Ok(())
    }

    /// The number of positions of an input that is channels first.
    pub(crate) fn image(&mut self, node: &Node) -> Result<usize, Halt> {
        let positions = self.axes.len().saturating_sub(2);
        let expected: Vec<_> =
            [Axis::Batch, Axis::Channel].into_iter().chain((0..positions).map(Axis::Position)).collect();
        if self.axes != expected || !(1..=2).contains(&positions) {
            return Err(self.misread(node, "[batch, channel, ..positions]"));
        }
        Ok(positions)
    }

    /// Kernel, stride, dilation and padding.
    fn window(&mut self, node: &Node, kernel: &[usize]) -> Result<Window, Halt> {
        let axes = kernel.len();
        let mut bad = Vec::new();
        let mut numbers = |name: &str, count: usize, usual: i64, least: i64| -> Vec<usize> {
            let given = node.ints(name).map_or_else(|| vec![usual; count], <[i64]>::to_vec);
            if given.len() != count || given.iter().any(|number| !(least..LONGEST).contains(number)) {
                bad.push(format!("{name} = {given:?}"));
                return vec![usize::from(least == 1); count];
            }
            given.into_iter().map(|number| number as usize).collect()
        };
        let strides = numbers("strides", axes, 1, 1);
        let dilations = numbers("dilations", axes, 1, 1);
        let pads = numbers("pads", 2 * axes, 0, 0);
        if !bad.is_empty() {
            return Err(self.refuse(node, format!("{} cannot be", bad.join(", "))));
        }
        let both = |numbers: &[usize]| [numbers[0], numbers.get(1).copied().unwrap_or(numbers[0])];
        let mut window = Window {
            kernel: both(kernel),
            stride: both(&strides),
            dilation: both(&dilations),
            padding: Padding::Explicit { before: both(&pads[..axes]), after: both(&pads[axes..]) },
        };
        match node.text("auto_pad").as_deref() {
            None | Some("NOTSET" | "") => {}
            Some("VALID") => window.padding = Padding::Valid,
            Some("SAME_UPPER") => window.padding = Padding::Same,
            Some("SAME_LOWER") => {
                window.padding = Padding::Same;
                let Ok(output) = window.output(self.shape.positions()) else {
                    return Err(self.refuse(node, "its kernel does not fit its input"));
                };
                let pairs: Vec<_> = self.shape.positions().iter().zip(&output).enumerate().collect();
                // The odd one before.
                let before: Vec<_> = pairs.iter().map(|(at, (i, o))| window.after(*at, **i, **o)).collect();
                let after: Vec<_> = pairs.iter().map(|(at, (i, o))| window.before(*at, **i, **o)).collect();
                window.padding = Padding::Explicit { before: both(&before), after: both(&after) };
            }
            Some(other) => return Err(self.refuse(node, format!("auto_pad = {other} cannot be"))),
        }
        if let Padding::Explicit { before: [0, 0], after: [0, 0] } = window.padding {
            window.padding = Padding::Valid;
        }
        Ok(window)
    }

    fn conv(&mut self, node: &Node) -> Result<(), Halt> {
        let axes = self.image(node)?;
        let (shape, values) = self.floats(node, 1, "weight")?;
        let channels = self.shape.channels();
        let [outputs, inputs, kernel @ ..] = &shape[..] else {
            return Err(self.refuse(node, format!("its weight is {}", text(&shape))));
        };
        if kernel.len() != axes || shape.contains(&0) {
            return Err(
                self.refuse(node, format!("its weight is {}, but its input has {axes} positions", text(&shape)))
            );
        }
        let said = node.ints("kernel_shape");
        if said.is_some_and(|said| !said.iter().map(|length| *length as usize).eq(kernel.iter().copied())) {
            return Err(self.refuse(node, format!("its kernel_shape is not that of its weight {}", text(&shape))));
        }
        let mut window = self.window(node, kernel)?;
        if let Some(sides) = self.padding.take() {
            if !matches!(window.padding, Padding::Valid) {
                return Err(self.refuse(node, "it pads its input again, behind a node that has padded it"));
            }
            let side = |at: usize| sides[at.min(sides.len() - 1)];
            window.padding = Padding::Explicit { before: [side(0).0, side(1).0], after: [side(0).1, side(1).1] };
        }
        let group = node.int("group", 1);
        let is_depthwise = group == channels as i64 && *outputs == channels && *inputs == 1 && channels > 1;
        if !is_depthwise && (group != 1 || *inputs != channels) {
            return Err(self.refuse(
                node,
                format!(
                    "group = {group} with a weight {} on {channels} channels: expected 1, or as many groups as channels with one output each",
                    text(&shape)
                ),
            ));
        }
        // OIHW, and for depthwise ones C1HW, to the learner's.
        let learners = |rest: &[usize]| [kernel, rest].concat();
        let (view, order, layer) = if is_depthwise {
            let order = [&[axes][..], &(0..axes).collect::<Vec<_>>()].concat();
            (learners(&[channels]), order, Layer::Depthwise { window, bias: false })
        } else {
            let order = [&[axes + 1, axes][..], &(0..axes).collect::<Vec<_>>()].concat();
            (learners(&[channels, *outputs]), order, Layer::Conv { axes, outputs: *outputs, window, bias: false })
        };
        let values = Layout::transposed(&view, &order).read(&values);
        let outputs = *outputs;
        let used = Used { parameter: 0, tensor: node.input(1).unwrap_or_default().into(), shape };
        self.push(node, layer, vec![values], vec![used])?;
        self.open_bias = true;
        if node.input(2).is_some() {
            let (shape, values) = self.floats(node, 2, "bias")?;
            if values.len() != outputs {
                return Err(self.refuse(node, format!("its bias is {}, expected [{outputs}]", text(&shape))));
            }
            let tensor = node.input(2).unwrap_or_default().to_string();
            if let Some(last) = self.taken.last_mut() {
                if let Layer::Conv { bias, .. } | Layer::Depthwise { bias, .. } = &mut last.layer {
                    *bias = true;
                }
                last.arrays.push(values);
                last.used.push(Used { parameter: 1, tensor, shape });
            }
            self.open_bias = false;
        }
        Ok(())
    }

    fn pool(&mut self, node: &Node) -> Result<(), Halt> {
        let axes = self.image(node)?;
        let kernel = node.ints("kernel_shape").unwrap_or_default();
        if kernel.len() != axes || kernel.iter().any(|length| !(1..LONGEST).contains(length)) {
            return Err(self.refuse(node, format!("its kernel_shape is {kernel:?}")));
        }
        let kernel: Vec<_> = kernel.iter().map(|length| *length as usize).collect();
        let window = self.window(node, &kernel)?;
        let is_padded = !matches!(window.padding, Padding::Valid);
        if node.op == "AveragePool" && is_padded && node.int("count_include_pad", 0) != 0 {
            return Err(self.refuse(node, "count_include_pad: the learner's mean is over elements inside only"));
        }
        if node.int("ceil_mode", 0) != 0 {
            let fits = self.shape.positions().iter().zip(&kernel).enumerate().all(|(at, (length, kernel))| {
                let (before, after) = match window.padding {
                    Padding::Explicit { before, after } => (before[at], after[at]),
                    Padding::Valid | Padding::Same => (0, 0),
                };
                (length + before + after)
                    .checked_sub(*kernel)
                    .is_some_and(|rest| rest.is_multiple_of(window.stride[at]))
            });
            if !fits {
                return Err(self
                    .refuse(node, "ceil_mode: the last window leaves the input; pad it, or choose lengths that fit"));
            }
        }
        let layer = if node.op == "MaxPool" { Layer::MaxPool { window } } else { Layer::AveragePool { window } };
        self.push(node, layer, vec![], vec![])
    }

    fn reduce(&mut self, node: &Node) -> Result<(), Halt> {
        let given = if node.input(1).is_some() { Some(self.constant(node, 1, "axes")?) } else { None };
        let axes = given.as_ref().and_then(|axes| axes.as_ints()).or(node.ints("axes")).unwrap_or_default();
        let rank = self.axes.len();
        let chosen: Vec<_> = axes.iter().filter_map(|at| axis(*at, rank)).collect();
        let is_position = |at: &usize| matches!(self.axes[*at], Axis::Position(_) | Axis::One);
        let all = (0..rank).filter(|at| matches!(self.axes[*at], Axis::Position(_))).all(|at| chosen.contains(&at));
        if chosen.len() != axes.len() || !chosen.iter().all(is_position) || !all || self.shape.positions().is_empty() {
            return Err(self.refuse(node, format!("axes = {axes:?}: expected all positions, and nothing else")));
        }
        let keep = node.int("keepdims", 1) != 0;
        let layer = if node.op == "ReduceMax" { Layer::GlobalMaxPool } else { Layer::GlobalAveragePool };
        self.push(node, layer, vec![], vec![])?;
        let kept = |at: usize| if chosen.contains(&at) { keep.then_some(Axis::One) } else { Some(self.axes[at]) };
        self.axes = (0..rank).filter_map(kept).collect();
        Ok(())
    }

    fn batch_norm(&mut self, node: &Node) -> Result<(), Halt> {
        if self.axes.first() != Some(&Axis::Batch) || self.axes.get(1) != Some(&Axis::Channel) {
            return Err(self.misread(node, "[batch, channel, ..positions]"));
        }
        let mut arrays = Vec::new();
        let mut used = Vec::new();
        for (parameter, what) in ["scale", "bias", "mean", "variance"].into_iter().enumerate() {
            let (values, row) = self.per_channel(node, parameter + 1, what, parameter)?;
            arrays.push(values);
            used.push(row);
        }
        let epsilon = node.float("epsilon").unwrap_or(1e-5);
        self.push(node, Layer::BatchNorm { epsilon }, arrays, used)
    }

    /// One value a channel; of a flattened signal or image, in the learner's order.
    fn per_channel(
        &mut self,
        node: &Node,
        input: usize,
        what: &str,
        parameter: usize,
    ) -> Result<(Vec<f32>, Used), Halt> {
        let (shape, values) = self.floats(node, input, what)?;
        let channels = self.shape.channels();
        if values.len() != channels {
            return Err(self.refuse(node, format!("its {what} is {}, expected [{channels}]", text(&shape))));
        }
        let values = match &self.flat {
            Some(flat) => Layout::transposed(flat.shape.axes(), &flat.axes()).read(&values),
            None => values,
        };
        Ok((values, Used { parameter, tensor: node.input(input).unwrap_or_default().into(), shape }))
    }

    fn layer_norm(&mut self, node: &Node) -> Result<(), Halt> {
        let at = node.int("axis", -1);
        let rank = self.axes.len();
        if self.axes.last() != Some(&Axis::Channel) || axis(at, rank) != rank.checked_sub(1) {
            return Err(
                self.refuse(node, format!("axis = {at}: it must normalise the channels alone, as the last axis"))
            );
        }
        let (weight, row) = self.per_channel(node, 1, "scale", 0)?;
        let (mut arrays, mut used) = (vec![weight], vec![row]);
        if node.input(2).is_some() {
            let (bias, row) = self.per_channel(node, 2, "bias", 1)?;
            arrays.push(bias);
            used.push(row);
        } else {
            arrays.push(vec![0.0; self.shape.channels()]);
        }
        let epsilon = node.float("epsilon").unwrap_or(1e-5);
        self.push(node, Layer::LayerNorm { epsilon }, arrays, used)
    }

    /// One slope, or one a channel along the axis of the channels.
    fn prelu(&mut self, node: &Node) -> Result<(), Halt> {
        let (shape, values) = self.floats(node, 1, "slope")?;
        let tensor = node.input(1).unwrap_or_default().to_string();
        if values.len() == 1 {
            let used = Used { parameter: 0, tensor, shape };
            return self.push(node, Layer::PRelu { shared: true }, vec![values], vec![used]);
        }
        if !self.is_along_channels(&shape) {
            let (shape, lengths) = (text(&shape), text(&self.lengths()));
            return Err(
                self.refuse(node, format!("its slope is {shape} for {lengths}: expected one, or one a channel"))
            );
        }
        let (values, used) = self.per_channel(node, 1, "slope", 0)?;
        self.push(node, Layer::PRelu { shared: false }, vec![values], vec![used])
    }

    fn softmax(&mut self, node: &Node) -> Result<(), Halt> {
        // Before version 13, all axes from the given one on were one.
        let is_old = self.graph.opset < 13;
        let at = node.int("axis", if is_old { 1 } else { -1 });
        let chosen = axis(at, self.axes.len());
        let is_channel = chosen.is_some_and(|at| self.axes[at] == Axis::Channel);
        let is_alone = !is_old || chosen.is_some_and(|at| self.axes[at + 1..].iter().all(|axis| *axis == Axis::One));
        if !is_channel || !is_alone {
            return Err(self.refuse(node, format!("axis = {at}: expected that of the channels alone")));
        }
        let activation = if node.op == "Softmax" { Activation::Softmax } else { Activation::LogSoftmax };
        self.push(node, Layer::Activation(activation), vec![], vec![])
    }
}

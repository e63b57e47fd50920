//! What a network needs of a microcontroller: bytes of RAM and flash, part by part, and time, before anything is compiled or bought.
//!
//! RAM is exact: [`Budget::ram`] is `size_of::<Memory<Net, Input, Rule>>()`. Code, stack and time are estimates from what was measured of
//! other networks, and say so.
//!
//! ```
//! use backpass::{Adam, Dense, Memory, Relu, Vector};
//! use backpass_sim::budget::{Budget, Choice};
//! use backpass_sim::network::{Network, Rule};
//!
//! let network = Network::from_line("64 dense(32) relu dense(10)")?;
//! let budget = Budget::new(&network, Choice { rule: Rule::Adam, ..Choice::default() })?;
//! assert_eq!(budget.ram(), size_of::<Memory<(Dense<32>, Relu, Dense<10>), Vector<64>, Adam>>());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod boards;
pub mod costs;
pub mod savings;

pub use boards::{BOARDS, Board, Fit};
pub use costs::{Costs, Time};

use crate::network::{Cell, Layer, Network, Node, Role, Rule, Shape, Stage, nodes};
use crate::reliability::{STACK_OF_MLPS, STACK_OF_OTHERS};

/// Bytes of a number.
const NUMBER: usize = 4;
/// Counters of samples, and bounds of magnitudes.
const COUNTERS: usize = 16 + 8;

/// What of a network learns, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The rule.
    pub rule: Rule,
    /// Only so many of the last layers that have parameters learn; what is before them is a frozen prefix. `None`: all.
    pub train_last: Option<usize>,
    /// Dense layers and convolutions learn their bias alone; those without one, and recurrent layers, do not learn. Normalisations
    /// learn as ever.
    pub bias_only: bool,
}

impl Default for Choice {
    fn default() -> Self {
        Self { rule: Rule::Sgd, train_last: None, bias_only: false }
    }
}

/// A choice that a network does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChoiceError {
    /// More layers than there are.
    #[error(
        "the last {asked} layers are to learn, but only {layers} of the network have parameters: ask for 1 to {layers}"
    )]
    TooMany {
        /// How many were asked for.
        asked: usize,
        /// How many there are.
        layers: usize,
    },
    /// None of the layers has any.
    #[error("no layer of the network has parameters: nothing can learn; add one such as dense(10)")]
    NoParameters,
    /// None at all.
    #[error("the last 0 layers are to learn: ask for 1 or more")]
    None,
    /// Nothing is left to learn.
    #[error("no layer has a bias to learn: leave --bias-only out, or give a layer a bias")]
    NoBias,
    /// A projection would be frozen.
    #[error("{0} has no bias to learn, but a projection cannot be frozen: give it a bias, or leave --bias-only out")]
    FrozenProjection(String),
}

/// What becomes of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learns {
    /// All of its parameters learn, if it has any.
    All,
    /// Its bias learns, the weight lies in flash.
    Bias,
    /// Its parameters lie in flash, the gradient passes through it.
    Nothing,
    /// It is a part of the frozen prefix: no gradient, no tape.
    Prefix,
}

/// A layer's part, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The layer, as in a line; at the end of a residual connection, what is added.
    pub layer: String,
    /// What it gives.
    pub output: Shape,
    /// What of it learns.
    pub learns: Learns,
    /// Parameters in RAM.
    pub parameters: usize,
    /// Parameters in flash.
    pub frozen: usize,
    /// The gradient array.
    pub gradients: usize,
    /// The optimizer's moments.
    pub moments: usize,
    /// What is kept from forward to backward.
    pub activations: usize,
    /// Multiplications and additions of a prediction.
    pub multiply_adds: usize,
}

/// What a network needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    stages: Vec<Stage>,
    nodes: Vec<Node>,
    choice: Choice,
    /// The sample's shape.
    pub input: Shape,
    /// The layers, those within residual connections too.
    pub parts: Vec<Part>,
    /// Numbers in each of the two buffers of a frozen prefix; 0 without one.
    pub buffer: usize,
    /// RAM of an application beside the memory of training, such as samples that it remembers.
    pub application: usize,
}

impl Budget {
    /// The budget of a network.
    ///
    /// # Errors
    /// A choice that this network does not have.
    pub fn new(network: &Network, choice: Choice) -> Result<Self, ChoiceError> {
        Self::of_stages(network.input(), network.stages(), choice)
    }

    /// The same for layers one after another.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of_stages(input: &Shape, stages: &[Stage], choice: Choice) -> Result<Self, ChoiceError> {
        let head = head(stages, choice.train_last)?;
        let nodes = nodes(stages);
        let (mut parts, mut later) = (Vec::new(), false);
        for node in &nodes {
            let learns = if node.number <= head { Learns::Prefix } else { learns(&node.stage, choice.bias_only) };
            parts.push(part(node, learns, choice.rule, &mut later));
        }
        let has_some = nodes.iter().any(|node| count(&node.stage, |_| true) > 0);
        if choice.bias_only && has_some && parts.iter().all(|part| part.parameters == 0) {
            return Err(ChoiceError::NoBias);
        }
        let mut pairs = nodes.iter().zip(&parts);
        if let Some((first, _)) = pairs.find(|(node, part)| node.begins_projection && part.learns == Learns::Nothing) {
            return Err(ChoiceError::FrozenProjection(first.title()));
        }
        let buffer = stages.iter().take(head).map(buffer).max().unwrap_or(0);
        Ok(Self { stages: stages.to_vec(), nodes, choice, input: input.clone(), parts, buffer, application: 0 })
    }

    /// The layers.
    #[must_use]
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// The layers by themselves, as many as [`parts`](Self::parts).
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// What learns, and how.
    #[must_use]
    pub const fn choice(&self) -> Choice {
        self.choice
    }

    /// How many stages are frozen before the first that may learn.
    #[must_use]
    pub fn prefix(&self) -> usize {
        let frozen = self.parts.iter().zip(&self.nodes).filter(|(part, _)| part.learns == Learns::Prefix);
        frozen.map(|(_, node)| node.number).max().unwrap_or(0)
    }

    /// How many of the network's layers learn; a residual connection is one.
    #[must_use]
    pub fn learning(&self) -> usize {
        let mut numbers: Vec<usize> = self
            .nodes
            .iter()
            .zip(&self.parts)
            .filter(|(_, part)| part.parameters > 0)
            .map(|(node, _)| node.number)
            .collect();
        numbers.dedup();
        numbers.len()
    }

    fn sum(&self, of: impl Fn(&Part) -> usize) -> usize {
        self.parts.iter().map(of).sum()
    }

    /// Parameters in RAM, in bytes: `Memory::PARAMETERS`.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.sum(|part| part.parameters)
    }

    /// Gradients, in bytes: `Memory::GRADIENTS`.
    #[must_use]
    pub fn gradients(&self) -> usize {
        self.sum(|part| part.gradients)
    }

    /// The optimizer's moments, in bytes: `Memory::MOMENTS`.
    #[must_use]
    pub fn moments(&self) -> usize {
        self.sum(|part| part.moments)
    }

    /// The sample, in bytes.
    #[must_use]
    pub fn sample(&self) -> usize {
        NUMBER * self.input.count()
    }

    /// The two buffers of the frozen prefix, in bytes.
    #[must_use]
    pub const fn buffers(&self) -> usize {
        2 * NUMBER * self.buffer
    }

    /// The sample and what each layer keeps, in bytes: `Memory::ACTIVATIONS`.
    #[must_use]
    pub fn activations(&self) -> usize {
        self.sample() + self.buffers() + self.sum(|part| part.activations)
    }

    /// Counters, in bytes: `Memory::COUNTERS`.
    #[must_use]
    pub fn counters(&self) -> usize {
        COUNTERS + self.choice.rule.state()
    }

    /// All the RAM of training, in bytes: the size of `Memory`.
    #[must_use]
    pub fn ram(&self) -> usize {
        self.parameters() + self.gradients() + self.moments() + self.activations() + self.counters()
    }

    /// An allowance for the stack, in bytes: what the check `stack` of `reliability` lets the operations of a learner have, with what it
    /// measures below it.
    #[must_use]
    pub fn stack(&self) -> usize {
        let is_mlp = self.stages.iter().all(|stage| {
            matches!(stage.layer, Layer::Dense { .. } | Layer::Activation(_) | Layer::Flatten | Layer::Dropout { .. })
        });
        if is_mlp { STACK_OF_MLPS } else { STACK_OF_OTHERS }
    }

    /// RAM of training, of the application beside it, and of the stack.
    #[must_use]
    pub fn ram_with_stack(&self) -> usize {
        self.ram() + self.application + self.stack()
    }

    /// Frozen parameters in flash, in bytes.
    #[must_use]
    pub fn frozen(&self) -> usize {
        self.sum(|part| part.frozen)
    }

    /// Bytes of a checkpoint, about: parameters, moments and a header. Two of them lie in flash, in whole sectors.
    #[must_use]
    pub fn checkpoint(&self) -> usize {
        const ENVELOPE: usize = 256;
        self.parameters() + self.moments() + self.choice.rule.state() + ENVELOPE
    }
}

/// The first stage that may learn.
fn head(stages: &[Stage], last: Option<usize>) -> Result<usize, ChoiceError> {
    let Some(asked) = last else { return Ok(0) };
    let has_parameters =
        |stage: &Stage| nodes(std::slice::from_ref(stage)).iter().any(|node| count(&node.stage, |_| true) > 0);
    let with: Vec<usize> = (0..stages.len()).filter(|index| has_parameters(&stages[*index])).collect();
    match with.len().checked_sub(asked) {
        _ if with.is_empty() => Err(ChoiceError::NoParameters),
        _ if asked == 0 => Err(ChoiceError::None),
        None => Err(ChoiceError::TooMany { asked, layers: with.len() }),
        // All of it learns.
        Some(0) => Ok(0),
        Some(first) => Ok(with[first]),
    }
}

fn learns(stage: &Stage, bias_only: bool) -> Learns {
    match stage.layer {
        _ if !bias_only => Learns::All,
        Layer::Dense { bias, .. } | Layer::Conv { bias, .. } | Layer::Depthwise { bias, .. } => {
            if bias {
                Learns::Bias
            } else {
                Learns::Nothing
            }
        }
        Layer::Recurrent { .. } => Learns::Nothing,
        _ => Learns::All,
    }
}

/// How many numbers its parameters of some roles have.
fn count(stage: &Stage, role: impl Fn(Role) -> bool) -> usize {
    let parameters = stage.layer.parameters(&stage.input, "");
    parameters.iter().filter(|parameter| role(parameter.role)).map(|parameter| parameter.count()).sum()
}

/// `later`: whether something before the layer learns.
fn part(node: &Node, learns: Learns, rule: Rule, later: &mut bool) -> Part {
    let stage = &node.stage;
    let all = count(stage, |_| true);
    let learned = match learns {
        Learns::All => all,
        Learns::Bias => count(stage, |role| role == Role::Bias),
        Learns::Nothing | Learns::Prefix => 0,
    };
    let gradients = match (rule, &stage.layer, learns) {
        // Its weights are needed once more behind those of the branch.
        _ if node.is_projected => learned,
        // Each weight takes its step on the way back; those of a convolution only if nobody wants dL/dx.
        (Rule::InPlace, Layer::Dense { .. }, Learns::All) => 0,
        (Rule::InPlace, Layer::Conv { .. }, Learns::All) if !*later => 0,
        _ => learned,
    };
    *later |= learned > 0;
    let tape = if learns == Learns::Prefix { 0 } else { stage.tape_count() };
    Part {
        layer: node.label(),
        output: stage.output.clone(),
        learns,
        parameters: NUMBER * learned,
        // A bias that learns starts from the one in flash.
        frozen: if learns == Learns::All { 0 } else { NUMBER * all },
        gradients: NUMBER * gradients,
        moments: rule.moments() * NUMBER * learned,
        activations: NUMBER * tape,
        multiply_adds: stage.multiply_adds(),
    }
}

/// Numbers that a frozen layer needs in each of two buffers.
fn buffer(stage: &Stage) -> usize {
    let (input, output) = (stage.input.count(), stage.output.count());
    match &stage.layer {
        // The output, and the tape of one step.
        Layer::Recurrent { cell, hidden, .. } => {
            let tape = match cell {
                Cell::Rnn => *hidden,
                Cell::Gru => 5 * hidden,
                Cell::Lstm => 6 * hidden,
            };
            input.max(output + tape)
        }
        // The input is put aside while the branch is at work, and then goes through the projection.
        Layer::Residual { .. } => {
            let of = |part: &[Stage]| part.iter().map(buffer).max().unwrap_or(0);
            let [branch, projection] = stage.parts();
            let aside = if projection.is_empty() { input } else { of(&projection) };
            aside + of(&branch).max(of(&projection))
        }
        _ => input.max(output),
    }
}

#[cfg(test)]
mod tests;

//! Models in and out: what was trained in PyTorch or Keras goes to a board, and what a board learned opens elsewhere.
//!
//! A [`Model`] is a [`Network`] with its values, in the learner's order and layout (input-major, channels last). It is read from
//! [`safetensors`](mod@safetensors) and [`onnx`] files, checkpoints ([`checkpoint`]) and raw images ([`flash`]), and written as any of these or as
//! Rust ([`source`]). Layouts are transposed on the way; every value keeps its bits, so a model that goes out and comes in again is the
//! same. The one exception are PyTorch's two biases of a recurrent layer, of which the learner keeps the sum.
//!
//! What is wrong with a file is told all at once, as [`Problems`].

pub mod application;
mod assign;
pub mod checkpoint;
pub mod flash;
mod layout;
mod naming;
pub mod onnx;

mod recurrent;
pub mod safetensors;
pub mod source;
mod tensor;
pub mod torch;

use std::fmt;

use crate::network::{Network, Parameter};

pub use application::Application;
pub use naming::Framework;

/// Everything that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Each of them.
    #[must_use]
    pub fn list(&self) -> &[String] {
        &self.0
    }

    fn add(&mut self, problem: impl Into<String>) {
        let problem = problem.into();
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// The value, if there are none.
    fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<String> for Problems {
    fn from(problem: String) -> Self {
        Self(vec![problem])
    }
}

impl From<&str> for Problems {
    fn from(problem: &str) -> Self {
        Self(vec![problem.into()])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [problem] => f.write_str(problem),
            problems => {
                write!(f, "{} problems:", problems.len())?;
                problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
            }
        }
    }
}

impl std::error::Error for Problems {}

/// A network with the values of its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    network: Network,
    values: Vec<Vec<f32>>,
}

impl Model {
    /// The network with these values, one array for each of [`Network::parameters`].
    ///
    /// # Errors
    /// Arrays of another length, and numbers that are not finite: no learner takes them.
    pub fn new(network: Network, values: Vec<Vec<f32>>) -> Result<Self, Problems> {
        let (parameters, mut problems) = (network.parameters(), Problems::default());
        if parameters.len() != values.len() {
            problems.add(format!("{} arrays of parameters, but the network has {}", values.len(), parameters.len()));
        }
        for (parameter, values) in parameters.iter().zip(&values) {
            if values.len() != parameter.count() {
                problems.add(format!("{}: {} values, expected {}", parameter.name, values.len(), parameter.count()));
            }
            let wrong = values.iter().filter(|value| !value.is_finite()).count();
            if wrong > 0 {
                let name = &parameter.name;
                problems.add(format!("{name}: {wrong} of {} values are not finite (NaN or infinite)", values.len()));
            }
        }
        problems.or(()).map(|()| Self { network, values })
    }

    /// The network with these values, one parameter after another.
    ///
    /// # Errors
    /// Another number of values, or some that are not finite.
    pub fn from_flat(network: Network, flat: &[f32]) -> Result<Self, Problems> {
        let parameters = network.parameters();
        let expected: usize = parameters.iter().map(Parameter::count).sum();
        if flat.len() != expected {
            return Err(format!("{} values, but `{network}` has {expected} parameters", flat.len()).into());
        }
        let mut rest = flat;
        let arrays = parameters.iter().map(|parameter| {
            let (values, behind) = rest.split_at(parameter.count());
            rest = behind;
            values.to_vec()
        });
        let values = arrays.collect();
        Self::new(network, values)
    }

    /// The layers and shapes.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// An array for each parameter.
    #[must_use]
    pub fn values(&self) -> &[Vec<f32>] {
        &self.values
    }

    /// All values, in the learner's order.
    #[must_use]
    pub fn flat(&self) -> Vec<f32> {
        self.values.concat()
    }

    /// The arrays of each node.
    fn nodes(&self) -> impl Iterator<Item = &[Vec<f32>]> {
        let mut rest = &self.values[..];
        self.network.nodes().into_iter().map(move |node| {
            let (arrays, behind) = rest.split_at(node.parameters().len());
            rest = behind;
            arrays
        })
    }
}

/// A model that came from a file, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The model.
    pub model: Model,
    /// What became of each tensor.
    pub rows: Vec<Row>,
    /// What is worth knowing: tensors that were not needed, numbers that were converted.
    pub notes: Vec<String>,
}

/// A tensor of a file and what it became, or the other way round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The layer, as in a [line](crate::network::line).
    pub layer: String,
    /// The learner's name of the parameter.
    pub parameter: String,
    /// Its shape there.
    pub axes: Vec<usize>,
    /// The name in the file.
    pub tensor: String,
    /// The shape in the file.
    pub shape: Vec<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_told() {
        let network = Network::from_line("2 dense(2) dense(1)").unwrap();
        let problems =
            Model::new(network, vec![vec![f32::NAN; 4], vec![0.0; 3], vec![0.0; 2], vec![0.0; 2]]).unwrap_err();
        assert_eq!(problems.list().len(), 3, "{problems}");
        assert!(problems.to_string().starts_with("3 problems:\n  - 0.weight: 4 of 4"), "{problems}");
    }

    #[test]
    fn values_go_flat_and_back() {
        let network = Network::from_line("2 dense(2) relu dense(1)").unwrap();
        let flat: Vec<f32> = (0..9).map(|i| i as f32 - 4.0).collect();
        let model = Model::from_flat(network.clone(), &flat).unwrap();
        assert_eq!(model.flat(), flat);
        assert_eq!(model.nodes().map(<[_]>::len).collect::<Vec<_>>(), [2, 0, 2]);
        assert!(Model::from_flat(network, &flat[1..]).is_err());
    }
}

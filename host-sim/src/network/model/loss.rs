//! Losses of one sample.

use super::activation::{sigmoid, softmax, softplus};

/// A loss function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Loss {
    /// Softmax cross-entropy on logits.
    CrossEntropy,
    /// The mean squared error.
    MeanSquaredError,
    /// Sigmoid cross-entropy on logits, the mean over the outputs.
    BinaryCrossEntropy,
}

/// What the network should have said.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Target {
    /// A class.
    Class(usize),
    /// A value for each output.
    Values(Vec<f64>),
}

/// A target that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum TargetError {
    /// No such class.
    #[error("class {class} is out of range: the network has {classes} outputs, so classes are 0 to {}", classes - 1)]
    Class {
        /// The class.
        class: usize,
        /// The number of outputs.
        classes: usize,
    },
    /// A class where values are needed.
    #[error("the {loss} takes {outputs} numbers as its target, not a class")]
    NoClass {
        /// The loss.
        loss: &'static str,
        /// The number of outputs.
        outputs: usize,
    },
    /// Too few or too many values.
    #[error("the target has {found} numbers, but the network has {expected} outputs")]
    Count {
        /// How many there are.
        found: usize,
        /// How many outputs.
        expected: usize,
    },
    /// A value that is infinite or NaN.
    #[error("number {number} of the target is not finite")]
    NotFinite {
        /// Which, from 1.
        number: usize,
    },
    /// A value below 0 or above 1.
    #[error("number {number} of the target, {value}, is no probability: the {loss} takes 0 to 1")]
    NotAProbability {
        /// The loss.
        loss: &'static str,
        /// Which, from 1.
        number: usize,
        /// The value.
        value: f64,
    },
}

impl Loss {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CrossEntropy => "cross-entropy",
            Self::MeanSquaredError => "mean squared error",
            Self::BinaryCrossEntropy => "binary cross-entropy",
        }
    }

    /// Whether a target fits `outputs` outputs.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check(self, target: &Target, outputs: usize) -> Result<(), TargetError> {
        match target {
            Target::Class(_) if self != Self::CrossEntropy => Err(TargetError::NoClass { loss: self.name(), outputs }),
            Target::Class(class) if *class >= outputs => Err(TargetError::Class { class: *class, classes: outputs }),
            Target::Class(_) => Ok(()),
            Target::Values(values) if values.len() != outputs => {
                Err(TargetError::Count { found: values.len(), expected: outputs })
            }
            Target::Values(values) => {
                for (value, number) in values.iter().zip(1..) {
                    if !value.is_finite() {
                        return Err(TargetError::NotFinite { number });
                    }
                    if self != Self::MeanSquaredError && !(0.0..=1.0).contains(value) {
                        return Err(TargetError::NotAProbability { loss: self.name(), number, value: *value });
                    }
                }
                Ok(())
            }
        }
    }

    /// The loss of an output.
    #[must_use]
    pub fn value(self, y: &[f64], target: &Target) -> f64 {
        let t = values(target, y.len());
        match self {
            Self::CrossEntropy => {
                let largest = y.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum = largest + y.iter().map(|y| (y - largest).exp()).sum::<f64>().ln();
                y.iter().zip(&t).map(|(y, t)| t * (sum - y)).sum()
            }
            Self::MeanSquaredError => mean(y, &t, |y, t| (y - t).powi(2)),
            Self::BinaryCrossEntropy => mean(y, &t, |y, t| t * softplus(-y) + (1.0 - t) * softplus(y)),
        }
    }

    /// The loss, and dL/dy.
    #[must_use]
    pub fn gradient(self, y: &[f64], target: &Target) -> (f64, Vec<f64>) {
        let t = values(target, y.len());
        let count = y.len() as f64;
        let pairs = y.iter().zip(&t);
        let gradient = match self {
            Self::CrossEntropy => {
                let sum: f64 = t.iter().sum();
                softmax(y).iter().zip(&t).map(|(p, t)| p * sum - t).collect()
            }
            Self::MeanSquaredError => pairs.map(|(y, t)| 2.0 * (y - t) / count).collect(),
            Self::BinaryCrossEntropy => pairs.map(|(y, t)| (sigmoid(*y) - t) / count).collect(),
        };
        (self.value(y, target), gradient)
    }

    /// What the outputs say as probabilities, where they do.
    #[must_use]
    pub fn probabilities(self, y: &[f64]) -> Option<Vec<f64>> {
        match self {
            Self::CrossEntropy => Some(softmax(y)),
            Self::BinaryCrossEntropy => Some(y.iter().map(|y| sigmoid(*y)).collect()),
            Self::MeanSquaredError => None,
        }
    }
}

/// The target as a value for each output.
fn values(target: &Target, outputs: usize) -> Vec<f64> {
    match target {
        Target::Class(class) => (0..outputs).map(|output| f64::from(u8::from(output == *class))).collect(),
        Target::Values(values) => values.clone(),
    }
}

fn mean(y: &[f64], t: &[f64], of: impl Fn(f64, f64) -> f64) -> f64 {
    y.iter().zip(t).map(|(y, t)| of(*y, *t)).sum::<f64>() / y.len() as f64
}

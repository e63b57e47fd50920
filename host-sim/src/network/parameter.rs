//! The parameters of a network: names, shapes, and how frameworks store them.

/// What a parameter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A weight.
    Weight,
    /// What is added.
    Bias,
    /// What is measured instead of learned, such as a running mean.
    Statistic,
}

/// An array of parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The learner's name of it, such as `0.weight`.
    pub name: String,
    /// The learner's shape: input-major, channels last.
    pub axes: Vec<usize>,
    /// What it is for.
    pub role: Role,
}

impl Parameter {
    pub(crate) fn new(stage: &str, leaf: &str, axes: &[usize], role: Role) -> Self {
        Self { name: format!("{stage}.{leaf}"), axes: axes.to_vec(), role }
    }

    /// The number of values.
    #[must_use]
    pub fn count(&self) -> usize {
        self.axes.iter().product()
    }

    /// The last part of the name, such as `weight`.
    #[must_use]
    pub fn leaf(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or_default()
    }
}

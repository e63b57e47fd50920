//! Activation functions and recurrent cells.

/// An activation function, in place of its input or beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "the functions' own names")]
pub enum Activation {
    Relu,
    Relu6,
    LeakyRelu { slope: f32 },
    Sigmoid,
    Tanh,
    Elu,
    Selu,
    Gelu,
    Silu,
    Mish,
    Softplus,
    Softsign,
    HardSigmoid,
    HardSwish,
    Softmax,
    LogSoftmax,
}

/// A recurrent cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the cells' own names")]
pub enum Cell {
    Rnn,
    Gru,
    Lstm,
}

impl Activation {
    /// What the learner calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relu => "Relu",
            Self::Relu6 => "Relu6",
            Self::LeakyRelu { .. } => "LeakyRelu",
            Self::Sigmoid => "Sigmoid",
            Self::Tanh => "Tanh",
            Self::Elu => "Elu",
            Self::Selu => "Selu",
            Self::Gelu => "Gelu",
            Self::Silu => "Silu",
            Self::Mish => "Mish",
            Self::Softplus => "Softplus",
            Self::Softsign => "Softsign",
            Self::HardSigmoid => "HardSigmoid",
            Self::HardSwish => "HardSwish",
            Self::Softmax => "Softmax",
            Self::LogSoftmax => "LogSoftmax",
        }
    }

    /// All of them, with usual settings.
    pub const ALL: [Self; 16] = [
        Self::Relu,
        Self::Relu6,
        Self::LeakyRelu { slope: 0.01 },
        Self::Sigmoid,
        Self::Tanh,
        Self::Elu,
        Self::Selu,
        Self::Gelu,
        Self::Silu,
        Self::Mish,
        Self::Softplus,
        Self::Softsign,
        Self::HardSigmoid,
        Self::HardSwish,
        Self::Softmax,
        Self::LogSoftmax,
    ];

    /// Whether the output takes the input's own place, so that no tape is needed.
    pub(crate) const fn in_place(self) -> bool {
        matches!(self, Self::Relu | Self::Relu6)
    }
}

impl Cell {
    /// What the learner calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rnn => "Rnn",
            Self::Gru => "Gru",
            Self::Lstm => "Lstm",
        }
    }

    /// Gates: rows of weights for each input and hidden unit.
    #[must_use]
    pub const fn gates(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }

    /// Rows of the bias: a GRU that resets after the product has one more, as PyTorch's.
    #[must_use]
    pub const fn bias_rows(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Gru | Self::Lstm => 4,
        }
    }
}

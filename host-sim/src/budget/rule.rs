//! The rules by which a network can learn, and what each keeps.

use std::fmt;

use crate::network::kept::Kept;

/// A rule of the learner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "lowercase")]
pub enum Rule {
    /// Plain stochastic gradient descent.
    Sgd,
    /// With momentum.
    #[value(alias = "nesterov")]
    Momentum,
    /// RMSprop.
    RmsProp,
    /// Adagrad.
    Adagrad,
    /// Adadelta.
    Adadelta,
    /// Adam; with weight decay, AdamW.
    #[value(alias = "adamw")]
    Adam,
    /// AMSGrad.
    AmsGrad,
    /// Lion.
    Lion,
    /// LARS.
    Lars,
    /// Descent of one sample a step without a gradient array.
    #[value(skip)]
    InPlace,
}

impl Rule {
    /// All that have a gradient array.
    pub const OPTIMIZERS: [Self; 9] = [
        Self::Sgd,
        Self::Momentum,
        Self::RmsProp,
        Self::Adagrad,
        Self::Adadelta,
        Self::Adam,
        Self::AmsGrad,
        Self::Lion,
        Self::Lars,
    ];

    fn kept(self) -> Kept {
        match self {
            Self::Sgd => Kept::of::<backpass::Sgd>(),
            Self::Momentum => Kept::of::<backpass::Momentum>(),
            Self::RmsProp => Kept::of::<backpass::RmsProp>(),
            Self::Adagrad => Kept::of::<backpass::Adagrad>(),
            Self::Adadelta => Kept::of::<backpass::Adadelta>(),
            Self::Adam => Kept::of::<backpass::Adam>(),
            Self::AmsGrad => Kept::of::<backpass::AmsGrad>(),
            Self::Lion => Kept::of::<backpass::Lion>(),
            Self::Lars => Kept::of::<backpass::Lars>(),
            Self::InPlace => Kept::of::<backpass::InPlace>(),
        }
    }

    /// What the learner calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.kept().name
    }

    /// Moments of each parameter.
    #[must_use]
    pub fn moments(self) -> usize {
        self.kept().moments
    }

    /// Bytes of its own counters, whatever the network.
    #[must_use]
    pub fn state(self) -> usize {
        self.kept().state_bytes
    }

    /// The row of the benchmark that has its update alone, for 2,410 parameters.
    pub(super) const fn workload(self) -> &'static str {
        match self {
            Self::Sgd | Self::InPlace => "sgd 2410",
            Self::Momentum => "momentum 2410",
            Self::RmsProp => "rmsprop 2410",
            Self::Adagrad => "adagrad 2410",
            Self::Adadelta => "adadelta 2410",
            Self::Adam => "adam 2410",
            Self::AmsGrad => "amsgrad 2410",
            Self::Lion => "lion 2410",
            Self::Lars => "lars 2410",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InPlace => f.write_str("in place"),
            rule => f.write_str(&rule.name().to_ascii_lowercase()),
        }
    }
}

//! The rules by which a network can learn, and what each keeps.

use std::fmt;

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

    /// What the learner calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sgd => "Sgd",
            Self::Momentum => "Momentum",
            Self::RmsProp => "RmsProp",
            Self::Adagrad => "Adagrad",
            Self::Adadelta => "Adadelta",
            Self::Adam => "Adam",
            Self::AmsGrad => "AmsGrad",
            Self::Lion => "Lion",
            Self::Lars => "Lars",
            Self::InPlace => "InPlace",
        }
    }

    /// Moments of each parameter.
    #[must_use]
    pub const fn moments(self) -> usize {
        match self {
            Self::Sgd | Self::InPlace => 0,
            Self::Momentum | Self::RmsProp | Self::Adagrad | Self::Lion | Self::Lars => 1,
            Self::Adadelta | Self::Adam => 2,
            Self::AmsGrad => 3,
        }
    }

    /// Bytes of its own counters, whatever the network.
    #[must_use]
    pub const fn state(self) -> usize {
        match self {
            Self::Momentum | Self::Adagrad => 4,
            Self::Adam | Self::AmsGrad => 8,
            Self::Sgd | Self::RmsProp | Self::Adadelta | Self::Lion | Self::Lars | Self::InPlace => 0,
        }
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

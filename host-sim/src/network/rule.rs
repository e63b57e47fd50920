//! The rules of descent, by the names of the command line.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::kept::Kept;

/// A rule of descent of the learner, without its settings. Each command takes those that it can do something with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Rule {
    /// Plain stochastic gradient descent
    Sgd,
    /// Plain descent of one sample a step, without a gradient array
    InPlace,
    /// Gradient descent with momentum
    Momentum,
    /// Gradient descent with Nesterov's momentum
    Nesterov,
    /// RMSprop
    #[value(name = "rmsprop")]
    RmsProp,
    /// RMSprop with momentum
    #[value(name = "momentum-rmsprop")]
    MomentumRmsProp,
    /// RMSprop, centred: divided by the deviation of the gradient
    #[value(name = "centered-rmsprop")]
    CenteredRmsProp,
    /// RMSprop, centred and with momentum
    #[value(name = "centered-momentum-rmsprop")]
    CenteredMomentumRmsProp,
    /// Adagrad
    Adagrad,
    /// Adadelta
    Adadelta,
    /// Adam; with weight decay, AdamW
    #[value(alias = "adamw")]
    Adam,
    /// AMSGrad
    #[value(name = "amsgrad")]
    AmsGrad,
    /// Lion
    Lion,
    /// LARS
    Lars,
}

impl Rule {
    /// Whether it learns from a gradient array, as all do but descent in place.
    #[must_use]
    pub fn has_gradients(self) -> bool {
        self != Self::InPlace
    }

    /// The learner's type.
    #[must_use]
    pub fn type_name(self) -> &'static str {
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

    pub(crate) fn kept(self) -> Kept {
        match self {
            Self::Sgd => Kept::of::<backpass::Sgd>(),
            Self::InPlace => Kept::of::<backpass::InPlace>(),
            Self::Momentum | Self::Nesterov => Kept::of::<backpass::Momentum>(),
            Self::RmsProp => Kept::of::<backpass::RmsProp>(),
            Self::MomentumRmsProp => Kept::of::<backpass::MomentumRmsProp>(),
            Self::CenteredRmsProp => Kept::of::<backpass::CenteredRmsProp>(),
            Self::CenteredMomentumRmsProp => Kept::of::<backpass::CenteredMomentumRmsProp>(),
            Self::Adagrad => Kept::of::<backpass::Adagrad>(),
            Self::Adadelta => Kept::of::<backpass::Adadelta>(),
            Self::Adam => Kept::of::<backpass::Adam>(),
            Self::AmsGrad => Kept::of::<backpass::AmsGrad>(),
            Self::Lion => Kept::of::<backpass::Lion>(),
            Self::Lars => Kept::of::<backpass::Lars>(),
        }
    }
}

/// The name on the command line.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.pad(value.get_name()))
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> Self {
        rule.to_string()
    }
}

impl TryFrom<String> for Rule {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::from_str(&name, false).map_err(|_| format!("there is no rule of descent {name}"))
    }
}

/// Calls a test with each of the learner's optimizers that has a gradient array, at a learning rate of 0.05, and its rule.
#[cfg(test)]
macro_rules! with_each_optimizer {
    ($compare:ident) => {{
        use backpass::{Adadelta, Adagrad, Adam, AmsGrad, Lars, Lion, Momentum, RmsProp, Sgd};
        use $crate::network::Rule;
        $compare(Sgd::new(0.05), Rule::Sgd);
        $compare(Momentum::new(0.05, 0.9), Rule::Momentum);
        $compare(Momentum::new(0.05, 0.9).nesterov(), Rule::Nesterov);
        $compare(RmsProp::new(0.05), Rule::RmsProp);
        $compare(RmsProp::new(0.05).momentum(0.9), Rule::MomentumRmsProp);
        $compare(RmsProp::new(0.05).centered(), Rule::CenteredRmsProp);
        $compare(RmsProp::new(0.05).centered().momentum(0.9), Rule::CenteredMomentumRmsProp);
        $compare(Adagrad::new(0.05), Rule::Adagrad);
        $compare(Adadelta::new(0.05), Rule::Adadelta);
        $compare(Adam::new(0.05), Rule::Adam);
        $compare(AmsGrad::new(0.05), Rule::AmsGrad);
        $compare(Lion::new(0.05), Rule::Lion);
        $compare(Lars::new(0.05), Rule::Lars);
    }};
}
#[cfg(test)]
pub(crate) use with_each_optimizer;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_known_by_its_name_in_a_file_as_on_the_command_line() {
        for rule in Rule::value_variants() {
            let name = rule.to_string();
            assert_eq!(Rule::from_str(&name, false).as_ref(), Ok(rule));
            assert_eq!(serde_json::to_value(rule).unwrap(), name);
            assert_eq!(&serde_json::from_value::<Rule>(name.into()).unwrap(), rule);
        }
        assert!(serde_json::from_str::<Rule>("\"sgdm\"").is_err());
    }

    /// Names that were taken once are in scripts and files.
    #[test]
    fn names_stay() {
        let known = [
            ("sgd", Rule::Sgd),
            ("in-place", Rule::InPlace),
            ("momentum", Rule::Momentum),
            ("nesterov", Rule::Nesterov),
            ("rmsprop", Rule::RmsProp),
            ("momentum-rmsprop", Rule::MomentumRmsProp),
            ("centered-rmsprop", Rule::CenteredRmsProp),
            ("centered-momentum-rmsprop", Rule::CenteredMomentumRmsProp),
            ("adagrad", Rule::Adagrad),
            ("adadelta", Rule::Adadelta),
            ("adam", Rule::Adam),
            ("adamw", Rule::Adam),
            ("amsgrad", Rule::AmsGrad),
            ("lion", Rule::Lion),
            ("lars", Rule::Lars),
        ];
        for (name, rule) in known {
            assert_eq!(Rule::from_str(name, false), Ok(rule));
        }
    }
}

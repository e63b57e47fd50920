//! The twin of the digits network in every width and with every rule that can be asked for.

use std::fmt;
use std::str::FromStr;

use backpass::{Adagrad, Adam, CrossEntropy, Lion, Momentum, Optimizer, Params, RmsProp, Sgd, Tensor};
use backpass_app::digits::{Input, Network, OPTIMIZER};
use backpass_app::session::{Event, Plan};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::network::Rule;
use crate::{Dataset, Outcome, Simulation};

/// A rule that no twin is built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the digits are not learned by {rule}; choose one of {}", Descent::list())]
pub struct RuleError {
    rule: Rule,
}

/// A rule and its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Descent {
    rule: Rule,
    /// The learning rate.
    pub learning_rate: f32,
    /// The momentum of [`Rule::Momentum`] and [`Rule::Nesterov`].
    pub momentum: f32,
    /// The decoupled weight decay.
    pub weight_decay: f32,
}

impl Descent {
    /// The rule with a learning rate that suits the digits, their momentum, and no weight decay.
    ///
    /// # Errors
    /// No twin is built with that rule.
    pub fn new(rule: Rule) -> Result<Self, RuleError> {
        let learning_rate = match rule {
            Rule::Sgd => 0.1,
            Rule::Momentum | Rule::Nesterov => OPTIMIZER.learning_rate,
            Rule::Adam => 0.003,
            Rule::RmsProp | Rule::Lion => 0.001,
            Rule::Adagrad => 0.03,
            _ => return Err(RuleError { rule }),
        };
        Ok(Self { rule, learning_rate, momentum: OPTIMIZER.momentum, weight_decay: 0.0 })
    }

    /// With this learning rate.
    #[must_use]
    pub const fn with_rate(self, learning_rate: f32) -> Self {
        Self { learning_rate, ..self }
    }

    /// The rule.
    #[must_use]
    pub const fn rule(self) -> Rule {
        self.rule
    }

    /// Whether it has a momentum to be set.
    #[must_use]
    pub const fn has_momentum(self) -> bool {
        matches!(self.rule, Rule::Momentum | Rule::Nesterov)
    }

    /// The rules in words.
    fn list() -> String {
        let taken = Rule::value_variants().iter().filter(|rule| Self::new(**rule).is_ok());
        taken.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// A width is none of [`Width::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no network is built in that width; choose one of {}", Width::list())]
pub struct WidthError;

/// What is done with a network type and an optimizer type, which the caller does not know.
pub(super) trait Visitor {
    type Output;

    /// `optimizer` makes the optimizer from a learning rate.
    fn visit<const WIDTH: usize, O: Optimizer + Clone>(self, optimizer: impl Fn(f32) -> O) -> Self::Output;
}

/// Shapes are types: a network for each width is compiled, by `widths!(W4 4, ...)` into a variant and a call each.
macro_rules! widths {
    ($($name:ident $width:literal),*) => {
        /// The number of hidden neurons of a 64-W-10 network.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "usize", into = "usize")]
        #[expect(missing_docs, reason = "the names say it")]
        pub enum Width {
            $($name,)*
        }

        impl Width {
            /// Every width, in ascending order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The number of hidden neurons.
            #[must_use]
            pub const fn get(self) -> usize {
                match self {
                    $(Self::$name => $width,)*
                }
            }

            fn visit<V: Visitor>(self, descent: Descent, visitor: V) -> V::Output {
                match self {
                    $(Self::$name => descent.visit::<$width, V>(visitor),)*
                }
            }
        }
    };
}

widths!(W4 4, W8 8, W16 16, W24 24, W32 32, W48 48, W64 64, W96 96, W128 128);

impl Width {
    /// The widths in words.
    #[must_use]
    pub fn list() -> String {
        let widths: Vec<_> = Self::ALL.iter().map(ToString::to_string).collect();
        widths.join(", ")
    }
}

impl TryFrom<usize> for Width {
    type Error = WidthError;

    fn try_from(width: usize) -> Result<Self, WidthError> {
        Self::ALL.iter().copied().find(|known| known.get() == width).ok_or(WidthError)
    }
}

impl From<Width> for usize {
    fn from(width: Width) -> Self {
        width.get()
    }
}

impl FromStr for Width {
    type Err = WidthError;

    fn from_str(text: &str) -> Result<Self, WidthError> {
        text.parse::<usize>().map_err(|_| WidthError)?.try_into()
    }
}

impl fmt::Display for Width {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl Descent {
    fn visit<const WIDTH: usize, V: Visitor>(self, visitor: V) -> V::Output {
        let Self { momentum, weight_decay, .. } = self;
        match self.rule {
            Rule::Sgd => visitor.visit::<WIDTH, _>(|rate| Sgd::new(rate).weight_decay(weight_decay)),
            Rule::Momentum | Rule::Nesterov => visitor.visit::<WIDTH, _>(|rate| {
                let rule = Momentum::new(rate, momentum).weight_decay(weight_decay);
                if self.rule == Rule::Nesterov { rule.nesterov() } else { rule }
            }),
            Rule::Adam => visitor.visit::<WIDTH, _>(|rate| Adam::new(rate).weight_decay(weight_decay)),
            Rule::RmsProp => visitor.visit::<WIDTH, _>(|rate| RmsProp::new(rate).weight_decay(weight_decay)),
            Rule::Lion => visitor.visit::<WIDTH, _>(|rate| Lion::new(rate).weight_decay(weight_decay)),
            Rule::Adagrad => visitor.visit::<WIDTH, _>(|rate| Adagrad::new(rate).weight_decay(weight_decay)),
            rule => unreachable!("`new` refuses {rule}"),
        }
    }

    /// Hands the types of a 64-`width`-10 network and of this rule to `visitor`.
    pub(super) fn with_types<V: Visitor>(self, width: Width, visitor: V) -> V::Output {
        width.visit(self, visitor)
    }

    /// Trains a 64-`width`-10 network, telling `log` what happens.
    pub fn train(self, width: Width, plan: Plan, data: &Dataset<Input>, log: &mut dyn FnMut(&Event)) -> Outcome {
        self.train_from(None, width, plan, data, log).0
    }

    /// [`train`](Self::train) from these parameters, in the network's order, or from new ones; gives those at the end too.
    pub fn train_from(
        self,
        start: Option<&[f32]>,
        width: Width,
        plan: Plan,
        data: &Dataset<Input>,
        log: &mut dyn FnMut(&Event),
    ) -> (Outcome, Vec<f32>) {
        let visitor = Train { learning_rate: self.learning_rate, start, plan, data, unseen: &[], log };
        let trained = self.with_types(width, visitor);
        (trained.outcome, trained.end)
    }

    /// [`train`](Self::train); then counts how many of the samples `unseen` are classified rightly.
    pub(super) fn train_and_test(
        self,
        width: Width,
        plan: Plan,
        data: &Dataset<Input>,
        unseen: &[(Input, usize)],
    ) -> (Outcome, u32) {
        let (learning_rate, log) = (self.learning_rate, &mut |_: &Event| {});
        let trained = self.with_types(width, Train { learning_rate, start: None, plan, data, unseen, log });
        (trained.outcome, trained.right)
    }
}

struct Train<'a> {
    learning_rate: f32,
    start: Option<&'a [f32]>,
    plan: Plan,
    data: &'a Dataset<Input>,
    unseen: &'a [(Input, usize)],
    log: &'a mut dyn FnMut(&Event),
}

struct Trained {
    outcome: Outcome,
    /// How many of the unseen samples were classified rightly.
    right: u32,
    /// The parameters.
    end: Vec<f32>,
}

impl Visitor for Train<'_> {
    type Output = Trained;

    fn visit<const WIDTH: usize, O: Optimizer + Clone>(self, optimizer: impl Fn(f32) -> O) -> Trained {
        let network = Network::<WIDTH>::default();
        let mut simulation = Simulation::new(network, CrossEntropy, optimizer(self.learning_rate), self.plan);
        let outcome = match self.start {
            None => simulation.run_with(self.data, self.log),
            Some(start) => {
                let mut values = start.iter().copied();
                Params::visit_mut([simulation.learner().params_mut()], None, &mut |_, [slice]| {
                    slice.iter_mut().zip(&mut values).for_each(|(to, from)| *to = from);
                });
                simulation.resume_with(self.data, self.log)
            }
        };
        let mut learner = simulation.learner();
        let is_right = |(sample, class): &&(Input, usize)| {
            learner.evaluate(sample, class).is_ok_and(|(_, output)| output.argmax() == *class)
        };
        let right = self.unseen.iter().filter(is_right).count() as u32;
        let mut end = Vec::new();
        learner.params().visit(None, &mut |_, values| end.extend_from_slice(values));
        Trained { outcome, right, end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widths_are_known_by_their_numbers() {
        assert!(Width::ALL.is_sorted());
        for width in Width::ALL {
            assert_eq!(width.to_string().parse(), Ok(*width));
        }
        for text in ["0", "33", "-8", "8.0", "", "wide"] {
            assert!(text.parse::<Width>().unwrap_err().to_string().contains("4, 8, 16, 24, 32"), "{text}");
        }
    }

    #[test]
    fn a_rule_that_no_twin_is_built_with_is_refused() {
        let error = Descent::new(Rule::Lars).unwrap_err().to_string();
        assert!(error.contains("lars") && error.contains("sgd, momentum, nesterov, rmsprop, adagrad, adam, lion"));
    }

    #[test]
    fn every_width_and_rule_learns() {
        let mut data = Dataset::digits();
        data.training.truncate(400);
        data.test.truncate(100);
        let plan = Plan { epochs: 6, batch: 8, seed: 1 };
        let descents = Rule::value_variants().iter().filter_map(|rule| Descent::new(*rule).ok());
        for (index, descent) in descents.enumerate() {
            // Not all pairs: the widths go round.
            for width in Width::ALL.iter().skip(1).step_by(2 + index % 3) {
                let (outcome, right) = descent.train_and_test(*width, plan, &data, &data.test);
                assert!(outcome.test_accuracy() > 0.6, "{} {width}: {}", descent.rule, outcome.test_accuracy());
                assert_eq!(f32::from(u16::try_from(right).unwrap()) / 100.0, outcome.test_accuracy());
            }
        }
    }
}

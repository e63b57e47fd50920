//! The rules' formulas, and a step by them with its numbers.

use super::story::{Block, Section, place, signed, table};
use super::text::number;
use super::{Explanation, ParameterStep, number_of_setting};
use crate::network::Rule;

/// What a rule computes of each weight: name and expression, in the order of [`ParameterStep::update`]. `g` is dL/dw, `t` the number of the
/// step; a moment on the right-hand side is that before the step. The sources stand in the documentation of the learner's rules.
const fn formula(rule: Rule) -> &'static [(&'static str, &'static str)] {
    const SQUARE: (&str, &str) = ("s", "0.99 * s + 0.01 * g²");
    const MEAN: (&str, &str) = ("a", "0.99 * a + 0.01 * g");
    const FIRST: (&str, &str) = ("m", "0.9 * m + 0.1 * g");
    const SECOND: (&str, &str) = ("v", "0.999 * v + 0.001 * g²");
    const CORRECTED: (&str, &str) = ("m_hat", "m / (1 - 0.9^t)");
    const ADAM: (&str, &str) = ("step", "rate * m_hat / (√v_hat + 1e-8)");
    match rule {
        Rule::Sgd | Rule::InPlace => &[("step", "rate * g")],
        Rule::Momentum => &[("m", "0.9 * m + g"), ("step", "rate * m")],
        Rule::Nesterov => &[("m", "0.9 * m + g"), ("step", "rate * (g + 0.9 * m)")],
        Rule::RmsProp => &[SQUARE, ("step", "rate * g / (√s + 1e-8)")],
        Rule::MomentumRmsProp => &[SQUARE, ("b", "0.9 * b + g / (√s + 1e-8)"), ("step", "rate * b")],
        Rule::CenteredRmsProp => &[SQUARE, MEAN, ("step", "rate * g / (√(s - a²) + 1e-8)")],
        Rule::CenteredMomentumRmsProp => {
            &[SQUARE, MEAN, ("b", "0.9 * b + g / (√(s - a²) + 1e-8)"), ("step", "rate * b")]
        }
        Rule::Adagrad => &[("s", "s + g²"), ("step", "rate * g / (√s + 1e-10)")],
        Rule::Adadelta => &[
            ("s", "0.9 * s + 0.1 * g²"),
            ("d", "g * √(u + 1e-6) / √(s + 1e-6)"),
            ("u", "0.9 * u + 0.1 * d²"),
            ("step", "rate * d"),
        ],
        Rule::Adam => &[FIRST, SECOND, CORRECTED, ("v_hat", "v / (1 - 0.999^t)"), ADAM],
        Rule::AmsGrad => {
            &[FIRST, SECOND, ("v_max", "max(v_max, v)"), CORRECTED, ("v_hat", "v_max / (1 - 0.999^t)"), ADAM]
        }
        Rule::Lion => &[("d", "sign(0.9 * m + 0.1 * g)"), ("m", "0.99 * m + 0.01 * g"), ("step", "rate * d")],
        Rule::Lars => &[("r", "0.001 * ‖weights‖ / ‖gradients‖"), ("m", "0.9 * m + rate * r * g"), ("step", "m")],
    }
}

/// What the numbers of a first step do not say by themselves.
const fn remark(rule: Rule) -> Option<&'static str> {
    match rule {
        Rule::Adam | Rule::AmsGrad => Some(
            "Moments that begin at 0 are too small at first: the bias correction, 1 - 0.9^t and 1 - 0.999^t, makes up for it. At the first \
             step m_hat is g and √v_hat its size, so each weight moves by the learning rate, however small its gradient.",
        ),
        Rule::RmsProp | Rule::MomentumRmsProp | Rule::CenteredRmsProp | Rule::CenteredMomentumRmsProp => Some(
            "The mean square s begins at 0 and is not corrected for it, as Adam's moments are: at the first step √s is a tenth of the \
             gradient's size, and each weight moves by ten times the learning rate.",
        ),
        Rule::Lars => Some("The ratio r is that of the whole array; biases have 1."),
        _ => None,
    }
}

impl Explanation {
    pub(super) fn update(&self, most: usize) -> Section {
        let rule = self.setup.optimizer;
        let rate = number_of_setting(self.setup.learning_rate);
        let mut blocks: Vec<Block> =
            formula(rule).iter().map(|(name, expression)| Block::Formula(format!("{name} <- {expression}"))).collect();
        blocks.push(Block::Formula("w <- w - step".into()));
        blocks.push(Block::Note(match rule.moments() {
            0 => format!("g is dL/dw, the rate is {rate}."),
            _ => format!("g is dL/dw, the rate is {rate}; what the rule keeps of each weight is 0 before this step, the first (t = 1)."),
        }));
        blocks.extend(remark(rule).map(|remark| Block::Note(remark.into())));
        let parameters = || self.stages.iter().flat_map(|stage| &stage.parameters);
        if let Some(first) = parameters().find(|parameter| !parameter.is_statistic) {
            blocks.push(Block::Note(format!("With the numbers of {}{}:", first.name, place(&first.axes, 0))));
            blocks.extend(self.written_out(first).into_iter().map(Block::Formula));
        }
        blocks.extend(parameters().map(|parameter| update_table(parameter, most)));
        if parameters().next().is_none() {
            blocks.push(Block::Note("This network has no parameters: there is nothing to learn.".into()));
        }
        Section { title: format!("4  Update: {rule}"), blocks }
    }

    /// The rule for the first weight of an array, with numbers for names.
    fn written_out(&self, parameter: &ParameterStep) -> Vec<String> {
        let formula = formula(self.setup.optimizer);
        let mut known = vec![
            ("rate", number_of_setting(self.setup.learning_rate)),
            ("t", "1".into()),
            ("g", signed(parameter.gradient[0])),
        ];
        // Moments before the step.
        known.extend(formula.iter().map(|(name, _)| (*name, "0".into())));
        let mut lines = Vec::new();
        for ((name, expression), computed) in formula.iter().zip(&parameter.update) {
            let value = computed.values[0];
            lines.push(format!("{name} = {} = {}", put_in(expression, &known), number(value)));
            // What a name stands for from here on.
            known.retain(|(known, _)| known != name);
            known.push((name, signed(value)));
        }
        known.push(("w", signed(parameter.before[0])));
        lines.push(format!("w = {} = {}", put_in("w - step", &known), number(parameter.after[0])));
        lines
    }
}

/// An expression with numbers for the names that are known.
fn put_in(expression: &str, known: &[(&str, String)]) -> String {
    let is_of_name = |c: char| c.is_alphabetic() || c == '_';
    let mut text = String::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c: char| is_of_name(c) != is_of_name(first)).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        text += known.iter().find(|(name, _)| *name == piece).map_or(piece, |(_, value)| value);
        rest = behind;
    }
    text
}

fn update_table(parameter: &ParameterStep, most: usize) -> Block {
    let gradient = if parameter.is_statistic { "change" } else { "dL/dw" };
    let mut columns: Vec<(&str, &[f64])> = vec![("before", &parameter.before), (gradient, &parameter.gradient)];
    columns.extend(parameter.update.iter().map(|computed| (computed.name, computed.values.as_slice())));
    columns.push(("after", &parameter.after));
    let (names, values): (Vec<&str>, Vec<&[f64]>) = columns.into_iter().unzip();
    table(&names, &parameter.axes, &parameter.name, &values, most)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;
    use crate::explain::Setup;
    use crate::network::Network;
    use crate::network::model::{Loss, Target};

    #[test]
    fn formulas_compute_what_the_model_computes() {
        for rule in Rule::value_variants() {
            let setup = Setup {
                seed: 1,
                input: vec![0.5],
                target: Target::Values(vec![1.0]),
                loss: Loss::MeanSquaredError,
                optimizer: *rule,
                learning_rate: 0.1,
            };
            let step = Explanation::new(Network::from_line("1 dense(1)").unwrap(), setup, &mut |_, _| ()).unwrap();
            for parameter in &step.stages[0].parameters {
                let computed = parameter.update.iter().map(|computed| computed.name);
                assert!(computed.eq(formula(*rule).iter().map(|(name, _)| *name)), "{rule}");
            }
        }
    }

    #[test]
    fn numbers_stand_where_names_stood() {
        let known = [("rate", "0.1".to_string()), ("s", "4".into()), ("g", "(-2)".into()), ("m", "3".into())];
        assert_eq!(put_in("rate * g / (√s + 1e-8)", &known), "0.1 * (-2) / (√4 + 1e-8)");
        assert_eq!(put_in("max(m_hat, m) + g²", &known), "max(m_hat, 3) + (-2)²");
    }
}

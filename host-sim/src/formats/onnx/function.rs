//! Which activation some nodes compute. Exporters write GELU, SiLU, Mish and others as formulas of several nodes, each in its own way; so
//! a formula is not recognised by its form but by its values at some points.

use super::super::super::network::Activation;
use super::graph::Node;

/// Where functions are compared: in each of their pieces. The first is where a slope is read.
pub(crate) const POINTS: [f64; 11] = [-1.0, -7.0, -3.5, -2.25, -0.4, 0.0, 0.3, 1.0, 2.75, 6.5, 8.0];

/// Relative and absolute. Constants in files are `f32`; the two forms of GELU differ by 5e-4.
const TOLERANCE: f64 = 2e-6;

/// What a formula is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Function {
    Identity,
    Activation(Activation),
}

/// The values of an operator on each element, given those of its inputs; `None` if it is no such operator.
pub(crate) fn apply(node: &Node, inputs: &[Option<Vec<f64>>]) -> Option<Vec<f64>> {
    let float = |name: &str, usual: f64| node.float(name).map_or(usual, f64::from);
    let first = inputs.first()?.as_ref()?;
    let second = inputs.get(1).and_then(Option::as_ref);
    let each = |function: &dyn Fn(f64) -> f64| Some(first.iter().map(|x| function(*x)).collect());
    let both =
        |function: &dyn Fn(f64, f64) -> f64| Some(first.iter().zip(second?).map(|(a, b)| function(*a, *b)).collect());
    let alpha = |usual| float("alpha", usual);
    match node.op.as_str() {
        "Relu" => each(&|x| x.max(0.0)),
        "LeakyRelu" => each(&|x| if x < 0.0 { alpha(0.01) * x } else { x }),
        "Elu" => each(&|x| elu(x, alpha(1.0))),
        "Celu" => each(&|x| x.max(0.0) + (alpha(1.0) * (x / alpha(1.0)).exp_m1()).min(0.0)),
        "Selu" => each(&|x| float("gamma", SELU_SCALE) * elu(x, alpha(SELU_ALPHA))),
        "ThresholdedRelu" => each(&|x| if x > alpha(1.0) { x } else { 0.0 }),
        "Sigmoid" => each(&sigmoid),
        "Tanh" => each(&f64::tanh),
        "Softplus" => each(&softplus),
        "Softsign" => each(&|x| x / (1.0 + x.abs())),
        "HardSigmoid" => each(&|x| (alpha(0.2) * x + float("beta", 0.5)).clamp(0.0, 1.0)),
        "HardSwish" => each(&|x| x * hard_sigmoid(x)),
        "Mish" => each(&|x| x * softplus(x).tanh()),
        "Swish" => each(&|x| x * sigmoid(alpha(1.0) * x)),
        "Gelu" if node.text("approximate").as_deref() == Some("tanh") => each(&gelu_tanh),
        "Gelu" => each(&gelu),
        "Clip" => {
            let bound = |index: usize, name: &str| {
                let given = inputs.get(index).and_then(Option::as_ref).map(|bound| bound[0]);
                given.or(node.float(name).map(f64::from))
            };
            let (low, high) = (bound(1, "min"), bound(2, "max"));
            each(&|x| x.max(low.unwrap_or(f64::NEG_INFINITY)).min(high.unwrap_or(f64::INFINITY)))
        }
        "Erf" => each(&libm::erf),
        "Exp" => each(&f64::exp),
        "Log" => each(&f64::ln),
        "Sqrt" => each(&f64::sqrt),
        "Neg" => each(&|x| -x),
        "Abs" => each(&f64::abs),
        "Reciprocal" => each(&f64::recip),
        "Add" => both(&|a, b| a + b),
        "Sub" => both(&|a, b| a - b),
        "Mul" => both(&|a, b| a * b),
        "Div" => both(&|a, b| a / b),
        "Pow" => both(&f64::powf),
        "Max" => both(&f64::max),
        "Min" => both(&f64::min),
        "Greater" => both(&|a, b| f64::from(a > b)),
        "GreaterOrEqual" => both(&|a, b| f64::from(a >= b)),
        "Less" => both(&|a, b| f64::from(a < b)),
        "LessOrEqual" => both(&|a, b| f64::from(a <= b)),
        "Where" => {
            let otherwise = inputs.get(2)?.as_ref()?;
            let choices = first.iter().zip(second?).zip(otherwise);
            Some(choices.map(|((is, then), otherwise)| if *is == 0.0 { *otherwise } else { *then }).collect())
        }
        _ => None,
    }
}

/// The operators that [`apply`] knows.
pub(crate) const OPERATORS: [&str; 35] = [
    "Relu",
    "LeakyRelu",
    "Elu",
    "Celu",
    "Selu",
    "ThresholdedRelu",
    "Sigmoid",
    "Tanh",
    "Softplus",
    "Softsign",
    "HardSigmoid",
    "HardSwish",
    "Mish",
    "Swish",
    "Gelu",
    "Clip",
    "Erf",
    "Exp",
    "Log",
    "Sqrt",
    "Neg",
    "Abs",
    "Reciprocal",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Pow",
    "Max",
    "Min",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Where",
];

const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

fn elu(x: f64, alpha: f64) -> f64 {
    if x > 0.0 { x } else { alpha * x.exp_m1() }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn hard_sigmoid(x: f64) -> f64 {
    (x / 6.0 + 0.5).clamp(0.0, 1.0)
}

fn gelu(x: f64) -> f64 {
    0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

fn gelu_tanh(x: f64) -> f64 {
    0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
}

/// What the learner computes.
fn value(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::LeakyRelu { slope } => {
            if x < 0.0 {
                f64::from(slope) * x
            } else {
                x
            }
        }
        Activation::Sigmoid => sigmoid(x),
        Activation::Tanh => x.tanh(),
        Activation::Elu => elu(x, 1.0),
        Activation::Selu => SELU_SCALE * elu(x, SELU_ALPHA),
        Activation::Gelu => gelu(x),
        Activation::Silu => x * sigmoid(x),
        Activation::Mish => x * softplus(x).tanh(),
        Activation::Softplus => softplus(x),
        Activation::Softsign => x / (1.0 + x.abs()),
        Activation::HardSigmoid => hard_sigmoid(x),
        Activation::HardSwish => x * hard_sigmoid(x),
        // Not of one element alone.
        Activation::Softmax | Activation::LogSoftmax => f64::NAN,
    }
}

/// The function that has these values at the [`POINTS`].
pub(crate) fn recognise(values: &[f64]) -> Option<Function> {
    let is = |function: &dyn Fn(f64) -> f64| {
        let close = |(x, y): (&f64, &f64)| (y - function(*x)).abs() <= TOLERANCE * (1.0 + y.abs());
        values.len() == POINTS.len() && POINTS.iter().zip(values).all(close)
    };
    if is(&|x| x) {
        return Some(Function::Identity);
    }
    let slope = -*values.first()? as f32;
    let leaky = Activation::LeakyRelu { slope };
    let fixed = Activation::ALL.into_iter().filter(|activation| !matches!(activation, Activation::LeakyRelu { .. }));
    fixed.chain([leaky]).find(|activation| is(&|x| value(*activation, x))).map(Function::Activation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_told_apart() {
        for activation in Activation::ALL {
            let values: Vec<_> = POINTS.iter().map(|x| value(activation, *x)).collect();
            let is_single = !matches!(activation, Activation::Softmax | Activation::LogSoftmax);
            assert_eq!(recognise(&values), is_single.then_some(Function::Activation(activation)), "{activation:?}");
        }
        assert_eq!(recognise(&POINTS), Some(Function::Identity));
        assert_eq!(recognise(&POINTS.map(gelu_tanh)), None);
        assert_eq!(recognise(&POINTS.map(|x| 2.0 * x)), None);
    }
}

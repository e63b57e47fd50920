//! From a graph to a model.

use super::super::{Imported, Problems};
use super::cell;
use super::constant::External;
use super::function;
use super::graph::{Graph, Node};
use super::walk::{Axis, Walk};
use crate::network::Shape;

/// The operators that become layers, or that exporters put between them, beside those of formulas.
const OPERATORS: [&str; 33] = [
    "Identity",
    "Cast",
    "Dropout",
    "Gemm",
    "MatMul",
    "Conv",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "ReduceMean",
    "ReduceMax",
    "BatchNormalization",
    "LayerNormalization",
    "PRelu",
    "Softmax",
    "LogSoftmax",
    "Flatten",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Transpose",
    "Pad",
    "GRU",
    "LSTM",
    "RNN",
    "Gather",
    "Slice",
    "Shape",
    "Constant",
    "Concat",
    "ConstantOfShape",
    "Expand",
];

/// What of a node cannot be imported, whatever comes in.
fn check(node: &Node) -> Vec<String> {
    let mut problems = Vec::new();
    let mut number = |name: &str, value: f64, expected: f64| {
        if value != expected {
            problems.push(format!("{name} = {value}: expected {expected}"));
        }
    };
    match node.op.as_str() {
        "Gemm" => {
            number("alpha", node.float("alpha").unwrap_or(1.0).into(), 1.0);
            if node.input(2).is_some() {
                number("beta", node.float("beta").unwrap_or(1.0).into(), 1.0);
            }
            number("transA", node.int("transA", 0) as f64, 0.0);
        }
        "BatchNormalization" => number("training_mode", node.int("training_mode", 0) as f64, 0.0),
        "MaxPool" | "AveragePool" => {
            for dilation in node.ints("dilations").unwrap_or_default() {
                number("dilations", *dilation as f64, 1.0);
            }
        }
        "GRU" | "LSTM" | "RNN" => return cell::check(node),
        _ => {}
    }
    problems
}

/// What the axes of a sample can be, the usual first.
fn candidates(rank: usize) -> Vec<Vec<Axis>> {
    use Axis::{Batch, Channel, Position};
    match rank {
        1 => vec![vec![Channel]],
        2 => vec![vec![Batch, Channel]],
        3 => vec![
            vec![Batch, Channel, Position(0)],
            vec![Batch, Position(0), Channel],
            vec![Position(0), Batch, Channel],
        ],
        4 => vec![vec![Batch, Channel, Position(0), Position(1)], vec![Batch, Position(0), Position(1), Channel]],
        _ => vec![],
    }
}

/// Reads the network and its values. `input` is the shape of a sample, where the file leaves lengths open.
///
/// `external` reads a file beside the model, where PyTorch's exporter puts the values of large ones.
///
/// # Errors
/// All that cannot be imported: operators, attributes, types of numbers, branches; or a damaged file.
pub fn read(bytes: &[u8], input: Option<&Shape>, external: External<'_>) -> Result<Imported, Problems> {
    let graph = Graph::read(bytes, external)?;
    let mut problems = Problems::default();
    for node in &graph.nodes {
        let op = node.op.as_str();
        if !OPERATORS.contains(&op) && !function::OPERATORS.contains(&op) {
            problems.add(format!("{}: this operator is not supported", node.title));
        }
        check(node).into_iter().for_each(|problem| problems.add(format!("{}: {problem}", node.title)));
    }
    let mut best: Option<((usize, bool), Problems)> = None;
    for axes in candidates(graph.dims.len()) {
        let walk = match lengths(&graph, &axes, input) {
            Ok((lengths, shape)) => Walk::new(&graph, axes, &lengths, shape).run(),
            Err(problem) => Err(((0, false), problem.into())),
        };
        match walk {
            Ok(imported) if problems.list().is_empty() => return Ok(imported),
            Ok(_) => {
                best = None;
                break;
            }
            Err(found) if best.as_ref().is_none_or(|best| found.0 > best.0) => best = Some(found),
            Err(_) => {}
        }
    }
    if graph.dims.is_empty() || graph.dims.len() > 4 {
        let rank = graph.dims.len();
        problems
            .add(format!("its input `{}` has {rank} axes: expected 2 to 4, the first of them the batch", graph.input));
    }
    // Where the way has ended at an operator that is not supported, that has been told.
    if let Some((_, found)) = best {
        found.0.into_iter().for_each(|problem| problems.add(problem));
    }
    Err(problems)
}

/// The lengths of the input's axes and the learner's shape of it.
fn lengths(graph: &Graph, axes: &[Axis], given: Option<&Shape>) -> Result<(Vec<usize>, Shape), String> {
    let mut lengths = Vec::new();
    for (axis, length) in axes.iter().zip(&graph.dims) {
        let said = given.and_then(|given| match axis {
            Axis::Channel => Some(given.channels()),
            Axis::Position(index) => given.positions().get(*index).copied(),
            Axis::Batch | Axis::One => None,
        });
        lengths.push(match (axis, length, said) {
            (Axis::Batch, length, _) => length.unwrap_or(1),
            (_, Some(length), Some(said)) if *length != said => {
                return Err(format!("its input `{}` has a length of {length}, not {said}", graph.input));
            }
            (_, Some(length), _) => *length,
            (_, None, Some(said)) => said,
            (_, None, None) => {
                return Err(format!(
                    "the shape of its input `{}` is left open: say it with --input, such as --input 3x100",
                    graph.input
                ));
            }
        });
    }
    let positions = axes.iter().filter(|axis| matches!(axis, Axis::Position(_))).count();
    if given.is_some_and(|given| given.positions().len() != positions) {
        return Err(format!("its input `{}` has another number of axes than --input", graph.input));
    }
    let find = |wanted: Axis| axes.iter().position(|axis| *axis == wanted).map_or(1, |at| lengths[at]);
    let shape: Vec<_> = (0..positions).map(|index| find(Axis::Position(index))).chain([find(Axis::Channel)]).collect();
    let shape = Shape::new(&shape).ok_or_else(|| format!("its input `{}` is larger than any memory", graph.input))?;
    Ok((lengths, shape))
}

//! A model as Rust: `static` parameters that lie in flash, for `Frozen`, `FrozenPrefix` or `TrainableLast`.

use super::Model;
use crate::network::{LONGEST_TUPLE, Layer, Stage};

/// Numbers in a line.
const COLUMNS: usize = 10;

/// A Rust module: the types `Network`, `Sample` and `Parameters`, the constant `NETWORK` and the static `PARAMETERS`.
///
/// `origin` says where the values are from. Every value is written so that the compiler reads the same bits.
#[must_use]
pub fn write(model: &Model, origin: &str) -> String {
    let network = &model.network;
    let mut names: Vec<_> = network.rust_names();
    let nodes = network.nodes();
    let has = |wanted: &dyn Fn(&Layer) -> bool| nodes.iter().any(|node| wanted(&node.stage.layer));
    names.push("Layer");
    let linear = |layer: &Layer| {
        matches!(
            layer,
            Layer::Dense { .. }
                | Layer::Conv { .. }
                | Layer::Depthwise { .. }
                | Layer::LayerNorm { .. }
                | Layer::PRelu { .. }
        )
    };
    names.extend(has(&linear).then_some("Linear"));
    names.extend(has(&|layer| matches!(layer, Layer::BatchNorm { .. })).then_some("BatchNormParams"));
    names.extend(has(&|layer| matches!(layer, Layer::Recurrent { .. })).then_some("RecurrentParams"));
    names.sort_unstable();
    names.dedup();

    let origin = origin.replace(['\n', '\r'], " ");
    let mut source = format!(
        "//! `{network}` with the values of {origin}.\n//!\n\
         //! Written by `backpass-sim import`. `Frozen::new(NETWORK, &PARAMETERS)` predicts from flash.\n\n\
         use backpass::{{{}}};\n\n\
         /// The layers.\npub type Network = {};\n\
         /// What it takes.\npub type Sample = {};\n\
         /// What it has learned.\npub type Parameters = <Network as Layer<Sample>>::Params;\n\n\
         /// The network.\npub const NETWORK: Network = {};\n\n\
         /// Its {} parameters.\n#[rustfmt::skip]\n\
         #[allow(clippy::excessive_precision, clippy::approx_constant, clippy::unreadable_literal)]\n\
         pub static PARAMETERS: Parameters = ",
        names.join(", "),
        network.rust_type(),
        network.input().rust_type(),
        network.rust_value(),
        network.parameter_count(),
    );
    let mut arrays = &model.values[..];
    source.push_str(&tuple_of(network.stages(), &mut arrays));
    source.push_str(";\n");
    source
}

/// The parameters of stages, as a tuple or a tuple of tuples. Takes their arrays from the front.
fn tuple_of(stages: &[Stage], arrays: &mut &[Vec<f32>]) -> String {
    let parts: Vec<_> = stages.iter().map(|stage| part(stage, arrays)).collect();
    if parts.len() <= LONGEST_TUPLE {
        return tuple(&parts);
    }
    tuple(&parts.chunks(LONGEST_TUPLE).map(tuple).collect::<Vec<_>>())
}

/// The same of a branch or a projection, where one alone is no tuple.
fn within(stages: &[Stage], arrays: &mut &[Vec<f32>]) -> String {
    match stages {
        [stage] => part(stage, arrays),
        stages => tuple_of(stages, arrays),
    }
}

fn tuple(parts: &[String]) -> String {
    let parts: String = parts.iter().map(|part| format!("    {part},\n")).collect();
    format!("(\n{parts})")
}

/// The parameters of a stage, as an expression. Takes their arrays from the front.
fn part(stage: &Stage, arrays: &mut &[Vec<f32>]) -> String {
    match stage.parts() {
        [branch, projection] if !projection.is_empty() => {
            let branch = within(&branch, arrays);
            return tuple(&[branch, within(&projection, arrays)]);
        }
        [branch, _] if !branch.is_empty() => return within(&branch, arrays),
        _ => {}
    }
    let layer = &stage.layer;
    let parameters = layer.parameters(&stage.input, "");
    if parameters.is_empty() {
        return "()".into();
    }
    let (own, rest) = arrays.split_at(parameters.len());
    *arrays = rest;
    let name = match layer {
        Layer::BatchNorm { .. } => "BatchNormParams",
        Layer::Recurrent { .. } => "RecurrentParams",
        _ => "Linear",
    };
    let mut fields: Vec<_> = parameters
        .iter()
        .zip(own)
        .map(|(parameter, values)| (parameter.leaf(), nested(&parameter.axes, values)))
        .collect();
    // Without a bias, its array is there and has no elements.
    match layer {
        Layer::Recurrent { cell, bias: false, .. } => {
            let rows = cell.bias_rows();
            let empty = if rows == 1 { "[]".into() } else { format!("[{}]", vec!["[]"; rows].join(", ")) };
            fields.push(("bias", empty));
        }
        Layer::Dense { bias: false, .. }
        | Layer::Conv { bias: false, .. }
        | Layer::Depthwise { bias: false, .. }
        | Layer::PRelu { .. } => {
            fields.push(("bias", "[]".into()));
        }
        _ => {}
    }
    let fields = fields.iter().map(|(leaf, values)| format!("{leaf}: {values}"));
    format!("{name} {{ {} }}", fields.collect::<Vec<_>>().join(", "))
}

/// An array of arrays of these lengths.
fn nested(axes: &[usize], values: &[f32]) -> String {
    let Some((length, inner)) = axes.split_first() else { return String::new() };
    if inner.is_empty() {
        // The shortest decimal that is read as the same number.
        let numbers: Vec<_> = values.iter().map(|value| format!("{value:?}")).collect();
        let lines: Vec<_> = numbers.chunks(COLUMNS).map(|line| line.join(", ")).collect();
        return format!("[{}]", lines.join(",\n        "));
    }
    let parts = values.chunks(values.len() / length).map(|values| nested(inner, values));
    format!("[{}]", parts.collect::<Vec<_>>().join(",\n        "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Network;

    #[test]
    fn values_are_written_so_that_they_are_read_as_the_same() {
        let network = Network::from_line("2 dense(2,bias=no) relu").unwrap();
        let values = [0.1, -0.0, 1.0e-45, 16_777_216.0];
        let source = write(&Model::from_flat(network, &values).unwrap(), "a test");
        assert!(
            source.contains("Linear { weight: [[0.1, -0.0],\n        [1e-45, 16777216.0]], bias: [] },\n    (),\n"),
            "{source}"
        );
        assert!(source.contains("use backpass::{Dense, Layer, Linear, NoBias, Relu, Vector};"), "{source}");
    }

    #[test]
    fn residual_connections_are_tuples_within() {
        let line = "1 residual(dense(1,bias=no)) residual(tanh dense(1,bias=no) | dense(1,bias=no))";
        let source = write(&Model::from_flat(Network::from_line(line).unwrap(), &[1.0, 2.0, 3.0]).unwrap(), "a test");
        let compact: String = source.split_whitespace().collect::<Vec<_>>().join(" ");
        let of = |value: &str| format!("Linear {{ weight: [[{value}]], bias: [] }}");
        let expected = format!("= ( {}, ( ( (), (), {}, ), {}, ), );", of("1.0"), of("2.0"), of("3.0"));
        assert!(compact.contains(&expected), "{source}");
    }
}

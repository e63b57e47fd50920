//! A model as Rust: `static` parameters that lie in flash, for `Frozen`, `FrozenPrefix` or `TrainableLast`.

use std::fmt::Write;

use super::Model;
use crate::network::{Layer, Network};

/// Numbers in a line.
const COLUMNS: usize = 10;
/// Stages in a tuple.
const LONGEST_TUPLE: usize = 16;

/// A Rust module: the types `Network`, `Sample` and `Parameters`, the constant `NETWORK` and the static `PARAMETERS`.
///
/// `origin` says where the values are from. Every value is written so that the compiler reads the same bits.
#[must_use]
pub fn write(model: &Model, origin: &str) -> String {
    let network = &model.network;
    let mut names: Vec<_> = network.rust_names();
    let stages = network.stages();
    let has = |wanted: &dyn Fn(&Layer) -> bool| stages.iter().any(|stage| wanted(&stage.layer));
    names.push("Layer");
    let linear = |layer: &Layer| {
        matches!(layer, Layer::Dense { .. } | Layer::Conv { .. } | Layer::Depthwise { .. } | Layer::LayerNorm { .. })
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
    let parts: Vec<_> = stages
        .iter()
        .zip(model.stages())
        .enumerate()
        .map(|(index, (stage, arrays))| part(network, index, &stage.layer, arrays))
        .collect();
    if parts.len() <= LONGEST_TUPLE {
        tuple(&mut source, &parts);
    } else {
        source.push_str("(\n");
        for parts in parts.chunks(LONGEST_TUPLE) {
            tuple(&mut source, parts);
            source.push_str(",\n");
        }
        source.push(')');
    }
    source.push_str(";\n");
    source
}

fn tuple(source: &mut String, parts: &[String]) {
    source.push_str("(\n");
    for part in parts {
        let _ = writeln!(source, "    {part},");
    }
    source.push(')');
}

/// The parameters of a stage, as an expression.
fn part(network: &Network, index: usize, layer: &Layer, arrays: &[Vec<f32>]) -> String {
    let stage = &network.stages()[index];
    let parameters = layer.parameters(&stage.input, "");
    if parameters.is_empty() {
        return "()".into();
    }
    let name = match layer {
        Layer::BatchNorm { .. } => "BatchNormParams",
        Layer::Recurrent { .. } => "RecurrentParams",
        _ => "Linear",
    };
    let mut fields: Vec<_> = parameters
        .iter()
        .zip(arrays)
        .map(|(parameter, values)| (parameter.leaf(), nested(&parameter.axes, values)))
        .collect();
    // Without a bias, its array is there and has no elements.
    match layer {
        Layer::Recurrent { cell, bias: false, .. } => {
            let rows = cell.bias_rows();
            let empty = if rows == 1 { "[]".into() } else { format!("[{}]", vec!["[]"; rows].join(", ")) };
            fields.push(("bias", empty));
        }
        Layer::Dense { bias: false, .. } | Layer::Conv { bias: false, .. } | Layer::Depthwise { bias: false, .. } => {
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
}

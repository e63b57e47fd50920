//! Parameters as Rust: a constant that a frozen network borrows from flash.

use std::fmt::Write;

use backpass::{Initialization, Rng};

use crate::network::{Layer, Network, Parameter, Role, Stage};

/// Weights that are drawn as a learner draws them: a fixed random body, until trained ones are imported.
#[must_use]
pub fn random(network: &Network, seed: u64) -> Vec<Vec<f32>> {
    let mut rng = Rng::new(seed);
    let stages = network.stages();
    let drawn = stages.iter().enumerate().flat_map(|(index, stage)| {
        let initialization = initialization(stages, index);
        let parameters = stage.layer.parameters(&stage.input, "");
        parameters.iter().map(|parameter| draw(parameter, stage, initialization, &mut rng)).collect::<Vec<_>>()
    });
    drawn.collect()
}

/// He before a ReLU, Glorot before anything else.
fn initialization(stages: &[Stage], index: usize) -> Initialization {
    let behind = stages[index + 1..].iter().find(|stage| {
        matches!(stage.layer, Layer::Activation(_) | Layer::Dense { .. } | Layer::Conv { .. } | Layer::Recurrent { .. })
    });
    match behind.map(|stage| stage.layer.name(&stage.input)) {
        Some("Relu" | "Relu6" | "LeakyRelu") => Initialization::He { slope: 0.0 },
        _ => Initialization::Glorot,
    }
}

fn draw(parameter: &Parameter, stage: &Stage, initialization: Initialization, rng: &mut Rng) -> Vec<f32> {
    let mut values = vec![0.0; parameter.count()];
    let (ins, outs) = match parameter.axes[..] {
        [.., ins, outs] => (ins, outs),
        _ => (1, 1),
    };
    match (&stage.layer, parameter.role, parameter.leaf()) {
        (Layer::BatchNorm { .. } | Layer::LayerNorm { .. }, Role::Weight, _) | (_, _, "running_var") => {
            values.fill(1.0)
        }
        (Layer::Recurrent { hidden, .. }, Role::Weight, _) => {
            Initialization::Glorot.fill(&mut values, parameter.axes[0], *hidden, rng);
        }
        // Each channel by itself.
        (Layer::Depthwise { .. }, Role::Weight, _) => {
            let kernel = values.len() / outs;
            initialization.fill(&mut values, kernel, kernel, rng);
        }
        (_, Role::Weight, _) => {
            let kernel = values.len() / (ins * outs);
            initialization.fill(&mut values, kernel * ins, kernel * outs, rng);
        }
        _ => {}
    }
    values
}

/// An expression of the type of the network's parameters, of these values, and the names that it uses.
///
/// # Panics
/// If the values are not those of the network's parameters, in their order.
#[must_use]
pub fn literal(network: &Network, values: &[Vec<f32>]) -> (String, Vec<&'static str>) {
    let (mut values, mut names) = (values.iter(), Vec::new());
    let stages: Vec<_> = network
        .stages()
        .iter()
        .map(|stage| {
            let parameters = stage.layer.parameters(&stage.input, "");
            let Some(name) = type_name(&stage.layer) else { return "()".to_owned() };
            names.push(name);
            let mut fields = String::new();
            for parameter in &parameters {
                let values = values.next().expect("values of every parameter");
                assert_eq!(values.len(), parameter.count(), "{}", parameter.name);
                // Writing to a string cannot fail.
                let _ = write!(fields, "{}: {}, ", parameter.leaf(), nested(&parameter.axes, values));
            }
            if parameters.iter().all(|parameter| parameter.role != Role::Bias) {
                let _ = write!(fields, "bias: {}, ", no_bias(&stage.layer));
            }
            format!("{name} {{ {fields}}}")
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    (network.tuple_of(&stages), names)
}

/// The type of a layer's parameters, if it has any.
fn type_name(layer: &Layer) -> Option<&'static str> {
    match layer {
        Layer::Dense { .. } | Layer::Conv { .. } | Layer::Depthwise { .. } | Layer::LayerNorm { .. } => Some("Linear"),
        Layer::BatchNorm { .. } => Some("BatchNormParams"),
        Layer::Recurrent { .. } => Some("RecurrentParams"),
        _ => None,
    }
}

/// What stands for a bias where there is none.
fn no_bias(layer: &Layer) -> String {
    use crate::network::Cell;
    match layer {
        Layer::Recurrent { cell: cell @ (Cell::Gru | Cell::Lstm), .. } => nested(&[cell.bias_rows(), 0], &[]),
        _ => "[]".to_owned(),
    }
}

/// `[[1.0, 2.0], [3.0, 4.0]]`.
fn nested(axes: &[usize], values: &[f32]) -> String {
    let [first, rest @ ..] = axes else { return values.first().map_or("0.0".to_owned(), |value| format!("{value:?}")) };
    let size = rest.iter().product::<usize>();
    let rows: Vec<_> =
        (0..*first).map(|row| nested(rest, values.get(row * size..(row + 1) * size).unwrap_or(&[]))).collect();
    let between = if rest.is_empty() { ", " } else { ",\n" };
    format!("[{}]", rows.join(between))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_have_the_shape_of_the_parameters() {
        let network = Network::from_line("2 dense(3) relu dense(1,bias=no)").unwrap();
        let values = [vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], vec![0.5; 3], vec![1e-8, -0.0, 2.5]];
        let (text, names) = literal(&network, &values);
        let text: String = text.split_whitespace().collect();
        let expected = "(Linear{weight:[[1.0,2.0,3.0],[4.0,5.0,6.0]],bias:[0.5,0.5,0.5],},(),\
                        Linear{weight:[[1e-8],[-0.0],[2.5]],bias:[],})";
        assert_eq!((text.as_str(), names), (expected, vec!["Linear"]));
    }

    #[test]
    fn random_weights_have_the_bounds_of_the_initialization() {
        let network = Network::from_line("3x16 conv1d(8,5) batchnorm relu gru(4) dense(2)").unwrap();
        let values = random(&network, 1);
        let largest = |values: &[f32]| values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let he = (6.0_f32 / 15.0).sqrt();
        assert!(largest(&values[0]) <= he && largest(&values[0]) > 0.8 * he);
        assert_eq!((largest(&values[1]), values[2][0], values[5][0]), (0.0, 1.0, 1.0));
        assert!(values.iter().flatten().all(|value| value.is_finite()));
        assert_eq!(values.len(), network.parameters().len());
        assert_eq!(values, random(&network, 1));
        assert_ne!(values, random(&network, 2));
    }
}

//! Parameters of frozen layers, where there are no trained ones.

use backpass::{Initialization, Rng};

use crate::network::{Layer, Network, Node, Parameter, Role, Stage};

/// Weights that are drawn as a learner draws them: a fixed random body, until trained ones are imported.
#[must_use]
pub fn random(network: &Network, seed: u64) -> Vec<Vec<f32>> {
    let mut rng = Rng::new(seed);
    let nodes = network.nodes();
    let drawn = nodes.iter().enumerate().flat_map(|(index, node)| {
        let initialization = initialization(&nodes, index);
        let parameters = node.parameters();
        parameters.iter().map(|parameter| draw(parameter, &node.stage, initialization, &mut rng)).collect::<Vec<_>>()
    });
    drawn.collect()
}

/// He before a ReLU, Glorot before anything else.
fn initialization(nodes: &[Node], index: usize) -> Initialization {
    let behind = nodes[index + 1..].iter().map(|node| &node.stage).find(|stage| {
        matches!(
            stage.layer,
            Layer::Activation(_)
                | Layer::PRelu { .. }
                | Layer::Dense { .. }
                | Layer::Conv { .. }
                | Layer::Recurrent { .. }
        )
    });
    match behind.map(|stage| stage.layer.name(&stage.input)) {
        Some("Relu" | "Relu6" | "LeakyRelu" | "PRelu") => Initialization::He { slope: 0.0 },
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
            values.fill(1.0);
        }
        (Layer::Recurrent { hidden, .. }, Role::Weight, _) => {
            Initialization::Glorot.fill(&mut values, parameter.axes[0], *hidden, rng);
        }
        (Layer::PRelu { .. }, ..) => values.fill(0.25),
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

#[cfg(test)]
mod tests {
    use super::*;

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

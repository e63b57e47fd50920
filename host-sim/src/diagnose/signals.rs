//! Do values and gradients pass through the network?

use backpass::Pass;
use serde_json::json;

use super::{Check, Sample, Verdict, percent, short, some};
use crate::network::model::{Loss, Model, Target, Trace};
use crate::network::{Activation, Layer, Role};

/// So many samples are sent through.
const MOST_SENT: usize = 200;

/// Which units of an activation are stuck: for ReLU those that are 0 for every sample, for sigmoid and tanh those whose slope is
/// below a twentieth of its largest for nearly every sample.
fn stuck(function: Activation, outputs: &[&Vec<f64>], channels: usize) -> Option<usize> {
    let (is_flat, share): (fn(f64) -> bool, f64) = match function {
        Activation::Relu | Activation::Relu6 => (|y| y <= 0.0, 1.0),
        Activation::Sigmoid => (|y| 4.0 * y * (1.0 - y) < 0.05, 0.95),
        Activation::Tanh => (|y| 1.0 - y * y < 0.05, 0.95),
        _ => return None,
    };
    let is_stuck = |channel: &usize| {
        let values = || outputs.iter().flat_map(|y| y.iter().skip(*channel).step_by(channels));
        values().filter(|y| is_flat(**y)).count() as f64 >= share * values().count() as f64
    };
    Some((0..channels).filter(is_stuck).count())
}

pub(super) fn activations(fresh: &Model, trained: &Model, samples: &[Sample]) -> Check {
    let mut layers = Vec::new();
    let (mut worst, mut words) = (0.0_f64, Vec::new());
    let traces = |model: &Model| -> Vec<Trace> {
        some(samples, MOST_SENT).iter().map(|sample| model.forward(&sample.x, Pass::Predicting)).collect()
    };
    let (before, after) = (traces(fresh), traces(trained));
    for (index, node) in fresh.nodes().iter().enumerate() {
        let stage = &node.stage;
        let Layer::Activation(function) = stage.layer else { continue };
        let channels = stage.output.channels();
        let count = |traces: &[Trace]| {
            let outputs: Vec<_> = traces.iter().map(|trace| &trace.steps[index].y).collect();
            stuck(function, &outputs, channels)
        };
        let (Some(first), Some(last)) = (count(&before), count(&after)) else { continue };
        let share = last.max(first) as f64 / channels as f64;
        worst = worst.max(share);
        let name = node.name();
        layers.push(json!({ "layer": name, "function": stage.layer.to_string(), "units": channels, "at_first": first, "after": last }));
        let state = if matches!(function, Activation::Relu | Activation::Relu6) { "dead" } else { "saturated" };
        words.push(format!("layer {name}, {}: {last} of {channels} units are {state} ({first} at first)", stage.layer));
    }
    let verdict = match worst {
        _ if worst > 0.6 => Verdict::Problem,
        _ if worst > 0.3 => Verdict::Warning,
        _ => Verdict::Ok,
    };
    let finding =
        if words.is_empty() { "no ReLU, sigmoid or tanh that could be stuck".into() } else { words.join("; ") };
    let advice = "stuck units learn nothing: lower the learning rate, bring the inputs to mean 0, put layernorm or batchnorm before \
                  the activation, or take leakyrelu, elu or silu, which let a gradient through everywhere";
    Check::new("dead units", verdict, finding, advice, json!({ "worst_share": worst, "layers": layers }))
}

pub(super) fn gradients(fresh: &Model, trained: &Model, samples: &[Sample]) -> Check {
    let first = strengths(fresh, samples);
    let last = strengths(trained, samples);
    let names: Vec<String> = (0..fresh.nodes().len())
        .filter(|index| has_weights(fresh, *index))
        .map(|index| fresh.nodes()[index].name())
        .collect();
    let (least, most) = first
        .iter()
        .fold((f64::INFINITY, 0.0_f64), |(least, most), strength| (least.min(*strength), most.max(*strength)));
    let ratio = if most > 0.0 { least / most } else { 0.0 };
    let finite = first.iter().chain(&last).all(|strength| strength.is_finite());
    let verdict = if first.is_empty() {
        Verdict::Ok
    } else if !finite || most > 300.0 || ratio < 1e-4 {
        Verdict::Problem
    } else if most > 30.0 || ratio < 1e-2 {
        Verdict::Warning
    } else {
        Verdict::Ok
    };
    let explodes = !finite || most > 30.0;
    let written: Vec<String> =
        names.iter().zip(&first).map(|(name, strength)| format!("layer {name} {}", short(*strength))).collect();
    let mut finding = format!("gradients at first, relative to their weights: {}", written.join(", "));
    if !finite {
        finding += "; they are no longer finite in training: they explode";
    } else if verdict != Verdict::Ok {
        let word = if explodes { "they explode" } else { "they vanish on the way" };
        finding += &format!("; {word}: the smallest is {} of the largest", percent(ratio));
    }
    let advice = if explodes {
        "scale the inputs, lower the learning rate, and limit the step with clip_norm(1.0); put layernorm between layers"
    } else {
        "take relu or silu instead of sigmoid or tanh, fewer layers, layernorm or batchnorm between them, or residual connections; in \
         recurrent networks gru or lstm and shorter windows"
    };
    let figures = json!({ "layers": names, "at_first": first, "after": last, "smallest_of_largest": ratio });
    Check::new("gradients", verdict, finding, advice, figures)
}

fn has_weights(model: &Model, node: usize) -> bool {
    model.range(node).any(|at| model.parameters()[at].role == Role::Weight)
}

/// For each layer with weights: the root mean square of a sample's gradient, over that of the weights.
fn strengths(model: &Model, samples: &[Sample]) -> Vec<f64> {
    let nodes: Vec<usize> = (0..model.nodes().len()).filter(|index| has_weights(model, *index)).collect();
    let mut squares = vec![0.0; nodes.len()];
    let sent = some(samples, MOST_SENT);
    for sample in &sent {
        let trace = model.forward(&sample.x, Pass::Predicting);
        let (_, gradient) = Loss::CrossEntropy.gradient(trace.output(), &Target::Class(sample.class));
        let backward = model.backward(&trace, gradient);
        for (sum, node) in squares.iter_mut().zip(&nodes) {
            *sum += backward.steps[*node].parameters[0].iter().map(|gradient| gradient * gradient).sum::<f64>();
        }
    }
    let of = |(sum, node): (&f64, &usize)| {
        let weights: f64 = model.values()[model.range(*node).start].iter().map(|weight| weight * weight).sum();
        (sum / sent.len() as f64 / weights.max(f64::MIN_POSITIVE)).sqrt()
    };
    squares.iter().zip(&nodes).map(of).collect()
}

/// Whether the network ends with numbers of any size, as cross-entropy wants them.
pub(super) fn output_layer(model: &Model) -> Check {
    let last = model.network().stages().last().map(|stage| &stage.layer);
    let (verdict, finding) = match last {
        Some(Layer::Activation(function)) => {
            let verdict = match function {
                // Whole classes can be stuck at 0.
                Activation::Relu | Activation::Relu6 => Verdict::Problem,
                // Its logarithm changes nothing.
                Activation::LogSoftmax => Verdict::Ok,
                _ => Verdict::Warning,
            };
            (verdict, format!("the network ends with {}", Layer::Activation(*function)))
        }
        Some(Layer::Dropout { .. }) => {
            (Verdict::Warning, "the network ends with dropout, which strikes out answers".into())
        }
        Some(Layer::Residual { .. }) => {
            (Verdict::Ok, "the network ends with a residual connection, without an activation".into())
        }
        Some(layer) => (Verdict::Ok, format!("the network ends with {layer}, without an activation")),
        None => (Verdict::Ok, "the network has no layers".into()),
    };
    let advice = "cross-entropy has softmax in it and wants logits of any size: remove the last layer";
    Check::new("output layer", verdict, finding, advice, json!({ "layer": last.map(|layer| layer.to_string()) }))
}

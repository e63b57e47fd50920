//! The negative log-likelihood: `reference/cases/negative_log_likelihood.py`.

use backpass::{Dense, LogSoftmax, NegativeLogLikelihood, Relu};

use crate::harness::{TOLERANCE, area, case};

#[test]
fn the_negative_log_likelihood_is_pytorch_s() {
    area(include_bytes!("../../reference/negative_log_likelihood.safetensors"), TOLERANCE, |r| {
        let weighted = NegativeLogLikelihood::new().weights([1.0, 3.0, 0.5, 0.0]);
        let mut plain = case::<[f32; 5]>(r, "plain");
        let targets = plain.classes();
        plain.goal((Dense::<4>::new(), LogSoftmax), NegativeLogLikelihood::new(), targets);
        let mut deep = case::<[f32; 3]>(r, "weighted");
        let targets = deep.classes();
        deep.goal((Dense::<6>::new(), Relu, Dense::<4>::new(), LogSoftmax), weighted, targets);
        let mut linear = case::<[f32; 6]>(r, "linear");
        let targets = linear.classes();
        linear.goal((Dense::<4>::new(),), weighted, targets);
    });
}

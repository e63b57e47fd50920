//! Weights of four channels for an output of three.
// says: positive weights `[f32; 4]` do not fit an output with the channels `[f32; 3]`

use backpass::{BinaryCrossEntropy, Dense, Learner, Memory, Sgd};

fn main() {
    let mut memory = Memory::<Dense<3>, [f32; 2], Sgd>::new();
    let loss = BinaryCrossEntropy.positive_weight([2.0_f32; 4]);
    let mut learner = Learner::new(&mut memory, Dense::new(), loss, Sgd::new(0.1));
    let _ = learner.observe(&[0.0; 2], &[1.0_f32, 0.0, 1.0]);
}

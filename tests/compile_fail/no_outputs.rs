//! A dense layer without outputs.
// says: Dense<O>: a dense layer needs at least one output

use backpass::{Dense, Learner, MeanSquaredError, Memory, Sgd};

fn main() {
    let mut memory = Memory::<Dense<0>, [f32; 4], Sgd>::new();
    let mut learner = Learner::new(&mut memory, Dense::new(), MeanSquaredError, Sgd::new(0.1));
    let _ = learner.observe(&[0.0; 4], &[]);
}

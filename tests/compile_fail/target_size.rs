//! Nine probabilities for a network of ten classes.
// says: `CrossEntropy` does not compare the network's output `[f32; 10]` with a target `[f32; 9]`

use backpass::{CrossEntropy, Dense, Learner, Memory, Relu, Sgd};

fn main() {
    let mut memory = Memory::<(Dense<32>, Relu, Dense<10>), [f32; 64], Sgd>::new();
    let mut learner = Learner::new(&mut memory, (Dense::new(), Relu, Dense::new()), CrossEntropy, Sgd::new(0.1));
    let _ = learner.observe(&[0.0; 64], &[0.1_f32; 9]);
}

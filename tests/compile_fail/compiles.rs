//! The network of the other files, right.

use backpass::{CrossEntropy, Dense, Learner, Memory, Relu, Sgd};

fn main() {
    let mut memory = Memory::<(Dense<32>, Relu, Dense<10>), [f32; 64], Sgd>::new();
    let mut learner = Learner::new(&mut memory, (Dense::new(), Relu, Dense::new()), CrossEntropy, Sgd::new(0.1));
    learner.observe(&[0.0; 64], &3).unwrap();
}

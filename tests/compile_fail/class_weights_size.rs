//! Weights of nine classes for a network of ten.
// says: `ConfiguredCrossEntropy<[f32; 9]>` does not compare the network's output `[f32; 10]`

use backpass::{CrossEntropy, Dense, Learner, Memory, Relu, Sgd};

fn main() {
    let mut memory = Memory::<(Dense<32>, Relu, Dense<10>), [f32; 64], Sgd>::new();
    let network = (Dense::new(), Relu, Dense::new());
    let mut learner = Learner::new(&mut memory, network, CrossEntropy.weights([1.0; 9]), Sgd::new(0.1));
    let _ = learner.observe(&[0.0; 64], &3);
}

//! A class to be ignored, and targets that are no class.
// says: expected `&usize`, found `&[f32; 10]`

use backpass::{CrossEntropy, Dense, Learner, Memory, Relu, Sgd};

fn main() {
    let mut memory = Memory::<(Dense<32>, Relu, Dense<10>), [f32; 64], Sgd>::new();
    let network = (Dense::new(), Relu, Dense::new());
    let mut learner = Learner::new(&mut memory, network, CrossEntropy.ignore(255), Sgd::new(0.1));
    let _ = learner.observe(&[0.0; 64], &[0.1_f32; 10]);
}

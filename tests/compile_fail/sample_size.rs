//! A sample of 63 values for a network of 64 inputs.
// The words are the compiler's own; its code for mismatched types stands for them.
// says: error[E0308]

use backpass::{CrossEntropy, Dense, Learner, Memory, Relu, Sgd};

fn main() {
    let mut memory = Memory::<(Dense<32>, Relu, Dense<10>), [f32; 64], Sgd>::new();
    let mut learner = Learner::new(&mut memory, (Dense::new(), Relu, Dense::new()), CrossEntropy, Sgd::new(0.1));
    let _ = learner.observe(&[0.0; 63], &3);
}

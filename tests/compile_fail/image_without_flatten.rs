//! An image given to a dense layer, which takes a vector.
// says: `Dense<32>` does not take an input of type `[[f32; 8]; 8]`

use backpass::{CrossEntropy, Dense, Learner, Memory, Relu, Sgd};

fn main() {
    let mut memory = Memory::<(Dense<32>, Relu, Dense<10>), [[f32; 8]; 8], Sgd>::new();
    let mut learner = Learner::new(&mut memory, (Dense::new(), Relu, Dense::new()), CrossEntropy, Sgd::new(0.1));
    let _ = learner.observe(&[[0.0; 8]; 8], &3);
}

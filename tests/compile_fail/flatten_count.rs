//! An image of 64 pixels flattened to 63.
// says: Flatten: the input has 64 elements, but the output is declared 63

use backpass::{CrossEntropy, Dense, Flatten, Learner, Memory, Sgd};

fn main() {
    let mut memory = Memory::<(Flatten<63>, Dense<10>), [[f32; 8]; 8], Sgd>::new();
    let mut learner = Learner::new(&mut memory, (Flatten, Dense::new()), CrossEntropy, Sgd::new(0.1));
    let _ = learner.observe(&[[0.0; 8]; 8], &3);
}

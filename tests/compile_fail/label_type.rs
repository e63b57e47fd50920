//! A label that is a byte, as data sets store it, and no `usize`.
// says: a label of another integer type is converted first: `&usize::from(label)`

use backpass::{CrossEntropy, Dense, Learner, Memory, Relu, Sgd};

fn main() {
    let mut memory = Memory::<(Dense<32>, Relu, Dense<10>), [f32; 64], Sgd>::new();
    let mut learner = Learner::new(&mut memory, (Dense::new(), Relu, Dense::new()), CrossEntropy, Sgd::new(0.1));
    let label: u8 = 3;
    let _ = learner.observe(&[0.0; 64], &label);
}

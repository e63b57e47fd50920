//! An image given to a dense layer, which takes a vector.
// says: `Dense<32>` does not take an input of type `[[f32; 8]; 8]`

use backpass::{Dense, Memory, Relu, Sgd};

fn main() {
    let _ = Memory::<(Dense<32>, Relu, Dense<10>), [[f32; 8]; 8], Sgd>::new();
}

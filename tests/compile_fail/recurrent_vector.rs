//! A vector given to a recurrent layer.
// says: a recurrent layer takes a signal `[[f32; C]; T]`: put `Reshape<Signal<T, C>>` before it for a vector

use backpass::{Gru, Memory, Sgd};

fn main() {
    let _ = Memory::<Gru<4>, [f32; 12], Sgd>::new();
}

//! Twelve elements as a signal of ten.
// says: Reshape: the input has 12 elements, but the output is declared 10

use backpass::{Layer, Pass, Reshape, Signal, Zero};

type Input = [f32; 12];
type Stage = Reshape<Signal<5, 2>>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

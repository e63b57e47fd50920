//! Tokens of no dimension.
// says: Embedding: it needs at least one dimension, and at most 2^24 tokens

use backpass::{Embedding, Layer, Pass, Zero};

type Input = [f32; 3];
type Stage = Embedding<10, 0>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

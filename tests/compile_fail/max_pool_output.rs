//! Seven rows and columns pooled to four, where three follow.
// says: MaxPool: a 2x2 window turns 7x7 into 3x3, but the output is declared 4x4

use backpass::{Image, Layer, MaxPool, Pass, Zero};

type Input = Image<7, 7, 2>;
type Stage = MaxPool<Image<4, 4, 2>, 2>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

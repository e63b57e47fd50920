//! Padding that takes columns away.
// says: Pad: the input is 4x6, but the output is declared 5x5, which is smaller

use backpass::{Image, Layer, Pad, Pass, Zero};

type Input = Image<4, 6, 1>;
type Stage = Pad<Image<5, 5, 1>>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

//! A window of 4 by 4 over 3 by 5 elements.
// says: MaxPool: a 4x4 window does not fit an input of 3x5

use backpass::{Image, Layer, MaxPool, Pass, Zero};

type Input = Image<3, 5, 1>;
type Stage = MaxPool<Image<1, 1, 1>, 4>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

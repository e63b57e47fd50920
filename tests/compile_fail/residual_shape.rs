//! A branch that turns four elements into three, which cannot be added to four.
// says: expected an array with a size of 4, found one with a size of 3

use backpass::{Dense, Layer, Pass, Residual, Zero};

type Input = [f32; 4];
type Stage = Residual<Dense<3>>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

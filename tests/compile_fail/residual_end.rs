//! A branch whose last layer's output lies in the place of another's.
// says: Residual: the branch must end with a layer whose output is its own, such as a dense layer, a convolution or a normalisation; put `Keep` last

use backpass::{Dense, Layer, Pass, Relu, Residual, Zero};

type Input = [f32; 4];
type Stage = Residual<(Dense<4>, Relu)>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

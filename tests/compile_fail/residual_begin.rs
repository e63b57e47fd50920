//! A branch that changes its input, which is still to be added.
// says: Residual: the branch (and the projection) must begin with a layer that keeps its input, such as a dense layer, a convolution or a normalisation; put `Keep` first

use backpass::{Dense, Layer, Pass, Relu, Residual, Zero};

type Input = [f32; 4];
type Stage = Residual<(Relu, Dense<4>)>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

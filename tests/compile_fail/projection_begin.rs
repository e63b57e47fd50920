//! A projected branch that changes its input, which the projection is still to read.
// says: Residual: the branch (and the projection) must begin with a layer that keeps its input

use backpass::{Dense, Layer, Pass, Relu, ResidualProjection, Zero};

type Input = [f32; 4];
type Stage = ResidualProjection<(Relu, Dense<3>), Dense<3>>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

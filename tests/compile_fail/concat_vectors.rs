//! Two and three elements side by side, declared to be six.
// says: Concat: the branches give 2 values in 2 channels and 3 in 3, but the output is declared to have 6 in 6

use backpass::{Concat, Dense, Layer, Pass, Zero};

type Input = [f32; 4];
type Stage = Concat<[f32; 6], Dense<2>, Dense<3>>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

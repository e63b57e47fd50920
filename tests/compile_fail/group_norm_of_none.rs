//! No groups.
// says: GroupNorm: 6 channels do not divide into 0 groups

use backpass::{GroupNorm, Layer, Pass, Zero};

type Input = [f32; 6];
type Stage = GroupNorm<0>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

//! Six channels in four groups.
// says: GroupNorm: 6 channels do not divide into 4 groups

use backpass::{GroupNorm, Layer, Pass, Signal, Zero};

type Input = Signal<5, 6>;
type Stage = GroupNorm<4>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

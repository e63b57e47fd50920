//! A mean over no positions.
// says: GlobalAveragePool: there is no position to pool over

use backpass::{GlobalAveragePool, Image, Layer, Pass, Zero};

type Input = Image<2, 0, 3>;
type Stage = GlobalAveragePool;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

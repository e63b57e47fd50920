//! A maximum over no positions.
// says: GlobalMaxPool: there is no position to pool over

use backpass::{GlobalMaxPool, Layer, Pass, Signal, Zero};

type Input = Signal<0, 3>;
type Stage = GlobalMaxPool;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

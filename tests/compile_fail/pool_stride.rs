//! A stride of zero.
// says: MaxPool: window and stride must be at least 1

use backpass::{Layer, MaxPool, Pass, Signal, Zero};

type Input = Signal<4, 1>;
type Stage = MaxPool<Signal<2, 1>, 2, 0>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

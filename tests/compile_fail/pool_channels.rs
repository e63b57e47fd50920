//! A pool that is to turn 3 channels into 2.
// says: does not take an input of type

use backpass::{Layer, MaxPool, Pass, Signal, Zero};

type Input = Signal<4, 3>;
type Stage = MaxPool<Signal<2, 2>, 2>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

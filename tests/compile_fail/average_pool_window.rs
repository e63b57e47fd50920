//! A window of 5 over 4 time steps.
// says: AveragePool: a 5 window does not fit an input of 4

use backpass::{AveragePool, Layer, Pass, Signal, Zero};

type Input = Signal<4, 3>;
type Stage = AveragePool<Signal<1, 3>, 5>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

//! Nine time steps pooled to three, where four follow.
// says: AveragePool: a 3 kernel with stride 2 turns 9 into 4, or with padding into 5, but the output is declared 3

use backpass::{AveragePool, Layer, Pass, Signal, Zero};

type Input = Signal<9, 1>;
type Stage = AveragePool<Signal<3, 1>, 3, 2>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

//! A pool as the projection.
// says: cannot be the projection of a residual connection

use backpass::{Conv1d, Layer, MaxPool, Pass, ResidualProjection, Signal, Zero};

type Input = Signal<6, 2>;
type Stage = ResidualProjection<Conv1d<Signal<3, 2>, 2, 2>, MaxPool<Signal<3, 2>, 2>>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

//! Branches of a different number of time steps.
// says: Concat: the branches give 8 values in 2 channels and 6 in 3, but the output is declared to have 20 in 5

use backpass::{Concat, Conv1d, Layer, Pass, Signal, Zero};

type Input = Signal<4, 1>;
type Stage = Concat<Signal<4, 5>, Conv1d<Signal<4, 2>, 3>, Conv1d<Signal<2, 3>, 3>>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let stage = Stage::default();
    let _ = Layer::<Input>::forward(&stage, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

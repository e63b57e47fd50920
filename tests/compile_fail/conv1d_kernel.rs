//! A kernel longer than the signal, with an output that no padding gives.
// says: Conv1d: a 7 kernel turns 4 into 4 with padding, but the output is declared 1

use backpass::{Conv1d, Layer, Pass, Signal, Zero};

type Input = Signal<4, 1>;
type Convolution = Conv1d<Signal<1, 2>, 7>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let layer = Convolution::new();
    let _ = Layer::<Input>::forward(&layer, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

//! A stride of zero.
// says: Conv1d: kernel, stride and dilation must be at least 1

use backpass::{Conv1d, Layer, Pass, Signal, Zero};

type Input = Signal<4, 1>;
type Convolution = Conv1d<Signal<4, 2>, 3, 0>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let layer = Convolution::new();
    let _ = Layer::<Input>::forward(&layer, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

//! A dilated depthwise convolution with an output that does not follow.
// says: DepthwiseConv1d: a 3 kernel with dilation 2 turns 9 into 5, or with padding into 9, but the output is declared 8

use backpass::{Bias, DepthwiseConv1d, Layer, Pass, Signal, Zero};

type Input = Signal<9, 2>;
type Convolution = DepthwiseConv1d<Signal<8, 2>, 3, 1, Bias, 2>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let layer = Convolution::new();
    let _ = Layer::<Input>::forward(&layer, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

//! An output that neither no padding nor any symmetric one gives.
// says: Conv2d: a 3x3 kernel turns 8x8 into 6x6, or with padding into 8x8, but the output is declared 7x7

use backpass::{Conv2d, Image, Layer, Pass, Zero};

type Input = Image<8, 8, 1>;
type Convolution = Conv2d<Image<7, 7, 2>, 3>;

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let layer = Convolution::new();
    let _ = Layer::<Input>::forward(&layer, &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

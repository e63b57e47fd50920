//! Two factors for three channels.
// says: Scale: it has 2 channels, but its input has 3

use backpass::{Layer, Pass, Scale, Signal};

fn main() {
    let mut x: Signal<4, 3> = [[0.0; 3]; 4];
    let _ = Scale { mean: [0.0; 2], factor: [1.0; 2] }.forward(&(), &mut x, &mut (), Pass::Predicting);
}

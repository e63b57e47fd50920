//! A layer without a bias that is to learn its bias alone.
// says: BiasOnly: the layer has no bias, so nothing would learn; use `Frozen`

use backpass::{BiasOnly, Dense, Linear, NoBias};

static WEIGHTS: Linear<[[f32; 2]; 3], [f32; 0]> = Linear { weight: [[0.5; 2]; 3], bias: [] };

fn main() {
    let _ = BiasOnly::<_, [f32; 3]>::new(Dense::<2, NoBias>::new(), &WEIGHTS);
}

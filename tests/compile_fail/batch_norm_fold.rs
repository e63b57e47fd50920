//! A normalisation of four channels folded into a layer of three outputs.
// says: BatchNorm: it has 4 channels, but the linear layer has 3 outputs

use backpass::{BatchNorm, BatchNormParams, Linear, Zero};

fn main() {
    let norm: BatchNormParams<[f32; 4]> = Zero::ZERO;
    let mut linear: Linear<[[f32; 3]; 2], [f32; 4]> = Zero::ZERO;
    BatchNorm::new().fold(&norm, &mut linear);
}

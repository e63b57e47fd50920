//! A depthwise convolution that is to turn 3 channels into 4.
// says: does not take an input of type

use backpass::{DepthwiseConv2d, Image, Memory, Sgd};

fn main() {
    let _ = Memory::<DepthwiseConv2d<Image<8, 8, 4>, 3>, Image<8, 8, 3>, Sgd>::new();
}

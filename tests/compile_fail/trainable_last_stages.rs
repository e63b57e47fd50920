//! A network of three stages of which the last three are to learn: nothing is left to be frozen.
// says: cannot be split before its last 3 stages

use backpass::{Dense, Relu, SplitLast};

fn main() {
    let network = (Dense::<8>::new(), Relu, Dense::<3>::new());
    let _ = SplitLast::<3>::split_last(network);
}

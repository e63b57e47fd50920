//! Buffers of 32 elements for an activation of 40.
// says: FrozenPrefix: the buffers have 32 elements each, but the largest activation needs 40

use backpass::{CrossEntropy, Dense, FrozenPrefix, Layer, Learner, Memory, Relu, Sgd, Zero};

type Body = (Dense<40>, Relu, Dense<20>);
static WEIGHTS: <Body as Layer<[f32; 8]>>::Params = Zero::ZERO;

fn main() {
    let network = (FrozenPrefix::<Body, [f32; 8], 32>::new(Body::default(), &WEIGHTS), Dense::<3>::new());
    let mut memory = Memory::new();
    let _ = Learner::new(&mut memory, network, CrossEntropy, Sgd::new(0.1)).observe(&[0.0; 8], &1);
}

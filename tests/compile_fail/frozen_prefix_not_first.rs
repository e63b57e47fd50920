//! A frozen prefix behind a layer that learns.
// says: FrozenPrefix: it has no gradient for its input, so it must be the first stage; use `Frozen` elsewhere

use backpass::{CrossEntropy, Dense, FrozenPrefix, Layer, Learner, Memory, Sgd, Zero};

static WEIGHTS: <Dense<4> as Layer<[f32; 8]>>::Params = Zero::ZERO;

fn main() {
    let frozen = FrozenPrefix::<Dense<4>, [f32; 8], 8>::new(Dense::new(), &WEIGHTS);
    let network = (Dense::<8>::new(), frozen, Dense::<3>::new());
    let mut memory = Memory::new();
    let _ = Learner::new(&mut memory, network, CrossEntropy, Sgd::new(0.1)).observe(&[0.0; 8], &1);
}

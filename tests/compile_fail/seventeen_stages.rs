//! A network of 17 stages in one tuple.
// says: a network is a tuple of 1 to 16 stages

use backpass::{CrossEntropy, Dense, Learner, Memory, Relu, Sgd};

#[rustfmt::skip]
type Net = (
    Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu,
    Dense<2>,
);

fn main() {
    let mut memory = Memory::<Net, [f32; 4], Sgd>::new();
    #[rustfmt::skip]
    let network = (
        Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu, Relu,
        Dense::new(),
    );
    let mut learner = Learner::new(&mut memory, network, CrossEntropy, Sgd::new(0.1));
    let _ = learner.observe(&[0.0; 4], &1);
}

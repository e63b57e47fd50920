//! A network of 17 stages in one tuple.
// says: a network is a tuple of 1 to 16 stages

use backpass::{Dense, Memory, Relu, Sgd, Tanh};

#[rustfmt::skip]
type Net = (
    Dense<9>, Relu, Dense<8>, Relu, Dense<7>, Relu, Dense<6>, Relu,
    Dense<5>, Tanh, Dense<4>, Tanh, Dense<3>, Tanh, Dense<2>, Tanh,
    Dense<2>,
);

fn main() {
    let _ = Memory::<Net, [f32; 4], Sgd>::new();
}

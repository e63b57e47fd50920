//! Two learning rates for a network of three stages.
// says: LayerRates: 2 learning rates for a network whose number of stages is 3

use backpass::{CrossEntropy, Dense, Learner, Memory, Optimizer, Relu, Sgd};

fn main() {
    let mut memory = Memory::<_, [f32; 4], _>::new();
    let optimizer = Sgd::new(0.1).layer_rates([0.0, 1.0]);
    let mut learner = Learner::new(&mut memory, <(Dense<8>, Relu, Dense<3>)>::default(), CrossEntropy, optimizer);
    let _ = learner.train(&[0.0; 4], &1);
}

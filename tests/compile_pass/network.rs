//! What the files of compile_fail get wrong, right.

use backpass::{CrossEntropy, Dense, Flatten, Learner, Memory, Relu, Sgd};

type Ram = Memory<(Flatten<64>, Dense<32>, Relu, Dense<10>), [[f32; 8]; 8], Sgd>;
const _: () = assert!(size_of::<Ram>() <= 20 * 1024, "the training memory does not fit in 20 KiB");

fn main() {
    let mut memory = Ram::new();
    let network = (Flatten, Dense::new(), Relu, Dense::new());
    let mut learner = Learner::new(&mut memory, network, CrossEntropy, Sgd::new(0.1));
    learner.initialize(1);
    let label: u8 = 3;
    learner.train(&[[0.5; 8]; 8], &usize::from(label)).unwrap();
    learner.train(&[[0.5; 8]; 8], &[0.1; 10]).unwrap();
}

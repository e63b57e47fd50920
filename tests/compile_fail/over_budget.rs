//! Training memory of 19.3 KiB where there are 8.
// says: the training memory does not fit in 8 KiB

use backpass::{Dense, Memory, Relu, Sgd};

type Ram = Memory<(Dense<32>, Relu, Dense<10>), [f32; 64], Sgd>;
const _: () = assert!(size_of::<Ram>() <= 8 * 1024, "the training memory does not fit in 8 KiB");

fn main() {
    let _ = Ram::new();
}

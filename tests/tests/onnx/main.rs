//! ONNX's own tests of its operators, for the operators that are layers, losses and optimizers of backpass.
//!
//! The cases come from the `onnx` package; `reference/onnx_cases.py` chose them, wrote what they hold to
//! `reference/onnx.safetensors`, and wrote `cases.rs`, in which a case is one line: the layer's type, and the method of [`Run`]
//! that runs it. Which operator is which layer, and which operators have none, is in `reference/onnx_operators.py`. A case of such an
//! operator that is not run has one of a few reasons, each of them something that backpass does not offer; a wrong answer is
//! none. Each sample of a batch is run by itself: through the layer, in prediction and in training, and in two buffers, which must give
//! the same bits.
//!
//! What these cases do not show: gradients, and the order of an LSTM's gates, whose weights are all one number. PyTorch's do.
//!
//! `cargo test -p backpass-tests --test onnx -- --nocapture` prints the count, the reasons and the names.

mod cases;
mod harness;
mod layers;
mod losses;
mod optimizers;
mod statistics;

use harness::Run;

#[test]
fn operators_give_the_outputs_of_onnx() {
    let mut run = Run::new(include_bytes!("../../reference/onnx.safetensors"));
    cases::OPERATORS.iter().for_each(|operator| operator(&mut run));
    run.finish(cases::NOT_APPLICABLE, cases::NOT_RETURNED);
}

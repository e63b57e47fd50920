//! Inference in two buffers: what a frozen prefix of a network runs in.

use crate::layer::{Layer, Pass};
use crate::tensor::Tensor;

/// A layer that can predict in two buffers, without a tape: the input lies in one, the output in the same or in the other.
///
/// [`FrozenPrefix`](crate::FrozenPrefix) asks for it. Every layer of this crate has it; a tuple has it if its stages have.
pub trait Inference<X: Tensor>: Layer<X, Output: Tensor> {
    /// How many elements each of the two buffers must hold: the largest activation.
    const BUFFER: usize;
    /// Whether the output lies in the other buffer than the input.
    const SWAPS: bool;
    /// Whether the layer goes on from its state when the pass is [`Continuing`](Pass::Continuing); here it always begins afresh.
    const HAS_STATE: bool = false;

    /// Computes the output for the input that `here` begins with, and leaves it at the beginning of `there` if
    /// [`SWAPS`](Self::SWAPS), else of `here`. Both have at least [`BUFFER`](Self::BUFFER) elements.
    fn infer(&self, params: &Self::Params, here: &mut [f32], there: &mut [f32]);
}

/// The larger of two numbers, for the compiler.
pub(crate) const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// Runs a layer whose output is its tape.
pub(crate) fn in_tape<X: Tensor, L: Layer<X, Tape: Tensor>>(
    layer: &L,
    params: &L::Params,
    here: &mut [f32],
    there: &mut [f32],
) {
    if let (Some(x), Some(tape)) = (X::unflatten(here).first_mut(), L::Tape::unflatten(there).first_mut()) {
        layer.forward(params, x, tape, Pass::Predicting);
    }
}

/// Runs a layer that works in the place of its input and keeps next to nothing.
pub(crate) fn in_place<X: Tensor, L: Layer<X>>(layer: &L, params: &L::Params, tape: &mut L::Tape, here: &mut [f32]) {
    if let Some(x) = X::unflatten(here).first_mut() {
        layer.forward(params, x, tape, Pass::Predicting);
    }
}

/// Implements [`Inference`] for a layer whose output is its tape:
/// `inference_in_tape!([const I: usize, const O: usize, B: BiasChoice] [f32; I] => Dense<O, B>);`
macro_rules! inference_in_tape {
    ([$($generics:tt)*] $x:ty => $layer:ty) => {
        impl<$($generics)*> crate::inference::Inference<$x> for $layer {
            const BUFFER: usize = crate::inference::max(
                <$x as crate::tensor::Tensor>::LEN,
                <<Self as crate::layer::Layer<$x>>::Tape as crate::tensor::Tensor>::LEN,
            );

            const SWAPS: bool = true;

            fn infer(&self, params: &Self::Params, here: &mut [f32], there: &mut [f32]) {
                crate::inference::in_tape::<$x, Self>(self, params, here, there);
            }
        }
    };
}

/// Implements [`Inference`] for a layer that works in the place of its input:
/// `inference_in_place!([X: Tensor] X => Relu);`
macro_rules! inference_in_place {
    ([$($generics:tt)*] $x:ty => $layer:ty) => {
        impl<$($generics)*> crate::inference::Inference<$x> for $layer {
            const BUFFER: usize = <$x as crate::tensor::Tensor>::LEN;
            const SWAPS: bool = false;

            fn infer(&self, params: &Self::Params, here: &mut [f32], _: &mut [f32]) {
                let mut tape = crate::tensor::Zero::ZERO;
                crate::inference::in_place::<$x, Self>(self, params, &mut tape, here);
            }
        }
    };
}

pub(crate) use {inference_in_place, inference_in_tape};

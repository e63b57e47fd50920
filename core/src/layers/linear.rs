//! What linear layers have in common: a weight, a bias, and their arithmetic on slices.

use crate::gradients::{Accumulation, Gradients};
use crate::layer::{InputGradient, Layer};
use crate::params::Linear;
use crate::tensor::Tensor;

/// A layer `y = W x + b` for some shape of `W`: dense, convolution, depthwise convolution.
///
/// Its parameters are a [`Linear`] of `Weight` and `Bias`; its tape is its output. What it does on slices is here,
/// so that its weight and its bias may come from different places, as in [`BiasOnly`](crate::BiasOnly).
pub trait LinearLayer<X: Tensor>: Layer<X, Output: Tensor> {
    /// The weight, input-major.
    type Weight: Tensor;
    /// One value an output channel, or none.
    type Bias: Tensor;
    /// How many inputs an output reads.
    const FAN_IN: usize;
    /// How many outputs read an input, padding and stride aside.
    const FAN_OUT: usize;

    /// The output, from input, weight and bias.
    fn product(&self, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]);

    /// Leaves the gradients of weight and bias, for the first sample, or adds them; and leaves dL/dx in `x` as far as `want` asks.
    /// `sum` is what is known of the gradients, its bound to be kept up.
    #[expect(clippy::too_many_arguments, reason = "slices, each with a part of its own")]
    fn gradients(
        &self,
        x: &mut [f32],
        weight: &[f32],
        dy: &[f32],
        weight_gradient: &mut [f32],
        bias_gradient: &mut [f32],
        sum: Option<&mut Accumulation>,
        want: InputGradient,
    );

    /// Leaves dL/dx in `x` as far as `want` asks; of `x` it reads its gates alone.
    fn input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient);

    /// Adds dL/dx to the gradient in `x`.
    fn add_to_input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient);

    /// Adds the gradient of the bias alone.
    fn bias_gradient(dy: &[f32], bias_gradient: &mut [f32]);
}

/// The backward pass of a linear layer.
pub(crate) fn backward<X: Tensor, L: LinearLayer<X>>(
    layer: &L,
    params: &Linear<L::Weight, L::Bias>,
    x: &mut X,
    dy: &L::Output,
    grads: Option<Gradients<'_, Linear<L::Weight, L::Bias>>>,
    want: InputGradient,
) {
    let (x, weight, dy) = (x.flat_mut(), params.weight.flat(), dy.flat());
    let Some(grads) = grads else { return layer.input_gradient(x, weight, dy, want) };
    let (Linear { weight: weight_gradient, bias: bias_gradient }, sum) = grads.parts();
    layer.gradients(x, weight, dy, weight_gradient.flat_mut(), bias_gradient.flat_mut(), sum, want);
}

/// Implements `Layer`, `Projection` and `Inference` for a `LinearLayer`:
/// `linear_layer!([const I: usize, const O: usize, B: BiasChoice] [f32; I] => Dense<O, B> => [f32; O]);`
macro_rules! linear_layer {
    ([$($generics:tt)*] $x:ty => $layer:ty => $y:ty) => {
        impl<$($generics)*> Layer<$x> for $layer {
            type Output = $y;
            type Params = Linear<<Self as LinearLayer<$x>>::Weight, <Self as LinearLayer<$x>>::Bias>;
            type Tape = $y;
            const NAME: &'static str = crate::layer::base_name(stringify!($layer));
            const KEEPS_INPUT: bool = true;
            const KEEPS_OUTPUT_GRADIENT: bool = true;

            fn forward<'t>(
                &self,
                params: &Self::Params,
                x: &'t mut $x,
                tape: &'t mut $y,
                _: Pass,
            ) -> &'t mut $y {
                LinearLayer::<$x>::product(self, x.flat(), params.weight.flat(), params.bias.flat(), tape.flat_mut());
                tape
            }

            fn output<'t>(_: &'t mut $x, tape: &'t mut $y) -> &'t mut $y {
                tape
            }

            fn backward(
                &self,
                params: &Self::Params,
                x: &mut $x,
                dy: &mut $y,
                grads: Option<crate::gradients::Gradients<'_, Self::Params>>,
                want: InputGradient,
            ) {
                linear::backward::<$x, Self>(self, params, x, dy, grads, want);
            }

            fn initialize(&self, params: &mut Self::Params, after: Initialization, rng: &mut Rng) {
                let (fan_in, fan_out) = (<Self as LinearLayer<$x>>::FAN_IN, <Self as LinearLayer<$x>>::FAN_OUT);
                after.fill_linear(params.weight.flat_mut(), params.bias.flat_mut(), fan_in, fan_out, rng);
            }
        }

        impl<$($generics)*> Projection<$x> for $layer {
            fn add_input_gradient(&self, params: &Self::Params, x: &mut $x, dy: &mut $y, want: InputGradient) {
                LinearLayer::<$x>::add_to_input_gradient(self, x.flat_mut(), params.weight.flat(), dy.flat(), want);
            }
        }

        inference_in_tape!([$($generics)*] $x => $layer);
    };
}

pub(crate) use linear_layer;

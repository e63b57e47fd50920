//! Linear layers that learn their bias alone.

use core::fmt;

use crate::descend::descend_by_gradient;
use crate::gradients::Gradients;
use crate::inference::inference_in_tape;
use crate::init::Initialization;
use crate::kernel::elementwise;
use crate::layer::{InputGradient, Layer, Pass};
use crate::layers::{LinearLayer, Projection};
use crate::params::{Beside, Linear, Name, Params, Parts};
use crate::rng::Rng;
use crate::tensor::{Tensor, Zero};

/// What [`BiasOnly`] learns: a bias.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LinearBias<B> {
    /// One value an output channel.
    pub bias: B,
}

impl<B: Tensor> Zero for LinearBias<B> {
    const ZERO: Self = Self { bias: B::ZERO };
}

impl<B: Tensor> Params for LinearBias<B> {
    const COUNT: usize = B::LEN;

    fn visit(&self, parent: Option<&Name<'_>>, visitor: &mut dyn FnMut(Name<'_>, &[f32])) {
        visitor(Name::leaf(parent, "bias").of::<B>(), self.bias.flat());
    }

    fn visit_mut<const SETS: usize>(
        mut sets: [&mut Self; SETS],
        parent: Option<&Name<'_>>,
        visitor: &mut dyn FnMut(Name<'_>, [&mut [f32]; SETS]),
    ) where
        Beside: Parts<SETS>,
    {
        visitor(Name::leaf(parent, "bias"), Beside::parts(&mut sets, |set| set.bias.flat_mut()));
    }
}

/// A linear layer `L` on inputs of type `X` that learns its bias alone: it borrows its weight, from flash say.
///
/// RAM and arithmetic of the weight's gradient and moments are saved: what is left is one value an output channel.
/// `L` is a [`Dense`](crate::Dense) layer or a convolution, with a bias. Its parameters are a [`LinearBias`], which
/// `initialize` starts from the borrowed bias.
///
/// Gradients: `db` as that of `L`, and dL/dx as that of `L`. Neither reads the values of `x`, only which of them a ReLU closed.
/// Backward puts dL/dx where `x` lies, as everywhere in this crate, so the place of `x` is not saved.
///
/// Source: Cai et al., "TinyTL: Reduce memory, not parameters for efficient on-device learning" (2020), section 3.2.
///
/// ```
/// use backpass::{BiasOnly, CrossEntropy, Dense, Learner, Linear, Memory, Relu, Sgd};
/// // In a program: what was trained before, in a file of constants.
/// static WEIGHTS: Linear<[[f32; 8]; 4], [f32; 8]> = Linear { weight: [[0.5; 8]; 4], bias: [0.25; 8] };
///
/// type Net = (BiasOnly<Dense<8>, [f32; 4]>, Relu, Dense<2>);
/// let net: Net = (BiasOnly::new(Dense::new(), &WEIGHTS), Relu, Dense::new());
/// assert_eq!(Memory::<Net, [f32; 4], Sgd>::PARAMETERS, 4 * (8 + 8 * 2 + 2));
/// let mut memory = Memory::new();
/// let mut learner = Learner::new(&mut memory, net, CrossEntropy, Sgd::new(0.1));
/// learner.initialize(1);
/// assert_eq!(learner.params().0.bias, [0.25; 8]);
/// assert!(learner.train(&[1.0, 0.5, -1.0, 2.0], &1).is_ok());
/// assert_ne!(learner.params().0.bias, [0.25; 8]);
/// ```
pub struct BiasOnly<L: LinearLayer<X>, X: Tensor> {
    layer: L,
    params: &'static Linear<L::Weight, L::Bias>,
}

impl<X: Tensor, L: LinearLayer<X>> BiasOnly<L, X> {
    /// The layer with its weight, and the bias that learning starts from.
    pub const fn new(layer: L, params: &'static Linear<L::Weight, L::Bias>) -> Self {
        const { assert!(L::Bias::LEN > 0, "BiasOnly: the layer has no bias, so nothing would learn; use `Frozen`") };
        Self { layer, params }
    }

    /// The weight, and the bias that learning starts from.
    pub const fn params(&self) -> &'static Linear<L::Weight, L::Bias> {
        self.params
    }
}

impl<X: Tensor, L: LinearLayer<X> + Clone> Clone for BiasOnly<L, X> {
    fn clone(&self) -> Self {
        Self { layer: self.layer.clone(), params: self.params }
    }
}

impl<X: Tensor, L: LinearLayer<X> + Copy> Copy for BiasOnly<L, X> {}

impl<X: Tensor, L: LinearLayer<X> + fmt::Debug> fmt::Debug for BiasOnly<L, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BiasOnly").field(&self.layer).finish()
    }
}

#[cfg(feature = "defmt")]
impl<X: Tensor, L: LinearLayer<X> + defmt::Format> defmt::Format for BiasOnly<L, X> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "BiasOnly({})", self.layer);
    }
}

impl<X: Tensor, L: LinearLayer<X>> Layer<X> for BiasOnly<L, X> {
    type Output = L::Output;
    type Params = LinearBias<L::Bias>;
    type Tape = L::Output;
    const NAME: &'static str = "BiasOnly";
    const KEEPS_INPUT: bool = true;
    const KEEPS_OUTPUT_GRADIENT: bool = true;

    fn names(visitor: &mut dyn FnMut(&'static str)) {
        visitor(Self::NAME);
        L::names(visitor);
    }

    fn forward<'t>(
        &self,
        params: &Self::Params,
        x: &'t mut X,
        tape: &'t mut Self::Tape,
        _: Pass,
    ) -> &'t mut Self::Output {
        self.layer.product(x.flat(), self.params.weight.flat(), params.bias.flat(), tape.flat_mut());
        tape
    }

    fn output<'t>(_: &'t mut X, tape: &'t mut Self::Tape) -> &'t mut Self::Output {
        tape
    }

    fn backward(
        &self,
        _: &Self::Params,
        x: &mut X,
        dy: &mut Self::Tape,
        grads: Option<Gradients<'_, Self::Params>>,
        want: InputGradient,
    ) {
        if let Some(grads) = grads {
            grads.add(|grads| L::bias_gradient(dy.flat(), grads.bias.flat_mut()));
        }
        self.layer.input_gradient(x.flat_mut(), self.params.weight.flat(), dy.flat(), want);
    }

    fn initialization(&self, after: Initialization) -> Initialization {
        self.layer.initialization(after)
    }

    fn initialize(&self, params: &mut Self::Params, _: Initialization, _: &mut Rng) {
        elementwise::copy(self.params.bias.flat(), params.bias.flat_mut());
    }
}

impl<X: Tensor, L: LinearLayer<X>> Projection<X> for BiasOnly<L, X> {
    fn add_input_gradient(&self, _: &Self::Params, x: &mut X, dy: &mut Self::Tape, want: InputGradient) {
        self.layer.add_to_input_gradient(x.flat_mut(), self.params.weight.flat(), dy.flat(), want);
    }
}

inference_in_tape!([X: Tensor, L: LinearLayer<X>] X => BiasOnly<L, X>);
descend_by_gradient!([X: Tensor, L: LinearLayer<X>] X => BiasOnly<L, X>);

#[cfg(test)]
mod tests {
    use std::boxed::Box;
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;
    use crate::inference::Inference;
    use crate::layers::{Conv1d, Conv2d, Dense, DepthwiseConv1d, DepthwiseConv2d};
    use crate::tensor::{Image, Signal};

    fn random<T: Tensor>(rng: &mut Rng) -> T {
        let mut tensor = T::ZERO;
        for value in tensor.flat_mut() {
            *value = rng.symmetric(1.0);
            if *value < -0.6 {
                *value = 0.0;
            }
        }
        tensor
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    /// Output, bias gradient and input gradient are, to the bit, those of the layer that learns all.
    fn same_as_whole<X, L>(layer: L)
    where
        X: Tensor,
        L: LinearLayer<X> + Layer<X, Params = Linear<<L as LinearLayer<X>>::Weight, <L as LinearLayer<X>>::Bias>>,
        L: Projection<X> + Copy,
        L::Tape: Tensor,
    {
        let mut rng = Rng::new(7);
        let weights: &'static L::Params =
            Box::leak(Box::new(Linear { weight: random(&mut rng), bias: random(&mut rng) }));
        let input: X = random(&mut rng);
        let dy: L::Output = random(&mut rng);
        let only = BiasOnly::new(layer, weights);
        let params = LinearBias { bias: weights.bias };

        for want in [InputGradient::Unused, InputGradient::Full, InputGradient::WhereActive] {
            let (mut x, mut tape, mut grads) = (input, L::Tape::ZERO, L::Params::ZERO);
            let (mut only_x, mut only_tape, mut only_grads) = (input, L::Output::ZERO, LinearBias::ZERO);
            let y = layer.forward(weights, &mut x, &mut tape, Pass::training(0));
            let only_y = only.forward(&params, &mut only_x, &mut only_tape, Pass::training(0));
            assert_eq!(bits(y.flat()), bits(only_y.flat()));
            (*y, *only_y) = (dy, dy);
            layer.backward(weights, &mut x, &mut tape, Some((&mut grads).into()), want);
            only.backward(&params, &mut only_x, &mut only_tape, Some((&mut only_grads).into()), want);
            assert_eq!(bits(grads.bias.flat()), bits(only_grads.bias.flat()), "{want:?}");
            assert_eq!(bits(x.flat()), bits(only_x.flat()), "{want:?}");
            // What a residual connection relies on.
            assert_eq!(bits(only_tape.flat()), bits(dy.flat()));

            // Frozen: the same input gradient, no other.
            let mut frozen_x = input;
            only.backward(&params, &mut frozen_x, &mut only_tape, None, want);
            assert_eq!(bits(frozen_x.flat()), bits(x.flat()), "{want:?}");

            let (mut sum, mut only_sum) = (input, input);
            *L::output(&mut x, &mut tape) = dy;
            layer.add_input_gradient(weights, &mut sum, &mut tape, want);
            only.add_input_gradient(&params, &mut only_sum, &mut only_tape, want);
            assert_eq!(bits(sum.flat()), bits(only_sum.flat()), "{want:?}");
        }

        let (mut x, mut tape) = (input, L::Output::ZERO);
        let y = only.forward(&params, &mut x, &mut tape, Pass::Predicting);
        let mut buffers = std::vec![0.0; 2 * <BiasOnly<L, X> as Inference<X>>::BUFFER];
        let (here, there) = buffers.split_at_mut(<BiasOnly<L, X> as Inference<X>>::BUFFER);
        here[..X::LEN].copy_from_slice(input.flat());
        only.infer(&params, here, there);
        assert_eq!(bits(&there[..L::Output::LEN]), bits(y.flat()));
    }

    #[test]
    fn every_linear_layer_does_the_same_with_its_weight_in_flash() {
        same_as_whole::<[f32; 5], _>(Dense::<7>::new());
        same_as_whole::<[f32; 1], _>(Dense::<1>::new());
        same_as_whole::<Signal<9, 2>, _>(Conv1d::<Signal<5, 3>, 3, 2>::new());
        same_as_whole::<Signal<4, 3>, _>(Conv1d::<Signal<4, 9>, 1>::new());
        same_as_whole::<Image<5, 4, 2>, _>(Conv2d::<Image<5, 4, 3>, 3>::new());
        same_as_whole::<Image<6, 6, 2>, _>(Conv2d::<Image<3, 3, 3>, 3, 2>::new().padding(1, 1));
        same_as_whole::<Signal<6, 9>, _>(DepthwiseConv1d::<Signal<4, 9>, 3>::new());
        same_as_whole::<Image<5, 5, 1>, _>(DepthwiseConv2d::<Image<5, 5, 1>, 3>::new());
    }

    static WEIGHTS: Linear<[[f32; 2]; 1], [f32; 2]> = Linear { weight: [[2.0, 3.0]], bias: [0.5, -0.5] };

    #[test]
    fn the_bias_is_the_only_parameter_and_starts_as_it_was_trained() {
        let layer = BiasOnly::<_, [f32; 1]>::new(Dense::<2>::new(), &WEIGHTS);
        let mut params = LinearBias::ZERO;
        layer.initialize(&mut params, Initialization::Glorot, &mut Rng::new(1));
        assert_eq!(params.bias, WEIGHTS.bias);
        assert_eq!(LinearBias::<[f32; 2]>::COUNT, 2);
        let mut seen = Vec::new();
        params.visit(Some(&Name::stage(None, 3)), &mut |name, values| seen.push((name.to_string(), values.len())));
        assert_eq!(seen, [("3.bias".to_string(), 2)]);
    }

    #[test]
    fn gradients_add_up_and_nan_is_passed_on() {
        let layer = BiasOnly::<_, [f32; 1]>::new(Dense::<2>::new(), &WEIGHTS);
        let params = LinearBias { bias: WEIGHTS.bias };
        let mut grads = LinearBias { bias: [10.0, 20.0] };
        let mut x = [f32::NAN];
        let mut tape = [0.0; 2];
        assert!(layer.forward(&params, &mut x, &mut tape, Pass::training(0)).iter().all(|y| y.is_nan()));
        tape = [1.0, f32::NAN];
        layer.backward(&params, &mut x, &mut tape, Some((&mut grads).into()), InputGradient::WhereActive);
        assert_eq!(grads.bias[0], 11.0);
        assert!(grads.bias[1].is_nan() && x[0].is_nan());
    }
}

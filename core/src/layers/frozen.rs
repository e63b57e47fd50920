//! Layers that do not learn: their weights lie in flash.

use core::fmt;

use crate::descend::descend_without_params;
use crate::gradients::Gradients;
use crate::inference::Inference;
use crate::init::Initialization;
use crate::layer::{InputGradient, Layer, Pass};
use crate::message::Message;
use crate::tensor::{self, Tensor};

/// A layer or network `L` on inputs of type `X` that does not learn: it borrows its weights, from flash say.
///
/// No RAM for weights, gradients or moments: its parameters are `()`. The gradient passes through it to what learns before
/// it, so its tape stays. Where nothing learns before it, [`FrozenPrefix`] needs less.
///
/// ```
/// use backpass::{CrossEntropy, Dense, Frozen, Layer, Learner, Linear, Memory, Relu, Sgd};
/// // In a program: what was trained before, in a file of constants.
/// static WEIGHTS: Linear<[[f32; 2]; 3], [f32; 2]> = Linear { weight: [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], bias: [0.0; 2] };
///
/// type Net = (Dense<3>, Relu, Frozen<Dense<2>, [f32; 3]>);
/// let net: Net = (Dense::new(), Relu, Frozen::new(Dense::new(), &WEIGHTS));
/// assert_eq!(Memory::<Net, [f32; 4], Sgd>::PARAMETERS, 4 * (4 * 3 + 3));
/// let mut memory = Memory::new();
/// let mut learner = Learner::new(&mut memory, net, CrossEntropy, Sgd::new(0.1));
/// learner.initialize(1);
/// assert!(learner.train(&[1.0, 0.5, -1.0, 2.0], &1).is_ok());
/// ```
pub struct Frozen<L: Layer<X>, X> {
    layer: L,
    params: &'static L::Params,
}

/// A frozen layer or network `L` on inputs of type `X` before everything that learns, in two buffers of `N` elements.
///
/// It borrows its weights and keeps no tape: its activations take turns in two buffers, of which each holds the largest
/// ([`Inference::BUFFER`]; the compiler says the number if `N` is smaller). It works as in prediction: dropout is off. It has
/// no gradient for its input, so it must be the first stage. For the usual case of learning the last stages of a
/// network see [`TrainableLast`].
///
/// ```
/// use backpass::{Dense, FrozenPrefix, Linear, Memory, Relu, Sgd};
/// static WEIGHTS: (Linear<[[f32; 40]; 8], [f32; 40]>, ()) = (Linear { weight: [[0.1; 40]; 8], bias: [0.0; 40] }, ());
///
/// type Net = (FrozenPrefix<(Dense<40>, Relu), [f32; 8], 40>, Dense<3>);
/// let net: Net = (FrozenPrefix::new((Dense::new(), Relu), &WEIGHTS), Dense::new());
/// type Ram = Memory<Net, [f32; 8], Sgd>;
/// // The head's weights and gradients; the input, two buffers and the head's output.
/// assert_eq!(Ram::PARAMETERS, 4 * (40 * 3 + 3));
/// assert_eq!(Ram::ACTIVATIONS, 4 * (8 + 2 * 40 + 3));
/// # let _ = net;
/// ```
pub struct FrozenPrefix<L: Layer<X>, X, const N: usize> {
    layer: L,
    params: &'static L::Params,
}

/// Implements what both have in common: `new`, copies and debugging.
macro_rules! frozen {
    ($name:ident, $text:literal $(, const $n:ident)?) => {
        impl<L: Layer<X>, X $(, const $n: usize)?> $name<L, X $(, $n)?> {
            /// The layer with its weights.
            pub const fn new(layer: L, params: &'static L::Params) -> Self {
                Self { layer, params }
            }

            /// The weights.
            pub const fn params(&self) -> &'static L::Params {
                self.params
            }
        }

        impl<L: Layer<X> + Clone, X $(, const $n: usize)?> Clone for $name<L, X $(, $n)?> {
            fn clone(&self) -> Self {
                Self { layer: self.layer.clone(), params: self.params }
            }
        }

        impl<L: Layer<X> + Copy, X $(, const $n: usize)?> Copy for $name<L, X $(, $n)?> {}

        impl<L: Layer<X> + fmt::Debug, X $(, const $n: usize)?> fmt::Debug for $name<L, X $(, $n)?> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple($text).field(&self.layer).finish()
            }
        }

        #[cfg(feature = "defmt")]
        impl<L: Layer<X> + defmt::Format, X $(, const $n: usize)?> defmt::Format for $name<L, X $(, $n)?> {
            fn format(&self, f: defmt::Formatter<'_>) {
                defmt::write!(f, "{=str}({})", $text, self.layer);
            }
        }
    };
}

frozen!(Frozen, "Frozen");
frozen!(FrozenPrefix, "FrozenPrefix", const N);

impl<X, L: Layer<X>> Layer<X> for Frozen<L, X> {
    type Output = L::Output;
    type Params = ();
    type Tape = L::Tape;
    const NAME: &'static str = "Frozen";
    const KEEPS_INPUT: bool = L::KEEPS_INPUT;
    const KEEPS_OUTPUT_GRADIENT: bool = L::KEEPS_OUTPUT_GRADIENT;
    const ONLY_FIRST: bool = L::ONLY_FIRST;
    const FORGETS_STATE: bool = L::FORGETS_STATE;

    fn names(visitor: &mut dyn FnMut(&'static str)) {
        visitor(Self::NAME);
        L::names(visitor);
    }

    fn forward<'t>(&self, (): &(), x: &'t mut X, tape: &'t mut L::Tape, pass: Pass) -> &'t mut L::Output {
        self.layer.forward(self.params, x, tape, pass)
    }

    fn output<'t>(x: &'t mut X, tape: &'t mut L::Tape) -> &'t mut L::Output {
        L::output(x, tape)
    }

    fn backward(&self, (): &(), x: &mut X, tape: &mut L::Tape, _: Option<Gradients<'_, ()>>, want: InputGradient) {
        if want != InputGradient::Unused {
            self.layer.backward(self.params, x, tape, None, want);
        }
    }

    fn output_gradient(&self, input: InputGradient) -> InputGradient {
        input.if_used(self.layer.output_gradient(input))
    }

    fn initialization(&self, after: Initialization) -> Initialization {
        self.layer.initialization(after)
    }
}

descend_without_params!([X, L: Layer<X>] X => Frozen<L, X>);

impl<X: Tensor, L: Inference<X>> Inference<X> for Frozen<L, X> {
    const BUFFER: usize = L::BUFFER;
    const SWAPS: bool = L::SWAPS;
    const HAS_STATE: bool = L::HAS_STATE;

    fn infer(&self, (): &(), here: &mut [f32], there: &mut [f32]) {
        self.layer.infer(self.params, here, there);
    }
}

impl<X: Tensor, L: Inference<X>, const N: usize> Layer<X> for FrozenPrefix<L, X, N> {
    type Output = L::Output;
    type Params = ();
    type Tape = [[f32; N]; 2];
    const NAME: &'static str = "FrozenPrefix";
    const KEEPS_INPUT: bool = true;
    const KEEPS_OUTPUT_GRADIENT: bool = true;
    const ONLY_FIRST: bool = true;
    const FORGETS_STATE: bool = L::HAS_STATE;

    fn names(visitor: &mut dyn FnMut(&'static str)) {
        visitor(Self::NAME);
        L::names(visitor);
    }

    fn forward<'t>(&self, (): &(), x: &'t mut X, tape: &'t mut Self::Tape, _: Pass) -> &'t mut L::Output {
        const {
            let message = Message::new("FrozenPrefix: the buffers have ")
                .number(N)
                .text(" elements each, but the largest activation needs ")
                .number(L::BUFFER);
            assert!(L::BUFFER <= N, "{}", message.as_str());
        }
        let [here, there] = tape;
        here.iter_mut().zip(x.flat()).for_each(|(here, x)| *here = *x);
        self.layer.infer(self.params, here, there);
        Self::output(x, tape)
    }

    fn output<'t>(_: &'t mut X, [here, there]: &'t mut Self::Tape) -> &'t mut L::Output {
        tensor::first(if L::SWAPS { there } else { here })
    }

    fn backward(&self, (): &(), _: &mut X, _: &mut Self::Tape, _: Option<Gradients<'_, ()>>, _: InputGradient) {}

    fn output_gradient(&self, _: InputGradient) -> InputGradient {
        InputGradient::Unused
    }
}

descend_without_params!([X: Tensor, L: Inference<X>, const N: usize] X => FrozenPrefix<L, X, N>);

/// A network that can be split into its first stages and its last `K`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be split before its last {K} stages",
    label = "expected a network of more stages than that, and at least one to learn"
)]
pub trait SplitLast<const K: usize> {
    /// The first stages.
    type Body;
    /// The last `K` stages.
    type Head;

    /// Splits it.
    fn split_last(self) -> (Self::Body, Self::Head);
}

/// The network `Net` on inputs of type `X` of which only the last `K` stages learn: the others are a [`FrozenPrefix`] with
/// buffers of `N` elements.
///
/// ```
/// use backpass::{CrossEntropy, Dense, Learner, Linear, Memory, Relu, Sgd, TrainableLast, trainable_last};
///
/// type Net = (Dense<40>, Relu, Dense<20>, Relu, Dense<3>);
/// type Personal = TrainableLast<1, Net, [f32; 8], 40>;
///
/// // In a program: what was trained before, in a file of constants.
/// static BODY: (Linear<[[f32; 40]; 8], [f32; 40]>, (), Linear<[[f32; 20]; 40], [f32; 20]>, ()) = (
///     Linear { weight: [[0.1; 40]; 8], bias: [0.0; 40] }, (),
///     Linear { weight: [[0.1; 20]; 40], bias: [0.0; 20] }, (),
/// );
/// let net: Personal = trainable_last::<1, Net, _, _>(Net::default(), &BODY);
/// let mut memory = Memory::<Personal, [f32; 8], Sgd>::new();
/// let mut learner = Learner::new(&mut memory, net, CrossEntropy, Sgd::new(0.1));
/// learner.initialize(1);
/// assert!(learner.train(&[1.0; 8], &2).is_ok());
/// assert_eq!(Memory::<Personal, [f32; 8], Sgd>::PARAMETERS, 4 * (20 * 3 + 3));
/// ```
pub type TrainableLast<const K: usize, Net, X, const N: usize> =
    (FrozenPrefix<<Net as SplitLast<K>>::Body, X, N>, <Net as SplitLast<K>>::Head);

/// Freezes a network but for its last `K` stages; see [`TrainableLast`]. `body` are the frozen stages' weights.
pub fn trainable_last<const K: usize, Net, X, const N: usize>(
    network: Net,
    body: &'static <Net::Body as Layer<X>>::Params,
) -> TrainableLast<K, Net, X, N>
where
    Net: SplitLast<K, Body: Layer<X>>,
{
    let (frozen, head) = network.split_last();
    (FrozenPrefix::new(frozen, body), head)
}

/// Implements the split of a network into a body and a head: `split!([A 0, B 1,] [C 2,])`.
macro_rules! split {
    ([$($a:ident $i:tt,)+] [$($b:ident $j:tt,)+]) => {
        impl<$($a,)+ $($b,)+> SplitLast<{ [$($j,)+].len() }> for ($($a,)+ $($b,)+) {
            type Body = ($($a,)+);
            type Head = ($($b,)+);

            fn split_last(self) -> (Self::Body, Self::Head) {
                (($(self.$i,)+), ($(self.$j,)+))
            }
        }
    };
}

/// Every split of one network, from a body of one stage on: `splits!([A 0,] [B 1, C 2,])`.
macro_rules! splits {
    ([$($a:ident $i:tt,)+] []) => {};
    ([$($a:ident $i:tt,)+] [$b:ident $j:tt, $($c:ident $k:tt,)*]) => {
        split!([$($a $i,)+] [$b $j, $($c $k,)*]);
        splits!([$($a $i,)+ $b $j,] [$($c $k,)*]);
    };
}

/// Every split of every network that a list begins with: `networks!([A 0,] [] B 1, C 2,)`.
macro_rules! networks {
    ([$($first:tt)+] [$($head:tt)*]) => {};
    ([$($first:tt)+] [$($head:tt)*] $b:ident $j:tt, $($rest:tt)*) => {
        splits!([$($first)+] [$($head)* $b $j,]);
        networks!([$($first)+] [$($head)* $b $j,] $($rest)*);
    };
}

networks!([A 0,] [] B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14, P 15,);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Dense, Relu};
    use crate::params::Linear;
    use crate::tensor::Zero;

    type Body = (Dense<3>, Relu, Dense<2>);
    static WEIGHTS: <Body as Layer<[f32; 2]>>::Params = (
        Linear { weight: [[1.0, -1.0, 0.5], [2.0, 0.25, -3.0]], bias: [0.5, 0.0, 1.0] },
        (),
        Linear { weight: [[1.0, 2.0], [-1.0, 0.5], [3.0, -2.0]], bias: [0.0, 1.0] },
    );

    #[test]
    fn frozen_layers_compute_what_those_that_learn_do() {
        let body = Body::default();
        let frozen = Frozen::<Body, [f32; 2]>::new(body, &WEIGHTS);
        for want in [InputGradient::Full, InputGradient::WhereActive] {
            let (mut x, mut tape) = ([1.0, 0.5], Zero::ZERO);
            let (mut other, mut other_tape) = ([1.0, 0.5], Zero::ZERO);
            let y = body.forward(&WEIGHTS, &mut x, &mut tape, Pass::training(0));
            let frozen_y = frozen.forward(&(), &mut other, &mut other_tape, Pass::training(0));
            assert_eq!(y, frozen_y);
            body.backward(&WEIGHTS, &mut x, &mut tape, None, want);
            frozen.backward(&(), &mut other, &mut other_tape, Some((&mut ()).into()), want);
            assert_eq!(x, other);
        }
    }

    #[test]
    fn nothing_is_computed_where_no_gradient_is_wanted() {
        let frozen = Frozen::<Body, [f32; 2]>::new(Body::default(), &WEIGHTS);
        assert_eq!(frozen.output_gradient(InputGradient::Unused), InputGradient::Unused);
        let (mut x, mut tape) = ([1.0, 0.5], Zero::ZERO);
        frozen.forward(&(), &mut x, &mut tape, Pass::training(0));
        let before = tape;
        frozen.backward(&(), &mut x, &mut tape, None, InputGradient::Unused);
        assert_eq!((x, tape), ([1.0, 0.5], before));
    }

    #[test]
    fn a_prefix_predicts_the_same_and_leaves_its_input() {
        let prefix = FrozenPrefix::<Body, [f32; 2], 3>::new(Body::default(), &WEIGHTS);
        let (mut x, mut tape) = ([1.0, 0.5], Zero::ZERO);
        let (mut other, mut other_tape) = ([1.0, 0.5], Zero::ZERO);
        let expected = *Body::default().forward(&WEIGHTS, &mut other, &mut other_tape, Pass::Predicting);
        assert_eq!(*prefix.forward(&(), &mut x, &mut tape, Pass::training(0)), expected);
        assert_eq!(x, [1.0, 0.5]);
        assert_eq!(*FrozenPrefix::<Body, [f32; 2], 3>::output(&mut x, &mut tape), expected);
    }
}

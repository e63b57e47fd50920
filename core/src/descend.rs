//! Descent in place: no gradient array.

use crate::gradients::{Accumulation, Gradients, is_safe};
use crate::kernel::elementwise;
use crate::layer::{InputGradient, Layer};
use crate::params::Params;
use crate::tensor::Zero;

/// Plain stochastic gradient descent, `w ← (1 - lr λ) w - lr g`, of one sample a step, taken while going backward:
/// [`Memory<N, X, InPlace>`](crate::Memory) has no gradient array, so training takes about half the RAM that
/// [`Sgd`](crate::Sgd) does.
///
/// A dense layer changes each weight right after its contribution to the input's gradient was taken, in one pass. A
/// convolution, whose weights are read at every position, keeps a gradient of its own, but not if nothing before it
/// learns; a recurrent layer and the layers with few parameters (normalisations, biases alone) keep theirs.
///
/// **The result is that of [`Sgd`](crate::Sgd) with one sample a step, bit for bit.** What differs is a refused sample. With a
/// gradient array, a gradient that is not finite changes nothing. Here the sample, the target and the loss are looked at before
/// the first weight is touched, and every layer looks at its own gradient before its own step: where one is not finite, or a
/// weight could leave the range of safe numbers (1e37), that layer and those before it keep their weights, while the layers
/// behind it have taken their step, all finite. [`Learner::train`](crate::Learner::train) then returns
/// [`ObserveError::Backward`](crate::ObserveError::Backward).
///
/// Mini-batches, momentum and the adaptive rules need a gradient array.
///
/// ```
/// use backpass::{CrossEntropy, Dense, InPlace, Learner, Memory, Relu, Sgd};
///
/// type Net = (Dense<32>, Relu, Dense<10>);
/// type Ram = Memory<Net, [f32; 64], InPlace>;
/// assert_eq!(Ram::GRADIENTS, 0);
///
/// let mut memory = Ram::new();
/// let mut learner = Learner::new(&mut memory, Net::default(), CrossEntropy, InPlace::new(0.05));
/// learner.initialize(1);
/// let sample = [0.5; 64];
/// let first = learner.train(&sample, &3)?;
/// assert!(learner.train(&sample, &3)? < first);
/// # Ok::<(), backpass::TrainError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InPlace {
    /// The learning rate, lr.
    pub learning_rate: f32,
    /// The decoupled weight decay, λ.
    pub weight_decay: f32,
}

impl InPlace {
    /// The rule without weight decay.
    pub const fn new(learning_rate: f32) -> Self {
        Self { learning_rate, weight_decay: 0.0 }
    }

    /// With decoupled weight decay.
    #[must_use]
    pub const fn weight_decay(self, weight_decay: f32) -> Self {
        Self { weight_decay, ..self }
    }
}

/// Whether something before a layer learns: [`First`] or [`Later`].
pub trait Place {
    /// A gradient array of type `T` where the layer is `Later`, nothing where it is `First`.
    type Shared<T: Zero>: Zero;

    /// The gradient array, if there is one.
    fn shared<T: Zero>(shared: &mut Self::Shared<T>) -> Option<&mut T>;
}

/// Nothing before the layer learns: nobody reads its input's gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {}

/// Something before the layer learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Later {}

impl Place for First {
    type Shared<T: Zero> = ();

    fn shared<T: Zero>((): &mut ()) -> Option<&mut T> {
        None
    }
}

impl Place for Later {
    type Shared<T: Zero> = T;

    fn shared<T: Zero>(shared: &mut T) -> Option<&mut T> {
        Some(shared)
    }
}

/// A layer that can take its step of descent while it goes backward. All layers of this crate can; a tuple can if its stages
/// can.
///
/// A layer of your own that has no parameters writes
///
/// ```
/// # use backpass::{Descend, InputGradient, Gradients, Layer, Pass, Place, Tensor};
/// # struct Negate;
/// # impl<X: Tensor> Layer<X> for Negate {
/// #     type Output = X;
/// #     type Params = ();
/// #     type Tape = ();
/// #     fn forward<'t>(&self, _: &(), x: &'t mut X, _: &'t mut (), _: Pass) -> &'t mut X { x }
/// #     fn output<'t>(x: &'t mut X, _: &'t mut ()) -> &'t mut X { x }
/// #     fn backward(&self, _: &(), x: &mut X, _: &mut (), _: Option<Gradients<'_, ()>>, _: InputGradient) {}
/// # }
/// impl<X: Tensor> Descend<X> for Negate {
///     type Shared<P: Place> = ();
///     type Next<P: Place> = P;
/// }
/// ```
///
/// and one that has some calls [`Descent::by_gradient`] in [`descend`](Self::descend), with its parameters' type as `Shared`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot learn in place",
    label = "no descent in place for this layer on inputs of type `{X}`",
    note = "use `Sgd` instead of `InPlace`, or implement `Descend` for your layer"
)]
pub trait Descend<X>: Layer<X> {
    /// What the layer keeps of its gradient until it can take its step.
    type Shared<P: Place>: Zero;
    /// The place of the layer behind this one: [`Later`] if this one learns, its own if not.
    type Next<P: Place>: Place;

    /// [`backward`](Layer::backward), and the step of descent for the parameters. dL/dx is that for the parameters as they
    /// were.
    ///
    /// The default is right for a layer without parameters.
    fn descend<P: Place>(
        &self,
        params: &mut Self::Params,
        shared: &mut Self::Shared<P>,
        x: &mut X,
        tape: &mut Self::Tape,
        descent: &mut Descent,
        want: InputGradient,
    ) {
        const { assert!(Self::Params::COUNT == 0, "Descend: a layer with parameters must implement `descend`") };
        let _ = shared;
        if !descent.is_refused() {
            self.backward(params, x, tape, None, want);
        }
    }
}

/// One step of descent on its way back through a network.
#[derive(Debug, Clone, Copy)]
pub struct Descent {
    step: DescentStep,
    /// An upper bound of the parameters' magnitudes before the step.
    before: f32,
    /// The largest bound of those after it, so far.
    after: f32,
    refused: bool,
}

/// What a step does to one weight: `w = keep w - rate g`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DescentStep {
    /// One less the weight decay.
    pub keep: f32,
    /// The learning rate.
    pub rate: f32,
}

impl DescentStep {
    /// The step for all weights of a slice.
    pub(crate) fn apply(self, params: &mut [f32], gradients: &[f32]) {
        let Self { keep, rate } = self;
        backpass_arch::descend(params, gradients, backpass_arch::Descent { keep, rate, scale: 1.0, l2: 0.0 });
    }
}

impl Descent {
    /// A step by `rule`, for parameters whose magnitudes are at most `bound`.
    pub(crate) const fn new(rule: InPlace, bound: f32) -> Self {
        let step = DescentStep { keep: 1.0 - rule.learning_rate * rule.weight_decay, rate: rule.learning_rate };
        Self { step, before: bound, after: bound, refused: false }
    }

    /// Whether a layer has refused its step; then those before it do nothing.
    pub const fn is_refused(&self) -> bool {
        self.refused
    }

    /// An upper bound of all parameters' magnitudes after the step.
    pub(crate) const fn bound(&self) -> f32 {
        self.after
    }

    /// The step that a layer may take whose gradient is nowhere larger than `gradient`: `None`, if a parameter could leave the
    /// range of safe numbers; all layers before then refuse too.
    pub fn allow(&mut self, gradient: f32) -> Option<DescentStep> {
        let DescentStep { keep, rate } = self.step;
        // Rounded up by more than the errors of the operations.
        let bound = (keep.abs() * self.before + rate.abs() * gradient) * 1.000_001;
        if self.refused || !is_safe(bound) {
            self.refused = true;
            return None;
        }
        self.after = elementwise::larger(self.after, bound);
        Some(self.step)
    }

    /// A layer's part by way of a gradient array of its own: its backward pass, then its step.
    pub fn by_gradient<X, L: Layer<X>>(
        &mut self,
        layer: &L,
        params: &mut L::Params,
        gradients: &mut L::Params,
        x: &mut X,
        tape: &mut L::Tape,
        want: InputGradient,
    ) {
        if self.refused {
            return;
        }
        let mut sum = Accumulation::new();
        layer.backward(params, x, tape, Some(Gradients::new(gradients, &mut sum)), want);
        self.step(params, gradients, sum.bound);
    }

    /// Takes the step along gradients of at most `bound`.
    pub(crate) fn step<P: Params>(&mut self, params: &mut P, gradients: &mut P, bound: f32) {
        let Some(step) = self.allow(bound) else { return };
        // A statistic takes its change as it is.
        let statistic = DescentStep { keep: 1.0, rate: -1.0 };
        P::visit_mut([params, gradients], None, &mut |name, [p, g]| {
            if name.is_statistic() { statistic } else { step }.apply(p, g);
        });
    }
}

/// The largest magnitude of all elements; NaN if one is.
#[inline(never)]
pub(crate) fn largest<P: Params>(params: &P) -> f32 {
    let mut bound = 0.0;
    params.visit(None, &mut |_, values| bound = elementwise::largest(bound, values));
    bound
}

/// Implements [`Descend`] for a layer without parameters: `descend_without_params!([X: Tensor] X => Relu);`
macro_rules! descend_without_params {
    ([$($generics:tt)*] $x:ty => $layer:ty) => {
        impl<$($generics)*> crate::descend::Descend<$x> for $layer {
            type Shared<P: crate::descend::Place> = ();
            type Next<P: crate::descend::Place> = P;
        }
    };
}

/// Implements [`Descend`] for a layer that keeps its gradient until its backward pass is done:
/// `descend_by_gradient!([X: Tensor] X => LayerNorm);`
macro_rules! descend_by_gradient {
    ([$($generics:tt)*] $x:ty => $layer:ty) => {
        impl<$($generics)*> crate::descend::Descend<$x> for $layer {
            type Shared<P: crate::descend::Place> = Self::Params;
            type Next<P: crate::descend::Place> = crate::descend::Later;

            fn descend<P: crate::descend::Place>(
                &self,
                params: &mut Self::Params,
                gradients: &mut Self::Params,
                x: &mut $x,
                tape: &mut Self::Tape,
                descent: &mut crate::descend::Descent,
                want: crate::layer::InputGradient,
            ) {
                descent.by_gradient(self, params, gradients, x, tape, want);
            }
        }
    };
}

pub(crate) use {descend_by_gradient, descend_without_params};

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::{
        BatchNorm, BiasOnly, Concat, Conv2d, CrossEntropy, Dense, Flatten, Gru, Identity, Image, Learner, Linear, Loss,
        MaxPool, MeanSquaredError, Memory, ObserveError, Relu, Relu6, Residual, ResidualProjection, Rng, Sgd, Signal,
        Tanh, Tensor, TrainError,
    };

    fn bits<P: Params>(params: &P) -> Vec<u32> {
        let mut bits = Vec::new();
        params.visit(None, &mut |_, values| bits.extend(values.iter().map(|value| value.to_bits())));
        bits
    }

    /// Ten samples, some elements zero, by both ways.
    fn same<N, X, L, T>(network: N, loss: L, target: &T)
    where
        N: Descend<X> + Copy,
        X: Tensor,
        L: Loss<N::Output, T> + Copy,
    {
        for decay in [0.0, 0.01] {
            let (mut one, mut two) = (Memory::<N, X, Sgd>::new(), Memory::<N, X, InPlace>::new());
            let mut steps = Learner::new(&mut one, network, loss, Sgd::new(0.1).weight_decay(decay));
            let mut in_place = Learner::new(&mut two, network, loss, InPlace::new(0.1).weight_decay(decay));
            steps.initialize(3);
            in_place.initialize(3);
            let mut rng = Rng::new(4);
            for step in 0..10 {
                let mut sample = X::ZERO;
                for value in sample.flat_mut() {
                    *value = if rng.below(5) == 0 { 0.0 } else { rng.symmetric(1.0) };
                }
                let losses = [steps.train(&sample, target).unwrap(), in_place.train(&sample, target).unwrap()];
                assert_eq!(losses[0].to_bits(), losses[1].to_bits(), "step {step}");
                assert_eq!(bits(steps.params()), bits(in_place.params()), "step {step}, decay {decay}");
            }
            assert_eq!((in_place.observed(), in_place.pending(), in_place.refused()), (10, 0, 0));
        }
    }

    #[test]
    fn the_bits_are_those_of_the_way_with_a_gradient_array() {
        same::<_, [f32; 6], _, _>(
            (Dense::<17>::new(), Relu, Dense::<9>::new(), Tanh, Dense::<5>::new()),
            CrossEntropy,
            &3,
        );
        let network = (
            Conv2d::<Image<6, 6, 4>, 3>::new(),
            Relu,
            MaxPool::<Image<3, 3, 4>, 2>::new(),
            Conv2d::<Image<3, 3, 9>, 3>::new(),
            Relu6,
            Flatten::<81>,
            Dense::<3>::new(),
        );
        same::<_, Image<6, 6, 2>, _, _>(network, CrossEntropy, &1);
        let network = (
            Residual((Dense::<8>::new(), Relu, Dense::<6>::new())),
            BatchNorm::new(),
            ResidualProjection((Dense::<7>::new(), Relu, Dense::<4>::new()), Dense::<4>::new()),
            Concat::<[f32; 9], _, _>::new(Identity, Dense::<5>::new()),
            Relu,
            Dense::<2>::new(),
        );
        same::<_, [f32; 6], _, _>(network, MeanSquaredError, &[0.5, -0.5]);
        same::<_, Signal<5, 2>, _, _>((Gru::<4>::new(), Dense::<3>::new()), CrossEntropy, &2);
        static WEIGHTS: Linear<[[f32; 3]; 4], [f32; 3]> = Linear { weight: [[0.5, -0.25, 1.0]; 4], bias: [0.1; 3] };
        same::<_, [f32; 4], _, _>(
            (BiasOnly::new(Dense::<3>::new(), &WEIGHTS), Relu, Dense::<2>::new()),
            CrossEntropy,
            &1,
        );
    }

    #[test]
    fn only_what_correctness_needs_keeps_a_gradient() {
        type Net = (Conv2d<Image<4, 4, 3>, 3>, Relu, Conv2d<Image<4, 4, 2>, 3>, Flatten<32>, Dense<2>);
        // The first convolution none, the second its own, the dense layer none.
        assert_eq!(Memory::<Net, Image<4, 4, 1>, InPlace>::GRADIENTS, 4 * (9 * 3 * 2 + 2));
    }

    #[test]
    fn a_refused_sample_changes_nothing_or_only_the_layers_behind() {
        type Net = (Dense<3>, Relu, Dense<2>);
        let mut memory = Memory::<Net, [f32; 2], InPlace>::new();
        let mut learner = Learner::new(&mut memory, Net::default(), MeanSquaredError, InPlace::new(0.1));
        learner.initialize(1);
        let before = bits(learner.params());
        let refused = |error| Err(TrainError::Observe(error));
        assert_eq!(learner.train(&[f32::NAN, 0.0], &[0.0; 2]), refused(ObserveError::Sample { index: 0 }));
        assert_eq!(learner.train(&[f32::MAX; 2], &[3e38; 2]), refused(ObserveError::Loss));
        assert_eq!(bits(learner.params()), before);

        // A small loss whose gradient overflows on its way back: through weights of 1e36.
        learner.params_mut().0 = Linear { weight: [[1e-30; 3]; 2], bias: [0.0; 3] };
        learner.params_mut().2 = Linear { weight: [[1e36; 2]; 3], bias: [0.0; 2] };
        learner.optimizer_mut().learning_rate = 1e-3;
        let first = learner.params().0;
        assert_eq!(learner.train(&[1e5; 2], &[-1e17; 2]), refused(ObserveError::Backward));
        assert_eq!(learner.params().0, first);
        learner.params().visit(None, &mut |_, values| assert!(values.iter().all(|value| value.is_finite())));
        assert_eq!((learner.observed(), learner.refused()), (0, 3));
    }
}

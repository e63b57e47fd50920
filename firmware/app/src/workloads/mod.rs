//! Training steps to be measured, defined once for every board and for the host.
//!
//! [`Training`] is a step of a whole network: forward, loss, backward, update, as [`Learner::train`] does it. [`Alone`] is that
//! of a single layer ([`layers`]). Samples are random and dense, from a fixed seed; images that a counter runs under mark each step
//! and leave what is between out.

pub mod growth;
pub mod layers;

use core::fmt;
use core::marker::PhantomData;

use backpass::{
    Conv2d, CrossEntropy, Dense, Flatten, Gradients, Image, InputGradient, Layer, Learner, Loss, MaxPool,
    MeanSquaredError, Memory, Optimizer, Params, Pass, Relu, Rng, Sgd, Step, Tensor, Zero,
};

use crate::mlperf_tiny::{Autoencoder, DsCnn, MobileNet, Photo, ResNet8, Scene, Sound, Speech};

/// What is measured: some training steps.
pub trait Workload {
    /// All that it needs in RAM, zeros at first.
    type Ram;
    /// The RAM before [`prepare`](Workload::prepare).
    const RAM: Self::Ram;
    /// The part of it that training needs: the size of the [`Memory`].
    const TRAINING_RAM: usize;
    /// How the update reaches the parameters: `gradients` or `in-place`.
    const MEMORY: &'static str;
    /// The number of parameters.
    const PARAMETERS: usize;
    /// Samples of a step: the mini-batch.
    const BATCH: u32;
    /// Steps to measure, each with samples of its own; their mean is the figure.
    const STEPS: u32;

    /// Draws weights from a fixed seed.
    fn prepare(ram: &mut Self::Ram);

    /// Draws the samples of a step.
    fn draw(ram: &mut Self::Ram, rng: &mut Rng);

    /// Takes a training step. Returns whether it was taken: all was finite.
    fn step(ram: &mut Self::Ram) -> bool;
}

/// The seed of weights and samples.
pub const SEED: u64 = 1;

const LEARNING_RATE: f32 = 0.01;

/// A rule of descent that workloads use.
pub trait Rule: Optimizer {
    /// See [`Workload::MEMORY`].
    const MEMORY: &'static str;
    /// The rule.
    const RULE: Self;
}

impl Rule for Sgd {
    const MEMORY: &'static str = "gradients";
    const RULE: Self = Self::new(LEARNING_RATE);
}

/// What a network learns: a loss, and the target of a sample.
pub trait Goal<X, Y> {
    /// The loss.
    type Loss: Loss<Y, Self::Target>;
    /// Its target.
    type Target;
    /// The loss.
    const LOSS: Self::Loss;

    /// The target of a sample, of which a class was drawn too.
    fn target<'a>(sample: &'a X, class: &'a usize) -> &'a Self::Target;
}

/// Learns the class, by cross-entropy.
#[derive(Debug, Clone, Copy)]
pub struct Classify;

impl<X, Y> Goal<X, Y> for Classify
where
    CrossEntropy: Loss<Y, usize>,
{
    type Loss = CrossEntropy;
    type Target = usize;
    const LOSS: CrossEntropy = CrossEntropy;

    fn target<'a>(_: &'a X, class: &'a usize) -> &'a usize {
        class
    }
}

/// Learns the sample itself, by the mean squared error.
#[derive(Debug, Clone, Copy)]
pub struct Reconstruct;

impl<X: Tensor> Goal<X, X> for Reconstruct {
    type Loss = MeanSquaredError;
    type Target = X;
    const LOSS: MeanSquaredError = MeanSquaredError;

    fn target<'a>(sample: &'a X, _: &'a usize) -> &'a X {
        sample
    }
}

/// Training of network `N` on samples `X` towards `G`, `BATCH` samples to an update of rule `O`; the mean of `STEPS` steps.
#[derive(Debug, Clone, Copy)]
pub struct Training<N, X, G, const STEPS: u32 = 1, const BATCH: usize = 1, O = Sgd>(PhantomData<(N, X, G, O)>);

/// What [`Training`] needs in RAM.
pub struct TrainingRam<N: Layer<X>, X: Tensor, O: Optimizer, const BATCH: usize> {
    memory: Memory<N, X, O>,
    samples: [X; BATCH],
    classes: [usize; BATCH],
}

impl<N: Layer<X>, X: Tensor, O: Optimizer, const BATCH: usize> fmt::Debug for TrainingRam<N, X, O, BATCH> {
    /// Sizes, not contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrainingRam").field("memory", &self.memory).finish_non_exhaustive()
    }
}

impl<N, X, G, const STEPS: u32, const BATCH: usize, O> Workload for Training<N, X, G, STEPS, BATCH, O>
where
    N: Layer<X, Output: Tensor> + Default,
    X: Tensor,
    G: Goal<X, N::Output>,
    O: Rule,
{
    type Ram = TrainingRam<N, X, O, BATCH>;
    const RAM: Self::Ram = TrainingRam { memory: Memory::new(), samples: [X::ZERO; BATCH], classes: [0; BATCH] };
    const TRAINING_RAM: usize = size_of::<Memory<N, X, O>>();
    const MEMORY: &'static str = O::MEMORY;
    const PARAMETERS: usize = N::Params::COUNT;
    const BATCH: u32 = BATCH as u32;
    const STEPS: u32 = STEPS;

    fn prepare(ram: &mut Self::Ram) {
        Learner::new(&mut ram.memory, N::default(), G::LOSS, O::RULE).initialize(SEED);
    }

    fn draw(ram: &mut Self::Ram, rng: &mut Rng) {
        for (sample, class) in ram.samples.iter_mut().zip(&mut ram.classes) {
            fill(sample.flat_mut(), rng);
            *class = rng.below(N::Output::LEN as u32) as usize;
        }
    }

    fn step(ram: &mut Self::Ram) -> bool {
        let mut learner = Learner::new(&mut ram.memory, N::default(), G::LOSS, O::RULE);
        let observed = ram
            .samples
            .iter()
            .zip(&ram.classes)
            .all(|(sample, class)| learner.observe(sample, G::target(sample, class)).is_ok());
        observed && learner.update().is_ok()
    }
}

/// A training step of layer `L` alone on inputs `X`: forward, backward with the gradient of its input, and the update of its
/// parameters. There is no loss: dL/dy is random, drawn before each step, and copied into its place. The inputs are numbers
/// from -1 to 1, or tokens below `TOKENS`.
#[derive(Debug, Clone, Copy)]
pub struct Alone<L, X, const TOKENS: u32 = 0>(PhantomData<(L, X)>);

/// What [`Alone`] needs in RAM.
pub struct AloneRam<L: Layer<X>, X> {
    params: L::Params,
    gradients: L::Params,
    tape: L::Tape,
    x: X,
    dy: L::Output,
    stream: u32,
}

impl<L: Layer<X>, X> fmt::Debug for AloneRam<L, X> {
    /// Sizes, not contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AloneRam").field("bytes", &size_of::<Self>()).finish()
    }
}

impl<L, X, const TOKENS: u32> Workload for Alone<L, X, TOKENS>
where
    L: Layer<X, Output: Tensor> + Default,
    X: Tensor,
{
    type Ram = AloneRam<L, X>;
    const RAM: Self::Ram =
        AloneRam { params: Zero::ZERO, gradients: Zero::ZERO, tape: Zero::ZERO, x: X::ZERO, dy: Zero::ZERO, stream: 0 };
    const TRAINING_RAM: usize = size_of::<Memory<L, X, Sgd>>();
    const MEMORY: &'static str = Sgd::MEMORY;
    const PARAMETERS: usize = L::Params::COUNT;
    const BATCH: u32 = 1;
    const STEPS: u32 = 1;

    fn prepare(ram: &mut Self::Ram) {
        L::default().initialize(&mut ram.params, backpass::Initialization::Glorot, &mut Rng::new(SEED));
    }

    fn draw(ram: &mut Self::Ram, rng: &mut Rng) {
        if TOKENS == 0 {
            fill(ram.x.flat_mut(), rng);
        } else {
            ram.x.flat_mut().iter_mut().for_each(|token| *token = rng.below(TOKENS) as f32);
        }
        fill(ram.dy.flat_mut(), rng);
        ram.stream = ram.stream.wrapping_add(1);
    }

    fn step(ram: &mut Self::Ram) -> bool {
        let layer = L::default();
        let AloneRam { params, gradients, tape, x, dy, stream } = ram;
        let output = layer.forward(params, x, tape, Pass::training(*stream));
        // In place of a loss.
        output.flat_mut().copy_from_slice(dy.flat());
        let mut bound = 0.0;
        let grads = Gradients::new(&mut *gradients, true, &mut bound);
        layer.backward(params, x, tape, Some(grads), InputGradient::Full);
        L::Params::COUNT == 0 || Sgd::RULE.step(params, gradients, &mut [], &mut (), Step::new(1))
    }
}

/// Uniform numbers from -1 to 1.
fn fill(values: &mut [f32], rng: &mut Rng) {
    values.iter_mut().for_each(|value| *value = rng.symmetric(1.0));
}

/// The network of the digits: 64-32-10.
pub type Digits = (Dense<32>, Relu, Dense<10>);

/// A small autoencoder: 640-128-128-8-128-128-640.
pub type SmallAutoencoder =
    (Dense<128>, Relu, Dense<128>, Relu, Dense<8>, Relu, Dense<128>, Relu, Dense<128>, Relu, Dense<640>);

/// A small convolutional network for 16x16 pixels.
pub type SmallConvolution = (
    Conv2d<Image<16, 16, 8>, 3>,
    Relu,
    MaxPool<Image<8, 8, 8>, 2>,
    Conv2d<Image<8, 8, 16>, 3>,
    Relu,
    MaxPool<Image<4, 4, 16>, 2>,
    Flatten<256>,
    Dense<10>,
);

/// W1: 64-32-10, one sample to an update.
pub type W1 = Training<Digits, [f32; 64], Classify, 16>;
/// W2: the same, 16 samples to an update.
pub type W2 = Training<Digits, [f32; 64], Classify, 1, 16>;
/// W3: a small autoencoder.
pub type W3 = Training<SmallAutoencoder, [f32; 640], Reconstruct, 4>;
/// W4: a small convolutional network.
pub type W4 = Training<SmallConvolution, Image<16, 16, 1>, Classify, 4>;

/// MLPerf Tiny's anomaly detection.
pub type AnomalyDetection = Training<Autoencoder, Sound, Reconstruct>;
/// MLPerf Tiny's keyword spotting.
pub type KeywordSpotting = Training<DsCnn, Speech, Classify>;
/// MLPerf Tiny's image classification.
pub type ImageClassification = Training<ResNet8, Photo, Classify>;
/// MLPerf Tiny's visual wake words.
pub type VisualWakeWords = Training<MobileNet, Scene, Classify>;

#[cfg(test)]
mod tests {
    use std::boxed::Box;

    use super::*;

    fn steps_are_taken<W: Workload>() {
        let mut ram = Box::new(W::RAM);
        let mut rng = Rng::new(SEED);
        W::prepare(&mut ram);
        for _ in 0..2 {
            W::draw(&mut ram, &mut rng);
            assert!(W::step(&mut ram));
        }
    }

    #[test]
    fn networks_and_layers_take_their_steps() {
        steps_are_taken::<W1>();
        steps_are_taken::<W2>();
        steps_are_taken::<W4>();
        steps_are_taken::<layers::Dense>();
        steps_are_taken::<layers::Tanh>();
    }

    #[test]
    fn the_ram_of_training_is_that_of_its_memory() {
        assert_eq!(W1::TRAINING_RAM, size_of::<Memory<Digits, [f32; 64], Sgd>>());
        assert_eq!(W2::TRAINING_RAM, W1::TRAINING_RAM);
        assert_eq!((W1::PARAMETERS, W3::PARAMETERS, W4::PARAMETERS), (2410, 199_816, 3818));
    }

    #[test]
    fn a_step_of_a_layer_leaves_the_gradient_of_its_input_and_moves_its_weights() {
        type W = layers::Dense;
        let mut ram = W::RAM;
        W::prepare(&mut ram);
        W::draw(&mut ram, &mut Rng::new(SEED));
        let (x, weight) = (ram.x, ram.params.weight);
        assert!(W::step(&mut ram));
        assert_ne!(x, ram.x);
        assert_eq!(ram.gradients, Zero::ZERO, "used up");
        let expected = weight[3][5] - LEARNING_RATE * (x[3] * ram.dy[5]);
        assert!((ram.params.weight[3][5] - expected).abs() < 1e-6);
    }
}

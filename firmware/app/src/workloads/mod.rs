//! Training steps to be measured, defined once for every board and for the host.
//!
//! [`Training`] is a step of a whole network: forward, loss, backward, update, as [`Learner::train`] does it. [`layers`] has that of
//! a single layer, [`losses`] and [`rules`] a loss and an optimizer alone. Samples are random and dense, from a fixed seed;
//! images that a counter runs under mark each step and leave what is between out.

pub mod alone;
pub mod growth;
pub mod layers;
pub mod losses;
pub mod rules;

use core::fmt;
use core::hint::black_box;
use core::marker::PhantomData;

use backpass::memory::Training as Learns;
use backpass::{
    Conv2d, CrossEntropy, Dense, Descend, Flatten, Image, InPlace, Layer, Learner, Loss, MaxPool, MeanSquaredError,
    Memory, Params, Relu, Rng, Sgd, Tensor,
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

/// What plain descent with a gradient array is called, see [`Workload::MEMORY`].
const GRADIENTS: &str = "gradients";
/// What descent without one is called.
const IN_PLACE: &str = "in-place";

/// A rule of descent by which network `N` learns from samples `X` towards `G`.
pub trait Rule<N, X, G>: Learns<N, X> + Sized
where
    N: Layer<X, Output: Tensor>,
    X: Tensor,
    G: Goal<X, N::Output>,
{
    /// See [`Workload::MEMORY`].
    const MEMORY: &'static str;
    /// The most samples of a step.
    const MOST: usize;
    /// The rule.
    const RULE: Self;

    /// Takes a step along the samples. Returns whether all of it was taken.
    fn step(learner: &mut Learner<'_, N, X, G::Loss, Self>, samples: &[X], classes: &[usize]) -> bool;
}

impl<N, X, G> Rule<N, X, G> for Sgd
where
    N: Layer<X, Output: Tensor>,
    X: Tensor,
    G: Goal<X, N::Output>,
{
    const MEMORY: &'static str = GRADIENTS;
    const MOST: usize = usize::MAX;
    const RULE: Self = Self::new(LEARNING_RATE);

    fn step(learner: &mut Learner<'_, N, X, G::Loss, Self>, samples: &[X], classes: &[usize]) -> bool {
        let mut pairs = samples.iter().zip(classes);
        pairs.all(|(sample, class)| learner.observe(sample, G::target(sample, class)).is_ok())
            && learner.update().is_ok()
    }
}

impl<N, X, G> Rule<N, X, G> for InPlace
where
    N: Descend<X> + Layer<X, Output: Tensor>,
    X: Tensor,
    G: Goal<X, N::Output>,
{
    const MEMORY: &'static str = IN_PLACE;
    // It has no gradient array to add up samples in.
    const MOST: usize = 1;
    const RULE: Self = Self::new(LEARNING_RATE);

    fn step(learner: &mut Learner<'_, N, X, G::Loss, Self>, samples: &[X], classes: &[usize]) -> bool {
        let mut pairs = samples.iter().zip(classes);
        pairs.all(|(sample, class)| learner.train(sample, G::target(sample, class)).is_ok())
    }
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
pub struct TrainingRam<N: Layer<X>, X: Tensor, O: Learns<N, X>, const BATCH: usize> {
    memory: Memory<N, X, O>,
    samples: [X; BATCH],
    classes: [usize; BATCH],
}

impl<N: Layer<X>, X: Tensor, O: Learns<N, X>, const BATCH: usize> fmt::Debug for TrainingRam<N, X, O, BATCH> {
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
    O: Rule<N, X, G>,
{
    type Ram = TrainingRam<N, X, O, BATCH>;
    const RAM: Self::Ram = {
        assert!(BATCH <= O::MOST, "this rule learns from one sample at a time");
        TrainingRam { memory: Memory::new(), samples: [X::ZERO; BATCH], classes: [0; BATCH] }
    };
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
        O::step(&mut learner, &ram.samples, &ram.classes)
    }
}

/// Uniform numbers from -1 to 1. Not a part of what is measured: it is to have the same size in every image.
#[inline(never)]
fn fill(values: &mut [f32], rng: &mut Rng) {
    black_box(values).iter_mut().for_each(|value| *value = rng.symmetric(1.0));
}

/// The largest magnitude of all parameters.
fn largest<P: Params>(params: &P) -> f32 {
    let mut bound = 0.0_f32;
    params.visit(None, &mut |_, values| bound = values.iter().fold(bound, |bound, value| bound.max(value.abs())));
    bound
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
pub type W1<O = Sgd> = Training<Digits, [f32; 64], Classify, 16, 1, O>;
/// W2: the same, 16 samples to an update.
pub type W2 = Training<Digits, [f32; 64], Classify, 1, 16>;
/// W3: a small autoencoder.
pub type W3<O = Sgd> = Training<SmallAutoencoder, [f32; 640], Reconstruct, 4, 1, O>;
/// W4: a small convolutional network.
pub type W4<O = Sgd> = Training<SmallConvolution, Image<16, 16, 1>, Classify, 4, 1, O>;

/// MLPerf Tiny's anomaly detection.
pub type AnomalyDetection<O = Sgd> = Training<Autoencoder, Sound, Reconstruct, 1, 1, O>;
/// MLPerf Tiny's keyword spotting.
pub type KeywordSpotting<O = Sgd> = Training<DsCnn, Speech, Classify, 1, 1, O>;
/// MLPerf Tiny's image classification.
pub type ImageClassification<O = Sgd> = Training<ResNet8, Photo, Classify, 1, 1, O>;
/// MLPerf Tiny's visual wake words.
pub type VisualWakeWords<O = Sgd> = Training<MobileNet, Scene, Classify, 1, 1, O>;

/// The same without a gradient array: an image's workload is named by a path alone.
pub mod in_place {
    use super::InPlace;

    /// W1 in place.
    pub type W1 = super::W1<InPlace>;
    /// W3 in place.
    pub type W3 = super::W3<InPlace>;
    /// W4 in place.
    pub type W4 = super::W4<InPlace>;
    /// MLPerf Tiny's anomaly detection in place.
    pub type AnomalyDetection = super::AnomalyDetection<InPlace>;
    /// MLPerf Tiny's keyword spotting in place.
    pub type KeywordSpotting = super::KeywordSpotting<InPlace>;
    /// MLPerf Tiny's image classification in place.
    pub type ImageClassification = super::ImageClassification<InPlace>;
    /// MLPerf Tiny's visual wake words in place.
    pub type VisualWakeWords = super::VisualWakeWords<InPlace>;
}

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
        steps_are_taken::<W1<Sgd>>();
        steps_are_taken::<W2>();
        steps_are_taken::<W4<Sgd>>();
        steps_are_taken::<in_place::W1>();
        steps_are_taken::<in_place::W4>();
        steps_are_taken::<layers::Dense>();
        steps_are_taken::<layers::Tanh>();
        steps_are_taken::<layers::Frozen>();
        steps_are_taken::<layers::FrozenPrefix>();
        steps_are_taken::<losses::CosineEmbedding>();
        steps_are_taken::<losses::BinaryCrossEntropy>();
        steps_are_taken::<rules::Adam>();
        steps_are_taken::<rules::Lars>();
    }

    #[test]
    fn both_memories_learn_the_same_weights_from_the_same_samples() {
        let (mut with, mut without) = (Box::new(W1::<Sgd>::RAM), Box::new(W1::<InPlace>::RAM));
        W1::<Sgd>::prepare(&mut with);
        W1::<InPlace>::prepare(&mut without);
        let (mut rng, mut other) = (Rng::new(SEED), Rng::new(SEED));
        for _ in 0..3 {
            W1::<Sgd>::draw(&mut with, &mut rng);
            W1::<InPlace>::draw(&mut without, &mut other);
            assert!(W1::<Sgd>::step(&mut with) && W1::<InPlace>::step(&mut without));
        }
        let learned =
            |memory: &mut _| Learner::new(memory, Digits::default(), CrossEntropy, Sgd::new(0.0)).params().0.weight;
        let in_place = Learner::new(&mut without.memory, Digits::default(), CrossEntropy, InPlace::new(0.0));
        assert_eq!(learned(&mut with.memory), in_place.params().0.weight);
    }

    #[test]
    fn the_ram_of_training_is_that_of_its_memory() {
        assert_eq!(W1::<Sgd>::TRAINING_RAM, size_of::<Memory<Digits, [f32; 64], Sgd>>());
        assert_eq!(W2::TRAINING_RAM, W1::<Sgd>::TRAINING_RAM);
        assert_eq!((W1::<Sgd>::PARAMETERS, W3::<Sgd>::PARAMETERS, W4::<Sgd>::PARAMETERS), (2410, 199_816, 3818));
        assert_eq!(W1::<Sgd>::TRAINING_RAM, W1::<InPlace>::TRAINING_RAM + 4 * 2410);
    }
}

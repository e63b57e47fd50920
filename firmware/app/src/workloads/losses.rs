//! Each loss alone: the check of the target, the loss, and its gradient in place of the output.

use core::fmt;
use core::marker::PhantomData;

use backpass::{InputGradient, Loss, Rng, Tensor};

use super::{GRADIENTS, Workload, fill};

/// A loss on outputs `Y`, with targets that are drawn.
pub trait Criterion<Y> {
    /// The loss.
    type Loss: Loss<Y, Self::Target>;
    /// Its target.
    type Target;
    /// The loss.
    const LOSS: Self::Loss;
    /// A target before the first is drawn.
    const TARGET: Self::Target;

    /// Draws a target.
    fn draw(target: &mut Self::Target, rng: &mut Rng);
}

/// Loss `C` alone on outputs `Y` from -1 to 1.
#[derive(Debug, Clone, Copy)]
pub struct Alone<C, Y>(PhantomData<(C, Y)>);

/// What [`Alone`] needs in RAM.
pub struct AloneRam<C: Criterion<Y>, Y> {
    output: Y,
    target: C::Target,
}

impl<C: Criterion<Y>, Y> fmt::Debug for AloneRam<C, Y> {
    /// Sizes, not contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AloneRam").field("bytes", &size_of::<Self>()).finish()
    }
}

impl<C: Criterion<Y>, Y: Tensor> Workload for Alone<C, Y> {
    type Ram = AloneRam<C, Y>;
    const RAM: Self::Ram = AloneRam { output: Y::ZERO, target: C::TARGET };
    /// The output, in whose place the gradient is left.
    const TRAINING_RAM: usize = size_of::<Y>();
    const MEMORY: &'static str = GRADIENTS;
    const PARAMETERS: usize = 0;
    const BATCH: u32 = 1;
    const STEPS: u32 = 1;

    fn prepare(_: &mut Self::Ram) {}

    fn draw(ram: &mut Self::Ram, rng: &mut Rng) {
        fill(ram.output.flat_mut(), rng);
        C::draw(&mut ram.target, rng);
    }

    fn step(ram: &mut Self::Ram) -> bool {
        C::LOSS.check(&ram.target).is_ok()
            && C::LOSS.gradient(&mut ram.output, &ram.target, InputGradient::Full).is_finite()
    }
}

/// Declares criteria, each with its loss on some outputs and how a target is drawn.
macro_rules! criteria {
    ($($(#[$doc:meta])* $name:ident $criterion:ident: $loss:ty = $value:expr, $y:ty, $target:ty = $zero:expr, $draw:expr;)*) => {
        $(
            #[doc = concat!("The loss of [`", stringify!($name), "`].")]
            #[derive(Debug, Clone, Copy)]
            pub struct $criterion;

            impl Criterion<$y> for $criterion {
                type Loss = $loss;
                type Target = $target;
                const LOSS: $loss = $value;
                const TARGET: $target = $zero;

                fn draw(target: &mut $target, rng: &mut Rng) {
                    let draw: fn(&mut $target, &mut Rng) = $draw;
                    draw(target, rng);
                }
            }

            $(#[$doc])*
            pub type $name = Alone<$criterion, $y>;
        )*
    };
}

/// As many elements as W3's output has.
const WIDE: usize = 640;

fn class(class: &mut usize, rng: &mut Rng) {
    *class = rng.below(10) as usize;
}

fn probabilities(target: &mut [f32], rng: &mut Rng) {
    target.iter_mut().for_each(|value| *value = rng.unit());
}

criteria! {
    /// Cross-entropy of ten classes.
    CrossEntropy TheCrossEntropy: backpass::CrossEntropy = backpass::CrossEntropy, [f32; 10], usize = 0, class;
    /// Cross-entropy with ten probabilities as target.
    SoftCrossEntropy TheSoftCrossEntropy: backpass::CrossEntropy = backpass::CrossEntropy, [f32; 10], [f32; 10] = [0.0; 10],
        |target, rng| {
            probabilities(target, rng);
            let sum: f32 = target.iter().sum();
            target.iter_mut().for_each(|value| *value /= sum);
        };
    /// Negative log-likelihood of ten classes.
    NegativeLogLikelihood TheNegativeLogLikelihood: backpass::NegativeLogLikelihood = backpass::NegativeLogLikelihood::new(),
        [f32; 10], usize = 0, class;
    /// Hinge loss of ten classes.
    Hinge TheHinge: backpass::Hinge = backpass::Hinge::new(), [f32; 10], usize = 0, class;
    /// Binary cross-entropy.
    BinaryCrossEntropy TheBinaryCrossEntropy: backpass::BinaryCrossEntropy = backpass::BinaryCrossEntropy,
        [f32; WIDE], [f32; WIDE] = [0.0; WIDE], |target, rng| probabilities(target, rng);
    /// Mean squared error.
    MeanSquaredError TheMeanSquaredError: backpass::MeanSquaredError = backpass::MeanSquaredError,
        [f32; WIDE], [f32; WIDE] = [0.0; WIDE], |target, rng| fill(target, rng);
    /// Mean absolute error.
    MeanAbsoluteError TheMeanAbsoluteError: backpass::MeanAbsoluteError = backpass::MeanAbsoluteError,
        [f32; WIDE], [f32; WIDE] = [0.0; WIDE], |target, rng| fill(target, rng);
    /// Huber loss.
    Huber TheHuber: backpass::Huber = backpass::Huber::new(),
        [f32; WIDE], [f32; WIDE] = [0.0; WIDE], |target, rng| fill(target, rng);
    /// Cosine embedding loss of 64 dimensions.
    CosineEmbedding TheCosineEmbedding: backpass::CosineEmbedding = backpass::CosineEmbedding { margin: 0.0 },
        [f32; 64], ([f32; 64], f32) = ([0.0; 64], 1.0), |(target, _), rng| fill(target, rng);
}

//! The losses, one a file. A loss leaves its gradient in place of the network's output.
//!
//! A loss is that of one sample. Losses over elements (squared, absolute, Huber, binary cross-entropy, hinge) are means
//! over the elements of the sample's output: what PyTorch's `reduction="mean"` gives for a batch of that sample. Losses
//! of a class or an angle are one number a sample; class weights multiply it ([`ConfiguredCrossEntropy`]). A mini-batch
//! takes the mean over its samples, those that a loss ignores ([`IgnoreClass`]) left out.

pub mod binary_cross_entropy;
pub mod configured_cross_entropy;
pub mod cosine_embedding;
pub mod cross_entropy;
pub mod hinge;
pub mod huber;
pub mod ignore_class;
pub mod mean_absolute_error;
pub mod mean_squared_error;
pub mod negative_log_likelihood;

use core::fmt;

pub use binary_cross_entropy::{BinaryCrossEntropy, PositiveWeight, WeightedBinaryCrossEntropy};
pub use configured_cross_entropy::{ClassWeights, ConfiguredCrossEntropy, Unweighted};
pub use cosine_embedding::CosineEmbedding;
pub use cross_entropy::CrossEntropy;
pub use hinge::Hinge;
pub use huber::Huber;
pub use ignore_class::IgnoreClass;
pub use mean_absolute_error::MeanAbsoluteError;
pub use mean_squared_error::MeanSquaredError;
pub use negative_log_likelihood::NegativeLogLikelihood;

use crate::kernel::elementwise;
use crate::layer::InputGradient;

/// Why a target does not fit a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TargetError {
    /// The class index is not below the number of outputs.
    ClassOutOfRange {
        /// The index given.
        class: usize,
        /// The number of classes.
        classes: usize,
    },
    /// An element of the target is infinite or NaN.
    NotFinite {
        /// Its position, in storage order.
        index: usize,
    },
    /// An element of the target is below 0 or above 1.
    NotAProbability {
        /// Its position, in storage order.
        index: usize,
    },
    /// An element of the target is neither 1 nor -1.
    NotASign {
        /// Its position, in storage order.
        index: usize,
    },
}

impl TargetError {
    /// The same of an element elsewhere.
    const fn at(self, index: usize) -> Self {
        match self {
            Self::ClassOutOfRange { .. } => self,
            Self::NotFinite { .. } => Self::NotFinite { index },
            Self::NotAProbability { .. } => Self::NotAProbability { index },
            Self::NotASign { .. } => Self::NotASign { index },
        }
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClassOutOfRange { class, classes } => {
                write!(f, "class {class} is out of range: the network has {classes} outputs, counted from 0")
            }
            Self::NotFinite { index } => write!(f, "element {index} of the target is infinite or NaN"),
            Self::NotAProbability { index } => {
                write!(f, "element {index} of the target is no probability: it is below 0 or above 1")
            }
            Self::NotASign { index } => write!(f, "element {index} of the target is neither 1 nor -1"),
        }
    }
}

impl core::error::Error for TargetError {}

/// A loss between a network's output of type `Y` and a target of type `T`.
///
/// Implement it for a loss of your own:
///
/// ```
/// use backpass::{InputGradient, Loss, TargetError};
///
/// /// `L = y - t` of a single output: the gradient is 1 whatever the target.
/// #[derive(Debug, Clone, Copy)]
/// struct Difference;
///
/// impl Loss<[f32; 1], f32> for Difference {
///     fn check(&self, target: &f32) -> Result<(), TargetError> {
///         if target.is_finite() { Ok(()) } else { Err(TargetError::NotFinite { index: 0 }) }
///     }
///     fn loss(&self, [y]: &[f32; 1], t: &f32) -> f32 {
///         y - t
///     }
///     fn gradient(&self, output: &mut [f32; 1], t: &f32, want: InputGradient) -> f32 {
///         let loss = self.loss(output, t);
///         let [y] = output;
///         // A gate that is closed has no gradient, and stays zero.
///         if !(want.is_gated() && *y == 0.0) {
///             *y = want.at(*y, 1.0);
///         }
///         loss
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not compare the network's output `{Y}` with a target `{T}`",
    label = "this target does not fit the network's output",
    note = "`CrossEntropy` takes a class index `usize` or one probability a class `[f32; CLASSES]`; with `ignore`, a class index alone; with `weights`, as many of them as there are outputs",
    note = "`MeanSquaredError`, `MeanAbsoluteError`, `Huber` and `BinaryCrossEntropy` take a target of the output's own type; `positive_weight` is one number, or an array of one a channel",
    note = "`Hinge` takes a class index `usize` or 1 and -1 in the output's own type; `CosineEmbedding` a vector and a label, `([f32; N], f32)`",
    note = "a label of another integer type is converted first: `&usize::from(label)`"
)]
pub trait Loss<Y, T: ?Sized> {
    /// Refuses a target that cannot be learned.
    ///
    /// # Errors
    /// See [`TargetError`].
    fn check(&self, target: &T) -> Result<(), TargetError>;

    /// Whether nothing is to be learned from samples with this target, which [`check`](Loss::check) lets pass: they
    /// have loss 0 and no gradient, and do not count in the mean of a mini-batch. By default there are none.
    fn is_ignored(&self, target: &T) -> bool {
        let _ = target;
        false
    }

    /// The loss L.
    fn loss(&self, output: &Y, target: &T) -> f32;

    /// The loss L, with the same bits as [`loss`](Loss::loss); leaves dL/dy in `output`, as far as `want` asks.
    fn gradient(&self, output: &mut Y, target: &T, want: InputGradient) -> f32;
}

/// A reference to a loss is that loss, so one with class weights may stay in flash:
///
/// ```
/// use backpass::{ConfiguredCrossEntropy, CrossEntropy, Dense, Learner, Memory, Sgd};
/// static LOSS: ConfiguredCrossEntropy<[f32; 3]> = CrossEntropy.weights([0.5, 2.0, 0.5]);
/// let mut memory = Memory::<Dense<3>, [f32; 2], Sgd>::new();
/// let mut learner = Learner::new(&mut memory, Dense::new(), &LOSS, Sgd::new(0.1));
/// assert!(learner.train(&[1.0, -1.0], &1).is_ok_and(|loss| loss > 2.0));
/// ```
impl<Y, T: ?Sized, L: Loss<Y, T> + ?Sized> Loss<Y, T> for &L {
    fn check(&self, target: &T) -> Result<(), TargetError> {
        (**self).check(target)
    }

    fn is_ignored(&self, target: &T) -> bool {
        (**self).is_ignored(target)
    }

    fn loss(&self, output: &Y, target: &T) -> f32 {
        (**self).loss(output, target)
    }

    fn gradient(&self, output: &mut Y, target: &T, want: InputGradient) -> f32 {
        (**self).gradient(output, target, want)
    }
}

/// Refuses a class that does not exist.
fn check_class(class: usize, classes: usize) -> Result<(), TargetError> {
    if class < classes { Ok(()) } else { Err(TargetError::ClassOutOfRange { class, classes }) }
}

/// Refuses a target with an element that is not finite.
fn check_finite(target: &[f32]) -> Result<(), TargetError> {
    elementwise::first_not_finite(target).map_or(Ok(()), |index| Err(TargetError::NotFinite { index }))
}

/// Refuses a target with an element that is not from 0 to 1.
fn check_probabilities(target: &[f32]) -> Result<(), TargetError> {
    check_finite(target)?;
    let wrong = target.iter().position(|t| !(0.0..=1.0).contains(t));
    wrong.map_or(Ok(()), |index| Err(TargetError::NotAProbability { index }))
}

/// Refuses a target with an element that is neither 1 nor -1.
fn check_signs(target: &[f32]) -> Result<(), TargetError> {
    check_finite(target)?;
    let wrong = target.iter().position(|t| t.abs() != 1.0);
    wrong.map_or(Ok(()), |index| Err(TargetError::NotASign { index }))
}

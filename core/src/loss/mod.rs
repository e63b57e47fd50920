//! The losses, one a file. A loss leaves its gradient in place of the network's output.

pub mod cross_entropy;
pub mod mean_squared_error;

use core::fmt;

pub use cross_entropy::CrossEntropy;
pub use mean_squared_error::MeanSquaredError;

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
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClassOutOfRange { class, classes } => {
                write!(f, "class {class} is out of range: the network has {classes} outputs, counted from 0")
            }
            Self::NotFinite { index } => write!(f, "element {index} of the target is infinite or NaN"),
        }
    }
}

impl core::error::Error for TargetError {}

/// A loss between a network's output of type `Y` and a target of type `T`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not compare the network's output `{Y}` with a target `{T}`",
    label = "this target does not fit the network's output",
    note = "`CrossEntropy` takes a class index `usize` or one probability a class `[f32; CLASSES]`; `MeanSquaredError` a target of the output's own type",
    note = "a label of another integer type is converted first: `&usize::from(label)`"
)]
pub trait Loss<Y, T: ?Sized> {
    /// Refuses a target that cannot be learned.
    ///
    /// # Errors
    /// See [`TargetError`].
    fn check(&self, target: &T) -> Result<(), TargetError>;

    /// The loss L.
    fn loss(&self, output: &Y, target: &T) -> f32;

    /// The loss L, with the same bits as [`loss`](Loss::loss); leaves dL/dy in `output`, as far as `want` asks.
    fn gradient(&self, output: &mut Y, target: &T, want: InputGradient) -> f32;
}

/// Refuses a target with an element that is not finite.
fn check_finite(target: &[f32]) -> Result<(), TargetError> {
    elementwise::first_not_finite(target).map_or(Ok(()), |index| Err(TargetError::NotFinite { index }))
}

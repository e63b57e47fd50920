//! Why something was refused.

use core::fmt;

use crate::loss::TargetError;

/// Why a sample was not learned from. The parameters and moments are exactly what they were before, and so is the
/// accumulated gradient, except for [`Gradient`](ObserveError::Gradient); and so are the parameters except for [`Backward`](ObserveError::Backward).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ObserveError {
    /// An element of the sample is infinite or NaN.
    Sample {
        /// Its position, in storage order.
        index: usize,
    },
    /// The target does not fit.
    Target(TargetError),
    /// The loss is infinite or NaN: an output overflowed.
    Loss,
    /// A gradient became infinite or NaN while it was added up. The accumulated gradient was discarded.
    Gradient {
        /// How many samples had been observed since the last update; the accumulated gradient held them.
        discarded: u32,
    },
    /// With [`InPlace`](crate::InPlace) alone: a gradient became infinite or NaN on its way back, or a parameter could have left
    /// the range of safe numbers. The layers behind that place have taken their step; it and those before it have not.
    Backward,
}

impl fmt::Display for ObserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sample { index } => write!(f, "sample refused: element {index} is infinite or NaN"),
            Self::Target(error) => write!(f, "target refused: {error}"),
            Self::Loss => f.write_str("sample refused: the loss is infinite or NaN; nothing was changed"),
            Self::Backward => f.write_str(
                "sample refused on the way back: a gradient is infinite or NaN, or a parameter would be too large; only the layers behind have learned",
            ),
            Self::Gradient { discarded } => write!(
                f,
                "sample refused: a gradient is infinite or NaN; the accumulated gradient of {discarded} earlier samples was discarded"
            ),
        }
    }
}

impl core::error::Error for ObserveError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Target(error) => Some(error),
            _ => None,
        }
    }
}

impl From<TargetError> for ObserveError {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}

/// Why no optimizer step was taken. Parameters, moments and the accumulated gradient are exactly what they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum UpdateError {
    /// No sample was observed since the last update.
    NothingObserved,
    /// A parameter or a moment would have become infinite or NaN. [`Learner::discard`](crate::Learner::discard) forgets the gradient that led there.
    NotFinite,
}

impl fmt::Display for UpdateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NothingObserved => "no update: no sample was observed since the last one",
            Self::NotFinite => {
                "update refused: a parameter or a moment would be infinite or NaN; lower the learning rate or discard the gradient"
            }
        })
    }
}

impl core::error::Error for UpdateError {}

/// Why [`Learner::train`](crate::Learner::train) did not learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TrainError {
    /// The sample was refused.
    Observe(ObserveError),
    /// The step was refused; the gradient that had accumulated was discarded, so that the next sample starts afresh.
    Update(UpdateError),
}

impl fmt::Display for TrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Observe(error) => error.fmt(f),
            Self::Update(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for TrainError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(match self {
            Self::Observe(error) => error,
            Self::Update(error) => error,
        })
    }
}

impl From<ObserveError> for TrainError {
    fn from(error: ObserveError) -> Self {
        Self::Observe(error)
    }
}

impl From<UpdateError> for TrainError {
    fn from(error: UpdateError) -> Self {
        Self::Update(error)
    }
}

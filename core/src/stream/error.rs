//! Why a stream's value was refused.

use core::fmt;

/// The largest magnitude of a value that a statistic takes: 1e18. Its square, times four, is below `f32::MAX`, so a variance of
/// such values is finite.
pub const LARGEST: f32 = 1e18;

/// A mean of values up to [`LARGEST`], rounded.
pub(crate) const LARGEST_MEAN: f32 = 1.01e18;
/// More than their variance, and than the square of any distance between a value and a mean: so no value can make it larger.
pub(crate) const LARGEST_VARIANCE: f32 = 1e37;

/// Why a value was not taken. What it was meant for is exactly what it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ValueError {
    /// It is infinite or NaN.
    NotFinite,
    /// It is so large that its square would be too near to the largest number there is: above 1e18 ([`LARGEST`]).
    TooLarge,
}

impl ValueError {
    /// Refuses what is not finite or beyond [`LARGEST`].
    pub(crate) fn check(value: f32) -> Result<(), Self> {
        if !value.is_finite() {
            Err(Self::NotFinite)
        } else if value.abs() > LARGEST {
            Err(Self::TooLarge)
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFinite => "value refused: it is infinite or NaN",
            Self::TooLarge => "value refused: its magnitude is above 1e18; use a larger unit",
        })
    }
}

impl core::error::Error for ValueError {}

/// Why a sample was not taken. What it was meant for is exactly what it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SampleError {
    /// The position of the first element that is refused, in storage order.
    pub index: usize,
    /// Why it is refused.
    pub error: ValueError,
}

impl SampleError {
    /// Refuses a sample if `refuse` has something against an element.
    pub(crate) fn check(sample: &[f32], refuse: impl Fn(f32) -> Result<(), ValueError>) -> Result<(), Self> {
        for (index, value) in sample.iter().enumerate() {
            refuse(*value).map_err(|error| Self { index, error })?;
        }
        Ok(())
    }

    /// Refuses a sample that is not finite, whatever its magnitude.
    pub(crate) fn check_finite(sample: &[f32]) -> Result<(), Self> {
        Self::check(sample, |value| if value.is_finite() { Ok(()) } else { Err(ValueError::NotFinite) })
    }
}

impl fmt::Display for SampleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, error } = self;
        match error {
            ValueError::NotFinite => write!(f, "sample refused: element {index} is infinite or NaN"),
            ValueError::TooLarge => {
                write!(f, "sample refused: the magnitude of element {index} is above 1e18; use a larger unit")
            }
        }
    }
}

impl core::error::Error for SampleError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// A class that is not below the number of classes. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClassOutOfRange {
    /// The class given.
    pub class: usize,
    /// The number of classes.
    pub classes: usize,
}

impl ClassOutOfRange {
    pub(crate) const fn check(class: usize, classes: usize) -> Result<(), Self> {
        if class < classes { Ok(()) } else { Err(Self { class, classes }) }
    }
}

impl fmt::Display for ClassOutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, classes } = self;
        write!(f, "class {class} is out of range: there are {classes} classes, counted from 0")
    }
}

impl core::error::Error for ClassOutOfRange {}

/// Why a sample was not remembered. The memory is exactly what it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ReplayError {
    /// The sample is not finite.
    Sample(SampleError),
    /// There is no such class.
    Class(ClassOutOfRange),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sample(error) => error.fmt(f),
            Self::Class(error) => write!(f, "label refused: {error}"),
        }
    }
}

impl core::error::Error for ReplayError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(match self {
            Self::Sample(error) => error,
            Self::Class(error) => error,
        })
    }
}

impl From<SampleError> for ReplayError {
    fn from(error: SampleError) -> Self {
        Self::Sample(error)
    }
}

impl From<ClassOutOfRange> for ReplayError {
    fn from(error: ClassOutOfRange) -> Self {
        Self::Class(error)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn what_is_not_finite_or_too_large_is_told_apart() {
        let refused = [f32::NAN, f32::INFINITY, -f32::INFINITY, -1.1e18, f32::MAX].map(ValueError::check);
        let not_finite = Err(ValueError::NotFinite);
        assert_eq!(refused, [not_finite, not_finite, not_finite, Err(ValueError::TooLarge), Err(ValueError::TooLarge)]);
        assert_eq!([0.0, -1e18, 1e18, 1e-45].map(ValueError::check), [Ok(()); 4]);
        let error = SampleError::check(&[1.0, 2.0, 1e30], ValueError::check).unwrap_err();
        assert_eq!(error, SampleError { index: 2, error: ValueError::TooLarge });
        assert_eq!(SampleError::check_finite(&[f32::MAX]), Ok(()));
    }

    #[test]
    fn messages_name_the_place() {
        let error = SampleError { index: 7, error: ValueError::NotFinite };
        assert!(error.to_string().contains('7'));
        assert!(ReplayError::from(ClassOutOfRange { class: 5, classes: 4 }).to_string().contains("class 5"));
    }
}

//! The mean absolute error.

use crate::kernel;
use crate::layer::InputGradient;
use crate::loss::{Loss, TargetError, check_finite};
use crate::tensor::Tensor;

/// Mean absolute error over the `n` elements of an output of any shape: `L = Σ |y - t| / n`, `dL/dy = sign(y - t) / n`,
/// 0 where `y = t`.
///
/// An outlier pulls no harder than any other sample; near the target the gradient does not shrink.
/// [`Huber`](crate::Huber) joins this to the squared error. Definition: PyTorch's `L1Loss` with its default mean.
///
/// ```
/// use backpass::{Loss, MeanAbsoluteError};
/// assert_eq!(MeanAbsoluteError.loss(&[1.0, 5.0], &[1.0, 2.0]), 1.5);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MeanAbsoluteError;

impl<Y: Tensor> Loss<Y, Y> for MeanAbsoluteError {
    fn check(&self, target: &Y) -> Result<(), TargetError> {
        check_finite(target.flat())
    }

    fn loss(&self, output: &Y, target: &Y) -> f32 {
        kernel::loss::mean(output.flat(), target.flat(), kernel::loss::absolute_error)
    }

    fn gradient(&self, output: &mut Y, target: &Y, want: InputGradient) -> f32 {
        kernel::loss::mean_gradient(output.flat_mut(), target.flat(), want, kernel::loss::absolute_error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_the_sign_and_zero_at_the_target() {
        let mut y = [[2.0, -3.0], [0.5, 0.25]];
        assert_eq!(MeanAbsoluteError.gradient(&mut y, &[[1.0, 1.0], [0.5, 0.5]], InputGradient::Full), 1.3125);
        assert_eq!(y, [[0.25, -0.25], [0.0, -0.25]]);
    }
}

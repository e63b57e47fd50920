//! The mean squared error.

use crate::kernel;
use crate::layer::InputGradient;
use crate::loss::{Loss, TargetError, check_finite};
use crate::tensor::Tensor;

/// Mean squared error over the `n` elements of an output of any shape: `L = Σ (y - t)² / n`, `dL/dy = 2 (y - t) / n`.
///
/// Definition: PyTorch's `MSELoss` with its default mean.
///
/// ```
/// use backpass::{Loss, MeanSquaredError};
/// assert_eq!(MeanSquaredError.loss(&[1.0, 5.0], &[1.0, 2.0]), 4.5);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MeanSquaredError;

impl<Y: Tensor> Loss<Y, Y> for MeanSquaredError {
    fn check(&self, target: &Y) -> Result<(), TargetError> {
        check_finite(target.flat())
    }

    fn loss(&self, output: &Y, target: &Y) -> f32 {
        kernel::loss::mean(output.flat(), target.flat(), kernel::loss::squared_error)
    }

    fn gradient(&self, output: &mut Y, target: &Y, want: InputGradient) -> f32 {
        kernel::loss::mean_gradient(output.flat_mut(), target.flat(), want, kernel::loss::squared_error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_output_stays_zero() {
        let mut y = [[0.0, 3.0]];
        assert_eq!(MeanSquaredError.gradient(&mut y, &[[1.0, 1.0]], InputGradient::WhereActive), 2.5);
        assert_eq!(y, [[0.0, 2.0]]);
        let mut y = [[0.0, 3.0]];
        MeanSquaredError.gradient(&mut y, &[[1.0, 1.0]], InputGradient::Full);
        assert_eq!(y, [[-1.0, 2.0]]);
    }
}

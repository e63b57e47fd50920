//! The Huber loss.

use crate::kernel;
use crate::layer::InputGradient;
use crate::loss::{Loss, TargetError, check_finite};
use crate::tensor::Tensor;

/// Huber loss over the `n` elements of an output of any shape: squared near the target, linear beyond a distance of
/// `delta`.
///
/// `L = Σ h(y - t) / n` with `h(d) = d² / 2` where `|d| <= delta`, else `delta (|d| - delta / 2)`; `dL/dy = d / n`,
/// limited to `±delta / n`. Definition: PyTorch's `HuberLoss` with its default mean; Huber, "Robust estimation of a
/// location parameter" (1964). PyTorch's `SmoothL1Loss` with `beta` is this loss with `delta = beta`, divided by
/// `beta`: at 1, the default of both, they are the same.
///
/// ```
/// use backpass::{Huber, Loss};
/// assert_eq!(Huber::new().loss(&[0.5, 5.0], &[0.0, 2.0]), (0.125 + 2.5) / 2.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Huber {
    /// The distance from the target, above 0, up to which the loss is squared.
    pub delta: f32,
}

impl Huber {
    /// The loss with `delta` 1.
    pub const fn new() -> Self {
        Self { delta: 1.0 }
    }
}

impl Default for Huber {
    fn default() -> Self {
        Self::new()
    }
}

impl<Y: Tensor> Loss<Y, Y> for Huber {
    fn check(&self, target: &Y) -> Result<(), TargetError> {
        check_finite(target.flat())
    }

    fn loss(&self, output: &Y, target: &Y) -> f32 {
        kernel::loss::mean(output.flat(), target.flat(), kernel::loss::huber(self.delta))
    }

    fn gradient(&self, output: &mut Y, target: &Y, want: InputGradient) -> f32 {
        kernel::loss::mean_gradient(output.flat_mut(), target.flat(), want, kernel::loss::huber(self.delta))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outlier_pulls_with_delta_and_does_not_overflow() {
        let huber = Huber { delta: 0.5 };
        let mut y = [0.25, -3e38];
        let loss = huber.gradient(&mut y, &[0.0, 0.0], InputGradient::Full);
        assert!((loss / 7.5e37 - 1.0).abs() < 1e-6, "{loss}");
        assert_eq!(y, [0.125, -0.25]);
    }

    #[test]
    fn far_from_the_target_it_is_the_absolute_error_and_near_it_half_the_squared_one() {
        use crate::{MeanAbsoluteError, MeanSquaredError};
        let (y, target) = ([1.5, -2.0, 0.25], [0.5, 3.0, -0.5]);
        let squared = MeanSquaredError.loss(&y, &target);
        assert!((Huber { delta: f32::INFINITY }.loss(&y, &target) - squared / 2.0).abs() < 1e-6);
        let small = Huber { delta: 1e-6 }.loss(&y, &target) / 1e-6;
        assert!((small - MeanAbsoluteError.loss(&y, &target)).abs() < 1e-5, "{small}");
    }
}

//! The hinge loss.

use crate::kernel;
use crate::layer::InputGradient;
use crate::loss::{IgnoreClass, Loss, TargetError, check_class, check_signs};
use crate::tensor::Tensor;

/// Hinge loss, as of support vector machines, with margin `m` (default 1), plain (`p = 1`, the default) or squared
/// (`p = 2`).
///
/// * a class index `t` (`usize`) for scores `[f32; CLASSES]`: `L = Σ_{j ≠ t} max(0, m - y[t] + y[j])^p / CLASSES`: the
///   score of the right class should be `m` above each other one. Definition: PyTorch's `MultiMarginLoss`; Crammer and
///   Singer, "On the algorithmic implementation of multiclass kernel-based vector machines" (2001), with a sum in place
///   of their maximum.
/// * a target of the output's own type whose elements are 1 or -1: `L = Σ max(0, m - t y)^p / n` over the `n` elements.
///   Definition: Keras's `Hinge` and `SquaredHinge` (which take 0 for -1; here 0 is refused). PyTorch's
///   `HingeEmbeddingLoss` is another loss, on distances; its value for the distance `t y` and the label -1 is this one.
///
/// Where an element does not come into the margin, its gradient is 0.
///
/// ```
/// use backpass::{Hinge, Loss};
/// assert_eq!(Hinge::new().loss(&[0.0, 3.0, 2.5, -1.0], &1), 0.5 / 4.0);
/// assert_eq!(Hinge::new().margin(2.0).squared().loss(&[1.0, 5.0], &[1.0, -1.0]), (1.0 + 49.0) / 2.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Hinge {
    /// The margin m.
    pub margin: f32,
    /// Whether what comes into the margin is squared: p = 2.
    pub squared: bool,
}

impl Hinge {
    /// The loss with margin 1, not squared.
    pub const fn new() -> Self {
        Self { margin: 1.0, squared: false }
    }

    /// With another margin.
    #[must_use]
    pub const fn margin(self, margin: f32) -> Self {
        Self { margin, ..self }
    }

    /// Squared.
    #[must_use]
    pub const fn squared(self) -> Self {
        Self { squared: true, ..self }
    }

    /// The loss that passes over samples of this class.
    pub const fn ignore(self, class: usize) -> IgnoreClass<Self> {
        IgnoreClass { loss: self, class }
    }
}

impl Default for Hinge {
    fn default() -> Self {
        Self::new()
    }
}

impl<const C: usize> Loss<[f32; C], usize> for Hinge {
    fn check(&self, class: &usize) -> Result<(), TargetError> {
        check_class(*class, C)
    }

    fn loss(&self, scores: &[f32; C], class: &usize) -> f32 {
        kernel::loss::class_hinge(scores, *class, self.margin, self.squared)
    }

    fn gradient(&self, scores: &mut [f32; C], class: &usize, want: InputGradient) -> f32 {
        kernel::loss::class_hinge_gradient(scores, *class, self.margin, self.squared, want)
    }
}

impl<Y: Tensor> Loss<Y, Y> for Hinge {
    fn check(&self, target: &Y) -> Result<(), TargetError> {
        check_signs(target.flat())
    }

    fn loss(&self, output: &Y, target: &Y) -> f32 {
        kernel::loss::mean(output.flat(), target.flat(), kernel::loss::binary_hinge(self.margin, self.squared))
    }

    fn gradient(&self, output: &mut Y, target: &Y, want: InputGradient) -> f32 {
        let term = kernel::loss::binary_hinge(self.margin, self.squared);
        kernel::loss::mean_gradient(output.flat_mut(), target.flat(), want, term)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_class_is_pushed_up_by_what_pushes_the_others_down() {
        let mut y = [0.0, 1.5, 1.0, -7.0];
        assert_eq!(Hinge::new().gradient(&mut y, &1, InputGradient::Full), 0.125);
        assert_eq!(y, [0.0, -0.25, 0.25, 0.0]);
        let mut y = [1.0, 1.5, 2.0, -7.0];
        assert_eq!(Hinge::new().squared().gradient(&mut y, &1, InputGradient::Full), (0.25 + 2.25) / 4.0);
        assert_eq!(y, [0.25, -1.0, 0.75, 0.0]);
    }

    #[test]
    fn a_difference_of_scores_beyond_f32_is_learned_from_where_its_share_is_not() {
        let mut y = [3e38, -3e38, 0.0, 0.0];
        let loss = Hinge::new().gradient(&mut y, &1, InputGradient::Full);
        assert!((loss / 3e38 - 1.0).abs() < 1e-6, "{loss}");
        assert_eq!(y, [0.25, -0.75, 0.25, 0.25]);
    }

    #[test]
    fn behind_a_gate_closed_scores_stay_zero_and_open_ones_are_told_apart() {
        let mut y = [0.0, 2.5, 0.5, 0.25];
        Hinge::new().gradient(&mut y, &2, InputGradient::WhereActive);
        assert_eq!(y, [0.0, 0.25, -0.75, 0.25]);
        let mut y = [0.0, 2.5, 0.5];
        Hinge::new().gradient(&mut y, &1, InputGradient::WhereActive);
        assert_eq!(y.map(f32::to_bits), [0, 1 << 31, 1 << 31]);
    }

    #[test]
    fn refuses_what_is_no_class_and_no_sign() {
        let outside = TargetError::ClassOutOfRange { class: 2, classes: 2 };
        assert_eq!(Loss::<[f32; 2], usize>::check(&Hinge::new(), &2), Err(outside));
        let check = |t| Loss::<[f32; 2], [f32; 2]>::check(&Hinge::new(), &[-1.0, t]);
        assert_eq!(check(1.0), Ok(()));
        assert_eq!(check(0.0), Err(TargetError::NotASign { index: 1 }));
        assert_eq!(check(f32::INFINITY), Err(TargetError::NotFinite { index: 1 }));
    }
}

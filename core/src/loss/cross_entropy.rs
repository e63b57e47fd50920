//! Softmax cross-entropy on logits.

use crate::kernel::softmax;
use crate::layer::InputGradient;
use crate::loss::{ConfiguredCrossEntropy, IgnoreClass, Loss, TargetError, check_class, check_finite};

/// Softmax cross-entropy on logits `z`, for a classifier whose last layer is linear.
///
/// With `p = softmax(z)`:
///
/// * a class index `t` (`usize`): `L = -ln p[t]`, `dL/dz[j] = p[j] - [j = t]`;
/// * soft targets `q` (`[f32; CLASSES]`, usually summing to 1): `L = -Σ_j q[j] ln p[j]`, `dL/dz[j] = p[j] Σ q - q[j]`.
///
/// The logits are shifted by their maximum before `exp`, so no finite logit overflows. Definition: PyTorch's
/// `CrossEntropyLoss` for one sample. Class weights, label smoothing and a class to be ignored are added by
/// [`weights`](Self::weights), [`label_smoothing`](Self::label_smoothing) and [`ignore`](Self::ignore).
///
/// ```
/// use backpass::{CrossEntropy, Loss};
/// let loss = CrossEntropy.loss(&[1.0, 1.0, 1.0, 1.0], &2);
/// assert!((loss - 4.0_f32.ln()).abs() < 1e-6);
/// assert_eq!(CrossEntropy.loss(&[1.0, 1.0], &[0.5, 0.5]), CrossEntropy.loss(&[1.0, 1.0], &1));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CrossEntropy;

impl CrossEntropy {
    /// With a weight for each class: see [`ConfiguredCrossEntropy`].
    pub const fn weights<const C: usize>(self, weights: [f32; C]) -> ConfiguredCrossEntropy<[f32; C]> {
        ConfiguredCrossEntropy::new().weights(weights)
    }

    /// With targets that are smoothed, by an amount from 0 to 1: see [`ConfiguredCrossEntropy`].
    pub const fn label_smoothing(self, smoothing: f32) -> ConfiguredCrossEntropy {
        ConfiguredCrossEntropy::new().label_smoothing(smoothing)
    }

    /// The loss that passes over samples of this class; it takes class indices alone.
    pub const fn ignore(self, class: usize) -> IgnoreClass<Self> {
        IgnoreClass { loss: self, class }
    }
}

impl<const C: usize> Loss<[f32; C], usize> for CrossEntropy {
    fn check(&self, class: &usize) -> Result<(), TargetError> {
        check_class(*class, C)
    }

    fn loss(&self, logits: &[f32; C], &class: &usize) -> f32 {
        softmax::class_loss(logits, class)
    }

    fn gradient(&self, logits: &mut [f32; C], &class: &usize, want: InputGradient) -> f32 {
        softmax::class_gradient(logits, class, want)
    }
}

impl<const C: usize> Loss<[f32; C], [f32; C]> for CrossEntropy {
    fn check(&self, target: &[f32; C]) -> Result<(), TargetError> {
        check_finite(target)
    }

    fn loss(&self, logits: &[f32; C], target: &[f32; C]) -> f32 {
        softmax::soft_loss(logits, target)
    }

    fn gradient(&self, logits: &mut [f32; C], target: &[f32; C], want: InputGradient) -> f32 {
        softmax::soft_gradient(logits, target, want)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_pass_gives_the_same_loss_bits() {
        let logits = [0.3, -2.0, 5.5, 1.0, 0.0];
        let soft = [0.1, 0.2, 0.3, 0.4, 0.0];
        for want in [InputGradient::Full, InputGradient::WhereActive] {
            let mut y = logits;
            let loss = CrossEntropy.gradient(&mut y, &1, want);
            assert_eq!(loss.to_bits(), CrossEntropy.loss(&logits, &1).to_bits());
            let mut y = logits;
            let loss = CrossEntropy.gradient(&mut y, &soft, want);
            assert_eq!(loss.to_bits(), CrossEntropy.loss(&logits, &soft).to_bits());
            assert_eq!(y[4] == 0.0, want == InputGradient::WhereActive);
        }
    }

    #[test]
    fn behind_a_gate_the_open_outputs_get_the_full_gradient() {
        let (mut full, mut gated) = ([0.0, 200.0, 0.5, 0.0], [0.0, 200.0, 0.5, 0.0]);
        CrossEntropy.gradient(&mut full, &2, InputGradient::Full);
        CrossEntropy.gradient(&mut gated, &2, InputGradient::WhereActive);
        assert_eq!((gated[1], gated[2]), (full[1], full[2]));
        assert_eq!((gated[0], gated[3]), (0.0, 0.0));
        assert_eq!(gated[2], -1.0);
    }

    #[test]
    fn huge_logits_do_not_overflow_and_the_gradient_sums_to_zero() {
        let mut y = [3e38, -3e38, 0.0];
        assert_eq!(CrossEntropy.gradient(&mut y, &0, InputGradient::Full), 0.0);
        assert_eq!(y, [0.0; 3]);
        // A target's share of a difference beyond f32 is in range.
        let mut y = [3e38, -3e38, 0.0];
        let loss = CrossEntropy.gradient(&mut y, &[0.75, 0.125, 0.125], InputGradient::Full);
        assert!((loss / 1.125e38 - 1.0).abs() < 1e-6, "{loss}");
        assert_eq!(y, [0.25, -0.125, -0.125]);
        let mut y = [3.0, 1.0, -2.0, 0.5];
        CrossEntropy.gradient(&mut y, &3, InputGradient::Full);
        assert!(y.iter().sum::<f32>().abs() < 1e-6);
    }

    #[test]
    fn refuses_a_class_that_does_not_exist_and_a_target_that_is_not_finite() {
        let check = |class| Loss::<[f32; 3], usize>::check(&CrossEntropy, &class);
        assert_eq!(check(2), Ok(()));
        assert_eq!(check(3), Err(TargetError::ClassOutOfRange { class: 3, classes: 3 }));
        assert_eq!(
            Loss::<[f32; 3], _>::check(&CrossEntropy, &[0.0, f32::NAN, 1.0]),
            Err(TargetError::NotFinite { index: 1 })
        );
    }
}

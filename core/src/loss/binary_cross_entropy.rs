//! Binary cross-entropy on logits.

use crate::kernel;
use crate::layer::InputGradient;
use crate::loss::{Loss, TargetError, check_probabilities};
use crate::tensor::Tensor;

/// Sigmoid cross-entropy on logits `z`: each of the `n` elements of an output of any shape is a yes-or-no question of
/// its own, with the probability `t` of yes as its target, from 0 to 1. The last layer is linear; no sigmoid stands
/// behind it.
///
/// `L = Σ (t ln(1 + e^-z) + (1 - t) ln(1 + e^z)) / n`, `dL/dz = (σ(z) - t) / n`. No finite logit overflows. Definition:
/// PyTorch's `BCEWithLogitsLoss` with its default mean. [`positive_weight`](Self::positive_weight) lets rare positives
/// count for more.
///
/// ```
/// use backpass::{BinaryCrossEntropy, Loss};
/// let loss = BinaryCrossEntropy.loss(&[0.0, 100.0], &[1.0, 1.0]);
/// assert!((loss - 2.0_f32.ln() / 2.0).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BinaryCrossEntropy;

/// [`BinaryCrossEntropy`] whose positive part is weighted; made by [`BinaryCrossEntropy::positive_weight`].
///
/// `L = Σ (p t ln(1 + e^-z) + (1 - t) ln(1 + e^z)) / n`, `dL/dz = ((1 - t) σ(z) - p t σ(-z)) / n`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct WeightedBinaryCrossEntropy<P> {
    /// The weight p, at least 0: `f32`, or one a channel (the last axis of the output), `[f32; CHANNELS]`.
    pub positive_weight: P,
}

/// Positive weights for an output whose channels are a `C`: one number, `f32`, or one a channel, `[f32; CHANNELS]`.
#[diagnostic::on_unimplemented(
    message = "positive weights `{Self}` do not fit an output with the channels `{C}`",
    label = "expected `f32`, or `{C}`: one weight for each channel"
)]
pub trait PositiveWeight<C>: Tensor {}

impl<C> PositiveWeight<C> for f32 {}

impl<const N: usize> PositiveWeight<[f32; N]> for [f32; N] {}

impl BinaryCrossEntropy {
    /// With the weight of positive targets, p: one number for all elements, or an array of one a channel (the last
    /// axis). Above 1 it favours recall, below 1 precision; the number of negatives over that of positives balances
    /// them. PyTorch's `pos_weight`.
    ///
    /// ```
    /// use backpass::{BinaryCrossEntropy, Loss};
    /// let one = BinaryCrossEntropy.positive_weight(3.0);
    /// assert!((one.loss(&[0.0], &[1.0]) - 3.0 * 2.0_f32.ln()).abs() < 1e-6);
    /// let each = BinaryCrossEntropy.positive_weight([3.0, 1.0]);
    /// assert!((each.loss(&[[0.0, 0.0]], &[[1.0, 1.0]]) - 2.0 * 2.0_f32.ln()).abs() < 1e-6);
    /// ```
    pub const fn positive_weight<P: Tensor>(self, positive_weight: P) -> WeightedBinaryCrossEntropy<P> {
        WeightedBinaryCrossEntropy { positive_weight }
    }
}

fn loss(z: &[f32], target: &[f32], positive: &[f32]) -> f32 {
    kernel::loss::mean(z, target, kernel::loss::binary_cross_entropy(positive.iter().cycle()))
}

fn gradient(z: &mut [f32], target: &[f32], positive: &[f32], want: InputGradient) -> f32 {
    kernel::loss::mean_gradient(z, target, want, kernel::loss::binary_cross_entropy(positive.iter().cycle()))
}

impl<Y: Tensor> Loss<Y, Y> for BinaryCrossEntropy {
    fn check(&self, target: &Y) -> Result<(), TargetError> {
        check_probabilities(target.flat())
    }

    fn loss(&self, logits: &Y, target: &Y) -> f32 {
        loss(logits.flat(), target.flat(), &[1.0])
    }

    fn gradient(&self, logits: &mut Y, target: &Y, want: InputGradient) -> f32 {
        gradient(logits.flat_mut(), target.flat(), &[1.0], want)
    }
}

impl<Y: Tensor, P: PositiveWeight<Y::Channels>> Loss<Y, Y> for WeightedBinaryCrossEntropy<P> {
    fn check(&self, target: &Y) -> Result<(), TargetError> {
        check_probabilities(target.flat())
    }

    fn loss(&self, logits: &Y, target: &Y) -> f32 {
        loss(logits.flat(), target.flat(), self.positive_weight.flat())
    }

    fn gradient(&self, logits: &mut Y, target: &Y, want: InputGradient) -> f32 {
        gradient(logits.flat_mut(), target.flat(), self.positive_weight.flat(), want)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_finite_logit_overflows_or_loses_a_small_loss() {
        for (z, t, loss, slope) in [
            (f32::MAX, 1.0, 0.0, 0.0),
            (f32::MAX, 0.0, f32::MAX, 1.0),
            (-f32::MAX, 1.0, f32::MAX, -1.0),
            (-f32::MAX, 0.0, 0.0, 0.0),
            (-40.0, 0.0, 4.248_354e-18, 4.248_354e-18),
            (40.0, 1.0, 4.248_354e-18, -4.248_354e-18),
            (-1e30, 0.5, 5e29, -0.5),
        ] {
            let mut y = [z];
            let ours = BinaryCrossEntropy.gradient(&mut y, &[t], InputGradient::Full);
            let close = |a: f32, b: f32| (a - b).abs() <= 1e-6 * b.abs();
            assert!(close(ours, loss) && close(y[0], slope), "{z}, {t}: {ours}, {}", y[0]);
        }
    }

    #[test]
    fn a_weight_of_one_changes_no_bits_and_each_channel_has_its_own() {
        let (z, t) = ([[0.3, -2.0], [5.5, 1.0]], [[1.0, 0.25], [0.0, 1.0]]);
        let plain = BinaryCrossEntropy.loss(&z, &t);
        assert_eq!(plain.to_bits(), BinaryCrossEntropy.positive_weight(1.0).loss(&z, &t).to_bits());
        let first = BinaryCrossEntropy.positive_weight([5.0, 1.0]);
        let (mut all, mut some) = (z, z);
        BinaryCrossEntropy.positive_weight(5.0).gradient(&mut all, &t, InputGradient::Full);
        first.gradient(&mut some, &t, InputGradient::Full);
        assert_eq!([some[0][0], some[1][0]], [all[0][0], all[1][0]]);
        BinaryCrossEntropy.gradient(&mut all, &t, InputGradient::Full);
        let mut one = z;
        BinaryCrossEntropy.gradient(&mut one, &t, InputGradient::Full);
        assert_eq!([some[0][1], some[1][1]], [one[0][1], one[1][1]]);
    }

    #[test]
    fn refuses_what_is_no_probability() {
        let check = |t| Loss::<[f32; 2], _>::check(&BinaryCrossEntropy, &[0.5, t]);
        for t in [0.0, -0.0, 0.3, 1.0] {
            assert_eq!(check(t), Ok(()));
        }
        for t in [-1.0, 1.000_001, f32::MAX] {
            assert_eq!(check(t), Err(TargetError::NotAProbability { index: 1 }));
        }
        assert_eq!(check(f32::NAN), Err(TargetError::NotFinite { index: 1 }));
    }
}

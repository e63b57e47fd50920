//! Softmax cross-entropy with class weights and label smoothing.

use crate::kernel::softmax::{Given, Smoothed};
use crate::layer::InputGradient;
use crate::loss::{IgnoreClass, Loss, TargetError, check_class, check_finite};

/// [`CrossEntropy`](crate::CrossEntropy) with class weights, label smoothing or both; made by
/// [`CrossEntropy::weights`](crate::CrossEntropy::weights) and
/// [`CrossEntropy::label_smoothing`](crate::CrossEntropy::label_smoothing).
///
/// With `p = softmax(z)`, class weights `w` (all 1 where none are given) and smoothing `s`:
///
/// * soft targets `q` (`[f32; CLASSES]`) become `a[j] = w[j] ((1 - s) q[j] + s / CLASSES)`;
/// * a class index `t` (`usize`) is `q[j] = [j = t]`;
///
/// and `L = -Σ_j a[j] ln p[j]`, `dL/dz[j] = p[j] Σ a - a[j]`. Without smoothing a sample of class `t` has `w[t]` times
/// the loss.
///
/// Definition: PyTorch's `CrossEntropyLoss` with `weight` and `label_smoothing`, **with `reduction="sum"`**: PyTorch's
/// mean over samples with class indices divides by the sum of their `w[t]`, which for one sample takes the weight away
/// again. Here a mini-batch's mean divides by the number of its samples, so weights that are 1 on average keep the
/// step's size. Label smoothing: Szegedy et al., "Rethinking the Inception architecture for computer vision" (2016).
///
/// ```
/// use backpass::{CrossEntropy, Loss};
/// let plain = CrossEntropy.loss(&[1.0, 3.0], &0);
/// assert_eq!(CrossEntropy.weights([2.0, 1.0]).loss(&[1.0, 3.0], &0), 2.0 * plain);
/// let both = CrossEntropy.weights([2.0, 1.0]).label_smoothing(0.1).ignore(255);
/// assert!(both.loss(&[1.0, 3.0], &0) < 2.0 * plain);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ConfiguredCrossEntropy<W = Unweighted> {
    /// One weight a class, `[f32; CLASSES]`, at least 0; or [`Unweighted`].
    pub weights: W,
    /// The smoothing s, from 0 to 1.
    pub smoothing: f32,
}

/// Every class counts the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Unweighted;

/// Weights for so many classes: `[f32; CLASSES]`, or [`Unweighted`] for any number.
pub trait ClassWeights<const CLASSES: usize> {
    /// The weights, if there are any.
    fn as_slice(&self) -> Option<&[f32]>;
}

impl<const C: usize> ClassWeights<C> for Unweighted {
    fn as_slice(&self) -> Option<&[f32]> {
        None
    }
}

impl<const C: usize> ClassWeights<C> for [f32; C] {
    fn as_slice(&self) -> Option<&[f32]> {
        Some(self)
    }
}

impl ConfiguredCrossEntropy {
    /// Without weights and smoothing.
    pub(crate) const fn new() -> Self {
        Self { weights: Unweighted, smoothing: 0.0 }
    }
}

impl<W: Copy> ConfiguredCrossEntropy<W> {
    /// With these class weights.
    #[must_use]
    pub const fn weights<const C: usize>(self, weights: [f32; C]) -> ConfiguredCrossEntropy<[f32; C]> {
        ConfiguredCrossEntropy { weights, smoothing: self.smoothing }
    }

    /// With targets that are smoothed, by an amount from 0 to 1.
    #[must_use]
    pub const fn label_smoothing(self, smoothing: f32) -> Self {
        Self { smoothing, ..self }
    }

    /// The loss that passes over samples of this class; it takes class indices alone.
    pub const fn ignore(self, class: usize) -> IgnoreClass<Self> {
        IgnoreClass { loss: self, class }
    }

    fn targets<'t, const C: usize>(&'t self, given: Given<'t>) -> Smoothed<'t>
    where
        W: ClassWeights<C>,
    {
        Smoothed { weights: self.weights.as_slice(), smoothing: self.smoothing, given }
    }
}

impl<W: ClassWeights<C> + Copy, const C: usize> Loss<[f32; C], usize> for ConfiguredCrossEntropy<W> {
    fn check(&self, class: &usize) -> Result<(), TargetError> {
        check_class(*class, C)
    }

    fn loss(&self, logits: &[f32; C], class: &usize) -> f32 {
        self.targets(Given::Class(*class)).loss(logits)
    }

    fn gradient(&self, logits: &mut [f32; C], class: &usize, want: InputGradient) -> f32 {
        self.targets(Given::Class(*class)).gradient(logits, want)
    }
}

impl<W: ClassWeights<C> + Copy, const C: usize> Loss<[f32; C], [f32; C]> for ConfiguredCrossEntropy<W> {
    fn check(&self, target: &[f32; C]) -> Result<(), TargetError> {
        check_finite(target)
    }

    fn loss(&self, logits: &[f32; C], target: &[f32; C]) -> f32 {
        self.targets(Given::Soft(target)).loss(logits)
    }

    fn gradient(&self, logits: &mut [f32; C], target: &[f32; C], want: InputGradient) -> f32 {
        self.targets(Given::Soft(target)).gradient(logits, want)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CrossEntropy;

    const LOGITS: [f32; 4] = [0.3, -2.0, 0.0, 1.5];

    #[test]
    fn nothing_configured_is_the_plain_loss() {
        let configured = ConfiguredCrossEntropy::new();
        let (mut plain, mut ours) = (LOGITS, LOGITS);
        let loss = CrossEntropy.gradient(&mut plain, &1, InputGradient::Full);
        assert!((configured.gradient(&mut ours, &1, InputGradient::Full) - loss).abs() < 1e-6);
        assert_eq!(ours, plain);
        let target = [0.1, 0.2, 0.3, 0.4];
        assert_eq!(configured.loss(&LOGITS, &target), CrossEntropy.loss(&LOGITS, &target));
    }

    #[test]
    fn a_weight_scales_loss_and_gradient_of_its_class() {
        let weighted = CrossEntropy.weights([1.0, 0.5, 2.0, 0.0]);
        for (class, weight) in [(0, 1.0), (1, 0.5), (2, 2.0), (3, 0.0)] {
            let (mut plain, mut ours) = (LOGITS, LOGITS);
            let loss = CrossEntropy.gradient(&mut plain, &class, InputGradient::Full);
            let scaled = weighted.gradient(&mut ours, &class, InputGradient::Full);
            assert!((scaled - weight * loss).abs() < 1e-6);
            assert_eq!(ours, plain.map(|slope| weight * slope));
        }
    }

    #[test]
    fn full_smoothing_forgets_the_label() {
        let loss = CrossEntropy.label_smoothing(1.0);
        assert_eq!(loss.loss(&LOGITS, &0), loss.loss(&LOGITS, &3));
        assert!((loss.loss(&LOGITS, &0) - CrossEntropy.loss(&LOGITS, &[0.25; 4])).abs() < 1e-6);
    }

    #[test]
    fn a_closed_output_stays_zero_and_the_loss_has_the_same_bits() {
        let loss = CrossEntropy.weights([1.0, 0.5, 2.0, 0.25]).label_smoothing(0.2);
        for want in [InputGradient::Full, InputGradient::WhereActive] {
            let (mut class, mut soft) = (LOGITS, LOGITS);
            let target = [0.1, 0.2, 0.3, 0.4];
            let bits = |a: f32, b: f32| assert_eq!(a.to_bits(), b.to_bits());
            bits(loss.gradient(&mut class, &3, want), loss.loss(&LOGITS, &3));
            bits(loss.gradient(&mut soft, &target, want), loss.loss(&LOGITS, &target));
            assert_eq!([class[2] == 0.0, soft[2] == 0.0], [want == InputGradient::WhereActive; 2]);
        }
    }

    #[test]
    fn huge_logits_do_not_overflow_where_the_loss_does_not() {
        let mut y = [3e38, -3e38, 0.0, 0.0];
        let loss = CrossEntropy.label_smoothing(0.25).gradient(&mut y, &0, InputGradient::Full);
        assert!((loss / 7.5e37 - 1.0).abs() < 1e-6, "{loss}");
        assert_eq!(y, [0.1875, -0.0625, -0.0625, -0.0625]);
    }
}

//! A class that is not learned from.

use crate::kernel::elementwise;
use crate::layer::InputGradient;
use crate::loss::{Loss, TargetError};
use crate::tensor::Tensor;

/// A loss for class indices that passes over the samples of one class, for instance those that nobody has labelled;
/// made by `ignore`, as in `CrossEntropy.ignore(255)`.
///
/// An ignored sample has loss 0 and no gradient. [`Learner::observe`](crate::Learner::observe) accepts it and leaves
/// everything as it was: it does not count in the mean of the mini-batch, as in PyTorch's mean with `ignore_index`. The
/// class may be one that the network does not have.
///
/// ```
/// use backpass::{CrossEntropy, Dense, Learner, Memory, Sgd, UpdateError};
/// let mut memory = Memory::<Dense<2>, [f32; 1], Sgd>::new();
/// let mut learner = Learner::new(&mut memory, Dense::new(), CrossEntropy.ignore(255), Sgd::new(0.5));
/// assert_eq!(learner.observe(&[1.0], &255), Ok(0.0));
/// assert_eq!(learner.update(), Err(UpdateError::NothingObserved));
/// assert!(learner.observe(&[1.0], &1).is_ok_and(|loss| loss > 0.6));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct IgnoreClass<L> {
    /// The loss of the other samples.
    pub loss: L,
    /// The class whose samples are ignored.
    pub class: usize,
}

impl<Y: Tensor, L: Loss<Y, usize>> Loss<Y, usize> for IgnoreClass<L> {
    fn check(&self, class: &usize) -> Result<(), TargetError> {
        if self.is_ignored(class) { Ok(()) } else { self.loss.check(class) }
    }

    fn is_ignored(&self, class: &usize) -> bool {
        *class == self.class
    }

    fn loss(&self, output: &Y, class: &usize) -> f32 {
        if *class == self.class { 0.0 } else { self.loss.loss(output, class) }
    }

    fn gradient(&self, output: &mut Y, class: &usize, want: InputGradient) -> f32 {
        if *class != self.class {
            return self.loss.gradient(output, class, want);
        }
        output.flat_mut().iter_mut().for_each(|y| elementwise::replace(y, 0.0, want));
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CrossEntropy;

    #[test]
    fn an_ignored_class_has_no_gradient_and_may_lie_outside() {
        let loss = CrossEntropy.ignore(255);
        for want in [InputGradient::Full, InputGradient::WhereActive] {
            let mut y = [0.0, 2.0];
            assert_eq!(loss.gradient(&mut y, &255, want), 0.0);
            assert_eq!(y, [0.0; 2]);
            // An open gate can still be told from a closed one.
            assert_eq!(y[1].is_sign_negative(), want == InputGradient::WhereActive);
        }
        assert_eq!(loss.loss(&[0.0, 2.0], &255), 0.0);
        assert_eq!(Loss::<[f32; 2], _>::check(&loss, &255), Ok(()));
        let outside = TargetError::ClassOutOfRange { class: 2, classes: 2 };
        assert_eq!(Loss::<[f32; 2], _>::check(&loss, &2), Err(outside));
    }

    #[test]
    fn every_other_class_is_as_without() {
        let loss = CrossEntropy.ignore(1);
        let (mut ours, mut plain) = ([0.5, 2.0, 0.0], [0.5, 2.0, 0.0]);
        let values = (
            loss.gradient(&mut ours, &2, InputGradient::Full),
            CrossEntropy.gradient(&mut plain, &2, InputGradient::Full),
        );
        assert_eq!((ours, values.0), (plain, values.1));
        assert_eq!(loss.loss(&[0.5, 2.0, 0.0], &2), values.0);
    }
}

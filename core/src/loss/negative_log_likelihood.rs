//! The negative log-likelihood on log-probabilities.

use crate::kernel::elementwise;
use crate::layer::InputGradient;
use crate::loss::{ClassWeights, IgnoreClass, Loss, TargetError, Unweighted, check_class};

/// The negative log-likelihood of a class on log-probabilities `y`, for a classifier whose last layer is
/// [`LogSoftmax`](crate::LogSoftmax), so that it predicts log-probabilities too.
///
/// With a class index `t` (`usize`) and class weights `w` (all 1 where none are given): `L = -w[t] y[t]`, `dL/dy[j] = -w[t] [j = t]`. That
/// `y` are logarithms of probabilities is not looked at. Where logits will do, [`CrossEntropy`](crate::CrossEntropy) on them is the same
/// loss, and cheaper: it needs no layer and no activation more.
///
/// Definition: PyTorch's `NLLLoss` **with `reduction="sum"`**; what the mean of a mini-batch is, and why, is said at
/// [`ConfiguredCrossEntropy`](crate::ConfiguredCrossEntropy).
///
/// ```
/// use backpass::{Loss, NegativeLogLikelihood};
/// let y = [0.25_f32.ln(), 0.75_f32.ln()];
/// assert_eq!(NegativeLogLikelihood::new().loss(&y, &1), -y[1]);
/// let weighted = NegativeLogLikelihood::new().weights([4.0, 1.0]).ignore(255);
/// assert_eq!((weighted.loss(&y, &0), weighted.loss(&y, &255)), (-4.0 * y[0], 0.0));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NegativeLogLikelihood<W = Unweighted> {
    /// One weight a class, `[f32; CLASSES]`, at least 0; or [`Unweighted`].
    pub weights: W,
}

impl NegativeLogLikelihood {
    /// The loss without weights.
    pub const fn new() -> Self {
        Self { weights: Unweighted }
    }

    /// With a weight for each class.
    #[must_use]
    pub const fn weights<const C: usize>(self, weights: [f32; C]) -> NegativeLogLikelihood<[f32; C]> {
        NegativeLogLikelihood { weights }
    }
}

impl<W: Copy> NegativeLogLikelihood<W> {
    /// The loss that passes over samples of this class.
    pub const fn ignore(self, class: usize) -> IgnoreClass<Self> {
        IgnoreClass { loss: self, class }
    }

    /// The weight of a class.
    fn weight<const C: usize>(&self, class: usize) -> f32
    where
        W: ClassWeights<C>,
    {
        self.weights.as_slice().map_or(1.0, |weights| weights.get(class).copied().unwrap_or(f32::NAN))
    }
}

impl<W: ClassWeights<C> + Copy, const C: usize> Loss<[f32; C], usize> for NegativeLogLikelihood<W> {
    fn check(&self, class: &usize) -> Result<(), TargetError> {
        check_class(*class, C)
    }

    fn loss(&self, output: &[f32; C], &class: &usize) -> f32 {
        // `check` has refused a class without a log-probability.
        output.get(class).map_or(f32::NAN, |y| -(self.weight::<C>(class) * y))
    }

    fn gradient(&self, output: &mut [f32; C], class: &usize, want: InputGradient) -> f32 {
        let loss = self.loss(output, class);
        for (j, y) in output.iter_mut().enumerate() {
            elementwise::replace(y, if j == *class { -self.weight::<C>(j) } else { 0.0 }, want);
        }
        loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CrossEntropy, Layer, LogSoftmax, Pass};

    #[test]
    fn behind_log_softmax_it_is_cross_entropy_on_logits() {
        let (logits, weights) = ([0.5, -1.0, 2.0, 0.25], [1.0, 3.0, 0.5, 2.0]);
        for class in 0..4 {
            let (mut x, mut y) = (logits, [0.0; 4]);
            LogSoftmax.forward(&(), &mut x, &mut y, Pass::training(0));
            let likelihood = NegativeLogLikelihood::new().weights(weights);
            let loss = likelihood.gradient(&mut y, &class, InputGradient::Full);
            LogSoftmax.backward(&(), &mut x, &mut y, None, InputGradient::Full);
            let mut z = logits;
            let expected = CrossEntropy.weights(weights).gradient(&mut z, &class, InputGradient::Full);
            assert!((loss - expected).abs() <= 1e-6 * expected, "{loss}, {expected}");
            assert!(x.iter().zip(&z).all(|(a, b)| (a - b).abs() <= 1e-6), "{x:?}, {z:?}");
        }
    }

    #[test]
    fn only_the_class_has_a_gradient_and_an_ignored_one_none() {
        let mut y = [-0.5, -2.0, -3.0];
        assert_eq!(NegativeLogLikelihood::new().gradient(&mut y, &1, InputGradient::Full), 2.0);
        assert_eq!(y, [0.0, -1.0, 0.0]);
        let mut y = [-0.5, -2.0, -3.0];
        assert_eq!(NegativeLogLikelihood::new().ignore(1).gradient(&mut y, &1, InputGradient::Full), 0.0);
        assert_eq!(y, [0.0; 3]);
    }

    #[test]
    fn refuses_a_class_that_does_not_exist() {
        let check = |class| Loss::<[f32; 3], usize>::check(&NegativeLogLikelihood::new(), &class);
        assert_eq!((check(2), check(3)), (Ok(()), Err(TargetError::ClassOutOfRange { class: 3, classes: 3 })));
    }
}

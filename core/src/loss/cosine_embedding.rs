//! The cosine embedding loss.

use crate::kernel;
use crate::layer::InputGradient;
use crate::loss::{Loss, TargetError, check_finite, check_signs};

/// Cosine embedding loss of an output vector `y`; the target is another vector `t` and a label, `([f32; N], f32)`: 1
/// for vectors that belong together, -1 for those that do not.
///
/// `L = 1 - cos` for the label 1, `L = max(0, cos - margin)` for -1, with `cos = Σ y t / √((Σ y² + ε) (Σ t² + ε))` and
/// ε = 1e-12. The gradient goes to the output alone: `dcos/dy = t / √((Σ y² + ε) (Σ t² + ε)) - cos y / (Σ y² + ε)`.
/// Definition: PyTorch's `CosineEmbeddingLoss` with `t` as its second input. There too the cosine with a vector of
/// zeros is 0, and the gradient at an output of zeros, which has no direction, is about `1e6 t / |t|`. Elements up to
/// the largest f32 do not overflow.
///
/// ```
/// use backpass::{CosineEmbedding, Loss};
/// let loss = CosineEmbedding { margin: 0.25 };
/// assert!((loss.loss(&[3.0, 4.0], &([4.0, 3.0], 1.0)) - (1.0 - 0.96)).abs() < 1e-6);
/// assert!((loss.loss(&[3.0, 4.0], &([4.0, 3.0], -1.0)) - (0.96 - 0.25)).abs() < 1e-6);
/// assert_eq!(loss.loss(&[0.0, 0.0], &([4.0, 3.0], 1.0)), 1.0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CosineEmbedding {
    /// The cosine, from -1 to 1, below which vectors that do not belong together are far enough apart. The default is
    /// 0.
    pub margin: f32,
}

impl<const N: usize> Loss<[f32; N], ([f32; N], f32)> for CosineEmbedding {
    /// As for every loss; [`NotASign`](TargetError::NotASign) has the index N, that of the label behind the vector.
    fn check(&self, (target, label): &([f32; N], f32)) -> Result<(), TargetError> {
        check_finite(target)?;
        check_signs(&[*label]).map_err(|error| error.at(N))
    }

    fn loss(&self, output: &[f32; N], (target, label): &([f32; N], f32)) -> f32 {
        kernel::loss::cosine_embedding(output, target, *label, self.margin)
    }

    fn gradient(&self, output: &mut [f32; N], (target, label): &([f32; N], f32), want: InputGradient) -> f32 {
        kernel::loss::cosine_embedding_gradient(output, target, *label, self.margin, want)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_apart_by_the_margin_have_no_gradient() {
        let loss = CosineEmbedding { margin: 0.5 };
        let mut y = [1.0, 0.0];
        assert_eq!(loss.gradient(&mut y, &([0.0, 1.0], -1.0), InputGradient::Full), 0.0);
        assert_eq!(y, [0.0; 2]);
        let mut y = [1.0, 1.0];
        assert!(loss.gradient(&mut y, &([0.0, 1.0], -1.0), InputGradient::Full) > 0.2);
        assert!(y[0] < -0.3 && y[1] > 0.3);
    }

    #[test]
    fn refuses_a_vector_that_is_not_finite_and_a_label_that_is_no_sign() {
        let check = |target, label| CosineEmbedding::default().check(&([1.0, target], label));
        assert_eq!(check(2.0, -1.0), Ok(()));
        assert_eq!(check(f32::NAN, 1.0), Err(TargetError::NotFinite { index: 1 }));
        assert_eq!(check(2.0, 0.5), Err(TargetError::NotASign { index: 2 }));
        assert_eq!(check(2.0, f32::NAN), Err(TargetError::NotFinite { index: 2 }));
    }
}

//! Exponential linear units, softplus and softsign.

use crate::inference::inference_in_tape;
use crate::init::Initialization;
use crate::layer::{InputGradient, Layer, Pass};
use crate::layers::curve::{self, Curve, curve};
use crate::math;
use crate::tensor::Tensor;

/// Exponential linear unit, `y = x` if `x > 0`, else `alpha (e^x - 1)`, on a tensor of any shape.
///
/// `dx = dy` if `x > 0`, else `alpha e^x dy`. The usual `alpha` is 1 (the default). The tape is the output; the input stays. Source:
/// Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential linear units" (2016).
///
/// ```
/// use backpass::{Elu, Layer, Pass};
/// let mut tape = [0.0; 2];
/// let y = *Elu::new().forward(&(), &mut [-1.0, 2.0], &mut tape, Pass::training(0));
/// assert_eq!(y, [(-1.0_f32).exp_m1(), 2.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Elu {
    /// Minus the value far below zero.
    pub alpha: f32,
}

impl Elu {
    /// The layer with `alpha` 1.
    pub const fn new() -> Self {
        Self { alpha: 1.0 }
    }
}

impl Default for Elu {
    fn default() -> Self {
        Self::new()
    }
}

impl Curve for Elu {
    fn value(&self, x: f32, _: Pass) -> f32 {
        if x > 0.0 { x } else { self.alpha * math::exp_m1(x) }
    }

    fn slope(&self, x: f32) -> f32 {
        if x > 0.0 { 1.0 } else { self.alpha * math::exp(x) }
    }
}

curve!(Elu, |_: &Self| Initialization::He { slope: 0.0 });

/// Scaled exponential linear unit, `y = λ x` if `x > 0`, else `λ α (e^x - 1)`, on a tensor of any shape.
///
/// `λ = 1.0507009873554805` and `α = 1.6732632423543772` keep mean 0 and variance 1 through the layers. The tape is the
/// output; the input stays. Source: Klambauer et al., "Self-normalizing neural networks" (2017). Other constants, as ONNX
/// allows: `Selu { scale, alpha }`.
///
/// ```
/// use backpass::{Layer, Pass, Selu};
/// let mut tape = [0.0; 2];
/// assert_eq!(*Selu::new().forward(&(), &mut [0.0, 1.0], &mut tape, Pass::training(0)), [0.0, 1.050701]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Selu {
    /// λ.
    pub scale: f32,
    /// α.
    pub alpha: f32,
}

impl Selu {
    /// The layer with the paper's constants.
    pub const fn new() -> Self {
        Self { scale: 1.050_701, alpha: 1.673_263_2 }
    }
}

impl Default for Selu {
    fn default() -> Self {
        Self::new()
    }
}

impl Curve for Selu {
    fn value(&self, x: f32, _: Pass) -> f32 {
        if x > 0.0 { self.scale * x } else { self.scale * self.alpha * math::exp_m1(x) }
    }

    fn slope(&self, x: f32) -> f32 {
        if x > 0.0 { self.scale } else { self.scale * self.alpha * math::exp(x) }
    }
}

// LeCun's variance 1 / fan_in is what the constants assume; Glorot's, 2 / (fan_in + fan_out), is it for layers of one size.
curve!(Selu, |_: &Self| Initialization::Glorot);

/// Softplus, `y = ln(1 + e^(beta x)) / beta`, a smooth ReLU, on a tensor of any shape.
///
/// `dx = dy σ(beta x)`. It is computed as `(max(beta x, 0) + ln(1 + e^-|beta x|)) / beta`, which does not overflow. The usual `beta` is 1
/// (the default). The tape is the output; the input stays. Definition: PyTorch's `Softplus`; Dugas et al. (2001).
///
/// ```
/// use backpass::{Layer, Pass, Softplus};
/// let mut tape = [0.0; 2];
/// let y = *Softplus::new().forward(&(), &mut [0.0, 100.0], &mut tape, Pass::training(0));
/// assert_eq!(y, [2.0_f32.ln(), 100.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Softplus {
    /// How sharp the bend is.
    pub beta: f32,
}

impl Softplus {
    /// The layer with `beta` 1.
    pub const fn new() -> Self {
        Self { beta: 1.0 }
    }
}

impl Default for Softplus {
    fn default() -> Self {
        Self::new()
    }
}

impl Curve for Softplus {
    fn value(&self, x: f32, _: Pass) -> f32 {
        math::softplus(self.beta * x) / self.beta
    }

    fn slope(&self, x: f32) -> f32 {
        math::sigmoid(self.beta * x, Pass::training(0))
    }
}

curve!(Softplus, |_: &Self| Initialization::He { slope: 0.0 });

/// Softsign, `y = x / (1 + |x|)`, on a tensor of any shape.
///
/// `dx = dy / (1 + |x|)²`. The tape is the output; the input stays. Source: Bergstra et al., "Quadratic polynomials learn better
/// image features" (2009).
///
/// ```
/// use backpass::{Layer, Pass, Softsign};
/// let mut tape = [0.0; 2];
/// assert_eq!(*Softsign.forward(&(), &mut [-1.0, 3.0], &mut tape, Pass::training(0)), [-0.5, 0.75]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Softsign;

curve!(Softsign, |_: &Self| Initialization::Glorot);

impl Curve for Softsign {
    fn value(&self, x: f32, _: Pass) -> f32 {
        x / (1.0 + x.abs())
    }

    fn slope(&self, x: f32) -> f32 {
        let d = 1.0 + x.abs();
        1.0 / (d * d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_are_finite_and_nan_passes() {
        for x in [-f32::MAX, -1e4, -100.0, 0.0, 100.0, 1e4, 1e30] {
            let training = Pass::training(0);
            for value in
                [Elu::new().value(x, training), Softplus::new().value(x, training), Softsign.value(x, training)]
            {
                assert!(value.is_finite(), "{x}");
            }
            for slope in [Elu::new().slope(x), Selu::new().slope(x), Softplus::new().slope(x), Softsign.slope(x)] {
                assert!((0.0..=2.0).contains(&slope), "{x}: {slope}");
            }
        }
        assert!(Elu::new().value(f32::NAN, Pass::Predicting).is_nan());
        assert!(Softplus::new().value(f32::NAN, Pass::Predicting).is_nan());
    }
}

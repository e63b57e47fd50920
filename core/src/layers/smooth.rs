//! Activations that let their input through by a smooth gate.

use crate::inference::inference_in_tape;
use crate::init::Initialization;
use crate::layer::{InputGradient, Layer, Pass};
use crate::layers::curve::{self, Curve, curve};
use crate::math;
use crate::tensor::Tensor;

/// SiLU (swish), `y = x σ(x)`, on a tensor of any shape.
///
/// `dx = dy s (1 + x (1 - s))` with `s = σ(x)`. The tape is the output; the input stays. Source: Elfwing, Uchibe and Doya (2018);
/// Ramachandran, Zoph and Le, "Searching for activation functions" (2017).
///
/// ```
/// use backpass::{Layer, Pass, Silu};
/// let mut tape = [0.0; 2];
/// assert_eq!(*Silu.forward(&(), &mut [0.0, 40.0], &mut tape, Pass::training(0)), [0.0, 40.0]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Silu;

curve!(Silu, |_: &Self| Initialization::He { slope: 0.0 });

impl Curve for Silu {
    fn value(&self, x: f32, pass: Pass) -> f32 {
        x * math::sigmoid(x, pass)
    }

    fn slope(&self, x: f32) -> f32 {
        let s = math::sigmoid(x, Pass::training(0));
        s * (1.0 + x * (1.0 - s))
    }
}

/// Gaussian error linear unit, `y = x Φ(x)` with the normal distribution `Φ(x) = erfc(-x / √2) / 2`, on a tensor of any shape.
///
/// `dx = dy (Φ(x) + x φ(x))` with the density `φ(x) = e^(-x²/2) / √(2π)`. The tape is the output; the input stays. [`GeluTanh`] is
/// cheaper. Source: Hendrycks and Gimpel, "Gaussian error linear units" (2016); PyTorch's `GELU`.
///
/// ```
/// use backpass::{Gelu, Layer, Pass};
/// let mut tape = [0.0; 2];
/// assert_eq!(*Gelu.forward(&(), &mut [0.0, 40.0], &mut tape, Pass::training(0)), [0.0, 40.0]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Gelu;

curve!(Gelu, |_: &Self| Initialization::He { slope: 0.0 });

impl Curve for Gelu {
    fn value(&self, x: f32, _: Pass) -> f32 {
        0.5 * x * math::erfc(-x * core::f32::consts::FRAC_1_SQRT_2)
    }

    fn slope(&self, x: f32) -> f32 {
        /// 1 / √(2π).
        const DENSITY: f32 = 0.398_942_3;
        let normal = 0.5 * math::erfc(-x * core::f32::consts::FRAC_1_SQRT_2);
        normal + x * (DENSITY * math::exp(-0.5 * x * x))
    }
}

/// The tanh form of [`Gelu`], `y = x (1 + tanh u) / 2` with `u = √(2/π) (x + 0.044715 x³)`, on a tensor of any shape.
///
/// `dx = dy ((1 + t) / 2 + x (1 - t²) u' / 2)` with `t = tanh u` and `u' = √(2/π) (1 + 0.134145 x²)`. The tape is the output; the
/// input stays. Source: Hendrycks and Gimpel (2016); PyTorch's `GELU(approximate="tanh")`.
///
/// ```
/// use backpass::{GeluTanh, Layer, Pass};
/// let mut tape = [0.0; 2];
/// assert_eq!(*GeluTanh.forward(&(), &mut [0.0, 40.0], &mut tape, Pass::training(0)), [0.0, 40.0]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct GeluTanh;

curve!(GeluTanh, |_: &Self| Initialization::He { slope: 0.0 });

/// √(2/π).
const ROOT: f32 = 0.797_884_6;
const CUBE: f32 = 0.044_715;

impl Curve for GeluTanh {
    fn value(&self, x: f32, pass: Pass) -> f32 {
        0.5 * x * (1.0 + math::tanh(ROOT * (x + CUBE * x * x * x), pass))
    }

    fn slope(&self, x: f32) -> f32 {
        let t = math::tanh(ROOT * (x + CUBE * x * x * x), Pass::training(0));
        let rest = 1.0 - t * t;
        // Where tanh is ±1, x² may be infinite, and the product is zero.
        let bend = if rest == 0.0 { 0.0 } else { 0.5 * x * rest * ROOT * (1.0 + 3.0 * CUBE * x * x) };
        0.5 * (1.0 + t) + bend
    }
}

/// Mish, `y = x tanh(softplus(x))`, on a tensor of any shape.
///
/// `dx = dy (t + x (1 - t²) σ(x))` with `t = tanh(softplus(x))`. The tape is the output; the input stays. Source: Misra, "Mish: a
/// self regularized non-monotonic activation function" (2020).
///
/// ```
/// use backpass::{Layer, Mish, Pass};
/// let mut tape = [0.0; 2];
/// assert_eq!(*Mish.forward(&(), &mut [0.0, 40.0], &mut tape, Pass::training(0)), [0.0, 40.0]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Mish;

curve!(Mish, |_: &Self| Initialization::He { slope: 0.0 });

impl Curve for Mish {
    fn value(&self, x: f32, pass: Pass) -> f32 {
        x * math::tanh(math::softplus(x), pass)
    }

    fn slope(&self, x: f32) -> f32 {
        let t = math::tanh(math::softplus(x), Pass::training(0));
        t + x * (1.0 - t * t) * math::sigmoid(x, Pass::training(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(curve: impl Curve) {
        for x in [-f32::MAX, -1e20, -1e4, -100.0, 0.0, 100.0, 1e4, 1e20, f32::MAX] {
            let (value, slope) = (curve.value(x, Pass::training(0)), curve.slope(x));
            assert!(value.abs() < 1e-30 || value == x, "{x}: {value}");
            assert!((-0.2..=1.2).contains(&slope), "{x}: {slope}");
        }
        assert!(curve.value(f32::NAN, Pass::Predicting).is_nan());
        assert!(curve.slope(f32::NAN).is_nan());
    }

    #[test]
    fn extremes_are_finite_and_nan_passes() {
        check(Silu);
        check(Gelu);
        check(GeluTanh);
        check(Mish);
    }
}

//! Activations of straight lines.

use crate::inference::inference_in_tape;
use crate::init::Initialization;
use crate::layer::{InputGradient, Layer, Pass};
use crate::layers::curve::{self, Curve, curve};
use crate::tensor::Tensor;

/// Hard sigmoid, `y = slope x + offset` held between 0 and 1, on a tensor of any shape.
///
/// `dx = slope dy` where `0 < y < 1`, else 0. Slope 1/6 and offset 1/2 are PyTorch's `Hardsigmoid` (the default); 0.2 and 0.5 are
/// ONNX's. The tape is the output; the input stays. Source: Howard et al., "Searching for MobileNetV3" (2019).
///
/// ```
/// use backpass::{HardSigmoid, Layer, Pass};
/// let mut tape = [0.0; 3];
/// assert_eq!(*HardSigmoid::new().forward(&(), &mut [-4.0, 0.0, 4.0], &mut tape, Pass::training(0)), [0.0, 0.5, 1.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HardSigmoid {
    /// The slope between the ends.
    pub slope: f32,
    /// The value at zero.
    pub offset: f32,
}

impl HardSigmoid {
    /// The layer with slope 1/6 and offset 1/2.
    pub const fn new() -> Self {
        Self { slope: 1.0 / 6.0, offset: 0.5 }
    }
}

impl Default for HardSigmoid {
    fn default() -> Self {
        Self::new()
    }
}

impl Curve for HardSigmoid {
    fn value(&self, x: f32, _: Pass) -> f32 {
        // NaN stays NaN.
        (self.slope * x + self.offset).clamp(0.0, 1.0)
    }

    fn slope(&self, x: f32) -> f32 {
        let line = self.slope * x + self.offset;
        if line <= 0.0 || line >= 1.0 { 0.0 } else { self.slope }
    }
}

curve!(HardSigmoid, |_: &Self| Initialization::Glorot);

/// Hard swish, `y = x h` with the [hard sigmoid](HardSigmoid) `h = (x + 3) / 6` held between 0 and 1, on a tensor of any shape.
///
/// `dx = dy (x / 3 + 1/2)` for `-3 < x < 3`, 0 below, `dy` above. The tape is the output; the input stays. Source: Howard et al.,
/// "Searching for MobileNetV3" (2019); PyTorch's `Hardswish`.
///
/// ```
/// use backpass::{HardSwish, Layer, Pass};
/// let mut tape = [0.0; 3];
/// assert_eq!(*HardSwish.forward(&(), &mut [-4.0, 0.0, 4.0], &mut tape, Pass::training(0)), [0.0, 0.0, 4.0]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HardSwish;

curve!(HardSwish, |_: &Self| Initialization::He { slope: 0.0 });

impl Curve for HardSwish {
    fn value(&self, x: f32, _: Pass) -> f32 {
        if x <= -3.0 {
            0.0
        } else if x >= 3.0 {
            x
        } else {
            x * (x + 3.0) / 6.0
        }
    }

    fn slope(&self, x: f32) -> f32 {
        if x <= -3.0 {
            0.0
        } else if x >= 3.0 {
            1.0
        } else {
            x / 3.0 + 0.5
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_flat_and_nan_passes() {
        for x in [-7.0, -3.0] {
            assert_eq!((HardSigmoid::new().value(x, Pass::Predicting), HardSigmoid::new().slope(x)), (0.0, 0.0));
            assert_eq!((HardSwish.value(x, Pass::Predicting), HardSwish.slope(x)), (0.0, 0.0));
        }
        assert_eq!((HardSigmoid::new().value(9.0, Pass::Predicting), HardSigmoid::new().slope(9.0)), (1.0, 0.0));
        assert!(HardSigmoid::new().value(f32::NAN, Pass::Predicting).is_nan());
        assert!(HardSwish.value(f32::NAN, Pass::Predicting).is_nan());
    }
}

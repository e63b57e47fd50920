//! What a step of an optimizer is to do beyond the rule's own settings.

use core::cell::Cell;

use crate::kernel::elementwise;
use crate::params::Name;

/// One step, as the [`Learner`](crate::Learner) asks for it and as wrappers, such as
/// [`ClipNorm`](crate::ClipNorm), hand it on: the changes that they make to the gradient and to the learning rate.
///
/// A rule sees, for each weight, the gradient `g = clamp(scale · sum, -clip, clip)`, where `sum` is what the samples have
/// added up, and the learning rate `lr · rate · factor of the layer`.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Step<'a> {
    /// One over the number of samples: what the sums of [statistics](Name::statistic) are multiplied by.
    pub mean: f32,
    /// What gradients, a sum over the samples, are multiplied by: `mean`, or less where the norm is clipped.
    pub scale: f32,
    /// The largest magnitude of an element of a gradient, after `scale`; infinite for none.
    pub clip: f32,
    /// A factor on the learning rate.
    pub rate: f32,
    /// Further factors on the learning rate, layer by layer.
    pub layers: Option<&'a LayerFactors<'a>>,
    /// What is known of magnitudes; without it, a step always runs dry first.
    pub bounds: Option<Bounds<'a>>,
}

/// Upper bounds of magnitudes, from which a rule may know that nothing can overflow.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Bounds<'a> {
    /// Of the gradients, a sum over the samples.
    pub gradients: f32,
    /// Of parameters and moments: before the step and, once it is taken, after it.
    pub values: &'a Cell<f32>,
}

/// A factor on the learning rate for each stage of a network, and those of a wrapper further out.
#[derive(Debug, Clone, Copy)]
pub struct LayerFactors<'a> {
    /// One a stage, from the first on.
    pub factors: &'a [f32],
    /// By what they are multiplied.
    pub outer: Option<&'a LayerFactors<'a>>,
}

// Written out: a derived one would have to hold for itself first.
#[cfg(feature = "defmt")]
impl defmt::Format for LayerFactors<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "LayerFactors {{ factors: {}, outer: {} }}", self.factors, self.outer);
    }
}

impl Step<'_> {
    /// A step along the mean gradient of so many samples, at the rule's own learning rate.
    pub const fn new(samples: u32) -> Self {
        let mean = 1.0 / samples as f32;
        Self { mean, scale: mean, clip: f32::INFINITY, rate: 1.0, layers: None, bounds: None }
    }

    /// The factor on the learning rate of a parameter of this name.
    pub fn rate_of(&self, name: &Name<'_>) -> f32 {
        let stage = name.first_stage().unwrap_or(0);
        let (mut rate, mut layers) = (self.rate, self.layers);
        while let Some(LayerFactors { factors, outer }) = layers {
            rate *= factors.get(stage).copied().unwrap_or(1.0);
            layers = *outer;
        }
        rate
    }

    /// An upper bound of the magnitudes of all factors on the learning rate.
    pub(crate) fn largest_rate(&self) -> f32 {
        let (mut rate, mut layers) = (self.rate.abs(), self.layers);
        while let Some(LayerFactors { factors, outer }) = layers {
            // A stage without a factor of its own has 1.
            rate *= elementwise::largest(1.0, factors);
            layers = *outer;
        }
        rate
    }

    /// The gradient that a rule sees where the samples have added up `sum`.
    pub const fn gradient(&self, sum: f32) -> f32 {
        let gradient = self.scale * sum;
        // NaN stays NaN, so that the step is refused.
        if gradient > self.clip {
            self.clip
        } else if gradient < -self.clip {
            -self.clip
        } else {
            gradient
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_of_layers_multiply() {
        let outer = LayerFactors { factors: &[2.0, 3.0], outer: None };
        let inner = LayerFactors { factors: &[5.0, 0.0, 7.0], outer: Some(&outer) };
        let step = Step { rate: 0.5, layers: Some(&inner), ..Step::new(1) };
        let stage = |index| Name::stage(None, index);
        assert_eq!(step.rate_of(&Name::leaf(Some(&stage(0)), "weight")), 5.0);
        assert_eq!(step.rate_of(&Name::leaf(Some(&stage(1)), "weight")), 0.0);
        // A network of a single layer has no stages; its factor is the first.
        assert_eq!(step.rate_of(&Name::leaf(None, "bias")), 5.0);
        let first = stage(0);
        let nested = Name::stage(Some(&first), 2);
        assert_eq!(step.rate_of(&Name::leaf(Some(&nested), "bias")), 5.0);
    }

    #[test]
    fn the_gradient_is_the_mean_within_the_bound() {
        let step = Step { clip: 1.5, ..Step::new(4) };
        assert_eq!([2.0, 8.0, -100.0].map(|sum| step.gradient(sum)), [0.5, 1.5, -1.5]);
        assert!(step.gradient(f32::NAN).is_nan());
        assert_eq!(Step::new(1).gradient(f32::MAX), f32::MAX);
    }
}

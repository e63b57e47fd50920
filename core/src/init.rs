//! Initialisation of weights: He and Glorot, uniform, seeded.

use crate::math;
use crate::rng::Rng;

/// How the weights of a linear layer are drawn.
///
/// A network chooses by itself: each stage says what suits the linear layer before it
/// ([`Layer::initialization`](crate::Layer::initialization)), so a dense layer followed by ReLU gets He, and one followed
/// by tanh, sigmoid or the loss gets Glorot. Biases start at zero. To choose otherwise, fill the weight yourself after
/// [`Learner::initialize`](crate::Learner::initialize):
///
/// ```
/// use backpass::{CrossEntropy, Dense, Initialization, Learner, Memory, Relu, Rng, Sgd};
/// type Net = (Dense<32>, Relu, Dense<10>);
/// let mut memory = Memory::<Net, [f32; 64], Sgd>::new();
/// let mut learner = Learner::new(&mut memory, (Dense::new(), Relu, Dense::new()), CrossEntropy, Sgd::new(0.1));
/// learner.initialize(1);
/// let weight = learner.params_mut().2.weight.as_flattened_mut();
/// Initialization::Glorot.fill(weight, 32, 10, &mut Rng::new(2));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Initialization {
    /// Uniform in ±sqrt(6 / ((1 + slope²) fan_in)), for a layer followed by ReLU (`slope` 0) or leaky ReLU.
    /// Source: He et al., "Delving deep into rectifiers" (2015), equation 15.
    He {
        /// The slope of the activation for negative input.
        slope: f32,
    },
    /// Uniform in ±sqrt(6 / (fan_in + fan_out)), for a layer followed by tanh, sigmoid or nothing.
    /// Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward networks" (2010), equation 16.
    Glorot,
}

impl Initialization {
    /// The bound of the uniform distribution, for a layer with so many inputs and outputs for each value.
    pub fn bound(self, fan_in: usize, fan_out: usize) -> f32 {
        math::sqrt(self.bound_squared(fan_in, fan_out))
    }

    /// For a layer of a network the compiler knows it.
    fn bound_squared(self, fan_in: usize, fan_out: usize) -> f32 {
        match self {
            Self::He { slope } => 6.0 / ((1.0 + slope * slope) * fan_in as f32),
            Self::Glorot => 6.0 / (fan_in + fan_out) as f32,
        }
    }

    /// Draws every weight of a layer from `rng`, in storage order.
    pub fn fill(self, weights: &mut [f32], fan_in: usize, fan_out: usize, rng: &mut Rng) {
        self.fill_linear(weights, &mut [], fan_in, fan_out, rng);
    }

    /// [`fill`](Self::fill), and a bias of zeros.
    pub(crate) fn fill_linear(
        self,
        weights: &mut [f32],
        bias: &mut [f32],
        fan_in: usize,
        fan_out: usize,
        rng: &mut Rng,
    ) {
        draw(weights, bias, self.bound_squared(fan_in, fan_out), rng);
    }
}

/// Draws every weight, in one loop for layers of all shapes.
#[inline(never)]
fn draw(weights: &mut [f32], bias: &mut [f32], bound_squared: f32, rng: &mut Rng) {
    let bound = math::sqrt(bound_squared);
    for weight in weights {
        *weight = rng.symmetric(bound);
    }
    bias.fill(0.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_have_the_variance_of_the_paper() {
        let mut rng = Rng::new(5);
        // (scheme, fan in, fan out, variance): He 2 / fan_in, Glorot 2 / (fan_in + fan_out).
        let cases = [
            (Initialization::He { slope: 0.0 }, 50, 20, 2.0 / 50.0),
            (Initialization::He { slope: 0.5 }, 50, 20, 2.0 / (1.25 * 50.0)),
            (Initialization::Glorot, 50, 20, 2.0 / 70.0),
        ];
        for (scheme, fan_in, fan_out, variance) in cases {
            let mut weights = [0.0; 20_000];
            scheme.fill(&mut weights, fan_in, fan_out, &mut rng);
            let mean = weights.iter().map(|w| f64::from(*w)).sum::<f64>() / 20_000.0;
            let measured = weights.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>() / 20_000.0;
            assert!(mean.abs() < 0.01, "{scheme:?}: mean {mean}");
            // The relative standard deviation of the measured variance is sqrt(0.8 / 20,000) = 0.6 %.
            assert!((measured / variance - 1.0).abs() < 0.03, "{scheme:?}: variance {measured}, not {variance}");
            assert!(weights.iter().all(|w| w.abs() <= scheme.bound(fan_in, fan_out)));
        }
    }
}

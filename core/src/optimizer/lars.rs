//! LARS.

use crate::optimizer::decay::Decay;
use crate::optimizer::{Optimizer, Step, descend};
use crate::params::Params;

/// Layer-wise adaptive rate scaling, LARS: momentum whose learning rate is scaled for each weight array by its trust ratio
/// `r = η ‖w‖ / (‖g‖ + l2 ‖w‖)`: `m ← μ m + lr r (g + l2 w)`, `w ← w - m`. Keeps one moment a parameter.
///
/// A layer, in the paper's sense, is one array of parameters, such as `0.weight`; norms are Euclidean, over all of it. Where
/// `‖w‖` or the divisor is zero, or the quotient not finite, `r` is 1. **Biases**, arrays whose name begins with `bias`, are
/// stepped with `r = 1` and without the L2 penalty (they start at zero, where a ratio would keep them); all other arrays,
/// normalisation scales too, have a ratio. Decoupled weight decay `λ` first takes `w ← (1 - lr λ) w`.
///
/// Source: You, Gitman and Ginsburg, "Large batch training of convolutional networks" (2017), algorithm 1, with its
/// μ 0.9 and η 0.001. Each pass of a step reads parameters and gradients once more, for the norms.
///
/// ```
/// use backpass::Lars;
/// let lars = Lars::new(1.0).l2(5e-4);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Lars {
    /// The global learning rate, lr.
    pub learning_rate: f32,
    /// The momentum, μ.
    pub momentum: f32,
    /// The trust coefficient, η.
    pub trust: f32,
    /// The decoupled weight decay, λ.
    pub weight_decay: f32,
    /// The L2 penalty: the paper's weight decay β.
    pub l2: f32,
}

impl Lars {
    /// The rule with momentum 0.9 and trust coefficient 0.001, without weight decay.
    pub const fn new(learning_rate: f32) -> Self {
        Self { learning_rate, momentum: 0.9, trust: 1e-3, weight_decay: 0.0, l2: 0.0 }
    }

    /// With decoupled weight decay.
    #[must_use]
    pub const fn weight_decay(self, weight_decay: f32) -> Self {
        Self { weight_decay, ..self }
    }

    /// With an L2 penalty: its gradient, `l2 w`, is added to each gradient.
    #[must_use]
    pub const fn l2(self, l2: f32) -> Self {
        Self { l2, ..self }
    }

    /// The ratio r, for these norms of weights and gradient.
    fn ratio(&self, weights: f32, gradient: f32) -> f32 {
        let ratio = self.trust * weights / (gradient + self.l2 * weights);
        // 0 / 0 is NaN.
        if weights == 0.0 || !ratio.is_finite() { 1.0 } else { ratio }
    }
}

impl Optimizer for Lars {
    const NAME: &'static str = "Lars";

    type Moments<P: Params> = [P; 1];
    type State = ();

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut [P; 1],
        (): &mut (),
        step: Step<'_>,
    ) -> bool {
        let momentum = self.momentum;
        descend(params, gradients, moments, step, |slice| {
            let rate = self.learning_rate * slice.rate();
            let is_bias = slice.name().last().starts_with("bias");
            let (ratio, l2) =
                if is_bias { (1.0, 0.0) } else { (self.ratio(slice.norm(), slice.gradient_norm()), self.l2) };
            let decay = Decay::new(rate, self.weight_decay, l2);
            let rate = rate * ratio;
            move |p, g, [m]| {
                let m = momentum * m + rate * decay.gradient(p, g);
                (decay.weight(p) - m, [m])
            }
        })
    }
}

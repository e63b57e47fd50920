//! Dropout.

use crate::descend::descend_without_params;
use crate::gradients::Gradients;
use crate::inference::inference_in_place;
use crate::init::Initialization;
use crate::layer::{InputGradient, Layer, Pass};
use crate::rng::Rng;
use crate::tensor::Tensor;

/// Inverted dropout on a tensor of any shape, in place: in training each element is zero with probability `rate`, else
/// `x / (1 - rate)`; in prediction `y = x`.
///
/// `dx = dy / (1 - rate)` where the element was kept, else 0. The mask is not stored: it is drawn again in the backward pass.
/// Element `i`, in storage order, is dropped if number `i` of [`Rng::unit`] is below `rate`, from the seed
/// `seed * 2^32 + stream`; the stream belongs to the sample and the layer's place in the network
/// ([`Pass::Training`]), so two dropout layers differ without a `seed` of their own. The tape is the stream, 4 bytes. Source:
/// Srivastava et al., "Dropout" (2014); PyTorch's `Dropout`.
///
/// ```
/// use backpass::{Dropout, Layer, Pass};
/// let dropout = Dropout::new(0.5);
/// let y = *dropout.forward(&(), &mut [1.0; 8], &mut 0, Pass::training(7));
/// assert!(y.iter().all(|y| *y == 0.0 || *y == 2.0));
/// assert_eq!(*dropout.forward(&(), &mut [1.0; 8], &mut 0, Pass::Predicting), [1.0; 8]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Dropout {
    /// The probability that an element is dropped, from 0 to 1.
    pub rate: f32,
    /// Draws other masks.
    pub seed: u32,
}

impl Dropout {
    /// The layer with this rate.
    pub const fn new(rate: f32) -> Self {
        Self { rate, seed: 0 }
    }

    /// What a kept element is multiplied by; never used where all are dropped.
    fn scale(&self) -> f32 {
        1.0 / (1.0 - self.rate)
    }

    /// Multiplies each kept element and clears the others.
    fn apply(&self, values: &mut [f32], stream: u32) {
        let mut rng = Rng::new(u64::from(self.seed) << 32 | u64::from(stream));
        let scale = self.scale();
        for value in values {
            *value = if rng.unit() < self.rate { 0.0 } else { *value * scale };
        }
    }
}

impl Default for Dropout {
    /// A rate of 0.5.
    fn default() -> Self {
        Self::new(0.5)
    }
}

impl<X: Tensor> Layer<X> for Dropout {
    type Output = X;
    type Params = ();
    type Tape = u32;
    const NAME: &'static str = "Dropout";

    fn forward<'t>(&self, (): &(), x: &'t mut X, tape: &'t mut u32, pass: Pass) -> &'t mut X {
        if let Pass::Training { stream } = pass {
            *tape = stream;
            self.apply(x.flat_mut(), stream);
        }
        x
    }

    fn output<'t>(x: &'t mut X, _: &'t mut u32) -> &'t mut X {
        x
    }

    fn backward(&self, (): &(), x: &mut X, tape: &mut u32, _: Option<Gradients<'_, ()>>, want: InputGradient) {
        if want != InputGradient::Unused {
            self.apply(x.flat_mut(), *tape);
        }
    }

    // A dropped element's zero may pass for a closed gate: its gradient is zero too.
    fn output_gradient(&self, input: InputGradient) -> InputGradient {
        input.mapped(|bound| bound * self.scale())
    }

    fn initialization(&self, after: Initialization) -> Initialization {
        after
    }
}

inference_in_place!([X: Tensor] X => Dropout);
descend_without_params!([X: Tensor] X => Dropout);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dense, Relu};

    #[test]
    fn backward_draws_the_same_mask() {
        let dropout = Dropout { rate: 0.3, seed: 9 };
        let (mut x, mut tape) = ([1.0; 1000], 0);
        let y = *dropout.forward(&(), &mut x, &mut tape, Pass::training(5));
        let dropped = y.iter().filter(|y| **y == 0.0).count();
        assert!((250..350).contains(&dropped), "{dropped}");
        x = [1.0; 1000];
        dropout.backward(&(), &mut x, &mut tape, None, InputGradient::Full);
        assert_eq!(x, y);
        let other = *dropout.forward(&(), &mut [1.0; 1000], &mut tape, Pass::training(6));
        assert_ne!(other, y);
    }

    #[test]
    fn a_rate_of_zero_keeps_all_and_one_drops_all() {
        let mut tape = 0;
        assert_eq!(*Dropout::new(0.0).forward(&(), &mut [1.5; 9], &mut tape, Pass::training(1)), [1.5; 9]);
        assert_eq!(*Dropout::new(1.0).forward(&(), &mut [1.5; 9], &mut tape, Pass::training(1)), [0.0; 9]);
    }

    #[test]
    fn places_in_a_network_and_samples_have_masks_of_their_own() {
        let net = (Dropout::new(0.5), Dropout::new(0.5));
        let y = |sample| *net.forward(&((), ()), &mut [1.0_f32; 64], &mut (0, 0), Pass::training(sample));
        let both = y(3).iter().filter(|y| **y == 4.0).count();
        assert!((6..28).contains(&both), "{both} of 64 survive both");
        assert_ne!(y(3), y(4));
    }

    #[test]
    fn the_layer_behind_may_leave_closed_gates() {
        let net = (Relu, Dropout::new(0.5), Dense::<1>::new());
        let mut params: <(Relu, Dropout, Dense<1>) as Layer<[f32; 8]>>::Params = crate::Zero::ZERO;
        params.2.weight = [[3.0]; 8];
        let (mut x, mut tape) = ([-1.0, 1.0, -2.0, 2.0, -3.0, 3.0, -4.0, 4.0], crate::Zero::ZERO);
        net.forward(&params, &mut x, &mut tape, Pass::training(1));
        let kept = x.map(|x| x != 0.0);
        tape.2 = [1.0];
        net.backward(&params, &mut x, &mut tape, None, InputGradient::Full);
        assert_eq!(x, kept.map(|kept| if kept { 6.0 } else { 0.0 }));
    }
}

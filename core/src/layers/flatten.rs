//! A tensor of any rank seen as a vector.

use crate::descend::descend_without_params;
use crate::gradients::Gradients;
use crate::inference::inference_in_place;
use crate::init::Initialization;
use crate::layer::{InputGradient, Layer, Pass};
use crate::message::Message;
use crate::tensor::{self, Tensor};

/// The elements of a signal or an image as a vector `[N]`, in storage order. Costs nothing: no copy, no tape.
///
/// `N` is the number of elements; another number does not compile:
///
/// ```compile_fail
/// use backpass::{Flatten, Layer, Pass};
/// let mut image = [[0.0; 8]; 8];
/// Flatten::<63>.forward(&(), &mut image, &mut (), Pass::Predicting);
/// ```
///
/// ```
/// use backpass::{Dense, Flatten, Layer, Relu};
/// type Net = (Flatten<64>, Dense<32>, Relu, Dense<10>);
/// fn output_of<N: Layer<[[f32; 8]; 8], Output = [f32; 10]>>() {}
/// output_of::<Net>();
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Flatten<const N: usize>;

impl<X: Tensor, const N: usize> Layer<X> for Flatten<N> {
    type Output = [f32; N];
    type Params = ();
    type Tape = ();
    const NAME: &'static str = "Flatten";

    fn forward<'t>(&self, (): &(), x: &'t mut X, tape: &'t mut (), _: Pass) -> &'t mut [f32; N] {
        Self::output(x, tape)
    }

    fn output<'t>(x: &'t mut X, (): &'t mut ()) -> &'t mut [f32; N] {
        const {
            let message =
                Message::new("Flatten: the input has ").number(X::LEN).text(" elements, but the output is declared ");
            assert!(X::LEN == N, "{}", message.number(N).as_str());
        }
        tensor::reshape(x)
    }

    fn backward(&self, (): &(), _: &mut X, (): &mut (), _: Option<Gradients<'_, ()>>, _: InputGradient) {}

    fn output_gradient(&self, input: InputGradient) -> InputGradient {
        input
    }

    fn initialization(&self, after: Initialization) -> Initialization {
        after
    }
}

inference_in_place!([X: Tensor, const N: usize] X => Flatten<N>);
descend_without_params!([X: Tensor, const N: usize] X => Flatten<N>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_same_elements_in_storage_order() {
        let mut x = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
        let mut tape = ();
        let y = Flatten::<6>.forward(&(), &mut x, &mut tape, Pass::training(0));
        assert_eq!(*y, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        y[4] = 9.0;
        assert_eq!(x[2][0], 9.0);
    }
}

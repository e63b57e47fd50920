//! A tensor seen as one of another shape.

use core::fmt;
use core::marker::PhantomData;

use crate::descend::descend_without_params;
use crate::gradients::Gradients;
use crate::inference::inference_in_place;
use crate::init::Initialization;
use crate::layer::{InputGradient, Layer, Pass};
use crate::layers::window::typed;
use crate::message::Message;
use crate::tensor::{self, Tensor};

/// The elements of a tensor as a tensor `Y` of another shape, in storage order. Costs nothing: no copy, no tape.
///
/// Another number of elements does not compile. For a vector see [`Flatten`](crate::Flatten).
///
/// ```
/// use backpass::{Image, Layer, Pass, Reshape};
/// let mut x = [1.0, 2.0, 3.0, 4.0];
/// let reshape = Reshape::<Image<2, 1, 2>>::new();
/// assert_eq!(*reshape.forward(&(), &mut x, &mut (), Pass::Predicting), [[[1.0, 2.0]], [[3.0, 4.0]]]);
/// ```
pub struct Reshape<Y>(PhantomData<Y>);

typed!([Y] Reshape<Y>, "Reshape");

impl<X: Tensor, Y: Tensor> Layer<X> for Reshape<Y> {
    type Output = Y;
    type Params = ();
    type Tape = ();
    const NAME: &'static str = "Reshape";

    fn forward<'t>(&self, (): &(), x: &'t mut X, (): &'t mut (), _: Pass) -> &'t mut Y {
        const {
            let message =
                Message::new("Reshape: the input has ").number(X::LEN).text(" elements, but the output is declared ");
            assert!(X::LEN == Y::LEN, "{}", message.number(Y::LEN).as_str());
        }
        tensor::reshape(x)
    }

    fn output<'t>(x: &'t mut X, (): &'t mut ()) -> &'t mut Y {
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

inference_in_place!([X: Tensor, Y: Tensor] X => Reshape<Y>);
descend_without_params!([X: Tensor, Y: Tensor] X => Reshape<Y>);

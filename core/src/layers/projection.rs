//! Layers whose input gradient can be added to another.

use crate::layer::{InputGradient, Layer};

/// A layer that can add dL/dx to a gradient that is already there: what the shortcut of a
/// [`ResidualProjection`](crate::ResidualProjection) does.
///
/// Dense layers and convolutions have it, and chains that begin with one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the projection of a residual connection",
    label = "expected a dense layer, a convolution, or a chain that begins with one"
)]
pub trait Projection<X>: Layer<X> {
    /// Adds dL/dx, for the dL/dy that the layer's output's place holds, to the gradient in `x`: everywhere or, if `want` is
    /// [`WhereActive`](InputGradient::WhereActive), where the gate is not closed (+0.0).
    ///
    /// [`backward`](Layer::backward) has run before, with no input gradient wanted: in a chain every later stage has left
    /// its gradient where the first one finds it.
    fn add_input_gradient(&self, params: &Self::Params, x: &mut X, tape: &mut Self::Tape, want: InputGradient);
}

//! The heart of the crate: what a layer is.

use crate::gradients::Gradients;
use crate::init::Initialization;
use crate::params::Params;
use crate::rng::Rng;
use crate::tensor::Zero;

/// What a forward pass is for: the one context value that is passed down a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Pass {
    /// A backward pass follows.
    Training {
        /// The number of the random stream that belongs to this sample and this place in the network.
        stream: u32,
    },
    /// Only the output is wanted.
    Predicting,
    /// Only the output is wanted, and recurrent layers go on from the state in which the pass before left their tape.
    Continuing,
}

impl Pass {
    /// The training pass of a sample with this number. The same number draws the same dropout masks.
    pub const fn training(sample: u32) -> Self {
        Self::Training { stream: sample }
    }

    /// The pass as stage `index` of a network sees it: with a random stream of its own.
    #[must_use]
    pub const fn stage(self, index: usize) -> Self {
        match self {
            // Multiplied by an odd number, so that different samples stay different.
            Self::Training { stream } => {
                Self::Training { stream: stream.wrapping_mul(0x9e37_79b1).wrapping_add(index as u32 + 1) }
            }
            Self::Predicting | Self::Continuing => self,
        }
    }

    /// Whether a backward pass follows.
    pub const fn is_training(self) -> bool {
        matches!(self, Self::Training { .. })
    }
}

/// How much of the gradient with respect to a layer's input, dL/dx, somebody will read.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
// In this order, the compiler sees that a network with no activation but ReLU never asks for `Full`, and leaves its code out.
pub enum InputGradient {
    /// Nobody reads it: the layer is the first one that learns. It is not computed, and `x` keeps whatever it holds.
    Unused,
    /// dL/dx where `x` is not zero; a zero stays as it is. `x` came out of ReLU: a zero is a closed gate, its gradient is
    /// zero, and it already stands there. Where an open gate's gradient is zero, -0.0 is left ([`open_gate`]), so that
    /// closed gates can still be told when several gradients are to be added up.
    WhereActive,
    /// dL/dx for every element.
    Full,
    /// As [`WhereActive`](Self::WhereActive), and an element of `x` at this bound or above gets +0.0: `x` came out of ReLU6,
    /// saturated.
    WhereBelow(f32),
}

/// The gradient to leave at an open gate: `gradient`, with +0.0 replaced by -0.0. A closed gate is +0.0.
#[must_use]
pub const fn open_gate(gradient: f32) -> f32 {
    if gradient.to_bits() == 0 { -0.0 } else { gradient }
}

impl InputGradient {
    /// `needed`, or [`Unused`](Self::Unused) if this is: what a layer without parameters reads of its output's gradient.
    pub const fn if_used(self, needed: Self) -> Self {
        match self {
            Self::Unused => Self::Unused,
            Self::Full | Self::WhereActive | Self::WhereBelow(_) => needed,
        }
    }

    /// What ReLU reads of its output's gradient, if this is what is wanted of it: gates that were closed before it stay so.
    pub const fn through_gate(self) -> Self {
        match self {
            Self::Unused => Self::Unused,
            Self::Full | Self::WhereActive => Self::WhereActive,
            Self::WhereBelow(bound) => Self::WhereBelow(bound),
        }
    }

    /// The same for a rising function of `x`, which has taken its place: with the function of the bound.
    pub(crate) fn mapped(self, function: impl FnOnce(f32) -> f32) -> Self {
        match self {
            Self::WhereBelow(bound) => Self::WhereBelow(function(bound)),
            _ => self,
        }
    }

    /// Whether a zero of `x` is a closed gate.
    pub const fn is_gated(self) -> bool {
        matches!(self, Self::WhereActive | Self::WhereBelow(_))
    }

    /// What to leave in place of an `x` that is not zero, for the gradient `dx`.
    #[must_use]
    pub fn at(self, x: f32, dx: f32) -> f32 {
        match self {
            Self::Unused | Self::Full => dx,
            Self::WhereActive => open_gate(dx),
            Self::WhereBelow(bound) => {
                if x >= bound {
                    0.0
                } else {
                    open_gate(dx)
                }
            }
        }
    }
}

/// What a type is called, without its parameters: `Dense` of `Dense<O, B>`.
pub(crate) const fn base_name(text: &'static str) -> &'static str {
    let mut end = 0;
    while end < text.len() && !matches!(text.as_bytes()[end], b'<' | b' ') {
        end += 1;
    }
    text.split_at(end).0
}

/// One differentiable stage of a network, taking an input of type `X`.
///
/// A layer is plain configuration, often a zero-sized type. What changes lives outside it, in types that it names, so the
/// caller owns all memory. A pass over a network needs no other buffer: forward leaves each output in the layer's tape, or
/// in the input's own place; backward overwrites each activation by its gradient.
///
/// * Between `forward` and `backward` the place of `x` belongs to this layer: it may leave there what its gradient needs
///   (tanh leaves its output), as long as a zero in `x` can still be told ([`InputGradient::WhereActive`]).
/// * `backward` may not read its own output: on entry that place holds dL/dy.
/// * Nothing here may panic, allocate, or depend on the platform: the order of every sum is part of the contract.
///
/// Tuples of layers are layers, so a network is a flat tuple of up to 16 stages, and tuples nest:
///
/// ```
/// use backpass::{Dense, Layer, Relu};
/// type Body = (Dense<32>, Relu, Dense<16>, Relu);
/// type Net = (Body, Dense<10>);
/// fn output_of<N: Layer<[f32; 64], Output = [f32; 10]>>() {}
/// output_of::<Net>();
/// ```
///
/// Implement it for a layer of your own:
///
/// ```
/// use backpass::{Gradients, InputGradient, Initialization, Layer, Pass, Rng, Tensor};
///
/// /// y = -x, in place: no parameters, no tape.
/// #[derive(Debug, Clone, Copy)]
/// struct Negate;
///
/// impl<X: Tensor> Layer<X> for Negate {
///     type Output = X;
///     type Params = ();
///     type Tape = ();
///     fn forward<'t>(&self, _: &(), x: &'t mut X, _: &'t mut (), _: Pass) -> &'t mut X {
///         x.flat_mut().iter_mut().for_each(|v| *v = -*v);
///         x
///     }
///     fn output<'t>(x: &'t mut X, _: &'t mut ()) -> &'t mut X {
///         x
///     }
///     fn backward(&self, _: &(), x: &mut X, _: &mut (), _: Option<Gradients<'_, ()>>, _: InputGradient) {
///         x.flat_mut().iter_mut().for_each(|v| *v = -*v);
///     }
///     // Zero stays zero, so a gate that ReLU closed before this layer stays visible behind it.
///     fn output_gradient(&self, input: InputGradient) -> InputGradient {
///         input
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not take an input of type `{X}`",
    label = "no such layer for this input",
    note = "a dense layer takes a vector `[f32; N]`: put `Flatten<N>` before it for a signal or an image",
    note = "a recurrent layer takes a signal `[[f32; C]; T]`: put `Reshape<Signal<T, C>>` before it for a vector",
    note = "a network is a tuple of 1 to 16 stages, such as `(Dense<32>, Relu, Dense<10>)`; tuples nest"
)]
pub trait Layer<X> {
    /// The output's type.
    type Output;
    /// Weights. Gradients and optimizer moments have the same type.
    type Params: Params;
    /// What forward leaves for backward: at most the layer's own output and what its gradient needs.
    type Tape: Zero;

    /// What the layer is called, such as `Dense`: a [checkpoint](crate::checkpoint) is loaded only where the names of all layers are
    /// those of the network that saved it.
    const NAME: &'static str = "";
    /// Whether `forward` leaves `x` as it was and the output lies elsewhere. A residual branch must begin so.
    const KEEPS_INPUT: bool = false;
    /// Whether `backward` leaves dL/dy as it was in the output's place, and needs all of it. A residual branch must end so.
    const KEEPS_OUTPUT_GRADIENT: bool = false;
    /// Whether the layer must be the first of a network, because it has no gradient for its input.
    const ONLY_FIRST: bool = false;
    /// Whether a recurrent layer within begins afresh even when the pass is [`Continuing`](Pass::Continuing), because it lies in
    /// a [`FrozenPrefix`](crate::FrozenPrefix). [`Streaming`](crate::Streaming) refuses it.
    const FORGETS_STATE: bool = false;

    /// Computes the output and returns it where it lies: in the tape, or in `x` itself for an in-place layer.
    fn forward<'t>(
        &self,
        params: &Self::Params,
        x: &'t mut X,
        tape: &'t mut Self::Tape,
        pass: Pass,
    ) -> &'t mut Self::Output;

    /// Where `forward` left the output, so that a chain needs no buffer of its own.
    fn output<'t>(x: &'t mut X, tape: &'t mut Self::Tape) -> &'t mut Self::Output;

    /// Calls `visitor` with the [name](Self::NAME) of each layer within, in order.
    fn names(visitor: &mut dyn FnMut(&'static str)) {
        visitor(Self::NAME);
    }

    /// The chain rule. On entry the output's place holds dL/dy. Adds dL/dparams to `grads`, if there are any (a frozen layer
    /// has none; see [`Gradients`]); leaves dL/dx in `x`, as far as `want` asks.
    fn backward(
        &self,
        params: &Self::Params,
        x: &mut X,
        tape: &mut Self::Tape,
        grads: Option<Gradients<'_, Self::Params>>,
        want: InputGradient,
    );

    /// How much of dL/dy `backward` reads when `input` of its dL/dx is wanted.
    ///
    /// The default is right for every layer; a layer that can do with less says so here: ReLU asks for
    /// [`WhereActive`](InputGradient::WhereActive), a layer without parameters for nothing when nothing is wanted of it.
    fn output_gradient(&self, input: InputGradient) -> InputGradient {
        let _ = input;
        InputGradient::Full
    }

    /// How the weights of a linear layer before this stage should be drawn, if `after` is what suits this stage's own
    /// place. The default, for a layer that ReLU-like activations do not pass through, is Glorot.
    fn initialization(&self, after: Initialization) -> Initialization {
        let _ = after;
        Initialization::Glorot
    }

    /// Fills `params` for the start of training, drawing from `rng`. `after` is what the next stage asks for.
    /// A layer without weights has nothing to do.
    fn initialize(&self, params: &mut Self::Params, after: Initialization, rng: &mut Rng) {
        let _ = (params, after, rng);
    }
}

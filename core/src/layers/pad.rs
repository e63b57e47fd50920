//! Padding as a layer.

use core::fmt;
use core::marker::PhantomData;

use crate::inference::inference_in_tape;
use crate::init::Initialization;
use crate::kernel;
use crate::layer::{InputGradient, Layer, Pass};
use crate::message::Message;
use crate::tensor::{Image, Signal, Tensor};

/// A signal or an image with a constant around it: `[T][C]` in, `Y` = `[OT][C]` out, or `[H][W][C]` in, `Y` = `[OH][OW][C]` out.
///
/// The padding before each axis is half of what the shapes leave, rounded down, or what [`before`](Self::before) says; the rest is
/// behind it. Convolutions pad by themselves; this is for pools: with zeros for means, with -∞ for maxima. `dx` is the part of
/// `dy` that lies inside; what [`before`](Self::before) pushes out at the other end is cut off, and its `dx` is 0. The tape is the output. An output smaller than the input does not compile. Definition: PyTorch's
/// `ConstantPad1d` and `ConstantPad2d`.
///
/// ```
/// use backpass::{Layer, MaxPool, Pad, Pass, Signal, Zero};
/// let net = (Pad::<Signal<5, 1>>::new(f32::NEG_INFINITY), MaxPool::<Signal<3, 1>, 3, 1>::new());
/// let (mut x, mut tape) = ([[-1.0], [-2.0], [-3.0]], Zero::ZERO);
/// assert_eq!(*net.forward(&((), ()), &mut x, &mut tape, Pass::Predicting), [[-1.0], [-1.0], [-2.0]]);
/// ```
#[derive(PartialEq)]
pub struct Pad<Y> {
    value: f32,
    before: Option<[u16; 2]>,
    output: PhantomData<Y>,
}

impl<Y> Pad<Y> {
    /// The layer with this value around its input.
    pub const fn new(value: f32) -> Self {
        Self { value, before: None, output: PhantomData }
    }

    /// The layer with this much padding above and to the left (of a signal: before it, and 0).
    #[must_use]
    pub const fn before(self, top: u16, left: u16) -> Self {
        Self { before: Some([top, left]), ..self }
    }

    /// The padding before an axis.
    fn offset(&self, axis: usize, input: usize, output: usize) -> usize {
        let half = output.saturating_sub(input) / 2;
        self.before.and_then(|before| before.get(axis).copied()).map_or(half, usize::from)
    }
}

impl<Y> Default for Pad<Y> {
    /// Zeros.
    fn default() -> Self {
        Self::new(0.0)
    }
}

impl<Y> Clone for Pad<Y> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Y> Copy for Pad<Y> {}

impl<Y> fmt::Debug for Pad<Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pad({})", self.value)
    }
}

#[cfg(feature = "defmt")]
impl<Y> defmt::Format for Pad<Y> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Pad({})", self.value);
    }
}

/// Refuses an output that is smaller.
const fn check(input: &[usize], output: &[usize]) {
    let mut i = 0;
    while i < input.len() && i < output.len() {
        let message =
            Message::new("Pad: the input is ").shape(input).text(", but the output is declared ").shape(output);
        assert!(input[i] <= output[i], "{}", message.text(", which is smaller").as_str());
        i += 1;
    }
}

/// Implements `Layer` and `Inference`; `$rows` and `$columns` are an axis's input and output.
macro_rules! pad {
    ([$($generics:tt)*] $x:ty => $y:ty, $rows:expr, $columns:expr, $check:expr) => {
        impl<$($generics)*> Layer<$x> for Pad<$y> {
            type Output = $y;
            type Params = ();
            type Tape = $y;
            const NAME: &'static str = "Pad";
            const KEEPS_INPUT: bool = true;
            const KEEPS_OUTPUT_GRADIENT: bool = true;

            fn forward<'t>(&self, (): &(), x: &'t mut $x, tape: &'t mut $y, _: Pass) -> &'t mut $y {
                const { $check };
                tape.flat_mut().fill(self.value);
                let before = (self.offset(0, $rows.0, $rows.1), self.offset(1, $columns.0, $columns.1));
                let (x, y) = (x.flat(), tape.flat_mut());
                kernel::pad::inside($rows, $columns, C, before, |from, to| kernel::elementwise::copy_part(x, from, y, to, C));
                tape
            }

            fn output<'t>(_: &'t mut $x, tape: &'t mut $y) -> &'t mut $y {
                tape
            }

            fn backward(&self, (): &(), x: &mut $x, dy: &mut $y, _: Option<crate::gradients::Gradients<'_, ()>>, want: InputGradient) {
                let before = (self.offset(0, $rows.0, $rows.1), self.offset(1, $columns.0, $columns.1));
                let (x, dy) = (x.flat_mut(), dy.flat());
                kernel::pad::inside($rows, $columns, C, before, |to, from| {
                    kernel::elementwise::replace_part(x, to, dy, from, C, want);
                });
                kernel::pad::outside($rows, $columns, C, before, |at| {
                    let cut_off = x.iter_mut().skip(at).take(C);
                    cut_off.for_each(|x| kernel::elementwise::replace(x, 0.0, want));
                });
            }

            fn output_gradient(&self, input: InputGradient) -> InputGradient {
                input.if_used(InputGradient::Full)
            }

            fn initialization(&self, after: Initialization) -> Initialization {
                after
            }
        }

        inference_in_tape!([$($generics)*] $x => Pad<$y>);
        crate::descend::descend_without_params!([$($generics)*] $x => Pad<$y>);
    };
}

pad!([const T: usize, const C: usize, const OT: usize] Signal<T, C> => Signal<OT, C>, (T, OT), (1, 1), check(&[T], &[OT]));
pad!(
    [const H: usize, const W: usize, const C: usize, const OH: usize, const OW: usize]
    Image<H, W, C> => Image<OH, OW, C>, (H, OH), (W, OW), check(&[H, W], &[OH, OW])
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Zero;

    #[test]
    fn the_input_lies_inside_and_gets_its_part_of_the_gradient() {
        let (mut x, mut tape) = ([[[1.0, 2.0]], [[3.0, 4.0]]], Zero::ZERO);
        let pad = Pad::<Image<3, 2, 2>>::new(7.0).before(0, 1);
        let y = *pad.forward(&(), &mut x, &mut tape, Pass::training(0));
        assert_eq!(y, [[[7.0, 7.0], [1.0, 2.0]], [[7.0, 7.0], [3.0, 4.0]], [[7.0; 2]; 2]]);
        tape.flat_mut().iter_mut().enumerate().for_each(|(i, dy)| *dy = i as f32);
        pad.backward(&(), &mut x, &mut tape, None, InputGradient::Full);
        assert_eq!(x, [[[2.0, 3.0]], [[6.0, 7.0]]]);
    }

    #[test]
    fn what_is_pushed_out_has_no_gradient() {
        let (mut x, mut tape) = ([[1.0], [0.0], [3.0]], Zero::ZERO);
        let pad = Pad::<Signal<4, 1>>::new(0.5).before(3, 0);
        assert_eq!(*pad.forward(&(), &mut x, &mut tape, Pass::training(0)), [[0.5], [0.5], [0.5], [1.0]]);
        tape = [[5.0], [6.0], [7.0], [8.0]];
        let mut gated = x;
        pad.backward(&(), &mut gated, &mut tape, None, InputGradient::WhereActive);
        assert_eq!(gated.map(|[dx]| dx.to_bits()), [8.0_f32.to_bits(), 0, (-0.0_f32).to_bits()]);
        pad.backward(&(), &mut x, &mut tape, None, InputGradient::Full);
        assert_eq!(x, [[8.0], [0.0], [0.0]]);
    }
}

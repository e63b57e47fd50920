//! Pooling.

use core::fmt;
use core::marker::PhantomData;

use crate::inference::inference_in_tape;
use crate::init::Initialization;
use crate::kernel;
use crate::kernel::conv::Geometry;
use crate::layer::{InputGradient, Layer, Pass};
use crate::layers::conv;
use crate::layers::window::{self, ONE, Window, typed};
use crate::tensor::{Image, Signal, Tensor};

/// The largest element of each window, channel by channel: `[T][C]` in, `Y` = `[OT][C]` out, or `[H][W][C]` in, `Y` =
/// `[OH][OW][C]` out. The first parameter is the output's type.
///
/// Window `K` (on images `K` by `KW`), stride `STRIDE` (by `STRIDE_W`); left out, the stride is the window, and the second of each
/// is the first. There is no padding: the output has `(in - K) / STRIDE + 1` elements an axis, rounded down, and another
/// output does not compile. [`Pad`](crate::Pad) with -∞ goes before it where padding is wanted.
///
/// `dx` is the sum of `dy` over the windows whose first maximum an element is. The tape is the output; where the maxima were is
/// kept in the input's place, so there is no index array, whatever the stride. Definition: PyTorch's `MaxPool1d` and
/// `MaxPool2d`. NaN is larger than anything.
///
/// ```
/// use backpass::{Image, Layer, MaxPool, Pass, Zero};
/// let pool = MaxPool::<Image<1, 2, 1>, 2>::new();
/// let mut x = [[[1.0], [2.0], [5.0], [0.0], [9.0]], [[3.0], [0.0], [4.0], [6.0], [9.0]], [[9.0]; 5]];
/// assert_eq!(*pool.forward(&(), &mut x, &mut Zero::ZERO, Pass::training(0)), [[[3.0], [6.0]]]);
/// ```
pub struct MaxPool<Y, const K: usize, const STRIDE: usize = K, const KW: usize = K, const STRIDE_W: usize = STRIDE>(
    PhantomData<Y>,
);

/// The mean of each window, channel by channel: `[T][C]` in, `Y` = `[OT][C]` out, or `[H][W][C]` in, `Y` = `[OH][OW][C]` out. The first
/// parameter is the output's type, the others are those of [`MaxPool`].
///
/// Padding follows from the two shapes, as in [`Conv2d`](crate::Conv2d), or is moved by [`padding`](Self::padding). **It is not
/// counted**: a mean is over the elements of its window that lie inside. [`Pad`](crate::Pad) with zeros goes before the layer where
/// zeros are to be counted.
///
/// `dx` is the sum, over the windows that an element is in, of `dy` over the number of the window's elements inside. The tape is the
/// output. Definition: PyTorch's `AvgPool1d` and `AvgPool2d` with `count_include_pad=False`; Keras's and TFLite's.
///
/// ```
/// use backpass::{AveragePool, Layer, Pass, Signal, Zero};
/// let pool = AveragePool::<Signal<3, 1>, 2, 1>::new();
/// let mut x = [[1.0], [3.0], [5.0], [0.0]];
/// assert_eq!(*pool.forward(&(), &mut x, &mut Zero::ZERO, Pass::training(0)), [[2.0], [4.0], [2.5]]);
/// ```
pub struct AveragePool<Y, const K: usize, const STRIDE: usize = K, const KW: usize = K, const STRIDE_W: usize = STRIDE>
{
    before: Option<[u16; 2]>,
    output: PhantomData<Y>,
}

typed!([Y, const K: usize, const STRIDE: usize, const KW: usize, const STRIDE_W: usize] MaxPool<Y, K, STRIDE, KW, STRIDE_W>, "MaxPool");

impl<Y, const K: usize, const STRIDE: usize, const KW: usize, const STRIDE_W: usize>
    AveragePool<Y, K, STRIDE, KW, STRIDE_W>
{
    /// The layer, with the padding that its shapes imply.
    pub const fn new() -> Self {
        Self { before: None, output: PhantomData }
    }

    /// The layer with this much padding above and to the left (of a signal: before it, and 0), instead of what the shapes imply;
    /// what is missing behind follows from the output's shape.
    #[must_use]
    pub const fn padding(self, top: u16, left: u16) -> Self {
        Self { before: Some([top, left]), ..self }
    }
}

impl<Y, const K: usize, const STRIDE: usize, const KW: usize, const STRIDE_W: usize> Default
    for AveragePool<Y, K, STRIDE, KW, STRIDE_W>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<Y, const K: usize, const STRIDE: usize, const KW: usize, const STRIDE_W: usize> Clone
    for AveragePool<Y, K, STRIDE, KW, STRIDE_W>
{
    fn clone(&self) -> Self {
        *self
    }
}

impl<Y, const K: usize, const STRIDE: usize, const KW: usize, const STRIDE_W: usize> Copy
    for AveragePool<Y, K, STRIDE, KW, STRIDE_W>
{
}

impl<Y, const K: usize, const STRIDE: usize, const KW: usize, const STRIDE_W: usize> fmt::Debug
    for AveragePool<Y, K, STRIDE, KW, STRIDE_W>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AveragePool")
    }
}

#[cfg(feature = "defmt")]
impl<Y, const K: usize, const STRIDE: usize, const KW: usize, const STRIDE_W: usize> defmt::Format
    for AveragePool<Y, K, STRIDE, KW, STRIDE_W>
{
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "AveragePool");
    }
}

/// The largest element of each channel over all positions: `[T][C]` or `[H][W][C]` in, `[C]` out.
///
/// `dx` is `dy` at the first maximum of the channel, zero elsewhere. The tape is the output. Definition: PyTorch's
/// `AdaptiveMaxPool2d(1)`.
///
/// ```
/// use backpass::{GlobalMaxPool, Layer, Pass, Zero};
/// let mut x = [[1.0, -2.0], [3.0, -5.0]];
/// assert_eq!(*GlobalMaxPool.forward(&(), &mut x, &mut Zero::ZERO, Pass::training(0)), [3.0, -2.0]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct GlobalMaxPool;

/// The mean of each channel over all positions: `[T][C]` or `[H][W][C]` in, `[C]` out.
///
/// `dx = dy / n` with `n` positions. The tape is the output. Definition: PyTorch's `AdaptiveAvgPool2d(1)`; Lin, Chen and Yan,
/// "Network in network" (2014).
///
/// ```
/// use backpass::{GlobalAveragePool, Layer, Pass, Zero};
/// let mut x = [[1.0, -2.0], [3.0, -5.0]];
/// assert_eq!(*GlobalAveragePool.forward(&(), &mut x, &mut Zero::ZERO, Pass::training(0)), [2.0, -3.5]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct GlobalAveragePool;

/// Implements `Layer` and `Inference` for a pool: the kernel's forward and backward functions on the geometry of a layer.
macro_rules! pool {
    ([$($generics:tt)*] $x:ty => $layer:ty => $y:ty, |$self:ident| $geometry:expr, $check:block, $kind:ident) => {
        impl<$($generics)*> Layer<$x> for $layer {
            type Output = $y;
            type Params = ();
            type Tape = $y;
            const NAME: &'static str = crate::layer::base_name(stringify!($layer));
            const KEEPS_INPUT: bool = kind!($kind, keeps_input);
            const KEEPS_OUTPUT_GRADIENT: bool = true;

            fn forward<'t>(&self, (): &(), x: &'t mut $x, tape: &'t mut $y, pass: Pass) -> &'t mut $y {
                const $check;
                let $self = self;
                kind!($kind, forward, &$geometry, x, tape, pass);
                tape
            }

            fn output<'t>(_: &'t mut $x, tape: &'t mut $y) -> &'t mut $y {
                tape
            }

            fn backward(&self, (): &(), x: &mut $x, dy: &mut $y, _: Option<crate::gradients::Gradients<'_, ()>>, want: InputGradient) {
                kind!($kind, backward, $self = self, &$geometry, x, dy, want);
            }

            fn output_gradient(&self, input: InputGradient) -> InputGradient {
                kind!($kind, output_gradient, input)
            }

            fn initialization(&self, after: Initialization) -> Initialization {
                after
            }
        }

        inference_in_tape!([$($generics)*] $x => $layer);
        crate::descend::descend_without_params!([$($generics)*] $x => $layer);
    };
}

/// What differs between the maximum and the mean.
macro_rules! kind {
    (max, keeps_input) => {
        false
    };
    (average, keeps_input) => {
        true
    };
    (max, forward, $geometry:expr, $x:ident, $y:ident, $pass:ident) => {
        kernel::pool::max($geometry, $x.flat_mut(), $y.flat_mut(), $pass.is_training())
    };
    (average, forward, $geometry:expr, $x:ident, $y:ident, $pass:ident) => {{
        let _ = $pass;
        kernel::pool::average($geometry, $x.flat(), $y.flat_mut())
    }};
    (max, backward, $layer:ident = $this:expr, $geometry:expr, $x:ident, $dy:ident, $want:ident) => {
        kernel::pool::max_backward($x.flat_mut(), $dy.flat(), $want)
    };
    (average, backward, $layer:ident = $this:expr, $geometry:expr, $x:ident, $dy:ident, $want:ident) => {{
        let $layer = $this;
        kernel::pool::average_backward($geometry, $x.flat_mut(), $dy.flat(), $want)
    }};
    // A maximum of zero behind a gate is a closed gate; a mean of zero may be a sum that cancels.
    (max, output_gradient, $input:ident) => {
        $input
    };
    (average, output_gradient, $input:ident) => {
        $input.if_used(InputGradient::Full)
    };
}

impl<Y, const K: usize, const STRIDE: usize, const KW: usize, const STRIDE_W: usize>
    MaxPool<Y, K, STRIDE, KW, STRIDE_W>
{
    const fn geometry(&self, [rows, columns]: [Window; 2], channels: usize) -> Geometry {
        window::geometry(rows, columns, channels)
    }
}

impl<Y, const K: usize, const STRIDE: usize, const KW: usize, const STRIDE_W: usize>
    AveragePool<Y, K, STRIDE, KW, STRIDE_W>
{
    const fn geometry(&self, [rows, columns]: [Window; 2], channels: usize) -> Geometry {
        conv::geometry([rows.padded(), columns.padded()], channels, channels, self.before)
    }
}

/// A pool over signals and over images, with what refuses shapes: on windows that fit, or on padded ones.
macro_rules! windows {
    ($layer:ident, $name:literal, $kind:ident, $check:path) => {
        pool!(
            [const T: usize, const C: usize, const OT: usize, const K: usize, const STRIDE: usize]
            Signal<T, C> => $layer<Signal<OT, C>, K, STRIDE, K, STRIDE> => Signal<OT, C>,
            |layer| layer.geometry([Window { input: T, output: OT, size: K, stride: STRIDE }, ONE], C),
            { $check($name, &[Window { input: T, output: OT, size: K, stride: STRIDE }]) },
            $kind
        );
        pool!(
            [
                const H: usize, const W: usize, const C: usize, const OH: usize, const OW: usize,
                const K: usize, const STRIDE: usize, const KW: usize, const STRIDE_W: usize
            ]
            Image<H, W, C> => $layer<Image<OH, OW, C>, K, STRIDE, KW, STRIDE_W> => Image<OH, OW, C>,
            |layer| layer.geometry(
                [
                    Window { input: H, output: OH, size: K, stride: STRIDE },
                    Window { input: W, output: OW, size: KW, stride: STRIDE_W },
                ],
                C
            ),
            {
                $check(
                    $name,
                    &[
                        Window { input: H, output: OH, size: K, stride: STRIDE },
                        Window { input: W, output: OW, size: KW, stride: STRIDE_W },
                    ],
                );
            },
            $kind
        );
    };
}

windows!(MaxPool, "MaxPool", max, window::check);
windows!(AveragePool, "AveragePool", average, window::check_padded);

/// A pool over all positions of a signal or an image.
macro_rules! global {
    ($layer:ident, $name:literal, $kind:ident) => {
        pool!(
            [const T: usize, const C: usize] Signal<T, C> => $layer => [f32; C],
            |_layer| kernel::pool::global(T, C),
            { assert!(T > 0, concat!($name, ": there is no position to pool over")) },
            $kind
        );
        pool!(
            [const H: usize, const W: usize, const C: usize] Image<H, W, C> => $layer => [f32; C],
            |_layer| kernel::pool::global(H * W, C),
            { assert!(H * W > 0, concat!($name, ": there is no position to pool over")) },
            $kind
        );
    };
}

global!(GlobalMaxPool, "GlobalMaxPool", max);
global!(GlobalAveragePool, "GlobalAveragePool", average);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Zero;

    #[test]
    fn overlapping_windows_add_up_at_a_shared_maximum() {
        let pool = MaxPool::<Signal<3, 1>, 2, 1>::new();
        let (mut x, mut tape) = ([[1.0], [4.0], [2.0], [3.0]], Zero::ZERO);
        assert_eq!(*pool.forward(&(), &mut x, &mut tape, Pass::training(0)), [[4.0], [4.0], [3.0]]);
        tape = [[1.0], [10.0], [100.0]];
        pool.backward(&(), &mut x, &mut tape, None, InputGradient::Full);
        assert_eq!(x, [[0.0], [11.0], [0.0], [100.0]]);
    }

    #[test]
    fn a_closed_gate_stays_closed_and_an_open_one_with_gradient_zero_stays_open() {
        let pool = MaxPool::<Signal<2, 1>, 2>::new();
        let (mut x, mut tape) = ([[0.0], [0.0], [2.0], [1.0]], Zero::ZERO);
        pool.forward(&(), &mut x, &mut tape, Pass::training(0));
        tape = [[5.0], [0.0]];
        pool.backward(&(), &mut x, &mut tape, None, InputGradient::WhereActive);
        assert_eq!(x.flat().iter().map(|x| x.to_bits()).collect::<std::vec::Vec<_>>(), [0, 0, 1 << 31, 0]);
    }

    #[test]
    fn a_mean_pads_as_its_shapes_imply_or_as_told_and_counts_no_padding() {
        let x = [[2.0], [4.0], [6.0], [10.0]];
        let (mut same, mut before, mut both) = ([[0.0]; 4], [[0.0]; 4], [[0.0]; 2]);
        let layer = AveragePool::<Signal<4, 1>, 2, 1>::new();
        layer.forward(&(), &mut { x }, &mut same, Pass::training(0));
        layer.padding(1, 0).forward(&(), &mut { x }, &mut before, Pass::training(0));
        let layer = AveragePool::<Signal<2, 1>, 3, 3>::new().padding(1, 0);
        layer.forward(&(), &mut { x }, &mut both, Pass::training(0));
        assert_eq!(same.flat(), [3.0, 5.0, 8.0, 10.0]);
        assert_eq!(before.flat(), [2.0, 3.0, 5.0, 8.0]);
        assert_eq!(both.flat(), [3.0, 8.0]);
        let (mut dx, mut dy) = (x, [[2.0], [6.0]]);
        layer.backward(&(), &mut dx, &mut dy, None, InputGradient::Full);
        assert_eq!(dx, [[1.0], [1.0], [3.0], [3.0]]);
    }

    #[test]
    fn a_mean_hands_its_gradient_to_every_element() {
        let (mut x, mut tape) = ([[[1.0, 0.0], [3.0, 4.0]]], [0.0; 2]);
        assert_eq!(*GlobalAveragePool.forward(&(), &mut x, &mut tape, Pass::training(0)), [2.0, 2.0]);
        tape = [8.0, 4.0];
        GlobalAveragePool.backward(&(), &mut x, &mut tape, None, InputGradient::WhereActive);
        assert_eq!(x, [[[4.0, 0.0], [4.0, 2.0]]]);
    }
}

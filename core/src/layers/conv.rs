//! Convolutions.

use core::fmt;
use core::marker::PhantomData;

use crate::inference::inference_in_tape;
use crate::init::Initialization;
use crate::kernel;
use crate::kernel::conv::{Axis, Geometry};
use crate::layer::{InputGradient, Layer, Pass};
use crate::layers::dense::{Bias, BiasChoice};
use crate::layers::linear::linear_layer;
use crate::layers::padding::{Declared, check};
use crate::layers::{LinearLayer, Projection};
use crate::params::Linear;
use crate::rng::Rng;
use crate::tensor::{Image, Signal, Tensor};

/// A convolution over a signal, `[T][CI]` in, `Y` = `[OT][CO]` out: the first parameter is the output's type.
///
/// `y[t][j] = b[j] + Σ_k Σ_i x[t STRIDE + k DILATION - before][i] w[k][i][j]`, where `x` is zero outside the signal. Weight
/// `[K][CI][CO]`, bias `[CO]`. The tape is the output. Padding follows from the two shapes, and gradients are, as in [`Conv2d`].
///
/// Definition: PyTorch's `Conv1d` with one group.
///
/// ```
/// use backpass::{Conv1d, Layer, NoBias, Relu, Signal};
/// type Net = (
///     Conv1d<Signal<64, 8>, 5, 2>,           // kernel of 5, stride 2: half as long
///     Relu,
///     Conv1d<Signal<60, 16>, 3, 1, NoBias, 2>, // dilation 2, no padding, no bias
/// );
/// fn output_of<N: Layer<Signal<128, 3>, Output = Signal<60, 16>>>() {}
/// output_of::<Net>();
/// ```
pub struct Conv1d<Y, const K: usize, const STRIDE: usize = 1, B = Bias, const DILATION: usize = 1> {
    before: Option<[u16; 2]>,
    types: PhantomData<(Y, B)>,
}

/// A convolution over an image, `[H][W][CI]` in, `Y` = `[OH][OW][CO]` out: the first parameter is the output's type.
///
/// `y[r][c][j] = b[j] + Σ_kr Σ_kc Σ_i x[r STRIDE + kr DILATION - top][c STRIDE_W + kc DILATION_W - left][i] w[kr][kc][i][j]`, where `x` is zero
/// outside the image: a cross-correlation, as in every framework. Weight `[K][KW][CI][CO]`, bias `[CO]`. The tape is the
/// output.
///
/// Kernel `K` by `KW`, stride `STRIDE` by `STRIDE_W`, dilation `DILATION` by `DILATION_W`; the second of each is the first if it is
/// left out. `Conv2d<Y, K, STRIDE, NoBias>` has no bias. A kernel of 1x1 with stride 1, a pointwise convolution, is a dense layer on
/// each pixel and runs as one.
///
/// **Padding follows from the two shapes**, for each axis by itself. An output of `(in - span) / STRIDE + 1` (rounded down;
/// `span = DILATION (K - 1) + 1`) has none; one of `in / STRIDE` (rounded up) has Keras's and TFLite's "same" padding, half
/// before and half behind, the odd one behind; a larger or smaller one has PyTorch's, the same on both sides, if there is
/// one. Any other output does not compile. [`padding`](Self::padding) moves it.
///
/// Gradients: `dW[kr][kc][i][j] = Σ x[..][i] dy[r][c][j]` and `dx[..][i] = Σ w[kr][kc][i][j] dy[r][c][j]` over all pairs of pixels that a
/// kernel element joins, `db[j] = Σ dy[r][c][j]`. Definition: PyTorch's `Conv2d` with one group; Dumoulin and Visin, "A guide to
/// convolution arithmetic for deep learning" (2016).
///
/// ```
/// use backpass::{Conv2d, Image, Layer, NoBias, Relu};
/// type Net = (
///     Conv2d<Image<16, 16, 8>, 3>,          // 3x3, padded to the same size
///     Relu,
///     Conv2d<Image<7, 7, 12>, 3, 2, NoBias>, // stride 2, no padding, no bias
///     Conv2d<Image<7, 7, 4>, 1>,            // pointwise
///     Conv2d<Image<1, 7, 6>, 7, 1, backpass::Bias, 1>, // 7 rows by 1 column
/// );
/// fn output_of<N: Layer<Image<16, 16, 1>, Output = Image<1, 7, 6>>>() {}
/// output_of::<Net>();
/// ```
pub struct Conv2d<
    Y,
    const K: usize,
    const STRIDE: usize = 1,
    B = Bias,
    const KW: usize = K,
    const STRIDE_W: usize = STRIDE,
    const DILATION: usize = 1,
    const DILATION_W: usize = DILATION,
> {
    before: Option<[u16; 2]>,
    types: PhantomData<(Y, B)>,
}

impl<Y, const K: usize, const STRIDE: usize, B, const DILATION: usize> Conv1d<Y, K, STRIDE, B, DILATION> {
    /// The layer, with the padding that its shapes imply.
    pub const fn new() -> Self {
        Self { before: None, types: PhantomData }
    }

    /// The layer with this much padding before the signal, instead of what the shapes imply; what is missing behind it follows
    /// from the output's length. PyTorch's `padding=1` with stride 2 on an even length is `padding(1)`; a causal convolution is
    /// `padding(dilation * (kernel - 1))`.
    #[must_use]
    pub const fn padding(self, before: u16) -> Self {
        Self { before: Some([before, 0]), ..self }
    }
}

impl<Y, const K: usize, const STRIDE: usize, B, const DILATION: usize> Default for Conv1d<Y, K, STRIDE, B, DILATION> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Y, const K: usize, const STRIDE: usize, B, const DILATION: usize> Clone for Conv1d<Y, K, STRIDE, B, DILATION> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Y, const K: usize, const STRIDE: usize, B, const DILATION: usize> Copy for Conv1d<Y, K, STRIDE, B, DILATION> {}

impl<Y, const K: usize, const STRIDE: usize, B, const DILATION: usize> fmt::Debug
    for Conv1d<Y, K, STRIDE, B, DILATION>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Conv1d<{K}>")
    }
}

#[cfg(feature = "defmt")]
impl<Y, const K: usize, const STRIDE: usize, B, const DILATION: usize> defmt::Format
    for Conv1d<Y, K, STRIDE, B, DILATION>
{
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Conv1d<{}>", K);
    }
}

impl<
    Y,
    const K: usize,
    const STRIDE: usize,
    B,
    const KW: usize,
    const STRIDE_W: usize,
    const DILATION: usize,
    const DILATION_W: usize,
> Conv2d<Y, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>
{
    /// The layer, with the padding that its shapes imply.
    pub const fn new() -> Self {
        Self { before: None, types: PhantomData }
    }

    /// The layer with this much padding above and to the left, instead of what the shapes imply; what is missing below and
    /// to the right follows from the output's shape. PyTorch's `padding=1` with stride 2 on an even size is `(1, 1)`.
    #[must_use]
    pub const fn padding(self, top: u16, left: u16) -> Self {
        Self { before: Some([top, left]), ..self }
    }
}

impl<
    Y,
    const K: usize,
    const STRIDE: usize,
    B,
    const KW: usize,
    const STRIDE_W: usize,
    const DILATION: usize,
    const DILATION_W: usize,
> Default for Conv2d<Y, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<
    Y,
    const K: usize,
    const STRIDE: usize,
    B,
    const KW: usize,
    const STRIDE_W: usize,
    const DILATION: usize,
    const DILATION_W: usize,
> Clone for Conv2d<Y, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>
{
    fn clone(&self) -> Self {
        *self
    }
}

impl<
    Y,
    const K: usize,
    const STRIDE: usize,
    B,
    const KW: usize,
    const STRIDE_W: usize,
    const DILATION: usize,
    const DILATION_W: usize,
> Copy for Conv2d<Y, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>
{
}

impl<
    Y,
    const K: usize,
    const STRIDE: usize,
    B,
    const KW: usize,
    const STRIDE_W: usize,
    const DILATION: usize,
    const DILATION_W: usize,
> fmt::Debug for Conv2d<Y, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Conv2d<{K}x{KW}>")
    }
}

#[cfg(feature = "defmt")]
impl<
    Y,
    const K: usize,
    const STRIDE: usize,
    B,
    const KW: usize,
    const STRIDE_W: usize,
    const DILATION: usize,
    const DILATION_W: usize,
> defmt::Format for Conv2d<Y, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>
{
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Conv2d<{}x{}>", K, KW);
    }
}

/// The axis of a signal that an image has beside its time.
pub(crate) const ONE: Declared = Declared { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1 };

/// The shapes of a convolution, with the padding that they imply or another.
pub(crate) const fn geometry(
    [rows, columns]: [Declared; 2],
    inputs: usize,
    outputs: usize,
    before: Option<[u16; 2]>,
) -> Geometry {
    let (rows, columns) = (rows.axis(), columns.axis());
    match before {
        None => Geometry { rows, columns, inputs, outputs },
        Some([top, left]) => Geometry {
            rows: Axis { before: top as usize, ..rows },
            columns: Axis { before: left as usize, ..columns },
            inputs,
            outputs,
        },
    }
}

impl<
    const T: usize,
    const CI: usize,
    const OT: usize,
    const CO: usize,
    const K: usize,
    const STRIDE: usize,
    B: BiasChoice,
    const DILATION: usize,
> LinearLayer<Signal<T, CI>> for Conv1d<Signal<OT, CO>, K, STRIDE, B, DILATION>
{
    type Weight = [[[f32; CO]; CI]; K];
    type Bias = B::Of<CO>;
    const FAN_IN: usize = K * CI;
    const FAN_OUT: usize = K * CO;

    fn product(&self, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
        const { check("Conv1d", &[Declared { input: T, output: OT, kernel: K, stride: STRIDE, dilation: DILATION }]) };
        kernel::conv::forward(
            &geometry(
                [Declared { input: T, output: OT, kernel: K, stride: STRIDE, dilation: DILATION }, ONE],
                CI,
                CO,
                self.before,
            ),
            x,
            weight,
            bias,
            y,
        );
    }

    fn gradients(
        &self,
        x: &mut [f32],
        weight: &[f32],
        dy: &[f32],
        weight_gradient: &mut [f32],
        bias_gradient: &mut [f32],
        want: InputGradient,
    ) {
        kernel::conv::backward(
            &geometry(
                [Declared { input: T, output: OT, kernel: K, stride: STRIDE, dilation: DILATION }, ONE],
                CI,
                CO,
                self.before,
            ),
            x,
            weight,
            dy,
            weight_gradient,
            bias_gradient,
            want,
        );
    }

    fn input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
        kernel::conv::input_gradient(
            &geometry(
                [Declared { input: T, output: OT, kernel: K, stride: STRIDE, dilation: DILATION }, ONE],
                CI,
                CO,
                self.before,
            ),
            x,
            weight,
            dy,
            want,
        );
    }

    fn add_to_input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
        kernel::conv::add_input_gradient(
            &geometry(
                [Declared { input: T, output: OT, kernel: K, stride: STRIDE, dilation: DILATION }, ONE],
                CI,
                CO,
                self.before,
            ),
            x,
            weight,
            dy,
            want,
        );
    }

    fn bias_gradient(dy: &[f32], bias_gradient: &mut [f32]) {
        kernel::conv::bias_backward(CO, dy, bias_gradient);
    }
}

linear_layer!([const T: usize, const CI: usize, const OT: usize, const CO: usize, const K: usize, const STRIDE: usize, B: BiasChoice, const DILATION: usize] Signal<T, CI> => Conv1d<Signal<OT, CO>, K, STRIDE, B, DILATION> => Signal<OT, CO>);

impl<
    const H: usize,
    const W: usize,
    const CI: usize,
    const OH: usize,
    const OW: usize,
    const CO: usize,
    const K: usize,
    const STRIDE: usize,
    B: BiasChoice,
    const KW: usize,
    const STRIDE_W: usize,
    const DILATION: usize,
    const DILATION_W: usize,
> LinearLayer<Image<H, W, CI>> for Conv2d<Image<OH, OW, CO>, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>
{
    type Weight = [[[[f32; CO]; CI]; KW]; K];
    type Bias = B::Of<CO>;
    const FAN_IN: usize = K * KW * CI;
    const FAN_OUT: usize = K * KW * CO;

    fn product(&self, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
        const {
            check(
                "Conv2d",
                &[
                    Declared { input: H, output: OH, kernel: K, stride: STRIDE, dilation: DILATION },
                    Declared { input: W, output: OW, kernel: KW, stride: STRIDE_W, dilation: DILATION_W },
                ],
            );
        }
        kernel::conv::forward(
            &geometry(
                [
                    Declared { input: H, output: OH, kernel: K, stride: STRIDE, dilation: DILATION },
                    Declared { input: W, output: OW, kernel: KW, stride: STRIDE_W, dilation: DILATION_W },
                ],
                CI,
                CO,
                self.before,
            ),
            x,
            weight,
            bias,
            y,
        );
    }

    fn gradients(
        &self,
        x: &mut [f32],
        weight: &[f32],
        dy: &[f32],
        weight_gradient: &mut [f32],
        bias_gradient: &mut [f32],
        want: InputGradient,
    ) {
        kernel::conv::backward(
            &geometry(
                [
                    Declared { input: H, output: OH, kernel: K, stride: STRIDE, dilation: DILATION },
                    Declared { input: W, output: OW, kernel: KW, stride: STRIDE_W, dilation: DILATION_W },
                ],
                CI,
                CO,
                self.before,
            ),
            x,
            weight,
            dy,
            weight_gradient,
            bias_gradient,
            want,
        );
    }

    fn input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
        kernel::conv::input_gradient(
            &geometry(
                [
                    Declared { input: H, output: OH, kernel: K, stride: STRIDE, dilation: DILATION },
                    Declared { input: W, output: OW, kernel: KW, stride: STRIDE_W, dilation: DILATION_W },
                ],
                CI,
                CO,
                self.before,
            ),
            x,
            weight,
            dy,
            want,
        );
    }

    fn add_to_input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
        kernel::conv::add_input_gradient(
            &geometry(
                [
                    Declared { input: H, output: OH, kernel: K, stride: STRIDE, dilation: DILATION },
                    Declared { input: W, output: OW, kernel: KW, stride: STRIDE_W, dilation: DILATION_W },
                ],
                CI,
                CO,
                self.before,
            ),
            x,
            weight,
            dy,
            want,
        );
    }

    fn bias_gradient(dy: &[f32], bias_gradient: &mut [f32]) {
        kernel::conv::bias_backward(CO, dy, bias_gradient);
    }
}

linear_layer!([const H: usize, const W: usize, const CI: usize, const OH: usize, const OW: usize, const CO: usize, const K: usize, const STRIDE: usize, B: BiasChoice, const KW: usize, const STRIDE_W: usize, const DILATION: usize, const DILATION_W: usize] Image<H, W, CI> => Conv2d<Image<OH, OW, CO>, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W> => Image<OH, OW, CO>);

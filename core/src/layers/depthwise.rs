//! Depthwise convolutions.

use core::fmt;
use core::marker::PhantomData;

use crate::inference::inference_in_tape;
use crate::init::Initialization;
use crate::kernel;
use crate::layer::{InputGradient, Layer, Pass};
use crate::layers::conv::{ONE, geometry};
use crate::layers::dense::{Bias, BiasChoice};
use crate::layers::linear::linear_layer;
use crate::layers::padding::{Declared, check};
use crate::layers::{LinearLayer, Projection};
use crate::params::Linear;
use crate::rng::Rng;
use crate::tensor::{Image, Signal, Tensor};

/// A depthwise convolution over a signal, `[T][C]` in, `Y` = `[OT][C]` out: each channel by itself. The first parameter is the
/// output's type.
///
/// `y[t][c] = b[c] + Σ_k x[t STRIDE + k DILATION - before][c] w[k][c]`. Weight `[K][C]`, bias `[C]`. The tape is the output. Padding
/// follows from the two shapes, as in [`Conv2d`](crate::Conv2d).
///
/// Definition: PyTorch's `Conv1d` with a group a channel.
///
/// ```
/// use backpass::{Conv1d, DepthwiseConv1d, Layer, Relu, Signal};
/// // Depthwise separable: each channel over time, then the channels with each other.
/// type Net = (DepthwiseConv1d<Signal<32, 3>, 5, 2>, Relu, Conv1d<Signal<32, 8>, 1>);
/// fn output_of<N: Layer<Signal<64, 3>, Output = Signal<32, 8>>>() {}
/// output_of::<Net>();
/// ```
pub struct DepthwiseConv1d<Y, const K: usize, const STRIDE: usize = 1, B = Bias, const DILATION: usize = 1> {
    before: Option<[u16; 2]>,
    types: PhantomData<(Y, B)>,
}

/// A depthwise convolution over an image, `[H][W][C]` in, `Y` = `[OH][OW][C]` out: each channel by itself. The first parameter is
/// the output's type.
///
/// `y[r][c][j] = b[j] + Σ_kr Σ_kc x[r STRIDE + kr DILATION - top][c STRIDE_W + kc DILATION_W - left][j] w[kr][kc][j]`. Weight
/// `[K][KW][C]`, bias `[C]`. The tape is the output. Padding follows from the two shapes, as in [`Conv2d`](crate::Conv2d).
///
/// Definition: PyTorch's `Conv2d` with a group a channel; Howard et al., "MobileNets" (2017).
///
/// ```
/// use backpass::{Conv2d, DepthwiseConv2d, Image, Layer, Relu};
/// // Depthwise separable: each channel over its neighbours, then the channels with each other.
/// type Net = (DepthwiseConv2d<Image<8, 8, 4>, 3, 2>, Relu, Conv2d<Image<8, 8, 16>, 1>, Relu);
/// fn output_of<N: Layer<Image<16, 16, 4>, Output = Image<8, 8, 16>>>() {}
/// output_of::<Net>();
/// ```
pub struct DepthwiseConv2d<
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

impl<Y, const K: usize, const STRIDE: usize, B, const DILATION: usize> DepthwiseConv1d<Y, K, STRIDE, B, DILATION> {
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

impl<Y, const K: usize, const STRIDE: usize, B, const DILATION: usize> Default
    for DepthwiseConv1d<Y, K, STRIDE, B, DILATION>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<Y, const K: usize, const STRIDE: usize, B, const DILATION: usize> Clone
    for DepthwiseConv1d<Y, K, STRIDE, B, DILATION>
{
    fn clone(&self) -> Self {
        *self
    }
}

impl<Y, const K: usize, const STRIDE: usize, B, const DILATION: usize> Copy
    for DepthwiseConv1d<Y, K, STRIDE, B, DILATION>
{
}

impl<Y, const K: usize, const STRIDE: usize, B, const DILATION: usize> fmt::Debug
    for DepthwiseConv1d<Y, K, STRIDE, B, DILATION>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DepthwiseConv1d<{K}>")
    }
}

#[cfg(feature = "defmt")]
impl<Y, const K: usize, const STRIDE: usize, B, const DILATION: usize> defmt::Format
    for DepthwiseConv1d<Y, K, STRIDE, B, DILATION>
{
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "DepthwiseConv1d<{}>", K);
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
> DepthwiseConv2d<Y, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>
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
> Default for DepthwiseConv2d<Y, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>
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
> Clone for DepthwiseConv2d<Y, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>
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
> Copy for DepthwiseConv2d<Y, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>
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
> fmt::Debug for DepthwiseConv2d<Y, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DepthwiseConv2d<{K}x{KW}>")
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
> defmt::Format for DepthwiseConv2d<Y, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>
{
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "DepthwiseConv2d<{}x{}>", K, KW);
    }
}

impl<
    const T: usize,
    const OT: usize,
    const C: usize,
    const K: usize,
    const STRIDE: usize,
    B: BiasChoice,
    const DILATION: usize,
> LinearLayer<Signal<T, C>> for DepthwiseConv1d<Signal<OT, C>, K, STRIDE, B, DILATION>
{
    type Weight = [[f32; C]; K];
    type Bias = B::Of<C>;
    const FAN_IN: usize = K;
    const FAN_OUT: usize = K;

    fn product(&self, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
        const {
            check(
                "DepthwiseConv1d",
                &[Declared { input: T, output: OT, kernel: K, stride: STRIDE, dilation: DILATION }],
            );
        };
        kernel::depthwise::forward(
            &geometry(
                [Declared { input: T, output: OT, kernel: K, stride: STRIDE, dilation: DILATION }, ONE],
                C,
                C,
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
        kernel::depthwise::backward(
            &geometry(
                [Declared { input: T, output: OT, kernel: K, stride: STRIDE, dilation: DILATION }, ONE],
                C,
                C,
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
        kernel::depthwise::input_gradient(
            &geometry(
                [Declared { input: T, output: OT, kernel: K, stride: STRIDE, dilation: DILATION }, ONE],
                C,
                C,
                self.before,
            ),
            x,
            weight,
            dy,
            want,
        );
    }

    fn add_to_input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
        kernel::depthwise::add_input_gradient(
            &geometry(
                [Declared { input: T, output: OT, kernel: K, stride: STRIDE, dilation: DILATION }, ONE],
                C,
                C,
                self.before,
            ),
            x,
            weight,
            dy,
            want,
        );
    }

    fn bias_gradient(dy: &[f32], bias_gradient: &mut [f32]) {
        kernel::conv::bias_backward(C, dy, bias_gradient);
    }
}

linear_layer!([const T: usize, const OT: usize, const C: usize, const K: usize, const STRIDE: usize, B: BiasChoice, const DILATION: usize] Signal<T, C> => DepthwiseConv1d<Signal<OT, C>, K, STRIDE, B, DILATION> => Signal<OT, C>);

impl<
    const H: usize,
    const W: usize,
    const C: usize,
    const OH: usize,
    const OW: usize,
    const K: usize,
    const STRIDE: usize,
    B: BiasChoice,
    const KW: usize,
    const STRIDE_W: usize,
    const DILATION: usize,
    const DILATION_W: usize,
> LinearLayer<Image<H, W, C>> for DepthwiseConv2d<Image<OH, OW, C>, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>
{
    type Weight = [[[f32; C]; KW]; K];
    type Bias = B::Of<C>;
    const FAN_IN: usize = K * KW;
    const FAN_OUT: usize = K * KW;

    fn product(&self, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
        const {
            check(
                "DepthwiseConv2d",
                &[
                    Declared { input: H, output: OH, kernel: K, stride: STRIDE, dilation: DILATION },
                    Declared { input: W, output: OW, kernel: KW, stride: STRIDE_W, dilation: DILATION_W },
                ],
            );
        }
        kernel::depthwise::forward(
            &geometry(
                [
                    Declared { input: H, output: OH, kernel: K, stride: STRIDE, dilation: DILATION },
                    Declared { input: W, output: OW, kernel: KW, stride: STRIDE_W, dilation: DILATION_W },
                ],
                C,
                C,
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
        kernel::depthwise::backward(
            &geometry(
                [
                    Declared { input: H, output: OH, kernel: K, stride: STRIDE, dilation: DILATION },
                    Declared { input: W, output: OW, kernel: KW, stride: STRIDE_W, dilation: DILATION_W },
                ],
                C,
                C,
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
        kernel::depthwise::input_gradient(
            &geometry(
                [
                    Declared { input: H, output: OH, kernel: K, stride: STRIDE, dilation: DILATION },
                    Declared { input: W, output: OW, kernel: KW, stride: STRIDE_W, dilation: DILATION_W },
                ],
                C,
                C,
                self.before,
            ),
            x,
            weight,
            dy,
            want,
        );
    }

    fn add_to_input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
        kernel::depthwise::add_input_gradient(
            &geometry(
                [
                    Declared { input: H, output: OH, kernel: K, stride: STRIDE, dilation: DILATION },
                    Declared { input: W, output: OW, kernel: KW, stride: STRIDE_W, dilation: DILATION_W },
                ],
                C,
                C,
                self.before,
            ),
            x,
            weight,
            dy,
            want,
        );
    }

    fn bias_gradient(dy: &[f32], bias_gradient: &mut [f32]) {
        kernel::conv::bias_backward(C, dy, bias_gradient);
    }
}

linear_layer!([const H: usize, const W: usize, const C: usize, const OH: usize, const OW: usize, const K: usize, const STRIDE: usize, B: BiasChoice, const KW: usize, const STRIDE_W: usize, const DILATION: usize, const DILATION_W: usize] Image<H, W, C> => DepthwiseConv2d<Image<OH, OW, C>, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W> => Image<OH, OW, C>);

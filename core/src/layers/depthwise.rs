//! Depthwise convolutions.

use core::fmt;
use core::marker::PhantomData;

use crate::descend::descend_by_gradient;
use crate::gradients::{Accumulation, growth, is_first, settle};
use crate::inference::inference_in_tape;
use crate::init::Initialization;
use crate::kernel;
use crate::kernel::conv::Geometry;
use crate::layer::{InputGradient, Layer, Pass};
use crate::layers::conv::{ONE, geometry};
use crate::layers::dense::{Bias, BiasChoice};
use crate::layers::linear::{self, linear_layer};
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

impl<const OT: usize, const C: usize, const K: usize, const STRIDE: usize, B, const DILATION: usize>
    DepthwiseConv1d<Signal<OT, C>, K, STRIDE, B, DILATION>
{
    /// The axis of time, for an input of `T` time steps.
    const fn declared<const T: usize>() -> Declared {
        Declared { input: T, output: OT, kernel: K, stride: STRIDE, dilation: DILATION }
    }

    const fn geometry<const T: usize>(&self) -> Geometry {
        geometry([Self::declared::<T>(), ONE], C, C, self.before)
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
        const { check("DepthwiseConv1d", &[Self::declared::<T>()]) };
        kernel::depthwise::forward(&self.geometry::<T>(), x, weight, bias, y);
    }

    fn gradients(
        &self,
        x: &mut [f32],
        weight: &[f32],
        dy: &[f32],
        weight_gradient: &mut [f32],
        bias_gradient: &mut [f32],
        sum: Option<&mut Accumulation>,
        want: InputGradient,
    ) {
        let (growth, first) = (growth(x, dy), is_first(sum.as_deref()));
        kernel::depthwise::backward(&self.geometry::<T>(), x, weight, dy, weight_gradient, bias_gradient, first, want);
        settle(sum, growth, weight_gradient, bias_gradient);
    }

    fn input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
        kernel::depthwise::input_gradient(&self.geometry::<T>(), x, weight, dy, want);
    }

    fn add_to_input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
        kernel::depthwise::add_input_gradient(&self.geometry::<T>(), x, weight, dy, want);
    }

    fn bias_gradient(dy: &[f32], bias_gradient: &mut [f32]) {
        kernel::conv::bias_backward(C, dy, bias_gradient);
    }
}

linear_layer!([const T: usize, const OT: usize, const C: usize, const K: usize, const STRIDE: usize, B: BiasChoice, const DILATION: usize] Signal<T, C> => DepthwiseConv1d<Signal<OT, C>, K, STRIDE, B, DILATION> => Signal<OT, C>);
descend_by_gradient!([const T: usize, const OT: usize, const C: usize, const K: usize, const STRIDE: usize, B: BiasChoice, const DILATION: usize] Signal<T, C> => DepthwiseConv1d<Signal<OT, C>, K, STRIDE, B, DILATION>);

impl<
    const OH: usize,
    const OW: usize,
    const C: usize,
    const K: usize,
    const STRIDE: usize,
    B,
    const KW: usize,
    const STRIDE_W: usize,
    const DILATION: usize,
    const DILATION_W: usize,
> DepthwiseConv2d<Image<OH, OW, C>, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>
{
    /// Both axes, for an input of `H` rows and `W` columns.
    const fn declared<const H: usize, const W: usize>() -> [Declared; 2] {
        [
            Declared { input: H, output: OH, kernel: K, stride: STRIDE, dilation: DILATION },
            Declared { input: W, output: OW, kernel: KW, stride: STRIDE_W, dilation: DILATION_W },
        ]
    }

    const fn geometry<const H: usize, const W: usize>(&self) -> Geometry {
        geometry(Self::declared::<H, W>(), C, C, self.before)
    }
}

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
        const { check("DepthwiseConv2d", &Self::declared::<H, W>()) }
        kernel::depthwise::forward(&self.geometry::<H, W>(), x, weight, bias, y);
    }

    fn gradients(
        &self,
        x: &mut [f32],
        weight: &[f32],
        dy: &[f32],
        weight_gradient: &mut [f32],
        bias_gradient: &mut [f32],
        sum: Option<&mut Accumulation>,
        want: InputGradient,
    ) {
        let (growth, first) = (growth(x, dy), is_first(sum.as_deref()));
        kernel::depthwise::backward(
            &self.geometry::<H, W>(),
            x,
            weight,
            dy,
            weight_gradient,
            bias_gradient,
            first,
            want,
        );
        settle(sum, growth, weight_gradient, bias_gradient);
    }

    fn input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
        kernel::depthwise::input_gradient(&self.geometry::<H, W>(), x, weight, dy, want);
    }

    fn add_to_input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
        kernel::depthwise::add_input_gradient(&self.geometry::<H, W>(), x, weight, dy, want);
    }

    fn bias_gradient(dy: &[f32], bias_gradient: &mut [f32]) {
        kernel::conv::bias_backward(C, dy, bias_gradient);
    }
}

linear_layer!([const H: usize, const W: usize, const C: usize, const OH: usize, const OW: usize, const K: usize, const STRIDE: usize, B: BiasChoice, const KW: usize, const STRIDE_W: usize, const DILATION: usize, const DILATION_W: usize] Image<H, W, C> => DepthwiseConv2d<Image<OH, OW, C>, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W> => Image<OH, OW, C>);
descend_by_gradient!([const H: usize, const W: usize, const C: usize, const OH: usize, const OW: usize, const K: usize, const STRIDE: usize, B: BiasChoice, const KW: usize, const STRIDE_W: usize, const DILATION: usize, const DILATION_W: usize] Image<H, W, C> => DepthwiseConv2d<Image<OH, OW, C>, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Conv2d, NoBias};
    use crate::tensor::Zero;

    type Input = Image<4, 5, 3>;
    type Output = Image<2, 3, 3>;

    /// Small whole numbers, of which every sum is exact, about one in five zero.
    fn whole(rng: &mut Rng, values: &mut [f32]) {
        values.iter_mut().for_each(|value| *value = rng.below(5) as f32 - 2.0);
    }

    /// The parameters of a convolution from three channels to three.
    type Whole = Linear<[[[[f32; 3]; 3]; 3]; 3], [f32; 3]>;

    #[test]
    fn it_is_a_convolution_whose_channels_do_not_meet() {
        let rng = &mut Rng::new(5);
        let mut params: Linear<[[[f32; 3]; 3]; 3], [f32; 3]> = Zero::ZERO;
        let (mut input, mut dy): (Input, Output) = Zero::ZERO;
        for values in [params.weight.flat_mut(), params.bias.flat_mut(), input.flat_mut(), dy.flat_mut()] {
            whole(rng, values);
        }
        let mut diagonal = Whole::ZERO;
        diagonal.bias = params.bias;
        for (row, from) in diagonal.weight.iter_mut().zip(&params.weight) {
            for (element, from) in row.iter_mut().zip(from) {
                (0..3).for_each(|c| element[c][c] = from[c]);
            }
        }
        let (layer, whole) = (DepthwiseConv2d::<Output, 3, 2>::new(), Conv2d::<Output, 3, 2>::new());
        for (layer, whole) in [(layer, whole), (layer.padding(1, 0), whole.padding(1, 0))] {
            for want in [InputGradient::Unused, InputGradient::Full, InputGradient::WhereActive] {
                let (mut x, mut y, mut grads) = (input, Output::ZERO, Linear::ZERO);
                let (mut all_x, mut all_y, mut all_grads) = (input, Output::ZERO, Linear::ZERO);
                layer.forward(&params, &mut x, &mut y, Pass::training(0));
                whole.forward(&diagonal, &mut all_x, &mut all_y, Pass::training(0));
                assert_eq!(y, all_y);
                (y, all_y) = (dy, dy);
                layer.backward(&params, &mut x, &mut y, Some((&mut grads).into()), want);
                whole.backward(&diagonal, &mut all_x, &mut all_y, Some((&mut all_grads).into()), want);
                assert_eq!(x, all_x, "{want:?}");
                assert_eq!(y, dy);
                let Linear { weight, bias }: Linear<[[[f32; 3]; 3]; 3], [f32; 3]> = grads;
                let all: Whole = all_grads;
                assert_eq!(bias, all.bias);
                assert_eq!(weight, all.weight.map(|row| row.map(|w| [w[0][0], w[1][1], w[2][2]])));

                let mut frozen = input;
                layer.backward(&params, &mut frozen, &mut y, None, want);
                assert_eq!(frozen, x, "{want:?}");
            }
        }
    }

    #[test]
    fn a_closed_gate_stays_closed_and_an_open_one_is_told_by_its_sign() {
        let params = Linear { weight: [[3.0, 3.0]], bias: [] };
        let layer = DepthwiseConv1d::<Signal<1, 2>, 1, 1, NoBias>::new();
        let mut x: Signal<1, 2> = [[0.0, 7.0]];
        layer.backward(&params, &mut x, &mut [[2.0, 0.0]], None, InputGradient::WhereActive);
        assert_eq!(x[0].map(f32::to_bits), [0, (-0.0_f32).to_bits()]);
        layer.add_input_gradient(&params, &mut x, &mut [[2.0, 2.0]], InputGradient::WhereActive);
        assert_eq!(x, [[0.0, 6.0]]);
        layer.add_input_gradient(&params, &mut x, &mut [[2.0, 2.0]], InputGradient::Full);
        assert_eq!(x, [[6.0, 12.0]]);
    }

    #[test]
    fn one_element_and_its_gradients() {
        let params = Linear { weight: [[[4.0]]], bias: [0.5] };
        let layer = DepthwiseConv2d::<Image<1, 1, 1>, 1>::new();
        let (mut x, mut y, mut grads) = ([[[2.0]]], [[[0.0]]], Linear { weight: [[[1.0]]], bias: [1.0] });
        assert_eq!(*layer.forward(&params, &mut x, &mut y, Pass::training(0)), [[[8.5]]]);
        y = [[[3.0]]];
        layer.backward(&params, &mut x, &mut y, Some((&mut grads).into()), InputGradient::Full);
        assert_eq!((x, grads), ([[[12.0]]], Linear { weight: [[[7.0]]], bias: [4.0] }));
    }
}

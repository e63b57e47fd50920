//! Convolutions.

use core::fmt;
use core::marker::PhantomData;

use crate::descend::{Descend, Descent, Later, Place};
use crate::gradients::{Accumulation, growth, is_first, settle};
use crate::inference::inference_in_tape;
use crate::init::Initialization;
use crate::kernel;
use crate::kernel::conv::{Axis, Geometry};
use crate::layer::{InputGradient, Layer, Pass};
use crate::layers::dense::{Bias, BiasChoice};
use crate::layers::linear::{self, linear_layer};
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

impl<const OT: usize, const CO: usize, const K: usize, const STRIDE: usize, B, const DILATION: usize>
    Conv1d<Signal<OT, CO>, K, STRIDE, B, DILATION>
{
    /// The axis of time, for an input of `T` time steps.
    const fn declared<const T: usize>() -> Declared {
        Declared { input: T, output: OT, kernel: K, stride: STRIDE, dilation: DILATION }
    }

    const fn geometry<const T: usize, const CI: usize>(&self) -> Geometry {
        geometry([Self::declared::<T>(), ONE], CI, CO, self.before)
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
        const { check("Conv1d", &[Self::declared::<T>()]) };
        kernel::conv::forward(&self.geometry::<T, CI>(), x, weight, bias, y);
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
        kernel::conv::backward(
            &self.geometry::<T, CI>(),
            x,
            weight,
            dy,
            weight_gradient,
            bias_gradient,
            first,
            growth.is_finite(),
            want,
        );
        settle(sum, growth, weight_gradient, bias_gradient);
    }

    fn input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
        kernel::conv::input_gradient(&self.geometry::<T, CI>(), x, weight, dy, want);
    }

    fn add_to_input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
        kernel::conv::add_input_gradient(&self.geometry::<T, CI>(), x, weight, dy, want);
    }

    fn bias_gradient(dy: &[f32], bias_gradient: &mut [f32]) {
        kernel::conv::bias_backward(CO, dy, bias_gradient);
    }
}

/// Implements [`Descend`](crate::Descend) for a convolution. Its weights are read at every position, so they keep their gradient until all of dL/dx
/// is there; where nothing before the layer learns, nobody wants dL/dx, and each weight takes its step when its sum is done.
macro_rules! descend_with_shared_weights {
    ([$($generics:tt)*] $x:ty => $layer:ty, $geometry:ident::<$($size:ident),+>) => {
        impl<$($generics)*> Descend<$x> for $layer {
            type Shared<Q: Place> = Q::Shared<Self::Params>;
            type Next<Q: Place> = Later;

            fn descend<Q: Place>(
                &self,
                params: &mut Self::Params,
                shared: &mut Self::Shared<Q>,
                x: &mut $x,
                dy: &mut Self::Tape,
                descent: &mut Descent,
                want: InputGradient,
            ) {
                if let Some(gradients) = Q::shared(shared) {
                    return descent.by_gradient(self, params, gradients, x, dy, want);
                }
                let (x, dy) = (x.flat(), dy.flat());
                if descent.is_refused() {
                    return;
                }
                if let Some(step) = descent.allow(growth(x, dy)) {
                    let (weight, bias) = (params.weight.flat_mut(), params.bias.flat_mut());
                    kernel::conv::descend_first(&self.$geometry::<$($size),+>(), x, weight, bias, dy, step);
                }
            }
        }
    };
}

linear_layer!([const T: usize, const CI: usize, const OT: usize, const CO: usize, const K: usize, const STRIDE: usize, B: BiasChoice, const DILATION: usize] Signal<T, CI> => Conv1d<Signal<OT, CO>, K, STRIDE, B, DILATION> => Signal<OT, CO>);
descend_with_shared_weights!([const T: usize, const CI: usize, const OT: usize, const CO: usize, const K: usize, const STRIDE: usize, B: BiasChoice, const DILATION: usize] Signal<T, CI> => Conv1d<Signal<OT, CO>, K, STRIDE, B, DILATION>, geometry::<T, CI>);

impl<
    const OH: usize,
    const OW: usize,
    const CO: usize,
    const K: usize,
    const STRIDE: usize,
    B,
    const KW: usize,
    const STRIDE_W: usize,
    const DILATION: usize,
    const DILATION_W: usize,
> Conv2d<Image<OH, OW, CO>, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>
{
    /// Both axes, for an input of `H` rows and `W` columns.
    const fn declared<const H: usize, const W: usize>() -> [Declared; 2] {
        [
            Declared { input: H, output: OH, kernel: K, stride: STRIDE, dilation: DILATION },
            Declared { input: W, output: OW, kernel: KW, stride: STRIDE_W, dilation: DILATION_W },
        ]
    }

    const fn geometry<const H: usize, const W: usize, const CI: usize>(&self) -> Geometry {
        geometry(Self::declared::<H, W>(), CI, CO, self.before)
    }
}

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
        const { check("Conv2d", &Self::declared::<H, W>()) }
        kernel::conv::forward(&self.geometry::<H, W, CI>(), x, weight, bias, y);
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
        kernel::conv::backward(
            &self.geometry::<H, W, CI>(),
            x,
            weight,
            dy,
            weight_gradient,
            bias_gradient,
            first,
            growth.is_finite(),
            want,
        );
        settle(sum, growth, weight_gradient, bias_gradient);
    }

    fn input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
        kernel::conv::input_gradient(&self.geometry::<H, W, CI>(), x, weight, dy, want);
    }

    fn add_to_input_gradient(&self, x: &mut [f32], weight: &[f32], dy: &[f32], want: InputGradient) {
        kernel::conv::add_input_gradient(&self.geometry::<H, W, CI>(), x, weight, dy, want);
    }

    fn bias_gradient(dy: &[f32], bias_gradient: &mut [f32]) {
        kernel::conv::bias_backward(CO, dy, bias_gradient);
    }
}

linear_layer!([const H: usize, const W: usize, const CI: usize, const OH: usize, const OW: usize, const CO: usize, const K: usize, const STRIDE: usize, B: BiasChoice, const KW: usize, const STRIDE_W: usize, const DILATION: usize, const DILATION_W: usize] Image<H, W, CI> => Conv2d<Image<OH, OW, CO>, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W> => Image<OH, OW, CO>);
descend_with_shared_weights!([const H: usize, const W: usize, const CI: usize, const OH: usize, const OW: usize, const CO: usize, const K: usize, const STRIDE: usize, B: BiasChoice, const KW: usize, const STRIDE_W: usize, const DILATION: usize, const DILATION_W: usize] Image<H, W, CI> => Conv2d<Image<OH, OW, CO>, K, STRIDE, B, KW, STRIDE_W, DILATION, DILATION_W>, geometry::<H, W, CI>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::Inference;
    use crate::layers::{Dense, NoBias};
    use crate::tensor::Zero;

    /// The output for an input and a weight, without bias.
    fn output<X: Tensor, W: Tensor, Y: Tensor, L>(layer: L, mut x: X, weight: W) -> Y
    where
        L: Layer<X, Params = Linear<W, [f32; 0]>, Tape = Y, Output = Y>,
    {
        let mut tape = Y::ZERO;
        *layer.forward(&Linear { weight, bias: [] }, &mut x, &mut tape, Pass::Predicting)
    }

    /// 1, 2, 3, ... in storage order.
    fn counted<X: Tensor>() -> X {
        let mut x = X::ZERO;
        x.flat_mut().iter_mut().zip(1_u8..).for_each(|(x, n)| *x = f32::from(n));
        x
    }

    #[test]
    fn the_shapes_say_where_the_kernel_starts() {
        let x: Signal<4, 1> = [[1.0], [2.0], [3.0], [4.0]];
        let w = [[[100.0]], [[10.0]], [[1.0]]];
        assert_eq!(output(Conv1d::<Signal<2, 1>, 3, 1, NoBias>::new(), x, w), [[123.0], [234.0]]);
        assert_eq!(output(Conv1d::<Signal<4, 1>, 3, 1, NoBias>::new(), x, w), [[12.0], [123.0], [234.0], [340.0]]);
        // Keras's "same" padding of one element lies behind; PyTorch's padding of 1 begins one earlier.
        assert_eq!(output(Conv1d::<Signal<2, 1>, 3, 2, NoBias>::new(), x, w), [[123.0], [340.0]]);
        assert_eq!(output(Conv1d::<Signal<2, 1>, 3, 2, NoBias>::new().padding(1), x, w), [[12.0], [234.0]]);
        // Causal.
        let causal = Conv1d::<Signal<4, 1>, 3, 1, NoBias>::new().padding(2);
        assert_eq!(output(causal, x, w), [[1.0], [12.0], [123.0], [234.0]]);
        // Windows partly or wholly outside read zeros there.
        let outside = Conv1d::<Signal<4, 1>, 3, 1, NoBias>::new().padding(5);
        assert_eq!(output(outside, x, w), [[0.0], [0.0], [0.0], [1.0]]);
        let far = Conv1d::<Signal<4, 1>, 3, 1, NoBias>::new().padding(u16::MAX);
        assert_eq!(output(far, x, w), [[0.0]; 4]);
    }

    #[test]
    fn each_axis_of_an_image_has_kernel_stride_dilation_and_padding_of_its_own() {
        let x: Image<3, 4, 1> = counted();
        // 3 rows by 1 column, every other column.
        let column = Conv2d::<Image<1, 2, 1>, 3, 1, NoBias, 1, 2>::new();
        assert_eq!(output(column, x, [[[[1.0]]], [[[10.0]]], [[[100.0]]]]), [[[951.0], [1173.0]]]);
        // 2 by 2, rows next to each other, columns 3 apart.
        let dilated = Conv2d::<Image<2, 1, 1>, 2, 1, NoBias, 2, 1, 1, 3>::new();
        assert_eq!(output(dilated, x, [[[[1.0]], [[10.0]]], [[[100.0]], [[1000.0]]]]), [[[8541.0]], [[12985.0]]]);
        // Padding of the shapes lies behind; here above and to the left.
        let w = [[[[1.0]], [[0.0]]], [[[0.0]], [[0.0]]]];
        let same = Conv2d::<Image<3, 4, 1>, 2, 1, NoBias>::new();
        assert_eq!(output::<_, _, Image<3, 4, 1>, _>(same, x, w), x);
        let y: Image<3, 4, 1> = output(same.padding(1, 0), x, w);
        assert_eq!([y[0], y[1], y[2]], [[[0.0]; 4], x[0], x[1]]);
        let y: Image<3, 4, 1> = output(same.padding(0, 1), x, w);
        assert_eq!(y[2], [[0.0], [9.0], [10.0], [11.0]]);
    }

    #[test]
    fn a_pointwise_convolution_is_a_dense_layer_on_each_pixel() {
        let mut rng = Rng::new(3);
        let mut params: Linear<[[f32; 7]; 5], [f32; 7]> = Zero::ZERO;
        let (mut x, mut dy): (Signal<3, 5>, Signal<3, 7>) = Zero::ZERO;
        let all = [params.weight.flat_mut(), params.bias.flat_mut(), x.flat_mut(), dy.flat_mut()];
        all.into_iter().flatten().for_each(|value| *value = rng.symmetric(1.0));
        x[1][2] = 0.0;

        let whole = Linear { weight: [params.weight], bias: params.bias };
        let (mut wx, mut wy, mut wg) = (x, Zero::ZERO, Linear::ZERO);
        let layer = Conv1d::<Signal<3, 7>, 1>::new();
        layer.forward(&whole, &mut wx, &mut wy, Pass::training(0));
        let y: Signal<3, 7> = wy;
        wy = dy;
        layer.backward(&whole, &mut wx, &mut wy, Some((&mut wg).into()), InputGradient::WhereActive);

        let mut grads: Linear<[[f32; 7]; 5], [f32; 7]> = Zero::ZERO;
        for (t, (mut x, mut dy)) in x.into_iter().zip(dy).enumerate() {
            let (dense, mut tape) = (Dense::<7>::new(), [0.0; 7]);
            assert_eq!(*dense.forward(&params, &mut x, &mut tape, Pass::training(0)), y[t]);
            dense.backward(&params, &mut x, &mut dy, Some((&mut grads).into()), InputGradient::WhereActive);
            assert_eq!(x, wx[t]);
        }
        assert_eq!((wg.weight[0], wg.bias), (grads.weight, grads.bias));
    }

    #[test]
    fn gates_gradients_and_frozen_weights() {
        // Two inputs, the first one closed; one kernel of two on them.
        let params = Linear { weight: [[[3.0]], [[5.0]]], bias: [1.0] };
        let layer = Conv1d::<Signal<1, 1>, 2>::new();
        let input: Signal<2, 1> = [[0.0], [7.0]];
        for (want, left) in [
            (InputGradient::Unused, [0.0, 7.0]),
            (InputGradient::Full, [6.0, 10.0]),
            (InputGradient::WhereActive, [0.0, 10.0]),
        ] {
            let (mut x, mut tape, mut grads) = (input, Zero::ZERO, Linear { weight: [[[0.5]]; 2], bias: [0.25] });
            assert_eq!(*layer.forward(&params, &mut x, &mut tape, Pass::training(0)), [[36.0]]);
            assert_eq!(x, input);
            tape = [[2.0]];
            layer.backward(&params, &mut x, &mut tape, Some((&mut grads).into()), want);
            assert_eq!(x.as_flattened(), left, "{want:?}");
            // Added to what was there.
            assert_eq!(grads, Linear { weight: [[[0.5]], [[14.5]]], bias: [2.25] }, "{want:?}");
            assert_eq!(tape, [[2.0]]);

            let mut x = input;
            layer.backward(&params, &mut x, &mut tape, None, want);
            assert_eq!(x.as_flattened(), left, "{want:?}");
        }
        // An open gate without a gradient is told from a closed one by its sign.
        let mut x = input;
        layer.backward(&params, &mut x, &mut [[0.0]], None, InputGradient::WhereActive);
        assert_eq!([x[0][0].to_bits(), x[1][0].to_bits()], [0, (-0.0_f32).to_bits()]);
        // And so it stays when another gradient is added.
        layer.add_input_gradient(&params, &mut x, &mut [[2.0]], InputGradient::WhereActive);
        assert_eq!(x, [[0.0], [10.0]]);
    }

    #[test]
    fn weights_start_within_the_bound_of_what_an_output_reads_and_biases_at_zero() {
        type Layer2d = Conv2d<Image<4, 4, 6>, 3>;
        let mut params = <Layer2d as Layer<Image<4, 4, 5>>>::Params::ZERO;
        params.bias = [9.0; 6];
        let after = Initialization::He { slope: 0.0 };
        Layer::<Image<4, 4, 5>>::initialize(&Layer2d::new(), &mut params, after, &mut Rng::new(1));
        let most = params.weight.flat().iter().fold(0.0_f32, |most, w| most.max(w.abs()));
        let bound = after.bound(3 * 3 * 5, 3 * 3 * 6);
        assert!(most <= bound && most > 0.95 * bound, "{most}, bound {bound}");
        assert_eq!(params.bias, [0.0; 6]);
    }

    #[test]
    fn two_buffers_predict_the_same() {
        let layer = Conv2d::<Image<2, 2, 3>, 3>::new();
        let mut params = <Conv2d<Image<2, 2, 3>, 3> as Layer<Image<4, 4, 1>>>::Params::ZERO;
        params.weight.flat_mut().iter_mut().zip(1_u8..).for_each(|(w, n)| *w = f32::from(n));
        let (mut x, mut tape) = (counted::<Image<4, 4, 1>>(), Zero::ZERO);
        let y = *layer.forward(&params, &mut x, &mut tape, Pass::Predicting);
        let (mut here, mut there) = ([0.0; 16], [0.0; 16]);
        here.copy_from_slice(x.flat());
        Inference::<Image<4, 4, 1>>::infer(&layer, &params, &mut here, &mut there);
        assert_eq!(&there[..12], y.flat());
    }

    /// Where everything is finite, products with a gradient of zero are left out.
    #[test]
    fn an_infinite_input_makes_nan_of_a_weight_s_gradient_where_dy_is_zero() {
        use crate::layer::InputGradient;
        use crate::params::Linear;
        type Convolution = Conv2d<Image<4, 4, 4>, 3>;
        for (bad, expected) in [(1.0, 0), (f32::INFINITY, 16), (f32::NAN, 16)] {
            let mut x = [[[1.0; 4]; 4]; 4];
            x[1][1][2] = bad;
            let params = Linear { weight: [[[[1.0; 4]; 4]; 3]; 3], bias: [0.0; 4] };
            let mut gradients = Linear { weight: [[[[0.0; 4]; 4]; 3]; 3], bias: [0.0; 4] };
            let mut dy = [[[0.0; 4]; 4]; 4];
            Convolution::new().backward(&params, &mut x, &mut dy, Some((&mut gradients).into()), InputGradient::Full);
            let nans = gradients.weight.flat().iter().filter(|g| g.is_nan()).count();
            assert_eq!(nans, expected * 9 / 4, "{bad}");
        }
    }
}

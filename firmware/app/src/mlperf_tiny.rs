//! The four networks of the MLPerf Tiny benchmark as types, for training.
//!
//! Shapes and layers are those of the reference (github.com/mlcommons/tiny, `benchmark/training`), with batch normalisation
//! folded into the linear layer before it; so each has the folded number of parameters. Source: Banbury et al., "MLPerf Tiny
//! benchmark" (NeurIPS 2021).
//!
//! | | task | input | parameters | with batch normalisation |
//! |---|---|---|---|---|
//! | [`Autoencoder`] | anomaly detection | 640 features | 265,864 | 269,992 |
//! | [`DsCnn`] | keyword spotting | 49x10x1 | 22,604 | 24,908 |
//! | [`ResNet8`] | image classification | 32x32x3 | 77,706 | 78,666 |
//! | [`MobileNet`] | visual wake words | 96x96x3 | 210,850 | 221,794 |

use backpass::{
    Bias, Conv2d, Dense, DepthwiseConv2d, Dropout, GlobalAveragePool, Image, Layer, Params, Relu, Residual,
    ResidualProjection,
};

/// Features of one sound frame: five frames of 128 mel bands.
pub type Sound = [f32; 640];

/// The anomaly autoencoder, 640-128-128-128-128-8-128-128-128-128-640: it learns its own input, with the mean squared error.
pub type Autoencoder = (Encoder, Decoder);
/// The autoencoder's first half.
pub type Encoder = (Dense<128>, Relu, Dense<128>, Relu, Dense<128>, Relu, Dense<128>, Relu, Dense<8>, Relu);
/// The autoencoder's second half.
pub type Decoder = (Dense<128>, Relu, Dense<128>, Relu, Dense<128>, Relu, Dense<128>, Relu, Dense<640>);

/// Ten mel-frequency cepstral coefficients of 49 frames.
pub type Speech = Image<49, 10, 1>;

/// The depthwise separable network of keyword spotting, twelve words.
pub type DsCnn = (
    Conv2d<Image<25, 5, 64>, 10, 2, Bias, 4>,
    Relu,
    Dropout,
    Separable25x5,
    Separable25x5,
    Separable25x5,
    Separable25x5,
    Dropout,
    GlobalAveragePool,
    Dense<12>,
);
/// One block of [`DsCnn`].
pub type Separable25x5 = (DepthwiseConv2d<Image<25, 5, 64>, 3>, Relu, Conv2d<Image<25, 5, 64>, 1>, Relu);

/// [`DsCnn`] with the reference's dropout: 0.2 behind the first convolution, 0.4 before the pool.
pub fn ds_cnn() -> DsCnn {
    let (first, relu, _, a, b, c, d, _, pool, dense) = DsCnn::default();
    (first, relu, Dropout::new(0.2), a, b, c, d, Dropout::new(0.4), pool, dense)
}

/// A small photograph.
pub type Photo = Image<32, 32, 3>;

/// The residual network of image classification, ten classes.
pub type ResNet8 = (
    Conv2d<Image<32, 32, 16>, 3>,
    Relu,
    Residual<(Conv2d<Image<32, 32, 16>, 3>, Relu, Conv2d<Image<32, 32, 16>, 3>)>,
    Relu,
    ResidualProjection<
        (Conv2d<Image<16, 16, 32>, 3, 2>, Relu, Conv2d<Image<16, 16, 32>, 3>),
        Conv2d<Image<16, 16, 32>, 1, 2>,
    >,
    Relu,
    ResidualProjection<
        (Conv2d<Image<8, 8, 64>, 3, 2>, Relu, Conv2d<Image<8, 8, 64>, 3>),
        Conv2d<Image<8, 8, 64>, 1, 2>,
    >,
    Relu,
    GlobalAveragePool,
    Dense<10>,
);

/// A photograph in which there may be a person.
pub type Scene = Image<96, 96, 3>;

/// MobileNet V1 of width 0.25 for visual wake words, two classes.
pub type MobileNet = (
    Conv2d<Image<48, 48, 8>, 3, 2>,
    Relu,
    Separable<8, 48, 16, 1>,
    Separable<16, 24, 32, 2>,
    Separable<32, 24, 32, 1>,
    Separable<32, 12, 64, 2>,
    Separable<64, 12, 64, 1>,
    Separable<64, 6, 128, 2>,
    Five<Separable<128, 6, 128, 1>>,
    Separable<128, 3, 256, 2>,
    Separable<256, 3, 256, 1>,
    (GlobalAveragePool, Dense<2>),
);
/// One block of [`MobileNet`]: `CI` channels in, an image of `SIZE` by `SIZE` with `CO` channels out.
pub type Separable<const CI: usize, const SIZE: usize, const CO: usize, const STRIDE: usize> =
    (DepthwiseConv2d<Image<SIZE, SIZE, CI>, 3, STRIDE>, Relu, Conv2d<Image<SIZE, SIZE, CO>, 1>, Relu);
/// The same block five times.
pub type Five<B> = (B, B, B, B, B);

const fn parameters<N: Layer<X>, X>() -> usize {
    N::Params::COUNT
}

// The reference's numbers, folded.
const _: () = assert!(parameters::<Autoencoder, Sound>() == 265_864);
const _: () = assert!(parameters::<DsCnn, Speech>() == 22_604);
const _: () = assert!(parameters::<ResNet8, Photo>() == 77_706);
const _: () = assert!(parameters::<MobileNet, Scene>() == 210_850);

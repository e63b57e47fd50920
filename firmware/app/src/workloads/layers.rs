//! Each layer alone, at a size that a small board has.

use backpass::{Image, Linear, Signal};

use super::alone::{Alone, Make};

/// Elements of the layers that work element by element.
pub type Vector = [f32; 1024];

/// Fully connected, 64 inputs and 32 outputs.
pub type Dense = Alone<backpass::Dense<32>, [f32; 64]>;
/// 8 channels to 16, 3x3, the size kept.
pub type Conv2d = Alone<backpass::Conv2d<Image<8, 8, 16>, 3>, Image<8, 8, 8>>;
/// 8 channels to 16, 3x3, half the size.
pub type Conv2dStride2 = Alone<backpass::Conv2d<Image<4, 4, 16>, 3, 2>, Image<8, 8, 8>>;
/// 16 channels to 32, 1x1.
pub type Pointwise = Alone<backpass::Conv2d<Image<8, 8, 32>, 1>, Image<8, 8, 16>>;
/// 4 channels to 8 along time, window of 5.
pub type Conv1d = Alone<backpass::Conv1d<Signal<64, 8>, 5>, Signal<64, 4>>;
/// 16 channels, each with a 3x3 kernel of its own.
pub type DepthwiseConv2d = Alone<backpass::DepthwiseConv2d<Image<8, 8, 16>, 3>, Image<8, 8, 16>>;
/// 8 channels, each with a window of 5 of its own.
pub type DepthwiseConv1d = Alone<backpass::DepthwiseConv1d<Signal<64, 8>, 5>, Signal<64, 8>>;
/// Elman's network, 16 time steps of 4 features, 16 units.
pub type Rnn = Alone<backpass::Rnn<16>, Signal<16, 4>>;
/// Gated recurrent unit, as above.
pub type Gru = Alone<backpass::Gru<16>, Signal<16, 4>>;
/// Long short-term memory, as above.
pub type Lstm = Alone<backpass::Lstm<16>, Signal<16, 4>>;
/// 16 tokens out of 32, 8 dimensions.
pub type Embedding = Alone<backpass::Embedding<32, 8>, [f32; 16], 32>;

/// The largest of 2x2.
pub type MaxPool = Alone<backpass::MaxPool<Image<4, 4, 16>, 2>, Image<8, 8, 16>>;
/// The mean of 2x2.
pub type AveragePool = Alone<backpass::AveragePool<Image<4, 4, 16>, 2>, Image<8, 8, 16>>;
/// The largest of each channel.
pub type GlobalMaxPool = Alone<backpass::GlobalMaxPool, Image<8, 8, 16>>;
/// The mean of each channel.
pub type GlobalAveragePool = Alone<backpass::GlobalAveragePool, Image<8, 8, 16>>;

/// Over the last axis.
pub type LayerNorm = Alone<backpass::LayerNorm, Image<8, 8, 16>>;
/// Over the last axis, without a mean.
pub type RmsNorm = Alone<backpass::RmsNorm, Image<8, 8, 16>>;
/// Four groups of channels.
pub type GroupNorm = Alone<backpass::GroupNorm<4>, Image<8, 8, 16>>;
/// Each channel.
pub type InstanceNorm = Alone<backpass::InstanceNorm, Image<8, 8, 16>>;
/// Each channel, by running statistics.
pub type BatchNorm = Alone<backpass::BatchNorm, Image<8, 8, 16>>;

/// Rectified linear unit.
pub type Relu = Alone<backpass::Relu, Vector>;
/// The same up to 6.
pub type Relu6 = Alone<backpass::Relu6, Vector>;
/// With a slope below zero.
pub type LeakyRelu = Alone<backpass::LeakyRelu, Vector>;
/// With learned slopes below zero.
pub type PRelu = Alone<backpass::PRelu, Image<8, 8, 16>>;
/// Sigmoid.
pub type Sigmoid = Alone<backpass::Sigmoid, Vector>;
/// Hyperbolic tangent.
pub type Tanh = Alone<backpass::Tanh, Vector>;
/// Exponential linear unit.
pub type Elu = Alone<backpass::Elu, Vector>;
/// The same, scaled.
pub type Selu = Alone<backpass::Selu, Vector>;
/// Gaussian error linear unit.
pub type Gelu = Alone<backpass::Gelu, Vector>;
/// The same by the hyperbolic tangent.
pub type GeluTanh = Alone<backpass::GeluTanh, Vector>;
/// x times its sigmoid.
pub type Silu = Alone<backpass::Silu, Vector>;
/// x times the hyperbolic tangent of its softplus.
pub type Mish = Alone<backpass::Mish, Vector>;
/// Sigmoid by straight lines.
pub type HardSigmoid = Alone<backpass::HardSigmoid, Vector>;
/// x times that.
pub type HardSwish = Alone<backpass::HardSwish, Vector>;
/// ln(1 + exp(x)).
pub type Softplus = Alone<backpass::Softplus, Vector>;
/// x / (1 + |x|).
pub type Softsign = Alone<backpass::Softsign, Vector>;
/// Over 10 classes of 16 positions.
pub type Softmax = Alone<backpass::Softmax, Signal<16, 10>>;
/// Its logarithm.
pub type LogSoftmax = Alone<backpass::LogSoftmax, Signal<16, 10>>;

/// Every second element is left out.
pub type Dropout = Alone<backpass::Dropout, Vector>;
/// A border of zeros.
pub type Pad = Alone<backpass::Pad<Image<10, 10, 16>>, Image<8, 8, 16>>;
/// Numbers to be seen as another shape: nothing to do.
pub type Reshape = Alone<backpass::Reshape<Image<8, 8, 16>>, Vector>;
/// An image to be seen as a vector: nothing to do.
pub type Flatten = Alone<backpass::Flatten<1024>, Image<8, 8, 16>>;
/// Nothing.
pub type Identity = Alone<backpass::Identity, Vector>;
/// A copy.
pub type Keep = Alone<backpass::Keep, Vector>;
/// Fixed shift and scale of each channel.
pub type Scale = Alone<backpass::Scale<16>, Image<8, 8, 16>, 0, Settings>;
/// A dense layer that does not learn, 64 inputs and 32 outputs.
pub type Frozen = Alone<backpass::Frozen<backpass::Dense<32>, [f32; 64]>, [f32; 64], 0, Settings>;
/// The same before everything that learns: only forward.
pub type FrozenPrefix = Alone<backpass::FrozenPrefix<backpass::Dense<32>, [f32; 64], 64>, [f32; 64], 0, Settings>;
/// A dense layer that learns its bias alone, 64 inputs and 32 outputs.
pub type BiasOnly = Alone<backpass::BiasOnly<backpass::Dense<32>, [f32; 64]>, [f32; 64], 0, Settings>;

/// A branch of one 3x3 convolution beside the input.
pub type Residual = Alone<backpass::Residual<backpass::Conv2d<Image<8, 8, 8>, 3>>, Image<8, 8, 8>>;
/// Two branches of one 1x1 convolution each, side by side.
pub type Concat = Alone<
    backpass::Concat<Image<8, 8, 16>, backpass::Conv2d<Image<8, 8, 8>, 1>, backpass::Conv2d<Image<8, 8, 8>, 1>>,
    Image<8, 8, 8>,
>;
/// A branch of one 3x3 convolution beside a 1x1 convolution, both of half the size.
pub type ResidualProjection = Alone<
    backpass::ResidualProjection<backpass::Conv2d<Image<4, 4, 16>, 3, 2>, backpass::Conv2d<Image<4, 4, 16>, 1, 2>>,
    Image<8, 8, 8>,
>;

/// Layers that have no default.
#[derive(Debug, Clone, Copy)]
pub struct Settings;

/// In flash.
static WEIGHTS: Linear<[[f32; 32]; 64], [f32; 32]> = Linear { weight: [[0.1; 32]; 64], bias: [0.1; 32] };

impl Make<backpass::Scale<16>> for Settings {
    fn make() -> backpass::Scale<16> {
        backpass::Scale { mean: [0.5; 16], factor: [2.0; 16] }
    }
}

impl Make<backpass::Frozen<backpass::Dense<32>, [f32; 64]>> for Settings {
    fn make() -> backpass::Frozen<backpass::Dense<32>, [f32; 64]> {
        backpass::Frozen::new(backpass::Dense::new(), &WEIGHTS)
    }
}

impl Make<backpass::FrozenPrefix<backpass::Dense<32>, [f32; 64], 64>> for Settings {
    fn make() -> backpass::FrozenPrefix<backpass::Dense<32>, [f32; 64], 64> {
        backpass::FrozenPrefix::new(backpass::Dense::new(), &WEIGHTS)
    }
}

impl Make<backpass::BiasOnly<backpass::Dense<32>, [f32; 64]>> for Settings {
    fn make() -> backpass::BiasOnly<backpass::Dense<32>, [f32; 64]> {
        backpass::BiasOnly::new(backpass::Dense::new(), &WEIGHTS)
    }
}

#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod checkpoint;
pub mod descend;
pub mod error;
#[cfg(feature = "defmt")]
mod formats;
pub mod gradients;
pub mod guard;
pub mod inference;
pub mod init;
mod kernel;
pub mod layer;
pub mod layers;
pub mod learner;
pub mod loss;
mod math;
pub mod memory;
mod message;
mod network;
pub mod optimizer;
pub mod params;
pub mod rng;
pub mod schedule;
pub mod stream;
pub mod streaming;
pub mod tensor;

pub use descend::{Descend, Descent, DescentStep, First, InPlace, Later, Place};
pub use error::{ObserveError, TrainError, UpdateError};
pub use gradients::{Accumulation, Gradients};
pub use guard::{Guard, Refusals};
pub use inference::Inference;
pub use init::Initialization;
pub use layer::{InputGradient, Layer, Pass, open_gate};
pub use layers::{
    AveragePool, BatchNorm, BatchNormParams, Bias, BiasOnly, Concat, Conv1d, Conv2d, Dense, DepthwiseConv1d,
    DepthwiseConv2d, Dropout, Elu, Embedding, Flatten, Frozen, FrozenPrefix, Gelu, GeluTanh, GlobalAveragePool,
    GlobalMaxPool, GroupNorm, Gru, GruCell, HardSigmoid, HardSwish, Identity, InstanceNorm, Keep, Last, LayerNorm,
    LeakyRelu, LinearBias, LinearLayer, LogSoftmax, Lstm, LstmCell, MaxPool, Mish, NoBias, PRelu, Pad, PerChannel,
    Projection, Recurrent, RecurrentCell, RecurrentParams, Relu, Relu6, ResetAfter, ResetBefore, Reshape, Residual,
    ResidualProjection, RmsNorm, Rnn, RnnCell, Scale, Selu, Sequence, Shared, Sigmoid, Silu, Softmax, Softplus,
    Softsign, SplitLast, Tanh, TrainableLast, trainable_last,
};
pub use learner::Learner;
pub use loss::{
    BinaryCrossEntropy, ClassWeights, ConfiguredCrossEntropy, CosineEmbedding, CrossEntropy, Hinge, Huber, IgnoreClass,
    Loss, MeanAbsoluteError, MeanSquaredError, NegativeLogLikelihood, PositiveWeight, TargetError, Unweighted,
    WeightedBinaryCrossEntropy,
};
pub use memory::Memory;
pub use optimizer::{
    Adadelta, Adagrad, Adam, AmsGrad, CenteredMomentumRmsProp, CenteredRmsProp, ClipNorm, ClipValue, Lars, LayerRates,
    Lion, Momentum, MomentumRmsProp, Optimizer, RmsProp, Scheduled, Sgd, State, Step,
};
pub use params::{Linear, Name, Params};
pub use rng::Rng;
pub use schedule::Schedule;
pub use streaming::Streaming;
pub use tensor::{Image, Signal, Tensor, Vector, Zero};

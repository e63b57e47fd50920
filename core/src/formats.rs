//! With the feature `defmt`, every public type can be logged. Checked by the compiler.

use defmt::Format;

use crate::optimizer::adam::AdamState;
use crate::optimizer::{LayerFactors, ScheduledState, Sets, Slice};
use crate::schedule::{
    Constant, Cosine, Exponential, LinearWarmup, OneCycle, PlateauState, ReduceOnPlateau, StepDecay,
};
use crate::stream::*;
use crate::*;

const fn is_format<T: Format>() {}

type Net = (Dense<2>, Relu, Dense<2, NoBias>);

const _: () = {
    is_format::<(Dense<2>, Dense<2, NoBias>, Bias, NoBias)>();
    is_format::<(Flatten<2>, LeakyRelu, Relu, Sigmoid, Tanh)>();
    is_format::<(Conv1d<Signal<2, 1>, 1>, Conv2d<Image<1, 2, 3>, 1>)>();
    is_format::<(DepthwiseConv1d<Signal<2, 1>, 1>, DepthwiseConv2d<Image<1, 2, 3>, 1>)>();
    is_format::<(BiasOnly<Dense<2>, [f32; 3]>, LinearBias<[f32; 2]>)>();
    is_format::<(BinaryCrossEntropy, WeightedBinaryCrossEntropy<f32>, WeightedBinaryCrossEntropy<[f32; 2]>)>();
    is_format::<(CrossEntropy, ConfiguredCrossEntropy, ConfiguredCrossEntropy<[f32; 2]>, IgnoreClass<CrossEntropy>)>();
    is_format::<(NegativeLogLikelihood, NegativeLogLikelihood<[f32; 2]>)>();
    is_format::<(CosineEmbedding, Hinge, Huber, MeanAbsoluteError, MeanSquaredError, TargetError, Unweighted)>();
    is_format::<(Sgd, Momentum, Adam, AdamState, AmsGrad, Adagrad, Adadelta, Lion, Lars)>();
    is_format::<(RmsProp, MomentumRmsProp, CenteredRmsProp, CenteredMomentumRmsProp)>();
    is_format::<(ClipNorm<ClipValue<Sgd>>, LayerRates<Scheduled<Sgd, Constant>, 2>, ScheduledState<(), PlateauState>)>(
    );
    is_format::<(Step<'_>, LayerFactors<'_>, Slice<'_>, Sets)>();
    is_format::<(LinearWarmup<Cosine>, Exponential, OneCycle, ReduceOnPlateau, StepDecay)>();
    is_format::<(Rnn<2>, Gru<2, Sequence>, Lstm<2>, Last, Sequence, ResetAfter, ResetBefore)>();
    is_format::<RecurrentParams<[f32; 2], [f32; 2], [f32; 2]>>();
    is_format::<Streaming<Rnn<2>, Signal<1, 3>>>();
    is_format::<(checkpoint::Error<u8>, checkpoint::Part, checkpoint::Info, checkpoint::Fingerprint)>();
    is_format::<(checkpoint::Store<()>, checkpoint::Image<[u8; 4]>)>();
    is_format::<(Initialization, InputGradient, Pass, Rng, Name<'_>)>();
    is_format::<(ObserveError, UpdateError, TrainError)>();
    is_format::<(Linear<[[f32; 2]; 3], [f32; 2]>, Vector<2>, Signal<2, 3>, Image<2, 3, 4>)>();
    is_format::<(Adwin, PageHinkley, Side, Mean, Quantile, Threshold, EarlyStop)>();
    is_format::<(StandardScaler<2>, MinMaxScaler<2>, Window<2, 3, 1>)>();
    is_format::<(Replay<[f32; 2], u8, ClassBalanced<2>, 3>, Replay<Quantized<2>, (), Reservoir, 3>)>();
    is_format::<(Example<'_, [f32; 2], u8>, Metrics<2, 3>, ConfusionMatrix<2>, RollingAccuracy<3>)>();
    is_format::<(ValueError, SampleError, ClassOutOfRange, ReplayError)>();
    is_format::<Memory<Net, [f32; 2], Adam>>();
    is_format::<Learner<'_, Net, [f32; 2], CrossEntropy, Adam>>();
};

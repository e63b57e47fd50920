//! Every layer, loss, rule and schedule of the learner, ten steps each: what must have the same bits on a board and in the host
//! twin, and what must link without a panic.

use backpass::loss::Loss;
use backpass::schedule::{Constant, Cosine, Exponential, LinearWarmup, OneCycle, ReduceOnPlateau, StepDecay};
use backpass::{
    Adadelta, Adagrad, Adam, AmsGrad, AveragePool, BatchNorm, BiasOnly, BinaryCrossEntropy, Concat, Conv1d, Conv2d,
    CosineEmbedding, CrossEntropy, Dense, DepthwiseConv1d, DepthwiseConv2d, Dropout, Elu, Embedding, Flatten, Frozen,
    Gelu, GeluTanh, GlobalAveragePool, GlobalMaxPool, GroupNorm, Gru, HardSigmoid, HardSwish, Hinge, Huber, Identity,
    Image, InstanceNorm, Keep, Lars, Layer, LayerNorm, LeakyRelu, Learner, Linear, Lion, LogSoftmax, Lstm, MaxPool,
    MeanAbsoluteError, MeanSquaredError, Memory, Mish, Momentum, NegativeLogLikelihood, NoBias, Optimizer, PRelu, Pad,
    Relu, Relu6, Reshape, Residual, ResidualProjection, RmsNorm, RmsProp, Rnn, Scale, Selu, Sequence, Sgd, Sigmoid,
    Signal, Silu, Softmax, Softplus, Softsign, Streaming, Tanh, Tensor, TrainableLast, trainable_last,
};
use backpass::{Params, Rng};

use crate::parameters_crc32;

/// Steps of each training.
pub const STEPS: u32 = 10;

/// What one training came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trained {
    /// What was trained.
    pub name: &'static str,
    /// Samples and steps that were accepted, of twice [`STEPS`].
    pub accepted: u32,
    /// The bits of the last loss.
    pub loss: u32,
    /// CRC-32 of all parameters.
    pub crc32: u32,
}

/// An image, seen by the network of all layers.
pub type Picture = Image<6, 6, 2>;

/// Layers over images.
pub type Stem = (
    Scale<2>,
    Pad<Image<8, 8, 2>>,
    Conv2d<Image<8, 8, 4>, 3, 1, NoBias>,
    BatchNorm,
    Relu6,
    MaxPool<Image<4, 4, 4>, 2>,
    DepthwiseConv2d<Image<4, 4, 4>, 3>,
    GroupNorm<2>,
    PRelu,
    AveragePool<Image<2, 2, 4>, 2>,
);

/// Branches.
pub type Body = (
    Residual<(Conv2d<Image<2, 2, 4>, 1>, Elu, Conv2d<Image<2, 2, 4>, 1>)>,
    ResidualProjection<(Conv2d<Image<2, 2, 6>, 3>, Selu, InstanceNorm), Conv2d<Image<2, 2, 6>, 1>>,
    Relu,
    Concat<Image<2, 2, 8>, Identity, Conv2d<Image<2, 2, 2>, 1>>,
    Dropout,
    Silu,
    Reshape<Signal<4, 8>>,
);

/// Layers over time.
pub type Time = (
    Conv1d<Signal<4, 6>, 3>,
    HardSwish,
    DepthwiseConv1d<Signal<4, 6>, 3>,
    LayerNorm,
    Gelu,
    Rnn<5, Sequence>,
    Gru<4, Sequence>,
    Lstm<4, Sequence>,
    RmsNorm,
    GeluTanh,
);

/// Layers over vectors.
pub type Head = (
    Concat<[f32; 8], GlobalAveragePool, GlobalMaxPool>,
    Softplus,
    Frozen<Dense<8>, [f32; 8]>,
    Tanh,
    BiasOnly<Dense<6>, [f32; 8]>,
    Softsign,
    Keep,
    Dense<6>,
    Mish,
    HardSigmoid,
    LeakyRelu,
    Softmax,
    Dense<5>,
    Sigmoid,
    Dense<4>,
    LogSoftmax,
);

/// All layers in one network, but for those that must come first: embedding, flatten and frozen prefix have their own.
pub type All = (Stem, Body, Time, Head);

static FROZEN: Linear<[[f32; 8]; 8], [f32; 8]> = Linear { weight: [[0.25; 8]; 8], bias: [0.1; 8] };
static BIAS_ONLY: Linear<[[f32; 6]; 8], [f32; 6]> =
    Linear { weight: [[0.5, -0.25, 0.125, -0.5, 0.3, -0.1]; 8], bias: [0.05; 6] };

/// [`All`], with settings.
#[must_use]
pub fn all() -> All {
    let stem = (
        Scale { mean: [0.1, -0.1], factor: [0.9, 1.1] },
        Pad::new(0.0),
        Conv2d::new(),
        BatchNorm::new(),
        Relu6,
        MaxPool::new(),
        DepthwiseConv2d::new(),
        GroupNorm::new(),
        PRelu::new(),
        AveragePool::new(),
    );
    let (residual, projection, relu, concat, _, silu, reshape) = Body::default();
    let body = (residual, projection, relu, concat, Dropout::new(0.25), silu, reshape);
    let head = (
        Concat::new(GlobalAveragePool, GlobalMaxPool),
        Softplus::default(),
        Frozen::new(Dense::new(), &FROZEN),
        Tanh,
        BiasOnly::new(Dense::new(), &BIAS_ONLY),
        Softsign,
        Keep,
        Dense::new(),
        Mish,
        HardSigmoid::new(),
        LeakyRelu::default(),
        Softmax,
        Dense::new(),
        Sigmoid,
        Dense::new(),
        LogSoftmax,
    );
    (stem, body, Time::default(), head)
}

/// The memory of [`All`], which an application keeps in a static.
pub type Ram = Memory<All, Picture, Adam>;

/// Trains the network of all layers.
pub fn layers(memory: &mut Ram) -> Trained {
    train("every layer", memory, all(), NegativeLogLikelihood::new(), Adam::new(0.01), &2)
}

/// Trains a small network by every loss and every rule, those that begin with layers of their own, and one on a live stream; tells
/// `log` what each came to.
pub fn others(log: &mut dyn FnMut(Trained)) {
    let wanted = [0.25, 0.5, 0.75];
    log(small("absolute error, Adadelta", MeanAbsoluteError, Adadelta::new(1.0), &wanted));
    log(small("squared error, Adagrad", MeanSquaredError, Adagrad::new(0.05), &wanted));
    log(small("Huber, Adam", Huber::new(), Adam::new(0.01).l2(0.01), &wanted));
    log(small("binary cross-entropy, AdamW", BinaryCrossEntropy, Adam::adamw(0.01), &wanted));
    let weighted = BinaryCrossEntropy.positive_weight(2.0);
    log(small("weighted binary cross-entropy, AMSGrad", weighted, AmsGrad::new(0.01), &wanted));
    log(small("cross-entropy, Lars", CrossEntropy, Lars::new(0.1), &1));
    log(small("soft cross-entropy, Lion", CrossEntropy, Lion::new(0.001), &wanted));
    let smooth = CrossEntropy.weights([1.0, 2.0, 0.5]).label_smoothing(0.1).ignore(9);
    log(small("smoothed cross-entropy, momentum", smooth, Momentum::new(0.05, 0.9).nesterov(), &2));
    log(small("hinge, RMSprop", Hinge::new(), RmsProp::new(0.01), &0));
    log(small(
        "binary hinge, centred RMSprop",
        Hinge::new().squared(),
        RmsProp::new(0.01).centered(),
        &[1.0, -1.0, 1.0],
    ));
    let rule = RmsProp::new(0.01).momentum(0.5);
    log(small("cosine embedding, RMSprop with momentum", CosineEmbedding { margin: 0.1 }, rule, &(wanted, -1.0)));
    let rule = Sgd::new(0.1).weight_decay(0.01).clip_value(0.5).clip_norm(1.0).layer_rates([0.5, 1.0, 1.0]);
    log(small(
        "clipped descent, layer rates, warm-up",
        MeanSquaredError,
        rule.schedule(LinearWarmup::new(3, Cosine::new(4).restarts(2))),
        &wanted,
    ));
    log(small("one cycle", MeanSquaredError, Sgd::new(0.1).schedule(OneCycle::new(8)), &wanted));
    log(small("step decay", MeanSquaredError, Sgd::new(0.1).schedule(StepDecay::new(3, 0.5)), &wanted));
    log(small("exponential decay", MeanSquaredError, Sgd::new(0.1).schedule(Exponential::new(0.9)), &wanted));
    log(small("constant rate", MeanSquaredError, Sgd::new(0.1).schedule(Constant(0.5)), &wanted));
    log(small("reduce on plateau", MeanSquaredError, Sgd::new(0.1).schedule(ReduceOnPlateau::new()), &wanted));

    type Words = (Embedding<5, 3>, Flatten<12>, Dense<3>);
    let words: Words = (Embedding, Flatten, Dense::new());
    let mut memory = Memory::<Words, [f32; 4], Sgd>::new();
    let token = |rng: &mut Rng| rng.below(5) as f32;
    log(train_on(token, "embedding, flatten", &mut memory, words, CrossEntropy, Sgd::new(0.1), &1));
    log(prefix());
    log(stream());
    log(crate::live::live());
}

type Small = (Dense<5>, Relu, Dense<3>);

fn small<L, O, T>(name: &'static str, loss: L, optimizer: O, target: &T) -> Trained
where
    L: Loss<[f32; 3], T>,
    O: Optimizer,
{
    train(name, &mut Memory::<Small, [f32; 4], O>::new(), Small::default(), loss, optimizer, target)
}

/// A head that learns behind a body that is frozen.
fn prefix() -> Trained {
    type Net = (Dense<6>, Relu, Dense<3>);
    type Personal = TrainableLast<1, Net, [f32; 4], 6>;
    static BODY: (Linear<[[f32; 6]; 4], [f32; 6]>, ()) =
        (Linear { weight: [[0.5, -0.5, 0.25, -0.25, 0.1, -0.1]; 4], bias: [0.1; 6] }, ());
    let network: Personal = trainable_last::<1, Net, _, _>(Net::default(), &BODY);
    train("frozen prefix", &mut Memory::new(), network, CrossEntropy, Sgd::new(0.1), &1)
}

/// A recurrent network that learns from windows and predicts step by step.
fn stream() -> Trained {
    type Net = (Gru<4>, Dense<3>);
    let mut memory = Memory::<Net, Signal<5, 2>, Sgd>::new();
    let mut trained = train("stream", &mut memory, Net::default(), CrossEntropy, Sgd::new(0.1), &1);
    let mut stream = Streaming::<Net, Signal<1, 2>>::new();
    let learner = Learner::new(&mut memory, Net::default(), CrossEntropy, Sgd::new(0.1));
    let mut rng = Rng::new(3);
    for _ in 0..STEPS {
        let step = [[rng.symmetric(1.0), rng.symmetric(1.0)]];
        let class = stream.predict(learner.network(), learner.params(), &step).argmax();
        trained.crc32 = trained.crc32.rotate_left(1) ^ class as u32;
    }
    trained
}

/// Ten steps of one training, on samples between -1 and 1.
fn train<N, X, L, O, T>(
    name: &'static str,
    memory: &mut Memory<N, X, O>,
    network: N,
    loss: L,
    optimizer: O,
    target: &T,
) -> Trained
where
    N: Layer<X>,
    X: Tensor,
    L: Loss<N::Output, T>,
    O: Optimizer,
{
    train_on(|rng| rng.symmetric(1.0), name, memory, network, loss, optimizer, target)
}

/// Ten steps of one training, on drawn samples.
fn train_on<N, X, L, O, T>(
    draw: impl Fn(&mut Rng) -> f32,
    name: &'static str,
    memory: &mut Memory<N, X, O>,
    network: N,
    loss: L,
    optimizer: O,
    target: &T,
) -> Trained
where
    N: Layer<X>,
    X: Tensor,
    L: Loss<N::Output, T>,
    O: Optimizer,
{
    let mut learner = Learner::new(memory, network, loss, optimizer);
    learner.initialize(1);
    let mut rng = Rng::new(2);
    let (mut sample, mut accepted, mut last) = (X::ZERO, 0, f32::NAN);
    for _ in 0..STEPS {
        sample.flat_mut().iter_mut().for_each(|value| *value = draw(&mut rng));
        if let Ok(loss) = learner.observe(&sample, target) {
            last = loss;
            accepted += 1;
        }
        accepted += u32::from(learner.update().is_ok());
        learner.report(last);
    }
    Trained { name, accepted, loss: last.to_bits(), crc32: parameters_crc32(learner.params()) }
}

/// How many values the network of all layers learns or measures.
pub const PARAMETERS: usize = <All as Layer<Picture>>::Params::COUNT;

#[cfg(test)]
mod tests {
    use std::boxed::Box;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn every_training_accepts_every_sample_and_step() {
        let mut all = Vec::from([layers(&mut Box::new(Ram::new()))]);
        others(&mut |trained| all.push(trained));
        for trained in all {
            assert_eq!(trained.accepted, 2 * STEPS, "{trained:?}");
            assert!(f32::from_bits(trained.loss).is_finite(), "{trained:?}");
        }
    }

    #[test]
    fn what_a_training_comes_to_depends_on_every_bit() {
        let run = |rate| small("squared error", MeanSquaredError, Sgd::new(rate), &[0.25, 0.5, 0.75]);
        assert_eq!(run(0.1), run(0.1));
        assert_ne!(run(0.1).crc32, run(f32::from_bits(0.1_f32.to_bits() + 1)).crc32);
    }
}

//! Adversarial numbers: learners of every kind are fed with NaN, infinities, subnormals, huge and tiny values, labels that do
//! not exist, and learning rates that make every gradient explode.
//!
//! After each thing done to a learner: what is refused is refused with the error that fits, and has changed nothing, bit for
//! bit; parameters, moments and gradients are finite; the counters are exactly right; and a prediction changes nothing. In
//! between come calm rounds on samples as they should be, in which nothing may be refused, and whose bits are those of a learner
//! that never saw anything else.

mod garbage;
mod victim;

use backpass::schedule::{Cosine, LinearWarmup, ReduceOnPlateau};
use backpass::{
    Adadelta, Adagrad, Adam, AmsGrad, BatchNorm, BinaryCrossEntropy, Conv1d, Conv2d, CosineEmbedding, CrossEntropy,
    Dense, DepthwiseConv2d, Dropout, Elu, Embedding, Flatten, Gelu, GlobalAveragePool, GroupNorm, Gru, HardSwish,
    Hinge, Huber, Image, InPlace, InstanceNorm, Lars, LayerNorm, LeakyRelu, Lion, LogSoftmax, Lstm, MaxPool,
    MeanAbsoluteError, MeanSquaredError, Mish, Momentum, NegativeLogLikelihood, Optimizer, PRelu, Relu, Residual,
    RmsNorm, RmsProp, Rng, Rnn, Sgd, Sigmoid, Signal, Silu, Softplus, Tanh,
};
use garbage::{OUTPUTS, classes, numbers, plain, probabilities, signed};
use victim::{Subject, Victim, by_descent, by_gradient};

use super::{Check, CheckError, Effort, Progress, Tally};

/// The row of the table.
pub(super) const CHECK: Check = Check {
    name: "adversarial",
    machine: None,
    about: "NaN, infinities, extreme values, labels that do not exist, exploding gradients: refused, and nothing lost",
    run,
};

/// Things done to a learner from one start to the next.
const ROUND: u64 = 200;
/// One round of so many is calm.
const CALM: u64 = 4;

fn run(effort: Effort, progress: &mut Progress<'_>) -> Result<Tally, CheckError> {
    Ok(attack(effort.choose(200_000, 10_000_000), 1, progress))
}

/// Does `steps` things to all kinds of learner in turn.
fn attack(steps: u64, seed: u64, progress: &mut Progress<'_>) -> Tally {
    let mut tally = Tally::default();
    let mut rng = Rng::new(seed);
    let kinds = kinds();
    let mut victims: Vec<_> = kinds.iter().map(|kind| (kind.make)()).collect();
    let (mut round, mut refused) = (0, 0);
    while tally.tried < steps {
        for (kind, victim) in kinds.iter().zip(&mut victims) {
            let calm = kind.can_be_calm && round % CALM == CALM - 1;
            let start = rng;
            let results = live(victim.as_mut(), &mut rng, calm);
            refused += u64::from(victim.refused());
            for result in results {
                tally.count(result.map_err(|failure| format!("{}: {failure}", kind.name)));
            }
            if calm {
                let mut other = (kind.make)();
                live(other.as_mut(), &mut { start }, calm);
                let same = other.bits() == victim.bits();
                let failure = || format!("{}: a calm round after bad ones has other bits", kind.name);
                tally.count(if same { Ok(()) } else { Err(failure()) });
            }
            progress(tally.tried.min(steps), steps);
        }
        round += 1;
    }
    tally.note =
        format!("steps of {} networks, losses and rules in turn; {refused} refused, as they had to be", kinds.len());
    tally
}

/// One round.
fn live(victim: &mut dyn Victim, rng: &mut Rng, calm: bool) -> Vec<Result<(), String>> {
    victim.restart(rng, calm);
    (0..ROUND).map(|_| victim.attack(rng, calm)).collect()
}

/// A kind of learner.
struct Kind {
    name: String,
    /// Whether its settings are of use, so that it learns from good samples.
    can_be_calm: bool,
    make: Box<dyn Fn() -> Box<dyn Victim>>,
}

type Mlp = (Dense<5>, Relu, Dense<OUTPUTS>);
type Norms = (Dense<6>, LayerNorm, Silu, Dense<4>, RmsNorm, BatchNorm, Dropout, Dense<OUTPUTS>);
type Smooth = (Dense<4>, Tanh, Dense<4>, Gelu, Residual<(Dense<4>, Elu, Dense<4>)>, Sigmoid, Dense<OUTPUTS>);
type Convolution = (Conv2d<Image<4, 4, 2>, 3>, Relu, MaxPool<Image<2, 2, 2>, 2>, Flatten<8>, Dense<OUTPUTS>);
type Depthwise = (
    Conv2d<Image<4, 4, 4>, 3>,
    GroupNorm<2>,
    PRelu,
    DepthwiseConv2d<Image<4, 4, 4>, 3>,
    InstanceNorm,
    Mish,
    GlobalAveragePool,
    Dense<OUTPUTS>,
);
type Time = (Conv1d<Signal<5, 3>, 3>, HardSwish, Softplus, Rnn<3>, LeakyRelu, Dense<OUTPUTS>);
type Gated = (Gru<4>, Dense<OUTPUTS>);
type Long = (Lstm<3>, Dense<OUTPUTS>);
type Words = (Embedding<5, 3>, Flatten<12>, Dense<OUTPUTS>);

/// Adds `subject`, by any optimizer, to the kinds.
macro_rules! kind {
    ($kinds:ident, $name:expr, $box:ident, $calm:expr, $subject:expr) => {
        $kinds.push(Kind { name: $name.to_string(), can_be_calm: $calm, make: Box::new(move || $box($subject)) })
    };
}

/// Adds two networks that learn by `rule`.
macro_rules! rule {
    ($kinds:ident, $name:expr, $calm:expr, $rule:expr) => {
        let rule = $rule;
        let norms = Subject { network: norms(), goal: numbers(MeanSquaredError), rule, plain: plain::<[f32; 4]> };
        kind!($kinds, format!("norms, squared error, {}", $name), by_gradient, $calm, norms);
        let network = Convolution::default();
        let convolution = Subject { network, goal: classes(Hinge::new()), rule, plain: plain::<Image<4, 4, 1>> };
        kind!($kinds, format!("convolution, hinge, {}", $name), by_gradient, $calm, convolution);
    };
}

/// Adds a network that learns by descent, with a gradient array and in place.
macro_rules! network {
    ($kinds:ident, $name:expr, $network:expr, $goal:expr, $plain:expr) => {
        let (network, goal, plain) = ($network, $goal, $plain);
        let subject = Subject { network, goal, rule: Sgd::new(0.01), plain };
        kind!($kinds, format!("{}, descent", $name), by_gradient, true, subject);
        let subject = Subject { network, goal, rule: InPlace::new(0.01), plain };
        kind!($kinds, format!("{}, in place", $name), by_descent, true, subject);
    };
}

fn mlp() -> Mlp {
    Mlp::default()
}

fn norms() -> Norms {
    let (first, layer, silu, second, rms, batch, _, last) = Norms::default();
    (first, layer, silu, second, rms, batch, Dropout::new(0.3), last)
}

fn kinds() -> Vec<Kind> {
    let mut kinds = Vec::new();
    rule!(kinds, "descent", true, Sgd::new(0.01).weight_decay(0.01));
    rule!(kinds, "momentum", true, Momentum::new(0.01, 0.9).l2(0.001));
    rule!(kinds, "Nesterov", true, Momentum::new(0.01, 0.9).nesterov());
    rule!(kinds, "RMSprop", true, RmsProp::new(0.01));
    rule!(kinds, "centred RMSprop with momentum", true, RmsProp::new(0.01).centered().momentum(0.5));
    rule!(kinds, "Adagrad", true, Adagrad::new(0.01));
    rule!(kinds, "Adadelta", true, Adadelta::new(1.0));
    rule!(kinds, "Adam", true, Adam::new(0.01));
    rule!(kinds, "AdamW", true, Adam::adamw(0.01));
    rule!(kinds, "AMSGrad", true, AmsGrad::new(0.01));
    rule!(kinds, "Lion", true, Lion::new(0.001));
    rule!(kinds, "Lars", true, Lars::new(0.1).l2(5e-4));
    rule!(kinds, "clipped descent", true, Sgd::new(0.1).clip_norm(1.0).clip_value(0.5));
    let rule = Sgd::new(0.1).layer_rates([0.1, 1e9, 1.0]);
    let rates = Subject { network: mlp(), goal: classes(CrossEntropy), rule, plain: plain::<[f32; 4]> };
    kind!(kinds, "dense, cross-entropy, layer rates", by_gradient, false, rates);
    let schedule = LinearWarmup::new(5, Cosine::new(50).restarts(2));
    rule!(kinds, "Adam with a schedule", true, Adam::new(0.01).schedule(schedule));
    rule!(kinds, "descent with a plateau", true, Sgd::new(0.01).schedule(ReduceOnPlateau::new()));
    // Settings that nobody should choose.
    rule!(kinds, "growing momentum", false, Momentum::new(0.1, 1.5));
    rule!(kinds, "Adam without epsilon", false, Adam { epsilon: 0.0, ..Adam::new(0.1) });
    rule!(kinds, "Adam that never forgets", false, Adam { beta1: 1.0, beta2: 1.0, ..Adam::new(0.1) });
    rule!(kinds, "RMSprop that is not a number", false, RmsProp { alpha: f32::NAN, ..RmsProp::new(0.1) });
    rule!(kinds, "Lars without limits", false, Lars { trust: 1e30, ..Lars::new(1e9) });
    rule!(kinds, "clipped to nothing", false, Sgd::new(0.1).clip_norm(0.0));

    let vector = plain::<[f32; 4]>;
    network!(
        kinds,
        "smooth activations, binary cross-entropy",
        Smooth::default(),
        probabilities(BinaryCrossEntropy),
        vector
    );
    network!(kinds, "dense, Huber", mlp(), numbers(Huber::new()), vector);
    network!(kinds, "dense, absolute error", mlp(), numbers(MeanAbsoluteError), vector);
    network!(kinds, "dense, soft cross-entropy", mlp(), numbers(CrossEntropy), vector);
    network!(kinds, "dense, cosine embedding", mlp(), signed(CosineEmbedding { margin: 0.1 }), vector);
    network!(kinds, "norms, cross-entropy", norms(), classes(CrossEntropy), vector);
    let weighted = CrossEntropy.weights([1.0, 2.0, 0.5]).label_smoothing(0.1);
    network!(kinds, "dense, weighted cross-entropy", mlp(), classes(weighted), vector);
    let likelihood = (Dense::<4>::new(), Relu, Dense::<OUTPUTS>::new(), LogSoftmax);
    network!(kinds, "dense, likelihood", likelihood, classes(NegativeLogLikelihood::new()), vector);
    let image = plain::<Image<4, 4, 1>>;
    network!(kinds, "convolution, cross-entropy", Convolution::default(), classes(CrossEntropy), image);
    network!(kinds, "depthwise, squared error", Depthwise::default(), numbers(MeanSquaredError), image);
    let signal = plain::<Signal<5, 2>>;
    network!(kinds, "convolution over time, squared hinge", Time::default(), classes(Hinge::new().squared()), signal);
    network!(kinds, "gated recurrent, cross-entropy", Gated::default(), classes(CrossEntropy), signal);
    network!(kinds, "long short-term, cross-entropy", Long::default(), classes(CrossEntropy), signal);
    let tokens: fn(&mut Rng) -> [f32; 4] = |rng| [(); 4].map(|()| rng.below(5) as f32);
    network!(kinds, "embedding, cross-entropy", Words::default(), classes(CrossEntropy), tokens);
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_of_every_kind_is_refused_and_nothing_is_lost() {
        let tally = attack(100_000, 2, &mut |_, _| {});
        assert!(tally.is_passed(), "{tally:#?}");
    }
}

//! A thousand steps in one go, or 500, a loss of power, and 500 more: the same bits.

use backpass::checkpoint::{Archive, Persist, Store};
use backpass::schedule::{Cosine, Exponential, LinearWarmup, OneCycle, ReduceOnPlateau, StepDecay};
use backpass::stream::{
    ClassBalanced, Drift, Metrics, Normalizer, PageHinkley, Quantized, Replay, Reservoir, Sampling, StandardScaler,
    Storage,
};
use backpass::{
    Adadelta, Adagrad, Adam, AmsGrad, BatchNorm, CrossEntropy, Dense, Dropout, InPlace, Lars, Learner, Lion, Memory,
    Momentum, Optimizer, Relu, RmsProp, Rng, Sgd, Tensor,
};

use crate::harness::{Flash, bits};

type Input = [f32; 4];
type Net = (Dense<12>, BatchNorm, Relu, Dropout, Dense<8>, Relu, Dropout, Dense<3>);

const STEPS: u32 = 1000;

fn network() -> Net {
    let mut network = Net::default();
    (network.3.rate, network.6.rate) = (0.25, 0.1);
    network
}

/// All that a device has beside its learner.
struct Beside<S: Storage<Input>, P: Sampling<u8>> {
    /// The sensor, whose samples come one after another.
    sensor: Rng,
    /// The order of what is learned again.
    order: [u32; 8],
    shuffle: Rng,
    scaler: StandardScaler<4>,
    replay: Replay<S, u8, P, 8>,
    metrics: Metrics<3, 20>,
    drift: PageHinkley,
}

impl<S: Storage<Input>, P: Sampling<u8>> Beside<S, P> {
    fn new() -> Self {
        Self {
            sensor: Rng::new(1),
            order: [0, 1, 2, 3, 4, 5, 6, 7],
            shuffle: Rng::new(2),
            scaler: StandardScaler::new(),
            replay: Replay::seeded(3),
            metrics: Metrics::new(),
            drift: PageHinkley::new(),
        }
    }
}

impl<S: Storage<Input>, P: Sampling<u8>> Persist for Beside<S, P> {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        let Self { sensor, order, shuffle, scaler, replay, metrics, drift } = self;
        (sensor, order, shuffle, scaler, replay, metrics, drift).persist(archive);
    }
}

/// Some steps of a device: measure, scale, test, learn, remember; each step a mini-batch of the new sample and a remembered one.
fn live<O: Optimizer, S: Storage<Input>, P: Sampling<u8>>(
    learner: &mut Learner<'_, Net, Input, CrossEntropy, O>,
    beside: &mut Beside<S, P>,
    steps: std::ops::Range<u32>,
) {
    for step in steps {
        let class = beside.sensor.below(3) as u8;
        let mut sample = [(); 4].map(|()| beside.sensor.symmetric(1.0) + f32::from(class));
        beside.scaler.learn(&sample).unwrap();
        beside.scaler.transform(&mut sample).unwrap();
        let (loss, output) = learner.evaluate(&sample, &usize::from(class)).unwrap();
        beside.metrics.update(class.into(), output.argmax()).unwrap();
        beside.drift.update(loss).unwrap();
        beside.shuffle.shuffle(&mut beside.order);

        learner.observe(&sample, &usize::from(class)).unwrap();
        if let Some(earlier) = beside.replay.choose() {
            let mut sample = [0.0; 4];
            earlier.write(&mut sample);
            sample[0] += beside.order[0] as f32 * 1e-3;
            learner.observe(&sample, &usize::from(earlier.label())).unwrap();
        }
        beside.replay.add(&sample, class).unwrap();
        // Every other step two steps' samples make one update, so that 500 is in the middle of a mini-batch.
        if step % 2 == 0 {
            learner.update().unwrap();
        }
        if step % 50 == 0 {
            learner.report(beside.metrics.rolling_accuracy());
        }
    }
}

fn check<O: Optimizer + Copy, S: Storage<Input>, P: Sampling<u8>>(rule: O) {
    let start = |memory| {
        let mut learner = Learner::new(memory, network(), CrossEntropy, rule);
        learner.initialize(5);
        learner
    };
    let mut memory = Memory::new();
    let (mut whole, mut beside) = (start(&mut memory), Beside::<S, P>::new());
    live(&mut whole, &mut beside, 0..STEPS);

    let mut store = Store::new(Flash::new(8), 0..8 * 4096).unwrap();
    let mut memory = Memory::new();
    let (mut first, mut extra) = (start(&mut memory), Beside::<S, P>::new());
    live(&mut first, &mut extra, 0..STEPS / 2);
    let saved = store.save(&first, &mut extra).unwrap();
    assert!(saved.pending > 0);

    // Power is lost: all that was in RAM is gone.
    let mut memory = Memory::new();
    let mut second = Learner::new(&mut memory, network(), CrossEntropy, rule);
    let mut extra = Beside::<S, P>::new();
    assert_eq!(store.load(&mut second, &mut extra), Ok(saved));
    assert_eq!(bits(&second), bits(&first));
    live(&mut second, &mut extra, STEPS / 2..STEPS);
    assert!(bits(&second) == bits(&whole), "{}", std::any::type_name::<O>());

    // What is beside the learner has the same bits too: it makes the same checkpoint.
    let image = |learner: &Learner<'_, Net, Input, CrossEntropy, O>, beside: &mut Beside<S, P>| {
        let mut store = Store::new(Flash::new(8), 0..8 * 4096).unwrap();
        store.save(learner, beside).unwrap();
        store.release().0
    };
    assert!(image(&second, &mut extra) == image(&whole, &mut beside), "{}", std::any::type_name::<O>());
}

#[test]
fn every_rule_goes_on_bit_for_bit() {
    type Plain = Input;
    check::<_, Plain, Reservoir>(Sgd::new(0.05));
    check::<_, Plain, Reservoir>(Momentum::new(0.02, 0.9));
    check::<_, Plain, Reservoir>(Momentum::new(0.02, 0.9).nesterov().weight_decay(0.01));
    check::<_, Plain, Reservoir>(Momentum::new(0.02, 0.9).dampening(0.5));
    check::<_, Plain, Reservoir>(RmsProp::new(0.005));
    check::<_, Plain, Reservoir>(RmsProp::new(0.005).momentum(0.9));
    check::<_, Plain, Reservoir>(RmsProp::new(0.005).centered());
    check::<_, Plain, Reservoir>(RmsProp::new(0.005).centered().momentum(0.9));
    check::<_, Plain, Reservoir>(Adagrad::new(0.05));
    check::<_, Plain, Reservoir>(Adadelta::new(1.0));
    check::<_, Plain, Reservoir>(Adam::new(0.01));
    check::<_, Plain, Reservoir>(Adam::adamw(0.01));
    check::<_, Plain, Reservoir>(AmsGrad::new(0.01));
    check::<_, Plain, Reservoir>(Lion::new(0.001));
    check::<_, Plain, Reservoir>(Lars::new(0.1));
}

#[test]
fn every_schedule_and_wrapper_goes_on_bit_for_bit() {
    type Small = Quantized<4, 4>;
    type Balanced = ClassBalanced<3>;
    check::<_, Small, Balanced>(Sgd::new(0.05).schedule(LinearWarmup::new(50, Cosine::new(300).restarts(2))));
    check::<_, Small, Balanced>(Sgd::new(0.05).schedule(Exponential::new(0.999)));
    check::<_, Small, Balanced>(Sgd::new(0.05).schedule(StepDecay::new(100, 0.5)));
    check::<_, Small, Balanced>(Adam::new(0.01).schedule(OneCycle::new(500)));
    // A rising accuracy is a metric that does not fall.
    let plateau = ReduceOnPlateau { gamma: 0.5, patience: 2, cooldown: 1, ..ReduceOnPlateau::new() };
    check::<_, Small, Balanced>(Momentum::new(0.02, 0.9).schedule(plateau));
    check::<_, Small, Balanced>(Adam::new(0.01).clip_norm(0.5).clip_value(0.1));
    check::<_, Small, Balanced>(AmsGrad::new(0.01).layer_rates([0.1, 1.0, 1.0, 1.0, 0.5, 1.0, 1.0, 1.0]));
}

#[test]
fn learning_in_place_goes_on_bit_for_bit() {
    let live = |learner: &mut Learner<'_, Net, Input, CrossEntropy, InPlace>, rng: &mut Rng, steps| {
        for _ in 0..steps {
            let class = rng.below(3) as usize;
            learner.train(&[(); 4].map(|()| rng.symmetric(1.0) + class as f32), &class).unwrap();
        }
    };
    let mut memories = [(); 3].map(|()| Memory::new());
    let [mut whole, mut first, mut second] =
        memories.each_mut().map(|memory| Learner::new(memory, network(), CrossEntropy, InPlace::new(0.02)));
    let mut rng = Rng::new(1);
    whole.initialize(4);
    live(&mut whole, &mut rng, STEPS);
    let mut rng = Rng::new(1);
    first.initialize(4);
    live(&mut first, &mut rng, STEPS / 2);
    let mut store = Store::new(Flash::new(2), 0..2 * 4096).unwrap();
    store.save(&first, &mut rng).unwrap();
    let mut rng = Rng::new(0);
    store.load(&mut second, &mut rng).unwrap();
    live(&mut second, &mut rng, STEPS / 2);
    assert_eq!(second.params(), whole.params());
    assert_eq!(second.observed(), STEPS);
}

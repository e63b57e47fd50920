//! What holds for every rule and every wrapper.

use std::vec::Vec;

use super::*;
use crate::schedule::{Constant, Cosine, Exponential, LinearWarmup, OneCycle, ReduceOnPlateau, StepDecay};
use crate::{BatchNormParams, Linear};

/// A network of a dense layer and a batch normalisation.
type Net = (Linear<[[f32; 2]; 3], [f32; 2]>, BatchNormParams<[f32; 2]>);

/// Something to check for each optimizer, made from its learning rate.
trait Each {
    fn check<O: Optimizer>(&self, name: &str, moments: usize, make: impl Fn(f32) -> O);
}

/// Every rule with its options on, and every wrapper.
fn every_optimizer(each: &impl Each) {
    each.check("sgd", 0, Sgd::new);
    each.check("sgd, decays", 0, |rate| Sgd::new(rate).weight_decay(0.1).l2(0.2));
    each.check("momentum", 1, |rate| Momentum::new(rate, 0.9));
    each.check("nesterov", 1, |rate| Momentum::new(rate, 0.9).nesterov().weight_decay(0.1).l2(0.2));
    each.check("dampened", 1, |rate| Momentum::new(rate, 0.9).dampening(0.5));
    each.check("rmsprop", 1, |rate| RmsProp::new(rate).weight_decay(0.1).l2(0.2));
    each.check("rmsprop, momentum", 2, |rate| RmsProp::new(rate).momentum(0.9));
    each.check("rmsprop, centered", 2, |rate| RmsProp::new(rate).centered());
    each.check("rmsprop, both", 3, |rate| RmsProp::new(rate).momentum(0.9).centered());
    each.check("adagrad", 1, |rate| Adagrad { learning_rate_decay: 0.1, ..Adagrad::new(rate).l2(0.2) });
    each.check("adadelta", 2, Adadelta::new);
    each.check("adam", 2, Adam::new);
    each.check("adamw", 2, Adam::adamw);
    each.check("amsgrad", 3, AmsGrad::new);
    each.check("lion", 1, |rate| Lion::new(rate).weight_decay(0.1));
    each.check("lars", 1, |rate| Lars::new(rate).l2(0.1));
    each.check("by value", 1, |rate| Momentum::new(rate, 0.9).clip_value(0.5));
    each.check("by norm", 2, |rate| Adam::new(rate).clip_norm(1.0));
    each.check("layers", 1, |rate| Momentum::new(rate, 0.9).layer_rates([0.5, 2.0]));
    each.check("constant", 0, |rate| Sgd::new(rate).schedule(Constant(0.5)));
    each.check("steps", 0, |rate| Sgd::new(rate).schedule(StepDecay::new(1, 0.5)));
    each.check("exponential", 1, |rate| Lion::new(rate).schedule(Exponential::new(0.9)));
    each.check("cosine", 2, |rate| Adam::new(rate).schedule(Cosine::new(9)));
    each.check("one cycle", 0, |rate| Sgd::new(rate).schedule(OneCycle::new(30)));
    each.check("plateau", 1, |rate| Lars::new(rate).schedule(ReduceOnPlateau::new()));
    each.check("all", 3, |rate| {
        let schedule = LinearWarmup::new(3, Cosine::new(9));
        AmsGrad::new(rate).clip_norm(1.0).clip_value(0.5).schedule(schedule).layer_rates([1.0, 0.5])
    });
}

/// Everything that a step may change.
struct Training<O: Optimizer> {
    params: Net,
    gradients: Net,
    moments: O::Moments<Net>,
    state: O::State,
}

impl<O: Optimizer> Training<O> {
    fn new() -> Self {
        let mut params = Net::ZERO;
        params.0.weight = [[0.5, -1.0], [0.25, 2.0], [-0.75, 0.1]];
        params.0.bias = [0.3, -0.2];
        params.1 = BatchNormParams { weight: [1.0; 2], bias: [0.1; 2], running_mean: [0.5; 2], running_var: [1.0; 2] };
        Self { params, gradients: Net::ZERO, moments: Zero::ZERO, state: Zero::ZERO }
    }

    /// Adds a gradient that differs from element to element, and among statistics too.
    fn observe(&mut self, size: f32) {
        let mut k = 0.0;
        Net::visit_mut([&mut self.gradients], None, &mut |_, [values]| {
            for value in values {
                k += 1.0;
                *value += size * (2.0 - k * 0.3);
            }
        });
    }

    fn step(&mut self, optimizer: &O, samples: u32) -> bool {
        let Self { params, gradients, moments, state } = self;
        let taken = optimizer.step(params, gradients, moments, state, Step::new(samples));
        if taken {
            *gradients = Net::ZERO;
        }
        taken
    }

    /// Bits of everything.
    fn bits(&self) -> Vec<u32> {
        let mut bits = Vec::new();
        for set in [&self.params, &self.gradients].into_iter().chain(self.moments.as_ref()) {
            set.visit(None, &mut |_, values| bits.extend(values.iter().map(|value| value.to_bits())));
        }
        let mut state = self.state;
        state.words(&mut |word| bits.push(*word));
        bits
    }
}

#[test]
fn moments_are_the_memory_that_each_rule_states() {
    struct Moments;
    impl Each for Moments {
        fn check<O: Optimizer>(&self, name: &str, moments: usize, _: impl Fn(f32) -> O) {
            assert_eq!(size_of::<O::Moments<Net>>(), moments * 4 * Net::COUNT, "{name}");
        }
    }
    every_optimizer(&Moments);
}

#[test]
fn a_refused_step_changes_nothing_and_training_goes_on_as_if_it_had_not_been() {
    struct Refused;
    impl Each for Refused {
        fn check<O: Optimizer>(&self, name: &str, _: usize, make: impl Fn(f32) -> O) {
            let good = make(0.01);
            let (mut training, mut twin) = (Training::<O>::new(), Training::<O>::new());
            for _ in 0..4 {
                training.observe(0.7);
                twin.observe(0.7);
                let before = training.bits();
                for rate in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    assert!(!training.step(&make(rate), 3), "{name}, rate {rate}");
                    assert!(training.bits() == before, "{name}, rate {rate}: something has changed");
                }
                assert!(training.step(&good, 2) && twin.step(&good, 2), "{name}");
                assert!(training.bits() == twin.bits(), "{name}: the refused step has left something");
                assert!(training.bits() != before, "{name}: nothing is learned");
            }
            // One of the last weights would leave the range of numbers, the way that it has gone so far.
            training.params.1.bias[0] = f32::MAX;
            training.gradients.1.bias[0] = -f32::MAX;
            let before = training.bits();
            assert!(!training.step(&make(3e38), 1), "{name}, exploding");
            assert!(training.bits() == before, "{name}, exploding: something has changed");
        }
    }
    every_optimizer(&Refused);
}

#[test]
fn statistics_follow_the_data_whatever_the_optimizer() {
    struct Statistics;
    impl Each for Statistics {
        fn check<O: Optimizer>(&self, name: &str, _: usize, make: impl Fn(f32) -> O) {
            let mut training = Training::<O>::new();
            for step in 1..=3_u8 {
                // Large enough to be clipped.
                training.observe(10.0);
                training.gradients.1.running_mean = [100.0, -4.0];
                training.gradients.1.running_var = [-0.5, 1000.0];
                assert!(training.step(&make(0.01), 4), "{name}");
                let steps = f32::from(step);
                assert_eq!(training.params.1.running_mean, [0.5 + 25.0 * steps, 0.5 - steps], "{name}");
                assert_eq!(training.params.1.running_var, [1.0 - 0.125 * steps, 1.0 + 250.0 * steps], "{name}");
            }
            for set in [&training.gradients].into_iter().chain(training.moments.as_ref()) {
                assert_eq!((set.1.running_mean, set.1.running_var), ([0.0; 2], [0.0; 2]), "{name}");
            }
            // They are checked as everything is.
            training.observe(0.1);
            training.params.1.running_var[1] = f32::MAX;
            training.gradients.1.running_var[1] = f32::MAX;
            let before = training.bits();
            assert!(!training.step(&make(0.01), 1), "{name}");
            assert!(training.bits() == before, "{name}");
        }
    }
    every_optimizer(&Statistics);
}

#[test]
fn the_words_of_a_state_are_all_of_it() {
    struct Words;
    impl Each for Words {
        fn check<O: Optimizer>(&self, name: &str, _: usize, make: impl Fn(f32) -> O) {
            let mut training = Training::<O>::new();
            for _ in 0..3 {
                training.observe(0.5);
                assert!(training.step(&make(0.01), 1), "{name}");
            }
            make(0.01).report(0.5, &mut training.state);
            let mut stored = Vec::new();
            training.state.words(&mut |word| stored.push(*word));
            assert_eq!(4 * stored.len(), size_of::<O::State>(), "{name}");
            let (mut restored, mut next) = (O::State::ZERO, stored.iter());
            restored.words(&mut |word| *word = *next.next().unwrap());
            let mut again = Vec::new();
            restored.words(&mut |word| again.push(*word));
            assert_eq!(again, stored, "{name}");
        }
    }
    every_optimizer(&Words);
}

/// One weight, `w`, its gradients, and what it is after each step.
fn weights<O: Optimizer, const STEPS: usize>(optimizer: O, w: f32, gradients: [f32; STEPS]) -> [f32; STEPS] {
    type One = Linear<[f32; 1], [f32; 0]>;
    let (mut params, mut moments, mut state) = (One { weight: [w], bias: [] }, Zero::ZERO, Zero::ZERO);
    gradients.map(|gradient| {
        let mut gradients = One { weight: [gradient], bias: [] };
        assert!(optimizer.step(&mut params, &mut gradients, &mut moments, &mut state, Step::new(1)));
        params.weight[0]
    })
}

fn assert_close<const N: usize>(values: [f32; N], expected: [f32; N]) {
    assert!(values.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-6 * b.abs()), "{values:?}, not {expected:?}");
}

#[test]
fn first_steps_are_those_worked_out_by_hand() {
    // w = 2, g = 4: 2 - 0.1 4; decoupled, (1 - 0.1 0.5) 2 - 0.4; L2, 2 - 0.1 (4 + 0.5 2).
    assert_close(weights(Sgd::new(0.1), 2.0, [4.0]), [1.6]);
    assert_close(weights(Sgd::new(0.1).weight_decay(0.5), 2.0, [4.0]), [1.5]);
    assert_close(weights(Sgd::new(0.1).l2(0.5), 2.0, [4.0]), [1.5]);
    // m = 4, then 0.5 4 + 2 = 4; Nesterov steps along 4 + 0.5 4 = 6, then 2 + 0.5 4 = 4.
    assert_close(weights(Momentum::new(0.1, 0.5), 2.0, [4.0, 2.0]), [1.6, 1.2]);
    assert_close(weights(Momentum::new(0.1, 0.5).nesterov(), 2.0, [4.0, 2.0]), [1.4, 1.0]);
    // Dampening spares the first step: m = 4, then 0.5 4 + 0.25 2 = 2.5.
    assert_close(weights(Momentum::new(0.1, 0.5).dampening(0.75), 2.0, [4.0, 2.0]), [1.6, 1.35]);
    // s = 0.25 16 = 4: g / 2; centred, a = 1: g / √3; with momentum, b = 2, then s = 4 and b = 0.5 2 + √12 / 2.
    let rms = RmsProp { alpha: 0.75, ..RmsProp::new(0.1) };
    assert_close(weights(rms, 2.0, [4.0]), [1.8]);
    assert_close(weights(rms.centered(), 2.0, [4.0]), [2.0 - 0.4 / 3.0_f32.sqrt()]);
    let root = 12.0_f32.sqrt();
    assert_close(weights(rms.momentum(0.5), 2.0, [4.0, root]), [1.8, 1.8 - 0.1 * (1.0 + root / 6.0_f32.sqrt())]);
    assert_close(weights(rms.centered().momentum(0.5), 2.0, [4.0]), [2.0 - 0.4 / 3.0_f32.sqrt()]);
    // s = 16, then 25: 4 / 4, 3 / 5; from 9 beside it, 4 / 5; the second step at half the rate.
    assert_close(weights(Adagrad::new(0.1), 2.0, [4.0, 3.0]), [1.9, 1.84]);
    assert_close(weights(Adagrad { initial_accumulator: 9.0, ..Adagrad::new(0.1) }, 2.0, [4.0]), [1.92]);
    assert_close(weights(Adagrad { learning_rate_decay: 1.0, ..Adagrad::new(0.1) }, 2.0, [4.0, 3.0]), [1.9, 1.87]);
    // s = 0.5 4 = 2: 2 √1 / √(2 + 1).
    let adadelta = Adadelta { rho: 0.5, epsilon: 1.0, ..Adadelta::new(0.1) };
    assert_close(weights(adadelta, 2.0, [2.0]), [2.0 - 0.2 / 3.0_f32.sqrt()]);
    // The first step of Adam is the learning rate, whatever the gradient.
    assert_close(weights(Adam::new(0.1), 2.0, [4.0]), [1.9]);
    assert_close(weights(AmsGrad::new(0.1), 2.0, [-1e-3]), [2.1]);
    // A gradient of zero: v falls, its largest does not. m = 0.5 2 = 1, then 0.5; v = 0.5 4 = 2, then 1.
    let settings = AmsGrad { beta1: 0.5, beta2: 0.5, epsilon: 0.0, ..AmsGrad::new(0.1) };
    let second = 0.1 * (0.5 / 0.75) / (2.0_f32 / 0.75).sqrt();
    assert_close(weights(settings, 2.0, [2.0, 0.0]), [1.9, 1.9 - second]);
    // Lion: c = 0.4, then 0.9 0.04 - 0.1 0.5 < 0; a direction of zero does not move.
    assert_close(weights(Lion::new(0.1), 2.0, [4.0, -0.5]), [1.9, 2.0]);
    assert_close(weights(Lion::new(0.1).weight_decay(0.5), 2.0, [4.0, -0.5]), [1.8, 1.81]);
    assert_eq!(weights(Lion::new(0.1), 2.0, [0.0]), [2.0]);
    // r = 0.5 2 / 4 = 0.25; with an L2 penalty of 1, 1 / (4 + 2), and the gradient is 6.
    let lars = Lars { trust: 0.5, ..Lars::new(0.1) };
    assert_close(weights(lars, 2.0, [4.0]), [1.9]);
    assert_close(weights(lars.l2(1.0), 2.0, [4.0]), [1.9]);
    // A weight of zero has no ratio: r = 1.
    assert_close(weights(lars, 0.0, [4.0]), [-0.4]);
}

#[test]
fn lars_steps_biases_without_ratio_and_penalty() {
    let mut training = Training::<Lars>::new();
    training.gradients.0.bias = [1.0, -2.0];
    assert!(training.step(&Lars::new(0.1).l2(0.5), 1));
    assert_close(training.params.0.bias, [0.2, 0.0]);
}

#[test]
fn the_wrapper_built_last_clips_first() {
    type One = Linear<[f32; 2], [f32; 0]>;
    fn step(optimizer: impl Optimizer) -> [f32; 2] {
        let (mut params, mut moments, mut state) = (One::ZERO, Zero::ZERO, Zero::ZERO);
        let mut gradients = One { weight: [-6.0, 16.0], bias: [] };
        assert!(optimizer.step(&mut params, &mut gradients, &mut moments, &mut state, Step::new(2)));
        params.weight
    }
    let sgd = Sgd::new(1.0);
    // The mean gradient is (-3, 8).
    assert_eq!(step(sgd.clip_value(4.0)), [3.0, -4.0]);
    // By value to (-3, 4) of norm 5, then by norm to half of it.
    assert_close(step(sgd.clip_norm(2.5).clip_value(4.0)), [1.5, -2.0]);
    // By norm to 5 / √73 of it, then by value.
    assert_close(step(sgd.clip_value(4.0).clip_norm(5.0)), [15.0 / 73.0_f32.sqrt(), -4.0]);
    assert_eq!(step(sgd.clip_norm(9.0).clip_value(8.0)), [3.0, -8.0]);
}

#[test]
fn clipping_that_is_not_needed_leaves_the_bits() {
    let (mut clipped, mut plain) = (Training::<ClipNorm<ClipValue<Adam>>>::new(), Training::<Adam>::new());
    for _ in 0..3 {
        clipped.observe(0.5);
        plain.observe(0.5);
        assert!(clipped.step(&Adam::new(0.1).clip_value(100.0).clip_norm(100.0), 3) && plain.step(&Adam::new(0.1), 3));
        assert!(clipped.bits() == plain.bits());
    }
}

#[test]
fn a_gradient_whose_square_overflows_is_clipped_to_the_norm() {
    let mut training = Training::<ClipNorm<Sgd>>::new();
    let before = training.params;
    training.observe(1e30);
    assert!(training.step(&Sgd::new(1.0).clip_norm(2.0), 1));
    let mut sum = 0.0;
    Net::visit_mut([&mut training.params, &mut { before }], None, &mut |name, [after, before]| {
        if !name.is_statistic() {
            sum += after.iter().zip(before).map(|(a, b)| (*a - *b).powi(2)).sum::<f32>();
        }
    });
    assert!((sum.sqrt() - 2.0).abs() < 1e-5, "{sum}");
}

#[test]
fn a_bound_that_is_negative_or_nan_is_refused() {
    let mut training = Training::new();
    training.observe(1.0);
    let before = training.bits();
    for bound in [-1.0, f32::NAN] {
        assert!(!training.step(&Sgd::new(0.1).clip_norm(1.0).clip_value(bound), 1), "{bound}");
        assert!(!training.step(&Sgd::new(0.1).clip_norm(bound).clip_value(1.0), 1), "{bound}");
        assert!(training.bits() == before);
    }
    assert!(training.step(&Sgd::new(0.1).clip_norm(0.0).clip_value(0.0), 1));
    assert_eq!(training.params.0, Training::<Sgd>::new().params.0);
}

#[test]
fn a_layer_rate_of_zero_leaves_the_weights_and_moves_the_moments() {
    let mut training = Training::new();
    let before = training.params;
    for _ in 0..3 {
        training.observe(1.0);
        assert!(training.step(&Adam::adamw(0.1).layer_rates([0.0, 1.0]), 1));
    }
    assert_eq!(training.params.0, before.0);
    assert_ne!(training.params.1.weight, before.1.weight);
    assert!(training.moments.iter().all(|moment| moment.0.weight[0][0] != 0.0));
}

#[test]
fn a_network_of_one_layer_has_one_rate() {
    let half = weights(Sgd::new(0.1).layer_rates([0.5]), 2.0, [4.0]);
    assert_eq!(half, weights(Sgd::new(0.05), 2.0, [4.0]));
    let quarter = weights(Sgd::new(0.1).layer_rates([0.5]).layer_rates([0.5]), 2.0, [4.0]);
    assert_eq!(quarter, weights(Sgd::new(0.025), 2.0, [4.0]));
}

#[test]
fn schedules_within_schedules_multiply() {
    let twice = Sgd::new(1.0).schedule(Exponential::new(0.5)).schedule(StepDecay::new(2, 0.5));
    assert_eq!(weights(twice, 4.0, [1.0; 4]), [3.0, 2.5, 2.375, 2.3125]);
}

//! What is asked of every part alike: that a checkpoint keeps all of it, and that nothing in a checkpoint can harm it.

use core::fmt::Debug;
use std::vec::Vec;

use proptest::prelude::*;

use crate::Rng;
use crate::checkpoint::persist::{Archive, Mode, Persist, Stream};
use crate::stream::*;

/// Bytes of a checkpoint, written or read in order.
struct Bytes {
    bytes: Vec<u8>,
    position: usize,
    reading: bool,
}

impl Stream for Bytes {
    fn pass(&mut self, bytes: &mut [u8]) {
        if self.reading {
            bytes.copy_from_slice(&self.bytes[self.position..][..bytes.len()]);
        } else {
            self.bytes.extend_from_slice(bytes);
        }
        self.position += bytes.len();
    }

    fn position(&self) -> u32 {
        self.position as u32
    }
}

fn save(part: &mut impl Persist) -> Vec<u8> {
    let mut stream = Bytes { bytes: Vec::new(), position: 0, reading: false };
    let mut archive = Archive::new(Mode::Save, &mut stream);
    part.persist(&mut archive);
    assert!(archive.valid, "what is saved is as required");
    stream.bytes
}

/// Checks, then loads, as the store does. Whether it was valid.
fn load(part: &mut impl Persist, bytes: &[u8]) -> bool {
    for mode in [Mode::Check, Mode::Load] {
        let mut stream = Bytes { bytes: bytes.to_vec(), position: 0, reading: true };
        let mut archive = Archive::new(mode, &mut stream);
        part.persist(&mut archive);
        let valid = archive.valid;
        assert_eq!(stream.position, bytes.len());
        if !valid {
            return false;
        }
    }
    true
}

/// A part, and what is done with it at each step of a stream.
trait Part: Persist + Clone + PartialEq + Debug {
    /// Settings as in the program, nothing measured.
    fn fresh() -> Self;

    /// Takes a value; returns what it answers.
    fn step(&mut self, value: f32) -> f32;
}

fn drawn(seed: u64, number: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..number).map(|i| rng.symmetric(1.0) + (i / 40) as f32).collect()
}

/// After any number of steps, a checkpoint restores it, into a fresh one and into one that has seen other things; it goes on bit
/// for bit.
fn check<P: Part>() {
    for steps in [0, 1, 3, 4, 5, 6, 17, 100, 333] {
        let mut part = P::fresh();
        drawn(1, steps).into_iter().for_each(|value| {
            part.step(value);
        });
        let bytes = save(&mut part);
        let mut used = P::fresh();
        drawn(2, 77).into_iter().for_each(|value| {
            used.step(value);
        });
        for mut other in [P::fresh(), used] {
            assert!(load(&mut other, &bytes), "{steps}");
            assert_eq!(save(&mut other), bytes, "{steps}: saved again it is the same");
            assert_eq!(other, part, "{steps}");
            let mut original = part.clone();
            for value in drawn(3, 200) {
                assert_eq!(other.step(value).to_bits(), original.step(value).to_bits(), "{steps}");
            }
            assert_eq!(other, original);
        }
    }
}

/// Bytes that were made up, or changed: they are refused and change nothing, or the part goes on with finite answers.
fn check_crafted<P: Part>(bytes: &[u8], values: &[f32]) {
    let mut part = P::fresh();
    drawn(4, 25).into_iter().for_each(|value| {
        part.step(value);
    });
    let before = part.clone();
    if !load(&mut part, bytes) {
        assert_eq!(part, before);
    }
    for value in values {
        let answer = part.step(*value);
        assert!(answer.is_finite(), "{part:?}");
    }
    // What was taken can be saved again.
    save(&mut part);
}

/// All bytes at random, and a sound checkpoint with some changed.
fn crafted<P: Part>(random: &[u8], changes: &[(usize, u8)], values: &[f32]) {
    let mut part = P::fresh();
    drawn(5, 60).into_iter().for_each(|value| {
        part.step(value);
    });
    let mut bytes = save(&mut part);
    let made_up: Vec<u8> = random.iter().copied().cycle().take(bytes.len()).collect();
    check_crafted::<P>(&made_up, values);
    for (position, value) in changes {
        let position = position % bytes.len();
        bytes[position] = *value;
    }
    check_crafted::<P>(&bytes, values);
}

macro_rules! parts {
    ($($name:ident: $part:ty, $fresh:expr, |$self:ident, $value:ident| $step:expr;)+) => {
        $(impl Part for $part {
            fn fresh() -> Self {
                $fresh
            }

            fn step(&mut self, $value: f32) -> f32 {
                let $self = self;
                $step
            }
        })+

        $(#[test]
        fn $name() {
            check::<$part>();
        })+

        proptest! {
            #[test]
            fn nothing_in_a_checkpoint_can_harm_a_part(
                random in prop::collection::vec(any::<u8>(), 1..300),
                changes in prop::collection::vec(any::<(usize, u8)>(), 1..4),
                values in prop::collection::vec(-1e18_f32..1e18, 1..40),
            ) {
                $(crafted::<$part>(&random, &changes, &values);)+
            }
        }
    };
}

type Kept = Replay<[f32; 2], u8, ClassBalanced<3>, 5>;
type KeptBytes = Replay<Quantized<4, 2>, u16, ClassBalanced<4>, 6>;
type KeptAtRandom = Replay<f32, (), Reservoir, 4>;

/// A class made of a value.
fn class(value: f32, classes: u8) -> u8 {
    (value.abs() % f32::from(classes)) as u8
}

parts! {
    a_mean_is_kept: Mean, Mean::new(), |mean, x| {
        let _ = mean.update(x);
        mean.get()
    };
    a_standard_scaler_is_kept: StandardScaler<2>, StandardScaler::new(), |scaler, x| {
        let mut row = [x, 3.0 - x];
        let _ = scaler.learn(&row);
        if scaler.count() % 10 == 9 { scaler.freeze() } else { scaler.resume() }
        // Refused where the variance is very small.
        let _ = scaler.transform(&mut row);
        row[0] + 1e-3 * row[1]
    };
    a_min_max_scaler_is_kept: MinMaxScaler<2>, MinMaxScaler::new(), |scaler, x| {
        let mut row = [x, 3.0 - x];
        let _ = scaler.learn(&row);
        let _ = scaler.transform(&mut row);
        row[0] + 1e-3 * row[1]
    };
    a_window_is_kept: Window<7, 2, 3>, Window::new(), |window, x| {
        let complete = window.push(&[x, 1.0]) == Ok(true);
        let mut input = [0.0; 14];
        window.write(&mut input);
        assert_eq!(input[12..], [x, 1.0]);
        input[0] / 2.0 + f32::from(u8::from(complete))
    };
    a_replay_memory_is_kept: Kept, Kept::seeded(3), |replay, x| {
        let mut sample = [x, -x];
        let _ = replay.add(&sample, class(x, 3));
        let example = replay.choose().unwrap();
        example.write(&mut sample);
        assert!(example.label() < 3);
        sample[0] / 2.0 + f32::from(example.label())
    };
    a_quantised_replay_memory_is_kept: KeptBytes, KeptBytes::seeded(3), |replay, x| {
        let mut sample = [[x, -x], [1.0, x / 2.0]];
        let _ = replay.add(&sample, class(x, 4).into());
        let example = replay.choose().unwrap();
        example.write(&mut sample);
        sample[0][0] / 2.0 + sample[1][1] / 2.0
    };
    a_reservoir_is_kept: KeptAtRandom, KeptAtRandom::seeded(3), |replay, x| {
        let mut sample = x;
        let _ = replay.add(&x, ());
        replay.choose().unwrap().write(&mut sample);
        sample
    };
    page_hinkley_is_kept: PageHinkley, PageHinkley::new().threshold(10.0), |detector, x| {
        let _ = detector.update(x);
        detector.mean() + f32::from(u8::from(detector.is_detected()))
    };
    adwin_is_kept: Adwin<6, 4>, Adwin::new().clock(16), |detector, x| {
        let _ = detector.update(x);
        detector.mean() + 1e-20 * detector.variance() + f32::from(u8::from(detector.is_detected()))
    };
    metrics_are_kept: Metrics<4, 9>, Metrics::new(), |metrics, x| {
        let _ = metrics.update(class(x, 4).into(), class(2.0 * x, 4).into());
        metrics.accuracy() + metrics.rolling_accuracy() + metrics.confusion().kappa()
    };
    a_quantile_is_kept: Quantile, Quantile::new(0.8), |quantile, x| {
        let _ = quantile.update(x);
        quantile.get().unwrap()
    };
    a_threshold_is_kept: Threshold, Threshold::new(0.8).margin(1.5), |threshold, x| {
        let anomaly = threshold.is_anomaly(x) == Ok(true);
        let _ = threshold.learn(x);
        threshold.get().unwrap() + f32::from(u8::from(anomaly))
    };
    early_stopping_is_kept: EarlyStop, EarlyStop::new(), |stop, x| {
        let stopped = stop.update(-x) == Ok(true);
        stop.best().unwrap() + f32::from(u8::from(stopped))
    };
}

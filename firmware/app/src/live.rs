//! Every part of the live stream at once, as on a device: what must have the same bits on a board and in the host twin, and what must
//! link without a panic.

use backpass::stream::{
    Adwin, ClassBalanced, Drift, EarlyStop, Mean, Metrics, MinMaxScaler, Normalizer, PageHinkley, Quantized, Replay,
    Reservoir, StandardScaler, Threshold, Window,
};
use backpass::{CrossEntropy, Dense, Flatten, Learner, Memory, Momentum, Relu, Rng, Signal, Tensor};
use crc::{CRC_32_ISO_HDLC, Crc, Digest, NoTable};

use crate::every::{STEPS, Trained};

type Input = Signal<8, 3>;
type Net = (Flatten<24>, Dense<6>, Relu, Dense<3>);

static CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// Every part that a checkpoint can keep.
pub type Parts = (
    (StandardScaler<3>, MinMaxScaler<3>, Window<8, 3, 4>),
    (Replay<Quantized<24, 3>, u8, ClassBalanced<3>, 4>, Replay<Input, (), Reservoir, 3>),
    (Metrics<3, 5>, EarlyStop, Threshold, Mean),
    (PageHinkley, Adwin<5>),
);

/// The parts before anything was seen.
pub fn parts() -> Parts {
    (
        (StandardScaler::new(), MinMaxScaler::new(), Window::new()),
        (Replay::seeded(2), Replay::seeded(3)),
        (Metrics::new(), EarlyStop::new(), Threshold::new(0.9), Mean::new()),
        (PageHinkley::new(), Adwin::new()),
    )
}

/// One number for the bits of all that was computed.
struct Bits(Digest<'static, u32, NoTable>);

impl Bits {
    fn note(&mut self, value: f32) {
        self.0.update(&value.to_le_bytes());
    }

    fn note_all(&mut self, values: &[f32]) {
        values.iter().for_each(|value| self.note(*value));
    }

    fn count(&mut self, value: u32) {
        self.0.update(&value.to_le_bytes());
    }
}

/// Learns from the windows of a sensor that changes, with replay, while it is measured; then what looks at numbers alone.
pub fn live() -> Trained {
    let mut bits = Bits(CRC.digest());
    let (accepted, loss) = learn(&mut bits);
    watch(&mut bits);
    Trained { name: "live stream", accepted, loss: loss.to_bits(), crc32: bits.0.finalize() }
}

/// A row of the sensor.
fn row(rng: &mut Rng, class: usize) -> [f32; 3] {
    let strength = 0.1 + class as f32;
    [rng.symmetric(strength), 20.0 + rng.symmetric(strength), 1e-3 * rng.symmetric(strength)]
}

/// How many samples and steps were accepted, and the last loss.
fn learn(bits: &mut Bits) -> (u32, f32) {
    let mut memory = Memory::<Net, Input, Momentum>::new();
    let mut learner = Learner::new(&mut memory, Net::default(), CrossEntropy, Momentum::new(0.05, 0.9));
    learner.initialize(1);
    let (mut scaler, mut range) = (StandardScaler::<3>::new(), MinMaxScaler::<3>::new());
    let mut window = Window::<8, 3, 4>::new();
    let mut replay = Replay::<Quantized<24, 3>, u8, ClassBalanced<3>, 4>::seeded(2);
    let mut reservoir = Replay::<Input, (), Reservoir, 3>::seeded(3);
    let mut metrics = Metrics::<3, 5>::new();

    let mut rng = Rng::new(4);
    let (mut accepted, mut last) = (0, f32::NAN);
    for step in 0..4 * STEPS + 4 {
        let class = (step / 12) as usize % 3;
        let mut row = row(&mut rng, class);
        let mut scaled = row;
        let measured = scaler.learn(&row).and_then(|()| scaler.transform(&mut row));
        let ranged = range.learn(&scaled).and_then(|()| range.transform(&mut scaled));
        bits.note_all(&scaled);
        bits.note_all(&row);
        if step == 30 {
            scaler.freeze();
        }
        let (Ok(()), Ok(()), Ok(true)) = (measured, ranged, window.push(&row)) else { continue };
        if let Ok(loss) = metrics.test_then_train_with(&mut learner, |input| window.write(input), class) {
            bits.note(loss);
            last = loss;
            accepted += 1;
        }
        let mut remembered = 0;
        let logits = learner.predict_with(|input| {
            window.write(input);
            remembered += u32::from(replay.add(input, class as u8) == Ok(true));
            remembered += 2 * u32::from(reservoir.add(input, ()) == Ok(true));
        });
        bits.note_all(logits);
        bits.count(remembered);
        if let Some(earlier) = replay.choose() {
            let class = usize::from(earlier.label());
            if let Ok(loss) = learner.train_with(|input| earlier.write(input), &class) {
                bits.note(loss);
                accepted += 1;
            }
        }
    }
    let mut kept = [[0.0; 3]; 8];
    for index in 0..replay.len() {
        if let Some(earlier) = replay.get(index) {
            earlier.write(&mut kept);
            bits.note_all(kept.flat());
        }
    }
    let confusion = metrics.confusion();
    bits.note_all(&[metrics.accuracy(), metrics.rolling_accuracy(), confusion.balanced_accuracy(), confusion.kappa()]);
    bits.note_all(&scaler.mean());
    bits.note_all(&scaler.variance());
    bits.note_all(scaler.layer().factor.flat());
    bits.count(crate::parameters_crc32(learner.params()));
    (accepted, last)
}

/// Detectors and thresholds on errors that grow half way.
fn watch(bits: &mut Bits) {
    let (mut adwin, mut page_hinkley) = (Adwin::<5>::new(), PageHinkley::new().threshold(5.0));
    let (mut threshold, mut mean, mut stop) = (Threshold::new(0.9).margin(1.25), Mean::new(), EarlyStop::new());
    let mut rng = Rng::new(5);
    for step in 0..600_u32 {
        let error = 0.5 * rng.unit() + if step < 300 { 0.0 } else { 0.4 };
        let anomaly = threshold.is_anomaly(error) == Ok(true);
        let learned = threshold.learn(error).is_ok() && mean.update(error).is_ok();
        let alarms = [adwin.update(error) == Ok(true), page_hinkley.update(error) == Ok(true)];
        let stopped = stop.update(error) == Ok(true);
        let [first, second] = alarms.map(u32::from);
        bits.count(first + 2 * second + 4 * u32::from(anomaly) + 8 * u32::from(learned) + 16 * u32::from(stopped));
        bits.note_all(&page_hinkley.sums());
        bits.note_all(&[mean.get(), adwin.mean(), adwin.variance(), threshold.get().unwrap_or_default()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_is_learned_from_and_every_change_is_seen() {
        let live = live();
        assert_eq!(live.accepted, 2 * STEPS);
        assert!(f32::from_bits(live.loss).is_finite());
        assert_eq!(live, super::live());
    }
}

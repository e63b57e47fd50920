//! The learner that the checks save and load: small, so that every byte of its checkpoint can be tried.

use std::fmt::Debug;

use backpass::checkpoint::{Error, Store};
use backpass::{Adam, CrossEntropy, Dense, Dropout, Layer, Learner, Memory, Params, Relu, Rng, State};
use embedded_storage::nor_flash::NorFlash;

type Net = (Dense<3>, Relu, Dropout, Dense<2>);
type Ram = Memory<Net, [f32; 2], Adam>;

/// A learner with moments, counters, a random stream, sometimes a pending gradient, and a generator beside it.
#[derive(Debug)]
pub(super) struct Subject {
    learner: Learner<'static, Net, [f32; 2], CrossEntropy, Adam>,
    rng: Rng,
}

impl Subject {
    /// One with weights of its own.
    pub(super) fn new(seed: u64) -> Self {
        // A learner borrows its memory; the few subjects of a check live as long as the program.
        let memory = Box::leak(Box::new(Ram::new()));
        let network = (Dense::new(), Relu, Dropout::new(0.2), Dense::new());
        let learner = Learner::new(memory, network, CrossEntropy, Adam::new(0.01));
        let mut subject = Self { learner, rng: Rng::new(seed) };
        subject.initialize(seed);
        subject
    }

    /// Begins anew.
    pub(super) fn initialize(&mut self, seed: u64) {
        self.learner.initialize(seed);
        self.rng = Rng::new(seed);
    }

    /// Takes on the state of a device that has just been switched on.
    pub(super) fn reset(&mut self) {
        self.initialize(u64::MAX);
    }

    /// Learns from a few samples. An odd number leaves the last one's gradient pending.
    pub(super) fn train(&mut self, samples: u32) {
        for number in 1..=samples {
            let sample = [self.rng.symmetric(1.0), self.rng.symmetric(1.0)];
            // Finite samples at a small rate are never refused.
            let _ = self.learner.observe(&sample, &usize::from(sample[0] > sample[1]));
            if number % 2 == 0 {
                let _ = self.learner.update();
            }
        }
    }

    /// Saves it in all of the flash.
    pub(super) fn save<F: NorFlash>(&mut self, flash: &mut F) -> Result<u32, Error<F::Error>> {
        let range = 0..flash.capacity() as u32;
        Ok(Store::new(flash, range)?.save(&self.learner, &mut self.rng)?.sequence)
    }

    /// Loads the newest checkpoint.
    pub(super) fn load<F: NorFlash>(&mut self, flash: &mut F) -> Result<u32, Error<F::Error>> {
        let range = 0..flash.capacity() as u32;
        Ok(Store::new(flash, range)?.load(&mut self.learner, &mut self.rng)?.sequence)
    }

    /// Whether every parameter, moment and gradient is finite.
    pub(super) fn is_finite(&self) -> bool {
        let mut finite = true;
        for set in self.sets() {
            set.visit(None, &mut |_, values| finite &= values.iter().all(|value| value.is_finite()));
        }
        finite
    }

    fn sets(&self) -> impl Iterator<Item = &<Net as Layer<[f32; 2]>>::Params> {
        let learner = &self.learner;
        [learner.params()].into_iter().chain(learner.moments()).chain(learner.gradients())
    }

    /// All that a checkpoint must bring back, bit for bit.
    pub(super) fn bits(&self) -> Vec<u32> {
        let learner = &self.learner;
        let mut bits = vec![learner.observed(), learner.pending(), learner.refused()];
        let mut state = *learner.optimizer_state();
        state.words(&mut |word| bits.push(*word));
        for set in self.sets() {
            set.visit(None, &mut |_, values| bits.extend(values.iter().map(|value| value.to_bits())));
        }
        let mut next = self.rng;
        bits.push(next.next_u64() as u32);
        bits
    }
}

/// A checkpoint that is known to have been committed: its number and what is in it.
pub(super) type Known = (u32, Vec<u32>);

/// Boots: a device that has just been switched on loads what there is. It must get one of the states `allowed`, whole, or, if `none` is
/// allowed, no checkpoint, and be left as it was. Returns which.
pub(super) fn boot<F: NorFlash<Error: Debug>>(
    device: &mut Subject,
    flash: &mut F,
    allowed: &[&Known],
    none: bool,
) -> Result<Option<Known>, String> {
    device.reset();
    let before = device.bits();
    match device.load(flash) {
        Ok(sequence) => {
            let loaded = (sequence, device.bits());
            if allowed.contains(&&loaded) {
                return Ok(Some(loaded));
            }
            let numbers: Vec<_> = allowed.iter().map(|(sequence, _)| sequence).collect();
            Err(format!("it loaded checkpoint {sequence}, but not what was saved as that (expected: {numbers:?})"))
        }
        Err(error) if device.bits() != before => Err(format!("loading failed ({error}) and changed the learner")),
        Err(Error::NoCheckpoint | Error::Damaged { .. }) if none => Ok(None),
        Err(error) => Err(format!("it could not load: {error}")),
    }
}

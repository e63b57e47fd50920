//! The store on a flash in RAM that insists on the rules of NOR flash, and can fail.

use std::vec::Vec;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

use super::format::{self, COMMIT, Checksum, Envelope, HEADER, VERSION};
use super::*;
use crate::layer::Layer;
use crate::optimizer::Optimizer;
use crate::{
    Adam, BatchNorm, CrossEntropy, Dense, Dropout, InPlace, Learner, Lion, Memory, Momentum, NoBias, Params, Relu,
    RmsProp, Rng, Sgd, Tanh, Tensor,
};

type Fault = NorFlashErrorKind;

/// A flash with reads of `R`, writes of `W` and sectors of `E` bytes. Writing a place twice, or anything misaligned, panics.
#[derive(Clone)]
struct Ram<const R: usize, const W: usize, const E: usize> {
    bytes: Vec<u8>,
    written: Vec<bool>,
    erasures: Vec<u32>,
    /// How many bytes may still be written or erased before power is lost.
    energy: usize,
    /// How many reads succeed before, and how many fail after that.
    reads: (usize, usize),
    /// A place that stays as it is.
    stuck: Option<usize>,
    noise: Rng,
}

impl<const R: usize, const W: usize, const E: usize> Ram<R, W, E> {
    fn new(sectors: usize) -> Self {
        Self {
            bytes: std::vec![0xff; sectors * E],
            written: std::vec![false; sectors * E],
            erasures: std::vec![0; sectors],
            energy: usize::MAX,
            reads: (usize::MAX, 0),
            stuck: None,
            noise: Rng::new(1),
        }
    }

    /// One byte less of energy; a fault once there is none.
    fn spend(&mut self) -> Result<(), Fault> {
        self.energy = self.energy.checked_sub(1).ok_or(Fault::Other)?;
        Ok(())
    }
}

impl<const R: usize, const W: usize, const E: usize> ErrorType for Ram<R, W, E> {
    type Error = Fault;
}

impl<const R: usize, const W: usize, const E: usize> ReadNorFlash for Ram<R, W, E> {
    const READ_SIZE: usize = R;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        let offset = offset as usize;
        assert!(offset.is_multiple_of(R) && bytes.len().is_multiple_of(R), "misaligned read");
        match &mut self.reads {
            (0, 0) => {}
            (0, failures) => {
                *failures -= 1;
                return Err(Fault::Other);
            }
            (reads, _) => *reads -= 1,
        }
        bytes.copy_from_slice(&self.bytes[offset..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const R: usize, const W: usize, const E: usize> NorFlash for Ram<R, W, E> {
    const WRITE_SIZE: usize = W;
    const ERASE_SIZE: usize = E;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        let (from, to) = (from as usize, to as usize);
        assert!(from.is_multiple_of(E) && to.is_multiple_of(E) && from <= to, "misaligned erase");
        for at in from..to {
            if let Err(fault) = self.spend() {
                // What an erase that was cut short leaves in its sector is anything.
                for at in at..(at / E + 1) * E {
                    self.bytes[at] = self.noise.next_u64() as u8;
                    self.written[at] = true;
                }
                return Err(fault);
            }
            self.bytes[at] = 0xff;
            self.written[at] = false;
        }
        (from / E..to / E).for_each(|sector| self.erasures[sector] += 1);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        let offset = offset as usize;
        assert!(offset.is_multiple_of(W) && bytes.len().is_multiple_of(W), "misaligned write");
        for (at, byte) in (offset..).zip(bytes) {
            self.spend()?;
            assert!(!std::mem::replace(&mut self.written[at], true), "written twice: {at}");
            if self.stuck != Some(at) {
                self.bytes[at] &= byte;
            }
        }
        Ok(())
    }
}

type Small = Ram<1, 4, 256>;
type Net = (Dense<5>, Relu, Dense<3>);
type Beside = (Rng, [u32; 4]);
const ALL: u32 = 16 * 256;

fn learner<O: Optimizer>(
    memory: &mut Memory<Net, [f32; 4], O>,
    rule: O,
) -> Learner<'_, Net, [f32; 4], CrossEntropy, O> {
    Learner::new(memory, Net::default(), CrossEntropy, rule)
}

fn beside() -> Beside {
    (Rng::new(7), [1, 2, 3, 4])
}

/// Everything that may not change by a load that fails.
fn bits<N: Layer<X>, X: Tensor, L, O: Optimizer>(learner: &Learner<'_, N, X, L, O>) -> Vec<u32> {
    let mut bits = std::vec![learner.observed(), learner.pending(), learner.refused()];
    for set in [learner.params()].into_iter().chain(learner.gradients()).chain(learner.moments()) {
        set.visit(None, &mut |_, values| bits.extend(values.iter().map(|value| value.to_bits())));
    }
    let mut state = *learner.optimizer_state();
    crate::optimizer::State::words(&mut state, &mut |word| bits.push(*word));
    bits
}

/// Trains on random samples; the stream of samples is that of the generator beside it.
fn train<N: Layer<[f32; 4], Output = [f32; 3]>, O: Optimizer>(
    learner: &mut Learner<'_, N, [f32; 4], CrossEntropy, O>,
    rng: &mut Rng,
    steps: usize,
) {
    for _ in 0..steps {
        let sample = [(); 4].map(|()| rng.symmetric(1.0));
        learner.train(&sample, &(rng.below(3) as usize)).unwrap();
    }
}

/// A store that holds checkpoints 1 and 2, and the learner that was saved second.
fn twice<R>(
    run: impl FnOnce(&mut Store<Small>, &mut Learner<'_, Net, [f32; 4], CrossEntropy, Adam>, [Vec<u32>; 2]) -> R,
) -> R {
    let mut memory = Memory::new();
    let mut learner = learner(&mut memory, Adam::new(0.01));
    learner.initialize(1);
    let mut extra = beside();
    let mut store = Store::new(Small::new(16), 0..ALL).unwrap();
    let saved = [(); 2].map(|()| {
        train(&mut learner, &mut extra.0, 3);
        store.save(&learner, &mut extra).unwrap();
        bits(&learner)
    });
    run(&mut store, &mut learner, saved)
}

/// Makes all checksums of the checkpoint at the beginning of `image` right.
fn seal(image: &mut [u8]) {
    let number = |image: &[u8], at: usize| u32::from_le_bytes(*image[at..].first_chunk().unwrap());
    let header = usize::from(u16::from_le_bytes([image[10], image[11]]));
    let (sequence, body, commit) = (number(image, 12), number(image, 16) as usize, number(image, 20) as usize);
    let check = Checksum::of(&image[..header - 4]);
    image[header - 4..header].copy_from_slice(&check.to_le_bytes());
    let mut checksum = Checksum::new();
    checksum.add(&image[..header - 4]);
    let mut at = header;
    for part in 0..5 {
        let length = number(image, 24 + 4 * part) as usize;
        checksum.add(&image[at..at + length]);
        at += length;
        let check = checksum.value().to_le_bytes();
        let place = header + body - 20 + 4 * part;
        image[place..place + 4].copy_from_slice(&check);
    }
    checksum.add(&image[at..at + 20]);
    image[commit..commit + 16].copy_from_slice(&format::encode_commit(sequence, checksum.value()));
}

#[test]
fn a_learner_comes_back_from_any_flash() {
    fn check<const R: usize, const W: usize, const E: usize>() {
        let sectors = 2 * 2048_usize.div_ceil(E);
        let (mut one, mut two) = (Memory::new(), Memory::new());
        let mut saved = learner(&mut one, Momentum::new(0.1, 0.9));
        saved.initialize(1);
        let mut extra = beside();
        // Not at the flash's beginning.
        let mut store = Store::new(Ram::<R, W, E>::new(sectors + 1), E as u32..((sectors + 1) * E) as u32).unwrap();
        for round in 1..6 {
            train(&mut saved, &mut extra.0, 2);
            let info = store.save(&saved, &mut extra).unwrap();
            assert_eq!((info.sequence, info.observed, u32::from(info.slot)), (round, 2 * round, (round + 1) % 2));
            assert_eq!(store.latest().unwrap(), info);
            let mut loaded = learner(&mut two, Momentum::new(0.1, 0.9));
            let mut other = (Rng::new(0), [0; 4]);
            assert_eq!(store.load(&mut loaded, &mut other).unwrap(), info);
            assert_eq!((bits(&loaded), other), (bits(&saved), extra));
        }
        let flash = store.release();
        assert_eq!(flash.erasures[0], 0);
        assert!(flash.erasures.iter().all(|erasures| *erasures <= 3));
    }
    check::<1, 1, 512>();
    check::<1, 2, 1024>();
    check::<4, 4, 4096>();
    check::<1, 8, 2048>();
    check::<4, 8, 128>();
    check::<8, 4, 256>();
    check::<1, 16, 8192>();
    check::<32, 32, 4096>();
    check::<1, 256, 4096>();
    check::<256, 256, 256>();
    check::<1, 12, 1200>();
}

#[test]
fn power_lost_at_any_byte_leaves_the_newest_committed_checkpoint() {
    let mut cuts = 0;
    for energy in 0.. {
        let mut memory = Memory::new();
        let mut learner = learner(&mut memory, Sgd::new(0.1));
        learner.initialize(1);
        let mut extra = beside();
        let mut store = Store::new(Small::new(8), 0..8 * 256).unwrap();
        let mut saved = Vec::new();
        for round in 0..4 {
            train(&mut learner, &mut extra.0, 1);
            if round == 2 {
                store.save(&learner, &mut extra).unwrap();
                saved.push((bits(&learner), extra));
            } else {
                // Cut short, at a place that another save starts from; then power comes back.
                let mut flash = store.release();
                flash.energy = energy;
                flash.noise = Rng::new(energy as u64);
                store = Store::new(flash, 0..8 * 256).unwrap();
                let result = store.save(&learner, &mut extra);
                let mut flash = store.release();
                flash.energy = usize::MAX;
                store = Store::new(flash, 0..8 * 256).unwrap();
                match result {
                    Ok(_) => saved.push((bits(&learner), extra)),
                    Err(Error::Flash(Fault::Other)) => cuts += 1,
                    Err(error) => panic!("{error}"),
                }
            }
            let mut again = Memory::new();
            let mut again = self::learner(&mut again, Sgd::new(0.1));
            let mut other = (Rng::new(0), [0; 4]);
            match (store.load(&mut again, &mut other), saved.last()) {
                (Ok(info), Some(last)) => {
                    assert_eq!((&bits(&again), &other), (&last.0, &last.1), "{energy}");
                    assert_eq!(info.observed, last.0[0]);
                }
                (Err(Error::NoCheckpoint | Error::Damaged { .. }), None) => {}
                // All but the padding of the commit record was written, so the save counts though it was cut short.
                (result, _) => panic!("{energy}: {result:?}"),
            }
        }
        if saved.len() == 4 {
            break;
        }
    }
    assert!(cuts > 1000, "{cuts}");
}

#[test]
fn a_flipped_bit_anywhere_brings_the_older_one_and_says_which_part() {
    twice(|store, learner, [first, second]| {
        let info = store.latest().unwrap();
        let (start, length) = (usize::from(info.slot) * 8 * 256, info.length as usize);
        let flash = store.flash_mut().clone();
        let mut parts = Vec::new();
        for at in 0..length {
            for bit in [0, 5] {
                *store.flash_mut() = flash.clone();
                store.flash_mut().bytes[start + at] ^= 1 << bit;
                let mut extra = beside();
                let info = store.load(learner, &mut extra).unwrap();
                match info.skipped {
                    Some(part) => {
                        assert_eq!((info.sequence, bits(learner)), (1, first.clone()), "{at}");
                        parts.push(part);
                    }
                    // Bits of the padding are nobody's.
                    None => {
                        assert_eq!((info.sequence, bits(learner)), (2, second.clone()), "{at}");
                        assert!(at >= length - COMMIT as usize - 4 && at < length - COMMIT as usize);
                    }
                }
            }
        }
        parts.dedup();
        use Part::{Commit, Extra, Header, Moments, Parameters, State};
        // Checks at the body's end belong to their parts.
        assert_eq!(
            parts,
            [Header, Parameters, Moments, State, Extra, Parameters, Moments, State, Part::Gradients, Extra, Commit]
        );
    });
}

#[test]
fn if_both_are_damaged_nothing_is_loaded() {
    twice(|store, learner, _| {
        for (at, part) in [(20, Part::Header), (HEADER as usize, Part::Parameters)] {
            for slot in 0..2 {
                store.flash_mut().bytes[slot * 8 * 256 + at] ^= 1;
            }
            train(learner, &mut Rng::new(9), 1);
            let (before, mut extra) = (bits(learner), (Rng::new(5), [6; 4]));
            assert_eq!(store.load(learner, &mut extra), Err(Error::Damaged { part }));
            assert_eq!((bits(learner), extra), (before, (Rng::new(5), [6; 4])));
            assert_eq!(store.latest(), Err(Error::Damaged { part }));
            for slot in 0..2 {
                store.flash_mut().bytes[slot * 8 * 256 + at] ^= 1;
            }
        }
        // The next save counts on.
        store.flash_mut().bytes[HEADER as usize] ^= 1;
        assert_eq!(store.save(learner, &mut beside()).map(|info| (info.sequence, info.slot)), Ok((3, 0)));
    });
}

#[test]
fn what_is_of_something_else_is_refused_with_both_fingerprints() {
    twice(|store, learner, _| {
        let info = store.latest().unwrap();
        let mut extra = beside();

        let mut memory = Memory::<(Dense<5>, Tanh, Dense<3>), [f32; 4], Adam>::new();
        let mut other = Learner::new(&mut memory, Default::default(), CrossEntropy, Adam::new(0.01));
        let error = store.load(&mut other, &mut extra).unwrap_err();
        assert!(
            matches!(error, Error::OtherNetwork { stored, expected } if stored == info.network && expected != stored)
        );

        let mut memory = Memory::<Net, [f32; 4], Sgd>::new();
        let mut other = self::learner(&mut memory, Sgd::new(0.01));
        let error = store.load(&mut other, &mut extra).unwrap_err();
        assert!(
            matches!(error, Error::OtherOptimizer { stored, expected } if stored == info.optimizer && expected != stored)
        );

        let before = bits(learner);
        let error = store.load(learner, &mut Rng::new(1)).unwrap_err();
        assert!(matches!(error, Error::OtherExtra { stored, expected } if stored == info.extra && expected != stored));
        assert_eq!((bits(learner), extra), (before, beside()));

        // Settings are no part of it.
        learner.optimizer_mut().learning_rate = 0.5;
        store.load(learner, &mut extra).unwrap();
    });
}

#[test]
fn fingerprints_tell_shapes_layers_and_rules_apart() {
    fn of<N: Layer<X> + Default, X: Tensor, O: Optimizer + Copy>(rule: O) -> [u64; 2] {
        let mut memory = Memory::<N, X, O>::new();
        let learner = Learner::new(&mut memory, N::default(), CrossEntropy, rule);
        let mut store = Store::new(Ram::<1, 1, 4096>::new(2), 0..8192).unwrap();
        let info = store.save(&learner, &mut ()).unwrap();
        [info.network, info.optimizer]
    }
    let sgd = Sgd::new(0.1);
    let all = [
        of::<Dense<6, NoBias>, [f32; 4], _>(sgd)[0],
        of::<Dense<4, NoBias>, [f32; 6], _>(sgd)[0],
        of::<(Dense<4, NoBias>,), [f32; 6], _>(sgd)[0],
        of::<(Dense<4, NoBias>, Relu), [f32; 6], _>(sgd)[0],
        of::<(Dense<4, NoBias>, Tanh), [f32; 6], _>(sgd)[0],
        of::<(Dense<4, NoBias>, (Tanh,)), [f32; 6], _>(sgd)[0],
        of::<(Dense<4>, Relu), [f32; 6], _>(sgd)[0],
        of::<(Dense<4, NoBias>, crate::LayerNorm), [f32; 6], _>(sgd)[0],
        of::<(Dense<4, NoBias>, crate::GroupNorm<2>), [f32; 6], _>(sgd)[0],
        of::<Dense<6, NoBias>, [f32; 4], _>(sgd)[1],
        of::<Dense<6, NoBias>, [f32; 4], _>(Lion::new(0.1))[1],
        of::<Dense<6, NoBias>, [f32; 4], _>(RmsProp::new(0.1))[1],
        of::<Dense<6, NoBias>, [f32; 4], _>(sgd.schedule(crate::schedule::Cosine::new(9)))[1],
    ];
    // Layers without parameters count one by one, however they are nested.
    let same = [(4, 5)];
    for (i, one) in all.iter().enumerate() {
        for (j, other) in all.iter().enumerate().skip(i + 1) {
            assert_eq!(one == other, same.contains(&(i, j)), "{i} {j}");
        }
    }
    // Clipping is a setting.
    assert_eq!(of::<Dense<6>, [f32; 4], _>(sgd), of::<Dense<6>, [f32; 4], _>(sgd.clip_norm(1.0).clip_value(2.0)));
}

#[test]
fn a_newer_format_is_refused_and_kept() {
    twice(|store, learner, _| {
        let slot = usize::from(store.latest().unwrap().slot) * 8 * 256;
        let image = &mut store.flash_mut().bytes[slot..];
        image[8..10].copy_from_slice(&(VERSION + 1).to_le_bytes());
        seal(image);
        let before = bits(learner);
        let newer = Error::NewerFormat { stored: VERSION + 1, supported: VERSION };
        assert_eq!(store.load(learner, &mut beside()), Err(newer));
        assert_eq!(store.latest(), Err(newer));
        assert_eq!(bits(learner), before);
        // A save takes the other slot; the newer program finds its checkpoint if it comes back.
        let kept = store.flash_mut().bytes[slot..][..8 * 256].to_vec();
        assert_eq!(store.save(learner, &mut beside()).unwrap().sequence, 3);
        assert!(store.flash_mut().bytes[slot..][..8 * 256] == kept);
        // Damaged, it does not count.
        let info = store.latest().unwrap();
        store.flash_mut().bytes[slot + 200] ^= 1;
        store.flash_mut().bytes[usize::from(info.slot) * 8 * 256 + 200] ^= 1;
        assert!(matches!(store.load(learner, &mut beside()), Err(Error::Damaged { part: Part::Parameters })));
    });
}

#[test]
fn a_made_up_checkpoint_brings_no_wrong_numbers() {
    struct Count(u32);
    impl Persist for Count {
        fn persist(&mut self, archive: &mut Archive<'_>) {
            let count = archive.u32(&mut self.0);
            archive.require(count <= 10);
        }
    }
    let mut memory = Memory::new();
    let mut learner = learner(&mut memory, Momentum::new(0.1, 0.5));
    learner.initialize(1);
    train(&mut learner, &mut Rng::new(1), 2);
    let mut store = Store::new(Small::new(16), 0..ALL).unwrap();
    let mut count = Count(10);
    store.save(&learner, &mut count).unwrap();
    let whole = store.flash_mut().bytes.clone();
    let parameters = 4 * <Net as Layer<[f32; 4]>>::Params::COUNT;
    let (header, before) = (HEADER as usize, bits(&learner));
    let mut refused = |change: &dyn Fn(&mut [u8]), part| {
        store.flash_mut().bytes.copy_from_slice(&whole);
        change(&mut store.flash_mut().bytes);
        seal(&mut store.flash_mut().bytes);
        let result = store.load(&mut learner, &mut count).map(|info| info.sequence);
        match part {
            Some(part) => assert_eq!(result, Err(Error::Damaged { part })),
            None => assert_eq!(result, Ok(1)),
        }
        assert_eq!((bits(&learner), count.0), (before.clone(), 10));
    };
    fn number(image: &mut [u8], at: usize, value: u32) {
        image[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    refused(&|_| {}, None);
    refused(&|image| number(image, header, f32::NAN.to_bits()), Some(Part::Parameters));
    refused(&|image| number(image, header + parameters, f32::INFINITY.to_bits()), Some(Part::Moments));
    // Eleven of ten. Momentum has one word of state.
    refused(&|image| number(image, header + 2 * parameters + 4, 11), Some(Part::Extra));
    // Samples pending without a gradient.
    refused(&|image| number(image, 44, 3), Some(Part::Gradients));
    // Bounds that are too low or no numbers.
    refused(&|image| number(image, 64, 0), None);
    refused(&|image| number(image, 64, f32::NAN.to_bits()), None);
    // Lengths that do not belong to the network, but add up.
    refused(
        &|image| {
            number(image, 24, parameters as u32 + 4);
            number(image, 28, parameters as u32 - 4);
        },
        Some(Part::Parameters),
    );
    for (at, value) in [(16, u32::MAX), (20, u32::MAX - 20), (20, 50), (24, u32::MAX), (40, u32::MAX - 100)] {
        // Nothing to seal: what they point to is not there.
        store.flash_mut().bytes.copy_from_slice(&whole);
        number(&mut store.flash_mut().bytes, at, value);
        let check = Checksum::of(&store.flash_mut().bytes[..header - 4]);
        number(&mut store.flash_mut().bytes, header - 4, check);
        assert_eq!(store.load(&mut learner, &mut count), Err(Error::Damaged { part: Part::Header }), "{at}");
    }
}

#[test]
fn what_could_not_be_loaded_is_not_saved() {
    twice(|store, learner, _| {
        let flash = store.flash_mut().bytes.clone();
        learner.params_mut().2.bias[1] = f32::NAN;
        assert_eq!(store.save(learner, &mut beside()), Err(Error::Invalid { part: Part::Parameters }));
        learner.initialize(1);
        struct Odd(u32);
        impl Persist for Odd {
            fn persist(&mut self, archive: &mut Archive<'_>) {
                let odd = archive.u32(&mut self.0);
                archive.require(odd % 2 == 1);
            }
        }
        assert_eq!(store.save(learner, &mut Odd(2)), Err(Error::Invalid { part: Part::Extra }));
        assert!(store.flash_mut().bytes == flash);
        store.save(learner, &mut Odd(3)).unwrap();
    });
}

#[test]
fn ranges_and_sizes_are_checked() {
    let store = |range| Store::new(Small::new(16), range).map(|_| ());
    assert_eq!(store(0..ALL), Ok(()));
    assert_eq!(store(4..ALL), Err(Error::Misaligned { start: 4, end: ALL, erase_size: 256 }));
    assert_eq!(store(0..ALL - 1), Err(Error::Misaligned { start: 0, end: ALL - 1, erase_size: 256 }));
    assert_eq!(store(256..512), Err(Error::TooSmall { needed: 512, available: 256 }));
    #[expect(clippy::reversed_empty_ranges, reason = "that is the point")]
    let reversed = store(512..256);
    assert_eq!(reversed, Err(Error::TooSmall { needed: 512, available: 0 }));
    assert_eq!(store(0..ALL + 256), Err(Error::TooSmall { needed: ALL + 256, available: ALL }));

    let mut memory = Memory::new();
    let mut learner = learner(&mut memory, Sgd::new(0.1));
    learner.initialize(1);
    // 96 bytes of header, 4 * 43 of parameters, 20 of checks, 16 of the commit record: 304, two sectors.
    let mut small = Store::new(Small::new(16), 0..3 * 256).unwrap();
    assert_eq!(small.save(&learner, &mut ()), Err(Error::TooSmall { needed: 4 * 256, available: 2 * 256 }));
    assert_eq!(small.release().erasures, [0; 16]);
    let mut enough = Store::new(Small::new(16), 0..4 * 256).unwrap();
    assert_eq!(enough.save(&learner, &mut ()).unwrap().length, 304);
    // With a gradient, 476.
    assert_eq!(Store::<Small>::needed(&learner, &mut ()), 4 * 256);
    learner.observe(&[1.0; 4], &0).unwrap();
    assert_eq!(enough.save(&learner, &mut ()).unwrap().length, 476);
}

#[test]
fn flash_that_does_not_hold_what_is_written_is_found_out() {
    for (at, part) in [(30, Part::Parameters), (100, Part::Parameters), (300, Part::Moments)] {
        twice(|store, learner, [_, second]| {
            let before = store.latest().unwrap();
            store.flash_mut().stuck = Some(usize::from(1 - before.slot) * 8 * 256 + at);
            assert_eq!(store.save(learner, &mut beside()), Err(Error::NotWritten { part }));
            train(learner, &mut Rng::new(3), 1);
            assert_eq!(store.load(learner, &mut beside()).unwrap().sequence, before.sequence);
            assert_eq!(bits(learner), second);
        });
    }
}

#[test]
fn reads_that_fail_are_tried_again_and_leave_nothing_in_between() {
    // Five reads make a pass over header and body of a checkpoint of this size; count them all first.
    let reads = twice(|store, learner, _| {
        store.flash_mut().reads = (1_000_000, 0);
        store.load(learner, &mut beside()).unwrap();
        1_000_000 - store.flash_mut().reads.0
    });
    let mut outcomes = [0; 3];
    for good in 0..reads {
        for (failures, everywhere) in [(2, false), (3, false), (usize::MAX, true)] {
            twice(|store, learner, [first, second]| {
                let (before, mut extra) = (bits(learner), beside());
                train(learner, &mut Rng::new(3), 1);
                let other = bits(learner);
                store.flash_mut().reads = (good, failures);
                match (store.load(learner, &mut extra), everywhere) {
                    (Ok(info), false) if info.sequence == 2 => assert_eq!(bits(learner), second),
                    (Ok(info), false) => {
                        assert_eq!((failures, bits(learner)), (3, first));
                        assert!(info.skipped.is_some());
                        outcomes[0] += 1;
                    }
                    (Err(Error::Flash(_)), true) => {
                        assert_eq!((bits(learner), extra), (other, beside()));
                        outcomes[1] += 1;
                    }
                    (Err(Error::Incomplete), true) => {
                        outcomes[2] += 1;
                        // Loading again mends it.
                        store.flash_mut().reads = (usize::MAX, 0);
                        store.load(learner, &mut extra).unwrap();
                        assert_eq!(bits(learner), before);
                    }
                    (result, _) => panic!("{good} {failures}: {result:?}"),
                }
            });
        }
    }
    assert!(outcomes.iter().all(|outcome| *outcome > 0), "{outcomes:?}");

    // A save must know which slot is the newest.
    twice(|store, learner, _| {
        let flash = store.flash_mut().bytes.clone();
        store.flash_mut().reads = (0, usize::MAX);
        assert_eq!(store.save(learner, &mut beside()), Err(Error::Flash(Fault::Other)));
        assert!(store.flash_mut().bytes == flash);
    });
}

#[test]
fn sequence_numbers_wrap_around() {
    twice(|store, learner, _| {
        let slot = usize::from(store.latest().unwrap().slot) * 8 * 256;
        let image = &mut store.flash_mut().bytes[slot..];
        image[12..16].copy_from_slice(&(u32::MAX).to_le_bytes());
        seal(image);
        let other = 8 * 256 - slot;
        let image = &mut store.flash_mut().bytes[other..];
        image[12..16].copy_from_slice(&(u32::MAX - 1).to_le_bytes());
        seal(image);
        for sequence in [u32::MAX, 0, 1, 2] {
            assert_eq!(store.latest().unwrap().sequence, sequence);
            assert_eq!(store.save(learner, &mut beside()).unwrap().sequence, sequence.wrapping_add(1));
        }
    });
    assert!(format::is_newer(0, u32::MAX) && !format::is_newer(u32::MAX, 0) && !format::is_newer(5, 5));
}

#[test]
fn erase_forgets_all_and_never_brings_back_the_older() {
    twice(|store, learner, [_, second]| {
        let flash = store.flash_mut().clone();
        for energy in (0..ALL as usize).step_by(7) {
            *store.flash_mut() = flash.clone();
            store.flash_mut().energy = energy;
            assert_eq!(store.erase(), Err(Error::Flash(Fault::Other)));
            match store.load(learner, &mut beside()) {
                Ok(info) => assert_eq!((info.sequence, bits(learner)), (2, second.clone())),
                Err(error) => assert!(matches!(error, Error::NoCheckpoint | Error::Damaged { .. }), "{error}"),
            }
        }
        *store.flash_mut() = flash.clone();
        store.erase().unwrap();
        assert_eq!(store.latest(), Err(Error::NoCheckpoint));
        assert_eq!(store.load(learner, &mut beside()), Err(Error::NoCheckpoint));
        assert_eq!(store.save(learner, &mut beside()).unwrap().sequence, 1);
    });
}

#[test]
fn random_bytes_are_no_checkpoint() {
    let mut rng = Rng::new(4);
    let mut memory = Memory::new();
    let mut learner = learner(&mut memory, Sgd::new(0.1));
    for round in 0..300 {
        let mut flash = Small::new(16);
        flash.bytes.fill_with(|| rng.next_u64() as u8);
        if round % 2 == 0 {
            // A header that is whole, of something that is not there.
            let envelope = Envelope { version: VERSION, header: 96, sequence: 1, body: 500, commit: 600 };
            let check = format::Contents {
                lengths: [100, 100, 100, 100, 80],
                counters: crate::Zero::ZERO,
                bounds: crate::Zero::ZERO,
                fingerprints: [0; 3],
            };
            flash.bytes[..96].copy_from_slice(&format::encode_header(&envelope, &check));
        }
        let mut store = Store::new(flash, 0..ALL).unwrap();
        assert!(matches!(store.load(&mut learner, &mut ()), Err(Error::Damaged { .. })));
        store.flash_mut().written.fill(true);
        store.save(&learner, &mut ()).unwrap();
        store.load(&mut learner, &mut ()).unwrap();
    }
}

#[test]
fn a_mini_batch_may_be_saved_half_way_with_dropout_and_statistics() {
    type Net = (Dense<6>, BatchNorm, Relu, Dropout, Dense<3>);
    let network = || (Dense::new(), BatchNorm::new(), Relu, Dropout::new(0.4), Dense::new());
    let sample = |rng: &mut Rng| [(); 4].map(|()| rng.symmetric(1.0));
    let (mut one, mut two) = (Memory::<Net, [f32; 4], Adam>::new(), Memory::<Net, [f32; 4], Adam>::new());
    let mut whole = Learner::new(&mut one, network(), CrossEntropy, Adam::new(0.01));
    whole.initialize(1);
    let mut rng = Rng::new(2);
    let mut store = Store::new(Ram::<1, 1, 4096>::new(2), 0..8192).unwrap();
    for step in 0..30 {
        whole.observe(&sample(&mut rng), &(step % 3)).unwrap();
        if step % 4 == 3 {
            whole.update().unwrap();
        }
        if step == 13 {
            assert_eq!(store.save(&whole, &mut rng).unwrap().pending, 2);
        }
    }
    let mut resumed = Learner::new(&mut two, network(), CrossEntropy, Adam::new(0.01));
    let mut rng = Rng::new(0);
    store.load(&mut resumed, &mut rng).unwrap();
    for step in 14..30 {
        resumed.observe(&sample(&mut rng), &(step % 3)).unwrap();
        if step % 4 == 3 {
            resumed.update().unwrap();
        }
    }
    assert_eq!(bits(&resumed), bits(&whole));
}

#[test]
fn learning_in_place_is_kept_too() {
    let (mut one, mut two) = (Memory::<Net, [f32; 4], InPlace>::new(), Memory::<Net, [f32; 4], InPlace>::new());
    let mut whole = Learner::new(&mut one, Net::default(), CrossEntropy, InPlace::new(0.1));
    let mut resumed = Learner::new(&mut two, Net::default(), CrossEntropy, InPlace::new(0.1));
    whole.initialize(1);
    let mut store = Store::new(Ram::<1, 1, 4096>::new(2), 0..8192).unwrap();
    let sample = [0.5, -1.0, 2.0, 0.25];
    for class in [0, 1, 2] {
        whole.train(&sample, &class).unwrap();
    }
    store.save(&whole, &mut ()).unwrap();
    store.load(&mut resumed, &mut ()).unwrap();
    for class in [2, 1] {
        assert_eq!(whole.train(&sample, &class), resumed.train(&sample, &class));
    }
    assert_eq!(whole.params(), resumed.params());
    assert_eq!(resumed.observed(), 5);
}

#[test]
fn what_no_step_can_have_left_is_not_loaded_or_not_stepped_from() {
    // Both checkpoints: header, 43 parameters, two moments of 43, two corrections.
    let change = |store: &mut Store<Small>, at: usize, value: f32| {
        for slot in [0, 8 * 256] {
            let image = &mut store.flash_mut().bytes[slot..];
            image[at..at + 4].copy_from_slice(&value.to_le_bytes());
            seal(image);
        }
    };
    let state = HEADER as usize + 3 * 4 * 43;
    for (at, value) in [(state, -0.1), (state + 4, 1.5), (state + 4, f32::NAN)] {
        twice(|store, learner, [_, second]| {
            change(store, at, value);
            assert_eq!(store.load(learner, &mut beside()), Err(Error::Damaged { part: Part::State }));
            assert_eq!(bits(learner), second);
        });
    }
    // The root of a negative second moment is no number.
    twice(|store, learner, _| {
        change(store, HEADER as usize + 2 * 4 * 43, -1e3);
        store.load(learner, &mut beside()).unwrap();
        learner.observe(&[0.5, -1.0, 2.0, 0.25], &1).unwrap();
        let before = bits(learner);
        assert_eq!(learner.update(), Err(crate::UpdateError::NotFinite));
        assert_eq!(bits(learner)[3..], before[3..]);
    });
}

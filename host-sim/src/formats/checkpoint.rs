//! Checkpoint images: what [`backpass::checkpoint::Store`] keeps in flash, without the type of the learner.
//!
//! The bytes are those of [`backpass::checkpoint::format`]. An image that is written here is loaded by `Store::load` of a learner with
//! that network and that rule, as if it had saved it before its first step.

use backpass::checkpoint::format::{CHECKS, COMMIT, COMMIT_MAGIC, HEADER, MAGIC, VERSION};
use backpass::checkpoint::{Fingerprint, Image, Info, Store};
use crc::{CRC_32_ISO_HDLC, Crc};

use super::{Model, Problems};
use crate::network::kept::Kept;
use crate::network::{Network, Rule};

/// To the largest piece in which a store writes, so that a flash of any alignment can hold the image.
const ALIGN: usize = 256;
/// Where a header has the place of the commit record, the lengths of the parts, and so on.
const COMMIT_PLACE: usize = 20;
const LENGTHS: usize = 24;
const COUNTERS: usize = 44;
const BOUNDS: usize = 60;
const FINGERPRINTS: usize = 68;

static CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// A checkpoint in some bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// What it says about itself.
    pub info: Info,
    /// Where it begins.
    pub offset: usize,
    /// Its bytes, from the header to the end of the commit record.
    bytes: Vec<u8>,
}

impl Checkpoint {
    /// The newest whole checkpoint in these bytes: one alone, the two slots of a store, or the image of a whole flash. `wanted` is the
    /// network, where others may be there too.
    ///
    /// # Errors
    /// There is none, or all are damaged.
    pub fn find(bytes: &[u8], wanted: &Network) -> Result<Self, Problems> {
        let fingerprint = wanted.fingerprint().value();
        let (mut newest, mut others, mut damaged): (Option<Self>, Vec<Self>, Vec<String>) = (None, vec![], vec![]);
        for offset in bytes.windows(MAGIC.len()).enumerate().filter(|(_, w)| *w == MAGIC).map(|(at, _)| at) {
            match Self::at(bytes, offset) {
                Err(error) => damaged.push(format!("at byte {offset}: {error}")),
                Ok(found) if found.info.network != fingerprint => others.push(found),
                Ok(found) => {
                    let age = |than: &Self| found.info.sequence.wrapping_sub(than.info.sequence);
                    if newest.as_ref().is_none_or(|newest| (1..1 << 31).contains(&age(newest))) {
                        newest = Some(found);
                    }
                }
            }
        }
        if let Some(newest) = newest {
            return Ok(newest);
        }
        let mut problems = Problems::default();
        for Self { info, .. } in &others {
            problems.add(format!(
                "the checkpoint is of another network: its fingerprint is {:016x}, that of `{wanted}` is {fingerprint:016x}",
                info.network
            ));
        }
        damaged.into_iter().for_each(|damaged| problems.add(damaged));
        problems.add_if_empty("there is no checkpoint in it: none begins with `backpass`");
        Err(problems)
    }

    fn at(bytes: &[u8], offset: usize) -> Result<Self, String> {
        // As much as the header says, so that nothing is copied for eight bytes that only look like one.
        let commit = number(&bytes[offset..], COMMIT_PLACE).ok_or("it ends too early")? as usize;
        let slot =
            bytes[offset..].get(..commit + COMMIT as usize).ok_or("it ends too early, or its header is damaged")?;
        let size =
            u32::try_from(slot.len()).ok().and_then(|size| size.checked_mul(2)).ok_or("larger than any flash")?;
        // A second slot, empty, as a store has two.
        let mut slots = slot.to_vec();
        slots.resize(size as usize, 0xff);
        let mut store = Store::new(Image(slots), 0..size).map_err(|error| error.to_string())?;
        let info = store.latest().map_err(|error| error.to_string())?;
        let bytes = slot.get(..info.length as usize).ok_or("it ends too early")?.to_vec();
        Ok(Self { info, offset, bytes })
    }

    /// The bytes of each part: parameters, moments, state, gradients, extra.
    fn parts(&self) -> Option<[&[u8]; 5]> {
        let mut at = HEADER as usize;
        let mut parts = [&self.bytes[..0]; 5];
        for (index, part) in parts.iter_mut().enumerate() {
            let end = at.checked_add(number(&self.bytes, LENGTHS + 4 * index)? as usize)?;
            *part = self.bytes.get(at..end)?;
            at = end;
        }
        Some(parts)
    }

    /// The model that it holds.
    ///
    /// # Errors
    /// Numbers that are not finite, or another number of them.
    pub fn model(&self, network: &Network) -> Result<Model, Problems> {
        let [parameters, ..] = self.parts().ok_or("the checkpoint's lengths lead out of it")?;
        Model::from_flat(network.clone(), &super::flash::numbers(parameters)?)
    }
}

impl Problems {
    fn add_if_empty(&mut self, problem: &str) {
        if self.0.is_empty() {
            self.add(problem);
        }
    }
}

/// A checkpoint of a learner that has these parameters and has not learned by `rule` yet: there is room for what the rule keeps.
#[must_use]
pub fn write(model: &Model, rule: Rule) -> Vec<u8> {
    let Kept { name, moments, words, .. } = rule.kept();
    let parameters = 4 * model.network.parameter_count();
    let optimizer = Fingerprint::new().text(name).number(moments).number(words);
    let fingerprints = [model.network.fingerprint(), optimizer, Fingerprint::new()].map(Fingerprint::value);
    let zeros = vec![0; moments * parameters + 4 * words];
    let (moments, state) = zeros.split_at(moments * parameters);
    seal(model, 1, [0; 4], fingerprints, [moments, state, &[], &[]])
}

/// The checkpoint that a device has saved, with other parameters: what it kept beside its learner stays, such as a scaler; its moments are
/// zero, as before its first step. It counts as newer.
///
/// # Errors
/// It is of another network.
pub fn replace(old: &Checkpoint, model: &Model) -> Result<Vec<u8>, Problems> {
    let [parameters, moments, state, _, extra] = old.parts().ok_or("the checkpoint's lengths lead out of it")?;
    if parameters.len() != 4 * model.network.parameter_count()
        || old.info.network != model.network.fingerprint().value()
    {
        return Err(format!("the checkpoint to be changed is of another network than `{}`", model.network).into());
    }
    let Info { sequence, observed, refused, network, optimizer, extra: fingerprint, .. } = old.info;
    let stream = number(&old.bytes, COUNTERS + 12).unwrap_or(0);
    let (moments, state) = (vec![0; moments.len()], vec![0; state.len()]);
    let sequence = sequence.wrapping_add(1);
    let fingerprints = [network, optimizer, fingerprint];
    Ok(seal(model, sequence, [0, observed, refused, stream], fingerprints, [&moments, &state, &[], extra]))
}

/// Puts header, checks and commit record around the parts.
fn seal(
    model: &Model,
    sequence: u32,
    counters: [u32; 4],
    fingerprints: [u64; 3],
    [moments, state, gradients, extra]: [&[u8]; 4],
) -> Vec<u8> {
    let parameters = super::flash::bytes(model);
    let parts = [&parameters[..], moments, state, gradients, extra];
    let body = parts.iter().map(|part| part.len()).sum::<usize>() + CHECKS as usize;
    let commit = (HEADER as usize + body).next_multiple_of(ALIGN);
    let largest = model.values.iter().flatten().fold(0.0_f32, |largest, value| largest.max(value.abs()));

    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((HEADER as u16).to_le_bytes());
    let lengths = parts.map(|part| part.len() as u32);
    debug_assert_eq!((bytes.len() + 12, COUNTERS + 16), (LENGTHS, BOUNDS));
    for number in [sequence, body as u32, commit as u32].iter().chain(&lengths).chain(&counters) {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend([0.0, largest].map(f32::to_le_bytes).as_flattened());
    debug_assert_eq!(bytes.len(), FINGERPRINTS);
    bytes.extend(fingerprints.map(u64::to_le_bytes).as_flattened());
    let (mut digest, check) = (CRC32.digest(), CRC32.checksum(&bytes));
    digest.update(&bytes);
    bytes.extend(check.to_le_bytes());

    let mut checks = Vec::new();
    for part in parts {
        digest.update(part);
        bytes.extend(part);
        checks.extend(digest.clone().finalize().to_le_bytes());
    }
    digest.update(&checks);
    bytes.extend(checks);
    bytes.resize(commit, 0xff);
    bytes.extend(COMMIT_MAGIC);
    bytes.extend(sequence.to_le_bytes());
    bytes.extend(digest.finalize().to_le_bytes());
    let check = CRC32.checksum(&bytes[commit..]);
    bytes.extend(check.to_le_bytes());
    debug_assert_eq!(bytes.len(), commit + COMMIT as usize);
    bytes
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use backpass::{
        Adagrad, Adam, AmsGrad, CrossEntropy, Dense, Gru, Learner, Lion, Memory, Momentum, Relu, RmsProp, Sgd, Signal,
    };

    use super::*;

    const LINE: &str = "3 dense(4) relu dense(2)";
    type Net = (Dense<4>, Relu, Dense<2>);

    fn model() -> Model {
        let network = Network::from_line(LINE).unwrap();
        let count = network.parameter_count();
        Model::from_flat(network, &(0..count).map(|i| i as f32 * 0.3 - 2.0).collect::<Vec<_>>()).unwrap()
    }

    /// A learner that has loaded an image trains on; what it saves is found again.
    fn loads<O: backpass::Optimizer>(rule: Rule, optimizer: O) {
        let mut bytes = write(&model(), rule);
        let length = bytes.len();
        bytes.resize(2 * length, 0xff);
        let mut store = Store::new(Image(bytes), 0..2 * length as u32).unwrap();
        let mut memory = Memory::<Net, [f32; 3], O>::new();
        let mut learner = Learner::new(&mut memory, Net::default(), CrossEntropy, optimizer);
        let info = store.load(&mut learner, &mut ()).unwrap();
        assert_eq!((info.sequence, info.observed), (1, 0), "{rule:?}");
        let mut loaded = Vec::new();
        backpass::Params::visit(learner.params(), None, &mut |_, values| loaded.extend_from_slice(values));
        assert_eq!(loaded, model().flat());
        learner.train(&[1.0, -1.0, 0.5], &1).unwrap();
        store.save(&learner, &mut ()).unwrap();
        let found = Checkpoint::find(&store.release().0, &model().network).unwrap();
        assert_eq!((found.info.sequence, found.info.observed), (2, 1));
        assert_ne!(found.model(&model().network).unwrap(), model());
    }

    #[test]
    fn a_store_loads_what_is_written_for_its_rule() {
        loads(Rule::Sgd, Sgd::new(0.1));
        loads(Rule::Momentum, Momentum::new(0.1, 0.9));
        loads(Rule::RmsProp, RmsProp::new(0.01));
        loads(Rule::Adam, Adam::new(0.01));
        loads(Rule::AmsGrad, AmsGrad::new(0.01));
        loads(Rule::Lion, Lion::new(0.01));
        loads(Rule::Adagrad, Adagrad::new(0.01));
    }

    #[test]
    fn what_lies_beside_the_learner_stays() {
        let mut memory = Memory::<Net, [f32; 3], Adam>::new();
        let mut learner = Learner::new(&mut memory, Net::default(), CrossEntropy, Adam::new(0.01));
        learner.initialize(1);
        learner.train(&[1.0, 2.0, 3.0], &0).unwrap();
        let mut store = Store::new(Image(vec![0xff; 4096]), 0..4096).unwrap();
        let mut beside = [7_u32, 8];
        store.save(&learner, &mut beside).unwrap();
        let old = Checkpoint::find(&store.release().0, &model().network).unwrap();

        let mut bytes = replace(&old, &model()).unwrap();
        bytes.resize(4096, 0xff);
        let mut store = Store::new(Image(bytes), 0..4096).unwrap();
        let mut loaded = [0_u32; 2];
        let info = store.load(&mut learner, &mut loaded).unwrap();
        assert_eq!((loaded, info.observed, info.sequence), (beside, 1, 2));
        learner.train(&[1.0, 2.0, 3.0], &0).unwrap();
        let other = Network::from_line("3 dense(5) relu dense(2)").unwrap();
        assert!(
            Checkpoint::find(&write(&model(), Rule::Sgd), &other).unwrap_err().to_string().contains("another network")
        );
    }

    #[test]
    fn the_newest_checkpoint_in_a_flash_is_found() {
        type Steps = (Gru<2>, Dense<2>);
        let mut memory = Memory::<Steps, Signal<4, 1>, Sgd>::new();
        let mut learner = Learner::new(&mut memory, Steps::default(), CrossEntropy, Sgd::new(0.1));
        learner.initialize(1);
        let mut store = Store::new(Image(vec![0xff; 8192]), 4096..8192).unwrap();
        for _ in 0..3 {
            learner.train(&[[0.5]; 4], &1).unwrap();
            store.save(&learner, &mut ()).unwrap();
        }
        let network = Network::from_line("1x4 gru(2) dense(2)").unwrap();
        let mut flash = store.release().0;
        let found = Checkpoint::find(&flash, &network).unwrap();
        assert_eq!((found.info.sequence, found.offset), (3, 4096));
        // The newest is damaged: the one before it.
        flash[4096 + 100] ^= 1;
        assert_eq!(Checkpoint::find(&flash, &network).unwrap().info.sequence, 2);
        assert!(Checkpoint::find(&[0xff; 300], &network).is_err());
    }

    #[test]
    fn no_damage_is_taken_for_a_checkpoint() {
        let (image, network) = (write(&model(), Rule::Adam), model().network);
        for length in 0..image.len() {
            assert!(Checkpoint::find(&image[..length], &network).is_err(), "cut off at {length}");
        }
        for bit in 0..8 * (image.len() - 16) {
            let mut damaged = image.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            // Padding between body and commit record is nobody's.
            if let Ok(found) = Checkpoint::find(&damaged, &network) {
                assert_eq!(found.model(&network).unwrap(), model(), "bit {bit}");
            }
        }
    }
}

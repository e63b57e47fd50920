//! Two slots in flash.

use core::fmt;
use core::ops::Range;

use embedded_storage::nor_flash::NorFlash;

use super::content;
use super::error::{Error, Part};
use super::flash::{BUFFER, Reader, Writer};
use super::format::{self, COMMIT, Contents, Envelope, HEADER, PARTS, VERSION, is_newer};
use super::persist::{Archive, Mode, Persist, Stream};
use crate::layer::Layer;
use crate::learner::Learner;
use crate::memory::{Counters, Training};
use crate::tensor::{Tensor, Zero};

/// What a checkpoint says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Info {
    /// The version of its format.
    pub version: u16,
    /// One more than that of the checkpoint before; wraps around.
    pub sequence: u32,
    /// Its bytes in flash, from the header to the end of the commit record.
    pub length: u32,
    /// The fingerprint of the network: names of layers, names and shapes of parameters.
    pub network: u64,
    /// The fingerprint of the optimizer.
    pub optimizer: u64,
    /// The fingerprint of what was kept beside the learner.
    pub extra: u64,
    /// Samples learned from since the last update.
    pub pending: u32,
    /// Samples learned from since initialisation.
    pub observed: u32,
    /// Samples and steps refused since initialisation.
    pub refused: u32,
    /// The slot it lies in: 0 or 1.
    pub slot: u8,
    /// If there is something newer in the other slot that is no whole checkpoint: what of it is damaged. [`Part::Commit`]: a save
    /// did not come to its end, because power was lost, say.
    pub skipped: Option<Part>,
}

/// Checkpoints in flash: two slots, of which a save overwrites the one that does not hold the newest checkpoint.
///
/// See the [module](super) for an example, and for what is certain after a loss of power. It has a buffer of 256 bytes.
pub struct Store<F> {
    flash: F,
    /// The first address of slot 0.
    start: u32,
    /// The bytes of a slot.
    size: u32,
    /// What reads and writes go through; here, so that it is not on the stack.
    buffer: [u8; BUFFER],
}

/// A checkpoint, as far as its header and its commit record tell.
#[derive(Clone, Copy)]
struct Candidate {
    slot: u8,
    envelope: Envelope,
    /// `None` for a version that is not known here.
    contents: Option<Contents>,
    /// What the checksum of header and body is to be.
    checksum: u32,
}

/// What is in a slot. Of what is committed, all that the header tells, or the sequence number alone: that takes less stack.
enum Slot<E, C = Candidate> {
    Empty,
    Committed(C),
    /// Something else; with its sequence number if the header is whole.
    Damaged(Part, Option<u32>),
    /// Flash cannot be read behind that part.
    Unreadable(Part, E),
}

/// What goes over a part of a checkpoint.
type Visit<'v> = &'v mut dyn FnMut(Part, &mut Archive<'_>);

impl<F: NorFlash> Store<F> {
    /// The bytes that reads and writes are aligned to.
    const ALIGN: u32 = {
        let (read, write, erase) = (F::READ_SIZE, F::WRITE_SIZE, F::ERASE_SIZE);
        assert!(read > 0 && read <= 256, "checkpoint: the flash must be readable in pieces of 1 to 256 bytes");
        assert!(write > 0 && write <= 256, "checkpoint: the flash must be writable in pieces of 1 to 256 bytes");
        let align = if read > write { read } else { write };
        assert!(
            align.is_multiple_of(read) && align.is_multiple_of(write),
            "checkpoint: read or write size of the flash"
        );
        assert!(erase > 0 && erase.is_multiple_of(align), "checkpoint: a sector must be a whole number of writes");
        align as u32
    };

    const ERASE: u32 = F::ERASE_SIZE as u32;

    /// The checkpoints in a range of addresses of `flash`. Reads and writes nothing yet.
    ///
    /// Both ends lie at the beginning of a sector. Each slot has half of the sectors; of an odd number the last one is not used.
    ///
    /// # Errors
    /// [`Misaligned`](Error::Misaligned); [`TooSmall`](Error::TooSmall), if the range has less than two sectors or ends behind the flash.
    pub fn new(flash: F, range: Range<u32>) -> Result<Self, Error<F::Error>> {
        let (start, end, erase_size) = (range.start, range.end, Self::ERASE);
        if !start.is_multiple_of(erase_size) || !end.is_multiple_of(erase_size) {
            return Err(Error::Misaligned { start, end, erase_size });
        }
        let capacity = u32::try_from(flash.capacity()).unwrap_or(u32::MAX);
        if end > capacity {
            return Err(Error::TooSmall { needed: end, available: capacity });
        }
        let size = end.saturating_sub(start) / erase_size / 2 * erase_size;
        if size == 0 {
            let needed = erase_size.saturating_mul(2);
            return Err(Error::TooSmall { needed, available: end.saturating_sub(start) });
        }
        Ok(Self { flash, start, size, buffer: [0; BUFFER] })
    }

    /// The flash.
    pub const fn flash_mut(&mut self) -> &mut F {
        &mut self.flash
    }

    /// Gives the flash back.
    pub fn release(self) -> F {
        self.flash
    }

    /// How many bytes the range must have for such a learner and extra state: at its most, with samples pending.
    pub fn needed<N: Layer<X>, X: Tensor, L, O: Training<N, X>, E: Persist + ?Sized>(
        learner: &Learner<'_, N, X, L, O>,
        extra: &mut E,
    ) -> u32 {
        let (mut contents, _) = content::describe(learner.memory(), extra);
        let [parameters, _, _, gradients, _] = &mut contents.lengths;
        if O::accumulated(&learner.memory().gradients).is_some() {
            *gradients = *parameters;
        }
        Self::sectors(&contents).map_or(u32::MAX, |bytes| bytes.saturating_mul(2))
    }

    /// Saves a learner, and what is to be kept beside it: `&mut ()` for nothing, `&mut (&mut normalizer, &mut rng)` for two things.
    ///
    /// The older of the two slots is erased and written, then read back, and only then made valid by its commit record. Until
    /// then the checkpoint before is the newest; it is not touched.
    ///
    /// # Errors
    /// [`TooSmall`](Error::TooSmall), [`Invalid`](Error::Invalid): flash was not touched. [`NotWritten`](Error::NotWritten),
    /// [`Flash`](Error::Flash): the checkpoint before is still the newest.
    pub fn save<N: Layer<X>, X: Tensor, L, O: Training<N, X>, E: Persist + ?Sized>(
        &mut self,
        learner: &Learner<'_, N, X, L, O>,
        extra: &mut E,
    ) -> Result<Info, Error<F::Error>> {
        let memory = learner.memory();
        let (contents, invalid) = content::describe(memory, extra);
        match invalid {
            Some(part) => Err(Error::Invalid { part }),
            None => self.write(&contents, &mut |part, archive| content::save(memory, extra, part, archive)),
        }
    }

    /// Loads the newest whole checkpoint into a learner, and into what was kept beside it.
    ///
    /// All of it is checked before anything is changed: checksums, lengths, fingerprints, and every number for what it may be. If the
    /// newest is damaged, the older one is loaded, and [`Info::skipped`] says so.
    ///
    /// # Errors
    /// The learner and `extra` are exactly what they were, except for [`Incomplete`](Error::Incomplete).
    pub fn load<N: Layer<X>, X: Tensor, L, O: Training<N, X>, E: Persist + ?Sized>(
        &mut self,
        learner: &mut Learner<'_, N, X, L, O>,
        extra: &mut E,
    ) -> Result<Info, Error<F::Error>> {
        let memory = learner.memory_mut();
        let ours = content::describe(memory, extra).0.fingerprints;
        let mut failed = Failed::new();
        let mut touched = false;
        for slot in self.newest_first() {
            // Not moved out, which would take its bytes twice.
            let candidate = self.candidate(slot, &mut failed);
            let Some(candidate) = &candidate else { continue };
            let same = candidate.contents.as_ref().filter(|stored| stored.fingerprints == ours);
            let Some(stored) = same else {
                if !self.passes(candidate, None, &mut failed) {
                    continue;
                }
                return Err(if touched { Error::Incomplete } else { candidate.refusal(ours) });
            };
            let mut visit = |part, archive: &mut Archive<'_>| content::load(memory, extra, stored, part, archive);
            if !self.passes(candidate, Some((Mode::Check, &mut visit)), &mut failed) {
                continue;
            }
            touched = true;
            if self.passes(candidate, Some((Mode::Load, &mut visit)), &mut failed) {
                content::finish(memory, stored);
                return Ok(candidate.info(failed.part));
            }
        }
        Err(if touched { Error::Incomplete } else { failed.error() })
    }

    /// What the newest whole checkpoint says about itself.
    ///
    /// # Errors
    /// As [`load`](Self::load), whatever the network: [`NoCheckpoint`](Error::NoCheckpoint), [`Damaged`](Error::Damaged),
    /// [`NewerFormat`](Error::NewerFormat), [`Flash`](Error::Flash).
    pub fn latest(&mut self) -> Result<Info, Error<F::Error>> {
        let mut failed = Failed::new();
        for slot in self.newest_first() {
            // Not moved out, which would take its bytes twice.
            let candidate = self.candidate(slot, &mut failed);
            let Some(candidate) = &candidate else { continue };
            if self.passes(candidate, None, &mut failed) {
                return if candidate.contents.is_some() {
                    Ok(candidate.info(failed.part))
                } else {
                    Err(candidate.is_newer())
                };
            }
        }
        Err(failed.error())
    }

    /// Erases all checkpoints. The newest goes last: power lost on the way leaves it or nothing, never an older one.
    ///
    /// # Errors
    /// [`Flash`](Error::Flash).
    pub fn erase(&mut self) -> Result<(), Error<F::Error>> {
        let first = self.target().map_or(0, |(slot, _)| slot);
        for slot in [first, other_than(first)] {
            let start = self.address(slot);
            self.flash.erase(start, start.saturating_add(self.size))?;
        }
        Ok(())
    }

    /// The sectors that a checkpoint of such contents needs, in bytes.
    fn sectors(contents: &Contents) -> Option<u32> {
        let commit = HEADER.checked_add(contents.body()?)?.checked_next_multiple_of(Self::ALIGN)?;
        commit.checked_add(COMMIT)?.checked_next_multiple_of(Self::ERASE)
    }

    /// The first address of a slot.
    const fn address(&self, slot: u8) -> u32 {
        if slot == 0 { self.start } else { self.start.saturating_add(self.size) }
    }

    /// Both slots: the newer one first, or the one whose age cannot be told.
    #[inline(never)]
    fn newest_first(&mut self) -> [(u8, Slot<F::Error, u32>); 2] {
        let mut slots = [(0, self.summary(0)), (1, self.summary(1))];
        let swapped = match slots.each_ref().map(|(_, slot)| slot.sequence()) {
            [Some(first), Some(second)] => is_newer(second, first),
            [Some(_), None] => true,
            [None, _] => false,
        };
        if swapped {
            slots.reverse();
        }
        slots
    }

    /// What is in a slot, with no more than the sequence number.
    #[inline(never)]
    fn summary(&mut self, slot: u8) -> Slot<F::Error, u32> {
        match self.look(slot) {
            Slot::Committed(candidate) => Slot::Committed(candidate.envelope.sequence),
            Slot::Empty => Slot::Empty,
            Slot::Damaged(part, sequence) => Slot::Damaged(part, sequence),
            Slot::Unreadable(part, error) => Slot::Unreadable(part, error),
        }
    }

    /// The checkpoint in a slot of which the summary is known, if there may be one.
    #[inline(never)]
    fn candidate(
        &mut self,
        (number, slot): (u8, Slot<F::Error, u32>),
        failed: &mut Failed<F::Error>,
    ) -> Option<Candidate> {
        if !matches!(slot, Slot::Committed(_)) {
            failed.add(slot);
            return None;
        }
        match self.look(number) {
            Slot::Committed(candidate) => Some(candidate),
            slot => {
                failed.add(slot);
                None
            }
        }
    }

    /// Whether a checkpoint passes a [`check`](Self::check).
    #[inline(never)]
    fn passes(
        &mut self,
        candidate: &Candidate,
        visit: Option<(Mode, Visit<'_>)>,
        failed: &mut Failed<F::Error>,
    ) -> bool {
        self.check(candidate, visit).map_err(|slot| failed.add(slot)).is_ok()
    }

    /// What a slot is committed as; what it is instead.
    #[inline(never)]
    fn committed(&mut self, slot: u8) -> Result<(Envelope, u32), Slot<F::Error, u32>> {
        match self.look(slot) {
            Slot::Committed(found) => Ok((found.envelope, found.checksum)),
            Slot::Empty => Err(Slot::Empty),
            Slot::Damaged(part, sequence) => Err(Slot::Damaged(part, sequence)),
            Slot::Unreadable(part, error) => Err(Slot::Unreadable(part, error)),
        }
    }

    /// What is in a slot once all of it has been checked.
    #[inline(never)]
    fn verdict(&mut self, slot: u8) -> Slot<F::Error, u32> {
        match self.look(slot) {
            Slot::Committed(candidate) => match self.check(&candidate, None) {
                Ok(()) => Slot::Committed(candidate.envelope.sequence),
                Err(slot) => slot,
            },
            Slot::Empty => Slot::Empty,
            Slot::Damaged(part, sequence) => Slot::Damaged(part, sequence),
            Slot::Unreadable(part, error) => Slot::Unreadable(part, error),
        }
    }

    /// The slot to be written next, and the sequence number.
    #[inline(never)]
    fn target(&mut self) -> Result<(u8, u32), F::Error> {
        let slots = self.newest_first();
        // Also that of a damaged slot counts, so that nothing that may be read again one day passes for newer.
        let next =
            slots.iter().filter_map(|(_, slot)| slot.sequence()).reduce(newer).map_or(1, |last| last.wrapping_add(1));
        let (mut target, mut error) = (None, None);
        for (number, slot) in slots {
            let slot = if let Slot::Committed(_) = slot { self.verdict(number) } else { slot };
            match slot {
                Slot::Committed(_) => return Ok((other_than(number), next)),
                // What cannot be read now may be whole: better to write elsewhere.
                Slot::Unreadable(_, cause) => error = Some(cause),
                Slot::Empty | Slot::Damaged(..) => target = target.or(Some(number)),
            }
        }
        match (target, error) {
            (Some(target), _) => Ok((target, next)),
            (None, Some(error)) => Err(error),
            (None, None) => Ok((0, next)),
        }
    }

    /// Reads a slot's header and commit record.
    #[inline(never)]
    fn look(&mut self, slot: u8) -> Slot<F::Error> {
        let start = self.address(slot);
        let mut reader = Reader::new(&mut self.flash, &mut self.buffer, start, self.size);
        let bytes = reader.take();
        let Some(envelope) = Envelope::decode(&bytes).filter(|envelope| envelope.length() <= self.size) else {
            let empty = [0xff, 0].iter().any(|erased| bytes.iter().all(|byte| byte == erased));
            return match reader.finish() {
                Err(error) => Slot::Unreadable(Part::Header, error),
                Ok(()) if empty => Slot::Empty,
                Ok(()) => Slot::Damaged(Part::Header, None),
            };
        };
        let known = envelope.version <= VERSION;
        let contents =
            if known { Contents::read(&mut || u32::from_le_bytes(reader.take()), envelope.body) } else { None };
        reader.skip_to(u32::from(envelope.header).saturating_sub(4));
        let whole = reader.checksum() == u32::from_le_bytes(reader.take_uncounted());
        if reader.has_failed() || !whole || (known && contents.is_none()) {
            return match reader.finish() {
                Err(error) => Slot::Unreadable(Part::Header, error),
                Ok(()) => Slot::Damaged(Part::Header, None),
            };
        }
        reader.seek(envelope.commit);
        let commit = format::decode_commit(&reader.take(), envelope.sequence);
        match (reader.finish(), commit) {
            (Err(error), _) => Slot::Unreadable(Part::Commit, error),
            (Ok(()), None) => Slot::Damaged(Part::Commit, Some(envelope.sequence)),
            (Ok(()), Some(checksum)) => Slot::Committed(Candidate { slot, envelope, contents, checksum }),
        }
    }

    /// Goes over all of a checkpoint: its checksums, and what `visit` makes of its parts in that mode. The error is what the
    /// slot is instead.
    #[inline(never)]
    fn check(
        &mut self,
        candidate: &Candidate,
        mut visit: Option<(Mode, Visit<'_>)>,
    ) -> Result<(), Slot<F::Error, u32>> {
        let Candidate { slot, envelope, contents, checksum } = candidate;
        let sequence = Some(envelope.sequence);
        let start = self.address(*slot);
        let mut reader = Reader::new(&mut self.flash, &mut self.buffer, start, self.size);
        let mut end = u32::from(envelope.header);
        reader.skip_to(end.saturating_sub(4));
        reader.take_uncounted();

        let (mut damaged, mut invalid, mut last) = (None, None, Part::Header);
        if let Some(contents) = contents {
            let mut checks = [0; PARTS.len()];
            for ((part, length), check) in PARTS.into_iter().zip(contents.lengths).zip(&mut checks) {
                end = end.saturating_add(length);
                if let Some((mode, visit)) = &mut visit {
                    let mut archive = Archive::new(*mode, &mut reader);
                    visit(part, &mut archive);
                    if !archive.valid || reader.position() != end {
                        invalid = invalid.or(Some(part));
                    }
                    // The rest would not be read as what it is.
                    if reader.position() > end {
                        return Err(Slot::Damaged(invalid.unwrap_or(part), sequence));
                    }
                }
                reader.skip_to(end);
                *check = reader.checksum();
                if !reader.has_failed() {
                    last = part;
                }
            }
            for (part, check) in PARTS.into_iter().zip(checks) {
                if check != u32::from_le_bytes(reader.take()) {
                    damaged = damaged.or(Some(part));
                }
            }
        } else {
            reader.skip_to(end.saturating_add(envelope.body));
        }
        if reader.checksum() != *checksum {
            damaged = damaged.or(Some(Part::Commit));
        }
        match (reader.finish(), damaged.or(invalid)) {
            (Err(error), _) => Err(Slot::Unreadable(last, error)),
            (Ok(()), Some(part)) => Err(Slot::Damaged(part, sequence)),
            (Ok(()), None) => Ok(()),
        }
    }

    /// Writes a checkpoint.
    fn write(&mut self, contents: &Contents, visit: Visit<'_>) -> Result<Info, Error<F::Error>> {
        let available = self.size.saturating_mul(2);
        let sectors = Self::sectors(contents).unwrap_or(u32::MAX);
        if sectors > self.size {
            return Err(Error::TooSmall { needed: sectors.saturating_mul(2), available });
        }
        let (slot, sequence) = self.target()?;
        let start = self.address(slot);
        let body = contents.body().unwrap_or(u32::MAX);
        let commit = HEADER.saturating_add(body).next_multiple_of(Self::ALIGN);
        let envelope = Envelope { version: VERSION, header: HEADER as u16, sequence, body, commit };
        self.flash.erase(start, start.saturating_add(sectors))?;

        let checksum = self.write_body(start, &envelope, contents, visit)?;

        // Read back before it counts.
        self.read_back(slot, &envelope, contents, checksum)?;
        let mut writer = Writer::new(&mut self.flash, &mut self.buffer, start.saturating_add(commit));
        writer.commit(&format::encode_commit(sequence, checksum));
        writer.finish()?;
        match self.committed(slot) {
            Ok(found) if found == (envelope, checksum) => Ok(Info::of(slot, &envelope, Some(contents), None)),
            Ok(_) => Err(Error::NotWritten { part: Part::Header }),
            Err(slot) => Err(slot.not_written()),
        }
    }

    /// Checks what was written.
    #[inline(never)]
    fn read_back(
        &mut self,
        slot: u8,
        envelope: &Envelope,
        contents: &Contents,
        checksum: u32,
    ) -> Result<(), Error<F::Error>> {
        let written = Candidate { slot, envelope: *envelope, contents: Some(*contents), checksum };
        self.check(&written, None).map_err(Slot::not_written)
    }

    /// Writes all of a checkpoint but its commit record; returns the checksum.
    #[inline(never)]
    fn write_body(
        &mut self,
        start: u32,
        envelope: &Envelope,
        contents: &Contents,
        visit: Visit<'_>,
    ) -> Result<u32, Error<F::Error>> {
        let mut writer = Writer::new(&mut self.flash, &mut self.buffer, start);
        writer.header(&format::encode_header(envelope, contents));
        let mut end = HEADER;
        let mut checks = [0; PARTS.len()];
        for ((part, length), check) in PARTS.into_iter().zip(contents.lengths).zip(&mut checks) {
            end = end.saturating_add(length);
            visit(part, &mut Archive::new(Mode::Save, &mut writer));
            if writer.position() != end {
                return Err(Error::Invalid { part });
            }
            *check = writer.checksum();
        }
        checks.iter().for_each(|check| writer.pass(&mut check.to_le_bytes()));
        let checksum = writer.checksum();
        writer.finish()?;
        Ok(checksum)
    }
}

impl Info {
    fn of(slot: u8, envelope: &Envelope, contents: Option<&Contents>, skipped: Option<Part>) -> Self {
        let [network, optimizer, extra] = contents.map_or([0; 3], |contents| contents.fingerprints);
        let counters = contents.map_or(Counters::ZERO, |contents| contents.counters);
        Self {
            version: envelope.version,
            sequence: envelope.sequence,
            length: envelope.length(),
            network,
            optimizer,
            extra,
            pending: counters.pending,
            observed: counters.observed,
            refused: counters.refused,
            slot,
            skipped,
        }
    }
}

impl Candidate {
    fn info(&self, skipped: Option<Part>) -> Info {
        Info::of(self.slot, &self.envelope, self.contents.as_ref(), skipped)
    }

    const fn is_newer<E>(&self) -> Error<E> {
        Error::NewerFormat { stored: self.envelope.version, supported: VERSION }
    }

    /// Why a whole checkpoint is not to be loaded into a learner whose fingerprints are `ours`.
    fn refusal<E>(&self, ours: [u64; 3]) -> Error<E> {
        let Some(contents) = &self.contents else { return self.is_newer() };
        let ([network, optimizer, stored], [our_network, our_optimizer, expected]) = (contents.fingerprints, ours);
        if network != our_network {
            Error::OtherNetwork { stored: network, expected: our_network }
        } else if optimizer != our_optimizer {
            Error::OtherOptimizer { stored: optimizer, expected: our_optimizer }
        } else {
            Error::OtherExtra { stored, expected }
        }
    }
}

impl<E> Slot<E, u32> {
    /// The sequence number, if it can be told.
    const fn sequence(&self) -> Option<u32> {
        match self {
            Self::Committed(sequence) => Some(*sequence),
            Self::Damaged(_, sequence) => *sequence,
            Self::Empty | Self::Unreadable(..) => None,
        }
    }
}

impl<E, C> Slot<E, C> {
    /// Why a slot that was just written is not what it should be.
    fn not_written(self) -> Error<E> {
        match self {
            Self::Unreadable(_, error) => Error::Flash(error),
            Self::Damaged(part, _) => Error::NotWritten { part },
            Self::Empty | Self::Committed(_) => Error::NotWritten { part: Part::Header },
        }
    }
}

/// What has been found so far that cannot be loaded.
struct Failed<E> {
    /// The first damaged part.
    part: Option<Part>,
    error: Option<E>,
}

impl<E> Failed<E> {
    const fn new() -> Self {
        Self { part: None, error: None }
    }

    fn add<C>(&mut self, slot: Slot<E, C>) {
        let part = match slot {
            Slot::Empty | Slot::Committed(_) => return,
            Slot::Damaged(part, _) => part,
            Slot::Unreadable(part, error) => {
                self.error = Some(error);
                part
            }
        };
        self.part = self.part.or(Some(part));
    }

    fn error(self) -> Error<E> {
        match (self.error, self.part) {
            (Some(error), _) => Error::Flash(error),
            (None, Some(part)) => Error::Damaged { part },
            (None, None) => Error::NoCheckpoint,
        }
    }
}

/// The other slot.
const fn other_than(slot: u8) -> u8 {
    if slot == 0 { 1 } else { 0 }
}

/// The newer of two sequence numbers.
const fn newer(one: u32, other: u32) -> u32 {
    if is_newer(other, one) { other } else { one }
}

impl<F> fmt::Debug for Store<F> {
    /// Where the slots lie.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("start", &self.start).field("slot_size", &self.size).finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<F> defmt::Format for Store<F> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Store {{ start: {}, slot_size: {} }}", self.start, self.size);
    }
}

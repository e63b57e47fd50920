//! The format of a checkpoint, version 1, byte by byte.
//!
//! A checkpoint lies in one slot of a [`Store`](super::Store), or alone in a file. All numbers are little-endian; an `f32` is its bits.
//!
//! ```text
//! header | parameters | moments | state | gradients | extra | checks | padding | commit record
//! ```
//!
//! **Header**, 96 bytes:
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `backpass` |
//! | 8 | 2 | format version: 1 |
//! | 10 | 2 | bytes of the header: 96 |
//! | 12 | 4 | sequence number: the newer of two checkpoints has the larger one, counted around (RFC 1982) |
//! | 16 | 4 | bytes of the body: parameters to checks |
//! | 20 | 4 | where the commit record begins, counted from the header's first byte |
//! | 24 | 4 | bytes of the parameters |
//! | 28 | 4 | bytes of the moments |
//! | 32 | 4 | bytes of the state |
//! | 36 | 4 | bytes of the gradients: 0 if no sample is pending |
//! | 40 | 4 | bytes of the extra state |
//! | 44 | 4 | samples learned from since the last update |
//! | 48 | 4 | samples learned from since initialisation |
//! | 52 | 4 | samples and steps refused since initialisation |
//! | 56 | 4 | the number of the next sample's random stream, which dropout draws from |
//! | 60 | 4 | `f32`: an upper bound of the gradients' magnitudes |
//! | 64 | 4 | `f32`: an upper bound of the parameters' and moments' magnitudes; infinite if unknown |
//! | 68 | 8 | fingerprint of the network |
//! | 76 | 8 | fingerprint of the optimizer |
//! | 84 | 8 | fingerprint of the extra state |
//! | 92 | 4 | CRC-32 of the 92 bytes before |
//!
//! **Body.** The parameters, slice by slice as [`Params::visit`](crate::Params::visit) goes over them. The moments, each one of them a copy of the
//! parameters. The words of the optimizer's [`State`](crate::State). The gradients, the sum over the pending samples, like the parameters. The
//! extra state, as its [`Persist`](super::Persist) hands it over. Then the checks, 20 bytes: for each of these five parts, the CRC-32 of all bytes of
//! header (without its own CRC) and body up to the part's end. They tell which part is damaged.
//!
//! **Padding**, bytes `ff`, up to where a write of the flash begins.
//!
//! **Commit record**, 16 bytes, padded with `ff` to whole writes. It is written after everything else has been written and read back, so
//! where it stands whole, all is there:
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `done` |
//! | 4 | 4 | the sequence number again |
//! | 8 | 4 | CRC-32 of header (without its own CRC) and body |
//! | 12 | 4 | CRC-32 of the 12 bytes before |
//!
//! CRC-32 is that of Ethernet and zip (CRC-32/ISO-HDLC). A fingerprint is FNV-1a with 64 bits ([`Fingerprint`](super::Fingerprint)). A *text*
//! is its UTF-8 bytes and a zero, a *number* four bytes:
//!
//! * network: the text `f32`; the text of each layer's [`NAME`](crate::Layer::NAME), in the order of the network; then for each parameter slice
//!   the text of its [`Name`](crate::Name), the number of its values, the number of its axes and the length of each;
//! * optimizer: the text of its [`NAME`](crate::Optimizer::NAME), the number of its moments, the number of words of its state;
//! * extra state: for each name and each number or row of numbers of one type that the [`Archive`](super::Archive) was handed, a text and a number: the
//!   name and 0, or the type and how many.
//!
//! **Later versions** keep the first 24 bytes, the header's CRC in its last four bytes, and the commit record. So an older program can tell
//! that a newer checkpoint is whole, does not take an older one for the newest, and says
//! [`NewerFormat`](super::Error::NewerFormat). A newer program loads what an older one saved.

use crc::{CRC_32_ISO_HDLC, Crc, Digest};

use super::error::Part;
use crate::memory::{Bounds, Counters};

/// The version of the format that is written here, and the newest that can be read.
pub const VERSION: u16 = 1;
/// What a checkpoint begins with.
pub const MAGIC: [u8; 8] = *b"backpass";
/// What a commit record begins with.
pub const COMMIT_MAGIC: [u8; 4] = *b"done";
/// Bytes of the header.
pub const HEADER: u32 = 96;
/// Bytes of the part of the header that is the same in every version.
pub const ENVELOPE: u32 = 24;
/// Bytes of the checks at the body's end.
pub const CHECKS: u32 = 20;
/// Bytes of the commit record, before padding.
pub const COMMIT: u32 = 16;

/// The parts of a body, in order.
pub(crate) const PARTS: [Part; 5] = [Part::Parameters, Part::Moments, Part::State, Part::Gradients, Part::Extra];

/// One table of 1 KB, a byte a step.
static CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// A CRC-32 to which bytes are added.
#[derive(Clone)]
pub(crate) struct Checksum(Digest<'static, u32>);

impl Checksum {
    pub(crate) fn new() -> Self {
        Self(CRC32.digest())
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn value(&self) -> u32 {
        self.0.clone().finalize()
    }

    pub(crate) fn of(bytes: &[u8]) -> u32 {
        CRC32.checksum(bytes)
    }
}

/// The part of a header that is the same in every version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) version: u16,
    /// Bytes of the header.
    pub(crate) header: u16,
    pub(crate) sequence: u32,
    /// Bytes of the body.
    pub(crate) body: u32,
    /// Where the commit record begins.
    pub(crate) commit: u32,
}

/// What the rest of a header of version 1 says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Contents {
    /// Bytes of each of the [`PARTS`].
    pub(crate) lengths: [u32; 5],
    pub(crate) counters: Counters,
    pub(crate) bounds: Bounds,
    /// The fingerprints of network, optimizer and extra state.
    pub(crate) fingerprints: [u64; 3],
}

impl Envelope {
    pub(crate) fn decode(bytes: &[u8; ENVELOPE as usize]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let envelope = (fields.take() == MAGIC).then(|| Self {
            version: u16::from_le_bytes(fields.take()),
            header: u16::from_le_bytes(fields.take()),
            sequence: fields.number(),
            body: fields.number(),
            commit: fields.number(),
        })?;
        envelope.is_possible().then_some(envelope)
    }

    fn is_possible(&self) -> bool {
        let header = u32::from(self.header);
        let fits = header.checked_add(self.body).is_some_and(|end| end <= self.commit);
        let known = self.version > VERSION || (self.version == VERSION && header == HEADER && self.body >= CHECKS);
        fits && known && header >= ENVELOPE + 4 && self.commit.checked_add(COMMIT).is_some()
    }

    /// The slot's bytes up to the end of the commit record, without its padding.
    pub(crate) const fn length(&self) -> u32 {
        self.commit.saturating_add(COMMIT)
    }
}

impl Contents {
    /// The rest of a header, up to its CRC, number by number, if its lengths add up to the body.
    pub(crate) fn read(number: &mut dyn FnMut() -> u32, body: u32) -> Option<Self> {
        let contents = Self {
            lengths: [(); 5].map(|()| number()),
            counters: Counters { pending: number(), observed: number(), refused: number(), stream: number() },
            bounds: Bounds { gradients: f32::from_bits(number()), values: f32::from_bits(number()) },
            // Little-endian: the lower half first.
            fingerprints: [(); 3].map(|()| u64::from(number()) | u64::from(number()) << 32),
        };
        (contents.body() == Some(body)).then_some(contents)
    }

    /// The bytes of the body; `None` if they are too many to be counted.
    pub(crate) fn body(&self) -> Option<u32> {
        self.lengths.iter().try_fold(CHECKS, |sum: u32, length| sum.checked_add(*length))
    }
}

/// A header's bytes.
// Out of line: its bytes are off the stack again before flash is written.
#[inline(never)]
pub(crate) fn encode_header(envelope: &Envelope, contents: &Contents) -> [u8; HEADER as usize] {
    let Contents { lengths, counters, bounds, fingerprints } = contents;
    let mut bytes = [0; HEADER as usize];
    let mut fields = FieldsMut(&mut bytes);
    fields.put(MAGIC);
    fields.put(envelope.version.to_le_bytes());
    fields.put(envelope.header.to_le_bytes());
    for number in [envelope.sequence, envelope.body, envelope.commit].iter().chain(lengths) {
        fields.put(number.to_le_bytes());
    }
    let Counters { pending, observed, refused, stream } = *counters;
    for number in [pending, observed, refused, stream, bounds.gradients.to_bits(), bounds.values.to_bits()] {
        fields.put(number.to_le_bytes());
    }
    for fingerprint in fingerprints {
        fields.put(fingerprint.to_le_bytes());
    }
    seal(&mut bytes);
    bytes
}

/// A commit record's bytes.
pub(crate) fn encode_commit(sequence: u32, checksum: u32) -> [u8; COMMIT as usize] {
    let mut bytes = [0; COMMIT as usize];
    let mut fields = FieldsMut(&mut bytes);
    fields.put(COMMIT_MAGIC);
    fields.put(sequence.to_le_bytes());
    fields.put(checksum.to_le_bytes());
    seal(&mut bytes);
    bytes
}

/// The checksum in a commit record, if that is whole and of this sequence number.
pub(crate) fn decode_commit(bytes: &[u8; COMMIT as usize], sequence: u32) -> Option<u32> {
    let mut fields = Fields(bytes);
    let (magic, number, checksum) = (fields.take(), fields.number(), fields.number());
    (magic == COMMIT_MAGIC && number == sequence && *bytes == encode_commit(sequence, checksum)).then_some(checksum)
}

/// Puts the CRC-32 of the bytes before into the last four.
fn seal(bytes: &mut [u8]) {
    if let Some((bytes, check)) = bytes.split_last_chunk_mut() {
        *check = Checksum::of(bytes).to_le_bytes();
    }
}

/// Whether a sequence number is newer than another, counted around.
pub(crate) const fn is_newer(sequence: u32, than: u32) -> bool {
    matches!(sequence.wrapping_sub(than), 1..=0x7fff_ffff)
}

/// Numbers, taken from bytes one after another; zeros behind their end, which the caller has made sure of.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((field, rest)) = self.0.split_first_chunk() else { return [0; N] };
        self.0 = rest;
        *field
    }

    fn number(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }
}

/// Bytes to be filled, field by field.
struct FieldsMut<'a>(&'a mut [u8]);

impl FieldsMut<'_> {
    fn put<const N: usize>(&mut self, field: [u8; N]) {
        if let Some((place, rest)) = core::mem::take(&mut self.0).split_first_chunk_mut() {
            *place = field;
            self.0 = rest;
        }
    }
}

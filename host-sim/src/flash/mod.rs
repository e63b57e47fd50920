//! A NOR flash that wears, fails and loses power: for testing what must survive that, yours too.
//!
//! [`SimulatedFlash`] implements [`embedded_storage::nor_flash::NorFlash`] with the sizes of your chip, so the code that runs on a board runs
//! on it unchanged. Like the real thing it erases sectors to ones, and a write can only clear bits. Unlike the real thing
//! it tells: a word that is written twice is an error, wear and operations are counted, and power can be cut between any
//! two bytes, and inside one.
//!
//! ```
//! use backpass_sim::flash::{FlashError, SimulatedFlash};
//! use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
//!
//! // Four sectors of 4 KB, written by words of 4 bytes: the code under test keeps a value in two sectors in turn.
//! let mut flash = SimulatedFlash::<1, 4, 4096>::new(4);
//! flash.erase(0, 4096)?;
//! flash.write(0, b"old!")?;
//!
//! // How many instants are there at which power can go? Each write has two a byte, each erased sector three.
//! let before = flash.clone();
//! flash.erase(4096, 8192)?;
//! flash.write(4096, b"new!")?;
//! let steps = flash.steps() - before.steps();
//! assert_eq!(steps, 3 + 2 * 4);
//!
//! // Cut it at each of them.
//! for step in 0..steps {
//!     let mut flash = before.clone();
//!     flash.cut_power_after(step);
//!     let result = flash.erase(4096, 8192).and_then(|()| flash.write(4096, b"new!"));
//!     assert_eq!(result, Err(FlashError::NoPower));
//!     flash.power_on();
//!     let mut value = [0; 4];
//!     flash.read(0, &mut value)?;
//!     assert_eq!(&value, b"old!"); // still there, whatever the other sector holds
//! }
//! # Ok::<(), FlashError>(())
//! ```

mod image;
mod operations;

use backpass::Rng;
use embedded_storage::nor_flash::{NorFlashError, NorFlashErrorKind};

pub use image::ImageError;

/// What the simulated flash says when an operation cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlashError {
    /// Power is off. It stays off until [`power_on`](SimulatedFlash::power_on).
    #[error("the flash has no power")]
    NoPower,
    /// Beyond the end, or from a place to one before it.
    #[error("the flash has {capacity} bytes; {from} to {to} is not in it")]
    OutOfBounds {
        /// The first byte.
        from: u64,
        /// The byte after the last.
        to: u64,
        /// How many bytes there are.
        capacity: usize,
    },
    /// An address or a length that is no multiple of the operation's size.
    #[error("{from} to {to}: both must be multiples of {size}")]
    NotAligned {
        /// The first byte.
        from: u64,
        /// The byte after the last.
        to: u64,
        /// What they must be multiples of.
        size: usize,
    },
    /// A word was written that has been written since it was last erased, or whose erasure was cut short.
    #[error("the word at {offset} is not erased: erase its sector before it is written again")]
    NotErased {
        /// The word's address.
        offset: usize,
    },
    /// A fault that was asked for by [`fail`](SimulatedFlash::fail).
    #[error("the flash failed to {}", .0.verb())]
    Failed(Operation),
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::OutOfBounds { .. } => NorFlashErrorKind::OutOfBounds,
            Self::NotAligned { .. } => NorFlashErrorKind::NotAligned,
            _ => NorFlashErrorKind::Other,
        }
    }
}

/// One of three things that a flash does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Reads bytes.
    Read,
    /// Writes bytes.
    Write,
    /// Erases sectors.
    Erase,
}

impl Operation {
    const fn verb(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Erase => "erase",
        }
    }
}

/// What becomes of a write to a word that is not erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrite {
    /// [`FlashError::NotErased`], and nothing is written: misuse is found. Also where no bit would have to be set, because many chips
    /// protect each word by a code of its own that a second write breaks.
    Refuse,
    /// The bits of both are joined by AND, and nobody is told: what a simple chip does.
    And,
}

/// How much a flash was used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Reads.
    pub reads: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Writes.
    pub writes: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Calls of erase.
    pub erases: u64,
    /// Sectors erased.
    pub sectors_erased: u64,
}

/// A fault to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fault {
    operation: Operation,
    after: u64,
    times: u64,
}

/// A NOR flash in memory: reads of multiples of `READ` bytes, writes of `WRITE`, erases of `ERASE` (a sector).
///
/// With `MULTIWRITE` it also is a [`MultiwriteNorFlash`](embedded_storage::nor_flash::MultiwriteNorFlash): a word may be written again, and the bits are joined by AND.
///
/// A clone is a flash of its own, with the same contents, wear, and faults to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedFlash<const READ: usize, const WRITE: usize, const ERASE: usize, const MULTIWRITE: bool = false> {
    bytes: Vec<u8>,
    /// For each word, whether it may not be written: it was written, or its erasure was cut short.
    used: Vec<bool>,
    wear: Vec<u32>,
    usage: Usage,
    rewrite: Rewrite,
    steps: u64,
    /// The steps after which power goes.
    cut: Option<u64>,
    is_powered: bool,
    faults: Vec<Fault>,
    rng: Rng,
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize, const MULTIWRITE: bool>
    SimulatedFlash<READ, WRITE, ERASE, MULTIWRITE>
{
    const SIZES: () = {
        assert!(READ > 0 && WRITE > 0 && ERASE > 0, "SimulatedFlash: sizes are at least 1 byte");
        assert!(ERASE.is_multiple_of(WRITE), "SimulatedFlash: a sector is a whole number of words");
        assert!(ERASE.is_multiple_of(READ), "SimulatedFlash: a sector is a whole number of reads");
    };

    /// An erased flash of so many sectors, powered.
    #[must_use]
    pub fn new(sectors: usize) -> Self {
        let () = Self::SIZES;
        Self {
            bytes: vec![0xff; sectors * ERASE],
            used: vec![false; sectors * (ERASE / WRITE)],
            wear: vec![0; sectors],
            usage: Usage::default(),
            rewrite: if MULTIWRITE { Rewrite::And } else { Rewrite::Refuse },
            steps: 0,
            cut: None,
            is_powered: true,
            faults: Vec::new(),
            rng: Rng::new(0),
        }
    }

    /// Seeds what is random: the bits that a cut or a failure leaves behind.
    pub const fn seed(&mut self, seed: u64) {
        self.rng = Rng::new(seed);
    }

    /// What the flash holds, without any operation.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Inverts one bit, as wear, heat or radiation do. Bit 0 is the least significant one of byte 0. Returns whether there
    /// is such a bit.
    pub fn flip_bit(&mut self, bit: usize) -> bool {
        let byte = self.bytes.get_mut(bit / 8);
        if let Some(byte) = byte {
            *byte ^= 1 << (bit % 8);
            return true;
        }
        false
    }

    /// How often each sector was erased, cut and failed erasures included.
    #[must_use]
    pub fn wear(&self) -> &[u32] {
        &self.wear
    }

    /// What was done since the flash was made.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.usage
    }

    /// Steps done since the flash was made: the instants between which power can be cut. A read is one step; a write has two for each byte
    /// (half written, written); an erase has three for each sector (old bits partly set, random bits, erased).
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// Cuts power when so many steps more are done. With 0 the next operation does nothing at all.
    ///
    /// From the cut on every operation fails with [`FlashError::NoPower`], until [`power_on`](Self::power_on). What the
    /// interrupted operation leaves is as bad as chips allow: a write stops after any number of bytes, with some bits of the next
    /// byte, or of its whole word, written; an erase leaves random bits.
    pub const fn cut_power_after(&mut self, steps: u64) {
        self.cut = Some(self.steps.saturating_add(steps));
    }

    /// Cuts power now.
    pub const fn power_off(&mut self) {
        self.is_powered = false;
        self.cut = None;
    }

    /// Restores power, and forgets a cut that has not come yet.
    pub const fn power_on(&mut self) {
        self.is_powered = true;
        self.cut = None;
    }

    /// Whether there is power.
    #[must_use]
    pub const fn is_powered(&self) -> bool {
        self.is_powered
    }

    /// Makes an operation fail with [`FlashError::Failed`], after `after` more that succeed, `times` times in a row.
    /// `u64::MAX` times is for good.
    ///
    /// A write that fails has written some of its bytes; an erase that fails leaves random bits; a read that fails leaves the buffer
    /// as it was.
    pub fn fail(&mut self, operation: Operation, after: u64, times: u64) {
        self.faults.push(Fault { operation, after, times });
    }

    /// Forgets faults to come.
    pub fn repair(&mut self) {
        self.faults.clear();
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> SimulatedFlash<READ, WRITE, ERASE> {
    /// Chooses what becomes of a write to a word that is not erased; at first it is refused.
    pub const fn on_rewrite(&mut self, rewrite: Rewrite) {
        self.rewrite = rewrite;
    }
}

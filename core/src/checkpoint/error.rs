//! Why a checkpoint was not saved or not loaded.

use core::fmt;

/// A part of a checkpoint, in the order in which they lie in flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Part {
    /// What the checkpoint is of, its lengths and counters.
    Header,
    /// The network's parameters.
    Parameters,
    /// The optimizer's moments.
    Moments,
    /// What the optimizer and its schedule keep for the whole network.
    State,
    /// The gradient of the samples that were observed since the last update.
    Gradients,
    /// What was kept beside the learner.
    Extra,
    /// The record that is written last and says that all before it is there. Damaged, it may be that of a save that power loss
    /// cut short.
    Commit,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Parameters => "parameters",
            Self::Moments => "moments",
            Self::State => "optimizer state",
            Self::Gradients => "gradients",
            Self::Extra => "extra state",
            Self::Commit => "commit record",
        })
    }
}

/// Why a checkpoint was not saved or not loaded; `E` is the flash's error.
///
/// Whatever [`save`](super::Store::save) returns, the newest checkpoint that there was is still there. Whatever
/// [`load`](super::Store::load) returns, except for [`Incomplete`](Self::Incomplete), the learner and what is beside it are exactly what
/// they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error<E> {
    /// Nothing was ever saved here, or it was erased.
    NoCheckpoint,
    /// The checkpoint is of a network with other layers, or parameters with other names or shapes.
    OtherNetwork {
        /// The fingerprint in the checkpoint.
        stored: u64,
        /// That of the learner's network.
        expected: u64,
    },
    /// The checkpoint is of the same network with another optimizer.
    OtherOptimizer {
        /// The fingerprint in the checkpoint.
        stored: u64,
        /// That of the learner's optimizer.
        expected: u64,
    },
    /// What was kept beside the learner is of another type.
    OtherExtra {
        /// The fingerprint in the checkpoint.
        stored: u64,
        /// That of what was to be loaded.
        expected: u64,
    },
    /// The checkpoint was written by a later version of this crate.
    NewerFormat {
        /// The version of its format.
        stored: u16,
        /// The newest that is known here.
        supported: u16,
    },
    /// There is a checkpoint, but a part of it is not what was written, or holds a value that cannot be: a parameter that is not
    /// finite, say. If both slots are damaged, this is the newer one's.
    Damaged {
        /// The first part that is damaged.
        part: Part,
    },
    /// Not saved: the learner, or what is beside it, holds a value that `load` would refuse, such as a parameter that is not
    /// finite.
    Invalid {
        /// Where.
        part: Part,
    },
    /// Not saved: flash does not hold what was written to it. It is worn out, or protected against writing.
    NotWritten {
        /// The first part that reads back as something else.
        part: Part,
    },
    /// The flash, or the range of it, is too small.
    TooSmall {
        /// How many bytes it would have to have.
        needed: u32,
        /// How many it has.
        available: u32,
    },
    /// The range does not begin and end at a sector.
    Misaligned {
        /// Its first address.
        start: u32,
        /// The address after its last.
        end: u32,
        /// The bytes of a sector, of which both must be multiples.
        erase_size: u32,
    },
    /// The flash has refused an operation; a read was tried several times.
    Flash(E),
    /// A checkpoint was found whole, but while it was loaded flash could no longer be read, and there is no older one. The
    /// learner and what is beside it hold a part of it: load again, or initialise them.
    Incomplete,
}

impl<E> From<E> for Error<E> {
    fn from(error: E) -> Self {
        Self::Flash(error)
    }
}

impl<E: fmt::Debug> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCheckpoint => f.write_str("no checkpoint: nothing was saved here yet"),
            Self::OtherNetwork { stored, expected } => write!(
                f,
                "the checkpoint is of another network: its fingerprint is {stored:016x}, the learner's is {expected:016x}; \
                 load it with the network that saved it, or erase it"
            ),
            Self::OtherOptimizer { stored, expected } => write!(
                f,
                "the checkpoint is of another optimizer: its fingerprint is {stored:016x}, the learner's is {expected:016x}; \
                 load it with the optimizer that saved it, or erase it"
            ),
            Self::OtherExtra { stored, expected } => write!(
                f,
                "the checkpoint keeps other things beside the learner: their fingerprint is {stored:016x}, that of what is to \
                 be loaded is {expected:016x}; give `load` what `save` was given"
            ),
            Self::NewerFormat { stored, supported } => write!(
                f,
                "the checkpoint has format version {stored}, but this program knows versions up to {supported}; update the \
                 program, or erase the checkpoint"
            ),
            Self::Damaged { part } => write!(f, "the checkpoint is damaged: its {part} cannot be trusted"),
            Self::Invalid { part } => {
                write!(f, "not saved: a value of the {part} is not finite or not in its range; nothing was overwritten")
            }
            Self::NotWritten { part } => write!(
                f,
                "not saved: the {part} did not read back as written; flash is worn out or protected; the checkpoint before \
                 it is still there"
            ),
            Self::TooSmall { needed, available } => {
                write!(f, "flash is too small: {needed} bytes are needed, {available} are available")
            }
            Self::Misaligned { start, end, erase_size } => write!(
                f,
                "the range {start:#x}..{end:#x} does not begin and end at a sector: both must be multiples of {erase_size:#x}"
            ),
            Self::Flash(error) => write!(f, "flash: {error:?}"),
            Self::Incomplete => f.write_str(
                "flash failed while the checkpoint was loaded: the learner holds only a part of it; load again or initialise",
            ),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for Error<E> {}

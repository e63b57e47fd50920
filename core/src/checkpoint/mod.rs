//! Checkpoints: what a device has learned, kept in flash through any loss of power.
//!
//! A [`Store`] keeps checkpoints in a range of any [`NorFlash`](embedded_storage::nor_flash::NorFlash), in two slots.
//! [`save`](Store::save) overwrites the older slot, [`load`](Store::load) reads the newer one. A training run that was saved and
//! loaded goes on as if nothing had happened, bit for bit.
//!
//! ```
//! # use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
//! # struct Flash(Vec<u8>);
//! # impl ErrorType for Flash { type Error = NorFlashErrorKind; }
//! # impl ReadNorFlash for Flash {
//! #     const READ_SIZE: usize = 1;
//! #     fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
//! #         bytes.copy_from_slice(&self.0[offset as usize..][..bytes.len()]);
//! #         Ok(())
//! #     }
//! #     fn capacity(&self) -> usize { self.0.len() }
//! # }
//! # impl NorFlash for Flash {
//! #     const WRITE_SIZE: usize = 4;
//! #     const ERASE_SIZE: usize = 4096;
//! #     fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
//! #         self.0[from as usize..to as usize].fill(0xff);
//! #         Ok(())
//! #     }
//! #     fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
//! #         self.0[offset as usize..][..bytes.len()].copy_from_slice(bytes);
//! #         Ok(())
//! #     }
//! # }
//! # let flash = Flash(vec![0xff; 8 * 4096]);
//! use backpass::checkpoint::{Error, Store};
//! use backpass::{Adam, CrossEntropy, Dense, Learner, Memory, Relu, Rng};
//!
//! type Net = (Dense<8>, Relu, Dense<3>);
//! let mut memory = Memory::<Net, [f32; 4], Adam>::new();
//! let mut learner = Learner::new(&mut memory, Net::default(), CrossEntropy, Adam::new(0.01));
//! let mut rng = Rng::new(1);
//!
//! // The last 16 KB of the flash: two slots of two sectors each.
//! let mut store = Store::new(flash, 0x4000..0x8000)?;
//! match store.load(&mut learner, &mut rng) {
//!     Ok(_) => {}                                      // goes on from there
//!     // The first start, or a first save that was cut short.
//!     Err(Error::NoCheckpoint | Error::Damaged { .. }) => learner.initialize(1),
//!     Err(error) => panic!("{error}"),
//! }
//! learner.train(&[1.0, 2.0, 3.0, 4.0], &2)?;
//! let saved = store.save(&learner, &mut rng)?;
//! assert_eq!((saved.sequence, saved.observed), (1, 1));
//!
//! // Power is lost. At the next start:
//! let mut memory = Memory::<Net, [f32; 4], Adam>::new();
//! let mut again = Learner::new(&mut memory, Net::default(), CrossEntropy, Adam::new(0.01));
//! assert_eq!(store.load(&mut again, &mut rng)?, saved);
//! assert_eq!(again.params(), learner.params());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is kept
//!
//! Of the learner, all that it has learned and counted: parameters (running statistics of batch normalisation among them), the
//! optimizer's moments and state with the step count of its schedule, the counts of samples, the number of the random stream that
//! dropout draws from, and, if samples are pending, their accumulated gradient: so a mini-batch may be saved half-way. While none is
//! pending, a checkpoint spends no flash on gradients.
//!
//! Beside it, what is handed over as `extra`: anything that is [`Persist`], such as the generator that shuffles, or a tuple of references.
//!
//! Not kept is what a program says itself, every time it starts: the network's and the optimizer's settings, such as learning
//! rate, dropout rate or schedule, and the weights of [`Frozen`](crate::Frozen) layers. They are not part of the fingerprint
//! either: a learning rate may change from one start to the next. State that [`Streaming`](crate::Streaming) holds is not kept.
//!
//! # What is certain
//!
//! * **Power may be lost at any time**, within a write or an erase too: the next start finds the newest checkpoint that was
//!   committed, whole. A save never touches it. It erases the other slot, writes all but the commit record, reads all back, and writes
//!   the commit record last; a slot counts only if that is whole and every checksum is right. Where the first save of all is cut
//!   short there is none yet: what is left of it is [`Error::Damaged`], as nobody can tell it from one that was whole.
//! * **What is damaged is not loaded.** Header and body have a CRC-32, which finds every burst of up to 32 bits and every error of up to
//!   three bits in checkpoints of up to 11 KB (Koopman's tables); anything else, such as the random bits that an erase cut short may leave, passes once
//!   in 2^32 — and must then also have a whole header and commit record. If the newer slot is damaged, the older one is loaded.
//! * **A load that fails changes nothing.** The first pass checks, the second loads. Only if flash, which was read without an error
//!   in the first pass, cannot be read any more in the second, and there is no older checkpoint to be loaded instead, is the
//!   learner left with a part of one; [`Error::Incomplete`] says so.
//! * **A checkpoint is not trusted.** Even one that was made up, with the right checksums, cannot cause a panic, or bring numbers
//!   into a learner that are not finite.
//!
//! A cell of NOR flash whose write or erase was cut short may read as 0 now and as 1 later. A commit record like that may
//! count today and not tomorrow; then the older checkpoint is there, until a save has taken its slot. Nothing can be done about it
//! without writing a second time, which most flashes do not allow: saves that finish are not affected.
//!
//! # Which flash
//!
//! Any whose reads and writes are aligned to 1 to 256 bytes, that need not write a place twice between two erases: nRF52 (4), RP2040 (256
//! or 1), STM32 (1 to 32, with ECC too). The two slots are of the same size, whole sectors, and wear alike, since saves alternate
//! between them: with 10,000 cycles a sector, 20,000 saves. Only the sectors that a checkpoint needs are erased.
//!
//! Where sectors differ in size (STM32F4), give a region of equal ones, such as `embassy-stm32`'s `Bank1Region3`, or an adapter that
//! reports the largest size and erases all smaller sectors within it.
//!
//! # Why not a crate that stores things in flash
//!
//! * `sequential-storage` 8.0 keeps items of up to 65,535 bytes (a `u16` in the item's header) that must fit, in one piece, in a buffer in RAM and
//!   in one page of flash. Weights are larger than any of these. Split into many items they would not be replaced all at once.
//! * `ekv` 1.0 has transactions over many keys, but each value goes in and out as one slice of at most 1 KB by default, so weights
//!   would need keys for their pieces; it asks for page buffers and an index in RAM, and rewrites (compacts) what is stored.
//! * Both are `async` only, on `embedded-storage-async`.
//!
//! Weights are one block that is always replaced as a whole, for which two slots do with one buffer of 256 bytes and no other RAM.
//!
//! The format is documented in [`format`](mod@format), byte by byte. On a host, [`Image`] reads and writes it in plain bytes.

mod content;
pub mod error;
pub mod fingerprint;
mod flash;
pub mod format;
pub mod image;
pub mod persist;
pub mod store;

pub use content::network_fingerprint;
pub use error::{Error, Part};
pub use fingerprint::Fingerprint;
pub use image::Image;
pub use persist::{Archive, Persist};
pub use store::{Info, Store};

#[cfg(test)]
mod tests;

//! Learning from samples that come over a serial line: any board learns any data.
//!
//! The host sends requests, the board answers each. A sample to be learned from is answered by the board's prediction, its loss and the
//! counters; parameters can be read and written, checkpoints saved and loaded. **A frame that is damaged, too long, lost, repeated or out
//! of order changes nothing**, and the board says what was wrong with it.
//!
//! # The bytes
//!
//! A frame in either direction, before it is stuffed:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | `?` (0x3f) from the host, `!` (0x21) from the board |
//! | 4 | session, little-endian |
//! | 4 | number of the request in its session, little-endian; the answer has that of its request |
//! | 1 or more | message, below |
//! | 4 each | its numbers: `f32`, little-endian |
//! | 4 | CRC-32 (ISO-HDLC, as `zlib.crc32`) of all before it, little-endian |
//!
//! That is stuffed by COBS (Cheshire and Baker, 1999), so that it has no zero in it, and a zero ends it. Zeros between frames are passed
//! over: a host that begins may send one to end what was on the line. No frame is longer than `frame` bytes of the answer to `Hello`, its
//! zero included.
//!
//! A message is the number of its kind in one byte, then its fields, as [postcard](https://postcard.jamesmunns.com/wire-format) writes
//! them: `u16`, `u32` and `u64` in groups of seven bits, the lowest first, with the high bit set in all but the last; an `f32` in four
//! bytes, little-endian; an `Option` as one byte 0, or 1 and the value; an array's and a structure's fields one after another.
//!
//! | request | fields | numbers | answer, or a refusal | fields | numbers |
//! |---|---|---|---|---|---|
//! | 0 `Hello` | version | | 0 `Hello` | those of [`Hello`] | |
//! | 1 `Status` | | | 1 `Status` | crc32, [`Counters`] | |
//! | 2 `Train` | class or none | sample, target if no class | 2 `Trained` | class, loss, [`Counters`] | |
//! | 3 `Predict` | | sample | 3 `Predicted` | class | outputs |
//! | 4 `Evaluate` | class or none | as `Train` | 4 `Evaluated` | class, loss | outputs |
//! | 5 `Read` | offset, count | | 5 `Parameters` | offset | parameters |
//! | 6 `Write` | parameters, crc32 | | 6 `Written` | next | |
//! | 7 `Chunk` | offset | parameters | 6 `Written` | next | |
//! | 8 `Commit` | | | 7 `Committed` | crc32 | |
//! | 9 `Save` | | | 8 `Saved` | sequence, bytes | |
//! | 10 `Load` | | | 9 `Loaded` | sequence, crc32 | |
//! | 11 `Reset` | seed | | 10 `Begun` | crc32 | |
//! | | | | 11 `Refused` | a [`Refusal`]: its number, its fields | |
//!
//! # Sessions and numbers
//!
//! A session begins with `Hello`, whose number is 0 and whose session is larger than the board's, which is 0 after switch-on. The board
//! refuses others and says which its own is. Each request after it has the next number. If no answer comes, the host sends the same
//! bytes again: the board **answers again and does it once**. Any other number is refused as out of order. So a host has one request
//! under way at a time, and a request that was held up on the line and comes late does no harm.
//!
//! # Parameters
//!
//! All numbers of the network, in the order of [`Params::visit`](backpass::Params::visit). New ones are announced by `Write`, sent in
//! `Chunk`s and taken over by `Commit`; until then they lie in the gradients' arrays, which nothing else uses between two samples.
//! `Train`, `Load` and `Reset` end a transfer.

pub mod frame;
pub mod message;
mod nb_line;
mod server;
mod weights;

pub use message::{Counters, Hello, Refusal, Request, Response, VERSION};
pub use nb_line::{NbLine, PortError};
pub use server::{Event, Frames, Server, Target};

use backpass::{Adam, Conv1d, CrossEntropy, Dense, GlobalAveragePool, Learner, Memory, Relu, Signal};

/// Rows in a sample of the example network.
pub const ROWS: usize = crate::gesture::ROWS;
/// Channels of a row: accelerometer and gyroscope.
pub const CHANNELS: usize = 6;
/// Classes of the example network.
pub const CLASSES: usize = 10;
/// Bytes of the example's longest frame.
pub const FRAME: usize = 1024;

/// A sample of the example: the window of [`gesture`](crate::gesture).
pub type Input = Signal<ROWS, CHANNELS>;
/// The network of the example: that of [`gesture`](crate::gesture), for ten classes.
pub type Network =
    (Conv1d<Signal<16, 8>, 5, 2>, Relu, Conv1d<Signal<8, 16>, 3, 2>, Relu, GlobalAveragePool, Dense<CLASSES>);
/// Its memory.
pub type Ram = Memory<Network, Input, Adam>;
/// The example, as the boards run it.
pub type Example<'m> = Server<'m, Network, Input, CrossEntropy, Adam, usize, FRAME>;
/// Bytes of the flash that the example's checkpoints need, in sectors of up to 4 KB.
pub const FLASH: u32 = 40 * 1024;
/// Bits a second on a line of a real board: 8 data bits, no parity, one stop bit.
pub const BAUD: u32 = 115_200;
/// The seed of the example's first weights.
pub const SEED: u64 = 1;
/// The learning rate of the example.
pub const LEARNING_RATE: f32 = 0.005;

/// Joins the example with its memory.
pub fn example<'m>(memory: &'m mut Ram, frames: &'m mut Frames<FRAME>) -> Example<'m> {
    Server::new(Learner::new(memory, Network::default(), CrossEntropy, Adam::new(LEARNING_RATE)), frames, SEED)
}

#[cfg(test)]
mod tests;

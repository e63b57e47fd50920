//! Frames: where one begins and ends, and whether it is whole. [`super`] has the bytes.

use cobs::CobsEncoder;
use crc::{CRC_32_ISO_HDLC, Crc, Digest, NoTable};
use serde::{Deserialize, Serialize};

/// Which way a frame goes: its first byte. A line that echoes is noticed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the host.
    Request,
    /// From the board.
    Response,
}

impl Direction {
    const fn byte(self) -> u8 {
        match self {
            Self::Request => b'?',
            Self::Response => b'!',
        }
    }
}

/// Bytes of a frame besides message and numbers, before it is stuffed: direction, session, number, CRC-32.
const FIXED: usize = 1 + 4 + 4 + 4;
/// The most bytes of a message without its numbers.
const MESSAGE: usize = 112;

/// The most bytes of a frame with this many numbers.
#[must_use]
pub const fn longest(numbers: usize) -> usize {
    let bytes = FIXED + MESSAGE + 4 * numbers;
    // A byte at the beginning, one after each 254, and the zero at the end.
    bytes + bytes / 254 + 2
}

/// How many numbers a frame of so many bytes has room for, whatever the message.
#[must_use]
pub const fn room(frame: usize) -> usize {
    let mut numbers = frame / 4;
    while numbers > 0 && longest(numbers) > frame {
        numbers -= 1;
    }
    numbers
}

fn checksum() -> Crc<u32, NoTable> {
    Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC)
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// They are not what was sent.
    Damaged,
    /// They are more than the buffer holds.
    TooLong,
}

/// A frame that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'f> {
    /// Its session.
    pub session: u32,
    /// Its number in the session.
    pub number: u32,
    /// Its CRC-32.
    pub crc32: u32,
    body: &'f [u8],
}

impl<'f> Frame<'f> {
    /// Reads the bytes of a frame, without the zero that ends it; they are overwritten.
    ///
    /// # Errors
    /// [`FrameError::Damaged`].
    pub fn read(bytes: &'f mut [u8], direction: Direction) -> Result<Self, FrameError> {
        let len = cobs::decode_in_place(bytes).map_err(|_| FrameError::Damaged)?;
        let bytes = bytes.get(..len).ok_or(FrameError::Damaged)?;
        let (checked, crc) = bytes.split_last_chunk::<4>().ok_or(FrameError::Damaged)?;
        let crc32 = u32::from_le_bytes(*crc);
        let ([first, header @ ..], body) = checked.split_first_chunk::<9>().ok_or(FrameError::Damaged)?;
        if checksum().checksum(checked) != crc32 || *first != direction.byte() {
            return Err(FrameError::Damaged);
        }
        let [a, b, c, d, e, f, g, h] = *header;
        Ok(Self { session: u32::from_le_bytes([a, b, c, d]), number: u32::from_le_bytes([e, f, g, h]), crc32, body })
    }

    /// The message, and the numbers behind it: four little-endian bytes each. `None` if there is no such message.
    #[must_use]
    pub fn message<M: Deserialize<'f>>(&self) -> Option<(M, &'f [[u8; 4]])> {
        let (message, rest) = postcard::take_from_bytes(self.body).ok()?;
        let (numbers, rest) = rest.as_chunks();
        rest.is_empty().then_some((message, numbers))
    }
}

/// Hands the numbers behind a message, part by part, to what it is given.
pub type Numbers<'n> = &'n mut dyn FnMut(&mut dyn FnMut(&[f32]));

/// Writes a frame into `buffer`, the zero at its end included, and returns its length; `None` if it has no room.
pub fn write<M: Serialize>(
    buffer: &mut [u8],
    direction: Direction,
    (session, number): (u32, u32),
    message: &M,
    numbers: Numbers<'_>,
) -> Option<usize> {
    let mut scratch = [0; MESSAGE];
    let message = postcard::to_slice(message, &mut scratch).ok()?;
    let (_, place) = buffer.split_last_mut()?;
    let crc = checksum();
    let mut writer = Writer { encoder: CobsEncoder::new(place), digest: crc.digest(), whole: true };
    writer.put(&[direction.byte()]);
    writer.put(&session.to_le_bytes());
    writer.put(&number.to_le_bytes());
    writer.put(message);
    numbers(&mut |values| values.iter().for_each(|value| writer.put(&value.to_le_bytes())));
    let Writer { mut encoder, digest, whole } = writer;
    if !whole || encoder.push(&digest.finalize().to_le_bytes()).is_err() {
        return None;
    }
    let len = encoder.finalize();
    *buffer.get_mut(len)? = 0;
    Some(len + 1)
}

struct Writer<'b, 'c> {
    encoder: CobsEncoder<'b>,
    digest: Digest<'c, u32, NoTable>,
    whole: bool,
}

impl Writer<'_, '_> {
    fn put(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.whole &= self.encoder.push(bytes).is_ok();
    }
}

/// Gathers the bytes of frames of up to `N` bytes.
#[derive(Debug)]
pub struct Receiver<const N: usize> {
    buffer: [u8; N],
    len: usize,
    /// Bytes were lost: there was no room for them, or the line says so.
    lost: Option<FrameError>,
}

impl<const N: usize> Receiver<N> {
    /// One that has received nothing: all zeros.
    #[must_use]
    pub const fn new() -> Self {
        Self { buffer: [0; N], len: 0, lost: None }
    }

    /// Takes a byte. Returns what a frame holds once its last byte has come; several zeros in a row are no frame.
    pub fn take(&mut self, byte: u8, direction: Direction) -> Option<Result<Frame<'_>, FrameError>> {
        if byte != 0 {
            match self.buffer.get_mut(self.len) {
                // The zero at the end counts too.
                Some(place) if self.len.saturating_add(1) < N => {
                    *place = byte;
                    self.len = self.len.saturating_add(1);
                }
                _ => self.lost = self.lost.or(Some(FrameError::TooLong)),
            }
            return None;
        }
        let (len, lost) = (core::mem::take(&mut self.len), self.lost.take());
        if len == 0 && lost.is_none() {
            return None;
        }
        if let Some(error) = lost {
            return Some(Err(error));
        }
        let bytes = self.buffer.get_mut(..len)?;
        Some(Frame::read(bytes, direction))
    }

    /// Notes that the line has lost bytes: what comes up to the end of the frame is damaged.
    pub const fn lose(&mut self) {
        self.lost = Some(FrameError::Damaged);
    }
}

impl<const N: usize> Default for Receiver<N> {
    fn default() -> Self {
        Self::new()
    }
}

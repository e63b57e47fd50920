//! Bytes to and from flash, by way of one small buffer.

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use super::format::{COMMIT, Checksum, HEADER};
use super::persist::Stream;

/// The bytes of the one buffer.
const BUFFER: usize = 256;
/// How often a read is tried.
const ATTEMPTS: usize = 3;

/// The bytes of the buffer that are used: as many as make whole reads and writes of `align` bytes.
const fn chunk(align: usize) -> usize {
    BUFFER / align * align
}

/// Writes a slot from its beginning, in order.
pub(crate) struct Writer<'f, F: NorFlash> {
    flash: &'f mut F,
    /// The address of the next write.
    address: u32,
    buffer: [u8; BUFFER],
    filled: usize,
    position: u32,
    checksum: Checksum,
    error: Option<F::Error>,
}

impl<'f, F: NorFlash> Writer<'f, F> {
    pub(crate) fn new(flash: &'f mut F, address: u32) -> Self {
        let checksum = Checksum::new();
        Self { flash, address, buffer: [0xff; BUFFER], filled: 0, position: 0, checksum, error: None }
    }

    /// Writes a header, whose own CRC does not count.
    pub(crate) fn header(&mut self, bytes: &[u8; HEADER as usize]) {
        self.put(bytes);
        if let Some((bytes, _)) = bytes.split_last_chunk::<4>() {
            self.checksum.add(bytes);
        }
    }

    /// Writes a commit record, which does not count.
    pub(crate) fn commit(&mut self, bytes: &[u8; COMMIT as usize]) {
        self.put(bytes);
    }

    /// The CRC of what has been written.
    pub(crate) fn checksum(&self) -> u32 {
        self.checksum.value()
    }

    /// Writes what is left, padded to whole writes.
    pub(crate) fn finish(mut self) -> Result<(), F::Error> {
        self.flush();
        match self.error {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }

    fn put(&mut self, mut bytes: &[u8]) {
        self.position = self.position.saturating_add(bytes.len() as u32);
        while !bytes.is_empty() {
            let room = self.buffer.get_mut(self.filled..chunk(F::WRITE_SIZE)).unwrap_or_default();
            let count = room.len().min(bytes.len());
            let Some((now, later)) = bytes.split_at_checked(count) else { return };
            room.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
            self.filled += count;
            bytes = later;
            if self.filled >= chunk(F::WRITE_SIZE) {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        let length = self.filled.next_multiple_of(F::WRITE_SIZE);
        self.filled = 0;
        if let (None, Some(bytes)) = (&self.error, self.buffer.get(..length))
            && !bytes.is_empty()
        {
            self.error = self.flash.write(self.address, bytes).err();
        }
        self.buffer = [0xff; BUFFER];
        self.address = self.address.saturating_add(length as u32);
    }
}

impl<F: NorFlash> Stream for Writer<'_, F> {
    fn pass(&mut self, bytes: &mut [u8]) {
        self.checksum.add(bytes);
        self.put(bytes);
    }

    fn position(&self) -> u32 {
        self.position
    }
}

/// Reads a slot.
pub(crate) struct Reader<'f, F: ReadNorFlash> {
    flash: &'f mut F,
    /// The slot's first address.
    start: u32,
    /// The slot's bytes.
    size: u32,
    buffer: [u8; BUFFER],
    /// Where in the slot the buffer's first byte lies, and how many are filled.
    at: u32,
    filled: usize,
    position: u32,
    checksum: Checksum,
    error: Option<F::Error>,
}

impl<'f, F: ReadNorFlash> Reader<'f, F> {
    pub(crate) fn new(flash: &'f mut F, start: u32, size: u32) -> Self {
        let checksum = Checksum::new();
        Self { flash, start, size, buffer: [0; BUFFER], at: 0, filled: 0, position: 0, checksum, error: None }
    }

    /// Goes on from a place in the slot, with a new checksum.
    pub(crate) fn seek(&mut self, position: u32) {
        self.position = position;
        self.checksum = Checksum::new();
    }

    /// The CRC of what has been read since the last [`seek`](Self::seek).
    pub(crate) fn checksum(&self) -> u32 {
        self.checksum.value()
    }

    /// What is next. Zeros where flash cannot be read, or behind its end.
    pub(crate) fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.pass(&mut bytes);
        bytes
    }

    /// Four bytes that do not count for the checksum.
    pub(crate) fn take_uncounted(&mut self) -> [u8; 4] {
        let mut bytes = [0; 4];
        self.get(&mut bytes);
        bytes
    }

    /// Reads up to a place in the slot.
    pub(crate) fn skip_to(&mut self, position: u32) {
        while self.position < position && self.error.is_none() {
            let mut bytes = [0; 16];
            let count = (position - self.position).min(16) as usize;
            self.pass(bytes.get_mut(..count).unwrap_or_default());
        }
    }

    /// The error of the flash, if there was one.
    pub(crate) fn finish(self) -> Result<(), F::Error> {
        match self.error {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }

    /// Whether flash could not be read.
    pub(crate) const fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    fn get(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let offset = self.position.checked_sub(self.at).map_or(usize::MAX, |offset| offset as usize);
            let filled = self.buffer.get(..self.filled).and_then(|filled| filled.get(offset..)).unwrap_or_default();
            if filled.is_empty() {
                if self.error.is_some() || !self.fill() {
                    bytes.fill(0);
                    self.position = self.position.saturating_add(bytes.len() as u32);
                    return;
                }
                continue;
            }
            let count = filled.len().min(bytes.len());
            bytes.iter_mut().zip(filled).for_each(|(to, from)| *to = *from);
            self.position += count as u32;
            bytes = bytes.get_mut(count..).unwrap_or_default();
        }
    }

    /// Fills the buffer from where the next byte lies. Says whether it has that byte then.
    fn fill(&mut self) -> bool {
        let read = F::READ_SIZE as u32;
        self.at = self.position / read * read;
        let left = self.size.saturating_sub(self.at) as usize / F::READ_SIZE * F::READ_SIZE;
        self.filled = left.min(chunk(F::READ_SIZE));
        let Some(bytes) = self.buffer.get_mut(..self.filled) else { return false };
        if bytes.is_empty() {
            return false;
        }
        let address = self.start.saturating_add(self.at);
        for _ in 0..ATTEMPTS {
            self.error = self.flash.read(address, bytes).err();
            if self.error.is_none() {
                return true;
            }
        }
        self.filled = 0;
        false
    }
}

impl<F: ReadNorFlash> Stream for Reader<'_, F> {
    fn pass(&mut self, bytes: &mut [u8]) {
        self.get(bytes);
        self.checksum.add(bytes);
    }

    fn position(&self) -> u32 {
        self.position
    }
}

//! A NOR flash whose contents lie in a file of the host, so that they outlive the emulator: killing it is a power cut.
//!
//! Every byte is a write of its own, and an erase goes on in pieces, so that a cut may come between any two of them.

use cortex_m_semihosting::nr::open;
use cortex_m_semihosting::syscall;
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// Bytes that are written at a time.
const WORD: usize = 4;
/// Bytes of a sector.
const SECTOR: usize = 4096;
/// Bytes that are erased at a time.
const PIECE: usize = 256;

/// A flash of `CAPACITY` bytes in sectors of 4 KB, written by words of 4 bytes.
#[derive(Debug)]
pub(crate) struct FileFlash<const CAPACITY: usize> {
    handle: usize,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, defmt::Format)]
pub(crate) enum FileFlashError {
    /// The host cannot open, read or write the file.
    Host,
    /// A word that is not erased was to be written.
    NotErased,
    /// Misaligned or out of bounds.
    Misuse(#[defmt(Debug2Format)] NorFlashErrorKind),
}

impl core::fmt::Display for FileFlashError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Host => f.write_str("the host cannot open, read or write the file of the flash"),
            Self::NotErased => f.write_str("a word of the flash was written that is not erased"),
            Self::Misuse(kind) => kind.fmt(f),
        }
    }
}

impl core::error::Error for FileFlashError {}

impl NorFlashError for FileFlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Misuse(kind) => *kind,
            Self::Host | Self::NotErased => NorFlashErrorKind::Other,
        }
    }
}

impl<const CAPACITY: usize> FileFlash<CAPACITY> {
    /// Opens the file, whose name ends in a zero. A missing file is made, a short one filled up by erased bytes.
    pub(crate) fn open(name: &core::ffi::CStr) -> Result<Self, FileFlashError> {
        let open = |mode: usize| {
            // SAFETY: OPEN takes the address of a string that ends in a zero, a mode and the string's length; it keeps neither.
            let handle = unsafe { syscall!(OPEN, name.as_ptr(), mode, name.count_bytes()) };
            if handle == usize::MAX { None } else { Some(handle) }
        };
        let handle = open(open::RW_BINARY).or_else(|| open(open::RW_TRUNC_BINARY)).ok_or(FileFlashError::Host)?;
        let mut flash = Self { handle };
        // SAFETY: FLEN takes a handle that OPEN has returned.
        let length = unsafe { syscall!(FLEN, handle) };
        if length == usize::MAX {
            return Err(FileFlashError::Host);
        }
        flash.fill(length, CAPACITY)?;
        Ok(flash)
    }

    fn seek(&mut self, offset: usize) -> Result<(), FileFlashError> {
        // SAFETY: SEEK takes a handle that OPEN has returned, and a position.
        let result = unsafe { syscall!(SEEK, self.handle, offset) };
        if result == 0 { Ok(()) } else { Err(FileFlashError::Host) }
    }

    /// Writes at the current position.
    fn put(&mut self, bytes: &[u8]) -> Result<(), FileFlashError> {
        // SAFETY: WRITE reads as many bytes as the slice has, from where it begins.
        let left = unsafe { syscall!(WRITE, self.handle, bytes.as_ptr(), bytes.len()) };
        if left == 0 { Ok(()) } else { Err(FileFlashError::Host) }
    }

    /// Reads at the current position.
    fn get(&mut self, bytes: &mut [u8]) -> Result<(), FileFlashError> {
        // SAFETY: READ writes at most as many bytes as the slice has, from where it begins.
        let left = unsafe { syscall!(READ, self.handle, bytes.as_mut_ptr(), bytes.len()) };
        if left == 0 { Ok(()) } else { Err(FileFlashError::Host) }
    }

    /// Sets bytes to ones.
    fn fill(&mut self, from: usize, to: usize) -> Result<(), FileFlashError> {
        let erased = [0xff; PIECE];
        let mut at = from;
        while at < to {
            let piece = erased.get(..to - at).unwrap_or(&erased);
            self.seek(at)?;
            self.put(piece)?;
            at += piece.len();
        }
        Ok(())
    }
}

impl<const CAPACITY: usize> ErrorType for FileFlash<CAPACITY> {
    type Error = FileFlashError;
}

impl<const CAPACITY: usize> ReadNorFlash for FileFlash<CAPACITY> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FileFlashError> {
        check_read(self, offset, bytes.len()).map_err(FileFlashError::Misuse)?;
        self.seek(offset as usize)?;
        self.get(bytes)
    }

    fn capacity(&self) -> usize {
        CAPACITY
    }
}

impl<const CAPACITY: usize> NorFlash for FileFlash<CAPACITY> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FileFlashError> {
        check_erase(self, from, to).map_err(FileFlashError::Misuse)?;
        self.fill(from as usize, to as usize)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FileFlashError> {
        check_write(self, offset, bytes.len()).map_err(FileFlashError::Misuse)?;
        self.seek(offset as usize)?;
        for _ in 0..bytes.len() / WORD {
            let mut old = [0; WORD];
            self.get(&mut old)?;
            if old != [0xff; WORD] {
                return Err(FileFlashError::NotErased);
            }
        }
        self.seek(offset as usize)?;
        bytes.chunks(1).try_for_each(|byte| self.put(byte))
    }
}

//! A NOR flash in RAM, for images of boards whose emulation has none.

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// A NOR flash in borrowed RAM: sectors of [`ERASE_SIZE`](NorFlash::ERASE_SIZE) bytes, words of four; a write only clears bits.
#[derive(Debug)]
pub struct RamFlash<'a>(&'a mut [u8]);

impl<'a> RamFlash<'a> {
    /// The flash in these bytes, as they are.
    pub const fn new(bytes: &'a mut [u8]) -> Self {
        Self(bytes)
    }

    fn part(&mut self, offset: u32, len: usize) -> Result<&mut [u8], NorFlashErrorKind> {
        let rest = self.0.get_mut(offset as usize..).ok_or(NorFlashErrorKind::OutOfBounds)?;
        rest.get_mut(..len).ok_or(NorFlashErrorKind::OutOfBounds)
    }
}

impl ErrorType for RamFlash<'_> {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for RamFlash<'_> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        let part = self.part(offset, bytes.len())?;
        bytes.iter_mut().zip(part).for_each(|(byte, stored)| *byte = *stored);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for RamFlash<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 256;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        if !from.is_multiple_of(256) || !to.is_multiple_of(256) {
            return Err(NorFlashErrorKind::NotAligned);
        }
        let len = to.checked_sub(from).ok_or(NorFlashErrorKind::OutOfBounds)?;
        self.part(from, len as usize)?.fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        if !offset.is_multiple_of(4) || !bytes.len().is_multiple_of(4) {
            return Err(NorFlashErrorKind::NotAligned);
        }
        self.part(offset, bytes.len())?.iter_mut().zip(bytes).for_each(|(stored, byte)| *stored &= *byte);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_clear_bits_and_erasing_sets_them() {
        let mut bytes = [0; 512];
        let mut flash = RamFlash::new(&mut bytes);
        flash.erase(256, 512).unwrap();
        flash.write(260, &[0x0f, 1, 2, 3]).unwrap();
        flash.write(260, &[0xf1, 0xff, 0xff, 0xff]).unwrap();
        let mut read = [9; 6];
        flash.read(258, &mut read).unwrap();
        assert_eq!(read, [0xff, 0xff, 0x01, 1, 2, 3]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut bytes = [0; 512];
        let mut flash = RamFlash::new(&mut bytes);
        assert_eq!(flash.erase(0, 100), Err(NorFlashErrorKind::NotAligned));
        assert_eq!(flash.erase(256, 768), Err(NorFlashErrorKind::OutOfBounds));
        assert_eq!(flash.write(2, &[0; 4]), Err(NorFlashErrorKind::NotAligned));
        assert_eq!(flash.write(512, &[0; 4]), Err(NorFlashErrorKind::OutOfBounds));
        assert_eq!(flash.read(510, &mut [0; 4]), Err(NorFlashErrorKind::OutOfBounds));
    }
}

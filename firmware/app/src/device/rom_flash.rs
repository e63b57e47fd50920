//! Flash chips that are written through functions in the ROM of a microcontroller.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// The bytes that are programmed at once.
pub const PAGE: usize = 256;
/// The bytes that are erased at once.
pub const SECTOR: usize = 4096;

/// What a ROM can do with the flash chip that the program itself runs from (RP2040, RP2350). Addresses count from the chip's
/// beginning; [`RomFlash`] has checked them.
pub trait Rom {
    /// The bytes of the chip.
    const CAPACITY: usize;

    /// Copies bytes.
    fn read(&mut self, address: u32, bytes: &mut [u8]);

    /// Erases whole sectors. Whether it could be done.
    fn erase(&mut self, address: u32, bytes: u32) -> bool;

    /// Programs a page, which lies in RAM: the chip cannot be read meanwhile. Whether it could be done.
    fn program(&mut self, address: u32, page: &[u8; PAGE]) -> bool;
}

/// A [`Rom`]'s flash chip as a [`NorFlash`].
#[derive(Debug, Clone, Copy)]
pub struct RomFlash<R>(pub R);

impl<R> ErrorType for RomFlash<R> {
    type Error = NorFlashErrorKind;
}

impl<R: Rom> ReadNorFlash for RomFlash<R> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        self.0.read(offset, bytes);
        Ok(())
    }

    fn capacity(&self) -> usize {
        R::CAPACITY
    }
}

impl<R: Rom> NorFlash for RomFlash<R> {
    const WRITE_SIZE: usize = PAGE;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        done(self.0.erase(from, to.saturating_sub(from)))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        let mut address = offset;
        for page in bytes.as_chunks().0 {
            // A copy: what is written may lie in the flash itself.
            done(self.0.program(address, &{ *page }))?;
            address = address.saturating_add(PAGE as u32);
        }
        Ok(())
    }
}

fn done(done: bool) -> Result<(), NorFlashErrorKind> {
    if done { Ok(()) } else { Err(NorFlashErrorKind::Other) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chip of two sectors that fails when told to.
    struct Chip {
        bytes: [u8; 2 * SECTOR],
        fails: bool,
    }

    impl Rom for Chip {
        const CAPACITY: usize = 2 * SECTOR;

        fn read(&mut self, address: u32, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.bytes[address as usize..][..bytes.len()]);
        }

        fn erase(&mut self, address: u32, bytes: u32) -> bool {
            self.bytes[address as usize..][..bytes as usize].fill(0xff);
            !self.fails
        }

        fn program(&mut self, address: u32, page: &[u8; PAGE]) -> bool {
            self.bytes[address as usize..][..PAGE].iter_mut().zip(page).for_each(|(to, from)| *to &= from);
            !self.fails
        }
    }

    #[test]
    fn pages_are_programmed_one_after_another() {
        let mut flash = RomFlash(Chip { bytes: [0; 2 * SECTOR], fails: false });
        flash.erase(0, SECTOR as u32).unwrap();
        let mut data = [0; 3 * PAGE];
        data.iter_mut().zip(0_u16..).for_each(|(byte, index)| *byte = (index / 7) as u8);
        flash.write(PAGE as u32, &data).unwrap();
        let mut back = [1; 5 * PAGE];
        flash.read(0, &mut back).unwrap();
        assert_eq!(back[PAGE..4 * PAGE], data);
        assert!(back[..PAGE].iter().chain(&back[4 * PAGE..]).all(|byte| *byte == 0xff));
        assert!(flash.0.bytes[SECTOR..].iter().all(|byte| *byte == 0), "the other sector is as it was");
    }

    #[test]
    fn what_the_chip_cannot_do_is_refused() {
        use NorFlashErrorKind::{NotAligned, Other, OutOfBounds};
        let mut flash = RomFlash(Chip { bytes: [0; 2 * SECTOR], fails: false });
        assert_eq!(flash.erase(0, 100), Err(NotAligned));
        assert_eq!(flash.erase(0, 3 * SECTOR as u32), Err(OutOfBounds));
        assert_eq!(flash.write(1, &[0; PAGE]), Err(NotAligned));
        assert_eq!(flash.write(0, &[0; 10]), Err(NotAligned));
        assert_eq!(flash.write(2 * SECTOR as u32, &[0; PAGE]), Err(OutOfBounds));
        assert_eq!(flash.read(2 * SECTOR as u32 - 1, &mut [0; 2]), Err(OutOfBounds));
        flash.0.fails = true;
        assert_eq!(flash.erase(0, SECTOR as u32), Err(Other));
        assert_eq!(flash.write(0, &[0; PAGE]), Err(Other));
    }
}

//! Checkpoints in bytes, for tools on a host.

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// Bytes as a flash: the image of a device's flash, or the slots of a file.
///
/// Reads, writes and sectors of one byte, so a [`Store`](super::Store) lies in any even number of them. A single checkpoint, as it
/// stands in a slot, is loaded from twice its bytes.
///
/// ```
/// use backpass::checkpoint::{Image, Store};
/// use backpass::{CrossEntropy, Dense, Learner, Memory, Sgd};
/// let mut memory = Memory::<Dense<2>, [f32; 3], Sgd>::new();
/// let mut learner = Learner::new(&mut memory, Dense::new(), CrossEntropy, Sgd::new(0.1));
///
/// let mut store = Store::new(Image(vec![0xff; 1024]), 0..1024)?;
/// let length = store.save(&learner, &mut ())?.length as usize;
/// let mut file = store.release().0;
/// file.truncate(length);
///
/// file.resize(2 * length, 0xff);
/// Store::new(Image(file), 0..2 * length as u32)?.load(&mut learner, &mut ())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Image<T>(pub T);

/// So many bytes from there on, as a range.
fn range(offset: u32, count: usize) -> Option<core::ops::Range<usize>> {
    let from = offset as usize;
    Some(from..from.checked_add(count)?)
}

impl<T> ErrorType for Image<T> {
    type Error = NorFlashErrorKind;
}

impl<T: AsRef<[u8]>> ReadNorFlash for Image<T> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        let place = range(offset, bytes.len()).and_then(|range| self.0.as_ref().get(range));
        let place = place.ok_or(NorFlashErrorKind::OutOfBounds)?;
        bytes.iter_mut().zip(place).for_each(|(to, from)| *to = *from);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.as_ref().len()
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> NorFlash for Image<T> {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = 1;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        let place = self.0.as_mut().get_mut(from as usize..to as usize).ok_or(NorFlashErrorKind::OutOfBounds)?;
        place.fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        let place = range(offset, bytes.len()).and_then(|range| self.0.as_mut().get_mut(range));
        let place = place.ok_or(NorFlashErrorKind::OutOfBounds)?;
        place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Ok(())
    }
}

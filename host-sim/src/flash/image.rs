//! A flash in a file.

use std::path::Path;

use super::SimulatedFlash;

/// What is wrong with an image of a flash.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The file cannot be read or written.
    #[error("the flash image {}: {source}", path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file has another size than the flash.
    #[error("the flash image has {found} bytes, the flash {capacity}")]
    Size {
        /// Bytes of the image.
        found: usize,
        /// Bytes of the flash.
        capacity: usize,
    },
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize, const MULTIWRITE: bool>
    SimulatedFlash<READ, WRITE, ERASE, MULTIWRITE>
{
    /// Takes over what a flash of this size holds: the bytes in the order of their addresses, as a programmer reads them out. A word
    /// that is not all ones counts as written. Wear and usage stay as they are.
    ///
    /// # Errors
    /// [`ImageError::Size`].
    pub fn set_bytes(&mut self, bytes: &[u8]) -> Result<(), ImageError> {
        if bytes.len() != self.bytes.len() {
            return Err(ImageError::Size { found: bytes.len(), capacity: self.bytes.len() });
        }
        self.bytes.copy_from_slice(bytes);
        for (used, word) in self.used.iter_mut().zip(bytes.chunks_exact(WRITE)) {
            *used = word.iter().any(|byte| *byte != 0xff);
        }
        Ok(())
    }

    /// [`set_bytes`](Self::set_bytes) from a file.
    ///
    /// # Errors
    /// [`ImageError::File`] or [`ImageError::Size`]; the flash stays as it was.
    pub fn load_image(&mut self, path: &Path) -> Result<(), ImageError> {
        let bytes = std::fs::read(path).map_err(|source| ImageError::File { path: path.to_owned(), source })?;
        self.set_bytes(&bytes)
    }

    /// Writes [`bytes`](Self::bytes) to a file.
    ///
    /// # Errors
    /// [`ImageError::File`].
    pub fn save_image(&self, path: &Path) -> Result<(), ImageError> {
        std::fs::write(path, &self.bytes).map_err(|source| ImageError::File { path: path.to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use embedded_storage::nor_flash::NorFlash;

    use super::*;
    use crate::flash::FlashError;

    #[test]
    fn an_image_is_read_back_with_what_is_written_and_what_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flash.bin");
        let mut flash = SimulatedFlash::<1, 4, 16>::new(2);
        flash.write(4, b"data").unwrap();
        flash.save_image(&path).unwrap();
        let mut other = SimulatedFlash::<1, 4, 16>::new(2);
        other.load_image(&path).unwrap();
        assert_eq!(other.bytes(), flash.bytes());
        assert_eq!(other.write(4, b"data"), Err(FlashError::NotErased { offset: 4 }));
        other.write(8, b"more").unwrap();

        let mut small = SimulatedFlash::<1, 4, 16>::new(1);
        assert!(matches!(small.load_image(&path), Err(ImageError::Size { found: 32, capacity: 16 })));
        assert!(matches!(small.load_image(&folder.path().join("none")), Err(ImageError::File { .. })));
    }
}

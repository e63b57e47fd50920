//! A flash in RAM, and the bits of a learner.

use backpass::optimizer::State;
use backpass::{Layer, Learner, Optimizer, Params, Tensor};
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// A flash with words of 4 bytes and sectors of 4 KB.
pub(crate) struct Flash(pub(crate) Vec<u8>);

impl Flash {
    /// Erased.
    pub(crate) fn new(sectors: usize) -> Self {
        Self(vec![0xff; 4096 * sectors])
    }
}

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 4;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        bytes.copy_from_slice(&self.0[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        self.0[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        for (place, byte) in self.0[offset as usize..].iter_mut().zip(bytes) {
            assert_eq!(*place, 0xff, "written without an erase");
            *place = *byte;
        }
        Ok(())
    }
}

/// The bits of parameters, pending gradient, moments, state and counters.
pub(crate) fn bits<N: Layer<X>, X: Tensor, L, O: Optimizer>(learner: &Learner<'_, N, X, L, O>) -> Vec<u32> {
    let mut bits = vec![learner.observed(), learner.pending(), learner.refused()];
    for set in [learner.params()].into_iter().chain(learner.gradients()).chain(learner.moments()) {
        set.visit(None, &mut |_, values| bits.extend(values.iter().map(|value| value.to_bits())));
    }
    let mut state = *learner.optimizer_state();
    state.words(&mut |word| bits.push(*word));
    bits
}

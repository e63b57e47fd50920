//! The flash chip, through the functions of the RP2040's ROM. While they write, the chip cannot be read, so `rp2040-flash` runs from
//! RAM meanwhile, and interrupts wait.

use backpass_app::device::rom_flash::{PAGE, Rom};
use rp2040_flash::flash::{flash_range_erase, flash_range_program};

/// Where the chip is read.
const START: usize = 0x1000_0000;

/// The Pico's flash chip.
#[derive(Debug)]
pub(crate) struct Chip(());

impl Chip {
    /// # Safety
    /// To be called once. The program lies below the addresses that are written, and the second core does not run.
    pub(crate) const unsafe fn new() -> Self {
        Self(())
    }
}

impl Rom for Chip {
    const CAPACITY: usize = 2 * 1024 * 1024;

    fn read(&mut self, address: u32, bytes: &mut [u8]) {
        for (byte, at) in bytes.iter_mut().zip(START + address as usize..) {
            // SAFETY: the chip's bytes, which can be read at any time.
            *byte = unsafe { (at as *const u8).read_volatile() };
        }
    }

    fn erase(&mut self, address: u32, bytes: u32) -> bool {
        // SAFETY: whole sectors of the chip that nothing else uses; no interrupt, no other core and no DMA reads the chip meanwhile.
        critical_section::with(|_| unsafe { flash_range_erase(address, bytes, true) });
        true
    }

    fn program(&mut self, address: u32, page: &[u8; PAGE]) -> bool {
        // SAFETY: as above, and a whole page, which lies on the stack.
        critical_section::with(|_| unsafe { flash_range_program(address, page, true) });
        true
    }
}

//! The flash chip, through a function of the RP2350's ROM that checks addresses itself.
//!
//! No published crate for this HAL implements `NorFlash`. The ROM reads the chip in modes in which it can be written at any time, and
//! comes back with the chip readable again (RP2350 datasheet, 5.5.8.2), so nothing need run from RAM; interrupts wait meanwhile.

use backpass_app::device::rom_flash::{PAGE, Rom};
use rp235x_hal::rom_data::{flash_flush_cache, flash_op};

/// Where the chip is read.
const START: u32 = 0x1000_0000;
/// Addresses as the program sees them, with the rights of secure code.
const FLAGS: u32 = 1 | 1 << 8;
const ERASE: u32 = FLAGS;
const PROGRAM: u32 = FLAGS | 1 << 16;

/// The Pico 2's flash chip.
#[derive(Debug)]
pub(crate) struct Chip(());

impl Chip {
    /// # Safety
    /// To be called once. The program lies below the addresses that are written, and the second core does not run.
    pub(crate) const unsafe fn new() -> Self {
        Self(())
    }
}

/// Whether the ROM could do it.
///
/// # Safety
/// `bytes` at `address` are used by nothing else, and `data` has so many if it is to be programmed.
unsafe fn operate(flags: u32, address: u32, bytes: u32, data: *mut u8) -> bool {
    // SAFETY: the ROM checks addresses and alignment; no interrupt, no other core and no DMA reads the chip meanwhile.
    let result = critical_section::with(|_| unsafe {
        let result = flash_op(flags, START + address, bytes, data);
        flash_flush_cache();
        result
    });
    result == 0
}

impl Rom for Chip {
    const CAPACITY: usize = 4 * 1024 * 1024;

    fn read(&mut self, address: u32, bytes: &mut [u8]) {
        for (byte, at) in bytes.iter_mut().zip(START + address..) {
            // SAFETY: the chip's bytes, which can be read at any time.
            *byte = unsafe { (at as *const u8).read_volatile() };
        }
    }

    fn erase(&mut self, address: u32, bytes: u32) -> bool {
        // SAFETY: whole sectors of the chip that nothing else uses; an erase reads no data.
        unsafe { operate(ERASE, address, bytes, core::ptr::null_mut()) }
    }

    fn program(&mut self, address: u32, page: &[u8; PAGE]) -> bool {
        // SAFETY: as above, and a whole page, which the ROM only reads.
        unsafe { operate(PROGRAM, address, PAGE as u32, page.as_ptr().cast_mut()) }
    }
}

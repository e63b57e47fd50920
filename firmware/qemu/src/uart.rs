//! The serial line of the emulated boards, polled, behind the traits of `embedded-io`.
//!
//! MPS2: UART 0 of the Cortex-M System Design Kit (Arm DDI 0479, section 4.3). micro:bit: the UART of the nRF51 (its reference
//! manual, chapter 29). QEMU hands over no byte before the receiver has room for it, so none is lost on this side of the line.

use core::convert::Infallible;
use core::ptr;

use embedded_io::{ErrorType, Read, ReadReady, Write};

/// Registers, by their addresses.
#[cfg(not(small))]
mod registers {
    /// UART 0. On the board with TrustZone its alias for secure code, which this is.
    const BASE: usize = if cfg!(trustzone) { 0x5020_0000 } else { 0x4000_4000 };
    /// A byte to send, or received.
    pub(super) const DATA: usize = BASE;
    /// Bit 0: the transmitter has no room; bit 1: a byte was received.
    pub(super) const STATE: usize = BASE + 0x04;
    /// Bit 0: the transmitter is on; bit 1: the receiver is.
    pub(super) const CONTROL: usize = BASE + 0x08;
    /// The clock divided by the baud rate; at least 16.
    pub(super) const DIVIDER: usize = BASE + 0x10;
}

/// Registers, by their addresses.
#[cfg(small)]
mod registers {
    const BASE: usize = 0x4000_2000;
    pub(super) const START_RECEIVING: usize = BASE;
    pub(super) const START_SENDING: usize = BASE + 0x008;
    /// 1: a byte was received.
    pub(super) const RECEIVED: usize = BASE + 0x108;
    /// 1: the byte was sent.
    pub(super) const SENT: usize = BASE + 0x11c;
    /// 4: on.
    pub(super) const ENABLE: usize = BASE + 0x500;
    pub(super) const INPUT: usize = BASE + 0x518;
    pub(super) const OUTPUT: usize = BASE + 0x51c;
}

/// The board's serial line.
#[derive(Debug)]
pub(crate) struct Uart(());

impl Uart {
    /// Switches it on. There is to be one only: two would take each other's bytes.
    #[cfg(not(small))]
    pub(crate) fn new() -> Self {
        // What rate a real line would have is of no consequence.
        write(registers::DIVIDER, 16);
        write(registers::CONTROL, 0b11);
        Self(())
    }

    /// Switches it on. There is to be one only: two would take each other's bytes.
    #[cfg(small)]
    pub(crate) fn new() -> Self {
        write(registers::ENABLE, 4);
        write(registers::START_RECEIVING, 1);
        write(registers::START_SENDING, 1);
        Self(())
    }

    #[cfg(not(small))]
    fn is_received(&self) -> bool {
        read(registers::STATE) & 0b10 != 0
    }

    #[cfg(small)]
    fn is_received(&self) -> bool {
        read(registers::RECEIVED) != 0
    }

    /// A byte that was received.
    #[cfg(not(small))]
    fn receive(&mut self) -> u8 {
        read(registers::DATA).to_le_bytes()[0]
    }

    /// A byte that was received.
    #[cfg(small)]
    fn receive(&mut self) -> u8 {
        // Reading announces the next byte, if there is one.
        write(registers::RECEIVED, 0);
        read(registers::INPUT).to_le_bytes()[0]
    }

    /// Sends a byte, and waits until there is room for the next.
    #[cfg(not(small))]
    fn send(&mut self, byte: u8) {
        write(registers::DATA, byte.into());
        while read(registers::STATE) & 0b01 != 0 {}
    }

    /// Sends a byte, and waits until there is room for the next.
    #[cfg(small)]
    fn send(&mut self, byte: u8) {
        write(registers::SENT, 0);
        write(registers::OUTPUT, byte.into());
        while read(registers::SENT) == 0 {}
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.is_received())
    }
}

impl Read for Uart {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while !self.is_received() {}
        let mut count = 0;
        for place in buffer {
            if !self.is_received() {
                break;
            }
            *place = self.receive();
            count += 1;
        }
        Ok(count)
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for byte in bytes {
            self.send(*byte);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

fn read(register: usize) -> u32 {
    // SAFETY: the address is one of a register above, which the board has; reading it has no effect on memory.
    unsafe { ptr::read_volatile(register as *const u32) }
}

fn write(register: usize, value: u32) {
    // SAFETY: the address is one of a register above, which the board has; writing it has no effect on memory.
    unsafe { ptr::write_volatile(register as *mut u32, value) }
}

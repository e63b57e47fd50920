//! The board's twin at the other end of the line.

use std::io;
use std::time::Duration;

use backpass::checkpoint::Store;
use backpass_app::ram_flash::RamFlash;
use backpass_app::stream::{Event, Example, FLASH, FRAME, Frames, Ram, example};
use embedded_io::{Read, Write};

use super::{Line, Receive};
use crate::devices::{LineFaults, SerialLine};

/// The memory of a twin: RAM and flash.
#[derive(Debug)]
pub struct TwinMemory {
    ram: Box<Ram>,
    frames: Box<Frames<FRAME>>,
    flash: Vec<u8>,
}

impl TwinMemory {
    /// Zeros, and an empty flash.
    #[must_use]
    pub fn new() -> Self {
        Self { ram: Box::new(Ram::new()), frames: Box::new(Frames::new()), flash: vec![0xff; FLASH as usize] }
    }
}

impl Default for TwinMemory {
    fn default() -> Self {
        Self::new()
    }
}

/// The flashed application on the host, at the end of a [`SerialLine`].
#[derive(Debug)]
pub struct Twin<'m> {
    board: Example<'m>,
    store: Store<RamFlash<'m>>,
    line: SerialLine,
    host: SerialLine,
}

impl<'m> Twin<'m> {
    /// Switches it on, with what is in its flash, on a good line.
    ///
    /// # Panics
    /// Never: the flash is whole sectors.
    #[must_use]
    pub fn new(memory: &'m mut TwinMemory) -> Self {
        let TwinMemory { ram, frames, flash } = memory;
        **frames = Frames::new();
        let mut store = Store::new(RamFlash::new(flash), 0..FLASH).expect("the flash is whole sectors");
        let mut board = example(ram, frames);
        board.start(&mut store, &mut |_: Event| {});
        let (host, line) = SerialLine::pair(LineFaults::default(), 0);
        Self { board, store, line, host }
    }

    /// The board.
    #[must_use]
    pub const fn board(&self) -> &Example<'m> {
        &self.board
    }
}

impl Line for Twin<'_> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Ok(()) = self.host.write_all(bytes);
        while self.board.step(&mut self.line, &mut self.store, &mut |_| {}) {}
        Ok(())
    }
}

impl Receive for Twin<'_> {
    /// What does not come at once never will.
    fn receive(&mut self, buffer: &mut [u8], _: Duration) -> io::Result<usize> {
        let Ok(count) = self.host.read(buffer);
        Ok(count)
    }
}

impl<'m> Line for &mut Twin<'m> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        (**self).send(bytes)
    }
}

impl<'m> Receive for &mut Twin<'m> {
    fn receive(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        (**self).receive(buffer, timeout)
    }
}

//! A serial port behind the traits of `embedded-io`.

use core::convert::Infallible;

use embedded_io::{ErrorType, Read, ReadReady, Write};

/// A serial port, byte by byte.
pub trait Port {
    /// A byte that was received.
    fn receive(&mut self) -> Option<u8>;

    /// Sends a byte, and waits until there is room for the next.
    fn send(&mut self, byte: u8);
}

/// A line with one byte that has been looked at.
pub struct Line<P> {
    port: P,
    next: Option<u8>,
}

impl<P: Port> Line<P> {
    /// The line at a port.
    pub fn new(port: P) -> Self {
        Self { port, next: None }
    }
}

impl<P> ErrorType for Line<P> {
    type Error = Infallible;
}

impl<P: Port> ReadReady for Line<P> {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        self.next = self.next.or_else(|| self.port.receive());
        Ok(self.next.is_some())
    }
}

impl<P: Port> Read for Line<P> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let Some(first) = buffer.first_mut() else { return Ok(0) };
        *first = loop {
            if let Some(byte) = self.next.take().or_else(|| self.port.receive()) {
                break byte;
            }
        };
        let mut count = 1;
        for (place, byte) in buffer.iter_mut().skip(1).zip(core::iter::from_fn(|| self.port.receive())) {
            *place = byte;
            count += 1;
        }
        Ok(count)
    }
}

impl<P: Port> Write for Line<P> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        bytes.iter().for_each(|byte| self.port.send(*byte));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

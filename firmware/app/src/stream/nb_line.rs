//! A serial port with the non-blocking traits of `embedded-hal` as a line with those of `embedded-io`.

use core::fmt;

use embedded_hal_nb::nb::{self, block};
use embedded_hal_nb::serial::{self, Error as _, ErrorKind};
use embedded_io::{ErrorType, Read, ReadReady, Write};

/// A serial port of a HAL that has [`embedded_hal_nb::serial`], but not the version of `embedded-io` that the
/// [`Server`](super::Server) asks for.
///
/// It holds one byte, or error, that was looked at and not read yet. It has no other buffer: what comes while nobody looks waits in the
/// port, as far as there is room.
#[derive(Debug)]
pub struct NbLine<P: serial::ErrorType> {
    port: P,
    ahead: Option<Result<u8, P::Error>>,
}

impl<P: serial::Read + serial::Write> NbLine<P> {
    /// The line at this port.
    pub const fn new(port: P) -> Self {
        Self { port, ahead: None }
    }

    /// Whether something has come; if so, it lies in `ahead`.
    fn look(&mut self) -> bool {
        if self.ahead.is_none() {
            self.ahead = match self.port.read() {
                Ok(byte) => Some(Ok(byte)),
                Err(nb::Error::Other(error)) => Some(Err(error)),
                Err(nb::Error::WouldBlock) => None,
            };
        }
        self.ahead.is_some()
    }
}

/// What a serial port says is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortError(pub ErrorKind);

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::error::Error for PortError {}

impl embedded_io::Error for PortError {
    fn kind(&self) -> embedded_io::ErrorKind {
        match self.0 {
            ErrorKind::FrameFormat | ErrorKind::Parity | ErrorKind::Noise => embedded_io::ErrorKind::InvalidData,
            _ => embedded_io::ErrorKind::Other,
        }
    }
}

impl<P: serial::ErrorType> ErrorType for NbLine<P> {
    type Error = PortError;
}

impl<P: serial::Read + serial::Write> ReadReady for NbLine<P> {
    /// An error is something to be read, too.
    fn read_ready(&mut self) -> Result<bool, PortError> {
        Ok(self.look())
    }
}

impl<P: serial::Read + serial::Write> Read for NbLine<P> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, PortError> {
        let mut count: usize = 0;
        for place in buffer {
            // Waits for the first byte alone.
            while !self.look() && count == 0 {}
            match self.ahead.take() {
                Some(Ok(byte)) => *place = byte,
                // Bytes before an error come first, the error is the next thing to be read.
                Some(Err(error)) if count > 0 => {
                    self.ahead = Some(Err(error));
                    break;
                }
                Some(Err(error)) => return Err(PortError(error.kind())),
                None => break,
            }
            count = count.saturating_add(1);
        }
        Ok(count)
    }
}

impl<P: serial::Read + serial::Write> Write for NbLine<P> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, PortError> {
        let Some(byte) = bytes.first() else { return Ok(0) };
        block!(self.port.write(*byte)).map_err(|error| PortError(error.kind()))?;
        Ok(1)
    }

    fn flush(&mut self) -> Result<(), PortError> {
        block!(self.port.flush()).map_err(|error| PortError(error.kind()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::vec::Vec;

    use super::*;

    /// What a port gives, try by try, and what was written to it; every other try to write would block.
    #[derive(Debug, Default)]
    struct Port {
        tries: VecDeque<nb::Result<u8, ErrorKind>>,
        written: Vec<u8>,
        busy: bool,
        flushed: usize,
    }

    impl serial::ErrorType for Port {
        type Error = ErrorKind;
    }

    impl serial::Read for Port {
        fn read(&mut self) -> nb::Result<u8, ErrorKind> {
            self.tries.pop_front().unwrap_or(Err(nb::Error::WouldBlock))
        }
    }

    impl serial::Write for Port {
        fn write(&mut self, byte: u8) -> nb::Result<(), ErrorKind> {
            self.busy = !self.busy;
            if self.busy {
                return Err(nb::Error::WouldBlock);
            }
            self.written.push(byte);
            Ok(())
        }

        fn flush(&mut self) -> nb::Result<(), ErrorKind> {
            self.flushed = self.written.len();
            Ok(())
        }
    }

    const NOTHING: nb::Result<u8, ErrorKind> = Err(nb::Error::WouldBlock);

    fn line(tries: &[nb::Result<u8, ErrorKind>]) -> NbLine<Port> {
        NbLine::new(Port { tries: tries.iter().cloned().collect(), ..Port::default() })
    }

    #[test]
    fn looking_takes_no_byte() {
        let mut line = line(&[NOTHING, Ok(1), Ok(2)]);
        assert_eq!(line.read_ready(), Ok(false));
        assert_eq!((line.read_ready(), line.read_ready()), (Ok(true), Ok(true)));
        let mut buffer = [0; 4];
        assert_eq!((line.read(&mut buffer), buffer), (Ok(2), [1, 2, 0, 0]));
        assert_eq!(line.read_ready(), Ok(false));
    }

    #[test]
    fn reading_waits_for_the_first_byte_alone() {
        let mut line = line(&[NOTHING, NOTHING, Ok(7), NOTHING, Ok(8)]);
        let mut buffer = [0; 2];
        assert_eq!((line.read(&mut buffer), buffer), (Ok(1), [7, 0]));
        assert_eq!((line.read(&mut []), line.read(&mut buffer), buffer), (Ok(0), Ok(1), [8, 0]));
    }

    #[test]
    fn an_error_is_told_of_in_its_place() {
        let mut line = line(&[Ok(1), Err(nb::Error::Other(ErrorKind::Overrun)), Ok(3)]);
        let mut buffer = [0; 3];
        assert_eq!((line.read(&mut buffer), buffer), (Ok(1), [1, 0, 0]));
        assert_eq!(line.read_ready(), Ok(true));
        assert_eq!(line.read(&mut buffer), Err(PortError(ErrorKind::Overrun)));
        assert_eq!((line.read(&mut buffer), buffer), (Ok(1), [3, 0, 0]));
    }

    #[test]
    fn all_bytes_are_written_in_order() {
        let mut line = line(&[]);
        line.write_all(&[1, 2, 3]).unwrap();
        line.flush().unwrap();
        assert_eq!((&line.port.written[..], line.port.flushed), (&[1, 2, 3][..], 3));
    }
}

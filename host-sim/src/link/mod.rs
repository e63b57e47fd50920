//! The host's end of a serial line to a board that runs [`backpass_app::stream`]: its [`Twin`], an emulated board's TCP stream, or a real
//! board on a [`Port`].
//!
//! ```
//! use backpass_sim::link::{Client, Twin, TwinMemory};
//!
//! let mut memory = TwinMemory::new();
//! let mut client = Client::connect(Twin::new(&mut memory))?;
//! let sample = vec![0.5; client.hello().input_len()];
//! let trained = client.train(&sample, 3)?;
//! assert_eq!(trained.counters.observed, 1);
//! let (class, outputs) = client.predict(&sample)?;
//! assert_eq!((class, outputs.len()), (3, 10));
//! # Ok::<(), backpass_sim::link::LinkError>(())
//! ```

mod client;
mod port;
mod twin;

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

pub use client::{Board, Client, LinkError, Trained};
pub use port::{Port, PortError};
pub use twin::{Twin, TwinMemory};

use crate::devices::{FaultyChannel, LineFaults};

/// A line of bytes, both ways.
pub trait Line {
    /// Sends all bytes.
    ///
    /// # Errors
    /// Those of the line; one that is closed is an error.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Receives bytes: as many as there are, waiting for the first one until `timeout`; 0 if none has come by then.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    fn receive(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize>;
}

impl Line for TcpStream {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn receive(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        self.set_read_timeout(Some(timeout.max(Duration::from_millis(1))))?;
        match self.read(buffer) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(0),
            result => result,
        }
    }
}

/// A line on which faults happen in both directions.
#[derive(Debug)]
pub struct Faulty<L> {
    line: L,
    sent: FaultyChannel,
    received: FaultyChannel,
    ready: std::collections::VecDeque<u8>,
}

impl<L: Line> Faulty<L> {
    /// `line` with faults that `seed` draws.
    pub fn new(line: L, faults: LineFaults, seed: u64) -> Self {
        let (sent, received) = (FaultyChannel::new(faults, seed), FaultyChannel::new(faults, seed ^ 0x5a5a));
        Self { line, sent, received, ready: Default::default() }
    }
}

impl<L: Line> Line for Faulty<L> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut out = Vec::new();
        self.sent.pass(bytes, &mut out);
        self.line.send(&out)
    }

    fn receive(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        if self.ready.is_empty() {
            let mut bytes = [0; 4096];
            let count = self.line.receive(&mut bytes, timeout)?;
            self.received.pass(&bytes[..count], &mut self.ready);
            if count > 0 && self.ready.is_empty() {
                return Err(ErrorKind::Interrupted.into());
            }
        }
        self.ready.read(buffer)
    }
}

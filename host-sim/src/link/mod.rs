//! Links to a board. What receives bytes is [`Receive`]: a serial [`Port`], a TCP stream, the log of an [emulated
//! board](crate::board::Emulation), and with the feature `probe` a debug probe. What sends them too is a [`Line`]: at its end the
//! [`Client`] asks a board that runs [`backpass_app::stream`], or its [`Twin`].
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
#[cfg(feature = "probe")]
pub mod probe;
mod twin;

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

pub use client::{Board, Client, LinkError, Trained};
pub use port::{Port, PortError};
pub use twin::{Twin, TwinMemory};

use crate::devices::{FaultyChannel, LineFaults};

/// Where a board's bytes come from.
pub trait Receive {
    /// Receives bytes: as many as there are, waiting for the first one until `timeout`; 0 if none has come by then.
    ///
    /// # Errors
    /// Those of the link; [`ErrorKind::UnexpectedEof`] if it is closed.
    fn receive(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize>;
}

/// A line of bytes, both ways.
pub trait Line: Receive {
    /// Sends all bytes.
    ///
    /// # Errors
    /// As for [`receive`](Receive::receive).
    fn send(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl Line for TcpStream {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }
}

impl Receive for TcpStream {
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
}

impl<L: Line> Receive for Faulty<L> {
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

//! A serial line, and what goes wrong on one.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::rc::Rc;

use backpass::Rng;
use embedded_io::{ErrorType, Read, ReadReady, Write};

/// What goes wrong on a line: for each frame (bytes up to a zero) the probabilities, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LineFaults {
    /// It is lost.
    pub lose: f32,
    /// It is damaged: a bit is turned, a byte is lost or added, or its end is lost.
    pub damage: f32,
    /// It comes twice.
    pub duplicate: f32,
    /// It comes after the next one.
    pub reorder: f32,
}

/// One direction of a line with faults: bytes go in, and what is left of them comes out.
#[derive(Debug, Clone)]
pub struct FaultyChannel {
    faults: LineFaults,
    rng: Rng,
    frame: Vec<u8>,
    late: Option<Vec<u8>>,
}

impl FaultyChannel {
    /// A channel whose faults `seed` draws.
    #[must_use]
    pub fn new(faults: LineFaults, seed: u64) -> Self {
        Self { faults, rng: Rng::new(seed), frame: Vec::new(), late: None }
    }

    /// Hands what comes of `bytes` to `out`. Bytes after the last zero wait for the rest of their frame.
    pub fn pass(&mut self, bytes: &[u8], out: &mut impl Extend<u8>) {
        for byte in bytes {
            self.frame.push(*byte);
            if *byte == 0 {
                let frame = std::mem::take(&mut self.frame);
                self.send(frame, out);
            }
        }
    }

    fn send(&mut self, mut frame: Vec<u8>, out: &mut impl Extend<u8>) {
        if self.happens(self.faults.lose) {
            return;
        }
        if self.happens(self.faults.damage) {
            self.damage(&mut frame);
        }
        let copies = 1 + usize::from(self.happens(self.faults.duplicate));
        if self.late.is_none() && self.happens(self.faults.reorder) {
            self.late = Some(frame);
            return;
        }
        for _ in 0..copies {
            out.extend(frame.iter().copied());
        }
        out.extend(self.late.take().into_iter().flatten());
    }

    fn happens(&mut self, probability: f32) -> bool {
        // Without a fault nothing is drawn, so that one fault does not change when another happens.
        probability > 0.0 && (self.rng.below(1 << 24) as f32) < probability * (1 << 24) as f32
    }

    fn damage(&mut self, frame: &mut Vec<u8>) {
        let place = self.rng.below(frame.len() as u32) as usize;
        match self.rng.below(4) {
            0 => frame[place] ^= 1 << self.rng.below(8),
            1 => drop(frame.remove(place)),
            2 => frame.insert(place, self.rng.below(256) as u8),
            _ => frame.truncate(place),
        }
    }
}

/// One end of a simulated line, behind the traits of `embedded-io`.
#[derive(Debug, Clone)]
pub struct SerialLine {
    sent: Rc<RefCell<(FaultyChannel, VecDeque<u8>)>>,
    received: Rc<RefCell<(FaultyChannel, VecDeque<u8>)>>,
}

impl SerialLine {
    /// The two ends of a line on which `faults` happen in both directions.
    #[must_use]
    pub fn pair(faults: LineFaults, seed: u64) -> (Self, Self) {
        let channel = |seed| Rc::new(RefCell::new((FaultyChannel::new(faults, seed), VecDeque::new())));
        let (one, other) = (channel(seed), channel(seed ^ 0x5a5a));
        (Self { sent: one.clone(), received: other.clone() }, Self { sent: other, received: one })
    }
}

impl ErrorType for SerialLine {
    type Error = Infallible;
}

impl ReadReady for SerialLine {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(!self.received.borrow().1.is_empty())
    }
}

impl Read for SerialLine {
    /// Returns 0 where nothing has come: nobody else could send while this waits.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let bytes = &mut self.received.borrow_mut().1;
        let count = buffer.len().min(bytes.len());
        buffer.iter_mut().zip(bytes.drain(..count)).for_each(|(place, byte)| *place = byte);
        Ok(count)
    }
}

impl Write for SerialLine {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let (channel, out) = &mut *self.sent.borrow_mut();
        channel.pass(bytes, out);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of 1,000 numbered frames.
    fn frames(faults: LineFaults) -> Vec<Vec<u8>> {
        let (mut host, mut board) = SerialLine::pair(faults, 1);
        for i in 0..1000_u16 {
            let [high, low] = (i + 257).to_be_bytes();
            host.write_all(&[high, low.max(1), 9, 9, 0]).unwrap();
        }
        let mut bytes = vec![0; 20_000];
        let count = board.read(&mut bytes).unwrap();
        bytes[..count].split(|byte| *byte == 0).map(<[u8]>::to_vec).filter(|frame| !frame.is_empty()).collect()
    }

    #[test]
    fn faults_happen_as_often_as_asked() {
        let none = frames(LineFaults::default());
        assert_eq!(none.len(), 1000);
        let lost = frames(LineFaults { lose: 0.2, ..LineFaults::default() });
        assert!((750..850).contains(&lost.len()), "{}", lost.len());
        let twice = frames(LineFaults { duplicate: 0.2, ..LineFaults::default() });
        assert!((1150..1250).contains(&twice.len()), "{}", twice.len());
        let late = frames(LineFaults { reorder: 0.2, ..LineFaults::default() });
        let moved = late.iter().zip(&none).filter(|(late, none)| late != none).count();
        assert!((200..500).contains(&moved), "{moved}");
        let damaged = frames(LineFaults { damage: 0.2, ..LineFaults::default() });
        let whole = none.iter().filter(|frame| damaged.contains(frame)).count();
        assert!((750..880).contains(&whole), "{whole}");
    }
}

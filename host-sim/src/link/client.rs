//! Asks a board over a line, again and again until it has answered.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use backpass_app::stream::frame::{self, Direction, Receiver};
use backpass_app::stream::{Counters, Hello, Refusal, Request, Response, VERSION};
use crc::{CRC_32_ISO_HDLC, Crc};

use super::Line;

/// Bytes of the longest frame that a board may send.
const LONGEST: usize = 1 << 16;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The line is broken.
    #[error("the line to the board: {0}")]
    Line(#[from] std::io::Error),
    /// The board does not answer.
    #[error(
        "the board did not answer: the request was sent {tries} times. Is it switched on, and does it run `stream`?"
    )]
    NoAnswer {
        /// How often it was asked.
        tries: u32,
    },
    /// The board was switched off and on: what it had learned since its last checkpoint is gone.
    #[error("the board has started anew, or another host has begun a session with it: connect again")]
    Restarted,
    /// The board refused.
    #[error("the board refused: {0}")]
    Refused(Refusal),
    /// The board's answer is to another question.
    #[error("the board's answer does not fit: {response:?}")]
    Unexpected {
        /// The answer.
        response: Response,
    },
    /// The parameters that were read are not those of the board.
    #[error("the parameters that were read have CRC-32 {got:08x}, those of the board {expected:08x}: read them again")]
    Changed {
        /// The board's.
        expected: u32,
        /// That of what was read.
        got: u32,
    },
}

/// What a board has told of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Board(Hello);

impl Board {
    /// How many numbers a sample has.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.0.input.iter().filter(|length| **length > 0).map(|length| *length as usize).product()
    }

    /// All of it.
    #[must_use]
    pub const fn all(&self) -> &Hello {
        &self.0
    }
}

/// The answer to a sample that was learned from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trained {
    /// The prediction before.
    pub class: u32,
    /// The loss before.
    pub loss: f32,
    /// The board's counters.
    pub counters: Counters,
}

/// Session, number, message and numbers of an answer.
type Answer = (u32, u32, Response, Vec<f32>);

/// A board at the other end of a line.
#[derive(Debug)]
pub struct Client<L> {
    line: L,
    receiver: Box<Receiver<LONGEST>>,
    session: u32,
    number: u32,
    board: Board,
    timeout: Duration,
    tries: u32,
    repeated: u64,
}

impl<L: Line> Client<L> {
    /// Begins a session; waits 300 ms for an answer, and asks 100 times.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn connect(line: L) -> Result<Self, LinkError> {
        Self::connect_with(line, Duration::from_millis(300), 100)
    }

    /// Begins a session with this patience, which [`set_patience`](Self::set_patience) changes.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn connect_with(line: L, timeout: Duration, tries: u32) -> Result<Self, LinkError> {
        let empty = Hello {
            version: 0,
            fingerprint: 0,
            input: [0; 4],
            outputs: 0,
            target: 0,
            parameters: 0,
            frame: 1024,
            crc32: 0,
            counters: Counters::default(),
        };
        let mut client = Self {
            line,
            receiver: Box::default(),
            session: 1,
            number: 0,
            board: Board(empty),
            timeout,
            tries,
            repeated: 0,
        };
        // Ends what was on the line.
        client.line.send(&[0])?;
        for _ in 0..8 {
            client.number = 0;
            match client.ask(Request::Hello { version: VERSION }, &[]) {
                Ok((Response::Hello(hello), _)) => {
                    client.board = Board(hello);
                    return Ok(client);
                }
                Ok((response, _)) => return Err(LinkError::Unexpected { response }),
                Err(LinkError::Refused(Refusal::OtherSession { current })) => {
                    client.session = current.wrapping_add(1).max(1);
                }
                Err(LinkError::Refused(Refusal::OutOfOrder { .. } | Refusal::NumberReused)) => {
                    client.session = client.session.wrapping_add(1).max(1);
                }
                Err(error) => return Err(error),
            }
        }
        Err(LinkError::Restarted)
    }

    /// Waits so long for an answer, and asks so often.
    pub const fn set_patience(&mut self, timeout: Duration, tries: u32) {
        self.timeout = timeout;
        self.tries = tries;
    }

    /// What the board said when the session began.
    #[must_use]
    pub const fn hello(&self) -> &Board {
        &self.board
    }

    /// How many requests had to be sent again.
    #[must_use]
    pub const fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Gives the line back.
    pub fn into_line(self) -> L {
        self.line
    }

    /// Asks, until there is an answer; each answer is of this request, and the board has done it once.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn ask(&mut self, request: Request, numbers: &[f32]) -> Result<(Response, Vec<f32>), LinkError> {
        let mut bytes = vec![0; frame::longest(numbers.len())];
        let key = (self.session, self.number);
        let length = frame::write(&mut bytes, Direction::Request, key, &request, &mut |put| put(numbers));
        let bytes = &bytes[..length.unwrap_or_default()];
        for attempt in 0..self.tries {
            self.repeated += u64::from(attempt > 0);
            self.line.send(bytes)?;
            let end = Instant::now() + self.timeout;
            while let Some((session, number, response, values)) = self.receive(end)? {
                match response {
                    Response::Refused(refusal) if refusal.is_of_line() => match refusal {
                        // It will be as long the next time.
                        Refusal::TooLong { most } if bytes.len() > most as usize => {
                            return Err(LinkError::Refused(refusal));
                        }
                        Refusal::Damaged | Refusal::TooLong { .. } => break,
                        Refusal::OtherSession { .. } if matches!(request, Request::Hello { .. }) => {
                            return Err(LinkError::Refused(refusal));
                        }
                        Refusal::OtherSession { current } if current != self.session => {
                            return Err(LinkError::Restarted);
                        }
                        // Of a request that was answered long ago and comes late.
                        Refusal::OutOfOrder { expected } if expected == self.number || expected == self.number + 1 => {}
                        _ => return Err(LinkError::Refused(refusal)),
                    },
                    response if (session, number) == key => {
                        self.number += 1;
                        return match response {
                            Response::Refused(refusal) => Err(LinkError::Refused(refusal)),
                            response => Ok((response, values)),
                        };
                    }
                    // The answer to an earlier request, which came late or twice.
                    _ => {}
                }
            }
        }
        Err(LinkError::NoAnswer { tries: self.tries })
    }

    fn receive(&mut self, end: Instant) -> Result<Option<Answer>, LinkError> {
        loop {
            // One byte at a time: what follows a frame stays on the line.
            let mut byte = [0];
            let count = match self.line.receive(&mut byte, end.saturating_duration_since(Instant::now())) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            };
            if count == 0 {
                return Ok(None);
            }
            // A damaged answer is none: the request is sent again when the time is over.
            if let Some(Ok(frame)) = self.receiver.take(byte[0], Direction::Response)
                && let Some((response, numbers)) = frame.message()
            {
                let values = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
                return Ok(Some((frame.session, frame.number, response, values)));
            }
        }
    }

    /// Lets the board predict, and learn from a sample of a class.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn train(&mut self, sample: &[f32], class: u32) -> Result<Trained, LinkError> {
        match self.ask(Request::Train { class: Some(class) }, sample)? {
            (Response::Trained { class, loss, counters }, _) => Ok(Trained { class, loss, counters }),
            (response, _) => Err(LinkError::Unexpected { response }),
        }
    }

    /// The class that the board takes a sample for, and its outputs.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn predict(&mut self, sample: &[f32]) -> Result<(u32, Vec<f32>), LinkError> {
        match self.ask(Request::Predict, sample)? {
            (Response::Predicted { class }, outputs) => Ok((class, outputs)),
            (response, _) => Err(LinkError::Unexpected { response }),
        }
    }

    /// The class that the board takes a sample for, and its loss.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn evaluate(&mut self, sample: &[f32], class: u32) -> Result<(u32, f32), LinkError> {
        match self.ask(Request::Evaluate { class: Some(class) }, sample)? {
            (Response::Evaluated { class, loss }, _) => Ok((class, loss)),
            (response, _) => Err(LinkError::Unexpected { response }),
        }
    }

    /// CRC-32 of the parameters, and the counters.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn status(&mut self) -> Result<(u32, Counters), LinkError> {
        match self.ask(Request::Status, &[])? {
            (Response::Status { crc32, counters }, _) => Ok((crc32, counters)),
            (response, _) => Err(LinkError::Unexpected { response }),
        }
    }

    /// All parameters, checked.
    ///
    /// # Errors
    /// [`LinkError`]; [`LinkError::Changed`] if they changed meanwhile.
    pub fn read_parameters(&mut self) -> Result<Vec<f32>, LinkError> {
        let total = self.board.0.parameters;
        let room = (frame::room(self.board.0.frame as usize) as u32).max(1);
        let mut all = Vec::new();
        while (all.len() as u32) < total {
            let offset = all.len() as u32;
            let count = room.min(total - offset);
            match self.ask(Request::Read { offset, count }, &[])? {
                (Response::Parameters { .. }, values) if values.len() == count as usize => all.extend(values),
                (response, _) => return Err(LinkError::Unexpected { response }),
            }
        }
        let (expected, got) = (self.status()?.0, crc32(&all));
        if got == expected { Ok(all) } else { Err(LinkError::Changed { expected, got }) }
    }

    /// Replaces all parameters, or none.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn write_parameters(&mut self, values: &[f32]) -> Result<(), LinkError> {
        self.ask(Request::Write { parameters: values.len() as u32, crc32: crc32(values) }, &[])?;
        let room = frame::room(self.board.0.frame as usize).max(1);
        for (index, values) in values.chunks(room).enumerate() {
            self.ask(Request::Chunk { offset: (index * room) as u32 }, values)?;
        }
        self.ask(Request::Commit, &[]).map(drop)
    }

    /// Saves a checkpoint; returns its bytes.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn save(&mut self) -> Result<u32, LinkError> {
        match self.ask(Request::Save, &[])? {
            (Response::Saved { bytes, .. }, _) => Ok(bytes),
            (response, _) => Err(LinkError::Unexpected { response }),
        }
    }

    /// Goes on from the last checkpoint; returns the CRC-32 of the parameters.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn load(&mut self) -> Result<u32, LinkError> {
        match self.ask(Request::Load, &[])? {
            (Response::Loaded { crc32, .. }, _) => Ok(crc32),
            (response, _) => Err(LinkError::Unexpected { response }),
        }
    }

    /// Starts afresh; returns the CRC-32 of the parameters.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn reset(&mut self, seed: u64) -> Result<u32, LinkError> {
        match self.ask(Request::Reset { seed }, &[])? {
            (Response::Begun { crc32 }, _) => Ok(crc32),
            (response, _) => Err(LinkError::Unexpected { response }),
        }
    }
}

/// CRC-32 of numbers, as the board has it.
fn crc32(values: &[f32]) -> u32 {
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let mut digest = crc.digest();
    values.iter().for_each(|value| digest.update(&value.to_le_bytes()));
    digest.finalize()
}

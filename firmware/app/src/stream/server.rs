//! The board's end: takes requests, learns, answers.

use backpass::checkpoint::{self, Store, network_fingerprint};
use backpass::{Layer, Learner, Loss, Optimizer, Params, Tensor};
use embedded_io::{Error, ErrorKind, Read, ReadReady, Write};
use embedded_storage::nor_flash::NorFlash;

use super::frame::{self, Direction, Frame, FrameError, Receiver};
use super::message::{Counters, Hello, Refusal, Request, Response, VERSION};
use super::weights::{self, Transfer};
use crate::device::SaveError;
use crate::parameters_crc32;

/// The buffers of a line: a frame that is received, and the last answer, which may have to be sent again. Each of `N` bytes.
#[derive(Debug)]
pub struct Frames<const N: usize> {
    receiver: Receiver<N>,
    answer: [u8; N],
    /// What is said of frames that are no request of the session.
    refusal: [u8; frame::longest(0)],
}

impl<const N: usize> Frames<N> {
    /// All zeros, so that a static lies in `.bss`.
    #[must_use]
    pub const fn new() -> Self {
        Self { receiver: Receiver::new(), answer: [0; N], refusal: [0; frame::longest(0)] }
    }
}

impl<const N: usize> Default for Frames<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// A target as it comes over the line: a class (`usize`), or an array of numbers.
pub trait Target: Sized {
    /// How many numbers it has; 0 for a class.
    const NUMBERS: usize;

    /// Reads it from a request's class and the numbers behind its sample.
    ///
    /// # Errors
    /// [`Refusal::OtherTarget`].
    fn read(class: Option<u32>, numbers: &[[u8; 4]]) -> Result<Self, Refusal>;
}

impl Target for usize {
    const NUMBERS: usize = 0;

    fn read(class: Option<u32>, _: &[[u8; 4]]) -> Result<Self, Refusal> {
        class.map(|class| class as Self).ok_or(Refusal::OtherTarget)
    }
}

impl<T: Tensor, const N: usize> Target for [T; N] {
    const NUMBERS: usize = <Self as Tensor>::LEN;

    fn read(class: Option<u32>, numbers: &[[u8; 4]]) -> Result<Self, Refusal> {
        if class.is_some() {
            return Err(Refusal::OtherTarget);
        }
        let mut target = <Self as backpass::Zero>::ZERO;
        fill(&mut target, numbers);
        Ok(target)
    }
}

fn fill<X: Tensor>(tensor: &mut X, numbers: &[[u8; 4]]) {
    for (value, bytes) in tensor.flat_mut().iter_mut().zip(numbers) {
        *value = f32::from_le_bytes(*bytes);
    }
}

/// What happens, as it happens.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event {
    /// It goes on from what was saved.
    Resumed {
        /// Samples learned from so far.
        observed: u32,
    },
    /// Nothing was saved: it starts afresh.
    Fresh,
    /// What was saved cannot be used: it starts afresh.
    NotResumed(SaveError),
    /// A sample with a class was learned from.
    Learned {
        /// Its class.
        class: u32,
        /// What the network took it for before.
        predicted: u32,
        /// The loss before.
        loss: f32,
    },
    /// A request was answered.
    Answered(Response),
    /// The line could not be read or written; a frame that was under way is lost.
    Line(#[cfg_attr(feature = "defmt", defmt(Debug2Format))] ErrorKind),
}

/// The application: a learner at the end of a line, with targets of type `T` and frames of up to `FRAME` bytes.
#[derive(Debug)]
pub struct Server<'m, N: Layer<X>, X: Tensor, L, O: Optimizer, T, const FRAME: usize> {
    learner: Learner<'m, N, X, L, O>,
    frames: &'m mut Frames<FRAME>,
    seed: u64,
    /// 0 before the first.
    session: u32,
    /// The number of the next request.
    next: u32,
    last: Last,
    transfer: Option<Transfer>,
    counters: Counters,
    target: core::marker::PhantomData<T>,
}

impl<'m, N, X, L, O, T, const FRAME: usize> Server<'m, N, X, L, O, T, FRAME>
where
    N: Layer<X, Output: Tensor>,
    X: Tensor,
    L: Loss<N::Output, T>,
    O: Optimizer,
    T: Target,
{
    /// The most numbers of a request or an answer.
    const NUMBERS: usize = {
        let (request, answer) = (X::LEN + T::NUMBERS, <N::Output as Tensor>::LEN);
        if request > answer { request } else { answer }
    };

    /// Joins learner and line. [`start`](Self::start) it before the first [`step`](Self::step).
    ///
    /// That a sample, its target and the outputs fit in a frame is checked by the compiler; [`frame::longest`] says how long it must be.
    pub fn new(learner: Learner<'m, N, X, L, O>, frames: &'m mut Frames<FRAME>, seed: u64) -> Self {
        const { assert!(frame::longest(Self::NUMBERS) <= FRAME, "Server: a sample with its target does not fit in a frame") }
        Self {
            learner,
            frames,
            seed,
            session: 0,
            next: 0,
            last: Last { crc32: 0, response: Response::Refused(Refusal::Unknown), length: 0, taught: None },
            transfer: None,
            counters: Counters::default(),
            target: core::marker::PhantomData,
        }
    }

    /// Goes on from what is in flash, or starts afresh.
    pub fn start<F: NorFlash>(&mut self, store: &mut Store<F>, log: &mut dyn FnMut(Event)) {
        let event = match store.load(&mut self.learner, &mut ()) {
            Ok(_) => {
                log(Event::Resumed { observed: self.learner.observed() });
                return;
            }
            Err(checkpoint::Error::NoCheckpoint) => Event::Fresh,
            Err(error) => Event::NotResumed(SaveError::of(&error)),
        };
        self.learner.initialize(self.seed);
        log(event);
    }

    /// The learner.
    pub const fn learner(&self) -> &Learner<'m, N, X, L, O> {
        &self.learner
    }

    /// What was counted.
    pub fn counters(&self) -> Counters {
        Counters { observed: self.learner.observed(), refused: self.learner.refused(), ..self.counters }
    }

    /// One step: takes what has come on the line, and answers where a request is complete. Returns whether anything has come; it
    /// does not wait.
    pub fn step<S, F>(&mut self, line: &mut S, store: &mut Store<F>, log: &mut dyn FnMut(Event)) -> bool
    where
        S: Read + Write + ReadReady,
        F: NorFlash,
    {
        let mut buffer = [0; 32];
        let count = match line.read_ready().and_then(|ready| if ready { line.read(&mut buffer) } else { Ok(0) }) {
            Ok(count) => count,
            Err(error) => {
                self.frames.receiver.lose();
                log(Event::Line(error.kind()));
                return true;
            }
        };
        for byte in buffer.iter().take(count) {
            let Some((response, bytes)) = self.take(*byte, store) else { continue };
            let sent = line.write_all(bytes).and_then(|()| line.flush());
            if let (Response::Trained { class: predicted, loss, .. }, Some(class)) = (response, self.last.taught) {
                log(Event::Learned { class, predicted, loss });
            }
            log(Event::Answered(response));
            if let Err(error) = sent {
                log(Event::Line(error.kind()));
            }
        }
        count > 0
    }

    /// Takes a byte of the line. Where it completes a request, does what is asked and returns the answer, with its bytes to be sent.
    pub fn take<F: NorFlash>(&mut self, byte: u8, store: &mut Store<F>) -> Option<(Response, &[u8])> {
        let Frames { receiver, answer, refusal } = &mut *self.frames;
        let line = match receiver.take(byte, Direction::Request)? {
            Err(FrameError::Damaged) => {
                add(&mut self.counters.damaged);
                Err(Refusal::Damaged)
            }
            Err(FrameError::TooLong) => {
                add(&mut self.counters.too_long);
                Err(Refusal::TooLong { most: FRAME as u32 })
            }
            Ok(frame) => {
                let hello = frame.number == 0 && matches!(frame.message(), Some((Request::Hello { .. }, _)));
                // Numbers of sessions go round, like those of TCP.
                if hello && frame.session != 0 && (1..1 << 31).contains(&frame.session.wrapping_sub(self.session)) {
                    self.session = frame.session;
                    self.next = 0;
                    self.transfer = None;
                }
                if frame.session != self.session || self.session == 0 {
                    Err(Refusal::OtherSession { current: self.session })
                } else if frame.number == self.next {
                    Ok(Some(frame))
                } else if Some(frame.number) != self.next.checked_sub(1) {
                    Err(Refusal::OutOfOrder { expected: self.next })
                } else if frame.crc32 != self.last.crc32 {
                    Err(Refusal::NumberReused)
                } else {
                    Ok(None)
                }
            }
        };
        match line {
            Ok(Some(frame)) => {
                // No board lives to see the last number.
                self.next = self.next.saturating_add(1);
                self.last.crc32 = frame.crc32;
                self.last.taught = match frame.message() {
                    Some((Request::Train { class }, _)) => class,
                    _ => None,
                };
                let mut answer = Answer { buffer: answer, key: (frame.session, frame.number), sent: None };
                let learner = &mut self.learner;
                if let Err(refusal) = execute::<_, _, _, _, T, _>(
                    &frame,
                    learner,
                    &mut self.transfer,
                    self.counters,
                    FRAME,
                    store,
                    &mut answer,
                ) {
                    answer.put(Response::Refused(refusal));
                }
                if let Some((response, length)) = answer.sent {
                    (self.last.response, self.last.length) = (response, length);
                }
            }
            Ok(None) => {
                self.last.taught = None;
                add(&mut self.counters.duplicates);
            }
            Err(reason) => {
                if !matches!(reason, Refusal::Damaged | Refusal::TooLong { .. }) {
                    add(&mut self.counters.out_of_order);
                }
                let mut answer = Answer { buffer: refusal, key: (self.session, self.next), sent: None };
                answer.put(Response::Refused(reason));
                let (response, length) = answer.sent?;
                return Some((response, self.frames.refusal.get(..length)?));
            }
        }
        Some((self.last.response, self.frames.answer.get(..self.last.length)?))
    }
}

fn add(counter: &mut u32) {
    *counter = counter.saturating_add(1);
}

/// The last answer.
#[derive(Debug)]
struct Last {
    /// That of its request.
    crc32: u32,
    response: Response,
    length: usize,
    /// The class of its request, if that was a sample to learn from and came for the first time.
    taught: Option<u32>,
}

/// The place of an answer.
struct Answer<'a> {
    buffer: &'a mut [u8],
    key: (u32, u32),
    sent: Option<(Response, usize)>,
}

impl Answer<'_> {
    fn put(&mut self, response: Response) {
        self.put_with(response, &mut |_| {});
    }

    fn put_with(&mut self, response: Response, numbers: frame::Numbers<'_>) {
        // That there is room was checked by the compiler, and for parameters before.
        let length = frame::write(self.buffer, Direction::Response, self.key, &response, numbers);
        self.sent = length.map(|length| (response, length));
    }
}

/// Does what a request asks, and writes the answer.
fn execute<N, X, L, O, T, F>(
    frame: &Frame<'_>,
    learner: &mut Learner<'_, N, X, L, O>,
    transfer: &mut Option<Transfer>,
    counters: Counters,
    longest: usize,
    store: &mut Store<F>,
    answer: &mut Answer<'_>,
) -> Result<(), Refusal>
where
    N: Layer<X, Output: Tensor>,
    X: Tensor,
    L: Loss<N::Output, T>,
    O: Optimizer,
    T: Target,
    F: NorFlash,
{
    let (request, numbers) = frame.message::<Request>().ok_or(Refusal::Unknown)?;
    let total = N::Params::COUNT as u32;
    let counted = |learner: &Learner<'_, N, X, L, O>| Counters {
        observed: learner.observed(),
        refused: learner.refused(),
        ..counters
    };
    let numbered = |expected: usize| {
        let (expected, got) = (expected as u32, numbers.len() as u32);
        if got == expected { Ok::<(), Refusal>(()) } else { Err(Refusal::Numbers { expected, got }) }
    };
    let sample = |input: &mut X| fill(input, numbers);
    let targets = numbers.get(X::LEN..).unwrap_or_default();
    let target = |class: Option<u32>| {
        let target = T::read(class, targets)?;
        numbered(X::LEN.saturating_add(T::NUMBERS))?;
        Ok::<T, Refusal>(target)
    };
    match request {
        Request::Train { .. } | Request::Predict | Request::Evaluate { .. } | Request::Chunk { .. } => {}
        _ => numbered(0)?,
    }
    let response = match request {
        Request::Hello { version } => {
            if version != VERSION {
                return Err(Refusal::OtherVersion { supported: VERSION });
            }
            let mut input = [0; 4];
            let mut places = input.iter_mut();
            X::axes(&mut |length| {
                if let Some(place) = places.next() {
                    *place = length as u32;
                }
            });
            Response::Hello(Hello {
                version: VERSION,
                fingerprint: network_fingerprint::<N, X>(learner.params()).value(),
                input,
                outputs: <N::Output as Tensor>::LEN as u32,
                target: T::NUMBERS as u32,
                parameters: total,
                frame: longest as u32,
                crc32: parameters_crc32(learner.params()),
                counters: counted(learner),
            })
        }
        Request::Status => Response::Status { crc32: parameters_crc32(learner.params()), counters: counted(learner) },
        Request::Train { class } => {
            let target = target(class)?;
            // What is trained overwrites what was gathered.
            *transfer = None;
            let class = learner.predict_with(sample).argmax() as u32;
            let loss = learner.train_with(sample, &target)?;
            Response::Trained { class, loss, counters: counted(learner) }
        }
        Request::Predict => {
            numbered(X::LEN)?;
            let place = numbers.iter().position(|bytes| !f32::from_le_bytes(*bytes).is_finite());
            if let Some(index) = place {
                return Err(Refusal::Sample { index: index as u32 });
            }
            let output = learner.predict_with(sample);
            let class = output.argmax() as u32;
            answer.put_with(Response::Predicted { class }, &mut |put| put(output.flat()));
            return Ok(());
        }
        Request::Evaluate { class } => {
            let (loss, output) = learner.evaluate_with(sample, &target(class)?)?;
            let class = output.argmax() as u32;
            answer.put_with(Response::Evaluated { class, loss }, &mut |put| put(output.flat()));
            return Ok(());
        }
        Request::Read { offset, count } => {
            let most = frame::room(longest) as u32;
            if count > most {
                return Err(Refusal::TooMany { most });
            }
            if offset.checked_add(count).is_none_or(|end| end > total) {
                return Err(Refusal::Range { parameters: total });
            }
            let params = learner.params();
            answer.put_with(Response::Parameters { offset }, &mut |put| {
                weights::read(params, offset as usize, count as usize, put);
            });
            return Ok(());
        }
        Request::Write { parameters, crc32 } => {
            if parameters != total {
                return Err(Refusal::Range { parameters: total });
            }
            if learner.pending() > 0 {
                return Err(Refusal::Pending);
            }
            *transfer = Some(Transfer { crc32, next: 0 });
            Response::Written { next: 0 }
        }
        Request::Chunk { offset } => {
            let going = transfer.as_mut().ok_or(Refusal::NoTransfer)?;
            if offset != going.next {
                return Err(Refusal::Gap { expected: going.next });
            }
            let end = offset.saturating_add(numbers.len() as u32);
            if end > total {
                return Err(Refusal::Range { parameters: total });
            }
            let [_, staged] = learner.params_and_scratch().ok_or(Refusal::Pending)?;
            weights::write(staged, offset as usize, numbers);
            going.next = end;
            Response::Written { next: end }
        }
        Request::Commit => {
            let going = transfer.ok_or(Refusal::NoTransfer)?;
            let crc32 = weights::commit(going, learner.params_and_scratch().ok_or(Refusal::Pending)?)?;
            *transfer = None;
            Response::Committed { crc32 }
        }
        Request::Save => {
            let info = store.save(learner, &mut ()).map_err(|error| SaveError::of(&error))?;
            Response::Saved { sequence: info.sequence, bytes: info.length }
        }
        Request::Load => {
            let info = match store.load(learner, &mut ()) {
                Ok(info) => info,
                Err(checkpoint::Error::NoCheckpoint) => return Err(Refusal::NoCheckpoint),
                Err(error) => return Err(SaveError::of(&error).into()),
            };
            *transfer = None;
            Response::Loaded { sequence: info.sequence, crc32: parameters_crc32(learner.params()) }
        }
        Request::Reset { seed } => {
            *transfer = None;
            learner.initialize(seed);
            Response::Begun { crc32: parameters_crc32(learner.params()) }
        }
    };
    answer.put(response);
    Ok(())
}

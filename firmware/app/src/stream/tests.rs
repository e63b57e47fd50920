use std::boxed::Box;
use std::vec::Vec;

use backpass::checkpoint::Store;
use backpass::{Dense, MeanSquaredError, Rng, Sgd};

use super::frame::{Direction, Receiver, write};
use super::*;
use crate::parameters_crc32;
use crate::ram_flash::RamFlash;

type Small<'m> = Server<'m, Dense<2>, [f32; 3], CrossEntropy, Sgd, usize, 192>;

/// A small board with its flash, and what a host keeps.
struct Bench {
    server: Small<'static>,
    store: Store<RamFlash<'static>>,
    session: u32,
    number: u32,
}

impl Bench {
    fn new() -> Self {
        let memory = Box::leak(Box::new(Memory::<Dense<2>, [f32; 3], Sgd>::new()));
        let learner = Learner::new(memory, Dense::new(), CrossEntropy, Sgd::new(0.1));
        let mut server = Small::new(learner, Box::leak(Box::new(Frames::new())), 1);
        let flash = Box::leak(std::vec![0xff; 2048].into_boxed_slice());
        let mut store = Store::new(RamFlash::new(flash), 0..2048).unwrap();
        server.start(&mut store, &mut |_| {});
        let mut bench = Self { server, store, session: 1, number: 0 };
        assert!(matches!(bench.ask(Request::Hello { version: VERSION }, &[]), Response::Hello(_)));
        bench
    }

    fn frame(&self, number: u32, request: Request, numbers: &[f32]) -> Vec<u8> {
        let mut buffer = std::vec![0; 1024];
        let length =
            write(&mut buffer, Direction::Request, (self.session, number), &request, &mut |put| put(numbers)).unwrap();
        buffer.truncate(length);
        buffer
    }

    /// The answers to bytes, with their numbers.
    fn send(&mut self, bytes: &[u8]) -> Vec<(Response, Vec<f32>)> {
        let (mut host, mut answers) = (Receiver::<1024>::new(), Vec::new());
        for byte in bytes {
            let Some((response, bytes)) = self.server.take(*byte, &mut self.store) else { continue };
            for byte in bytes {
                if let Some(frame) = host.take(*byte, Direction::Response) {
                    let (sent, numbers) = frame.unwrap().message::<Response>().unwrap();
                    assert_eq!(sent, response);
                    answers.push((sent, numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()));
                }
            }
        }
        answers
    }

    fn ask_numbers(&mut self, request: Request, numbers: &[f32]) -> (Response, Vec<f32>) {
        let frame = self.frame(self.number, request, numbers);
        self.number += 1;
        self.send(&frame).pop().unwrap()
    }

    fn ask(&mut self, request: Request, numbers: &[f32]) -> Response {
        self.ask_numbers(request, numbers).0
    }

    fn crc(&self) -> u32 {
        parameters_crc32(self.server.learner().params())
    }
}

const TRAIN: Request = Request::Train { class: Some(1) };

#[test]
fn a_request_learns_what_the_learner_does() {
    let mut bench = Bench::new();
    let mut memory = Memory::<Dense<2>, [f32; 3], Sgd>::new();
    let mut direct = Learner::new(&mut memory, Dense::new(), CrossEntropy, Sgd::new(0.1));
    direct.initialize(1);
    for i in 0..50 {
        let sample = [i as f32 * 0.01, -0.5, 1.0];
        let expected = direct.train(&sample, &1).unwrap();
        let Response::Trained { loss, counters, .. } = bench.ask(TRAIN, &sample) else { panic!() };
        assert_eq!((loss.to_bits(), counters.observed), (expected.to_bits(), i + 1));
    }
    assert_eq!(bench.crc(), parameters_crc32(direct.params()));
    let (answer, outputs) = bench.ask_numbers(Request::Predict, &[0.3, 0.2, 0.1]);
    assert_eq!(answer, Response::Predicted { class: 1 });
    assert_eq!(outputs, direct.predict(&[0.3, 0.2, 0.1]));
    let (answer, _) = bench.ask_numbers(Request::Evaluate { class: Some(0) }, &[0.3, 0.2, 0.1]);
    let (loss, _) = direct.evaluate(&[0.3, 0.2, 0.1], &0).unwrap();
    assert_eq!(answer, Response::Evaluated { class: 1, loss });
}

#[test]
fn a_duplicate_is_answered_again_and_learned_from_once() {
    let mut bench = Bench::new();
    let frame = bench.frame(1, TRAIN, &[1.0, 2.0, 3.0]);
    let first = bench.send(&frame);
    let crc = bench.crc();
    assert_eq!(bench.send(&frame), first);
    assert_eq!((bench.crc(), bench.server.counters().observed, bench.server.counters().duplicates), (crc, 1, 1));
    let other = bench.frame(1, TRAIN, &[9.0, 2.0, 3.0]);
    assert_eq!(bench.send(&other)[0].0, Response::Refused(Refusal::NumberReused));
    for (number, expected) in [(0, 2), (7, 2), (u32::MAX, 2)] {
        let stray = bench.frame(number, TRAIN, &[1.0, 2.0, 3.0]);
        assert_eq!(bench.send(&stray)[0].0, Response::Refused(Refusal::OutOfOrder { expected }));
    }
    assert_eq!((bench.crc(), bench.server.counters().out_of_order), (crc, 4));
}

#[test]
fn a_session_begins_with_a_larger_number_only() {
    let mut bench = Bench::new();
    let hello = Request::Hello { version: VERSION };
    bench.ask(TRAIN, &[1.0, 2.0, 3.0]);
    let late = bench.frame(0, hello, &[]);
    assert_eq!(bench.send(&late)[0].0, Response::Refused(Refusal::OutOfOrder { expected: 2 }));
    bench.session = 0;
    let none = bench.frame(0, hello, &[]);
    assert_eq!(bench.send(&none)[0].0, Response::Refused(Refusal::OtherSession { current: 1 }));
    bench.session = 2;
    let without_hello = bench.frame(0, TRAIN, &[1.0, 2.0, 3.0]);
    assert_eq!(bench.send(&without_hello)[0].0, Response::Refused(Refusal::OtherSession { current: 1 }));
    let begin = bench.frame(0, hello, &[]);
    let Response::Hello(answer) = bench.send(&begin)[0].0 else { panic!() };
    assert_eq!((answer.input, answer.outputs, answer.target, answer.parameters), ([3, 0, 0, 0], 2, 0, 8));
}

#[test]
fn what_cannot_be_done_is_refused_and_changes_nothing() {
    let mut bench = Bench::new();
    let crc = bench.crc();
    let mut refused = |request, numbers: &[f32], refusal| {
        assert_eq!(bench.ask(request, numbers), Response::Refused(refusal));
        assert_eq!(bench.crc(), crc);
    };
    refused(TRAIN, &[1.0], Refusal::Numbers { expected: 3, got: 1 });
    refused(TRAIN, &[1.0, f32::NAN, 0.0], Refusal::Sample { index: 1 });
    refused(Request::Predict, &[1.0, 0.0, f32::INFINITY], Refusal::Sample { index: 2 });
    refused(Request::Train { class: Some(2) }, &[1.0, 0.0, 0.0], Refusal::Class { class: 2, classes: 2 });
    refused(Request::Train { class: None }, &[1.0, 0.0, 0.0], Refusal::OtherTarget);
    refused(Request::Status, &[1.0], Refusal::Numbers { expected: 0, got: 1 });
    refused(Request::Read { offset: 4, count: 5 }, &[], Refusal::Range { parameters: 8 });
    refused(Request::Read { offset: u32::MAX, count: 2 }, &[], Refusal::Range { parameters: 8 });
    refused(Request::Chunk { offset: 0 }, &[1.0], Refusal::NoTransfer);
    refused(Request::Commit, &[], Refusal::NoTransfer);
    refused(Request::Load, &[], Refusal::NoCheckpoint);
    refused(Request::Hello { version: 9 }, &[], Refusal::OtherVersion { supported: VERSION });
}

#[test]
fn parameters_are_written_whole_or_not_at_all() {
    let mut bench = Bench::new();
    let old = bench.crc();
    let (_, read) = bench.ask_numbers(Request::Read { offset: 0, count: 8 }, &[]);
    let new: Vec<f32> = read.iter().map(|value| value + 1.0).collect();
    let crc = |values: &[f32]| {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&bytes)
    };
    assert_eq!(crc(&read), old);
    let begin = |crc32| Request::Write { parameters: 8, crc32 };
    bench.ask(begin(crc(&new)), &[]);
    bench.ask(Request::Chunk { offset: 0 }, &new[..5]);
    assert_eq!(bench.ask(Request::Chunk { offset: 4 }, &new[4..]), Response::Refused(Refusal::Gap { expected: 5 }));
    assert_eq!(bench.ask(Request::Commit, &[]), Response::Refused(Refusal::Incomplete { missing: 3 }));
    assert_eq!(bench.crc(), old);
    assert_eq!(bench.ask(Request::Chunk { offset: 5 }, &new[5..]), Response::Written { next: 8 });
    assert_eq!(bench.ask(Request::Chunk { offset: 8 }, &[1.0]), Response::Refused(Refusal::Range { parameters: 8 }));
    assert_eq!(bench.ask(Request::Commit, &[]), Response::Committed { crc32: crc(&new) });
    assert_eq!(bench.crc(), crc(&new));

    bench.ask(begin(7), &[]);
    bench.ask(Request::Chunk { offset: 0 }, &read);
    assert_eq!(bench.ask(Request::Commit, &[]), Response::Refused(Refusal::Checksum { got: old }));
    let mut bad = read.clone();
    bad[6] = f32::NAN;
    bench.ask(begin(crc(&bad)), &[]);
    bench.ask(Request::Chunk { offset: 0 }, &bad);
    assert_eq!(bench.ask(Request::Commit, &[]), Response::Refused(Refusal::Parameter { index: 6 }));
    assert_eq!(bench.crc(), crc(&new));
    // What was left in the gradients' place is not learned from, and a sample ends the transfer.
    bench.ask(TRAIN, &[1.0, 2.0, 3.0]);
    assert!(bench.server.learner().params().bias.iter().all(|value| value.is_finite()));
    assert_eq!(bench.ask(Request::Commit, &[]), Response::Refused(Refusal::NoTransfer));
}

#[test]
fn a_checkpoint_brings_back_what_was_saved() {
    let mut bench = Bench::new();
    bench.ask(TRAIN, &[1.0, 2.0, 3.0]);
    let saved = bench.crc();
    assert!(matches!(bench.ask(Request::Save, &[]), Response::Saved { sequence: 1, .. }));
    bench.ask(TRAIN, &[1.0, 2.0, 3.0]);
    assert_ne!(bench.crc(), saved);
    assert_eq!(bench.ask(Request::Load, &[]), Response::Loaded { sequence: 1, crc32: saved });
    let Response::Begun { crc32 } = bench.ask(Request::Reset { seed: 5 }, &[]) else { panic!() };
    assert_ne!(crc32, saved);
    let mut events = Vec::new();
    bench.server.start(&mut bench.store, &mut |event| events.push(event));
    assert_eq!((bench.crc(), events), (saved, std::vec![Event::Resumed { observed: 1 }]));
}

#[test]
fn damaged_and_oversize_frames_by_the_hundred_thousand_change_nothing() {
    let mut bench = Bench::new();
    bench.ask(TRAIN, &[1.0, 2.0, 3.0]);
    let (crc, mut rng) = (bench.crc(), Rng::new(3));
    let (mut damaged, mut too_long) = (0, 0);
    for _ in 0..200_000 {
        let frame = bench.frame(2, TRAIN, &[1.0, 2.0, 3.0]);
        let mut changed = frame.clone();
        let place = rng.below(frame.len() as u32 - 1) as usize;
        match rng.below(5) {
            0 => changed[place] ^= 1 << rng.below(8),
            1 => drop(changed.remove(place)),
            2 => changed.insert(place, 1 + rng.below(255) as u8),
            3 => changed.drain(place..frame.len() - 1).for_each(drop),
            _ => changed.splice(place..place, core::iter::repeat_n(7, 200)).for_each(drop),
        }
        for (answer, _) in bench.send(&changed) {
            match answer {
                Response::Refused(Refusal::Damaged) => damaged += 1,
                Response::Refused(Refusal::TooLong { most: 192 }) => too_long += 1,
                other => panic!("{other:?} to {changed:?} from {frame:?}"),
            }
        }
    }
    let counters = bench.server.counters();
    assert_eq!((counters.damaged, counters.too_long), (damaged, too_long));
    assert!(damaged > 120_000 && too_long > 30_000, "{counters:?}");
    assert_eq!((bench.crc(), counters.observed, counters.refused), (crc, 1, 0));
    bench.number = 2;
    assert!(matches!(bench.ask(TRAIN, &[1.0, 2.0, 3.0]), Response::Trained { .. }));
}

#[test]
fn a_target_may_be_numbers() {
    let mut memory = Memory::<Dense<2>, [f32; 3], Sgd>::new();
    let learner = Learner::new(&mut memory, Dense::new(), MeanSquaredError, Sgd::new(0.1));
    let mut frames = Frames::new();
    let mut server = Server::<_, _, _, _, [f32; 2], 192>::new(learner, &mut frames, 1);
    let mut flash = [0xff; 2048];
    let mut store = Store::new(RamFlash::new(&mut flash), 0..2048).unwrap();
    let mut answer = None;
    let requests: [(Request, &[f32]); 2] =
        [(Request::Hello { version: VERSION }, &[]), (Request::Train { class: None }, &[1.0, 0.0, 0.0, 3.0, 4.0])];
    for (number, (request, numbers)) in (0..).zip(requests) {
        let mut buffer = [0; 256];
        let length = write(&mut buffer, Direction::Request, (1, number), &request, &mut |put| put(numbers)).unwrap();
        for byte in &buffer[..length] {
            answer = server.take(*byte, &mut store).map(|(response, _)| response).or(answer);
        }
    }
    // The weights are zeros: the loss is the mean of 9 and 16.
    assert!(matches!(answer, Some(Response::Trained { loss: 12.5, .. })), "{answer:?}");
}

/// A line on which these bytes have come; what is sent is thrown away.
struct Came(std::collections::VecDeque<u8>);

impl embedded_io::ErrorType for Came {
    type Error = core::convert::Infallible;
}

impl embedded_io::ReadReady for Came {
    fn read_ready(&mut self) -> Result<bool, Self::Error> {
        Ok(!self.0.is_empty())
    }
}

impl embedded_io::Read for Came {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        let count = buffer.len().min(self.0.len());
        buffer.iter_mut().zip(self.0.drain(..count)).for_each(|(place, byte)| *place = byte);
        Ok(count)
    }
}

impl embedded_io::Write for Came {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

#[test]
fn a_sample_that_was_learned_from_is_told_of_once() {
    let mut bench = Bench::new();
    let first = bench.frame(1, TRAIN, &[1.0, 2.0, 3.0]);
    let refused = bench.frame(2, TRAIN, &[f32::NAN, 2.0, 3.0]);
    let asked = bench.frame(3, Request::Predict, &[1.0, 2.0, 3.0]);
    let mut line = Came([&first[..], &first, &refused, &refused, &asked].concat().into());
    let mut events = Vec::new();
    while bench.server.step(&mut line, &mut bench.store, &mut |event| events.push(event)) {}
    let answers = events.iter().filter(|event| matches!(event, Event::Answered(_))).count();
    let learned: Vec<_> = events.iter().filter(|event| matches!(event, Event::Learned { .. })).collect();
    assert_eq!(answers, 5);
    assert!(matches!(learned[..], [Event::Learned { class: 1, predicted: 0 | 1, loss }] if *loss > 0.0), "{events:?}");
}

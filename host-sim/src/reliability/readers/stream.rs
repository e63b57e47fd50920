//! A board at the end of a serial line, on which anything may come.

use backpass::checkpoint::Store;
use backpass::{CrossEntropy, Dense, Layer, Learner, Memory, Params, Sgd};
use backpass_app::parameters_crc32;
use backpass_app::ram_flash::RamFlash;
use backpass_app::stream::frame::{self, Direction, Frame, Receiver};
use backpass_app::stream::{Frames, Request, Response, Server, VERSION};
use serde::ser::{Serialize, SerializeTuple, Serializer};

type Net = Dense<2>;
type Board<'m> = Server<'m, Net, [f32; 3], CrossEntropy, Sgd, usize, 192>;
type Weights = <Net as Layer<[f32; 3]>>::Params;

/// Bytes as they are, in place of a message.
struct Body<'b>(&'b [u8]);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|byte| tuple.serialize_element(byte))?;
        tuple.end()
    }
}

/// The bytes come as they are, and change nothing but by a request that is whole; then each part of them, up to an `\n`, comes as the
/// contents of a frame with the right number and checksum. Every answer can be read, and the parameters stay finite.
pub fn stream(bytes: &[u8]) {
    let mut memory = Memory::new();
    let (mut frames, mut flash) = (Frames::new(), [0xff; 2048]);
    let mut store = Store::new(RamFlash::new(&mut flash), 0..2048).expect("whole sectors");
    let learner = Learner::new(&mut memory, Net::new(), CrossEntropy, Sgd::new(0.1));
    let mut board = Board::new(learner, &mut frames, 1);
    board.start(&mut store, &mut |_| {});

    let before = parameters_crc32(board.learner().params());
    send(&mut board, &mut store, bytes);
    // No session has begun but by a whole `Hello`.
    let is_whole =
        bytes.split(|byte| *byte == 0).any(|part| Frame::read(&mut part.to_vec(), Direction::Request).is_ok());
    assert!(is_whole || parameters_crc32(board.learner().params()) == before, "damage has changed parameters");

    let mut buffer = [0; 512];
    let hello = Request::Hello { version: VERSION };
    // Newer than any session that the bytes may have begun.
    let mut session = 1;
    for candidate in [1, 0x4000_0000, 0x8000_0000, 0xc000_0000] {
        let length = frame::write(&mut buffer, Direction::Request, (candidate, 0), &hello, &mut |_| {});
        send(&mut board, &mut store, &buffer[..length.expect("it fits")]);
        session = candidate;
    }
    for (number, part) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let part = part.get(..100).unwrap_or(part);
        let length = frame::write(&mut buffer, Direction::Request, (session, number), &Body(part), &mut |_| {});
        send(&mut board, &mut store, &buffer[..length.expect("it fits")]);
        assert_finite(board.learner().params());
    }
}

fn send(board: &mut Board<'_>, store: &mut Store<RamFlash<'_>>, bytes: &[u8]) {
    let mut host = Receiver::<512>::new();
    for byte in bytes.iter().chain(&[0]) {
        let Some((response, answer)) = board.take(*byte, store) else { continue };
        let frames: Vec<_> = answer
            .iter()
            .filter_map(|byte| {
                host.take(*byte, Direction::Response).map(|frame| {
                    let frame = frame.expect("an answer is whole");
                    frame.message::<Response>().expect("an answer can be read").0
                })
            })
            .collect();
        // As text, in which NaN equals NaN.
        assert_eq!(format!("{frames:?}"), format!("{:?}", [response]));
    }
}

fn assert_finite(params: &Weights) {
    params.visit(None, &mut |name, values| {
        assert!(values.iter().all(|value| value.is_finite()), "{name}: {values:?}");
    });
}

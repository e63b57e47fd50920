//! Messages from the bytes of a log.

use defmt_decoder::{DecodeError, StreamDecoder};

use super::text::Lines;
use super::{Level, Message, Table};

/// Takes the bytes of a log and gives its messages.
pub struct Decoder<'t> {
    encoding: Encoding<'t>,
    damaged: u64,
}

enum Encoding<'t> {
    Defmt {
        stream: Box<dyn StreamDecoder + Send + Sync + 't>,
        /// Whether a frame's end can be found again after one that is damaged.
        recovers: bool,
        lost: bool,
    },
    Text(Lines),
}

impl<'t> Decoder<'t> {
    /// For the log of an image: with a table, `defmt` frames; without one, text.
    #[must_use]
    pub fn new(table: Option<&'t Table>) -> Self {
        table.map_or_else(Self::text, Self::defmt)
    }

    /// For `defmt` frames of an image with this table.
    #[must_use]
    pub fn defmt(Table(table): &'t Table) -> Self {
        let (stream, recovers) = (table.new_stream_decoder(), table.encoding().can_recover());
        Self { encoding: Encoding::Defmt { stream, recovers, lost: false }, damaged: 0 }
    }

    /// For lines of text.
    #[must_use]
    pub fn text() -> Self {
        Self { encoding: Encoding::Text(Lines::default()), damaged: 0 }
    }

    /// Takes bytes and hands on the messages that they complete. Frames that cannot be decoded are passed over and counted.
    pub fn receive(&mut self, bytes: &[u8], message: &mut dyn FnMut(Message)) {
        match &mut self.encoding {
            Encoding::Text(lines) => lines.receive(bytes, message),
            Encoding::Defmt { lost: true, .. } => {}
            Encoding::Defmt { stream, recovers, lost } => {
                stream.received(bytes);
                loop {
                    match stream.decode() {
                        Ok(frame) => {
                            let level = frame.level().and_then(|level| Level::named(level.as_str()));
                            message(Message { level, text: frame.display_message().to_string() });
                        }
                        Err(DecodeError::UnexpectedEof) => return,
                        Err(DecodeError::Malformed) => {
                            self.damaged += 1;
                            *lost = !*recovers;
                            if *lost {
                                return;
                            }
                        }
                    }
                }
            }
        }
    }

    /// Frames that could not be decoded. The first of a log that is joined on its way may be one.
    #[must_use]
    pub const fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Whether nothing can be decoded any more: a frame was damaged, and the image's encoding (`raw`) has no marks between frames.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        matches!(self.encoding, Encoding::Defmt { lost: true, .. })
    }
}

impl std::fmt::Debug for Decoder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("damaged", &self.damaged).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use backpass::Rng;
    use backpass_app::digits;

    use super::*;
    use crate::monitor::{Entry, State};

    /// What a debug probe reads from a board that runs the digits application: `tests/data/record_rtt.py` has recorded it.
    fn recorded() -> (Table, Vec<u8>) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        (Table::load(&folder.join("rtt.elf")).unwrap().unwrap(), std::fs::read(folder.join("rtt.bin")).unwrap())
    }

    fn decode<'p>(table: &Table, parts: impl IntoIterator<Item = &'p [u8]>) -> (Vec<Message>, u64) {
        let (mut decoder, mut messages) = (Decoder::defmt(table), Vec::new());
        parts.into_iter().for_each(|part| decoder.receive(part, &mut |message| messages.push(message)));
        assert!(!decoder.is_lost());
        (messages, decoder.damaged())
    }

    #[test]
    fn recorded_bytes_are_what_the_board_has_said() {
        let (table, bytes) = recorded();
        let (messages, damaged) = decode(&table, [&bytes[..]]);
        assert_eq!(damaged, 0);
        assert_eq!(messages[0].text, "digits 64-32-10, 1437 training images, 360 test images");
        assert!(messages.iter().all(|message| message.level == Some(Level::Info)));
        let mut state = State::new("recorded");
        for (index, message) in messages.into_iter().enumerate() {
            state.take(Entry { seconds: index as f64, level: message.level, text: message.text });
        }
        type Ram = digits::Ram<{ digits::HIDDEN }>;
        let parts: Vec<_> = Ram::PARTS.iter().map(|(part, bytes)| ((*part).to_owned(), *bytes as u64)).collect();
        assert_eq!(state.memory(), parts);
        assert_eq!(state.progress(), Some((digits::TRAINING as u64, digits::TRAINING as u64)));
        let (first, last) = (state.loss().points()[0].1, state.loss().last().unwrap());
        assert!(last < 0.25 && first > 2.0, "{first} {last}");
        let confusion = state.confusion();
        assert_eq!((confusion.total(), confusion.labels().len()), (digits::TEST as u64, 10));
        let accuracy = 100.0 * confusion.right() as f64 / confusion.total() as f64;
        assert!((accuracy - state.accuracy().last().unwrap()).abs() < 1e-4, "{accuracy}");
    }

    #[test]
    fn in_what_pieces_they_come_makes_no_difference() {
        let (table, bytes) = recorded();
        let whole = decode(&table, [&bytes[..]]);
        for size in [1, 2, 7, 64, 1000] {
            assert_eq!(decode(&table, bytes.chunks(size)), whole, "{size} bytes at a time");
        }
    }

    #[test]
    fn a_log_can_be_joined_at_any_byte() {
        let (table, bytes) = recorded();
        let (all, _) = decode(&table, [&bytes[..]]);
        for begin in 0..400 {
            let (messages, damaged) = decode(&table, [&bytes[begin..]]);
            // The rest of a frame may by chance be one.
            let sure = messages.get(1..).unwrap();
            assert!(all.ends_with(sure) && damaged <= 1, "from byte {begin}: {damaged} damaged");
        }
    }

    #[test]
    fn damaged_bytes_cost_few_messages_and_never_more() {
        let (table, bytes) = recorded();
        let (all, _) = decode(&table, [&bytes[..]]);
        let mut rng = Rng::new(1);
        for _ in 0..300 {
            let mut bytes = bytes.clone();
            let hits = 1 + rng.below(20);
            for _ in 0..hits {
                let place = rng.below(bytes.len() as u32) as usize;
                bytes[place] ^= 1 << rng.below(8);
            }
            let (messages, damaged) = decode(&table, [&bytes[..]]);
            let kept = all.iter().filter(|message| messages.contains(message)).count();
            assert!(
                kept + 2 * hits as usize >= all.len(),
                "{hits} hits, {kept} of {} messages, {damaged} damaged",
                all.len()
            );
        }
        // Bytes that are no log at all.
        let noise: Vec<u8> = (0..100_000).map(|_| rng.below(256) as u8).collect();
        let (_, damaged) = decode(&table, noise.chunks(100));
        assert!(damaged > 100);
    }
}

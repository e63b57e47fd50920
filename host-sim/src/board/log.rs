//! What the firmware says, line by line, and what it adds up to.

use std::collections::BTreeMap;

/// One line of the board's log that means something to the host.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// So many training samples of an epoch were seen.
    Progress {
        /// Counted from 1.
        epoch: u32,
        /// Samples seen in this epoch.
        seen: u64,
        /// Samples in an epoch.
        of: u64,
    },
    /// A part of a parameter slice.
    Parameters {
        /// The slice's name, such as `0.weight`.
        name: String,
        /// The position of the first value.
        from: usize,
        /// The values' bits.
        bits: Vec<u32>,
    },
    /// The result of the test.
    Classified {
        /// Rightly classified samples.
        correct: u32,
        /// Samples in the test.
        tested: u32,
    },
    /// CRC-32 of all parameters.
    Crc32(u32),
    /// Anything else: for people.
    Text,
}

impl Line {
    /// Reads one message.
    #[must_use]
    pub fn parse(message: &str) -> Self {
        let words: Vec<&str> = message.split_whitespace().collect();
        let parsed = match *words.as_slice() {
            ["epoch", epoch, "trained", part, ..] => progress(epoch, part),
            ["parameters", name, "from", from, ":", ref bytes @ ..] => parameters(name, from, bytes),
            ["classified", correct, "of", tested, ..] => classified(correct, tested),
            ["crc32", crc] => u32::from_str_radix(crc, 16).ok().map(Self::Crc32),
            _ => None,
        };
        parsed.unwrap_or(Self::Text)
    }
}

fn progress(epoch: &str, part: &str) -> Option<Line> {
    let (seen, of) = part.split_once('/')?;
    Some(Line::Progress { epoch: epoch.parse().ok()?, seen: seen.parse().ok()?, of: of.parse().ok()? })
}

fn classified(correct: &str, tested: &str) -> Option<Line> {
    Some(Line::Classified { correct: correct.parse().ok()?, tested: tested.parse().ok()? })
}

/// Bytes as defmt writes them, `[3f, 80, 00, 00]`, four to a little-endian value.
fn parameters(name: &str, from: &str, bytes: &[&str]) -> Option<Line> {
    let hex = |word: &&str| u8::from_str_radix(word.trim_matches(['[', ']', ',']), 16).ok();
    let bytes: Vec<u8> = bytes.iter().map(hex).collect::<Option<_>>()?;
    let (values, []) = bytes.as_chunks() else { return None };
    let bits = values.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
    Some(Line::Parameters { name: name.to_owned(), from: from.parse().ok()?, bits })
}

/// All that a board has said of its parameters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BoardLog {
    /// The bits of each slice, by name.
    pub parameters: BTreeMap<String, Vec<u32>>,
    /// Rightly classified samples and samples in the test.
    pub classified: Option<(u32, u32)>,
    /// CRC-32 of all parameters.
    pub crc32: Option<u32>,
}

impl BoardLog {
    /// Takes in one line. A part of a slice that does not follow on the last one is left out, and so found missing later.
    pub fn add(&mut self, line: Line) {
        match line {
            Line::Parameters { name, from, bits } => {
                let slice = self.parameters.entry(name).or_default();
                if slice.len() == from {
                    slice.extend(bits);
                }
            }
            Line::Classified { correct, tested } => self.classified = Some((correct, tested)),
            Line::Crc32(crc) => self.crc32 = Some(crc),
            Line::Progress { .. } | Line::Text => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_firmware_writes() {
        assert_eq!(Line::parse("epoch 2 trained 160/1437 loss 0.25"), Line::Progress { epoch: 2, seen: 160, of: 1437 });
        assert_eq!(Line::parse("classified 351 of 360 test images"), Line::Classified { correct: 351, tested: 360 });
        assert_eq!(Line::parse("crc32 00ff12ab"), Line::Crc32(0x00ff_12ab));
        assert_eq!(
            Line::parse("parameters 0.weight from 16 : [00, 00, 80, 3f, 00, 00, 00, c0]"),
            Line::Parameters { name: "0.weight".into(), from: 16, bits: vec![1.0_f32.to_bits(), (-2.0_f32).to_bits()] }
        );
        for text in ["", "epoch 1 training loss 0.1", "crc32 xyz", "parameters 0.weight from 0 : [00, 00]"] {
            assert_eq!(Line::parse(text), Line::Text, "{text}");
        }
    }

    #[test]
    fn a_part_that_does_not_follow_is_left_out() {
        let part = |from, bits: &[u32]| Line::Parameters { name: "w".into(), from, bits: bits.to_vec() };
        let mut log = BoardLog::default();
        log.add(part(0, &[1, 2]));
        log.add(part(3, &[4]));
        log.add(part(2, &[3]));
        assert_eq!(log.parameters["w"], [1, 2, 3]);
    }
}

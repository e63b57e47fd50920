//! Lines of text, as they come over a serial port or from another program's log.

use super::{Level, Message};

/// Bytes of the longest line; a longer one is cut there.
const LONGEST: usize = 4096;

/// The line that is under way.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    pub(super) fn receive(&mut self, bytes: &[u8], message: &mut dyn FnMut(Message)) {
        for byte in bytes {
            if !matches!(byte, b'\n' | b'\r') {
                self.0.push(*byte);
            }
            if matches!(byte, b'\n' | b'\r') || self.0.len() == LONGEST {
                let line = std::mem::take(&mut self.0);
                let text = plain(&String::from_utf8_lossy(&line));
                if !text.trim().is_empty() {
                    message(read(text.trim()));
                }
            }
        }
    }
}

/// A message that may begin with a level, behind a time or between brackets: `12.5 INFO ready`, `[WARN] refused`.
fn read(line: &str) -> Message {
    let mut rest = line;
    for _ in 0..2 {
        let (word, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let bare = word.trim_matches(['[', ']', '(', ')', ':', '<', '>']);
        if let Some(level) = Level::named(bare).filter(|_| bare.chars().all(char::is_uppercase)) {
            return Message { level: Some(level), text: behind.trim_start().to_owned() };
        }
        // Only a time may stand before a level.
        if !bare.starts_with(|c: char| c.is_ascii_digit()) {
            break;
        }
        rest = behind.trim_start();
    }
    Message { level: None, text: line.to_owned() }
}

/// A line without colours and other control sequences of terminals.
fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // `ESC [`, numbers, and a letter.
            if characters.next() == Some('[') {
                let _ = characters.by_ref().find(|c| ('@'..='~').contains(c));
            }
        } else if !character.is_control() || character == '\t' {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(parts: &[&[u8]]) -> Vec<(Option<Level>, String)> {
        let (mut lines, mut messages) = (Lines::default(), Vec::new());
        for part in parts {
            lines.receive(part, &mut |message| messages.push((message.level, message.text)));
        }
        messages
    }

    #[test]
    fn lines_may_come_in_pieces_and_end_in_any_way() {
        let got = messages(&[b"loss 0.5\r\nlo", b"ss 0.25\n\n\rclass 1 taken for 2\r", b"unfinished"]);
        let texts: Vec<_> = got.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["loss 0.5", "loss 0.25", "class 1 taken for 2"]);
    }

    #[test]
    fn a_level_before_the_words_is_none_of_them() {
        for (line, level, text) in [
            ("INFO ready\n", Some(Level::Info), "ready"),
            ("[WARN] refused: the class is not known\n", Some(Level::Warn), "refused: the class is not known"),
            ("12.500 ERROR not saved\n", Some(Level::Error), "not saved"),
            ("<INFO> ready\n", Some(Level::Info), "ready"),
            ("Error of the sensor\n", None, "Error of the sensor"),
            ("error 0.5\n", None, "error 0.5"),
            ("\u{1b}[32mINFO\u{1b}[0m loss 0.5\n", Some(Level::Info), "loss 0.5"),
        ] {
            assert_eq!(messages(&[line.as_bytes()]), [(level, text.to_owned())], "{line:?}");
        }
    }

    #[test]
    fn what_is_no_text_does_no_harm() {
        let every: Vec<u8> = (0..=255).cycle().take(20_000).collect();
        let got = messages(&[&every]);
        assert!(got.iter().all(|(_, text)| text.chars().all(|c| !c.is_control() || c == '\t')));
        assert_eq!(messages(&[&[b'x'; LONGEST + 3], b"\n"])[1].1, "xxx", "a line that is too long goes on in the next");
    }
}

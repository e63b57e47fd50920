//! Where messages come from: a board, or a recording of one.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::{Entry, Recording};
use crate::link::Receive;
use crate::log::Decoder;

/// Gives messages as they come.
pub struct Source<'s>(Kind<'s>);

enum Kind<'s> {
    Live { link: Box<dyn Receive + 's>, decoder: Decoder<'s>, attached: Instant },
    Replay { entries: VecDeque<Entry>, speed: Option<f64>, begun: Instant },
}

impl<'s> Source<'s> {
    /// The messages that a decoder finds in what a board sends from now on.
    pub fn live(link: impl Receive + 's, decoder: Decoder<'s>) -> Self {
        Self(Kind::Live { link: Box::new(link), decoder, attached: Instant::now() })
    }

    /// Those of a recording, at this many times the speed at which they came; `None`: at once.
    #[must_use]
    pub fn replay(recording: Recording, speed: Option<f64>) -> Self {
        Self(Kind::Replay { entries: recording.entries.into(), speed, begun: Instant::now() })
    }

    /// Hands on the messages that have come, waiting for the first one until `timeout`. Returns whether there may be more later.
    ///
    /// # Errors
    /// Those of the link. That it was closed is none: it is the end. [`ErrorKind::InvalidData`] if nothing can be decoded any more.
    pub fn next(&mut self, timeout: Duration, entry: &mut dyn FnMut(Entry)) -> io::Result<bool> {
        match &mut self.0 {
            Kind::Live { link, decoder, attached } => {
                let mut buffer = [0; 4096];
                let count = match link.receive(&mut buffer, timeout) {
                    Ok(count) => count,
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(false),
                    Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                    Err(error) => return Err(error),
                };
                let seconds = attached.elapsed().as_secs_f64();
                decoder.receive(&buffer[..count], &mut |message| {
                    entry(Entry { seconds, level: message.level, text: message.text });
                });
                if decoder.is_lost() {
                    let words = "the log is damaged, and has no marks by which to go on (the image sets defmt's encoding to raw)";
                    return Err(io::Error::new(ErrorKind::InvalidData, words));
                }
                Ok(true)
            }
            Kind::Replay { entries, speed, begun } => {
                let Some(next) = entries.front() else { return Ok(false) };
                if let Some(speed) = speed {
                    let due = Duration::from_secs_f64((next.seconds / *speed).clamp(0.0, 1e9));
                    let wait = due.saturating_sub(begun.elapsed());
                    std::thread::sleep(wait.min(timeout));
                    if wait > timeout {
                        return Ok(true);
                    }
                }
                entries.pop_front().into_iter().for_each(entry);
                Ok(true)
            }
        }
    }

    /// Seconds since the beginning, for a board that says nothing; `None` in a recording, where a message has its own.
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        match &self.0 {
            Kind::Live { attached, .. } => Some(attached.elapsed().as_secs_f64()),
            Kind::Replay { .. } => None,
        }
    }

    /// Frames that could not be decoded.
    #[must_use]
    pub const fn damaged(&self) -> u64 {
        match &self.0 {
            Kind::Live { decoder, .. } => decoder.damaged(),
            Kind::Replay { .. } => 0,
        }
    }
}

impl std::fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Kind::Live { decoder, .. } => f.debug_struct("Source").field("decoder", decoder).finish_non_exhaustive(),
            Kind::Replay { entries, .. } => {
                f.debug_struct("Source").field("left", &entries.len()).finish_non_exhaustive()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a link gives, one after another; then it is closed.
    struct Given(VecDeque<io::Result<&'static [u8]>>);

    impl Receive for Given {
        fn receive(&mut self, buffer: &mut [u8], _: Duration) -> io::Result<usize> {
            let bytes = self.0.pop_front().unwrap_or(Err(ErrorKind::UnexpectedEof.into()))?;
            buffer[..bytes.len()].copy_from_slice(bytes);
            Ok(bytes.len())
        }
    }

    fn all(source: &mut Source<'_>) -> (Vec<Entry>, io::Result<()>) {
        let mut entries = Vec::new();
        loop {
            match source.next(Duration::from_millis(20), &mut |entry| entries.push(entry)) {
                Ok(true) => {}
                Ok(false) => return (entries, Ok(())),
                Err(error) => return (entries, Err(error)),
            }
        }
    }

    #[test]
    fn silence_is_no_end_and_a_closed_link_no_error() {
        let given = [Ok(&b"loss 0.5\nlo"[..]), Ok(b""), Err(ErrorKind::Interrupted.into()), Ok(b"ss 0.25\n")];
        let mut source = Source::live(Given(given.into_iter().collect()), Decoder::text());
        let (entries, end) = all(&mut source);
        let texts: Vec<_> = entries.iter().map(|entry| entry.text.as_str()).collect();
        assert_eq!(texts, ["loss 0.5", "loss 0.25"]);
        assert!(end.is_ok() && source.damaged() == 0);
        let given = [Ok(&b"loss 0.5\n"[..]), Err(ErrorKind::BrokenPipe.into())];
        let (entries, end) = all(&mut Source::live(Given(given.into_iter().collect()), Decoder::text()));
        assert_eq!((entries.len(), end.unwrap_err().kind()), (1, ErrorKind::BrokenPipe));
    }

    #[test]
    fn a_recording_is_played_at_its_speed_or_at_once() {
        let entry = |seconds| Entry { seconds, level: None, text: seconds.to_string() };
        let recording = Recording { source: String::new(), entries: [0.0, 1.0, 3.0].map(entry).to_vec() };
        let began = Instant::now();
        let (entries, _) = all(&mut Source::replay(recording.clone(), Some(20.0)));
        assert_eq!(entries, recording.entries);
        assert!(began.elapsed() >= Duration::from_millis(150));
        let (entries, _) = all(&mut Source::replay(recording.clone(), None));
        assert_eq!(entries, recording.entries);
    }
}

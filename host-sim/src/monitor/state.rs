//! What the messages of a board add up to.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Confusion, Curve, Metrics, StaticRam};
use crate::board::Line;
use crate::log::Level;

/// Messages that are kept.
const KEPT: usize = 200;
/// Reasons of refusals that are told apart.
const REASONS: usize = 12;

/// A message with the moment at which it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Since the board was attached to.
    pub seconds: f64,
    /// How grave it is, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// Its words.
    pub text: String,
}

impl Entry {
    /// Whether a person wants to read it: the weights that the digits application hands out for a comparison are thousands.
    #[must_use]
    pub fn is_for_people(&self) -> bool {
        !matches!(Line::parse(&self.text), Line::Parameters { .. })
    }
}

/// Where a board stands, as far as it has said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Where the messages come from, in words.
    pub source: String,
    /// Seconds that have passed.
    pub seconds: f64,
    /// Frames that could not be decoded.
    pub damaged: u64,
    /// Whether nothing more will come.
    pub ended: bool,
    /// How the image divides the RAM, if there is an image.
    pub statics: Option<StaticRam>,
    /// Bytes of the chip's RAM, if they are known.
    pub chip_ram: Option<u64>,
    messages: u64,
    levels: BTreeMap<Level, u64>,
    loss: Curve,
    test_loss: Curve,
    told_accuracy: Curve,
    rolling_accuracy: Curve,
    error: Curve,
    alarm: bool,
    threshold: Option<f64>,
    confusion: Confusion,
    predicted: Option<(String, f64)>,
    progress: Option<(u64, u64)>,
    observed: Option<u64>,
    refused: u64,
    refused_in_all: Option<u64>,
    reasons: BTreeMap<String, u64>,
    saved: Option<(f64, u64)>,
    memory: Vec<(String, u64)>,
    log: VecDeque<Entry>,
}

impl State {
    /// Nothing was said yet by what these words describe.
    #[must_use]
    pub fn new(source: &str) -> Self {
        Self { source: source.to_owned(), ..Self::default() }
    }

    /// Takes a message.
    pub fn take(&mut self, entry: Entry) {
        let metrics = Metrics::of(&entry.text);
        let seconds = entry.seconds;
        self.seconds = self.seconds.max(seconds);
        self.messages += 1;
        if let Some(level) = entry.level {
            *self.levels.entry(level).or_default() += 1;
        }
        let curves = [
            (&mut self.loss, metrics.loss),
            (&mut self.test_loss, metrics.test_loss),
            (&mut self.told_accuracy, metrics.accuracy),
            (&mut self.error, metrics.error.map(|(error, _)| error)),
        ];
        for (curve, value) in curves {
            value.into_iter().for_each(|value| curve.add(seconds, value));
        }
        if let Some((class, predicted)) = &metrics.taken {
            self.confusion.add(class, predicted);
            self.confusion.rolling_accuracy().into_iter().for_each(|share| self.rolling_accuracy.add(seconds, share));
        }
        if metrics.refused {
            self.refused += 1;
            self.refuse(&entry.text);
        }
        self.alarm = metrics.error.map_or(self.alarm, |(_, alarm)| alarm);
        self.threshold = metrics.threshold.or(self.threshold);
        self.predicted = metrics.predicted.or(self.predicted.take());
        self.progress = metrics.progress.or(self.progress);
        self.observed = metrics.observed.or(self.observed);
        self.refused_in_all = metrics.refused_in_all.or(self.refused_in_all);
        self.saved = metrics.saved.map(|bytes| (seconds, bytes)).or(self.saved);
        if !metrics.memory.is_empty() {
            self.memory = metrics.memory;
        }
        if entry.is_for_people() {
            if self.log.len() == KEPT {
                self.log.pop_front();
            }
            self.log.push_back(entry);
        }
    }

    /// Counts a reason. Numbers in it are left out: they differ from one refusal to the next.
    fn refuse(&mut self, text: &str) {
        let reason: String = text.split(|c: char| c.is_ascii_digit()).collect::<Vec<_>>().join("");
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        let known = self.reasons.len() < REASONS || self.reasons.contains_key(&reason);
        *self.reasons.entry(if known { reason } else { "others".to_owned() }).or_default() += 1;
    }

    /// Messages so far.
    #[must_use]
    pub const fn messages(&self) -> u64 {
        self.messages
    }

    /// Messages of this level.
    #[must_use]
    pub fn at_level(&self, level: Level) -> u64 {
        self.levels.get(&level).copied().unwrap_or(0)
    }

    /// The loss while training.
    #[must_use]
    pub const fn loss(&self) -> &Curve {
        &self.loss
    }

    /// The loss of tests.
    #[must_use]
    pub const fn test_loss(&self) -> &Curve {
        &self.test_loss
    }

    /// The accuracy in percent: what the board says of it, or else the share that was right of the last 100 samples.
    #[must_use]
    pub const fn accuracy(&self) -> &Curve {
        if self.told_accuracy.is_empty() { &self.rolling_accuracy } else { &self.told_accuracy }
    }

    /// The reconstruction error of an anomaly detector.
    #[must_use]
    pub const fn error(&self) -> &Curve {
        &self.error
    }

    /// The error above which there is an alarm.
    #[must_use]
    pub const fn threshold(&self) -> Option<f64> {
        self.threshold
    }

    /// Whether there is an alarm.
    #[must_use]
    pub const fn alarm(&self) -> bool {
        self.alarm
    }

    /// Classes, and what they were taken for before they were learned from.
    #[must_use]
    pub const fn confusion(&self) -> &Confusion {
        &self.confusion
    }

    /// What the board takes its input for now, and its confidence in percent.
    #[must_use]
    pub const fn predicted(&self) -> Option<&(String, f64)> {
        self.predicted.as_ref()
    }

    /// Samples seen, and how many there are.
    #[must_use]
    pub const fn progress(&self) -> Option<(u64, u64)> {
        self.progress
    }

    /// Samples learned from since switch-on, if the board has said so.
    #[must_use]
    pub const fn observed(&self) -> Option<u64> {
        self.observed
    }

    /// What was refused: as the board counts since switch-on, or else as was seen here.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused_in_all.unwrap_or(0).max(self.refused)
    }

    /// Why, and how often, as far as was seen here.
    #[must_use]
    pub const fn reasons(&self) -> &BTreeMap<String, u64> {
        &self.reasons
    }

    /// When a checkpoint was saved last, in seconds, and its bytes.
    #[must_use]
    pub const fn saved(&self) -> Option<(f64, u64)> {
        self.saved
    }

    /// The RAM of training, part by part, in bytes.
    #[must_use]
    pub fn memory(&self) -> &[(String, u64)] {
        &self.memory
    }

    /// The last messages, the newest one last.
    pub fn log(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.log.iter()
    }

    /// All figures as they are now, for a program.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        json!({
            "source": self.source,
            "seconds": self.seconds,
            "messages": self.messages,
            "warnings": self.at_level(Level::Warn),
            "errors": self.at_level(Level::Error),
            "damaged": self.damaged,
            "loss": finite(self.loss.last()),
            "test_loss": finite(self.test_loss.last()),
            "accuracy": finite(self.accuracy().last()).map(|percent| percent / 100.0),
            "classes": self.confusion.labels(),
            "confusion": self.confusion.rows(),
            "error": finite(self.error.last()),
            "threshold": finite(self.threshold),
            "alarm": self.alarm,
            "observed": self.observed,
            "refused": self.refused(),
            "refusals": self.reasons,
            "checkpoint_bytes": self.saved.map(|(_, bytes)| bytes),
            "memory": self.memory.iter().cloned().collect::<BTreeMap<_, _>>(),
            "static_ram_bytes": self.statics.map(|ram| ram.statics),
            "stack_bytes": self.statics.and_then(|ram| ram.stack),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(messages: &[(Option<Level>, &str)]) -> State {
        let mut state = State::new("test");
        for (index, (level, text)) in messages.iter().enumerate() {
            state.take(Entry { seconds: index as f64, level: *level, text: (*text).to_owned() });
        }
        state
    }

    #[test]
    fn messages_add_up() {
        let state = state(&[
            (Some(Level::Info), "RAM { parameters: 100, moments: 200 }"),
            (Some(Level::Info), "class 1 taken for 2, loss 1.5"),
            (Some(Level::Info), "class 2 taken for 2, loss 0.5"),
            (Some(Level::Warn), "refused: NaN at 3"),
            (Some(Level::Warn), "refused: NaN at 17"),
            (Some(Level::Error), "not saved: the flash is full"),
            (None, "saved 4096 bytes"),
        ]);
        assert_eq!((state.messages(), state.seconds), (7, 6.0));
        assert_eq!(state.loss().points(), [(1.0, 1.5), (2.0, 0.5)]);
        assert_eq!(state.accuracy().points(), [(1.0, 0.0), (2.0, 50.0)]);
        assert_eq!(state.confusion().rows(), [[0, 1], [0, 1]]);
        assert_eq!(state.refused(), 2);
        assert_eq!(state.reasons().iter().collect::<Vec<_>>(), [(&"refused: NaN at".to_owned(), &2)]);
        assert_eq!((state.at_level(Level::Warn), state.at_level(Level::Error)), (2, 1));
        assert_eq!(state.saved(), Some((6.0, 4096)));
        assert_eq!(state.memory().iter().map(|(_, bytes)| bytes).sum::<u64>(), 300);
        let json = state.json();
        assert_eq!((json["accuracy"].as_f64(), json["refused"].as_u64()), (Some(0.5), Some(2)));
    }

    #[test]
    fn what_the_board_says_itself_counts_for_more() {
        let state = state(&[
            (None, "class 1 taken for 2"),
            (None, "accuracy 97.5 %"),
            (None, "refused: a class that is not known"),
            (None, "Counters { observed: 40, refused: 7 }"),
        ]);
        assert_eq!(state.accuracy().last(), Some(97.5));
        assert_eq!((state.refused(), state.observed()), (7, Some(40)));
    }

    #[test]
    fn what_is_kept_does_not_grow() {
        let mut state = State::new("");
        for index in 0..20_000_u32 {
            let letters: String = (0..8).map(|bit| if index >> bit & 1 == 1 { 'a' } else { 'b' }).collect();
            let text = format!("{letters} refused, loss {index}, class 1 taken for 1");
            state.take(Entry { seconds: f64::from(index), level: None, text });
        }
        assert!(state.log.len() <= KEPT && state.reasons.len() <= REASONS + 1);
        assert_eq!(state.reasons.values().sum::<u64>(), 20_000);
        assert_eq!(state.log().next_back().map(|entry| entry.seconds), Some(19_999.0));
    }
}

//! Which words of a message mean something.

/// What a message tells in numbers. A program of your own is understood if its log has such words, whatever else stands around them:
///
/// | words | what they mean |
/// |---|---|
/// | `loss 0.25` | the loss of a step, or its mean over some |
/// | `test loss 0.25` | the loss of a test |
/// | `accuracy 93.5 %`, `accuracy 0.935` | the share that is right |
/// | `class 1 taken for 3`, `class rest taken for run` | a sample's class and what it was taken for before it was learned from |
/// | `class 3, 87.5 %` | what the board takes its input for now, and how sure it is |
/// | `error 0.8`, `error 0.8, alarm` | an anomaly detector's reconstruction error, and whether there is an alarm |
/// | `threshold 1.2` | the error above which there is an alarm |
/// | `trained 160/1437` | progress |
/// | `observed: 20`, `refused: 3` | samples learned from and refused since switch-on |
/// | any other `refused` | a sample, an update or a request was refused; the words say why |
/// | `saved 4096 bytes`, `Saved { bytes: 4096 }` | a checkpoint |
/// | `Memory { parameters: 9640, gradients: 9640 }` | bytes of the RAM of training, part by part; also with `RAM` |
///
/// ```
/// use backpass_sim::monitor::Metrics;
/// let metrics = Metrics::of("class 1 taken for 3, loss 0.75");
/// assert_eq!(metrics.taken, Some(("1".into(), "3".into())));
/// assert_eq!(metrics.loss, Some(0.75));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    /// The loss while training.
    pub loss: Option<f64>,
    /// The loss of a test.
    pub test_loss: Option<f64>,
    /// The share that is right, in percent.
    pub accuracy: Option<f64>,
    /// A sample's class, and what it was taken for.
    pub taken: Option<(String, String)>,
    /// What the board takes its input for, and its confidence in percent.
    pub predicted: Option<(String, f64)>,
    /// The reconstruction error, and whether there is an alarm.
    pub error: Option<(f64, bool)>,
    /// The error above which there is an alarm.
    pub threshold: Option<f64>,
    /// Samples seen, and how many there are.
    pub progress: Option<(u64, u64)>,
    /// Samples learned from since switch-on.
    pub observed: Option<u64>,
    /// Samples refused since switch-on.
    pub refused_in_all: Option<u64>,
    /// Whether something was refused just now.
    pub refused: bool,
    /// Bytes of a checkpoint that was saved.
    pub saved: Option<u64>,
    /// Parts of the RAM of training, and their bytes.
    pub memory: Vec<(String, u64)>,
}

impl Metrics {
    /// Reads a message.
    #[must_use]
    pub fn of(message: &str) -> Self {
        let words: Vec<&str> = message.split_whitespace().collect();
        let memory = ["Memory", "RAM"].map(|name| fields(message, name)).concat();
        let saved = fields(message, "Saved").iter().find(|(name, _)| name == "bytes").map(|(_, bytes)| *bytes);
        let mut metrics = Self { memory, saved, ..Self::default() };
        for (place, word) in words.iter().enumerate() {
            metrics.take(word, words.get(place.wrapping_sub(1)), words.get(place + 1..).unwrap_or_default());
        }
        // Said of all since switch-on, it is nothing that happened just now.
        metrics.refused &= metrics.refused_in_all.is_none();
        metrics
    }

    /// Takes a word, with the one before it and those behind it.
    fn take(&mut self, word: &str, before: Option<&&str>, behind: &[&str]) {
        let value = || behind.first().and_then(|word| number(word));
        match word {
            "loss" if before.is_some_and(|word| matches!(*word, "test" | "validation")) => {
                self.test_loss = value().or(self.test_loss);
            }
            "loss" => self.loss = value().or(self.loss),
            "accuracy" => self.accuracy = percent(behind).or(self.accuracy),
            "class" => match behind {
                [class, "taken", "for", predicted, ..] => {
                    self.taken = Some((label(class), label(predicted)));
                }
                [class, share, "%", ..] if class.ends_with(',') => {
                    self.predicted = number(share).map(|share| (label(class), share));
                }
                _ => {}
            },
            "error" => {
                let alarm = behind.get(1).is_some_and(|word| label(word) == "alarm");
                self.error = value().map(|error| (error, alarm)).or(self.error);
            }
            "threshold" => self.threshold = value().or(self.threshold),
            "trained" => self.progress = behind.first().and_then(|word| progress(word)).or(self.progress),
            "saved"
                if before.is_none_or(|word| *word != "not")
                    && behind.get(1).is_some_and(|word| label(word) == "bytes") =>
            {
                self.saved = count(behind.first());
            }
            "observed:" => self.observed = count(behind.first()),
            "refused:" if count(behind.first()).is_some() => self.refused_in_all = count(behind.first()),
            _ if word.to_ascii_lowercase().contains("refused") => self.refused = true,
            _ => {}
        }
    }
}

/// A word without what separates it from the next.
fn label(word: &str) -> String {
    word.trim_matches([',', ';', ':', '.', '(', ')', '{', '}']).to_owned()
}

fn number(word: &str) -> Option<f64> {
    word.trim_end_matches([',', ';', ')', '}', '%']).parse().ok()
}

fn count(word: Option<&&str>) -> Option<u64> {
    word?.trim_end_matches([',', ';', ')', '}', '.']).parse().ok()
}

/// `93.5 %`, `93.5%`, or a share: `0.935`.
fn percent(words: &[&str]) -> Option<f64> {
    let word = words.first()?;
    let value = number(word)?;
    let has_sign = word.contains('%') || words.get(1).is_some_and(|word| word.starts_with('%'));
    Some(if has_sign || value > 1.0 { value } else { 100.0 * value })
}

/// `160/1437`.
fn progress(word: &str) -> Option<(u64, u64)> {
    let (seen, of) = word.split_once('/')?;
    Some((seen.parse().ok()?, count(Some(&of))?))
}

/// The fields of a structure, `NAME { parameters: 9640, gradients: 9640 }`, that are numbers; none if a message has none of this name.
fn fields(message: &str, name: &str) -> Vec<(String, u64)> {
    let behind = message.split_once(&format!("{name} {{")).map(|(_, behind)| behind);
    let field = |field: &str| {
        let (name, value) = field.split_once(':')?;
        Some((name.trim().to_owned(), value.trim().parse().ok()?))
    };
    let fields = behind.and_then(|behind| behind.split('}').next()).unwrap_or_default();
    fields.split(',').filter_map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_boards_say_is_understood() {
        let of = Metrics::of;
        assert_eq!(of("goes on after 3 windows"), Metrics::default());
        let epoch = of("epoch 3 training loss 0.16722815 test loss 0.17518665 accuracy 93.88889 %");
        assert_eq!((epoch.loss, epoch.test_loss), (Some(0.167_228_15), Some(0.175_186_65)));
        assert_eq!(epoch.accuracy, Some(93.888_89));
        let trained = of("epoch 1 trained 160/1437 loss 2.180938");
        assert_eq!((trained.progress, trained.loss), (Some((160, 1437)), Some(2.180_938)));
        assert_eq!(of("class 2, 93.5 %").predicted, Some(("2".into(), 93.5)));
        assert_eq!(of("learns class 2"), Metrics::default());
        assert_eq!(of("error 0.5").error, Some((0.5, false)));
        assert_eq!(of("error 2.5, alarm").error, Some((2.5, true)));
        assert_eq!(of("learned, error 0.25").error, Some((0.25, false)));
        assert_eq!(of("watches, threshold 1.25").threshold, Some(1.25));
        assert_eq!(of("saved 40960 bytes").saved, Some(40960));
        assert_eq!(of("Answered(Saved { sequence: 1, bytes: 14972 })").saved, Some(14972));
        assert_eq!(of("not saved: the flash is full").saved, None);
    }

    #[test]
    fn refusals_are_told_from_their_count() {
        for message in
            ["refused: the sample has NaN at 3", "sample 7 refused: loss", "WindowRefused(Input { index: 3 })"]
        {
            assert!(Metrics::of(message).refused, "{message}");
        }
        let status = Metrics::of("Status { crc32: 12, counters: Counters { observed: 20, refused: 3, damaged: 0 } }");
        assert_eq!((status.refused, status.observed, status.refused_in_all), (false, Some(20), Some(3)));
    }

    #[test]
    fn ram_is_read_part_by_part() {
        let parts = |message| Metrics::of(message).memory;
        let expected = vec![("parameters".to_owned(), 9640), ("activations".to_owned(), 424)];
        assert_eq!(parts("Memory { parameters: 9640, activations: 424 }"), expected);
        assert_eq!(parts("RAM { parameters: 9640, activations: 424 }, 4 classes"), expected);
        assert_eq!(parts("Memory {"), []);
        assert_eq!(parts("Memory { parameters: many }"), []);
    }

    #[test]
    fn shares_and_percents_are_told_apart() {
        for (message, accuracy) in [
            ("accuracy 93.5 %", Some(93.5)),
            ("accuracy 0.5 %", Some(0.5)),
            ("accuracy 93.5%, loss 1", Some(93.5)),
            ("accuracy 0.935", Some(93.5)),
            ("accuracy 1", Some(100.0)),
            ("accuracy unknown", None),
            ("accuracy", None),
        ] {
            assert_eq!(Metrics::of(message).accuracy, accuracy, "{message}");
        }
        assert!(Metrics::of("loss NaN").loss.is_some_and(f64::is_nan));
    }
}

//! The anomaly application in a simulated world: it learns what is normal, is shown something else now and then, and at last what is
//! normal changes for good.

use std::time::Duration;

use backpass::stream::Storage;
use backpass_app::anomaly::{Anomaly, Event, HOP, Input, ROWS, Ram, Settings, Window3, Window6};
use backpass_app::device::{Face, Sensor};
use backpass_app::parameters_crc32;
use backpass_app::scene::{self, Scene};

use crate::world::board::{Board, BoardSensor};
use crate::world::given::noted;
use crate::world::recordings::{self, SHOULDER_EXERCISES_RATE};

/// What the sensor feels, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Rows a second.
    pub rate: u32,
    /// What is normal: repeated until the application has learned it.
    pub normal: Vec<[f32; 6]>,
    /// What it is tested with: rows, and whether they are an anomaly.
    pub test: Vec<(Vec<[f32; 6]>, bool)>,
    /// What is normal from then on: repeated until the application has noticed it, has learned it, and has watched it once. Empty:
    /// nothing changes.
    pub drifted: Vec<[f32; 6]>,
}

/// A part of the scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It learns what is normal.
    Learning,
    /// It is tested with something normal.
    Normal,
    /// It is tested with an anomaly.
    Anomaly,
    /// What is normal has changed.
    Drifted,
}

/// What goes on at a moment: after each step of the application.
#[derive(Debug)]
pub struct Moment<'a> {
    /// Since switch-on.
    pub time: Duration,
    /// How much of the scenario has passed, 0 to 1; of the part after the drift nobody knows how long it will be.
    pub progress: f64,
    /// What the sensor feels.
    pub motion: [f32; 6],
    /// What that is.
    pub part: Part,
    /// What the application told of in this step.
    pub events: &'a [Event],
    /// The threshold.
    pub threshold: f32,
    /// What the application shows.
    pub face: Face,
    /// The LEDs that are lit.
    pub leds: [[bool; 5]; 5],
    /// What the application was given by its sensor; `None` if it could not be read.
    pub given: Option<scene::Moment>,
}

/// A window that the application has seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// When it was complete, in seconds since switch-on.
    pub seconds: f64,
    /// What most of its rows are.
    pub part: Part,
    /// Its error.
    pub error: f32,
    /// The threshold then; infinite while there is none.
    pub threshold: f32,
    /// Whether there was an alarm.
    pub alarm: bool,
    /// Whether the application was learning.
    pub learning: bool,
    /// The mean standard deviation of its channels: what a plain threshold would look at.
    pub deviation: f32,
}

/// How a scenario went.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// All windows in order.
    pub windows: Vec<Window>,
    /// When the drift began, when it was noticed, and when the application watched again, in seconds.
    pub drift: Drift,
    /// Alarms in the test.
    pub alarms: u32,
    /// Bytes of RAM that the application has.
    pub ram_bytes: usize,
    /// Bytes of a checkpoint in flash.
    pub checkpoint_bytes: u32,
    /// CRC-32 of all parameters at the end.
    pub parameters_crc32: u32,
    /// Simulated time.
    pub time: Duration,
    /// What went wrong, in words.
    pub faults: Vec<String>,
}

/// When what is normal changed, in seconds since switch-on.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Drift {
    /// When it changed.
    pub begun: Option<f64>,
    /// When the application noticed.
    pub noticed: Option<f64>,
    /// When it had learned anew.
    pub learned: Option<f64>,
    /// When it told of a drift although there was none.
    pub false_alarm: Option<f64>,
}

impl Outcome {
    /// The windows of the test, not those of the drift.
    fn tested(&self) -> impl Iterator<Item = &Window> {
        self.windows.iter().filter(|window| matches!(window.part, Part::Normal | Part::Anomaly) && !window.learning)
    }

    /// The number of windows in the test: normal ones and anomalies.
    #[must_use]
    pub fn tested_windows(&self) -> [usize; 2] {
        let anomalies = self.tested().filter(|window| window.part == Part::Anomaly).count();
        [self.tested().count() - anomalies, anomalies]
    }

    /// The area under the ROC curve of the error: the probability that an anomaly has a larger error than a normal window. 0.5 is chance.
    #[must_use]
    pub fn auc(&self) -> f64 {
        self.area(|window| window.error)
    }

    /// The area under the ROC curve of the plainest detector: the standard deviation of the window, the more the worse.
    #[must_use]
    pub fn auc_of_deviation(&self) -> f64 {
        self.area(|window| window.deviation)
    }

    /// The area under the ROC curve of a better plain detector: how far the standard deviation of the window is from the mean of those
    /// that were learned from, above or below.
    #[must_use]
    pub fn auc_of_distance(&self) -> f64 {
        let mean = self.learned_deviation();
        self.area(|window| (window.deviation - mean).abs())
    }

    fn area(&self, score: impl Fn(&Window) -> f32) -> f64 {
        let [normal, anomalies] = self.scores(score);
        area_under_roc(&normal, &anomalies)
    }

    /// A score of the windows of the test: of normal ones, and of anomalies.
    fn scores(&self, score: impl Fn(&Window) -> f32) -> [Vec<f32>; 2] {
        [Part::Normal, Part::Anomaly]
            .map(|part| self.tested().filter(move |window| window.part == part).map(&score).collect())
    }

    /// The [ROC curves](roc) of the error, of the standard deviation, and of its distance from what was learned.
    #[must_use]
    pub fn rocs(&self) -> [Vec<(f64, f64)>; 3] {
        let mean = self.learned_deviation();
        let distance = move |window: &Window| (window.deviation - mean).abs();
        [self.scores(|window| window.error), self.scores(|window| window.deviation), self.scores(distance)]
            .map(|[normal, anomalies]| roc(&normal, &anomalies))
    }

    /// The mean standard deviation of the windows that were learned from.
    fn learned_deviation(&self) -> f32 {
        let learned = self.windows.iter().filter(|window| window.part == Part::Learning).map(|window| window.deviation);
        let (sum, count) = learned.fold((0.0, 0.0_f32), |(sum, count), deviation| (sum + deviation, count + 1.0));
        sum / count.max(1.0)
    }

    /// The share of windows with an alarm: of normal ones, and of anomalies.
    #[must_use]
    pub fn alarm_shares(&self) -> [f64; 2] {
        [Part::Normal, Part::Anomaly].map(|part| {
            let windows = || self.tested().filter(|window| window.part == part);
            windows().filter(|window| window.alarm).count() as f64 / windows().count().max(1) as f64
        })
    }

    /// The share of windows above the threshold after the drift: before it was noticed, and after it was learned.
    #[must_use]
    pub fn drift_shares(&self) -> [f64; 2] {
        let end = self.drift.learned.unwrap_or(f64::INFINITY);
        [false, true].map(|after| {
            let is_in =
                |window: &&Window| window.part == Part::Drifted && !window.learning && (window.seconds > end) == after;
            let windows = || self.windows.iter().filter(is_in);
            windows().filter(|window| window.error > window.threshold).count() as f64 / windows().count().max(1) as f64
        })
    }
}

/// The area under the receiver operating characteristic: the share of pairs in which the positive has the larger score; a tie counts half
/// (Mann and Whitney 1947). 0.5 where there are no pairs.
#[must_use]
pub fn area_under_roc(negatives: &[f32], positives: &[f32]) -> f64 {
    let pairs = negatives.len() as f64 * positives.len() as f64;
    if pairs == 0.0 {
        return 0.5;
    }
    let mut sorted = negatives.to_vec();
    sorted.sort_by(f32::total_cmp);
    let won = |positive: &f32| {
        let below = sorted.partition_point(|negative| negative < positive);
        let not_above = sorted.partition_point(|negative| negative <= positive);
        (below + not_above) as f64 / 2.0
    };
    positives.iter().map(won).sum::<f64>() / pairs
}

/// The receiver operating characteristic: for each threshold, from the highest to the lowest, the share of negatives above it and the share of
/// positives above it, both in percent. Empty where there are no pairs.
#[must_use]
pub fn roc(negatives: &[f32], positives: &[f32]) -> Vec<(f64, f64)> {
    if negatives.is_empty() || positives.is_empty() {
        return Vec::new();
    }
    let mut all: Vec<_> =
        negatives.iter().map(|score| (*score, 0)).chain(positives.iter().map(|score| (*score, 1))).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut counts, mut points) = ([0_u32; 2], vec![(0.0, 0.0)]);
    for tied in all.chunk_by(|a, b| a.0 == b.0) {
        tied.iter().for_each(|(_, class)| counts[*class] += 1);
        let share = |class: usize, of: usize| 100.0 * f64::from(counts[class]) / of as f64;
        points.push((share(0, negatives.len()), share(1, positives.len())));
    }
    points
}

/// Runs the application on a board with this sensor through a scenario, telling `watch` what happens.
pub fn run(
    scenario: &Scenario,
    sensor: BoardSensor,
    settings: Settings,
    watch: &mut dyn FnMut(&Moment<'_>),
) -> Outcome {
    match sensor {
        BoardSensor::Mpu6050 => play::<_, 6, Window6>(Board::mpu6050(scenario.rate), scenario, settings, watch),
        BoardSensor::Lsm303agr => play::<_, 3, Window3>(Board::lsm303agr(scenario.rate), scenario, settings, watch),
    }
}

fn play<S: Sensor<C>, const C: usize, Q: Storage<Input<C>>>(
    board: Board<S>,
    scenario: &Scenario,
    settings: Settings,
    watch: &mut dyn FnMut(&Moment<'_>),
) -> Outcome {
    let script = script(scenario, settings);
    board.motion.extend(script.iter().map(|(motion, _)| *motion));
    let mut ram = Box::new(Ram::<C, Q>::new());
    let mut anomaly = Anomaly::new(&mut ram, settings);
    let (mut parts, last_row) = noted(board.parts);
    let mut store = board.store;
    anomaly.start(&mut store, &mut |_| {});
    let mut outcome = Outcome {
        windows: Vec::new(),
        drift: Drift::default(),
        alarms: 0,
        ram_bytes: size_of::<Ram<C, Q>>() + size_of::<Anomaly<'_, C, Q>>(),
        checkpoint_bytes: 0,
        parameters_crc32: 0,
        time: Duration::ZERO,
        faults: Vec::new(),
    };
    let (begin, mut events) = (board.clock.nanoseconds(), Vec::new());
    let period = u64::from(settings.period) * 1000;
    // The rows that the sensor gives: the last ones, for the plain detectors.
    let mut last = None;
    loop {
        let index = ((board.clock.nanoseconds() - begin) / period) as usize;
        let Some(&(motion, part)) = script.get(index) else { break };
        let seconds = board.clock.now().as_secs_f64();
        if part == Part::Drifted && outcome.drift.begun.is_none() {
            outcome.drift.begun = Some(seconds);
        }
        events.clear();
        let learning = anomaly.is_learning();
        anomaly.step(&mut parts, &mut store, &mut |event| events.push(event));
        for event in &events {
            if let Event::Learned { error } | Event::Watched { error, .. } = *event {
                let rows = &script[(index + 1).saturating_sub(ROWS)..=index];
                let anomalies = rows.iter().filter(|(_, part)| *part == Part::Anomaly).count();
                let part = match part {
                    Part::Normal | Part::Anomaly if 2 * anomalies >= rows.len() => Part::Anomaly,
                    Part::Normal | Part::Anomaly => Part::Normal,
                    part => part,
                };
                outcome.windows.push(Window {
                    seconds,
                    part,
                    error,
                    threshold: anomaly.threshold(),
                    alarm: anomaly.is_alarm(),
                    learning,
                    deviation: deviation(rows.iter().map(|(row, _)| row), C),
                });
            }
            outcome.note(event, part, seconds);
        }
        watch(&Moment {
            time: board.clock.now(),
            progress: (index + 1) as f64 / script.len() as f64,
            motion,
            part,
            events: &events,
            threshold: anomaly.threshold(),
            face: *anomaly.face(),
            leds: board.leds.seen(),
            given: last_row.get().map(|row| scene::Moment { row, button_a: false, button_b: false }),
        });
        // After the drift: what was learned anew is watched as long as it took to notice.
        if let Some(learned) = outcome.drift.learned {
            let end = *last.get_or_insert(learned + scenario.drifted.len() as f64 / f64::from(scenario.rate));
            if seconds > end {
                break;
            }
        }
    }
    outcome.parameters_crc32 = parameters_crc32(anomaly.learner().params());
    outcome.time = board.clock.now();
    outcome
}

impl Outcome {
    fn note(&mut self, event: &Event, part: Part, seconds: f64) {
        match event {
            Event::AlarmBegins if part != Part::Drifted => self.alarms += 1,
            Event::Drift if part == Part::Drifted => {
                self.drift.noticed.get_or_insert(seconds);
            }
            Event::Drift => {
                self.drift.false_alarm.get_or_insert(seconds);
            }
            Event::LearningEnds { .. } if self.drift.noticed.is_some() => {
                self.drift.learned.get_or_insert(seconds);
            }
            Event::Saved { bytes } => self.checkpoint_bytes = *bytes,
            Event::Fault(fault) => self.faults.push(fault.to_string()),
            Event::NotSaved(error) => self.faults.push(error.to_string()),
            Event::WindowRefused(error) => self.faults.push(error.to_string()),
            Event::UpdateRefused(error) => self.faults.push(error.to_string()),
            _ => {}
        }
    }
}

/// The mean of the standard deviations of the first channels.
fn deviation<'r>(rows: impl Iterator<Item = &'r [f32; 6]> + Clone, channels: usize) -> f32 {
    let count = rows.clone().count().max(1) as f32;
    let of_channel = |channel: usize| {
        let values = rows.clone().map(move |row| row[channel]);
        let mean = values.clone().sum::<f32>() / count;
        (values.map(|value| (value - mean).powi(2)).sum::<f32>() / count).sqrt()
    };
    (0..channels).map(of_channel).sum::<f32>() / channels as f32
}

/// Rows over and over.
fn endless(rows: &[[f32; 6]], part: Part) -> impl Iterator<Item = ([f32; 6], Part)> {
    rows.iter().copied().cycle().map(move |row| (row, part))
}

/// The scenario, row by row.
fn script(scenario: &Scenario, settings: Settings) -> Vec<([f32; 6], Part)> {
    // The last window, one that the sensor's start has delayed, and the first, which has more rows.
    let learning = settings.learning_windows as usize * HOP + ROWS + HOP;
    let mut script: Vec<_> = endless(&scenario.normal, Part::Learning).take(learning).collect();
    for (rows, is_anomaly) in &scenario.test {
        let part = if *is_anomaly { Part::Anomaly } else { Part::Normal };
        script.extend(rows.iter().map(|row| (*row, part)));
    }
    // Time to notice, however late, to learn, and to watch.
    let notice = 4 * settings.drift_windows as usize * HOP;
    script.extend(endless(&scenario.drifted, Part::Drifted).take(if scenario.drifted.is_empty() {
        0
    } else {
        notice + learning + 2 * scenario.drifted.len()
    }));
    script
}

/// The scene of a scenario: what an emulated board is told before it [plays](crate::board::scene::play) the moments of a run.
#[must_use]
pub const fn scene(sensor: BoardSensor, settings: Settings) -> Scene {
    Scene::Anomaly { channels: sensor.channels(), settings }
}

/// The people in [`shoulder_exercises`](recordings::shoulder_exercises).
pub const PEOPLE: usize = 10;
/// What is normal there: the upright row, an even stroke up and down.
pub const NORMAL: usize = 6;

/// A person of [`shoulder_exercises`](recordings::shoulder_exercises), 1 to 10, does upright rows. The first half of the recording is learned from; the
/// other half is normal in the test, and comes before 8 seconds of each of the other six exercises. At last another person goes on with
/// upright rows: what is normal has changed.
///
/// # Panics
/// If there is no such person.
#[must_use]
pub fn shoulder_exercises(person: usize) -> Scenario {
    assert!((1..=PEOPLE).contains(&person), "person {person} of {PEOPLE}");
    let recordings = recordings::shoulder_exercises();
    let rows = |person: usize, exercise: usize| {
        let recording = recordings.iter().find(|recording| (recording.group, recording.class) == (person, exercise));
        recording.map(|recording| recording.rows.clone()).unwrap_or_default()
    };
    let mut normal = rows(person, NORMAL);
    let held_out = normal.split_off(normal.len() / 2);
    let anomaly = |exercise| {
        let all = rows(person, exercise);
        // From the middle of the recording, where the exercise is in full swing.
        let length = (8 * SHOULDER_EXERCISES_RATE as usize).min(all.len());
        let begin = (all.len() - length) / 2;
        all[begin..begin + length].to_vec()
    };
    let others = (0..recordings::SHOULDER_EXERCISES.len()).filter(|exercise| *exercise != NORMAL);
    let test = others.flat_map(|exercise| [(held_out.clone(), false), (anomaly(exercise), true)]).collect();
    Scenario { rate: SHOULDER_EXERCISES_RATE, normal, test, drifted: rows(person % PEOPLE + 1, NORMAL) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_counts_pairs() {
        assert_eq!(area_under_roc(&[1.0, 2.0], &[3.0, 4.0]), 1.0);
        assert_eq!(area_under_roc(&[3.0], &[1.0]), 0.0);
        assert_eq!(area_under_roc(&[1.0, 2.0, 3.0], &[2.0]), 0.5);
        assert_eq!(area_under_roc(&[1.0], &[]), 0.5);
        // scikit-learn: roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) is 0.75.
        assert_eq!(area_under_roc(&[0.1, 0.4], &[0.35, 0.8]), 0.75);
    }

    #[test]
    fn the_curve_has_its_area() {
        // scikit-learn: roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], drop_intermediate=False).
        let points = roc(&[0.1, 0.4], &[0.35, 0.8]);
        assert_eq!(points, [(0.0, 0.0), (0.0, 50.0), (50.0, 50.0), (50.0, 100.0), (100.0, 100.0)]);
        let (normal, anomalies) = ([1.0, 2.0, 2.0, 5.0], [2.0, 3.0, 7.0]);
        let area: f64 = roc(&normal, &anomalies)
            .windows(2)
            .map(|pair| (pair[1].0 - pair[0].0) * (pair[1].1 + pair[0].1) / 2e4)
            .sum();
        assert!((area - area_under_roc(&normal, &anomalies)).abs() < 1e-12);
        assert!(roc(&[], &[1.0]).is_empty());
    }
}

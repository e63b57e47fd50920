//! The gesture application in a simulated world: a person teaches it, class after class, and then moves.

use std::time::Duration;

use backpass::stream::Storage;
use backpass_app::device::{Face, Sensor};
use backpass_app::gesture::{Event, Gesture, HOP, Input, ROWS, Ram, Settings, Window3, Window6};
use backpass_app::parameters_crc32;
use backpass_app::scene::{self, Scene};

use crate::world::board::{Board, BoardSensor};
use crate::world::given::noted;
use crate::world::recordings::Recording;

/// What is taught and tested, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The names of the classes; at most 10.
    pub classes: Vec<String>,
    /// Rows a second.
    pub rate: u32,
    /// To be learned, once each, in this order.
    pub lessons: Vec<Recording>,
    /// To be recognised.
    pub tests: Vec<Recording>,
}

/// What goes on at a moment: after each step of the application.
#[derive(Debug)]
pub struct Moment<'a> {
    /// Since switch-on.
    pub time: Duration,
    /// How much of the scenario has passed, 0 to 1.
    pub progress: f64,
    /// What the sensor feels.
    pub motion: [f32; 6],
    /// What the person does: the class, and whether it is being taught.
    pub truth: Option<(usize, bool)>,
    /// What the application told of in this step.
    pub events: &'a [Event],
    /// What the application shows.
    pub face: Face,
    /// The LEDs that are lit.
    pub leds: [[bool; 5]; 5],
    /// What the application was given by sensor and buttons; `None` if the sensor could not be read.
    pub given: Option<scene::Moment>,
}

/// How well windows were recognised.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Windows of class (row) taken for class (column).
    pub confusion: Vec<Vec<u32>>,
    /// Recordings of class (row) taken for class (column) by most of their windows.
    pub recordings: Vec<Vec<u32>>,
}

impl Score {
    fn new(classes: usize) -> Self {
        Self { confusion: vec![vec![0; classes]; classes], recordings: vec![vec![0; classes]; classes] }
    }

    /// The share of windows taken for what they are, 0 to 1.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        share(&self.confusion, self.confusion.len())
    }

    /// The share of recordings taken for what they are by most of their windows, 0 to 1.
    #[must_use]
    pub fn recording_accuracy(&self) -> f64 {
        share(&self.recordings, self.recordings.len())
    }

    /// The accuracy on the windows of the first classes.
    #[must_use]
    pub fn accuracy_of_first(&self, classes: usize) -> f64 {
        share(&self.confusion, classes)
    }

    /// The number of windows.
    #[must_use]
    pub fn windows(&self) -> u32 {
        self.confusion.iter().flatten().sum()
    }
}

/// The share of the diagonal in the first rows.
fn share(counts: &[Vec<u32>], rows: usize) -> f64 {
    let rows = || counts.iter().take(rows);
    let right: u32 = rows().enumerate().filter_map(|(class, row)| row.get(class)).sum();
    f64::from(right) / f64::from(rows().flatten().sum::<u32>().max(1))
}

/// How a scenario went.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// After each class was taught: the test of the classes taught so far. The last is the result.
    pub scores: Vec<Score>,
    /// For each window that was learned from: whether it was recognised before it was learned from (test, then train), and the loss.
    pub learned: Vec<(bool, f32)>,
    /// The moments at which lessons began, in windows learned so far, and their class.
    pub lessons: Vec<(usize, usize)>,
    /// Bytes of RAM that the application has.
    pub ram_bytes: usize,
    /// Bytes of a checkpoint in flash.
    pub checkpoint_bytes: u32,
    /// Checkpoints saved.
    pub saves: u32,
    /// CRC-32 of all parameters at the end.
    pub parameters_crc32: u32,
    /// Simulated time.
    pub time: Duration,
    /// What went wrong, in words.
    pub faults: Vec<String>,
}

impl Outcome {
    /// The test of all classes, at the end.
    ///
    /// # Panics
    /// Never: a scenario has at least one class.
    #[must_use]
    pub fn result(&self) -> &Score {
        self.scores.last().expect("a scenario ends with a test")
    }

    /// What was forgotten of all classes but the last: the mean, over these classes, of the best accuracy on their windows in any test but the
    /// last, minus that in the last, in percentage points. Chaudhry et al., "Riemannian walk for incremental learning" (ECCV 2018).
    #[must_use]
    pub fn average_forgetting_points(&self) -> f64 {
        let [earlier @ .., last] = &self.scores[..] else { return 0.0 };
        let old = last.confusion.len() - 1;
        let recall = |score: &Score, class: usize| {
            let row = &score.confusion[class];
            f64::from(row[class]) / f64::from(row.iter().sum::<u32>().max(1))
        };
        let forgotten = |class| {
            earlier.iter().map(|score| recall(score, class)).fold(f64::NEG_INFINITY, f64::max) - recall(last, class)
        };
        100.0 * (0..old).map(forgotten).sum::<f64>() / old.max(1) as f64
    }

    /// What learning the last class has cost the others: their accuracy before, minus that after, in percentage points.
    #[must_use]
    pub fn forgetting_points(&self) -> f64 {
        let [.., before, after] = &self.scores[..] else { return 0.0 };
        let old = self.result().confusion.len() - 1;
        100.0 * (before.accuracy_of_first(old) - after.accuracy_of_first(old))
    }
}

/// Runs the application on a board with this sensor through a scenario, telling `watch` what happens.
///
/// # Panics
/// If the scenario has no classes, more than 10, or a class without a lesson: it is checked before.
pub fn run(
    scenario: &Scenario,
    sensor: BoardSensor,
    settings: Settings,
    watch: &mut dyn FnMut(&Moment<'_>),
) -> Outcome {
    let rate = scenario.rate;
    match (sensor, boards_classes(scenario.classes.len())) {
        (BoardSensor::Mpu6050, 4) => play::<_, 6, 4, Window6>(Board::mpu6050(rate), scenario, settings, watch),
        (BoardSensor::Mpu6050, _) => play::<_, 6, 10, Window6>(Board::mpu6050(rate), scenario, settings, watch),
        (BoardSensor::Lsm303agr, 4) => play::<_, 3, 4, Window3>(Board::lsm303agr(rate), scenario, settings, watch),
        (BoardSensor::Lsm303agr, _) => play::<_, 3, 10, Window3>(Board::lsm303agr(rate), scenario, settings, watch),
    }
}

/// [`run`], for `C` channels and `K` classes.
fn play<S: Sensor<C>, const C: usize, const K: usize, Q: Storage<Input<C>>>(
    board: Board<S>,
    scenario: &Scenario,
    settings: Settings,
    watch: &mut dyn FnMut(&Moment<'_>),
) -> Outcome {
    let script = Script::new(scenario);
    board.motion.extend(script.rows.iter().map(|row| row.motion));
    let classes = scenario.classes.len();
    let mut outcome = Outcome {
        scores: Vec::new(),
        learned: Vec::new(),
        lessons: Vec::new(),
        ram_bytes: size_of::<Ram<C, K, Q>>() + size_of::<Gesture<'_, C, K, Q>>(),
        checkpoint_bytes: 0,
        saves: 0,
        parameters_crc32: 0,
        time: Duration::ZERO,
        faults: Vec::new(),
    };
    let mut ram = Box::new(Ram::<C, K, Q>::new());
    let mut gesture = Gesture::new(&mut ram, settings);
    let (mut parts, last) = noted(board.parts);
    let mut store = board.store;
    gesture.start(&mut store, &mut |_| {});
    let mut score = Score::new(classes);
    let mut votes = vec![0_u32; classes];
    // The script begins when the sensor is ready.
    let (begin, mut events) = (board.clock.nanoseconds(), Vec::new());
    let period = u64::from(settings.period) * 1000;
    loop {
        let index = ((board.clock.nanoseconds() - begin) / period) as usize;
        let Some(row) = script.rows.get(index) else { break };
        let (button_a, button_b) = (matches!(row.doing, Doing::Teaching { .. }), row.doing == Doing::NextClass);
        board.button_a.set(button_a);
        board.button_b.set(button_b);
        events.clear();
        gesture.step(&mut parts, &mut store, &mut |event| events.push(event));
        for event in &events {
            outcome.note(event);
            if let (Event::Predicted { class, .. }, Doing::Testing { class: truth, begin }) = (event, row.doing)
                && index + 1 >= begin + ROWS
            {
                let class = usize::from(*class).min(classes - 1);
                score.confusion[truth][class] += 1;
                votes[class] += 1;
            }
        }
        match row.ends {
            Ends::Nothing => {}
            Ends::Recording => {
                if let Doing::Testing { class, .. } = row.doing {
                    vote(&mut votes, &mut score.recordings[class]);
                }
            }
            Ends::Test => {
                if let Doing::Testing { class, .. } = row.doing {
                    vote(&mut votes, &mut score.recordings[class]);
                }
                outcome.scores.push(std::mem::replace(&mut score, Score::new(classes)));
            }
        }
        watch(&Moment {
            time: board.clock.now(),
            progress: (index + 1) as f64 / script.rows.len() as f64,
            motion: row.motion,
            truth: match row.doing {
                Doing::Teaching { class } => Some((class, true)),
                Doing::Testing { class, .. } => Some((class, false)),
                Doing::Nothing | Doing::NextClass => None,
            },
            events: &events,
            face: *gesture.face(),
            leds: board.leds.seen(),
            given: last.get().map(|row| scene::Moment { row, button_a, button_b }),
        });
    }
    outcome.parameters_crc32 = parameters_crc32(gesture.learner().params());
    outcome.time = board.clock.now();
    outcome
}

/// Counts a recording by what most of its windows were taken for.
fn vote(votes: &mut [u32], row: &mut [u32]) {
    let most = votes.iter().copied().max().unwrap_or(0);
    if most > 0 {
        let class = votes.iter().position(|votes| *votes == most).unwrap_or(0);
        row[class] += 1;
    }
    votes.fill(0);
}

impl Outcome {
    fn note(&mut self, event: &Event) {
        match event {
            Event::LessonBegins { class } => self.lessons.push((self.learned.len(), usize::from(*class))),
            Event::Learned { class, predicted, loss } => self.learned.push((class == predicted, *loss)),
            Event::Saved { bytes } => {
                self.checkpoint_bytes = *bytes;
                self.saves += 1;
            }
            Event::Fault(fault) => self.faults.push(fault.to_string()),
            Event::NotSaved(error) => self.faults.push(error.to_string()),
            Event::WindowRefused(error) => self.faults.push(error.to_string()),
            Event::UpdateRefused(error) => self.faults.push(error.to_string()),
            _ => {}
        }
    }
}

/// The scene of this scenario: what an emulated board is told before it [plays](crate::board::scene::play) the moments of a run.
#[must_use]
pub const fn scene(scenario: &Scenario, sensor: BoardSensor, settings: Settings) -> Scene {
    Scene::Gesture { channels: sensor.channels(), classes: boards_classes(scenario.classes.len()) as u8, settings }
}

/// What the person does in a row's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Nothing,
    /// Presses button B.
    NextClass,
    /// Holds button A.
    Teaching {
        class: usize,
    },
    Testing {
        class: usize,
        /// The first row of the recording.
        begin: usize,
    },
}

/// What ends with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Nothing,
    Recording,
    Test,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    motion: [f32; 6],
    doing: Doing,
    ends: Ends,
}

/// A scenario, row by row.
#[derive(Debug)]
struct Script {
    rows: Vec<Row>,
}

impl Script {
    fn new(scenario: &Scenario) -> Self {
        let mut script = Self { rows: Vec::new() };
        let first = scenario.lessons.first().map_or([0.0; 6], |recording| recording.rows[0]);
        script.pause(first);
        let (mut chosen, mut taught) = (0, vec![false; scenario.classes.len()]);
        for run in scenario.lessons.chunk_by(|a, b| a.class == b.class) {
            let class = run[0].class;
            let rest = run[0].rows[0];
            while chosen != class {
                script.rows.push(Row { motion: rest, doing: Doing::NextClass, ends: Ends::Nothing });
                script.pause(rest);
                chosen = (chosen + 1) % boards_classes(scenario.classes.len());
            }
            // Who holds a button for as long as one that is stuck lets go in between.
            let limit = 9 * (Settings::at_rate(scenario.rate).longest_press * scenario.rate) as usize / 10;
            let mut held = 0;
            for recording in run {
                for rows in recording.rows.chunks(limit.max(ROWS)) {
                    if held + rows.len() > limit && held > 0 {
                        script.pause(rest);
                        held = 0;
                    }
                    held += rows.len();
                    script.record(rows, Doing::Teaching { class }, Ends::Recording);
                }
            }
            script.pause(rest);
            taught[class] = true;
            script.test(scenario.tests.iter().filter(|recording| taught[recording.class]));
        }
        script
    }

    fn pause(&mut self, motion: [f32; 6]) {
        self.rows.extend([Row { motion, doing: Doing::Nothing, ends: Ends::Nothing }; 2]);
    }

    fn record(&mut self, rows: &[[f32; 6]], doing: Doing, ends: Ends) {
        self.rows.extend(rows.iter().map(|motion| Row { motion: *motion, doing, ends: Ends::Nothing }));
        if let Some(last) = self.rows.last_mut() {
            last.ends = ends;
        }
    }

    fn test<'r>(&mut self, recordings: impl Iterator<Item = &'r Recording>) {
        for recording in recordings {
            let doing = Doing::Testing { class: recording.class, begin: self.rows.len() };
            self.record(&recording.rows, doing, Ends::Recording);
        }
        if let Some(last) = self.rows.last_mut() {
            last.ends = Ends::Test;
        }
    }
}

/// How many classes a board has for this many of a scenario.
const fn boards_classes(classes: usize) -> usize {
    if classes <= 4 { 4 } else { 10 }
}

/// Windows that a recording of this many rows has.
#[must_use]
pub const fn windows(rows: usize) -> usize {
    if rows < ROWS { 0 } else { (rows - ROWS) / HOP + 1 }
}

/// The scenario of [`basic_motions`](crate::world::recordings::basic_motions): the training half is taught once, in the order of the
/// archive, and the test half is recognised.
#[must_use]
pub fn basic_motions() -> Scenario {
    use crate::world::recordings::{BASIC_MOTIONS, BASIC_MOTIONS_RATE};
    let (lessons, tests) =
        crate::world::recordings::basic_motions().into_iter().partition(|recording| recording.group == 0);
    Scenario { classes: BASIC_MOTIONS.map(str::to_owned).to_vec(), rate: BASIC_MOTIONS_RATE, lessons, tests }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_is_not_held_as_long_as_one_that_is_stuck() {
        let rate = 25;
        let limit = (Settings::at_rate(rate).longest_press * rate) as usize;
        let recording = |class, length| Recording { class, group: 0, rows: vec![[0.0; 6]; length] };
        let scenario = Scenario {
            classes: vec!["long".to_owned(), "short".to_owned()],
            rate,
            lessons: vec![
                recording(0, 3 * limit),
                recording(0, limit / 2),
                recording(0, limit / 2),
                recording(1, ROWS),
            ],
            tests: vec![recording(0, ROWS), recording(1, ROWS)],
        };
        let is_held = |row: &Row| matches!(row.doing, Doing::Teaching { .. });
        let rows = Script::new(&scenario).rows;
        let held = rows.chunk_by(|a, b| is_held(a) == is_held(b)).filter(|run| is_held(&run[0]));
        assert!(held.clone().all(|run| run.len() < limit));
        assert_eq!(held.map(<[_]>::len).sum::<usize>(), 4 * limit + ROWS, "nothing is left out");
    }
}

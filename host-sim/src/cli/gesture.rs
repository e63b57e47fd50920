//! `gesture`: a simulated board is taught gestures.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use backpass_app::gesture::{Event, Settings};
use backpass_app::scene;
use backpass_sim::report::{LiveReport, StreamChart, StreamCurve};
use backpass_sim::world::gesture::{self, Moment, Outcome, Scenario};
use backpass_sim::world::{BoardSensor, CsvRecording};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::beside::{Beside, Run};
use super::live::{View, Watched};
use super::screen::{Screen, thousands};

/// The sensor of the simulated board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SensorOption {
    /// Accelerometer and gyroscope: six channels.
    Mpu6050,
    /// The accelerometer of the BBC micro:bit v2: three channels.
    Lsm303agr,
}

impl SensorOption {
    pub(crate) const fn board(self) -> BoardSensor {
        match self {
            Self::Mpu6050 => BoardSensor::Mpu6050,
            Self::Lsm303agr => BoardSensor::Lsm303agr,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mpu6050 => "MPU-6050 on I2C: accelerometer and gyroscope",
            Self::Lsm303agr => "LSM303AGR on I2C: accelerometer",
        }
    }
}

/// Options of `gesture`.
#[derive(Debug, Args)]
#[command(after_help = "\
The board runs the application of `backpass-app` that is flashed, through the published driver of its sensor. A simulated person holds
button A while a movement is taught, presses button B for the next class, and lets go to have it recognised. Every recording of the
training half is seen once, in the order of the archive: one class after another. With --machine the flashed image in QEMU then gets the same
measurements and buttons, and must do the same, bit for bit: the exit code is 0 if so, 1 if not, and 2 if it could not be run.

A CSV file has a header that names its columns, in any order, between commas, semicolons or tabs:
  ax,ay,az        acceleration along x, y and z, in m/s2
  gx,gy,gz        rotation about x, y and z, in rad/s (may be left out)
  label           the class: any word; 2 to 10 of them
  part            train or test (may be left out: then the first half of each class is taught)
A class needs 32 rows one after another in either part, better some hundreds.

BACKPASS_FIRMWARE_TOOLCHAIN names a Rust toolchain with the thumb targets, if the default one has none.

Examples:
  backpass-sim gesture
  backpass-sim gesture --no-replay --json
  backpass-sim gesture --machine mps2-an386
  backpass-sim gesture --data mine.csv --rate 25 --sensor lsm303agr")]
pub(crate) struct Gesture {
    /// Recording of your own instead of BasicMotions; see below for its columns
    #[arg(long, value_name = "FILE.csv", requires = "rate")]
    data: Option<PathBuf>,
    /// Rows a second of your recording
    #[arg(long, value_name = "HZ", requires = "data", value_parser = clap::value_parser!(u32).range(1..=100))]
    rate: Option<u32>,
    /// Sensor of the board [default: mpu6050; of a recording without gyroscope lsm303agr]
    #[arg(long, value_enum)]
    sensor: Option<SensorOption>,
    /// Learn without replay: what was learned first is forgotten
    #[arg(long)]
    no_replay: bool,
    /// Seed of the weights and of what is remembered
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    beside: Beside,
    #[command(flatten)]
    output: super::live::Output,
}

impl Gesture {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let (scenario, source, has_gyroscope) = match (&self.data, self.rate) {
            (Some(path), Some(rate)) => {
                let recording = CsvRecording::read(path)?;
                if recording.beyond_range() > 0 {
                    eprintln!(
                        "warning: {} rows are beyond the 4 g that the sensor measures: it saturates",
                        recording.beyond_range()
                    );
                }
                (recording.gestures(rate)?, path.display().to_string(), recording.has_gyroscope())
            }
            _ => (gesture::basic_motions(), "BasicMotions (smart watch, 4 activities)".to_owned(), true),
        };
        let sensor = self.sensor.unwrap_or(if has_gyroscope { SensorOption::Mpu6050 } else { SensorOption::Lsm303agr });
        let mut settings = Settings { seed: self.seed, ..Settings::at_rate(scenario.rate) };
        if self.no_replay {
            settings.replayed = 0;
        }
        self.beside.check()?;
        self.output.prepare()?;
        let words = self.words(&scenario, source, sensor, settings);
        let mut screen = Screen::new(self.output.quiet);
        for (name, value) in &words {
            screen.line(format!("{name:<14} {value}"));
        }
        screen.line("");
        let mut moments = Vec::new();
        let outcome = self.play(&scenario, sensor, settings, &mut screen, &mut moments)?;
        // What replay is worth: the same without.
        let without_replay = (!self.no_replay).then(|| {
            screen.start(1000, "the same without replay");
            let settings = Settings { replayed: 0, ..settings };
            let outcome = gesture::run(&scenario, sensor.board(), settings, &mut |moment| {
                screen.progress((1000.0 * moment.progress) as u64, String::new());
            });
            screen.finish();
            outcome
        });
        print(&scenario, &outcome, without_replay.as_ref(), &screen);
        let scene = gesture::scene(&scenario, sensor.board(), settings);
        let run = Run { scene, moments, parameters_crc32: outcome.parameters_crc32 };
        let identical = self.beside.compare(&run, &mut screen)?;
        if let Some(folder) = self.output.report() {
            let report = report(&scenario, &outcome, without_replay.as_ref(), words);
            for path in report.write(folder)? {
                screen.line(format!("wrote {}", path.display()));
            }
        }
        if self.output.json {
            screen.json(&json!({
                "accuracy": outcome.result().accuracy(),
                "recording_accuracy": outcome.result().recording_accuracy(),
                "forgetting_points": outcome.forgetting_points(),
                "average_forgetting_points": outcome.average_forgetting_points(),
                "forgetting_points_without_replay": without_replay.as_ref().unwrap_or(&outcome).forgetting_points(),
                "windows": outcome.result().windows(),
                "windows_learned": outcome.learned.len(),
                "replay": !self.no_replay,
                "machine": self.beside.name(),
                "identical": identical,
                "seed": self.seed,
                "ram_bytes": outcome.ram_bytes,
                "checkpoint_bytes": outcome.checkpoint_bytes,
                "parameters_crc32": format!("{:08x}", outcome.parameters_crc32),
                "faults": outcome.faults,
            }));
        }
        Ok(if identical == Some(false) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn words(
        &self,
        scenario: &Scenario,
        source: String,
        sensor: SensorOption,
        settings: Settings,
    ) -> Vec<(String, String)> {
        let replay = if self.no_replay {
            "none".to_owned()
        } else {
            format!("{} of {} windows with each new one", settings.replayed, backpass_app::gesture::REMEMBERED)
        };
        let (lessons, tests) = (scenario.lessons.len(), scenario.tests.len());
        [
            ("recording", source),
            ("classes", scenario.classes.join(", ")),
            ("recordings", format!("{lessons} taught once, in order; {tests} to be recognised")),
            ("sensor", format!("{}, {} rows a second", sensor.name(), scenario.rate)),
            ("replay", replay),
            ("board", self.beside.words()),
            ("seed", self.seed.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    fn play(
        &self,
        scenario: &Scenario,
        sensor: SensorOption,
        settings: Settings,
        screen: &mut Screen,
        moments: &mut Vec<Option<scene::Moment>>,
    ) -> Result<Outcome, Box<dyn Error>> {
        let mut view = View::open(&self.output, "gesture")?;
        if view.is_none() {
            screen.start(1000, "simulated time");
        }
        let (mut right, mut windows) = (0_u32, 0_u32);
        let outcome = gesture::run(scenario, sensor.board(), settings, &mut |moment| {
            moments.push(moment.given);
            for event in moment.events {
                if let (Event::Predicted { class, .. }, Some((truth, false))) = (event, moment.truth) {
                    right += u32::from(usize::from(*class) == truth);
                    windows += 1;
                }
                if let Some(line) = line(event, scenario) {
                    let line = format!("{:>7.1} s  {line}", moment.time.as_secs_f64());
                    match &mut view {
                        Some(view) => view.line(line),
                        None => screen.line(line),
                    }
                }
            }
            let accuracy = f64::from(right) / f64::from(windows.max(1));
            match &mut view {
                Some(view) => view.watch(&watched(moment, scenario, (windows > 0).then_some(accuracy))),
                None => {
                    screen.progress((1000.0 * moment.progress) as u64, format!("{:.0} s", moment.time.as_secs_f64()));
                }
            }
        });
        drop(view);
        screen.finish();
        Ok(outcome)
    }
}

fn name(scenario: &Scenario, class: u8) -> &str {
    scenario.classes.get(usize::from(class)).map_or("?", String::as_str)
}

/// An event in words, if it is one to be told of.
fn line(event: &Event, scenario: &Scenario) -> Option<String> {
    Some(match event {
        Event::Chosen { class } => format!("button B: class {}, {}", class + 1, name(scenario, *class)),
        Event::LessonBegins { class } => format!("button A held: this is {}", name(scenario, *class)),
        Event::LessonEnds { class, windows } => {
            format!("button A released: {} learned from {windows} windows", name(scenario, *class))
        }
        Event::Saved { bytes } => format!("checkpoint saved: {} bytes", thousands(*bytes as usize)),
        Event::NotSaved(error) => format!("not saved: {error}"),
        Event::Fault(fault) => format!("fault: {fault}"),
        Event::SensorBack { missed } => format!("the sensor answers again; {missed} rows were missed"),
        Event::WindowRefused(error) => format!("window refused: {error}"),
        Event::UpdateRefused(error) => error.to_string(),
        _ => return None,
    })
}

fn watched<'m>(moment: &'m Moment<'_>, scenario: &'m Scenario, accuracy: Option<f64>) -> Watched<'m> {
    let doing = match moment.truth {
        None => "the person rests".to_owned(),
        Some((class, true)) => format!("teaching {}", scenario.classes[class]),
        Some((class, false)) => format!("doing {}", scenario.classes[class]),
    };
    Watched {
        seconds: moment.time.as_secs_f64(),
        progress: moment.progress,
        motion: &moment.motion,
        doing,
        sign: match moment.face.sign {
            backpass_app::device::Sign::Class { class, confidence } => {
                format!("{} ({:.0} %)", name(scenario, class), 100.0 * confidence)
            }
            backpass_app::device::Sign::Learning { class } => format!("learning {}", name(scenario, class)),
            _ => String::new(),
        },
        leds: moment.leds,
        curve: ("accuracy so far, %", accuracy.map(|accuracy| 100.0 * accuracy)),
        limit: None,
    }
}

fn print(scenario: &Scenario, outcome: &Outcome, without_replay: Option<&Outcome>, screen: &Screen) {
    let result = outcome.result();
    screen.line("\nWindows of the test (row: what it is, column: what the board said)");
    let width = scenario.classes.iter().map(String::len).max().unwrap_or(0).max(5);
    let names: String = scenario.classes.iter().map(|name| format!("{name:>width$} ")).collect();
    screen.line(format!("{:>width$} {names}", ""));
    for (name, row) in scenario.classes.iter().zip(&result.confusion) {
        let counts: String = row.iter().map(|count| format!("{count:>width$} ")).collect();
        screen.line(format!("{name:>width$} {counts}"));
    }
    screen.line("\nafter learning     accuracy on the windows of the classes so far");
    for (name, score) in scenario.classes.iter().zip(&outcome.scores) {
        screen.line(format!("  {name:<16} {:.1} %", 100.0 * score.accuracy()));
    }
    screen.line(format!(
        "\naccuracy: {:.1} % of {} windows, {:.1} % of the recordings (by most of their windows)",
        100.0 * result.accuracy(),
        result.windows(),
        100.0 * result.recording_accuracy()
    ));
    screen.line(format!(
        "forgetting: learning the last class cost the others {:.1} points; on average a class has lost {:.1} points since it was known best",
        outcome.forgetting_points(),
        outcome.average_forgetting_points()
    ));
    if let Some(without) = without_replay {
        screen.line(format!(
            "without replay: it would have cost them {:.1} points, and {:.1} % of all windows would have been recognised",
            without.forgetting_points(),
            100.0 * without.result().accuracy()
        ));
    }
    screen.line(format!(
        "RAM of the application: {} bytes; checkpoint: {} bytes; parameters: CRC-32 {:08x}",
        thousands(outcome.ram_bytes),
        thousands(outcome.checkpoint_bytes as usize),
        outcome.parameters_crc32
    ));
}

fn report(
    scenario: &Scenario,
    outcome: &Outcome,
    without_replay: Option<&Outcome>,
    settings: Vec<(String, String)>,
) -> LiveReport {
    let result = outcome.result();
    let figure = |name: &str, value: String| (name.to_owned(), value);
    let count = |index: usize| (index + 1) as f64;
    // The accuracy of the last 20 windows, each tested before it was learned from.
    let rolling =
        outcome.learned.windows(20).enumerate().map(|(index, windows)| {
            (count(index + 19), 5.0 * windows.iter().filter(|(right, _)| *right).count() as f64)
        });
    let loss = outcome.learned.iter().enumerate().map(|(index, (_, loss))| (count(index), f64::from(*loss)));
    let points = |outcome: &Outcome, value: fn(&gesture::Score) -> f64| -> Vec<(f64, f64)> {
        outcome.scores.iter().enumerate().map(|(index, score)| (count(index), 100.0 * value(score))).collect()
    };
    let mut forgetting = vec![
        ("all so far", points(outcome, gesture::Score::accuracy)),
        ("the first", points(outcome, |score| score.accuracy_of_first(1))),
    ];
    if let Some(without) = without_replay {
        forgetting.push(("all, no replay", points(without, gesture::Score::accuracy)));
    }
    let chart = |title, quantity, along, curves: Vec<(&'static str, Vec<(f64, f64)>)>| StreamChart {
        title,
        quantity,
        along,
        curves: curves.into_iter().map(|(name, points)| StreamCurve { name, points }).collect(),
    };
    LiveReport {
        title: "Gestures, learned on the device".to_owned(),
        figures: [
            figure("Accuracy, windows", format!("{:.1} %", 100.0 * result.accuracy())),
            figure("Accuracy, recordings", format!("{:.1} %", 100.0 * result.recording_accuracy())),
            figure("Forgotten by learning the last class", format!("{:.1} points", outcome.forgetting_points())),
        ]
        .into_iter()
        .chain(
            without_replay
                .map(|without| figure("The same without replay", format!("{:.1} points", without.forgetting_points()))),
        )
        .chain([figure("RAM", format!("{} bytes", thousands(outcome.ram_bytes)))])
        .collect(),
        charts: vec![
            chart("Loss", "Loss of the first update", "Windows learned", vec![("loss", loss.collect())]),
            chart(
                "Test, then train",
                "Accuracy, last 20 windows (%)",
                "Windows learned",
                vec![("accuracy", rolling.collect())],
            ),
            chart("Forgetting", "Accuracy on test windows (%)", "Classes learned", forgetting),
        ],
        matrices: vec![
            (format!("Windows: {}", numbered(&scenario.classes)), result.confusion.clone()),
            (format!("Recordings: {}", numbered(&scenario.classes)), result.recordings.clone()),
        ],
        settings,
    }
}

/// `0 standing, 1 running`.
pub(crate) fn numbered(names: &[String]) -> String {
    names.iter().enumerate().map(|(number, name)| format!("{number} {name}")).collect::<Vec<_>>().join(", ")
}

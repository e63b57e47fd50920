//! `anomaly`: a simulated board learns what is normal.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use backpass_app::anomaly::{Event, Settings};
use backpass_app::device::Sign;
use backpass_app::scene;
use backpass_sim::report::{LiveReport, StreamChart, StreamCurve};
use backpass_sim::world::CsvRecording;
use backpass_sim::world::anomaly::{self, Moment, Outcome, Part, Scenario};
use clap::Args;
use serde_json::json;

use super::beside::{Beside, Run};
use super::gesture::SensorOption;
use super::live::{Output, View, Watched};
use super::screen::{Screen, thousands};

/// Options of `anomaly`.
#[derive(Debug, Args)]
#[command(after_help = "\
The board runs the application of `backpass-app` that is flashed, through the published driver of its sensor. It learns from the first half of
a recording of upright rows, done by one person with a smart watch. The test is the other half, and between its repetitions 8 seconds of each of six other
exercises. At last another person goes on: what is normal has changed; the board notices, learns anew, and watches on. With --machine the
flashed image in QEMU then gets the same measurements, and must do the same, bit for bit: the exit code is 0 if so, 1 if not, and 2 if
it could not be run.

The baselines are the area under the ROC curve of the window's standard deviation, as it is, and of its distance from what it was while
learning.

A CSV file has a header that names its columns, in any order, between commas, semicolons or tabs:
  ax,ay,az        acceleration along x, y and z, in m/s2
  gx,gy,gz        rotation about x, y and z, in rad/s (may be left out)
  label           0 or normal, 1 or anomaly
What is normal at the beginning, at most the first quarter, is learned from; the rest is the test. An anomaly that lasts is
learned as a new normal, unless there is --no-relearn.

BACKPASS_FIRMWARE_TOOLCHAIN names a Rust toolchain with the thumb targets, if the default one has none.

Examples:
  backpass-sim anomaly
  backpass-sim anomaly --person 3 --json
  backpass-sim anomaly --machine mps2-an386
  backpass-sim anomaly --data machine.csv --rate 50 --learn 60")]
pub(crate) struct Anomaly {
    /// Recording of your own instead of the built-in exercises; see below for its columns
    #[arg(long, value_name = "FILE.csv", requires = "rate", conflicts_with = "person")]
    data: Option<PathBuf>,
    /// Rows a second of your recording
    #[arg(long, value_name = "HZ", requires = "data", value_parser = clap::value_parser!(u32).range(1..=100))]
    rate: Option<u32>,
    /// Which of the ten people of the built-in recording
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=anomaly::PEOPLE as i64))]
    person: u32,
    /// Seconds of learning what is normal; a shorter recording is repeated
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(10..=86400))]
    learn: u32,
    /// Sensor of the board [default: lsm303agr; of a recording with gyroscope mpu6050]
    #[arg(long, value_enum)]
    sensor: Option<SensorOption>,
    /// Tell of a drift, but do not learn anew
    #[arg(long)]
    no_relearn: bool,
    /// Seed of the weights and of what is remembered
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    beside: Beside,
    #[command(flatten)]
    output: Output,
}

impl Anomaly {
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
                (recording.anomalies(rate)?, path.display().to_string(), recording.has_gyroscope())
            }
            _ => {
                let source = format!("shoulder exercises (smart watch), person {}: upright row is normal", self.person);
                (anomaly::shoulder_exercises(self.person as usize), source, false)
            }
        };
        let sensor = self.sensor.unwrap_or(if has_gyroscope { SensorOption::Mpu6050 } else { SensorOption::Lsm303agr });
        let settings = Settings {
            seed: self.seed,
            relearn_on_drift: !self.no_relearn,
            ..Settings::at_rate(scenario.rate, self.learn)
        };
        self.beside.check()?;
        self.output.prepare()?;
        let words: Vec<_> = [
            ("recording", source),
            ("sensor", format!("{}, {} rows a second", sensor.name(), scenario.rate)),
            ("learning", format!("{} seconds, {} windows", self.learn, settings.learning_windows)),
            ("seed", self.seed.to_string()),
            ("board", self.beside.words()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        let mut screen = Screen::new(self.output.quiet);
        for (name, value) in &words {
            screen.line(format!("{name:<14} {value}"));
        }
        screen.line("");
        let mut moments = Vec::new();
        let outcome = self.play(&scenario, sensor, settings, &mut screen, &mut moments)?;
        print(&outcome, &screen);
        let scene = anomaly::scene(sensor.board(), settings);
        let run = Run { scene, moments, parameters_crc32: outcome.parameters_crc32 };
        let identical = self.beside.compare(&run, &mut screen)?;
        if let Some(folder) = self.output.report() {
            for path in report(&outcome, words).write(folder)? {
                screen.line(format!("wrote {}", path.display()));
            }
        }
        if self.output.json {
            let [normal, anomalies] = outcome.tested_windows();
            let [false_alarms, right_alarms] = outcome.alarm_shares();
            let [before, after] = outcome.drift_shares();
            let since = |time: Option<f64>| Some(time? - outcome.drift.begun?);
            // An area needs both kinds of windows.
            let area = |area: f64| (normal > 0 && anomalies > 0).then_some(area);
            screen.json(&json!({
                "auc": area(outcome.auc()),
                "auc_baseline": area(outcome.auc_of_deviation()),
                "auc_baseline_distance": area(outcome.auc_of_distance()),
                "windows": normal + anomalies,
                "windows_normal": normal,
                "windows_anomaly": anomalies,
                "alarms": outcome.alarms,
                "alarm_share_normal": false_alarms,
                "alarm_share_anomaly": right_alarms,
                "drift_noticed_after_seconds": since(outcome.drift.noticed),
                "drift_learned_after_seconds": since(outcome.drift.learned),
                "drift_above_threshold_before": outcome.drift.begun.map(|_| before),
                "drift_above_threshold_after": outcome.drift.learned.map(|_| after),
                "false_drift": outcome.drift.false_alarm.is_some(),
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

    fn play(
        &self,
        scenario: &Scenario,
        sensor: SensorOption,
        settings: Settings,
        screen: &mut Screen,
        moments: &mut Vec<Option<scene::Moment>>,
    ) -> Result<Outcome, Box<dyn Error>> {
        let mut view = View::open(&self.output, "anomaly")?;
        if view.is_none() {
            screen.start(1000, "simulated time");
        }
        let outcome = anomaly::run(scenario, sensor.board(), settings, &mut |moment| {
            moments.push(moment.given);
            for event in moment.events {
                if let Some(line) = line(event) {
                    let line = format!("{:>7.1} s  {line}", moment.time.as_secs_f64());
                    match &mut view {
                        Some(view) => view.line(line),
                        None => screen.line(line),
                    }
                }
            }
            match &mut view {
                Some(view) => view.watch(&watched(moment)),
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

/// An event in words, if it is one to be told of.
fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::LearningBegins => "learning what is normal".to_owned(),
        Event::LearningEnds { threshold } => format!("watching: errors above {threshold:.3} are anomalies"),
        Event::AlarmBegins => "ALARM".to_owned(),
        Event::AlarmEnds => "the alarm ends".to_owned(),
        Event::Drift => "drift: what is normal has changed".to_owned(),
        Event::Saved { bytes } => format!("checkpoint saved: {} bytes", thousands(*bytes as usize)),
        Event::NotSaved(error) => format!("not saved: {error}"),
        Event::Fault(fault) => format!("fault: {fault}"),
        Event::SensorBack { missed } => format!("the sensor answers again; {missed} rows were missed"),
        Event::WindowRefused(error) => format!("window refused: {error}"),
        Event::UpdateRefused(error) => error.to_string(),
        _ => return None,
    })
}

fn watched<'m>(moment: &'m Moment<'_>) -> Watched<'m> {
    let error = moment.events.iter().find_map(|event| match event {
        Event::Watched { error, .. } | Event::Learned { error } => Some(f64::from(*error)),
        _ => None,
    });
    Watched {
        seconds: moment.time.as_secs_f64(),
        progress: moment.progress,
        motion: &moment.motion,
        doing: match moment.part {
            Part::Learning => "what is to be learned as normal",
            Part::Normal => "normal",
            Part::Anomaly => "an anomaly",
            Part::Drifted => "another normal",
        }
        .to_owned(),
        sign: match moment.face.sign {
            Sign::LearningNormal { progress } => format!("learning what is normal ({:.0} %)", 100.0 * progress),
            Sign::Watching { alarm: true, .. } => "ALARM".to_owned(),
            Sign::Watching { error, .. } => format!("watching: {error:.2} thresholds"),
            _ => String::new(),
        },
        leds: moment.leds,
        curve: ("error", error),
        limit: moment.threshold.is_finite().then_some(moment.threshold.into()),
    }
}

fn print(outcome: &Outcome, screen: &Screen) {
    let [normal, anomalies] = outcome.tested_windows();
    let [false_alarms, right_alarms] = outcome.alarm_shares();
    if normal > 0 && anomalies > 0 {
        screen.line(format!(
            "\narea under the ROC curve: {:.3} on {normal} normal windows and {anomalies} anomalies",
            outcome.auc()
        ));
        screen.line(format!(
            "baselines: {:.3} by the standard deviation, {:.3} by its distance from what was learned",
            outcome.auc_of_deviation(),
            outcome.auc_of_distance()
        ));
    } else {
        screen.line(format!(
            "\nno area under the ROC curve: {normal} normal windows and {anomalies} anomalies were watched, and it takes both"
        ));
    }
    screen.line(format!(
        "alarms: {}, during {:.1} % of the anomalies' windows and {:.1} % of the normal ones (an alarm ends some windows late)",
        outcome.alarms,
        100.0 * right_alarms,
        100.0 * false_alarms
    ));
    let drift = outcome.drift;
    if let Some(seconds) = drift.false_alarm {
        screen.line(format!(
            "drift: told of at {seconds:.0} s, in the test; --no-relearn keeps what lasts from being learned as normal"
        ));
    }
    if let Some(begun) = drift.begun {
        let [before, after] = outcome.drift_shares();
        screen.line(match (drift.noticed, drift.learned) {
            (Some(noticed), Some(learned)) => format!(
                "drift: noticed after {:.0} s, learned anew after {:.0} s; windows above the threshold: {:.1} % before, {:.1} % after",
                noticed - begun,
                learned - begun,
                100.0 * before,
                100.0 * after
            ),
            (Some(noticed), None) => format!("drift: noticed after {:.0} s, and not learned anew", noticed - begun),
            _ => format!("drift: not noticed; {:.1} % of the windows were above the threshold", 100.0 * before),
        });
    }
    screen.line(format!(
        "RAM of the application: {} bytes; checkpoint: {} bytes; parameters: CRC-32 {:08x}",
        thousands(outcome.ram_bytes),
        thousands(outcome.checkpoint_bytes as usize),
        outcome.parameters_crc32
    ));
}

fn report(outcome: &Outcome, settings: Vec<(String, String)>) -> LiveReport {
    let figure = |name: &str, value: String| (name.to_owned(), value);
    let thresholds = outcome.windows.iter().map(|window| f64::from(window.threshold)).filter(|value| value.is_finite());
    // What is far above the threshold would press the rest to the ground.
    let most = 8.0 * thresholds.fold(0.0, f64::max);
    let most = if most > 0.0 { most } else { f64::INFINITY };
    let curve = |name, value: &dyn Fn(&anomaly::Window) -> f64| StreamCurve {
        name,
        points: outcome.windows.iter().map(|window| (window.seconds, value(window))).collect(),
    };
    let errors = StreamChart {
        title: "Error",
        quantity: "Error (variances), cut off at the top",
        along: "Seconds",
        curves: vec![
            curve("error", &|window| f64::from(window.error).min(most)),
            curve("threshold", &|window| if window.learning { f64::NAN } else { window.threshold.into() }),
            curve("anomaly", &|window| if window.part == Part::Anomaly { most } else { f64::NAN }),
        ],
    };
    // Before and after the drift: the share of the last 20 windows above the threshold, of what is normal then.
    let normal: Vec<_> = outcome.windows.iter().filter(|window| window.part != Part::Anomaly).collect();
    let mut points = Vec::new();
    for watched in normal.chunk_by(|a, b| a.learning == b.learning).filter(|windows| !windows[0].learning) {
        points.extend(watched.windows(20).map(|windows| {
            let above = windows.iter().filter(|window| window.error > window.threshold).count();
            (windows[19].seconds, 5.0 * above as f64)
        }));
        // Nothing is watched while it learns.
        points.extend(watched.last().map(|window| (window.seconds, f64::NAN)));
    }
    let mark = |name, time: Option<f64>| StreamCurve {
        name,
        points: time.map_or_else(Vec::new, |time| vec![(time, 0.0), (time, 100.0)]),
    };
    let mut curves = vec![StreamCurve { name: "windows", points }];
    if outcome.drift.begun.is_some() {
        curves.extend([mark("drift begins", outcome.drift.begun), mark("learned anew", outcome.drift.learned)]);
    }
    let shares =
        StreamChart { title: "Drift and recovery", quantity: "Normal above threshold (%)", along: "Seconds", curves };
    let names = ["autoencoder", "deviation", "its distance"];
    let roc = StreamChart {
        title: "ROC, and its baselines",
        quantity: "Anomalies found (%)",
        along: "False alarms (% of the normal windows)",
        curves: names.into_iter().zip(outcome.rocs()).map(|(name, points)| StreamCurve { name, points }).collect(),
    };
    let drift = match (outcome.drift.begun, outcome.drift.noticed, outcome.drift.learned) {
        (Some(begun), Some(noticed), Some(learned)) => {
            format!("noticed after {:.0} s, learned after {:.0} s", noticed - begun, learned - begun)
        }
        (Some(begun), Some(noticed), None) => format!("noticed after {:.0} s", noticed - begun),
        (Some(_), None, _) => "not noticed".to_owned(),
        (None, ..) => "none".to_owned(),
    };
    let [normal, anomalies] = outcome.tested_windows();
    let area =
        |area: f64| if normal > 0 && anomalies > 0 { format!("{area:.3}") } else { "no pairs of windows".to_owned() };
    LiveReport {
        title: "Anomalies, found on the device".to_owned(),
        figures: vec![
            figure("Area under the ROC curve", area(outcome.auc())),
            figure("Baseline: standard deviation", area(outcome.auc_of_deviation())),
            figure("Baseline: its distance from what was learned", area(outcome.auc_of_distance())),
            figure("Windows", format!("{normal} normal, {anomalies} anomalies")),
            figure("Drift", drift),
            figure("RAM", format!("{} bytes", thousands(outcome.ram_bytes))),
        ],
        charts: vec![errors, shares, roc],
        matrices: Vec::new(),
        settings,
    }
}

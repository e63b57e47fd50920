//! `stream`: a board learns what comes over a serial line.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use backpass_app::gesture::HOP;
use backpass_app::stream::CHANNELS;
use backpass_sim::board::{self, Image, Machine, Profile, Program};
use backpass_sim::devices::LineFaults;
use backpass_sim::link::{Client, Faulty, Line, Twin, TwinMemory};
use backpass_sim::report::{LiveReport, StreamChart, StreamCurve};
use backpass_sim::world::CsvRecording;
use backpass_sim::world::gesture::{self, Scenario};
use backpass_sim::world::stream::{self, Outcome, Windows};
use clap::Args;
use serde_json::json;

use super::live::{View, Watched};
use super::screen::{Screen, thousands};

/// Options of `stream`.
#[derive(Debug, Args)]
#[command(after_help = "\
The board runs the application `stream` of `backpass-app`: every window of a recording is sent over its serial line as a sample with its class;
the board predicts, learns, and answers with prediction, loss and counters. Then it is tested, and saves a checkpoint. Without --machine
the board is its twin on this computer, with --machine the flashed image in QEMU: both end with the same parameters, whatever the line loses.

A CSV file has the columns of `gesture --data`: ax,ay,az, if there is a gyroscope gx,gy,gz, label, and part if you like.
BACKPASS_FIRMWARE_TOOLCHAIN names a Rust toolchain with the thumb targets, if the default one has none.

Examples:
  backpass-sim stream
  backpass-sim stream --lose 0.05 --damage 0.05
  backpass-sim stream --machine mps2-an386 --passes 1
  backpass-sim stream --data mine.csv --json")]
pub(crate) struct Stream {
    /// Recording of your own instead of BasicMotions; see below for its columns
    #[arg(long, value_name = "FILE.csv")]
    data: Option<PathBuf>,
    /// Run the flashed image on this emulated board instead of the twin [default: the twin]
    #[arg(long, value_enum)]
    machine: Option<Machine>,
    /// Share of the frames that the line loses, each way
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = share)]
    lose: f32,
    /// Share of the frames that the line damages, each way
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = share)]
    damage: f32,
    /// Share of the frames that come twice, each way
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = share)]
    duplicate: f32,
    /// Share of the frames that come after the next one, each way
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = share)]
    reorder: f32,
    /// How often each window is learned from
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    passes: u32,
    /// Seed of the weights, of the order and of the line's faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    output: super::live::Output,
}

/// A share that leaves a line to speak of.
fn share(text: &str) -> Result<f32, String> {
    super::number(text, |value| (0.0..=0.5).contains(&value), "a number from 0 to 0.5")
}

impl Stream {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let (scenario, source) = match &self.data {
            // Windows are cut by rows: what rate they have does not matter here.
            Some(path) => (CsvRecording::read(path)?.gestures(25)?, path.display().to_string()),
            None => (gesture::basic_motions(), "BasicMotions (smart watch, 4 activities)".to_owned()),
        };
        if let Some(machine @ Machine::Microbit) = self.machine {
            return Err(format!("{machine} has 16 KB of RAM, too little for this network: take an MPS2 board").into());
        }
        self.output.prepare()?;
        let windows = Windows::of(&scenario);
        let mut screen = Screen::new(self.output.quiet);
        let words = self.words(&scenario, &windows, source);
        for (name, value) in &words {
            screen.line(format!("{name:<14} {value}"));
        }
        let faults =
            LineFaults { lose: self.lose, damage: self.damage, duplicate: self.duplicate, reorder: self.reorder };
        let outcome = match self.machine {
            None => {
                let mut memory = TwinMemory::new();
                let line = Faulty::new(Twin::new(&mut memory), faults, self.seed);
                self.play(Client::connect(line)?, &scenario, &windows, &mut screen)?
            }
            Some(machine) => {
                screen.wait(format!("building the firmware for {}", machine.target()));
                let image = board::build(Image::Stream, machine, Profile::Release, &board::firmware_folder())?;
                let program = Program::load(&image)?;
                let (emulation, line) = program.start_with_serial_line(machine, None)?;
                let client = Client::connect(Faulty::new(line, faults, self.seed))?;
                let outcome = self.play(client, &scenario, &windows, &mut screen)?;
                // Its program has no end.
                drop(emulation);
                outcome
            }
        };
        print(&scenario, &outcome, &screen);
        if let Some(folder) = self.output.report() {
            for path in report(&scenario, &outcome, words).write(folder)? {
                screen.line(format!("wrote {}", path.display()));
            }
        }
        if self.output.json {
            let counters = outcome.counters;
            screen.json(&json!({
                "accuracy": outcome.accuracy(),
                "windows": outcome.windows(),
                "windows_learned": outcome.learned.len(),
                "machine": self.machine.map_or("twin", Machine::name),
                "seed": self.seed,
                "parameters_crc32": format!("{:08x}", outcome.parameters_crc32),
                "checkpoint_bytes": outcome.checkpoint_bytes,
                "observed": counters.observed,
                "refused": counters.refused,
                "damaged": counters.damaged,
                "too_long": counters.too_long,
                "duplicates": counters.duplicates,
                "out_of_order": counters.out_of_order,
                "repeated": outcome.repeated,
            }));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn words(&self, scenario: &Scenario, windows: &Windows, source: String) -> Vec<(String, String)> {
        let board = self.machine.map_or("the twin on this computer".to_owned(), |machine| {
            format!("{machine} ({}), emulated by QEMU", machine.core())
        });
        let percent = |share: f32| 100.0 * share;
        [
            ("recording", source),
            ("classes", scenario.classes.join(", ")),
            (
                "windows",
                format!("{} to learn, {} times; {} to test", windows.training.len(), self.passes, windows.test.len()),
            ),
            ("board", board),
            (
                "line",
                format!(
                    "of the frames {:.1} % lost, {:.1} % damaged, {:.1} % twice, {:.1} % late",
                    percent(self.lose),
                    percent(self.damage),
                    percent(self.duplicate),
                    percent(self.reorder)
                ),
            ),
            ("seed", self.seed.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    fn play<L: Line>(
        &self,
        mut client: Client<L>,
        scenario: &Scenario,
        windows: &Windows,
        screen: &mut Screen,
    ) -> Result<Outcome, Box<dyn Error>> {
        client.set_patience(Duration::from_millis(300), 200);
        let mut view = View::open(&self.output, "stream")?;
        let total = windows.training.len() * self.passes as usize + windows.test.len();
        if view.is_none() {
            screen.start(total as u64, "windows over the line");
        }
        let (mut right, mut part) = (0_u32, 0_u32);
        let outcome =
            stream::run(&mut client, windows, scenario.classes.len(), self.passes, self.seed, &mut |moment| {
                right += u32::from(moment.class == moment.predicted);
                part += 1;
                let accuracy = 100.0 * f64::from(right) / f64::from(part);
                if moment.sent % 100 == 0 {
                    let line = format!("{:>6} windows: {accuracy:.1} % of the last {part} recognised", moment.sent);
                    (right, part) = (0, 0);
                    match &mut view {
                        Some(view) => view.line(line),
                        None => screen.line(line),
                    }
                }
                let name = |class: u32| scenario.classes.get(class as usize).map_or("?", String::as_str);
                match &mut view {
                    Some(view) => view.watch(&Watched {
                        seconds: (moment.sent * HOP) as f64 / f64::from(scenario.rate),
                        progress: moment.sent as f64 / moment.of as f64,
                        motion: moment.window.last().unwrap_or(&[0.0; CHANNELS]),
                        doing: format!(
                            "{} {}",
                            if moment.learned { "learning" } else { "testing" },
                            name(moment.class)
                        ),
                        sign: name(moment.predicted).to_owned(),
                        leds: [[false; 5]; 5],
                        curve: ("accuracy, %", Some(accuracy)),
                        limit: None,
                    }),
                    None => screen.progress(moment.sent as u64, String::new()),
                }
            });
        drop(view);
        screen.finish();
        Ok(outcome?)
    }
}

fn print(scenario: &Scenario, outcome: &Outcome, screen: &Screen) {
    screen.line("\nWindows of the test (row: what it is, column: what the board said)");
    let width = scenario.classes.iter().map(String::len).max().unwrap_or(0).max(5);
    for (name, row) in scenario.classes.iter().zip(&outcome.confusion) {
        let counts: String = row.iter().map(|count| format!("{count:>5} ")).collect();
        screen.line(format!("{name:>width$} {counts}"));
    }
    let counters = outcome.counters;
    screen.line(format!("\naccuracy: {:.1} % of {} windows", 100.0 * outcome.accuracy(), outcome.windows()));
    screen.line(format!(
        "board: {} samples learned from, {} refused; frames: {} damaged, {} too long, {} twice, {} out of order; {} requests sent again",
        counters.observed,
        counters.refused,
        counters.damaged,
        counters.too_long,
        counters.duplicates,
        counters.out_of_order,
        outcome.repeated
    ));
    screen.line(format!(
        "checkpoint: {} bytes; parameters: CRC-32 {:08x}",
        thousands(outcome.checkpoint_bytes as usize),
        outcome.parameters_crc32
    ));
}

fn report(scenario: &Scenario, outcome: &Outcome, settings: Vec<(String, String)>) -> LiveReport {
    let count = |index: usize| (index + 1) as f64;
    let loss = outcome.learned.iter().enumerate().map(|(index, (_, loss))| (count(index), f64::from(*loss)));
    let rolling =
        outcome.learned.windows(50).enumerate().map(|(index, windows)| {
            (count(index + 49), 2.0 * windows.iter().filter(|(right, _)| *right).count() as f64)
        });
    let chart = |title, quantity, name, points| StreamChart {
        title,
        quantity,
        along: "Windows learned",
        curves: vec![StreamCurve { name, points }],
    };
    LiveReport {
        title: "Learned over a serial line".to_owned(),
        figures: vec![
            ("Accuracy, windows".to_owned(), format!("{:.1} %", 100.0 * outcome.accuracy())),
            ("Requests sent again".to_owned(), outcome.repeated.to_string()),
            ("Parameters, CRC-32".to_owned(), format!("{:08x}", outcome.parameters_crc32)),
        ],
        charts: vec![
            chart("Loss", "Loss before the update", "loss", loss.collect()),
            chart("Test, then train", "Accuracy, last 50 windows (%)", "accuracy", rolling.collect()),
        ],
        matrices: vec![(
            format!("Windows of the test: {}", super::gesture::numbered(&scenario.classes)),
            outcome.confusion.clone(),
        )],
        settings,
    }
}

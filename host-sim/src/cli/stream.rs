//! `stream`: a board learns what comes over a serial line.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use backpass_app::gesture::HOP;
use backpass_app::stream::{BAUD, CHANNELS};
use backpass_sim::board::{self, Image, Machine, Profile, Program};
use backpass_sim::devices::LineFaults;
use backpass_sim::link::{Client, Faulty, Line, Port, Twin, TwinMemory};
use backpass_sim::report::{LiveReport, StreamChart, StreamCurve};
use backpass_sim::world::CsvRecording;
use backpass_sim::world::gesture::{self, Scenario};
use backpass_sim::world::stream::{self, Outcome, Windows};
use clap::Args;
use serde_json::json;

use super::live::{View, Watched};
use super::screen::{Screen, thousands};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_millis(300);
/// The same on a serial port: a window takes 40 ms on the line, and up to 75 ms in the slowest core.
const PORT_PATIENCE: Duration = Duration::from_millis(500);

/// Options of `stream`.
#[derive(Debug, Args)]
#[command(after_help = "\
The board runs the application `stream` of `backpass-app`: every window of a recording is sent over its serial line as a sample with its class;
the board predicts, learns, and answers with prediction, loss and counters. Then it is tested, and saves a checkpoint. The board is its twin
on this computer, with --machine the flashed image in QEMU, with --port a real board that runs `stream`: all end with the same parameters,
whatever the line loses. A board begins afresh: what it had learned before is lost.

A CSV file has the columns of `gesture --data`: ax,ay,az, if there is a gyroscope gx,gy,gz, label, and part if you like.
The exit code is 0 if an emulated or real board ends with the bits of the twin, 1 if not, and 2 if it could not be run.
BACKPASS_FIRMWARE_TOOLCHAIN names a Rust toolchain with the thumb targets, if the default one has none.

Examples:
  backpass-sim stream
  backpass-sim stream --lose 0.05 --damage 0.05
  backpass-sim stream --machine mps2-an386 --passes 1
  backpass-sim stream --port /dev/ttyACM0
  backpass-sim stream --data mine.csv --json")]
pub(crate) struct Stream {
    /// Recording of your own instead of BasicMotions; see below for its columns
    #[arg(long, value_name = "FILE.csv")]
    data: Option<PathBuf>,
    /// Run the flashed image on this emulated board instead of the twin [default: the twin]
    #[arg(long, value_enum)]
    machine: Option<Machine>,
    /// Ask a real board on this serial port (/dev/ttyACM0, COM3) instead of the twin
    #[arg(long, value_name = "NAME", conflicts_with = "machine")]
    port: Option<String>,
    /// Bits a second on the serial port
    #[arg(long, value_name = "RATE", default_value_t = BAUD, requires = "port", value_parser = clap::value_parser!(u32).range(300..=4_000_000))]
    baud: u32,
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
        let outcome = match (self.machine, &self.port) {
            (None, None) => {
                let mut memory = TwinMemory::new();
                let mut client = Client::connect(Faulty::new(Twin::new(&mut memory), faults, self.seed))?;
                client.set_patience(PATIENCE, 200);
                self.play(client, &scenario, &windows, &mut screen)?
            }
            (_, Some(name)) => {
                let port = Port::open(name, self.baud)?;
                screen.wait(format!("asking the board on {name}"));
                let mut client = Client::connect_with(Faulty::new(port, faults, self.seed), PORT_PATIENCE, 10)?;
                // A large sector takes seconds to erase, in which the board hears nothing.
                client.set_patience(PORT_PATIENCE, 60);
                self.play(client, &scenario, &windows, &mut screen)?
            }
            (Some(machine), None) => {
                screen.wait(format!("building the firmware for {}", machine.target()));
                let image = board::build(Image::Stream, machine, Profile::Release, &board::firmware_folder())?;
                let program = Program::load(&image)?;
                let (emulation, line) = program.start_with_serial_line(machine, None)?;
                let mut client = Client::connect(Faulty::new(line, faults, self.seed))?;
                client.set_patience(PATIENCE, 200);
                let outcome = self.play(client, &scenario, &windows, &mut screen)?;
                // Its program has no end.
                drop(emulation);
                outcome
            }
        };
        print(&scenario, &outcome, &screen);
        let identical = match self.is_twin() {
            true => None,
            false => Some(self.compare(&scenario, &windows, &outcome, &screen)?),
        };
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
                "machine": self.port.is_none().then(|| self.machine.map_or("twin", Machine::name)),
                "port": self.port,
                "identical": identical,
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
        Ok(if identical == Some(false) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    const fn is_twin(&self) -> bool {
        self.machine.is_none() && self.port.is_none()
    }

    /// Plays the same in the twin, over a good line; whether all that the board said and learned is the same.
    fn compare(
        &self,
        scenario: &Scenario,
        windows: &Windows,
        outcome: &Outcome,
        screen: &Screen,
    ) -> Result<bool, Box<dyn Error>> {
        let mut memory = TwinMemory::new();
        let mut client = Client::connect(Twin::new(&mut memory))?;
        let twin = stream::run(&mut client, windows, scenario.classes.len(), self.passes, self.seed, &mut |_| {})?;
        let first = outcome.learned.iter().zip(&twin.learned).position(|(board, twin)| board != twin);
        let same_parameters = outcome.parameters_crc32 == twin.parameters_crc32;
        let identical = first.is_none() && same_parameters && outcome.confusion == twin.confusion;
        screen.line(if identical {
            "identical: predictions, losses and parameters have the same bits on the board and in the twin".to_owned()
        } else {
            let first = first.map_or_else(
                || "no loss".to_owned(),
                |index| format!("the first of the losses is that of window {}", index + 1),
            );
            format!(
                "NOT identical: the parameters of the twin have CRC-32 {:08x}; {first} differs",
                twin.parameters_crc32
            )
        });
        Ok(identical)
    }

    fn words(&self, scenario: &Scenario, windows: &Windows, source: String) -> Vec<(String, String)> {
        let board = match (self.machine, &self.port) {
            (Some(machine), _) => format!("{machine} ({}), emulated by QEMU", machine.core()),
            (None, Some(port)) => format!("on the serial port {port}, {} baud", self.baud),
            (None, None) => "the twin on this computer".to_owned(),
        };
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

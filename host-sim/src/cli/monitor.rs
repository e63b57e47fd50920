//! `monitor`: watches a board learn.

use std::error::Error;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use backpass_app::stream::BAUD;
use backpass_sim::board::{self, Image, Machine, Profile, Program};
use backpass_sim::budget::Board as KnownBoard;
use backpass_sim::link::Port;
use backpass_sim::log::{Decoder, Table};
use backpass_sim::monitor::{self, Entry, Recorder, Recording, Source, State, StaticRam};
use clap::{ArgGroup, Args};

use super::screen::{self, Screen};
use super::terminal;

/// How long a message is waited for before the picture is drawn anew.
const TICK: Duration = Duration::from_millis(40);
/// How long another program may take to take a connection.
const CONNECTING: Duration = Duration::from_secs(5);

/// Options of `monitor`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true).multiple(true).args(["chip", "probe", "elf", "port", "tcp", "machine", "replay"]))]
#[command(after_help = "\
Draws loss, accuracy, confusion, refusals and RAM from what the board says in its log, as it comes. Where the output is no terminal, or with
--no-live, it prints the messages instead; it ends with the log, with q or Ctrl-C, or after --seconds, and prints where the board stands.

A log comes through a debug probe (RTT), over a serial port, or over TCP, where OpenOCD, J-Link and others serve the RTT of their probes. With --elf
it is decoded as defmt, if that image has such a log; else it is text. Programs of your own are understood if they say such things as `loss 0.25`, `accuracy 93.5 %`,
`class 1 taken for 3`, `refused: why`, `error 0.8`, `threshold 1.2`, `RAM { parameters: 9640 }`; the book's chapter on the monitor has all of them.

Debug probes need a build with them: cargo run --release -p backpass-sim --features probe -- monitor ...

Examples:
  backpass-sim monitor --chip nRF52833_xxAA --elf target/thumbv7em-none-eabihf/release/gesture
  backpass-sim monitor --port /dev/ttyACM0 --record run.jsonl
  backpass-sim monitor --tcp 127.0.0.1:19021 --elf gesture
  backpass-sim monitor --machine mps2-an386
  backpass-sim monitor --replay run.jsonl --speed 10

Exit codes: 0 watched, 2 an error.")]
pub(crate) struct Monitor {
    /// Attach to this chip, by probe-rs' name for it, through a debug probe [default: what the chip says it is]
    #[arg(long, value_name = "CHIP")]
    chip: Option<String>,
    /// Attach through this debug probe [default: the only one there is]
    #[arg(long, value_name = "VID:PID[:SERIAL]")]
    probe: Option<String>,
    /// The image that the board runs; with nothing else, a debug probe is looked for
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    elf: Option<PathBuf>,
    /// Listen on this serial port (/dev/ttyACM0, COM3)
    #[arg(long, value_name = "NAME", conflicts_with_all = ["chip", "probe", "tcp", "machine", "replay"])]
    port: Option<String>,
    /// Bits a second on the serial port
    #[arg(long, value_name = "RATE", default_value_t = BAUD, requires = "port", value_parser = clap::value_parser!(u32).range(300..=4_000_000))]
    baud: u32,
    /// Listen on this TCP socket
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["chip", "probe", "machine", "replay"])]
    tcp: Option<String>,
    /// Run an image in QEMU, on this board [default image: the digits application]
    #[arg(long, value_enum, conflicts_with_all = ["chip", "probe", "replay"])]
    machine: Option<Machine>,
    /// Show a recording again
    #[arg(long, value_name = "FILE", conflicts_with_all = ["chip", "probe"])]
    replay: Option<PathBuf>,
    /// How many times faster than it was recorded [default: 1 in the live view, else as fast as can be]
    #[arg(long, value_name = "FACTOR", requires = "replay", value_parser = super::positive)]
    speed: Option<f32>,
    /// Record all messages in this file, one JSON object a line
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    record: Option<PathBuf>,
    /// End after so many seconds [default: with the log]
    #[arg(long, value_name = "SECONDS", value_parser = super::positive)]
    seconds: Option<f32>,
    /// Print lines instead of the live view, on a terminal too
    #[arg(long)]
    no_live: bool,
    /// Print nothing but errors (and the object of --json)
    #[arg(long)]
    quiet: bool,
    /// Print one JSON object as the last line of standard output
    #[arg(long)]
    json: bool,
}

impl Monitor {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let mut screen = Screen::new(self.quiet || self.json);
        if let Some(path) = &self.replay {
            let recording = Recording::read(path)?;
            let state = State::new(&format!("recording of {}", recording.source));
            let speed = self.speed.map(f64::from).or_else(|| self.is_live().then_some(1.0));
            return self.watch(Source::replay(recording, speed), state, screen);
        }
        if let Some(machine) = self.machine {
            let image = match &self.elf {
                Some(image) => image.clone(),
                None => {
                    screen.wait(format!("building the firmware for {}", machine.target()));
                    let image = board::build(Image::Digits, machine, Profile::Release, &board::firmware_folder())?;
                    screen.finish();
                    image
                }
            };
            let program = Program::load_any(&image)?;
            let emulation = program.start(machine, None)?;
            let state = self.state(format!("{machine} ({}) in QEMU", machine.core()), Some(&image));
            return self.watch(Source::live(emulation, program.decoder()), state, screen);
        }
        let table = self.elf.as_deref().map(Table::load).transpose()?.flatten();
        let decoder = Decoder::new(table.as_ref());
        if let Some(name) = &self.port {
            let port = Port::open(name, self.baud)?;
            let state = self.state(format!("serial port {name}"), self.elf.as_deref());
            return self.watch(Source::live(port, decoder), state, screen);
        }
        if let Some(address) = &self.tcp {
            let stream = connect(address)?;
            let state = self.state(format!("socket {address}"), self.elf.as_deref());
            return self.watch(Source::live(stream, decoder), state, screen);
        }
        let Some(image) = &self.elf else {
            return Err("--elf is missing: the image that the board runs, by which its log is found and decoded".into());
        };
        screen.wait("attaching to the board".to_owned());
        let (link, state) = self.attach(image)?;
        screen.finish();
        self.watch(Source::live(link, decoder), state, screen)
    }

    #[cfg(feature = "probe")]
    fn attach(&self, image: &Path) -> Result<(impl backpass_sim::link::Receive + use<>, State), Box<dyn Error>> {
        use backpass_sim::link::probe::{ProbeLink, Settings};
        let settings = Settings { chip: self.chip.as_deref(), probe: self.probe.as_deref() };
        let link = ProbeLink::attach(settings, image)?;
        let mut state = self.state(format!("{} on a debug probe", link.chip()), Some(image));
        state.chip_ram = link.ram();
        Ok((link, state))
    }

    #[cfg(not(feature = "probe"))]
    fn attach(&self, _: &Path) -> Result<(TcpStream, State), Box<dyn Error>> {
        Err("this program was built without debug probes: run it with `cargo run --release -p backpass-sim --features probe -- monitor ...`, \
            or use --port, --tcp or --machine"
            .into())
    }

    /// Nothing was said yet by a board that is described in words.
    fn state(&self, source: String, image: Option<&Path>) -> State {
        let mut state = State::new(&source);
        state.statics = image.and_then(|path| std::fs::read(path).ok()).and_then(|elf| StaticRam::of_elf(&elf));
        state.chip_ram = self.chip.as_deref().and_then(KnownBoard::named).map(|board| board.ram as u64);
        state
    }

    /// Whether there is a live view where somebody can see it.
    const fn is_live(&self) -> bool {
        !(self.no_live || self.quiet || self.json)
    }

    fn watch(&self, mut source: Source<'_>, mut state: State, screen: Screen) -> Result<ExitCode, Box<dyn Error>> {
        let mut recorder = self.record.as_ref().map(|path| Recorder::create(path, &state.source)).transpose()?;
        let stopped = stop_on_signal()?;
        let mut view = if self.is_live() { terminal::Screen::open()? } else { None };
        if view.is_none() {
            screen.line(format!("{}; Ctrl-C ends", state.source));
        }
        let end = self.seconds.map(|seconds| Instant::now() + Duration::from_secs_f32(seconds));
        let (mut failed, mut entries) = (None, Vec::new());
        while !stopped.load(Ordering::Relaxed) && end.is_none_or(|end| Instant::now() < end) {
            let more = source.next(TICK, &mut |entry| entries.push(entry));
            state.damaged = source.damaged();
            if !state.ended {
                state.seconds = source.seconds().unwrap_or(state.seconds);
            }
            for entry in entries.drain(..) {
                if view.is_none() && entry.is_for_people() {
                    screen.line(words(&entry));
                }
                if let Some(recorder) = &mut recorder {
                    recorder.add(&entry)?;
                }
                state.take(entry);
            }
            match more {
                Ok(true) => {}
                // What was said last stays in view.
                Ok(false) if view.is_some() => {
                    state.ended = true;
                    std::thread::sleep(TICK);
                }
                Ok(false) => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
            if view.as_mut().and_then(|view| view.show(|frame| monitor::draw(&state, frame))).is_some() {
                break;
            }
        }
        drop(view);
        state.ended = true;
        if !self.json {
            screen.line(monitor::summary(&state));
        }
        if let Some(path) = &self.record {
            screen.line(format!("wrote {}", path.display()));
        }
        if let Some(error) = failed {
            return Err(format!("{}: {error}", state.source).into());
        }
        if self.json {
            screen::print(&state.json().to_string());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A flag that Ctrl-C and other ends from outside set; the second one ends the program at once.
fn stop_on_signal() -> Result<Arc<AtomicBool>, Box<dyn Error>> {
    let stopped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stopped);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            ratatui::restore();
            std::process::exit(130);
        }
    })?;
    Ok(stopped)
}

fn connect(address: &str) -> Result<TcpStream, Box<dyn Error>> {
    let hint = "expected HOST:PORT of a program that serves a board's log, such as 127.0.0.1:19021";
    let places = address.to_socket_addrs().map_err(|error| format!("--tcp {address}: {error}; {hint}"))?;
    let mut last = None;
    for place in places {
        match TcpStream::connect_timeout(&place, CONNECTING) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    let reason = last.map_or_else(|| "there is no such host".to_owned(), |error| error.to_string());
    Err(format!("--tcp {address}: {reason}; {hint}").into())
}

fn words(entry: &Entry) -> String {
    let level = entry.level.map_or("", |level| level.name());
    format!("{:>9.2} s  {level:<5}  {}", entry.seconds, entry.text)
}

//! `board`: the application on an emulated board beside its twin.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use backpass_app::digits;
use backpass_sim::board::{self, BoardLog, Comparison, Image, Line, Machine, Profile};
use backpass_sim::monitor::Metrics;
use clap::Args;
use serde_json::json;

use super::screen::{Screen, thousands};

/// Options of `board`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  backpass-sim board --machine mps2-an505 --debug\n\n\
    The exit code is 0 if every parameter is bit-identical, 1 if not, and 2 if the board could not be run.\n\
    BACKPASS_FIRMWARE_TOOLCHAIN names a Rust toolchain with the thumb targets, if the default one has none.")]
pub(crate) struct Board {
    /// Emulated board
    #[arg(long, value_enum, default_value_t = Machine::Mps2An386)]
    machine: Machine,
    /// Build without optimisation and with overflow checks
    #[arg(long)]
    debug: bool,
    /// Run this image instead of building one
    #[arg(long, value_name = "ELF", conflicts_with_all = ["debug", "firmware"])]
    image: Option<PathBuf>,
    /// Folder of the firmware [default: firmware/qemu of the checkout]
    #[arg(long, value_name = "DIR")]
    firmware: Option<PathBuf>,
    /// Seconds of silence after which the board is stopped
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    /// Print nothing but errors (and the object of --json)
    #[arg(long)]
    quiet: bool,
    /// Print one JSON object as the last line of standard output
    #[arg(long)]
    json: bool,
}

impl Board {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let mut screen = Screen::new(self.quiet);
        let machine = self.machine;
        screen.line(format!("{machine} ({}), emulated by QEMU", machine.core()));
        let image = self.image(&mut screen)?;
        let log = self.log(&image, &mut screen)?;
        screen.finish();
        let comparison = Comparison::with_twin(machine, &log)?;
        screen.line(verdict(&comparison));
        if self.json {
            screen.json(&json!({
                "machine": machine.name(),
                "core": machine.core(),
                "identical": comparison.identical(),
                "parameters": comparison.parameters,
                "differing": comparison.differing,
                "parameters_crc32": format!("{:08x}", comparison.board_crc32),
                "twin_crc32": format!("{:08x}", comparison.twin_crc32),
                "test_accuracy": comparison.test_accuracy(),
            }));
        }
        Ok(if comparison.identical() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn image(&self, screen: &mut Screen) -> Result<PathBuf, Box<dyn Error>> {
        if let Some(image) = &self.image {
            return Ok(image.clone());
        }
        let profile = if self.debug { Profile::Debug } else { Profile::Release };
        let folder = self.firmware.clone().unwrap_or_else(board::firmware_folder);
        let (machine, name) = (self.machine, profile.name());
        screen.wait(format!("building the firmware for {}, {name}", machine.target()));
        let image = board::build(Image::Digits, machine, profile, &folder)?;
        screen.line(format!("built for {}, {name}", machine.target()));
        Ok(image)
    }

    fn log(&self, image: &std::path::Path, screen: &mut Screen) -> Result<BoardLog, Box<dyn Error>> {
        let (_, samples) = self.machine.size();
        let samples = samples as u64;
        screen.start(samples * u64::from(digits::BOARD_EPOCHS), "on the board");
        let mut log = BoardLog::default();
        board::run(self.machine, image, Duration::from_secs(self.timeout), &mut |message| {
            let line = Line::parse(message);
            if let Line::Progress { epoch, seen, of } = line {
                screen.progress(u64::from(epoch.saturating_sub(1)) * of + seen, String::new());
            }
            // Thousands of weights are for the comparison and each sample of the test for `monitor`, not for a reader.
            if !matches!(line, Line::Parameters { .. }) && Metrics::of(message).taken.is_none() {
                screen.line(format!("  {message}"));
            }
            log.add(line);
        })?;
        Ok(log)
    }
}

fn verdict(comparison: &Comparison) -> String {
    let count = thousands(comparison.parameters);
    if comparison.identical() {
        return format!(
            "identical: all {count} parameters have the same bits on the board and in the host twin (CRC-32 {:08x})",
            comparison.twin_crc32
        );
    }
    let first = comparison.first_difference.as_ref().map_or_else(String::new, |(name, index, board, twin)| {
        let show = |bits: Option<u32>| {
            bits.map_or("missing".to_owned(), |bits| format!("{} ({bits:08x})", f32::from_bits(bits)))
        };
        format!("; the first is {name}[{index}]: {} on the board, {} in the twin", show(*board), show(*twin))
    });
    let [(board, _), (twin, _)] = comparison.classified;
    format!(
        "NOT identical: {} of {count} parameters differ{first}; CRC-32 {:08x} and {:08x}; {board} and {twin} test images right",
        thousands(comparison.differing),
        comparison.board_crc32,
        comparison.twin_crc32
    )
}

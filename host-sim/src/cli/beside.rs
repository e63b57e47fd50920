//! The same on an emulated board, beside the simulated one.

use std::error::Error;

use backpass_app::scene::{Moment, Played, Scene};
use backpass_sim::board::{self, Image, Machine, Profile};
use clap::Args;

use super::screen::{Screen, thousands};

/// Which emulated board.
#[derive(Debug, Args)]
pub(crate) struct Beside {
    /// Let this emulated board do the same, as the flashed image in QEMU, and compare all events and parameters
    #[arg(long, value_enum)]
    machine: Option<Machine>,
}

/// What the simulated board was given, and what came of it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) scene: Scene,
    /// `None`: the sensor could not be read.
    pub(crate) moments: Vec<Option<Moment>>,
    pub(crate) parameters_crc32: u32,
}

impl Beside {
    /// The machine's name, for the object of `--json`.
    pub(crate) fn name(&self) -> &'static str {
        self.machine.map_or("twin", Machine::name)
    }

    /// What is said of it at the beginning.
    pub(crate) fn words(&self) -> String {
        self.machine.map_or("simulated on this computer".to_owned(), |machine| {
            format!("simulated on this computer; then {machine} ({}), emulated by QEMU", machine.core())
        })
    }

    /// Looks for what the machine needs, before anything takes time.
    pub(crate) fn check(&self) -> Result<(), Box<dyn Error>> {
        match self.machine {
            None => Ok(()),
            Some(machine) if machine.is_small() => {
                Err(format!("{machine} has 16 KB of RAM, too little for this application: take an MPS2 board").into())
            }
            Some(machine) => Ok(board::check(machine)?),
        }
    }

    /// Lets the machine, if there is one, do what the simulated board did; whether it did the same, bit for bit.
    pub(crate) fn compare(&self, run: &Run, screen: &mut Screen) -> Result<Option<bool>, Box<dyn Error>> {
        let Some(machine) = self.machine else { return Ok(None) };
        let moments: Option<Vec<Moment>> = run.moments.iter().copied().collect();
        let moments = moments.ok_or("the simulated sensor failed: there is nothing to be compared with")?;
        screen.wait(format!("building the firmware for {}", machine.target()));
        let image = board::build(Image::Scene, machine, Profile::Release, &board::firmware_folder())?;
        screen.start(moments.len() as u64, machine.name());
        let mut progress = |count| screen.progress(count as u64, String::new());
        let played = board::scene::play(machine, &image, &run.scene, &moments, &mut progress)?;
        screen.finish();
        let twin = board::scene::twin(&run.scene, &moments).ok_or("the twin knows no such application")?;
        let verdict = verdict(machine, &played, &twin, run.parameters_crc32);
        screen.line(verdict.as_ref().unwrap_or_else(|differs| differs));
        Ok(Some(verdict.is_ok()))
    }
}

/// In words, whether a board did the same as the twin, and both what the simulated board did.
fn verdict(machine: Machine, board: &Played, twin: &Played, simulated: u32) -> Result<String, String> {
    if board == twin && twin.parameters_crc32 == simulated {
        return Ok(format!(
            "identical: {} events and all parameters have the same bits on {machine} and in the twin (parameters: CRC-32 {simulated:08x})",
            thousands(board.events as usize)
        ));
    }
    let mut differ = Vec::new();
    if (board.events, board.events_crc32) != (twin.events, twin.events_crc32) {
        let events = |played: &Played| format!("{} (CRC-32 {:08x})", played.events, played.events_crc32);
        differ.push(format!("events: {} on {machine}, {} in the twin", events(board), events(twin)));
    }
    if board.parameters_crc32 != twin.parameters_crc32 || twin.parameters_crc32 != simulated {
        differ.push(format!(
            "parameters: CRC-32 {:08x} on {machine}, {:08x} in the twin, {simulated:08x} on the simulated board",
            board.parameters_crc32, twin.parameters_crc32
        ));
    }
    Err(format!("NOT identical: {}", differ.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let same = Played { events: 1234, events_crc32: 5, parameters_crc32: 6 };
        let of = |board: Played, simulated| verdict(Machine::Mps2An386, &board, &same, simulated);
        assert!(of(same, 6).is_ok_and(|words| words.contains("identical: 1,234 events")));
        for (board, simulated, differs, is_same) in [
            (Played { events: 1233, ..same }, 6, "events", "parameters"),
            (Played { events_crc32: 4, ..same }, 6, "events", "parameters"),
            (Played { parameters_crc32: 7, ..same }, 6, "parameters", "events"),
            (same, 7, "parameters", "events"),
        ] {
            let words = of(board, simulated).unwrap_err();
            assert!(
                words.starts_with("NOT identical") && words.contains(differs) && !words.contains(is_same),
                "{words}"
            );
        }
    }
}

//! The monitor against an emulated board: what it shows is what the host twin comes to, live and from a recording.
//!
//! Where QEMU or the Rust target is missing, a test is reported as ignored and says why; with `BACKPASS_REQUIRE_QEMU=1` in the
//! environment it fails instead.

use std::process::ExitCode;
use std::time::Duration;

use backpass_app::digits;
use backpass_sim::board::{self, Comparison, Image, Line, Machine, Profile, Program};
use backpass_sim::monitor::{self, Entry, Recorder, Recording, Source, State};
use libtest_mimic::{Arguments, Failed, Trial};

const MACHINE: Machine = Machine::Mps2An386;

fn main() -> ExitCode {
    let required = std::env::var("BACKPASS_REQUIRE_QEMU").is_ok_and(|value| value == "1");
    let obstacle = board::check(MACHINE).err();
    let ignored = obstacle.is_some() && !required;
    if let (Some(reason), true) = (&obstacle, ignored) {
        eprintln!("skipped: the monitor on {MACHINE}: {reason}");
    }
    let trial = Trial::test("an_emulated_board_is_watched_and_its_recording_shows_the_same", watch);
    libtest_mimic::run(&Arguments::from_args(), vec![trial.with_ignored_flag(ignored)]).exit_code()
}

fn all(mut source: Source<'_>) -> std::io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    while source.next(Duration::from_millis(100), &mut |entry| entries.push(entry))? {}
    Ok(entries)
}

fn shown(entries: &[Entry]) -> State {
    let mut state = State::new(MACHINE.name());
    entries.iter().cloned().for_each(|entry| state.take(entry));
    state.ended = true;
    state
}

fn watch() -> Result<(), Failed> {
    let image = board::build(Image::Digits, MACHINE, Profile::Release, &board::firmware_folder())?;
    let program = Program::load(&image)?;
    let emulation = program.start(MACHINE, None)?;
    let entries = all(Source::live(emulation, program.decoder()))?;

    // What the monitor has read is what the comparison with the twin is made of.
    let mut log = board::BoardLog::default();
    entries.iter().for_each(|entry| log.add(Line::parse(&entry.text)));
    let comparison = Comparison::with_twin(MACHINE, &log)?;
    assert!(comparison.identical(), "{comparison:?}");

    let learning = entries.into_iter().filter(|entry| !entry.text.starts_with("parameters")).enumerate();
    // A second apart, so that pictures are the same every time.
    let entries: Vec<_> = learning.map(|(index, entry)| Entry { seconds: index as f64, ..entry }).collect();
    let state = shown(&entries);
    let confusion = state.confusion();
    assert_eq!((confusion.total(), confusion.labels().len()), (digits::TEST as u64, 10));
    let [(right, tested), _] = comparison.classified;
    assert_eq!((confusion.right(), confusion.total()), (right.into(), tested.into()));
    assert_eq!(state.progress(), Some((digits::TRAINING as u64, digits::TRAINING as u64)));
    assert_eq!(state.refused(), 0);

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("run.jsonl");
    let mut recorder = Recorder::create(&path, MACHINE.name())?;
    entries.iter().try_for_each(|entry| recorder.add(entry))?;
    let replayed = shown(&all(Source::replay(Recording::read(&path)?, None))?);
    assert!(replayed == state, "{}", monitor::text(&state, 110, 40));
    insta::assert_snapshot!("digits", monitor::text(&replayed, 110, 40));
    Ok(())
}

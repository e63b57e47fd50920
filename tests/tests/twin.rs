//! Whole firmware images in QEMU: every parameter that an emulated board learns has the same bits as the host twin's, on
//! five cores, in debug and release; and an image without panic functions links and learns.
//!
//! Where QEMU or a Rust target is missing, a test is reported as ignored and says why; with `BACKPASS_REQUIRE_QEMU=1` in
//! the environment it fails instead.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use backpass_app::every::{self, Trained};
use backpass_sim::board::{self, BoardError, BoardLog, Comparison, Image, Line, Machine, Profile};
use libtest_mimic::{Arguments, Failed, Trial};
use object::{Object, ObjectSection, ObjectSymbol};

const SILENCE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let required = std::env::var("BACKPASS_REQUIRE_QEMU").is_ok_and(|value| value == "1");
    let mut trials = Vec::new();
    for machine in Machine::ALL {
        let obstacle = board::check(machine).err().map(|error| error.to_string());
        let ignored = obstacle.is_some() && !required;
        if let (Some(reason), true) = (&obstacle, ignored) {
            // Straight to standard error: not captured, so that it is seen.
            let _ = writeln!(std::io::stderr(), "skipped: tests on {machine}: {reason}");
        }
        let name = format!("{machine}_learns_by_every_layer_loss_and_rule_the_same_bits_as_the_twin");
        trials.push(Trial::test(name, move || every(machine, Profile::Release)).with_ignored_flag(ignored));
        for profile in [Profile::Release, Profile::Debug] {
            let name = format!("{machine}_{}_learns_the_same_bits_as_the_twin", profile.name());
            trials.push(Trial::test(name, move || twin(machine, profile)).with_ignored_flag(ignored));
        }
        let name = format!("{machine}_image_keeps_its_memory_out_of_flash");
        trials.push(Trial::test(name, move || memory_is_in_bss(machine)).with_ignored_flag(ignored));
        let name = format!("{machine}_image_without_panic_functions_links_and_learns");
        trials.push(Trial::test(name, move || no_panic(machine)).with_ignored_flag(ignored));
    }
    // The board whose emulation has nothing below its RAM: on the others a write there is lost.
    let machine = Machine::Mps2An505;
    let ignored = board::check(machine).is_err() && !required;
    let name = format!("{machine}_stack_that_overflows_stops_the_board_and_leaves_its_statics_whole");
    trials.push(Trial::test(name, move || overflow(machine)).with_ignored_flag(ignored));
    let mut arguments = Arguments::from_args();
    // Builds share a lock and the processors; one after another they are no slower.
    arguments.test_threads.get_or_insert(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn build(image: Image, machine: Machine, profile: Profile) -> Result<PathBuf, Failed> {
    Ok(board::build(image, machine, profile, &board::firmware_folder())?)
}

fn twin(machine: Machine, profile: Profile) -> Result<(), Failed> {
    let image = build(Image::Digits, machine, profile)?;
    let mut log = BoardLog::default();
    board::run(machine, &image, SILENCE, &mut |message| log.add(Line::parse(message)))?;
    let comparison = Comparison::with_twin(machine, &log)?;
    if !comparison.identical() {
        return Err(format!("{comparison:?}").into());
    }
    // On the small board the network is small and sees a part of the images.
    let least = if machine.is_small() { 0.8 } else { 0.92 };
    if comparison.test_accuracy() < least {
        return Err(format!("accuracy {} is below {least}", comparison.test_accuracy()).into());
    }
    Ok(())
}

/// The static that holds all training RAM is zeros in `.bss`, and nothing is copied from flash into `.data` at the start.
fn memory_is_in_bss(machine: Machine) -> Result<(), Failed> {
    let bytes = std::fs::read(build(Image::Digits, machine, Profile::Release)?)?;
    let image = object::File::parse(bytes.as_slice())?;
    let bss = image.section_by_name(".bss").ok_or("no .bss")?;
    let of_memory = |symbol: &object::Symbol<'_, '_>| symbol.name().is_ok_and(|name| name.contains("MEMORY"));
    let memory = image.symbols().find(of_memory).ok_or("no static called MEMORY")?;
    if memory.section_index() != Some(bss.index()) {
        return Err("MEMORY is not in .bss".into());
    }
    let (hidden, _) = machine.size();
    let parameters = 4 * (64 * hidden + hidden + hidden * 10 + 10) as u64;
    let most = 3 * parameters + 4 * (64 + hidden as u64 + 10) + 64;
    if !(3 * parameters..=most).contains(&memory.size()) {
        return Err(format!("MEMORY has {} bytes; expected {} to {most}", memory.size(), 3 * parameters).into());
    }
    match image.section_by_name(".data").map_or(0, |data| data.size()) {
        0 => Ok(()),
        bytes => Err(format!("{bytes} bytes of .data").into()),
    }
}

/// Every layer, loss, rule and schedule: ten steps of each give the same bits here and there.
fn every(machine: Machine, profile: Profile) -> Result<(), Failed> {
    let image = build(Image::Every, machine, profile)?;
    let mut board = Vec::new();
    board::run(machine.roomy(), &image, SILENCE, &mut |message| {
        board.extend(message.strip_prefix("trained ").map(str::to_owned));
    })?;
    let mut twin = Vec::new();
    let mut note = |Trained { name, accepted, loss, crc32 }: Trained| {
        twin.push(format!("{accepted} {loss:08x} {crc32:08x} {name}"));
    };
    note(every::layers(&mut Box::new(every::Ram::new())));
    every::others(&mut note);
    let different: Vec<_> = twin.iter().zip(&board).filter(|(twin, board)| twin != board).collect();
    if board.len() != twin.len() || !different.is_empty() {
        let (board, twin) = (board.len(), twin.len());
        return Err(
            format!("{board} trainings on the board, {twin} in the twin; twin and board: {different:#?}").into()
        );
    }
    println!(
        "{machine}, {}: {} parameters of every layer, {} trainings, the same bits",
        profile.name(),
        every::PARAMETERS,
        twin.len()
    );
    Ok(())
}

fn no_panic(machine: Machine) -> Result<(), Failed> {
    let image = build(Image::NoPanic, machine, Profile::Release)?;
    let mut qemu = Command::new("qemu-system-arm");
    qemu.args(["-M", machine.roomy().name(), "-nographic", "-monitor", "none", "-serial", "null"]);
    qemu.args(["-semihosting-config", "enable=on,target=native", "-kernel"]).arg(&image).stdin(Stdio::null());
    if finish(qemu.spawn()?)? { Ok(()) } else { Err("the image ran but did not learn".into()) }
}

/// An image that overflows its stack ends with an error that says so; nothing was overwritten.
fn overflow(machine: Machine) -> Result<(), Failed> {
    let image = build(Image::Overflow, machine, Profile::Release)?;
    let mut log = Vec::new();
    let result = board::run(machine, &image, SILENCE, &mut |message| log.push(message.to_owned()));
    if !matches!(result, Err(BoardError::Failed { .. })) {
        return Err(format!("the board should have failed: {result:?}, {log:?}").into());
    }
    match log.as_slice() {
        [overflow, statics] if overflow.starts_with("stack overflow") && statics == "statics are whole" => Ok(()),
        _ => Err(format!("{log:?}").into()),
    }
}

/// Whether a program succeeds before its time is over.
fn finish(mut program: std::process::Child) -> Result<bool, Failed> {
    for _ in 0..SILENCE.as_secs() * 10 {
        if let Some(status) = program.try_wait()? {
            return Ok(status.success());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    program.kill()?;
    Err("the board did not end".into())
}

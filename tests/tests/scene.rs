//! The gesture and the anomaly application in QEMU, with what their sensor measures and their buttons coming over the emulated serial
//! line: all that they tell of, and all that they learn, has the bits of the host twin.
//!
//! Where QEMU or the Rust target is missing, a test is reported as ignored and says why; with `BACKPASS_REQUIRE_QEMU=1` in the
//! environment it fails instead.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use backpass::checkpoint::Store;
use backpass_app::ram_flash::RamFlash;
use backpass_app::scene::{self, AnomalyRam, GestureRam, Moment, Played};
use backpass_sim::board::{self, Image, Machine, Profile, Program};
use backpass_sim::world::{anomaly, gesture};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let required = std::env::var("BACKPASS_REQUIRE_QEMU").is_ok_and(|value| value == "1");
    let mut trials = Vec::new();
    // All of it takes half a minute; soft floats, thirty times as long.
    for (machine, part) in [(Machine::Mps2An386, 1), (Machine::Mps2An505, 12), (Machine::Mps2An385, 24)] {
        let obstacle = board::check(machine).err();
        let ignored = obstacle.is_some() && !required;
        if let (Some(reason), true) = (&obstacle, ignored) {
            eprintln!("skipped: scenes on {machine}: {reason}");
        }
        for name in ["gesture", "anomaly"] {
            let test = format!("{machine}_plays_{name}_like_the_twin");
            trials.push(Trial::test(test, move || play(machine, name, part)).with_ignored_flag(ignored));
        }
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Plays the first `1 / part` of a scene on a machine and in the twin.
fn play(machine: Machine, name: &str, part: usize) -> Result<(), Failed> {
    let mut moments = match name {
        "gesture" => gesture::moments(&gesture::basic_motions()),
        _ => {
            let mut moments = anomaly::moments(&anomaly::shoulder_exercises(1), scene::ANOMALY);
            // All of the learning, something normal, and the first anomaly.
            moments.truncate(2000);
            moments
        }
    };
    moments.truncate(moments.len() / part);
    let image = board::build(Image::Scene, machine, Profile::Release, &board::firmware_folder())?;
    let program = Program::load(&image)?;
    let (mut emulation, mut line) = program.start_with_serial_line(machine, None)?;
    let mut bytes = vec![name.as_bytes()[0]];
    bytes.extend(moments.iter().flat_map(Moment::to_bytes));
    bytes.extend(scene::END);
    // The board takes what it has time for, so it is waited for here.
    line.write_all(&bytes)?;
    let message = emulation.message(Duration::from_secs(300))?.ok_or("it said nothing")?;
    emulation.finish()?;
    let Played { events, events_crc32, parameters_crc32 } = twin(name, &moments);
    println!("{machine}, {name}: {} moments, {events} events, CRC-32 {parameters_crc32:08x}", moments.len());
    if events < 5 {
        return Err(format!("nothing happened: {events} events").into());
    }
    let twin = format!("played {events} {events_crc32} {parameters_crc32}");
    if message == twin { Ok(()) } else { Err(format!("the board {message}, the twin {twin}").into()) }
}

fn twin(name: &str, moments: &[Moment]) -> Played {
    let mut flash = vec![0xff; scene::FLASH as usize];
    let mut store = Store::new(RamFlash::new(&mut flash), 0..scene::FLASH).expect("whole sectors");
    let mut moments = moments.iter().copied();
    match name {
        "gesture" => scene::play_gesture(&mut Box::new(GestureRam::new()), &mut store, || moments.next()),
        _ => scene::play_anomaly(&mut Box::new(AnomalyRam::new()), &mut store, || moments.next()),
    }
}

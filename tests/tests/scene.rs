//! The gesture and the anomaly application in QEMU, with what their sensor measures and their buttons coming over the emulated serial
//! line: all that they tell of, and all that they learn, has the bits of the host twin.
//!
//! Where QEMU or the Rust target is missing, a test is reported as ignored and says why; with `BACKPASS_REQUIRE_QEMU=1` in the
//! environment it fails instead.

use std::process::ExitCode;

use backpass_app::scene::Moment;
use backpass_sim::board::{self, Image, Machine, Profile, scene};
use backpass_sim::world::{BoardSensor, anomaly, gesture};
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
    let sensor = BoardSensor::Mpu6050;
    let mut moments = Vec::new();
    let (scene, parameters_crc32) = match name {
        "gesture" => {
            let (scenario, settings) = (gesture::basic_motions(), backpass_app::gesture::Settings::at_rate(10));
            let outcome = gesture::run(&scenario, sensor, settings, &mut |moment| moments.extend(moment.given));
            (gesture::scene(&scenario, sensor, settings), outcome.parameters_crc32)
        }
        _ => {
            let settings = backpass_app::anomaly::Settings::at_rate(25, 30);
            let scenario = anomaly::shoulder_exercises(1);
            let outcome = anomaly::run(&scenario, sensor, settings, &mut |moment| moments.extend(moment.given));
            (anomaly::scene(sensor, settings), outcome.parameters_crc32)
        }
    };
    let twin = |moments: &[Moment]| scene::twin(&scene, moments).ok_or("the twin knows no such application");
    // What is played is what the simulated board was given.
    let whole = twin(&moments)?;
    if whole.parameters_crc32 != parameters_crc32 {
        return Err(format!("played: {whole:?}, simulated: CRC-32 {parameters_crc32:08x}").into());
    }
    if name == "anomaly" {
        // All of the learning, something normal, and the first anomaly.
        moments.truncate(2000);
    }
    moments.truncate(moments.len() / part);
    let image = board::build(Image::Scene, machine, Profile::Release, &board::firmware_folder())?;
    let board = scene::play(machine, &image, &scene, &moments, &mut |_| {})?;
    let twin = twin(&moments)?;
    println!(
        "{machine}, {name}: {} moments, {} events, CRC-32 {:08x}",
        moments.len(),
        twin.events,
        twin.parameters_crc32
    );
    if twin.events < 5 {
        return Err(format!("nothing happened: {twin:?}").into());
    }
    if board == twin { Ok(()) } else { Err(format!("the board {board:?}, the twin {twin:?}").into()) }
}

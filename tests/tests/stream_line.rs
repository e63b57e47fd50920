//! Learning over a serial line: over a bad one the same bits as over none, on the host and in QEMU.
//!
//! Where QEMU or the Rust target is missing, its test is reported as ignored and says why; with `BACKPASS_REQUIRE_QEMU=1` in the
//! environment it fails instead.

use std::process::ExitCode;
use std::time::Duration;

use backpass::{Adam, CrossEntropy, Learner, Rng};
use backpass_app::parameters_crc32;
use backpass_app::stream::{Input, LEARNING_RATE, Network, Ram, Refusal, Request, SEED};
use backpass_sim::board::{self, Image, Machine, Profile, Program};
use backpass_sim::devices::LineFaults;
use backpass_sim::link::{Client, Faulty, Line, LinkError, Twin, TwinMemory};
use libtest_mimic::{Arguments, Failed, Trial};

const MACHINE: Machine = Machine::Mps2An386;
const BAD: LineFaults = LineFaults { lose: 0.05, damage: 0.05, duplicate: 0.05, reorder: 0.05 };

fn main() -> ExitCode {
    let required = std::env::var("BACKPASS_REQUIRE_QEMU").is_ok_and(|value| value == "1");
    let obstacle = board::check(MACHINE).err();
    let ignored = obstacle.is_some() && !required;
    if let (Some(reason), true) = (&obstacle, ignored) {
        eprintln!("skipped: the stream on {MACHINE}: {reason}");
    }
    let trials = vec![
        Trial::test("a_bad_line_costs_no_bit", || bad_line().map_err(Failed::from)),
        Trial::test("parameters_and_checkpoints_survive_a_bad_line_and_a_reset", || {
            weights_and_checkpoints().map_err(Failed::from)
        }),
        Trial::test(format!("{MACHINE}_learns_over_its_serial_line_the_same_bits_as_the_twin"), || {
            emulated().map_err(Failed::from)
        })
        .with_ignored_flag(ignored),
    ];
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn samples(count: usize) -> Vec<(Input, u32)> {
    let mut rng = Rng::new(7);
    let sample = |_| {
        let class = rng.below(10);
        let mut number = || rng.below(2001) as f32 * 1e-3 - 1.0;
        (std::array::from_fn(|_| std::array::from_fn(|_| number() + 0.1 * class as f32)), class)
    };
    (0..count).map(sample).collect()
}

/// The CRC-32 of parameters trained without a line, and the losses.
fn direct(samples: &[(Input, u32)]) -> (u32, Vec<u32>) {
    let mut memory = Box::new(Ram::new());
    let mut learner = Learner::new(&mut memory, Network::default(), CrossEntropy, Adam::new(LEARNING_RATE));
    learner.initialize(SEED);
    let train = |(sample, class): &(Input, u32)| learner.train(sample, &(*class as usize)).unwrap().to_bits();
    let losses = samples.iter().map(train).collect();
    (parameters_crc32(learner.params()), losses)
}

fn over<L: Line>(client: &mut Client<L>, samples: &[(Input, u32)]) -> Result<(u32, Vec<u32>)> {
    let mut losses = Vec::new();
    for (sample, class) in samples {
        losses.push(client.train(sample.as_flattened(), *class)?.loss.to_bits());
    }
    Ok((client.status()?.0, losses))
}

fn bad_line() -> Result<()> {
    let samples = samples(2000);
    let mut memory = TwinMemory::new();
    let mut client = Client::connect(Faulty::new(Twin::new(&mut memory), BAD, 1))?;
    assert_eq!(over(&mut client, &samples)?, direct(&samples));
    let counters = client.status()?.1;
    assert_eq!((counters.observed, counters.refused), (2000, 0));
    assert!(client.repeated() > 200 && counters.damaged > 50 && counters.duplicates > 50, "{counters:?}");
    Ok(())
}

fn weights_and_checkpoints() -> Result<()> {
    let samples = samples(20);
    let mut memory = TwinMemory::new();
    let mut client = Client::connect(Faulty::new(Twin::new(&mut memory), BAD, 2))?;
    over(&mut client, &samples)?;
    let (crc, read) = (client.status()?.0, client.read_parameters()?);
    client.save()?;
    let fresh = client.reset(9)?;
    assert_ne!(fresh, crc);
    client.write_parameters(&read)?;
    assert_eq!(client.status()?.0, crc);
    client.reset(9)?;
    let bad: Vec<f32> = read.iter().map(|_| f32::NAN).collect();
    let refused = client.write_parameters(&bad);
    assert!(matches!(refused, Err(LinkError::Refused(Refusal::Parameter { index: 0 }))), "{refused:?}");
    assert_eq!(client.status()?.0, fresh);
    // Longer than the board's buffer.
    let long = client.ask(Request::Predict, &[0.0; 400]);
    assert!(matches!(long, Err(LinkError::Refused(Refusal::TooLong { most: 1024 }))), "{long:?}");
    assert_eq!(client.load()?, crc);
    drop(client);
    // Switched off and on: the board goes on from its flash.
    let mut client = Client::connect(Twin::new(&mut memory))?;
    assert_eq!((client.status()?.0, client.hello().all().counters.observed), (crc, 20));
    Ok(())
}

fn emulated() -> Result<()> {
    let samples = samples(60);
    let image = board::build(Image::Stream, MACHINE, Profile::Release, &board::firmware_folder())?;
    let program = Program::load(&image)?;
    let (emulation, line) = program.start_with_serial_line(MACHINE, None)?;
    let mut client = Client::connect(Faulty::new(line, BAD, 3))?;
    client.set_patience(Duration::from_millis(150), 100);
    assert_eq!(over(&mut client, &samples)?, direct(&samples));
    let mut memory = TwinMemory::new();
    let mut twin = Client::connect(Twin::new(&mut memory))?;
    over(&mut twin, &samples)?;
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    assert_eq!(bits(client.read_parameters()?), bits(twin.read_parameters()?));
    assert_eq!(client.save()?, twin.save()?);
    let crc = client.status()?.0;
    client.reset(5)?;
    assert_eq!(client.load()?, crc);
    drop(emulation);
    Ok(())
}

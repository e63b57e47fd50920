//! The loops that are written twice: on every emulated core with an FPU, its instructions give the bits that plain Rust gives.
//! And square roots, which that FPU takes by one instruction, are exactly rounded in plain Rust too.
//!
//! Where QEMU or a Rust target is missing, a test is reported as ignored and says why; with `BACKPASS_REQUIRE_QEMU=1` in
//! the environment it fails instead.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use backpass::Rng;
use backpass_sim::board::{self, Image, Machine, Profile};
use libtest_mimic::{Arguments, Failed, Trial};

/// With an FPU.
const MACHINES: [Machine; 3] = [Machine::Mps2An386, Machine::Mps2An500, Machine::Mps2An505];
const SILENCE: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let required = std::env::var("BACKPASS_REQUIRE_QEMU").is_ok_and(|value| value == "1");
    let mut trials = vec![Trial::test("square_roots_are_exactly_rounded", roots)];
    for machine in MACHINES {
        let obstacle = board::check(machine).err().map(|error| error.to_string());
        let ignored = obstacle.is_some() && !required;
        if let (Some(reason), true) = (&obstacle, ignored) {
            // Straight to standard error: not captured, so that it is seen.
            let _ = writeln!(std::io::stderr(), "skipped: the loops of the FPU on {machine}: {reason}");
        }
        let name = format!("{machine}_computes_the_bits_of_plain_rust_in_its_own_instructions");
        trials.push(Trial::test(name, move || compare(machine)).with_ignored_flag(ignored));
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Every function that there is twice was compared, and none differed.
fn compare(machine: Machine) -> Result<(), Failed> {
    let image = board::build(Image::Arch, machine, Profile::Release, &board::firmware_folder())?;
    let (mut compared, mut cases, mut values, mut said) = (BTreeSet::new(), 0, 0, Vec::new());
    let mut result = Ok(());
    let ran = board::run(machine, &image, SILENCE, &mut |message| match message.strip_prefix("compared ") {
        Some(line) => match line.split(' ').collect::<Vec<_>>().as_slice() {
            [name, of, elements, "0"] if elements.parse() != Ok(0) => {
                compared.insert((*name).to_owned());
                cases += of.parse::<u64>().unwrap_or(0);
                values += elements.parse::<u64>().unwrap_or(0);
            }
            _ => result = Err(format!("not the same bits: {line}")),
        },
        None => said.push(message.to_owned()),
    });
    result.map_err(|error| format!("{error}\n{}", said.join("\n")))?;
    ran.map_err(|error| format!("{error}\n{}", said.join("\n")))?;
    let (functions, compared_count) = (functions()?, compared.len());
    let missing: Vec<_> = functions.difference(&compared).collect();
    if !missing.is_empty() {
        return Err(format!("not compared by firmware/qemu/src/bin/arch.rs: {missing:?}").into());
    }
    println!("{machine}: {compared_count} functions, {cases} cases, {values} values, the same bits");
    Ok(())
}

/// The functions in plain Rust that are there for all platforms, from their source.
fn functions() -> Result<BTreeSet<String>, Failed> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/arch/src");
    let mut functions = BTreeSet::new();
    let mut files = vec![source.join("portable.rs")];
    for file in std::fs::read_dir(source.join("portable"))? {
        files.push(file?.path());
    }
    for file in files {
        for line in std::fs::read_to_string(file)?.lines() {
            if let Some(rest) = line.strip_prefix("pub fn ") {
                functions.extend(rest.split(['(', '<']).next().map(str::to_owned));
            }
        }
    }
    // There is one of it.
    functions.remove("join");
    if functions.len() < 10 { Err(format!("only {functions:?}").into()) } else { Ok(functions) }
}

/// Each sign and exponent with 2^15 mantissas, their last bits random; and numbers around squares, whose roots are near a tie.
fn roots() -> Result<(), Failed> {
    let mut rng = Rng::new(1);
    let sample = (0..1_u32 << 24).map(|high| high << 8 | rng.below(256));
    let squares = (1..1_u32 << 12).flat_map(|root| {
        let square = (root as f32 * root as f32).to_bits();
        [square - 1, square, square + 1]
    });
    for bits in sample.chain(squares) {
        let x = f32::from_bits(bits);
        let (root, libm, std) = (backpass_arch::portable::sqrt(x), libm::sqrtf(x), x.sqrt());
        let same = |other: f32| root.to_bits() == other.to_bits() || (root.is_nan() && other.is_nan());
        if !same(libm) || !same(std) || !same(backpass_arch::sqrt(x)) {
            return Err(format!("the root of {bits:08x} is {root}, {libm} by libm, {std} by std").into());
        }
    }
    Ok(())
}

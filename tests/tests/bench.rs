//! Counts of training steps under the project's own QEMU plugin are exact: they repeat, and a profile adds up to them.
//!
//! Where QEMU, its plugins or a Rust target are missing, a test is reported as ignored and says why; with
//! `BACKPASS_REQUIRE_QEMU=1` in the environment it fails instead.

use std::io::Write;
use std::process::ExitCode;

use backpass_sim::bench::{self, Board, Core, Meter, OptLevel, WORKLOADS, Workload};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let required = std::env::var("BACKPASS_REQUIRE_QEMU").is_ok_and(|value| value == "1");
    let obstacle = obstacle();
    let ignored = obstacle.is_some() && !required;
    if let (Some(reason), true) = (&obstacle, ignored) {
        // Straight to standard error: not captured, so that it is seen.
        let _ = writeln!(std::io::stderr(), "skipped: counts of instructions: {reason}");
    }
    let trials = vec![
        Trial::test("counts_repeat_exactly", repeat).with_ignored_flag(ignored),
        Trial::test("a_profile_adds_up_to_the_counts", profile_adds_up).with_ignored_flag(ignored),
        Trial::test("every_core_counts_and_soft_floats_cost_more", every_core).with_ignored_flag(ignored),
        Trial::test("optimising_for_size_makes_the_image_smaller", size).with_ignored_flag(ignored),
    ];
    let mut arguments = Arguments::from_args();
    // One image at a time is built in a core's folder.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// What keeps the tests from running.
fn obstacle() -> Option<String> {
    let meter = match Meter::new(OptLevel::Speed) {
        Ok(meter) => meter,
        Err(error) => return Some(error.to_string()),
    };
    let build = |core: Core| meter.build(workload("W1").ok()?, core.board()?).err().map(|error| error.to_string());
    Core::EMULATED.into_iter().find_map(build)
}

fn workload(name: &str) -> Result<&'static Workload, Failed> {
    WORKLOADS.iter().find(|workload| workload.name == name).ok_or_else(|| format!("no workload {name}").into())
}

fn board(core: Core) -> Result<Board, Failed> {
    core.board().ok_or_else(|| "a core without a board".into())
}

fn same<T: PartialEq + std::fmt::Debug>(a: T, b: T) -> Result<(), Failed> {
    if a == b { Ok(()) } else { Err(format!("{a:?} and {b:?}").into()) }
}

fn repeat() -> Result<(), Failed> {
    let count =
        || Meter::new(OptLevel::Speed)?.count(workload("W1")?, Core::M4f, board(Core::M4f)?).map_err(Failed::from);
    let ((first, _, first_counts), (second, _, second_counts)) = (count()?, count()?);
    same(&first, &second)?;
    same(&first_counts, &second_counts)?;
    // Multiplications and additions of one sample, forward and backward, are a part of the instructions.
    let instructions = first.instructions.unwrap_or(0);
    if instructions < 2 * 2368 || first.cycles.unwrap_or(0) < instructions {
        return Err(format!("too few: {first:?}").into());
    }
    same(first.ram_bytes, 19_728)
}

fn profile_adds_up() -> Result<(), Failed> {
    let meter = Meter::new(OptLevel::Speed)?;
    let (row, image, counts) = meter.count(workload("W1")?, Core::M4f, board(Core::M4f)?)?;
    let profile = bench::profile(&image, &counts, meter.root())?;
    for part in [&profile.functions, &profile.lines] {
        let sum: f64 = part.iter().map(|(_, cost)| cost.instructions).sum();
        same(Some(sum.round() as u64), row.instructions)?;
    }
    let (most, _) = profile.functions.first().ok_or("no functions")?;
    if !most.contains("backpass::kernel") { Err(format!("most is in {most}").into()) } else { Ok(()) }
}

fn every_core() -> Result<(), Failed> {
    let meter = Meter::new(OptLevel::Speed)?;
    let mut counts = Vec::new();
    for core in Core::EMULATED {
        let (row, ..) = meter.count(workload("W1")?, core, board(core)?)?;
        same(row.cycles.is_some(), core == Core::M4f)?;
        counts.push(row.instructions.unwrap_or(0));
    }
    let [m0, m3, hard @ ..] = counts.as_slice() else { return Err("five cores".into()) };
    let most = hard.iter().max().copied().unwrap_or(0);
    if m0 > m3 && *m3 > 5 * most { Ok(()) } else { Err(format!("{counts:?}").into()) }
}

fn size() -> Result<(), Failed> {
    let bytes = |opt_level| -> Result<u64, Failed> {
        let meter = Meter::new(opt_level)?;
        Ok(meter.build(workload("W1")?, board(Core::M4f)?)?.text_bytes()?)
    };
    let (speed, size) = (bytes(OptLevel::Speed)?, bytes(OptLevel::Size)?);
    if size < speed { Ok(()) } else { Err(format!("{speed} bytes for speed, {size} for size").into()) }
}

//! Counts of training steps under the project's own QEMU plugin are exact: they repeat, and a profile adds up to them.
//!
//! Where QEMU, its plugins or a Rust target are missing, a test is reported as ignored and says why; with
//! `BACKPASS_REQUIRE_QEMU=1` in the environment it fails instead.

use std::io::Write;
use std::process::ExitCode;

use backpass_sim::bench::{self, Board, Core, Job, Meter, OptLevel, WORKLOADS, Workload};
use libtest_mimic::{Arguments, Failed, Trial};
use object::{Object, ObjectSymbol};

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
        Trial::test("many_are_counted_as_one_by_one", many).with_ignored_flag(ignored),
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
    let meter = match Meter::new() {
        Ok(meter) => meter,
        Err(error) => return Some(error.to_string()),
    };
    let build = |core: Core| {
        let built = meter.build(workload("W1", "gradients").ok()?, core.board()?, OptLevel::Speed);
        built.err().map(|error| error.to_string())
    };
    Core::EMULATED.into_iter().find_map(build)
}

fn workload(name: &str, memory: &str) -> Result<&'static Workload, Failed> {
    let found = WORKLOADS.iter().find(|workload| workload.name == name && workload.memory == memory);
    found.ok_or_else(|| format!("no workload {name}").into())
}

fn board(core: Core) -> Result<Board, Failed> {
    core.board().ok_or_else(|| "a core without a board".into())
}

fn job(memory: &str, core: Core) -> Result<Job, Failed> {
    Ok(Job { workload: workload("W1", memory)?, core, board: board(core)?, opt_level: OptLevel::Speed })
}

fn same<T: PartialEq + std::fmt::Debug>(a: T, b: T) -> Result<(), Failed> {
    if a == b { Ok(()) } else { Err(format!("{a:?} and {b:?}").into()) }
}

fn repeat() -> Result<(), Failed> {
    let count = || Meter::new()?.count(&job("gradients", Core::M4f)?).map_err(Failed::from);
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

fn many() -> Result<(), Failed> {
    let meter = Meter::new()?;
    let jobs = [job("gradients", Core::M4f)?, job("in-place", Core::M4f)?, job("gradients", Core::M33)?];
    let (mut begun, mut rows) = (0, Vec::new());
    meter.count_all::<Failed>(
        &jobs,
        |_| begun += 1,
        |_, row, _, _| {
            rows.push(row);
            Ok(())
        },
    )?;
    same(begun, jobs.len())?;
    for (job, row) in jobs.iter().zip(&rows) {
        same(&meter.count(job)?.0, row)?;
    }
    let [gradients, in_place, _] = rows.as_slice() else { return Err("three rows".into()) };
    same(in_place.ram_bytes, gradients.ram_bytes - 4 * 2410)?;
    if in_place.instructions < gradients.instructions { Ok(()) } else { Err(format!("{rows:?}").into()) }
}

fn profile_adds_up() -> Result<(), Failed> {
    let meter = Meter::new()?;
    let (row, image, counts) = meter.count(&job("gradients", Core::M4f)?)?;
    let profile = bench::profile(&image, &counts, meter.root())?;
    for part in [&profile.functions, &profile.lines] {
        let sum: f64 = part.iter().map(|(_, cost)| cost.instructions).sum();
        same(Some(sum.round() as u64), row.instructions)?;
    }
    let (most, _) = profile.functions.first().ok_or("no functions")?;
    if !most.starts_with("backpass") { Err(format!("most is in {most}").into()) } else { Ok(()) }
}

fn every_core() -> Result<(), Failed> {
    let meter = Meter::new()?;
    let mut counts = Vec::new();
    for core in Core::EMULATED {
        let (row, image, _) = meter.count(&job("gradients", core)?)?;
        same(row.cycles.is_some(), core == Core::M4f)?;
        // The host says how large the memory is: the board has that, a sample and its class.
        let elf = image.parse()?;
        let ram = elf.symbols().find(|symbol| symbol.name().is_ok_and(|name| name.contains("3RAM")));
        let ram = ram.ok_or("no static called RAM")?.size();
        if !(row.ram_bytes + 260..row.ram_bytes + 272).contains(&ram) {
            return Err(format!("{ram} bytes in the image, {row:?}").into());
        }
        counts.push(row.instructions.unwrap_or(0));
    }
    let [m0, m3, hard @ ..] = counts.as_slice() else { return Err("five cores".into()) };
    let most = hard.iter().max().copied().unwrap_or(0);
    if m0 > m3 && *m3 > 5 * most { Ok(()) } else { Err(format!("{counts:?}").into()) }
}

fn size() -> Result<(), Failed> {
    let bytes = |opt_level| -> Result<u64, Failed> {
        Ok(Meter::new()?.build(workload("W1", "gradients")?, board(Core::M4f)?, opt_level)?.text_bytes()?)
    };
    let (speed, size) = (bytes(OptLevel::Speed)?, bytes(OptLevel::Size)?);
    if size < speed { Ok(()) } else { Err(format!("{speed} bytes for speed, {size} for size").into()) }
}

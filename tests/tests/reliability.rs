//! Every check of `backpass-sim reliability`, with a part of its numbers.
//!
//! Where QEMU or a Rust target is missing, a test that needs it is reported as ignored and says why; with
//! `BACKPASS_REQUIRE_QEMU=1` in the environment it fails instead.

use std::io::Write;
use std::process::ExitCode;

use backpass_sim::reliability::{CHECKS, Check, Effort};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let required = std::env::var("BACKPASS_REQUIRE_QEMU").is_ok_and(|value| value == "1");
    let trial = |check: &'static Check| {
        let obstacle = check.obstacle();
        let ignored = obstacle.is_some() && !required;
        if let (Some(reason), true) = (&obstacle, ignored) {
            // Straight to standard error: not captured, so that it is seen.
            let _ = writeln!(std::io::stderr(), "skipped: {}: {reason}", check.name);
        }
        Trial::test(check.name.replace('-', "_"), move || run(check)).with_ignored_flag(ignored)
    };
    let mut arguments = Arguments::from_args();
    // One with an emulated board needs the processors for itself.
    arguments.test_threads.get_or_insert(1);
    libtest_mimic::run(&arguments, CHECKS.iter().map(trial).collect()).exit_code()
}

fn run(check: &Check) -> Result<(), Failed> {
    let tally = (check.run)(Effort::Quick, &mut |_, _| {})?;
    println!("{}: {} tried, {} failed; {}", check.name, tally.tried, tally.failed, tally.note);
    if tally.is_passed() { Ok(()) } else { Err(format!("{tally:?}").into()) }
}

//! `reliability`: faults tried by the hundred thousand.

use std::error::Error;
use std::process::ExitCode;

use backpass_sim::reliability::{CHECKS, Check, CheckError, Effort, Tally};
use clap::Args;
use serde_json::json;

use super::screen::{Screen, thousands};

/// Options of `reliability`.
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(crate) struct Reliability {
    /// Checks [default: all]
    #[arg(value_name = "CHECK", value_parser = named)]
    checks: Vec<&'static Check>,
    /// Try a small part of everything
    #[arg(long)]
    quick: bool,
    /// Print one JSON object a check instead of the table: check, tried, failed, note, or left_out with the reason
    #[arg(long)]
    json: bool,
}

fn after_help() -> String {
    let checks: Vec<String> = CHECKS.iter().map(|check| format!("  {:<18} {}", check.name, check.about)).collect();
    format!(
        "Checks:\n{}\n\nExamples:
  backpass-sim reliability                      everything: some minutes
  backpass-sim reliability --quick --json       a small part of everything, for programs
  backpass-sim reliability power-cuts           one check

What needs QEMU or a Rust target that is not installed is left out, and the table says so; with BACKPASS_REQUIRE_QEMU=1 in
the environment that is a failure. BACKPASS_FIRMWARE_TOOLCHAIN names a Rust toolchain with the thumb targets, if the
default one has none.
The exit code is 1 if anything failed, and 2 if a check could not be done.",
        checks.join("\n")
    )
}

fn named(name: &str) -> Result<&'static Check, String> {
    CHECKS.iter().find(|check| check.name == name).ok_or_else(|| {
        let names: Vec<_> = CHECKS.iter().map(|check| check.name).collect();
        format!("there are {}", names.join(", "))
    })
}

impl Reliability {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let checks = if self.checks.is_empty() { CHECKS.iter().collect() } else { self.checks };
        let effort = if self.quick { Effort::Quick } else { Effort::Full };
        let required = std::env::var("BACKPASS_REQUIRE_QEMU").is_ok_and(|value| value == "1");
        let mut screen = Screen::new(false);
        if !self.json {
            screen.line(format!("{:<18} {:>12} {:>8}  ", "check", "tried", "failed"));
        }
        let mut worst = Verdict::Passed;
        for check in checks {
            screen.wait(format!("{}: {}", check.name, check.about));
            let mut shown = None;
            let result = match check.obstacle() {
                Some(obstacle) => Err(CheckError::Missing(obstacle)),
                None => (check.run)(effort, &mut |done, of| {
                    if shown != Some(of) {
                        screen.start(of, check.name);
                        shown = Some(of);
                    }
                    screen.progress(done, String::new());
                }),
            };
            screen.finish();
            worst = worst.max(Verdict::of(&result, required));
            if self.json {
                screen.json(&object(check, &result));
            } else {
                screen.line(row(check, &result));
            }
        }
        Ok(ExitCode::from(worst as u8))
    }
}

/// How bad it is; as a number the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Passed = 0,
    Failed = 1,
    Broken = 2,
}

impl Verdict {
    fn of(result: &Result<Tally, CheckError>, required: bool) -> Self {
        match result {
            Ok(tally) if tally.is_passed() => Self::Passed,
            Err(CheckError::Missing(_)) if !required => Self::Passed,
            Ok(_) | Err(CheckError::Missing(_)) => Self::Failed,
            Err(_) => Self::Broken,
        }
    }
}

fn object(check: &Check, result: &Result<Tally, CheckError>) -> serde_json::Value {
    let name = check.name;
    match result {
        Ok(Tally { tried, failed, note, failures }) if failures.is_empty() => {
            json!({ "check": name, "tried": tried, "failed": failed, "note": note })
        }
        Ok(Tally { tried, failed, note, failures }) => {
            json!({ "check": name, "tried": tried, "failed": failed, "note": note, "failures": failures })
        }
        Err(CheckError::Missing(reason)) => json!({ "check": name, "tried": 0, "failed": 0, "left_out": reason }),
        Err(error) => json!({ "check": name, "tried": 0, "failed": 0, "error": error.to_string() }),
    }
}

fn row(check: &Check, result: &Result<Tally, CheckError>) -> String {
    let name = check.name;
    match result {
        Ok(Tally { tried, failed, note, failures }) => {
            let count = |number: u64| thousands(usize::try_from(number).unwrap_or(usize::MAX));
            let mut text = format!("{name:<18} {:>12} {:>8}  {note}", count(*tried), count(*failed));
            for failure in failures {
                text += &format!("\n    FAILED: {failure}");
            }
            if *tried == 0 {
                text += "\n    FAILED: nothing was tried";
            }
            text
        }
        Err(CheckError::Missing(reason)) => format!("{name:<18} {:>12} {:>8}  left out: {reason}", "-", "-"),
        Err(error) => format!("{name:<18} {:>12} {:>8}  COULD NOT BE DONE: {error}", "-", "-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK: Check = Check { name: "kills", about: "", machine: None, run: |_, _| Ok(Tally::default()) };

    fn tally(tried: u64, failed: u64) -> Result<Tally, CheckError> {
        let failures = (0..failed).map(|number| format!("number {number}")).collect();
        Ok(Tally { tried, failed, note: "seen".to_owned(), failures })
    }

    #[test]
    fn the_exit_code_is_that_of_the_worst() {
        let missing = || Err(CheckError::Missing("QEMU".to_owned()));
        assert_eq!(Verdict::of(&tally(3, 0), true), Verdict::Passed);
        assert_eq!(Verdict::of(&tally(3, 1), false), Verdict::Failed);
        assert_eq!(Verdict::of(&tally(0, 0), false), Verdict::Failed, "nothing was tried");
        assert_eq!(Verdict::of(&missing(), false), Verdict::Passed);
        assert_eq!(Verdict::of(&missing(), true), Verdict::Failed);
        assert_eq!(Verdict::of(&Err(CheckError::Broken(String::new())), false), Verdict::Broken);
    }

    #[test]
    fn a_row_has_the_figures_and_the_failures() {
        let text = row(&CHECK, &tally(123_456, 2));
        for part in ["kills", "123,456", "seen", "number 0", "number 1"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(row(&CHECK, &Err(CheckError::Missing("no QEMU".to_owned()))).contains("left out: no QEMU"));
        assert_eq!(object(&CHECK, &tally(5, 0)), json!({ "check": "kills", "tried": 5, "failed": 0, "note": "seen" }));
    }
}

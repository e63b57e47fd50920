//! How much stack each operation of a learner needs, measured on emulated boards by painting, for each example network; and the
//! largest copy of memory that it made.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::{Check, CheckError, Effort, Progress, Tally};
use crate::board::{self, Image, Machine, Profile};

/// The row of the table.
pub(super) const CHECK: Check = Check {
    name: "stack",
    about: "peak stack of each operation of each example network: at most 1 KB for MLPs and 2 KB for others",
    machine: Some(Machine::Mps2An386),
    run,
};

const SILENCE: Duration = Duration::from_secs(300);

/// Bytes of stack that an operation of an MLP may need.
pub const STACK_OF_MLPS: usize = 1024;
/// Bytes of stack that an operation of another network may need.
pub const STACK_OF_OTHERS: usize = 2048;

/// Bytes of stack that a network may need.
fn limit(network: &str) -> usize {
    if network.starts_with("MLP") { STACK_OF_MLPS } else { STACK_OF_OTHERS }
}

fn run(effort: Effort, progress: &mut Progress<'_>) -> Result<Tally, CheckError> {
    let mut tally = Tally::default();
    let machines: &[_] = match effort {
        Effort::Quick => &[Machine::Mps2An386],
        Effort::Full => &[Machine::Mps2An386, Machine::Microbit],
    };
    for (done, machine) in machines.iter().enumerate() {
        progress(done as u64, machines.len() as u64);
        measure(*machine, &mut tally)?;
    }
    Ok(tally)
}

/// One operation, as the board reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Measured {
    operation: String,
    done: bool,
    stack: usize,
    copied: usize,
    parameters: usize,
    /// The size of the `Memory`.
    total: usize,
    network: String,
}

impl Measured {
    /// Reads `stack observe true 384 copied 0 parameters 9640 total 19728 of digits`.
    fn parse(message: &str) -> Option<Self> {
        let (numbers, network) = message.strip_prefix("stack ")?.split_once(" of ")?;
        let words: Vec<_> = numbers.split(' ').collect();
        let [operation, done, stack, "copied", copied, "parameters", parameters, "total", total] = *words.as_slice()
        else {
            return None;
        };
        Some(Self {
            operation: operation.to_owned(),
            done: done.parse().ok()?,
            stack: stack.parse().ok()?,
            copied: copied.parse().ok()?,
            parameters: parameters.parse().ok()?,
            total: total.parse().ok()?,
            network: network.to_owned(),
        })
    }

    /// What is wrong with it, if something is.
    fn judge(&self) -> Result<(), String> {
        let Self { operation, done, stack, copied, parameters, network, .. } = self;
        let limit = limit(network);
        let what = format!("{operation} of {network}");
        match () {
            () if !done => Err(format!("{what} was refused")),
            () if *stack > limit => Err(format!("{what} needs {stack} bytes of stack, more than {limit}")),
            () if *stack == 0 => Err(format!("{what} needs no stack: it was not measured")),
            () if copied >= parameters => {
                Err(format!("{what} copies {copied} bytes; the parameters have {parameters}"))
            }
            () => Ok(()),
        }
    }
}

/// Runs the image on a machine.
fn measure(machine: Machine, tally: &mut Tally) -> Result<(), CheckError> {
    let image = board::build(Image::Stack, machine, Profile::Release, &board::firmware_folder())?;
    let (mut all, mut strange) = (Vec::new(), Vec::new());
    board::run(machine.roomy(), &image, SILENCE, &mut |message| match Measured::parse(message) {
        Some(measured) => all.push(measured),
        None => strange.push(message.to_owned()),
    })?;
    if let Some(message) = strange.first() {
        return Err(CheckError::Broken(format!("{machine} says {message:?}")));
    }
    for measured in &all {
        tally.count(measured.judge().map_err(|failure| format!("{machine}: {failure}")));
    }
    if !tally.note.is_empty() {
        tally.note.push('\n');
    }
    tally.note += &table(machine, &all);
    Ok(())
}

/// Bytes, network by network: RAM, and the most that each operation needs.
fn table(machine: Machine, all: &[Measured]) -> String {
    let peak = |mlp: bool| {
        all.iter().filter(|m| (limit(&m.network) == STACK_OF_MLPS) == mlp).map(|m| m.stack).max().unwrap_or(0)
    };
    let copied = all.iter().map(|measured| measured.copied).max().unwrap_or(0);
    let mut text = format!(
        "{} ({machine}): at most {} bytes for MLPs, {} for others; no copy of more than {copied} bytes",
        machine.core(),
        peak(true),
        peak(false),
    );
    let mut networks: Vec<&str> = Vec::new();
    for measured in all {
        if !networks.contains(&measured.network.as_str()) {
            networks.push(&measured.network);
        }
    }
    for network in networks {
        let of: Vec<_> = all.iter().filter(|measured| measured.network == network).collect();
        let mut peaks: BTreeMap<&str, usize> = BTreeMap::new();
        for measured in &of {
            let peak = peaks.entry(&measured.operation).or_default();
            *peak = measured.stack.max(*peak);
        }
        let total = of.first().map_or(0, |measured| measured.total);
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {network}: memory {total}; stack");
        for (operation, stack) in peaks {
            let _ = write!(text, " {operation} {stack}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "stack observe true 384 copied 0 parameters 9640 total 19728 of MLP digits 64-32-10, Adam";

    fn with(from: &str, to: &str) -> Result<(), String> {
        Measured::parse(&MESSAGE.replace(from, to)).unwrap().judge()
    }

    #[test]
    fn what_the_board_says_is_read_and_judged() {
        let measured = Measured::parse(MESSAGE).unwrap();
        assert_eq!(
            (measured.stack, measured.total, measured.network.as_str()),
            (384, 19728, "MLP digits 64-32-10, Adam")
        );
        assert_eq!(measured.judge(), Ok(()));
        assert_eq!(Measured::parse("stack observe true"), None);
        assert!(with("384", "1025").is_err() && with("384", "0").is_err() && with("true", "false").is_err());
        assert!(with("copied 0", "copied 9640").is_err());
        assert!(with("384", "1025").is_err());
        let other = |stack: &str| with("MLP digits 64-32-10", "recurrent").and(with("384", stack));
        assert!(other("384").is_ok());
        assert_eq!(Measured::parse(&MESSAGE.replace("MLP d", "d").replace("384", "2048")).unwrap().judge(), Ok(()));
        assert!(Measured::parse(&MESSAGE.replace("MLP d", "d").replace("384", "2049")).unwrap().judge().is_err());
    }

    #[test]
    fn the_table_has_the_most_of_each_operation() {
        let lines = [
            "stack observe true 4 copied 0 parameters 9 total 30 of a",
            "stack observe true 8 copied 0 parameters 9 total 30 of a",
        ];
        let all: Vec<_> = lines.iter().filter_map(|line| Measured::parse(line)).collect();
        assert!(table(Machine::Mps2An386, &all).ends_with("  a: memory 30; stack observe 8"));
    }
}

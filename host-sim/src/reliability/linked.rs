//! What is linked into an image that uses every layer, loss, rule and schedule: no panic, no arithmetic in f64, no allocator; and
//! no copy of a whole network while it learns.
//!
//! Images are linked in release, and what nothing reaches is left out (`--gc-sections`), so a symbol that is not there cannot be
//! called. A build without optimisation is exempt: there the standard library's iterators keep checks that can never fail.

use std::time::Duration;

use backpass_app::every;
use object::{Object, ObjectSymbol, SymbolKind};
use rustc_demangle::demangle;

use super::{Check, CheckError, Effort, Progress, Tally};
use crate::board::{self, Image, Machine, Profile};

/// The row of the table.
pub(super) const CHECK: Check = Check {
    name: "linked",
    about: "functions of an image with every layer, loss and optimizer: no panic, no f64, no allocator, no copy of a network",
    machine: Some(Machine::Mps2An386),
    run,
};

/// One core with an FPU, and the smallest one.
const MACHINES: [Machine; 2] = [Machine::Mps2An386, Machine::Microbit];

const SILENCE: Duration = Duration::from_secs(300);

/// How many bytes a training may copy at once: less than its network's parameters have. A training that is saved and loaded goes through
/// a checkpoint's buffer, which holds more than its small network.
fn limit(training: &str) -> usize {
    match training {
        "every layer" => 4 * every::PARAMETERS,
        "guarded, saved and loaded" => 257,
        // Those of the smallest one, 4-5-3.
        _ => 4 * (4 * 5 + 5 + 5 * 3 + 3),
    }
}

fn run(_: Effort, progress: &mut Progress<'_>) -> Result<Tally, CheckError> {
    let mut tally = Tally::default();
    for (done, machine) in MACHINES.into_iter().enumerate() {
        progress(done as u64, MACHINES.len() as u64);
        let functions = symbols(machine, &mut tally)?;
        let copied = copies(machine, &mut tally)?;
        if !tally.note.is_empty() {
            tally.note += "; ";
        }
        tally.note += &format!("{}: {functions} functions, no copy of more than {copied} bytes", machine.target());
    }
    Ok(tally)
}

/// Looks at every function of the image that has no panic function to link with. Returns how many there are.
fn symbols(machine: Machine, tally: &mut Tally) -> Result<u64, CheckError> {
    let path = board::build(Image::NoPanic, machine, Profile::Release, &board::firmware_folder())?;
    let elf = std::fs::read(&path)?;
    let broken = |reason: String| CheckError::Broken(format!("{}: {reason}", path.display()));
    let file = object::File::parse(elf.as_slice()).map_err(|error| broken(error.to_string()))?;
    let mut functions = 0;
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition()) {
        let name = symbol.name().map_err(|error| broken(error.to_string()))?;
        functions += 1;
        tally.count(match forbidden(name) {
            None => Ok(()),
            Some(kind) => Err(format!("{}: {kind}: {:#}", machine.target(), demangle(name))),
        });
    }
    if functions == 0 {
        return Err(broken("it has no symbols of functions".to_owned()));
    }
    Ok(functions)
}

/// Why a function may not be there.
fn forbidden(mangled: &str) -> Option<&'static str> {
    let name = format!("{:#}", demangle(mangled));
    let panics = ["core::panicking", "unwrap_failed", "expect_failed", "rust_begin_unwind", "rust_panic", "panic_fmt"];
    let fails = |name: &str| name.starts_with("core::slice::index::") && name.contains("fail");
    let allocates = ["__rust_alloc", "__rust_dealloc", "__rust_realloc", "__rdl_", "__rg_", "__rustc::__r", "alloc::"];
    if panics.iter().any(|part| name.contains(part)) || fails(&name) {
        Some("a panic")
    } else if allocates.iter().any(|start| name.starts_with(start))
        || matches!(name.as_str(), "malloc" | "calloc" | "realloc" | "free" | "_sbrk")
    {
        Some("an allocator")
    } else if is_double(&name) {
        Some("arithmetic in f64")
    } else {
        None
    }
}

/// Whether a function computes in f64: one of the Arm ABI's (`__aeabi_dadd`, `__aeabi_f2d`), of the compiler's (`__adddf3`,
/// `__extendsfdf2`), or one that says so.
fn is_double(name: &str) -> bool {
    let arm = name.strip_prefix("__aeabi_").is_some_and(|operation| {
        // Division of integers begins with `d` nowhere: it is `idiv`, `ldivmod`, `uidiv`.
        operation.starts_with('d') || operation.starts_with("cd") || operation.ends_with("2d")
    });
    arm || (name.starts_with("__") && name.contains("df")) || name.contains("f64")
}

/// Runs the image that notes the largest copy of each training. Returns the largest.
fn copies(machine: Machine, tally: &mut Tally) -> Result<usize, CheckError> {
    let image = board::build(Image::Every, machine, Profile::Release, &board::firmware_folder())?;
    // Each training says what it copied, and then its name, behind three numbers.
    let (mut last, mut copies) = (None, Vec::new());
    board::run(machine.roomy(), &image, SILENCE, &mut |message| {
        if let Some(bytes) = message.strip_prefix("copied ") {
            last = bytes.parse::<usize>().ok();
        } else if let Some(name) = message.strip_prefix("trained ").and_then(|text| text.splitn(4, ' ').nth(3)) {
            copies.push((name.to_owned(), last.take()));
        }
    })?;
    let mut most = None;
    for (name, bytes) in copies {
        let bytes = bytes.ok_or_else(|| CheckError::Broken(format!("{machine} does not say what {name} copies")))?;
        most = most.max(Some(bytes));
        let small = bytes < limit(&name);
        tally.count(if small { Ok(()) } else { Err(format!("{machine}: {name}: {bytes} bytes are copied at once")) });
    }
    most.ok_or_else(|| CheckError::Broken(format!("{machine} does not say what it trained")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_be_linked_is_known_by_its_name() {
        for (name, kind) in [
            ("_ZN4core9panicking9panic_fmt17h0123456789abcdefE", "a panic"),
            ("_ZN4core9panicking18panic_bounds_check17h0123456789abcdefE", "a panic"),
            ("_ZN4core6option13expect_failed17h0123456789abcdefE", "a panic"),
            ("rust_begin_unwind", "a panic"),
            ("__rust_alloc", "an allocator"),
            ("malloc", "an allocator"),
            ("__aeabi_dadd", "arithmetic in f64"),
            ("__aeabi_f2d", "arithmetic in f64"),
            ("__aeabi_cdcmple", "arithmetic in f64"),
            ("__muldf3", "arithmetic in f64"),
            ("__extendsfdf2", "arithmetic in f64"),
            ("_ZN4libm4math7generic4sqrt8sqrt_f6417h0123456789abcdefE", "arithmetic in f64"),
        ] {
            assert_eq!(forbidden(name), Some(kind), "{name}");
        }
        for name in
            ["main", "memcpy", "__aeabi_fadd", "__aeabi_fdiv", "__addsf3", "__aeabi_uidivmod", "__aeabi_lmul", "expf"]
        {
            assert_eq!(forbidden(name), None, "{name}");
        }
    }
}

//! Where the instructions go: by function and by line.
//!
//! With link-time optimisation nearly everything is inlined into `main`, so an instruction is counted for the innermost function
//! of this project that it was written in, and for the line there; what iterators and the like come to is part of that.

use std::collections::BTreeMap;
use std::path::Path;

use addr2line::Loader;

use super::{BenchError, Counts, Image};

/// What a part of the code costs in a step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cost {
    /// Instructions.
    pub instructions: f64,
    /// Modelled cycles.
    pub cycles: f64,
    /// Modelled cycles if neighbouring loads and stores are pipelined.
    pub pipelined: f64,
}

/// Costs of a step, the highest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    /// By function.
    pub functions: Vec<(String, Cost)>,
    /// By line, `file:line`.
    pub lines: Vec<(String, Cost)>,
}

/// Says where an image's counts come from: functions and lines of the sources under `root`.
///
/// # Errors
/// [`BenchError::NotElf`].
pub fn profile(image: &Image, counts: &Counts, root: &Path) -> Result<Profile, BenchError> {
    let loader = Loader::new(&image.path)
        .map_err(|error| BenchError::NotElf { path: image.path.clone(), reason: error.to_string() })?;
    Ok(add_up(counts, |address| origin(&loader, address, root)))
}

/// Adds the costs of instructions with one origin: function and line.
fn add_up(counts: &Counts, origin: impl Fn(u64) -> (String, String)) -> Profile {
    let (mut functions, mut lines) = (BTreeMap::<String, Cost>::new(), BTreeMap::<String, Cost>::new());
    let steps = counts.regions.max(1) as f64;
    for instruction in &counts.instructions {
        let (function, line) = origin(instruction.address);
        for cost in [functions.entry(function).or_default(), lines.entry(line).or_default()] {
            cost.instructions += instruction.executed as f64 / steps;
            cost.cycles += instruction.cycles as f64 / steps;
            cost.pipelined += instruction.pipelined as f64 / steps;
        }
    }
    let sorted = |costs: BTreeMap<String, Cost>| {
        let mut costs: Vec<_> = costs.into_iter().collect();
        costs.sort_by(|(_, a), (_, b)| b.cycles.total_cmp(&a.cycles));
        costs
    };
    Profile { functions: sorted(functions), lines: sorted(lines) }
}

/// The function and line of an instruction: the innermost ones under `root`, or else the outermost.
fn origin(loader: &Loader, address: u64, root: &Path) -> (String, String) {
    let unknown = || "?".to_owned();
    let (mut function, mut line) = (loader.find_symbol(address).map(named), unknown());
    if let Ok(mut frames) = loader.find_frames(address) {
        while let Ok(Some(frame)) = frames.next() {
            if let Some(name) = &frame.function {
                function = name.raw_name().ok().map(|name| named(&name));
            }
            if let Some((file, number)) = frame.location.and_then(|location| location.file.zip(location.line)) {
                let inside = Path::new(file).strip_prefix(root).ok();
                line = format!("{}:{number}", inside.unwrap_or(Path::new(file)).display());
                if inside.is_some() {
                    break;
                }
            }
        }
    }
    (function.unwrap_or_else(unknown), line)
}

/// A symbol's name for people: the path, without the compiler's hash and without generic arguments.
fn named(symbol: &str) -> String {
    let name = format!("{:#}", rustc_demangle::demangle(symbol));
    let (mut short, mut depth, mut before) = (String::new(), 0_u32, ' ');
    for character in name.chars() {
        match character {
            // The path of a generic function: `f::<T>`, or of a type's: `Type<T>`. A type in front is kept: `<Type as Trait>::f`.
            '<' if depth > 0 || before.is_alphanumeric() || before == ':' => depth += 1,
            // The arrow of a function's type ends nothing.
            '>' if depth > 0 && before != '-' => depth -= 1,
            _ if depth == 0 => short.push(character),
            _ => {}
        }
        before = character;
    }
    short.replace("::::", "::").trim_end_matches(':').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_add_up_by_function_and_line_for_one_step() {
        let counts = Counts::parse("regions 2\nat 100 4 6 4\nat 102 2 2 2\nat 104 8 20 20\n").unwrap();
        let origin = |address: u64| (if address < 0x104 { "f" } else { "g" }.to_owned(), format!("a.rs:{address:x}"));
        let profile = add_up(&counts, origin);
        let cost = |instructions, cycles, pipelined| Cost { instructions, cycles, pipelined };
        assert_eq!(profile.functions, [("g".to_owned(), cost(4.0, 10.0, 10.0)), ("f".to_owned(), cost(3.0, 4.0, 3.0))]);
        assert_eq!(profile.lines.len(), 3);
        assert_eq!(profile.lines[1].0, "a.rs:100");
    }

    #[test]
    fn names_are_without_hash_and_generic_arguments() {
        assert_eq!(named("_ZN8backpass6kernel5dense7forward17h0123456789abcdefE"), "backpass::kernel::dense::forward");
        assert_eq!(named("memcpy"), "memcpy");
        assert_eq!(named("f::<fn(u8) -> u8>::g"), "f::g");
        assert_eq!(named("<a::B<4> as c::D<e::F>>::g::<h::I<3>>"), "<a::B as c::D>::g");
    }
}

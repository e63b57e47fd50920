//! Everything that reads a file or a message, fed with whatever comes: no reader panics, and what it takes makes sense.
//!
//! The fuzzer of `tests/fuzz` calls [`READERS`] with what it invents; the check `readers` calls them with the fuzzer's
//! corpus and with seeded mutations of it, everywhere and in the same way.

mod checkpoint;
mod stream;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use backpass::Rng;

pub use checkpoint::{raw as checkpoint, sealed as checkpoint_sealed};
pub use stream::stream;

use super::{Check, CheckError, Effort, Progress, Tally};
use crate::bench::{self, Counts};
use crate::board::{BoardLog, Line};
use crate::data::Dataset;

/// A reader of bytes that may be anything.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// Its name, which is that of its fuzz target and of its corpus.
    pub name: &'static str,
    /// Reads. Panics if what it has read cannot be.
    pub read: fn(&[u8]),
}

pub(super) const CHECK: Check = Check {
    name: "readers",
    about: "every reader of files and messages, on the fuzzer's corpus and mutations of it",
    machine: None,
    run: check,
};

/// All of them.
pub const READERS: &[Reader] = &[
    Reader { name: "checkpoint", read: checkpoint::raw },
    Reader { name: "checkpoint_sealed", read: checkpoint::sealed },
    Reader { name: "csv", read: csv },
    Reader { name: "bench_rows", read: bench_rows },
    Reader { name: "bench_counts", read: bench_counts },
    Reader { name: "board_log", read: board_log },
    Reader { name: "stream", read: stream },
];

/// A user's data file: samples are complete, finite and scaled, labels are classes, and an error says where.
pub fn csv(bytes: &[u8]) {
    const CLASSES: usize = 3;
    match Dataset::<[f32; 2]>::from_csv_bytes(bytes, Path::new("data.csv"), CLASSES) {
        Ok(data) => {
            assert!(!data.training.is_empty() && !data.test.is_empty());
            for (sample, class) in data.training.iter().chain(&data.test) {
                assert!(*class < CLASSES);
                assert!(sample.iter().all(|value| value.is_finite()), "{sample:?}");
            }
            assert!(data.training.iter().flat_map(|(sample, _)| sample).all(|value| value.abs() <= 1.0));
        }
        Err(error) => assert!(error.to_string().starts_with("data.csv: "), "{error}"),
    }
}

/// Rows of an earlier `bench --json`: what is read is written and read again as the same.
pub fn bench_rows(bytes: &[u8]) {
    let Ok(rows) = std::str::from_utf8(bytes).map_err(drop).and_then(|text| bench::parse(text).map_err(drop)) else {
        return;
    };
    let record = bench::Record { rustc: "rustc".to_owned(), rows };
    let text = record.to_json().expect("rows can be written");
    assert_eq!(bench::parse(&text).expect("what was written can be read"), record.rows);
    let comparisons = bench::compare(&record.rows, &record.rows);
    assert_eq!(comparisons.len(), record.rows.len());
    for finding in bench::check(&record.rows, &record.rustc, &record) {
        assert!(!finding.to_string().is_empty());
    }
}

/// The counting plugin's file.
pub fn bench_counts(bytes: &[u8]) {
    let Ok(counts) = Counts::parse(&String::from_utf8_lossy(bytes)) else { return };
    assert!(counts.regions > 0);
    let largest = counts.instructions.iter().map(|instruction| instruction.executed).max().unwrap_or(0);
    assert!(counts.executed() >= largest);
}

/// A board's log, message by message: slices only grow by what follows on them.
pub fn board_log(bytes: &[u8]) {
    let mut log = BoardLog::default();
    let mut values = 0;
    for message in String::from_utf8_lossy(bytes).lines() {
        let line = Line::parse(message);
        if let Line::Parameters { bits, .. } = &line {
            values += bits.len();
        }
        log.add(line);
    }
    assert!(log.parameters.values().map(Vec::len).sum::<usize>() <= values);
}

/// The fuzzer's corpus in a checkout: a folder a reader.
#[must_use]
pub fn corpus_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus")
}

/// The corpus and mutations of it: flipped, overwritten, repeated, cut and joined bytes.
fn check(effort: Effort, progress: &mut Progress<'_>) -> Result<Tally, CheckError> {
    let mutations = effort.choose(2_000, 100_000);
    let of = mutations * READERS.len() as u64;
    let mut tally = Tally::default();
    let mut seeds = 0;
    for (number, reader) in (0..).zip(READERS) {
        let corpus = corpus(reader)?;
        seeds += corpus.len();
        for (name, bytes) in &corpus {
            tally.count(read(reader, bytes).map_err(|panic| format!("{} on {name}: {panic}", reader.name)));
        }
        let inputs: Vec<&[u8]> = corpus.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        for seed in 0..mutations {
            let bytes = mutate(&inputs, seed);
            let told = |panic| format!("{}, mutation {seed}: {panic}", reader.name);
            tally.count(read(reader, &bytes).map_err(told));
            if seed % 256 == 0 {
                progress(number * mutations + seed, of);
            }
        }
    }
    tally.note = format!("{} readers, {seeds} files of the corpus, {mutations} mutations each", READERS.len());
    Ok(tally)
}

/// The files of a reader's corpus, by name.
fn corpus(reader: &Reader) -> Result<Vec<(String, Vec<u8>)>, CheckError> {
    let folder = corpus_folder().join(reader.name);
    if !corpus_folder().is_dir() {
        let folder = corpus_folder();
        return Err(CheckError::Missing(format!(
            "the corpus is not in {}: run this from a checkout",
            folder.display()
        )));
    }
    let unreadable = |error: std::io::Error| CheckError::Broken(format!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((name, std::fs::read(&path).map_err(unreadable)?));
    }
    if files.is_empty() {
        return Err(CheckError::Broken(format!("{}: there is no file", folder.display())));
    }
    files.sort();
    Ok(files)
}

/// Reads, and tells a panic.
fn read(reader: &Reader, bytes: &[u8]) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| (reader.read)(bytes))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

/// An input with one to eight changes, by seed.
fn mutate(inputs: &[&[u8]], seed: u64) -> Vec<u8> {
    /// Bytes that mean something to a reader of text.
    const TELLING: &[u8] = b"0189-+.eE,;:\"'\\{}[] \t\r\n\0\x7f\x80\xc3\xff";
    let mut rng = Rng::new(seed);
    let mut pick = |length: usize| rng.below(u32::try_from(length).unwrap_or(u32::MAX)) as usize;
    let mut bytes = inputs.get(pick(inputs.len())).map_or_else(Vec::new, |input| input.to_vec());
    for _ in 0..1 + pick(8) {
        let (at, length) = (pick(bytes.len() + 1), 1 + pick(16));
        let end = (at + length).min(bytes.len());
        match pick(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << pick(8),
            1 if at < bytes.len() => bytes[at] = TELLING[pick(TELLING.len())],
            2 => bytes.insert(at, TELLING[pick(TELLING.len())]),
            3 => drop(bytes.drain(at..end)),
            4 => bytes.extend_from_within(at..end),
            _ => {
                let other = inputs.get(pick(inputs.len())).copied().unwrap_or_default();
                let from = pick(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_counted_and_told() {
        let reader = Reader { name: "bad", read: |bytes| assert!(bytes.is_empty(), "too long: {}", bytes.len()) };
        assert_eq!(read(&reader, b""), Ok(()));
        assert_eq!(read(&reader, b"ab"), Err("too long: 2".to_owned()));
    }

    #[test]
    fn mutations_are_many_and_repeatable() {
        let inputs: [&[u8]; 2] = [b"1,2,0\n3,4,1\n", b""];
        let all: std::collections::BTreeSet<_> = (0..500).map(|seed| mutate(&inputs, seed)).collect();
        assert!(all.len() > 300, "{}", all.len());
        assert_eq!(mutate(&inputs, 7), mutate(&inputs, 7));
    }
}

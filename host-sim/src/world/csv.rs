//! Recordings of the user's own.

use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::world::recordings::Recording;
use crate::world::{anomaly, gesture};

/// What is wrong with a recording. Lines count from 1, as an editor shows them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CsvError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not text in UTF-8.
    #[error("{}: line {line} is not text in UTF-8: save the recording as \"CSV UTF-8\"", path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
    },
    /// A line is not a row of the table.
    #[error("{}: line {line}: {problem}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A value is not what its column needs.
    #[error("{}: line {line}, column \"{column}\": {problem}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The column.
        column: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is too little of something, or too much.
    #[error("{}: {problem}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What.
        problem: String,
    },
}

const HEADER: &str = "the first row has to name the columns: ax, ay, az (acceleration in m/s2), if there is a gyroscope gx, gy, gz \
                      (rotation in rad/s), and label";
const CHANNELS: [&str; 6] = ["ax", "ay", "az", "gx", "gy", "gz"];
/// Units that a header may give to acceleration and to rotation.
const UNITS: [&[&str]; 2] = [&["m/s2", "m/s^2", "m/s²", "m/s/s", "ms-2"], &["rad/s"]];
/// Characters of a label: more would fit in no table.
const LONGEST_LABEL: usize = 40;

/// The rows of a CSV file, each with its label.
#[derive(Debug, Clone, PartialEq)]
pub struct CsvRecording {
    path: PathBuf,
    rows: Vec<Row>,
    has_gyroscope: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    line: u64,
    motion: [f32; 6],
    label: String,
    is_test: Option<bool>,
}

impl CsvRecording {
    /// Reads a file whose first row names the columns, in any order: `ax`, `ay`, `az` in m/s², if there are any `gx`, `gy`, `gz` in rad/s,
    /// `label`, and if it is there `part`: `train` or `test`. Other columns are passed over. Columns are separated by commas, semicolons or
    /// tabs; unless it is commas, numbers may have decimal commas. A name may be followed by its unit, `ax [m/s2]`.
    ///
    /// # Errors
    /// [`CsvError`] names the line and the column of the first problem.
    pub fn read(path: &Path) -> Result<Self, CsvError> {
        let bytes = std::fs::read(path).map_err(|source| CsvError::Unreadable { path: path.to_owned(), source })?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            CsvError::Encoding { path: path.to_owned(), line: 1 + line_ends(good) }
        })?;
        let unfit = |problem| CsvError::Unfit { path: path.to_owned(), problem };
        let (body, skipped) = without_marks(text);
        let separator = separator(body);
        let mut records = records(body, separator);
        let header = records.next().ok_or_else(|| unfit(format!("the file is empty; {HEADER}")))?;
        let columns = Columns::of(&header, separator).map_err(unfit)?;
        let (mut rows, mut line, mut counted) = (Vec::new(), 1 + skipped, 0);
        for record in records {
            // A record begins behind the line ends before it.
            let begin = record.position().map_or(0, |position| position.byte() as usize);
            let ends = body.as_bytes().iter().skip(begin).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            line += line_ends(body.as_bytes().get(counted..begin + ends).unwrap_or_default());
            counted = begin + ends;
            let row = columns.row(&record).map_err(|problem| match problem {
                (None, problem) => CsvError::Row { path: path.to_owned(), line, problem },
                (Some(column), problem) => {
                    let column = clipped(header.get(column).unwrap_or_default());
                    CsvError::Value { path: path.to_owned(), line, column, problem }
                }
            });
            let (motion, label, is_test) = row?;
            rows.push(Row { line, motion, label, is_test });
        }
        if rows.is_empty() {
            return Err(unfit("there are no rows below the header".to_owned()));
        }
        Ok(Self { path: path.to_owned(), rows, has_gyroscope: columns.channels.len() > 3 })
    }

    /// Whether rotation was recorded too.
    #[must_use]
    pub const fn has_gyroscope(&self) -> bool {
        self.has_gyroscope
    }

    /// How many rows have an acceleration that a sensor with ±4 g cannot measure: it saturates.
    #[must_use]
    pub fn beyond_range(&self) -> usize {
        let most = 4.0 * crate::devices::STANDARD_GRAVITY;
        self.rows.iter().filter(|row| row.motion.iter().take(3).any(|value| value.abs() > most)).count()
    }

    fn unfit(&self, problem: String) -> CsvError {
        CsvError::Unfit { path: self.path.clone(), problem }
    }

    /// Gestures: each label is a class, in the order in which they come; rows with the same label one after another are one
    /// recording. Without a column `part` the first half of the rows of each class is taught and the second half is the test.
    ///
    /// # Errors
    /// [`CsvError::Unfit`]: less than two classes, more than ten, or a class with too few rows for a window in either part.
    pub fn gestures(&self, rate: u32) -> Result<gesture::Scenario, CsvError> {
        let mut classes: Vec<String> = Vec::new();
        for Row { label, .. } in &self.rows {
            if !classes.contains(label) {
                classes.push(label.clone());
            }
        }
        if !(2..=10).contains(&classes.len()) {
            let labels = if classes.len() == 1 { "1 label" } else { &format!("{} labels", classes.len()) };
            return Err(self.unfit(format!("{labels}; 2 to 10 classes can be learned")));
        }
        let class_of = |label: &String| classes.iter().position(|class| class == label).unwrap_or_default();
        let mut totals = vec![0; classes.len()];
        self.rows.iter().for_each(|row| totals[class_of(&row.label)] += 1);
        let (mut seen, mut recordings) = (vec![0; classes.len()], Vec::<Recording>::new());
        let mut last = None;
        for Row { motion, label, is_test, .. } in &self.rows {
            let class = class_of(label);
            let group = usize::from(is_test.unwrap_or(2 * seen[class] >= totals[class]));
            seen[class] += 1;
            if last != Some((class, group)) {
                recordings.push(Recording { class, group, rows: Vec::new() });
                last = Some((class, group));
            }
            if let Some(recording) = recordings.last_mut() {
                recording.rows.push(*motion);
            }
        }
        for (class, name) in classes.iter().enumerate() {
            for (group, part) in ["taught", "tested"].iter().enumerate() {
                let longest =
                    recordings.iter().filter(|recording| (recording.class, recording.group) == (class, group));
                let longest = longest.map(|recording| recording.rows.len()).max().unwrap_or(0);
                if gesture::windows(longest) == 0 {
                    return Err(self.unfit(format!(
                        "of class \"{name}\" at most {longest} rows one after another are to be {part}, and a window has {}: record it for longer, \
                         and keep rows of the same label together",
                        backpass_app::gesture::ROWS
                    )));
                }
            }
        }
        // Taught class by class, in the order in which they come first.
        let (mut lessons, tests): (Vec<_>, Vec<_>) = recordings.into_iter().partition(|recording| recording.group == 0);
        lessons.sort_by_key(|recording| recording.class);
        Ok(gesture::Scenario { classes, rate, lessons, tests })
    }

    /// An anomaly: a label is `0` or `normal`, or `1` or `anomaly`; case does not matter. What comes first and is normal is learned from, up to the end of the first
    /// quarter of the file; the rest is the test.
    ///
    /// # Errors
    /// [`CsvError`]: another label, or too few normal rows at the beginning.
    pub fn anomalies(&self, rate: u32) -> Result<anomaly::Scenario, CsvError> {
        let mut rows = Vec::new();
        for Row { line, motion, label, .. } in &self.rows {
            let is_anomaly = match label.to_ascii_lowercase().as_str() {
                "0" | "0.0" | "normal" => false,
                "1" | "1.0" | "anomaly" => true,
                _ => {
                    return Err(CsvError::Value {
                        path: self.path.clone(),
                        line: *line,
                        column: "label".to_owned(),
                        problem: format!("\"{label}\" is neither 0 or normal, nor 1 or anomaly"),
                    });
                }
            };
            rows.push((*motion, is_anomaly));
        }
        let first_anomaly = rows.iter().position(|(_, is_anomaly)| *is_anomaly).unwrap_or(rows.len());
        let learned = first_anomaly.min(rows.len() / 4);
        let needed = 4 * backpass_app::anomaly::ROWS;
        if learned < needed {
            return Err(self.unfit(format!(
                "{learned} rows can be learned from as normal (those before the first anomaly, at most a quarter of the file), and {needed} \
                 are needed: let the recording begin with more of what is normal"
            )));
        }
        let test = rows.split_off(learned);
        let test = test.chunk_by(|a, b| a.1 == b.1).map(|run| (run.iter().map(|(row, _)| *row).collect(), run[0].1));
        Ok(anomaly::Scenario {
            rate,
            normal: rows.into_iter().map(|(row, _)| row).collect(),
            test: test.collect(),
            drifted: Vec::new(),
        })
    }
}

/// How many lines end in some bytes: with CR and LF, LF, or CR alone.
fn line_ends(bytes: &[u8]) -> u64 {
    let after = bytes.iter().skip(1).map(Some).chain([None]);
    bytes.iter().zip(after).filter(|(byte, next)| **byte == b'\n' || (**byte == b'\r' && *next != Some(&b'\n'))).count()
        as u64
}

/// The text without the marks that spreadsheets write before it, and how many lines were taken away.
fn without_marks(text: &str) -> (&str, u64) {
    let text = text.trim_start_matches('\u{feff}');
    match text.split_once('\n') {
        Some((first, rest)) if matches!(first.trim_end(), "sep=," | "sep=;" | "sep=\t" | "sep=") => (rest, 1),
        _ => (text, 0),
    }
}

/// The rows that have something in them.
fn records(text: &str, separator: u8) -> impl Iterator<Item = StringRecord> {
    let mut reader = ReaderBuilder::new();
    reader.delimiter(separator).has_headers(false).flexible(true).trim(Trim::All);
    // UTF-8 in memory cannot fail to be read.
    let records = reader.from_reader(text.as_bytes()).into_records().map_while(Result::ok);
    records.filter(|record| record.iter().any(|cell| !cell.is_empty()))
}

/// What separates the columns: that by which most of the names are found; if none is, what there is most of.
fn separator(text: &str) -> u8 {
    let found = |separator: &u8| {
        let header = records(text, *separator).next().unwrap_or_default();
        let names = header.iter().filter(|cell| CHANNELS.contains(&split_unit(cell).0.as_str())).count();
        (names, header.len())
    };
    // Of equals the last.
    [b'\t', b';', b','].into_iter().max_by_key(found).unwrap_or(b',')
}

/// `ax` and `m/s2` of `Ax [m/s2]`.
fn split_unit(cell: &str) -> (String, &str) {
    let cell = cell.trim_matches(|c: char| c == '"' || c.is_whitespace());
    let end = cell.find(['[', '(']).unwrap_or(cell.len());
    let (name, unit) = cell.split_at(end);
    (name.trim().to_ascii_lowercase(), unit.trim_matches(|c| matches!(c, '[' | ']' | '(' | ')' | ' ')))
}

/// The beginning of a text that may be long or full of control characters.
fn clipped(text: &str) -> String {
    let mut shown: String = text.chars().take(LONGEST_LABEL).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST_LABEL).is_some() {
        shown.push_str("...");
    }
    shown
}

/// Where the columns are.
struct Columns {
    all: usize,
    channels: Vec<usize>,
    label: usize,
    part: Option<usize>,
    has_decimal_commas: bool,
}

impl Columns {
    fn of(header: &StringRecord, separator: u8) -> Result<Self, String> {
        let place = |name: &str| {
            let mut places = header.iter().enumerate().filter(|(_, cell)| split_unit(cell).0 == name);
            match (places.next(), places.next()) {
                (Some(_), Some(_)) => Err(format!("two columns are named \"{name}\"; rename or remove one")),
                (place, _) => Ok(place),
            }
        };
        let needed = |name: &str| {
            let first_row = || clipped(&header.iter().collect::<Vec<_>>().join(", "));
            place(name)?.ok_or_else(|| format!("there is no column \"{name}\" in \"{}\"; {HEADER}", first_row()))
        };
        let mut has_gyroscope = false;
        for name in &CHANNELS[3..] {
            has_gyroscope |= place(name)?.is_some();
        }
        let mut channels = Vec::new();
        for (name, units) in CHANNELS.iter().zip([UNITS[0], UNITS[0], UNITS[0], UNITS[1], UNITS[1], UNITS[1]]) {
            if channels.len() == 3 && !has_gyroscope {
                break;
            }
            let (column, cell) = needed(name)?;
            let unit = split_unit(cell).1;
            if !unit.is_empty() && !units.contains(&unit.to_lowercase().as_str()) {
                let factors = "1 g is 9.80665 m/s2, 1 degree/s is 0.0174533 rad/s";
                let unit = clipped(unit);
                return Err(format!("column \"{name}\" is in {unit}: convert it to {} ({factors})", units[0]));
            }
            channels.push(column);
        }
        let (label, _) = needed("label")?;
        let part = place("part")?.map(|(column, _)| column);
        Ok(Self { all: header.len(), channels, label, part, has_decimal_commas: separator != b',' })
    }

    /// The channels of a row, its label, and whether it is of the test; or the column that is wrong, if it is one, and what is wrong.
    #[allow(clippy::type_complexity, reason = "each part is used once")]
    fn row(&self, record: &StringRecord) -> Result<([f32; 6], String, Option<bool>), (Option<usize>, String)> {
        if let Some(column) = record.iter().position(|cell| cell.contains('\n')) {
            let problem = "a quotation mark opens and does not close in this line: close it or remove it";
            return Err((Some(column.min(self.all - 1)), problem.to_owned()));
        }
        if record.len() < self.all || record.iter().skip(self.all).any(|cell| !cell.is_empty()) {
            let hint = if record.len() > self.all && !self.has_decimal_commas {
                "; if numbers have decimal commas, separate the columns by semicolons"
            } else {
                ""
            };
            return Err((None, format!("{} cells, but the header names {} columns{hint}", record.len(), self.all)));
        }
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let mut motion = [0.0; 6];
        for (value, column) in motion.iter_mut().zip(&self.channels) {
            *value = self.number(cell(*column)).map_err(|problem| (Some(*column), problem))?;
        }
        let label = cell(self.label);
        let is_long = label.chars().count() > LONGEST_LABEL;
        if label.is_empty() || is_long || label.contains(char::is_control) {
            let expected = format!("expected a word of at most {LONGEST_LABEL} printable characters");
            let what =
                if label.is_empty() { "the label is missing".to_owned() } else { format!("\"{}\"", clipped(label)) };
            return Err((Some(self.label), format!("{what}; {expected}")));
        }
        let is_test = match self.part.map(|column| (column, cell(column).to_ascii_lowercase())) {
            None => None,
            Some((_, part)) if part == "train" => Some(false),
            Some((_, part)) if part == "test" => Some(true),
            Some((column, other)) => {
                return Err((Some(column), format!("\"{}\" is neither train nor test", clipped(&other))));
            }
        };
        Ok((motion, label.to_owned(), is_test))
    }

    fn number(&self, cell: &str) -> Result<f32, String> {
        let number = if self.has_decimal_commas { cell.replace(',', ".").parse() } else { cell.parse::<f32>() };
        match number {
            Ok(value) if value.is_finite() => Ok(value),
            _ if cell.is_empty() => Err("the value is missing: fill it in or remove the line".to_owned()),
            Ok(_) => Err(format!("\"{}\" is not a finite number: correct it or remove the line", clipped(cell))),
            Err(_) => Err(format!("\"{}\" is not a number: correct it or remove the line", clipped(cell))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CsvRecording, CsvError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("recording.csv");
        std::fs::write(&path, text).unwrap();
        CsvRecording::read(&path)
    }

    fn rows(label: &str, count: usize) -> String {
        (0..count).map(|i| format!("{i},0.5,9.8,{label}\n")).collect()
    }

    #[test]
    fn gestures_are_halved_by_class() {
        let text = format!("ax,ay,az,label\n{}{}", rows("wave", 80), rows("rest", 100));
        let scenario = read(&text).unwrap().gestures(25).unwrap();
        assert_eq!(scenario.classes, ["wave", "rest"]);
        let lengths = |part: &[Recording]| part.iter().map(|recording| recording.rows.len()).collect::<Vec<_>>();
        assert_eq!((lengths(&scenario.lessons), lengths(&scenario.tests)), (vec![40, 50], vec![40, 50]));
        assert_eq!(scenario.tests[0].rows[0], [40.0, 0.5, 9.8, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, line, named) in [
            ("1,2,3,a\n1,inf,3,a\n", 3, "ay"),
            ("1,2,3,a\r\n\r\n1,2,NaN,a\r\n", 4, "az"),
            ("1,2,3,a\n,,,\n1,,3,a\n", 4, "ay"),
            ("1,2,3,a\r\r1,2,1e39,a\r", 4, "az"),
            ("1,two,3,a\n", 2, "ay"),
            ("1,\"2,5\",3,a\n", 2, "ay"),
            ("1,2,3,\n", 2, "label"),
            ("1,2,3,\u{1b}[31m\n", 2, "label"),
            ("1,2,\"3,a\n1,2,3,a\n", 2, "az"),
        ] {
            match read(&format!("ax,ay,az,label\n{text}")) {
                Err(CsvError::Value { line: at, column, .. }) => {
                    assert_eq!((at, column.as_str()), (line, named), "{text}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        assert!(matches!(read("sep=;\nax;ay;az;label;part\n1;2;3;a;dev\n"), Err(CsvError::Value { line: 3, .. })));
        assert!(matches!(read("ax,ay,az,label\n\n1,2,3\n"), Err(CsvError::Row { line: 3, .. })));
        assert!(matches!(read("ax,ay,az,label\n1,5,2,5,3,5,a\n"), Err(CsvError::Row { line: 2, .. })));
        let long = format!("ax,ay,az,label\n1,2,{},a\n", "9".repeat(100_000));
        assert!(read(&long).unwrap_err().to_string().len() < 300, "a long value is clipped");
        assert!(read(&format!("ax,ay,az,label\n1,2,3,{}\n", "x".repeat(41))).is_err());
        let short = read(&format!("ax,ay,az,label\n{}{}", rows("a", 80), rows("b", 40))).unwrap();
        assert!(matches!(short.gestures(10), Err(CsvError::Unfit { .. })), "half of b is no window");
        assert!(matches!(short.anomalies(10), Err(CsvError::Value { line: 2, .. })));
    }

    #[test]
    fn columns_that_are_missing_twice_or_in_another_unit_are_named() {
        for (header, problem) in [
            ("ax,ay,label", "no column \"az\""),
            ("1,2,3,a", "no column \"ax\""),
            ("ax,ay,az", "no column \"label\""),
            ("ax,ay,az,gx,label", "no column \"gy\""),
            ("ax,ay,az,gz,label", "no column \"gx\""),
            ("ax,ay,az,AZ,label", "named \"az\""),
            ("ax (g),ay (g),az (g),label", "convert it to m/s2"),
            ("", "the file is empty"),
            ("\u{feff}", "the file is empty"),
            ("ax,ay,az,label", "no rows"),
        ] {
            let error = read(&format!("{header}\n")).unwrap_err();
            assert!(
                matches!(error, CsvError::Unfit { .. }) && error.to_string().contains(problem),
                "{header}: {error}"
            );
        }
    }

    #[test]
    fn what_spreadsheets_write_is_read() {
        let expected = read("ax,ay,az,label\n0.5,-1,9.8,a b\n1,2,3,c\n").unwrap().rows;
        for text in [
            "\u{feff}ax,ay,az,label\r\n0.5,-1,9.8,a b\r\n1,2,3,c\r\n",
            "ax;ay;az;label\n0,5;-1;9,8;a b\n1;2;3;c\n",
            "ax\tay\taz\tlabel\n0,5\t-1\t9.8\ta b\n1\t2\t3\tc",
            "\"ax [m/s2]\", \"Ay (m/s²)\",AZ, \"label\"\n\"0.5\",-1,\"9.8\",\"a b\"\n1,2,3,c,,\n,,,\n",
        ] {
            assert_eq!(read(text).unwrap().rows, expected, "{text}");
        }
        let marked = read("sep=;\r\nax;ay;az;label\r\n0,5;-1;9,8;a b\r\n").unwrap();
        assert_eq!((marked.rows[0].motion, marked.rows[0].line), (expected[0].motion, 3));
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("recording.csv");
        std::fs::write(&path, b"ax,ay,az,label\n1,2,3,gr\xfc\xdf\n").unwrap();
        assert!(matches!(CsvRecording::read(&path), Err(CsvError::Encoding { line: 2, .. })));
        assert!(matches!(CsvRecording::read(directory.path()), Err(CsvError::Unreadable { .. })));
        assert!(matches!(CsvRecording::read(&directory.path().join("none")), Err(CsvError::Unreadable { .. })));
    }

    #[test]
    fn what_is_normal_at_first_is_learned() {
        let text = format!("ax,ay,az,label\n{}{}{}", rows("0", 400), rows("1", 100), rows("normal", 100));
        let scenario = read(&text).unwrap().anomalies(25).unwrap();
        assert_eq!(scenario.normal.len(), 150);
        let parts: Vec<_> = scenario.test.iter().map(|(rows, is_anomaly)| (rows.len(), *is_anomaly)).collect();
        assert_eq!(parts, [(250, false), (100, true), (100, false)]);
        assert!(read(&format!("ax,ay,az,label\n{}", rows("0", 100))).unwrap().anomalies(25).is_err());
    }
}

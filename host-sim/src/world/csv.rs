//! Recordings of the user's own.

use std::path::{Path, PathBuf};

use crate::world::recordings::Recording;
use crate::world::{anomaly, gesture};

/// What is wrong with a recording. Rows count from 1, the header being row 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CsvError {
    /// The file cannot be read as CSV.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: csv::Error,
    },
    /// A column is missing.
    #[error("{}: there is no column \"{column}\"; {HEADER}", path.display())]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// Its name.
        column: &'static str,
    },
    /// A value is not what its column needs.
    #[error("{}: row {row}, column \"{column}\": {problem}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The row.
        row: usize,
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

const HEADER: &str = "the first row names the columns: ax, ay, az (acceleration in m/s2), if there is a gyroscope gx, gy, gz (rotation in rad/s), and label";

/// The rows of a CSV file, each with its label.
#[derive(Debug, Clone, PartialEq)]
pub struct CsvRecording {
    path: PathBuf,
    rows: Vec<([f32; 6], String, Option<bool>)>,
    has_gyroscope: bool,
}

const CHANNELS: [&str; 6] = ["ax", "ay", "az", "gx", "gy", "gz"];

impl CsvRecording {
    /// Reads a file whose first row names the columns, in any order: `ax`, `ay`, `az` in m/s², if there are any `gx`, `gy`, `gz` in rad/s,
    /// `label`, and if it is there `part`: `train` or `test`. Other columns are passed over.
    ///
    /// # Errors
    /// [`CsvError`] names the row and the column of the first problem.
    pub fn read(path: &Path) -> Result<Self, CsvError> {
        let unreadable = |source| CsvError::Unreadable { path: path.to_owned(), source };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(unreadable)?;
        let header = reader.headers().map_err(unreadable)?.clone();
        let place = |name: &str| {
            header.iter().position(|column| column.trim_start_matches('\u{feff}').eq_ignore_ascii_case(name))
        };
        let needed = |column: &'static str| place(column).ok_or(CsvError::NoColumn { path: path.to_owned(), column });
        let has_gyroscope = place("gx").is_some();
        let channels = if has_gyroscope { &CHANNELS[..] } else { &CHANNELS[..3] };
        let channels = channels.iter().map(|name| needed(name)).collect::<Result<Vec<_>, _>>()?;
        let (label, part) = (needed("label")?, place("part"));
        let mut rows = Vec::new();
        for (record, row) in reader.records().zip(2..) {
            let record = record.map_err(unreadable)?;
            let bad = |column: usize, problem| CsvError::Value {
                path: path.to_owned(),
                row,
                column: header.get(column).unwrap_or_default().to_owned(),
                problem,
            };
            let cell = |column: usize| record.get(column).unwrap_or_default();
            let mut motion = [0.0; 6];
            for (value, column) in motion.iter_mut().zip(&channels) {
                *value = match cell(*column).parse::<f32>() {
                    Ok(value) if value.is_finite() => value,
                    _ => return Err(bad(*column, format!("\"{}\" is not a finite number", cell(*column)))),
                };
            }
            if cell(label).is_empty() {
                return Err(bad(label, "the label is missing".to_owned()));
            }
            let is_test = match part.map(|column| (column, cell(column))) {
                None => None,
                Some((_, "train")) => Some(false),
                Some((_, "test")) => Some(true),
                Some((column, other)) => return Err(bad(column, format!("\"{other}\" is neither train nor test"))),
            };
            rows.push((motion, cell(label).to_owned(), is_test));
        }
        Ok(Self { path: path.to_owned(), rows, has_gyroscope })
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
        self.rows.iter().filter(|(row, ..)| row.iter().take(3).any(|value| value.abs() > most)).count()
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
        for (_, label, _) in &self.rows {
            if !classes.contains(label) {
                classes.push(label.clone());
            }
        }
        if !(2..=10).contains(&classes.len()) {
            return Err(self.unfit(format!("{} labels; 2 to 10 classes can be learned", classes.len())));
        }
        let class_of = |label: &String| classes.iter().position(|class| class == label).unwrap_or_default();
        let mut totals = vec![0; classes.len()];
        self.rows.iter().for_each(|(_, label, _)| totals[class_of(label)] += 1);
        let (mut seen, mut recordings) = (vec![0; classes.len()], Vec::<Recording>::new());
        let mut last = None;
        for (motion, label, is_test) in &self.rows {
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
                        "of class \"{name}\" at most {longest} rows in a row are to be {part}; a window has {}",
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

    /// An anomaly: a label is `0` or `normal`, or `1` or `anomaly`. What comes first and is normal is learned from, up to the end of the first
    /// quarter of the file; the rest is the test.
    ///
    /// # Errors
    /// [`CsvError`]: another label, or too few normal rows at the beginning.
    pub fn anomalies(&self, rate: u32) -> Result<anomaly::Scenario, CsvError> {
        let mut rows = Vec::new();
        for ((motion, label, _), row) in self.rows.iter().zip(2..) {
            let is_anomaly = match label.to_ascii_lowercase().as_str() {
                "0" | "normal" => false,
                "1" | "anomaly" => true,
                _ => {
                    return Err(CsvError::Value {
                        path: self.path.clone(),
                        row,
                        column: "label".to_owned(),
                        problem: format!("\"{label}\" is neither 0 (normal) nor 1 (anomaly)"),
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
                "the first {learned} rows can be learned from as normal (those before the first anomaly, at most a quarter of the file); \
                 at least {needed} are needed"
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
        assert!(matches!(read("ax,ay,label\n1,2,x\n"), Err(CsvError::NoColumn { column: "az", .. })));
        assert!(matches!(read("ax,ay,az,gx,label\n"), Err(CsvError::NoColumn { column: "gy", .. })));
        assert!(matches!(read("ax,ay,az,label\n1,2,3,a\n1,inf,3,a\n"), Err(CsvError::Value { row: 3, .. })));
        assert!(matches!(read("ax,ay,az,label,part\n1,2,3,a,dev\n"), Err(CsvError::Value { row: 2, .. })));
        assert!(matches!(read("ax,ay,az,label\n1,2,3\n"), Err(CsvError::Unreadable { .. })));
        let short = read(&format!("ax,ay,az,label\n{}{}", rows("a", 80), rows("b", 40))).unwrap();
        assert!(matches!(short.gestures(10), Err(CsvError::Unfit { .. })), "half of b is no window");
        assert!(matches!(short.anomalies(10), Err(CsvError::Value { row: 2, .. })));
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

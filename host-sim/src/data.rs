//! Data sets: the built-in digits, and CSV files of the user's own.

use std::path::{Path, PathBuf};

use backpass::{Rng, Tensor};
use backpass_app::digits;
use backpass_app::session::Samples;

/// What is wrong with a data file. Rows and columns count from 1; a row is a line of the file, as an editor shows it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no row, or none but a header.
    #[error("{}: no samples; expected rows of {features} features and a label, separated by commas", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// How many features the network takes.
        features: usize,
    },
    /// One row leaves nothing to test with.
    #[error("{}: {samples} samples are too few: four fifths are for training and the rest for the test, so at least 2 are needed", path.display())]
    TooFew {
        /// The file.
        path: PathBuf,
        /// How many it has.
        samples: usize,
    },
    /// A row has too few or too many columns.
    #[error("{}: row {row}: expected {expected} columns ({} features, then the label, separated by commas), found {found}", path.display(), expected - 1)]
    Columns {
        /// The file.
        path: PathBuf,
        /// The row.
        row: usize,
        /// How many columns it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// A value is not what its column needs.
    #[error("{}: row {row}, column {column}: {problem}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The row.
        row: usize,
        /// The column.
        column: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The file is not text in UTF-8.
    #[error("{}: row {row} is not text in UTF-8; is this a CSV file?", path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The row.
        row: usize,
    },
}

/// Samples with a class each, in two parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset<X> {
    /// To learn from.
    pub training: Vec<(X, usize)>,
    /// To be tested with.
    pub test: Vec<(X, usize)>,
}

impl<X> Dataset<X> {
    /// Shuffles the samples (Fisher and Yates with the generator [`Rng`], seeded by `seed`) and takes the first four
    /// fifths, rounded down, for training, the rest for the test.
    #[must_use]
    pub fn split(mut samples: Vec<(X, usize)>, seed: u64) -> Self {
        Rng::new(seed).shuffle(&mut samples);
        let test = samples.split_off(samples.len() * 4 / 5);
        Self { training: samples, test }
    }
}

impl Dataset<digits::Input> {
    /// The built-in 1,797 handwritten digits, pixels 0 to 1: 1,437 for training, 360 for the test.
    #[must_use]
    pub fn digits() -> Self {
        let part = |part: digits::Digits| {
            let mut sample = [0.0; 64];
            (0..part.len())
                .map(|i| (part.read(i, &mut sample), sample))
                .map(|(class, sample)| (sample, class))
                .collect()
        };
        Self { training: part(digits::training()), test: part(digits::test()) }
    }
}

impl<const F: usize> Dataset<[f32; F]> {
    /// Reads a CSV file of `F` features and a class label, 0 to `classes - 1`, a row, and splits it like the built-in
    /// digits. A first row that names its
    /// columns is passed over.
    ///
    /// Features are divided by the largest magnitude among the training samples, so that they lie in -1 to 1. For the
    /// digits' own file that is 16, as for the built-in set.
    ///
    /// # Errors
    /// [`DataError`] names the row and the column of the first problem.
    pub fn from_csv(path: &Path, classes: usize) -> Result<Self, DataError> {
        let unreadable = |source| DataError::Unreadable { path: path.to_owned(), source };
        Self::from_csv_bytes(&std::fs::read(path).map_err(unreadable)?, path, classes)
    }

    /// [`from_csv`](Self::from_csv) of what a file holds; `path` is what errors call it.
    ///
    /// # Errors
    /// As [`from_csv`](Self::from_csv), but for [`DataError::Unreadable`].
    pub fn from_csv_bytes(bytes: &[u8], path: &Path, classes: usize) -> Result<Self, DataError> {
        let samples = read_csv(bytes, path, classes)?;
        match samples.len() {
            0 => return Err(DataError::Empty { path: path.to_owned(), features: F }),
            1 => return Err(DataError::TooFew { path: path.to_owned(), samples: 1 }),
            _ => {}
        }
        let mut data = Self::split(samples, digits::SPLIT_SEED);
        data.scale();
        Ok(data)
    }

    fn scale(&mut self) {
        let magnitudes = self.training.iter().flat_map(|(sample, _)| sample.flat()).map(|value| value.abs());
        let largest = magnitudes.fold(0.0, f32::max);
        if largest > 0.0 {
            for (sample, _) in self.training.iter_mut().chain(&mut self.test) {
                for value in sample {
                    // A test sample may be so much larger that the quotient overflows.
                    *value = (*value / largest).clamp(f32::MIN, f32::MAX);
                }
            }
        }
    }
}

/// A row of a data file.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its line in the file, or its number among the built-in samples, from 1.
    pub line: usize,
    /// The features.
    pub features: Vec<f32>,
    /// The class.
    pub class: usize,
}

/// Samples of any number of features and classes, in the order of their file and as they stand there.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// At least two rows, all of them of the same length.
    pub rows: Vec<Row>,
}

/// More classes than this are taken for a column of measurements.
const MOST_CLASSES: usize = 1000;

impl Table {
    /// Reads a CSV file as [`Dataset::from_csv`] does, of as many features as its first row has.
    ///
    /// # Errors
    /// [`DataError`] names the row and the column of the first problem.
    pub fn from_csv(path: &Path) -> Result<Self, DataError> {
        let unreadable = |source| DataError::Unreadable { path: path.to_owned(), source };
        let rows = read_rows(&std::fs::read(path).map_err(unreadable)?, path, None, MOST_CLASSES)?;
        match rows.len() {
            0 => Err(DataError::Empty { path: path.to_owned(), features: 1 }),
            1 => Err(DataError::TooFew { path: path.to_owned(), samples: 1 }),
            _ => Ok(Self { rows }),
        }
    }

    /// The built-in digits, those to learn from before those for the test.
    #[must_use]
    pub fn digits() -> Self {
        let Dataset { training, test } = Dataset::digits();
        let samples = training.into_iter().chain(test).zip(1..);
        Self { rows: samples.map(|((x, class), line)| Row { line, features: x.to_vec(), class }).collect() }
    }
}

fn read_csv<const F: usize>(bytes: &[u8], path: &Path, classes: usize) -> Result<Vec<([f32; F], usize)>, DataError> {
    let rows = read_rows(bytes, path, Some(F), classes)?;
    Ok(rows.into_iter().filter_map(|row| Some((row.features.try_into().ok()?, row.class))).collect())
}

/// Rows of so many features, or of as many as the first row has, one at least.
fn read_rows(bytes: &[u8], path: &Path, features: Option<usize>, classes: usize) -> Result<Vec<Row>, DataError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        DataError::Encoding { path: path.to_owned(), row: 1 + good.iter().filter(|byte| **byte == b'\n').count() }
    })?;
    let (mut rows, mut columns) = (Vec::new(), features.map(|features| features + 1));
    let lines = text.trim_start_matches('\u{feff}').lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    for (index, (text, line)) in lines.enumerate() {
        // A row is a line: no number and no label has a line break in quotes.
        let cells = cells(text);
        let expected = *columns.get_or_insert(cells.len().max(2));
        if cells.len() != expected {
            return Err(DataError::Columns { path: path.to_owned(), row: line, found: cells.len(), expected });
        }
        if index == 0 && is_header(&cells) {
            continue;
        }
        let value = |column, problem| DataError::Value { path: path.to_owned(), row: line, column, problem };
        let read = |(cell, column)| feature(cell).map_err(|problem| value(column, problem));
        let features = cells.iter().take(expected - 1).zip(1..).map(read).collect::<Result<_, _>>()?;
        let class = cells.get(expected - 1).unwrap_or_default();
        let class = label(class, classes).map_err(|problem| value(expected, problem))?;
        rows.push(Row { line, features, class });
    }
    Ok(rows)
}

/// Whether a first row names its columns: no cell is a number, or each feature is its own position (counted from 0 or 1,
/// as tables are saved whose columns have no names) and the label is a word.
fn is_header(cells: &csv::StringRecord) -> bool {
    let is_word = |cell: &str| cell.parse::<f64>().is_err();
    if cells.iter().all(is_word) {
        return true;
    }
    let features = cells.len().saturating_sub(1);
    let counts_from =
        |first: usize| cells.iter().take(features).zip(first..).all(|(cell, position)| cell.parse() == Ok(position));
    features > 1 && cells.get(features).is_some_and(is_word) && (counts_from(0) || counts_from(1))
}

/// The cells of a line, without spaces around them.
fn cells(line: &str) -> csv::StringRecord {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_reader(line.as_bytes());
    let mut cells = csv::StringRecord::new();
    // One line in memory that is known to be UTF-8 cannot fail to be read.
    let _ = reader.read_record(&mut cells);
    cells
}

fn feature(cell: &str) -> Result<f32, String> {
    match cell.parse::<f32>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(format!("\"{cell}\" is not a finite number")),
        Err(_) if cell.is_empty() => Err("the value is missing; expected a number".to_owned()),
        Err(_) => Err(format!("\"{cell}\" is not a number")),
    }
}

/// A class: an integer, also written as `3.0`.
fn label(cell: &str, classes: usize) -> Result<usize, String> {
    let value = match cell.parse::<f64>() {
        Ok(value) if value.fract() == 0.0 => value,
        _ => {
            return Err(format!("the label \"{cell}\" is not an integer; expected 0 to {}", classes.saturating_sub(1)));
        }
    };
    if (0.0..classes as f64).contains(&value) {
        Ok(value as usize)
    } else {
        Err(format!("the label {cell} is out of range; expected 0 to {}", classes.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_sample_that_is_far_larger_than_any_to_learn_from_stays_finite() {
        let mut data = Dataset { training: vec![([1e-40, 0.0], 0)], test: vec![([3e38, -3e38], 1)] };
        data.scale();
        assert_eq!(data.test, [([f32::MAX, f32::MIN], 1)]);
    }

    fn read(text: &str) -> Result<Vec<([f32; 2], usize)>, DataError> {
        read_csv(text.as_bytes(), Path::new("data.csv"), 3)
    }

    #[test]
    fn reads_with_and_without_header_spaces_and_blank_lines() {
        let expected = vec![([1.0, -2.5], 0), ([0.0, 3e2], 2)];
        assert_eq!(read("1,-2.5,0\n0,3e2,2\n").unwrap(), expected);
        assert_eq!(read("x, y, label\r\n 1 ,-2.5, 0\r\n\r\n0,300,2.0").unwrap(), expected);
        assert_eq!(read("\u{feff}1,-2.5,0\n0,300,2\n").unwrap(), expected);
        assert_eq!(read("\u{feff}x,y,label\n1,-2.5,0\n0,300,2\n").unwrap(), expected);
        assert_eq!(read("0,1,label\n1,-2.5,0\n0,300,2\n").unwrap(), expected);
        assert_eq!(read("1,2,digit\n1,-2.5,0\n0,300,2\n").unwrap(), expected);
        assert_eq!(read("\"x\",\"y, in m\",\"label\"\n\"1\",-2.5,0\n0,300,2\n").unwrap(), expected);
        assert!(read("").unwrap().is_empty());
    }

    /// The row and column of what is wrong; column 0 where the whole row is.
    fn place(text: &str) -> (usize, usize) {
        match read(text).unwrap_err() {
            DataError::Value { row, column, .. } => (row, column),
            DataError::Columns { row, .. } => (row, 0),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn names_the_row_and_column_that_are_wrong() {
        assert_eq!(place("1,2,0\n1,x,0\n"), (2, 2));
        assert_eq!(place("a,b,c\n1,2,0\n\n1,,0\n"), (4, 2), "blank lines and the header are rows of the file");
        assert_eq!(place("1,2,0\ninf,2,0\n"), (2, 1));
        assert_eq!(place("1,2,0\nnan,2,0\n"), (2, 1));
        assert_eq!(place("1,2,0\n1e99,2,0\n"), (2, 1));
        assert_eq!(place("1,2,3\n"), (1, 3), "label out of range");
        assert_eq!(place("1,2,-1\n"), (1, 3));
        assert_eq!(place("1,2,0.5\n"), (1, 3));
        assert_eq!(place("7,2,one\n"), (1, 3));
        assert_eq!(place("7,2,\n"), (1, 3));
        assert_eq!(place("x;y;label\n1;2;0\n"), (1, 0), "no commas");
        assert_eq!(place("1,2,0\n1,2\n"), (2, 0), "too short");
        assert_eq!(place("1,2,0\n1,2,0,4\n"), (2, 0), "too long");
        assert_eq!(place("a,2,0\n"), (1, 1), "a row with one word among numbers is no header");
    }

    #[test]
    fn text_that_is_not_utf_8_is_refused_with_its_row() {
        let error = read_csv::<2>(b"1,2,0\n1,\xff,0\n", Path::new("data.csv"), 3).unwrap_err();
        assert!(matches!(error, DataError::Encoding { row: 2, .. }), "{error}");
    }

    #[test]
    fn the_digits_file_gives_the_built_in_set() {
        let built_in = Dataset::digits();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("digits.csv");
        // The file's order is what the split was made of: undo the shuffle, write, and read back.
        let mut order: Vec<usize> = (0..digits::SAMPLES).collect();
        Rng::new(digits::SPLIT_SEED).shuffle(&mut order);
        let shuffled = built_in.training.iter().chain(&built_in.test);
        let mut rows: Vec<_> = order.into_iter().zip(shuffled).collect();
        rows.sort_unstable_by_key(|(row, _)| *row);
        let line = |(sample, class): &([f32; 64], usize)| {
            let pixels: Vec<_> = sample.iter().map(|v| (v * digits::PIXEL_MAX).to_string()).collect();
            format!("{},{class}\n", pixels.join(","))
        };
        std::fs::write(&path, rows.iter().map(|(_, sample)| line(sample)).collect::<String>()).unwrap();
        assert_eq!(Dataset::from_csv(&path, 10).unwrap(), built_in);
    }

    #[test]
    fn a_file_that_is_not_there_is_empty_or_too_short_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let read = |path: &Path| Dataset::<[f32; 2]>::from_csv(path, 3);
        assert!(matches!(read(Path::new("no-such-file.csv")), Err(DataError::Unreadable { .. })));
        assert!(matches!(read(directory.path()), Err(DataError::Unreadable { .. })));
        assert!(matches!(read(&write("empty.csv", "")), Err(DataError::Empty { .. })));
        assert!(matches!(read(&write("header.csv", "x,y,label\n")), Err(DataError::Empty { .. })));
        assert!(matches!(read(&write("one.csv", "1,2,0\n")), Err(DataError::TooFew { samples: 1, .. })));
    }

    #[test]
    fn features_are_scaled_by_the_training_samples() {
        let samples = (0..10).map(|i| ([i as f32, -20.0], 0)).collect();
        let mut data = Dataset::split(samples, 0);
        data.scale();
        assert!(data.training.iter().all(|(sample, _)| sample[1] == -1.0 && (0.0..0.5).contains(&sample[0])));
        let mut zeros = Dataset::split(vec![([0.0], 0); 5], 0);
        zeros.scale();
        assert_eq!(zeros.training[0].0, [0.0]);
    }
}

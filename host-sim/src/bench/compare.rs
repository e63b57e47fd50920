//! Two runs beside each other: ratios, and what has grown too much.

use super::{Record, Row};

/// A row beside the same row of an earlier run.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison<'r> {
    /// The row.
    pub now: &'r Row,
    /// The row then, if there was one.
    pub then: Option<&'r Row>,
}

impl Comparison<'_> {
    /// Now divided by then, of a figure that both have.
    #[must_use]
    pub fn ratio(&self, figure: impl Fn(&Row) -> Option<f64>) -> Option<f64> {
        let (now, then) = (figure(self.now)?, figure(self.then?)?);
        (then > 0.0).then_some(now / then)
    }
}

/// Pairs each row with the one of the earlier run.
#[must_use]
pub fn compare<'r>(now: &'r [Row], then: &'r [Row]) -> Vec<Comparison<'r>> {
    now.iter().map(|now| Comparison { now, then: then.iter().find(|then| then.key() == now.key()) }).collect()
}

/// How much a count may grow without being recorded anew.
pub const TOLERANCE: f64 = 0.02;

/// What a check has to say of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// The count has grown by more than [`TOLERANCE`].
    Grown {
        /// The row.
        row: String,
        /// Instructions recorded.
        then: u64,
        /// Instructions now.
        now: u64,
        /// Whether the record is of the same compiler. Another one makes other code: growth is told then, but is no failure.
        same_compiler: bool,
    },
    /// The count has shrunk by more than that: the record lets it grow again unseen.
    Shrunk {
        /// The row.
        row: String,
        /// Instructions recorded.
        then: u64,
        /// Instructions now.
        now: u64,
    },
    /// Nothing is recorded for the row.
    Missing {
        /// The row.
        row: String,
    },
    /// Another compiler made the record: growth may be the compiler's.
    OtherCompiler {
        /// The recorded version.
        then: String,
        /// The version now.
        now: String,
    },
}

impl Finding {
    /// Whether the check fails for it.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::Grown { same_compiler: true, .. } | Self::Missing { .. })
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = |now: u64, then: u64| 100.0 * (now as f64 / then.max(1) as f64 - 1.0);
        match self {
            Self::Grown { row, then, now, .. } => {
                write!(f, "{row} grew from {then} to {now} instructions ({:+.1} %)", percent(*now, *then))
            }
            Self::Shrunk { row, then, now } => {
                write!(f, "{row} shrank from {then} to {now} instructions ({:+.1} %): record it", percent(*now, *then))
            }
            Self::Missing { row } => write!(f, "{row} is not recorded"),
            Self::OtherCompiler { then, now } => {
                write!(f, "recorded with {then}, measured with {now}: growth may be the compiler's, and is no failure")
            }
        }
    }
}

/// Holds counts by a compiler against the recorded ones.
#[must_use]
pub fn check(now: &[Row], rustc: &str, record: &Record) -> Vec<Finding> {
    let mut findings = Vec::new();
    let same_compiler = record.rustc == rustc;
    if !same_compiler {
        findings.push(Finding::OtherCompiler { then: record.rustc.clone(), now: rustc.to_owned() });
    }
    for Comparison { now, then } in compare(now, &record.rows) {
        let (row, Some(count)) = (now.title(), now.instructions) else { continue };
        let Some(then) = then.and_then(|then| then.instructions) else {
            findings.push(Finding::Missing { row });
            continue;
        };
        let ratio = count as f64 / then.max(1) as f64;
        if ratio > 1.0 + TOLERANCE {
            findings.push(Finding::Grown { row, then, now: count, same_compiler });
        } else if ratio < 1.0 - TOLERANCE {
            findings.push(Finding::Shrunk { row, then, now: count });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Core, row};

    fn record(rows: &[Row]) -> Record {
        Record { rustc: "rustc 1.0".to_owned(), rows: rows.to_vec() }
    }

    #[test]
    fn rows_are_paired_by_workload_core_and_memory() {
        let then = [row("W1", Core::M4f, 100), row("W1", Core::M7, 50)];
        let in_place = Row { memory: "in-place".to_owned(), ..row("W1", Core::M4f, 1) };
        let now = [row("W1", Core::M7, 75), row("W2", Core::M7, 1), in_place];
        let pairs = compare(&now, &then);
        let instructions = |row: &Row| row.instructions.map(|count| count as f64);
        assert_eq!(pairs[0].ratio(instructions), Some(1.5));
        assert!(pairs[1..].iter().all(|pair| pair.then.is_none() && pair.ratio(instructions).is_none()));
        assert_eq!(pairs[0].ratio(|row| row.microseconds), None, "neither has it");
    }

    #[test]
    fn only_growth_over_the_tolerance_and_rows_without_a_record_fail() {
        let recorded = record(&[row("W1", Core::M4f, 1000), row("W2", Core::M4f, 1000), row("W3", Core::M4f, 1000)]);
        let now = [
            row("W1", Core::M4f, 1020),
            row("W2", Core::M4f, 1021),
            row("W3", Core::M4f, 900),
            row("W4", Core::M4f, 1),
        ];
        let findings = check(&now, "rustc 1.0", &recorded);
        let failing: Vec<String> =
            findings.iter().filter(|finding| finding.is_failure()).map(Finding::to_string).collect();
        assert_eq!(failing.len(), 2);
        assert!(failing[0].contains("W2 (gradients) on m4f") && failing[0].contains("+2.1 %"), "{failing:?}");
        assert!(failing[1].contains("W4"), "{failing:?}");
        assert!(matches!(&findings[1], Finding::Shrunk { row, .. } if row.contains("W3")));
    }

    #[test]
    fn growth_under_another_compiler_is_told_but_no_failure() {
        let then = [row("W1", Core::M4f, 1000), row("W2", Core::M4f, 1000)];
        let now = [row("W1", Core::M4f, 2000), row("W2", Core::M4f, 1000)];
        let findings = check(&now, "rustc 2.0", &record(&then));
        assert_eq!(findings.len(), 2, "the compiler once, and the growth");
        assert!(findings.iter().all(|finding| !finding.is_failure()));
        assert!(findings[0].to_string().contains("rustc 2.0") && findings[1].to_string().contains("+100.0 %"));
        assert!(check(&then, "rustc 1.0", &record(&then)).is_empty());
    }

    #[test]
    fn a_row_of_this_computer_is_not_checked() {
        let timed = Row { instructions: None, ..row("W1", Core::Host, 0) };
        assert!(check(&[timed], "rustc 1.0", &record(&[])).is_empty());
    }
}

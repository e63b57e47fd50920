//! The story of a step on a terminal.

use super::Explanation;
use super::story::{Block, Section};

/// How many rows of a table are shown on a terminal, unless all are asked for.
const MOST_ROWS: usize = 12;

/// A number with six digits that count, ten characters wide at most.
#[must_use]
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        // Neither is it worth telling from -0.
        "0".into()
    } else if !value.is_finite() {
        "not finite".into()
    } else if value.fract() == 0.0 && size < 1e5 {
        format!("{value}")
    } else if (1e-3..1e5).contains(&size) {
        let before = size.log10().floor().max(0.0) as usize + 1;
        format!("{value:.*}", 7_usize.saturating_sub(before).min(6))
    } else {
        format!("{value:.3e}")
    }
}

impl Explanation {
    /// The step as text. Long tables are shortened, unless `all` of them is wanted.
    #[must_use]
    pub fn text(&self, all: bool) -> String {
        let sections = self.story(if all { usize::MAX } else { MOST_ROWS });
        sections.iter().map(section).collect::<Vec<_>>().join("\n")
    }
}

fn section(section: &Section) -> String {
    let rule = "=".repeat(section.title.chars().count());
    let mut text = format!("{}\n{rule}\n", section.title);
    for block in &section.blocks {
        match block {
            Block::Heading(heading) => text += &format!("\n{heading}\n"),
            Block::Formula(formula) => text += &format!("{}\n", wrap(formula, "    ")),
            Block::Note(note) => text += &format!("{}\n", wrap(note, "  ")),
            Block::Table { header, rows, skipped } => {
                text += &table(header, rows);
                if *skipped > 0 {
                    text += &format!("    ... {skipped} more rows: --all shows them\n");
                }
            }
        }
    }
    text
}

/// Lines of at most 110 characters, broken at spaces.
fn wrap(text: &str, indent: &str) -> String {
    let (mut lines, mut line) = (Vec::new(), String::from(indent));
    for word in text.split(' ') {
        if line.chars().count() + word.chars().count() > 109 && line.len() > indent.len() {
            lines.push(std::mem::replace(&mut line, String::from(indent)));
        }
        line += word;
        line.push(' ');
    }
    lines.push(line);
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

/// The first column to the left, the others to the right.
fn table(header: &[String], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .chain([header].map(|header| header.to_vec()).iter())
            .map(|row| row[column].chars().count())
            .max();
        cells.unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        format!("    {}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    std::iter::once(header).chain(rows.iter().map(Vec::as_slice)).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(0.5), "0.500000");
        assert_eq!(number(-12.345_678_9), "-12.34568");
        assert_eq!(number(12_345.678), "12345.68");
        assert_eq!(number(1.5e-7), "1.500e-7");
        assert_eq!([0.0, -0.0, -3.0, 6.0].map(number), ["0", "0", "-3", "6"]);
        for value in [1e-300, -1e300, 99_999.999, 0.001, f64::NAN] {
            assert!(number(value).len() <= 11, "{value}: {}", number(value));
        }
    }

    #[test]
    fn tables_are_aligned() {
        let rows = [vec!["Σ".to_string(), "1".into()], vec!["long".into(), "-1.5".into()]];
        let text = table(&["name".into(), "x".into()], &rows);
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths, [14, 14, 14], "{text}");
    }
}

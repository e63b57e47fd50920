//! Charts and words in a terminal, as the live views have them.

use std::fmt;

use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::widgets::{Axis, Dataset, GraphType};

/// From the least to the largest of some values, with something between.
pub fn bounds(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let (least, largest) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, largest), value| (least.min(value), largest.max(value)));
    if least > largest {
        return [0.0, 1.0];
    }
    let margin = (0.05 * (largest - least)).max(1e-3);
    [least - margin, largest + margin]
}

/// An axis with its bounds beside it.
#[must_use]
pub fn axis(bounds: [f64; 2]) -> Axis<'static> {
    // As many digits as tell the bounds apart.
    let digits = if bounds[1] - bounds[0] < 0.5 { 2 } else { 1 };
    Axis::default().bounds(bounds).labels(bounds.map(|bound| format!("{bound:.digits$}")))
}

/// The axis of time from 0 to `end` seconds, with words where there is room for them.
#[must_use]
pub fn time_axis(end: f64, area: Rect) -> Axis<'static> {
    let end = end.max(0.1);
    let axis = Axis::default().bounds([0.0, end]);
    if area.height > 7 { axis.labels(["0 s".to_owned(), seconds(end)]) } else { axis }
}

/// Seconds in words, to a tenth where there are few.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    let digits = usize::from(seconds < 10.0);
    format!("{seconds:.digits$} s")
}

/// A line through some points.
#[must_use]
pub fn curve(points: &[(f64, f64)], color: Color) -> Dataset<'_> {
    let style = Style::new().fg(color);
    Dataset::default().marker(Marker::Braille).graph_type(GraphType::Line).style(style).data(points)
}

/// Whether frames and axes fit in.
#[must_use]
pub const fn is_roomy(area: Rect) -> bool {
    area.width >= 60 && area.height >= 18
}

/// A whole number with its thousands set apart: 28920 as `28,920`.
#[must_use]
pub fn thousands(number: impl fmt::Display) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    groups.join(",")
}

/// A line in pieces of at most `width` characters, broken at spaces where there are some.
#[must_use]
pub fn broken(line: &str, width: usize) -> Vec<String> {
    let (mut pieces, mut piece) = (Vec::new(), String::new());
    for word in line.split_inclusive(' ') {
        if piece.chars().count() + word.trim_end().chars().count() > width && !piece.trim().is_empty() {
            pieces.push(std::mem::take(&mut piece));
        }
        piece.push_str(word);
    }
    pieces.push(piece);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces() {
        assert_eq!(broken("  1.0 s  button A released", 16), ["  1.0 s  button ", "A released"]);
        assert_eq!(broken("a", 0), ["a"]);
        assert_eq!(broken("", 10), [""]);
    }

    #[test]
    fn thousands_are_set_apart() {
        let numbers = [0, 7, 999, 1000, 28_920, 1_234_567];
        assert_eq!(numbers.map(thousands), ["0", "7", "999", "1,000", "28,920", "1,234,567"]);
    }

    #[test]
    fn bounds_hold_all_finite_values() {
        assert_eq!(bounds([].into_iter()), [0.0, 1.0]);
        let [least, largest] = bounds([f64::NAN, 1.0, 3.0].into_iter());
        assert!(least < 1.0 && largest > 3.0);
        let [least, largest] = bounds([2.0].into_iter());
        assert!(least < 2.0 && largest > 2.0, "something is between them");
    }
}

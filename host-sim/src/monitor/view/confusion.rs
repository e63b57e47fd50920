//! The confusion matrix, as far as there is room for it.

use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};

use super::super::Confusion;

/// The matrix; where there is no room for it, the classes that are confused most.
pub(super) fn lines(confusion: &Confusion, area: Rect) -> Vec<Line<'static>> {
    let (labels, rows) = (confusion.labels(), confusion.rows());
    if labels.is_empty() {
        return vec![Line::raw("no sample with a class so far")];
    }
    let (right, total) = (confusion.right(), confusion.total());
    let share = 100.0 * right as f64 / total as f64;
    let sum = Line::raw(format!("{share:.1} % of all {total} were right"));
    let name = labels.iter().map(|label| label.chars().count()).max().unwrap_or(1);
    let digits = rows.iter().flatten().max().map_or(1, |largest| largest.to_string().len());
    let cell = name.min(8).max(digits) + 1;
    if name + cell * labels.len() <= usize::from(area.width) && labels.len() + 2 <= usize::from(area.height) {
        let shorten = |label: &str| label.chars().take(cell - 1).collect::<String>();
        let header: String = labels.iter().map(|label| format!("{:>cell$}", shorten(label))).collect();
        let mut lines = vec![Line::raw(format!("{:name$}{header}", ""))];
        for (place, (label, row)) in labels.iter().zip(&rows).enumerate() {
            let mut spans = vec![Span::raw(format!("{label:>name$}"))];
            spans.extend(row.iter().enumerate().map(|(column, count)| count_in(*count, column == place, cell)));
            lines.push(Line::from(spans));
        }
        lines.push(sum);
        return lines;
    }
    let mut wrong: Vec<(u64, &str, &str)> = Vec::new();
    for (class, row) in labels.iter().zip(&rows) {
        wrong.extend(
            labels
                .iter()
                .zip(row)
                .filter(|(predicted, count)| *predicted != class && **count > 0)
                .map(|(predicted, count)| (*count, class.as_str(), predicted.as_str())),
        );
    }
    wrong.sort_by_key(|(count, ..)| std::cmp::Reverse(*count));
    let room = usize::from(area.height).saturating_sub(1);
    let line =
        |(count, class, predicted): (u64, &str, &str)| Line::raw(format!("{class} taken for {predicted}: {count}"));
    [sum].into_iter().chain(wrong.into_iter().take(room).map(line)).collect()
}

fn count_in(count: u64, is_right: bool, cell: usize) -> Span<'static> {
    let words = if count == 0 { "·".to_owned() } else { count.to_string() };
    let color = match (count, is_right) {
        (0, _) => Color::DarkGray,
        (_, true) => Color::Green,
        (_, false) => Color::Red,
    };
    Span::styled(format!("{words:>cell$}"), Style::new().fg(color))
}

//! The figures beside the charts.

use ratatui::style::{Color, Style};
use ratatui::text::Line;

use super::super::State;
use crate::log::Level;
use crate::terminal::thousands;

/// Cells of the longest bar.
const BAR: u64 = 16;

/// What there is to say, a line each; what the board has said nothing of is left out.
pub(super) fn lines(state: &State) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut add = |name: &str, words: String, color: Color| {
        lines.push(Line::styled(format!("{name:<11}{words}"), Style::new().fg(color)));
    };
    if let Some(loss) = state.loss().last() {
        let test = state.test_loss().last().map_or_else(String::new, |test| format!(", test {test:.4}"));
        add("loss", format!("{loss:.4}{test}"), finite(loss));
    }
    if let Some(accuracy) = state.accuracy().last() {
        add("accuracy", format!("{accuracy:.1} %"), finite(accuracy));
    }
    if let Some(error) = state.error().last() {
        let threshold = state.threshold().map_or_else(String::new, |threshold| format!(", threshold {threshold:.3}"));
        add("error", format!("{error:.3}{threshold}"), finite(error));
        let (words, color) = if state.alarm() { ("ALARM", Color::Red) } else { ("none", Color::Reset) };
        add("alarm", words.to_owned(), color);
    }
    if let Some((class, confidence)) = state.predicted() {
        add("it is now", format!("class {class}, {confidence:.0} %"), Color::Green);
    }
    match (state.observed(), state.progress()) {
        (Some(observed), _) => add("learned", format!("{} samples", thousands(observed)), Color::Reset),
        (None, Some((seen, of))) => add("learned", format!("{} of {}", thousands(seen), thousands(of)), Color::Reset),
        (None, None) => {}
    }
    let refused = state.refused();
    let color = if refused > 0 { Color::Yellow } else { Color::Reset };
    add("refused", thousands(refused), color);
    let mut reasons: Vec<_> = state.reasons().iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (reason, count) in reasons.into_iter().take(2) {
        add("", format!("{count} x {reason}"), Color::Yellow);
    }
    let levels = [(Level::Warn, "warnings"), (Level::Error, "errors")];
    let told = levels.map(|(level, name)| format!("{} {name}", state.at_level(level))).join(", ");
    let damaged = if state.damaged > 0 { format!(", {} damaged", state.damaged) } else { String::new() };
    let color = if state.at_level(Level::Error) > 0 { Color::Red } else { Color::Reset };
    add("messages", format!("{}: {told}{damaged}", thousands(state.messages())), color);
    if let Some((seconds, bytes)) = state.saved() {
        add("checkpoint", format!("{} bytes, at {seconds:.0} s", thousands(bytes)), Color::Reset);
    }
    if let Some(ram) = state.statics {
        let of = state.chip_ram.map_or_else(String::new, |chip| format!(" of {}", thousands(chip)));
        let stack = ram.stack.map_or_else(String::new, |stack| format!(", stack {}", thousands(stack)));
        add("statics", format!("{} bytes{of}{stack}", thousands(ram.statics)), Color::Cyan);
    }
    let memory = state.memory();
    let (total, largest) =
        memory.iter().fold((0, 1), |(total, largest): (u64, u64), (_, bytes)| (total + bytes, largest.max(*bytes)));
    if total > 0 {
        add("RAM", format!("{} bytes to learn in", thousands(total)), Color::Cyan);
    }
    for (part, bytes) in memory {
        let bar = "█".repeat(usize::try_from((bytes * BAR).div_ceil(largest)).unwrap_or(0));
        add("", format!("{part:<12} {:>7} {bar}", thousands(*bytes)), Color::Cyan);
    }
    lines
}

const fn finite(value: f64) -> Color {
    if value.is_finite() { Color::Reset } else { Color::Red }
}

//! The picture of a board that learns, in a terminal.

mod confusion;
mod figures;

use ratatui::backend::TestBackend;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Chart, Gauge, Paragraph};
use ratatui::{Frame, Terminal};

use super::{Curve, Entry, State};
use crate::log::Level;
use crate::terminal::{axis, bounds, broken, curve, is_roomy, seconds, time_axis};

/// Seconds of silence after which it is told.
const SILENT: f64 = 5.0;

/// Lines of the longest message that is shown whole.
const LONGEST: usize = 2;

/// Draws it.
pub fn draw(state: &State, frame: &mut Frame<'_>) {
    let [top, rest] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(frame.area());
    draw_top(state, frame, top);
    if !is_roomy(frame.area()) {
        let figures = figures::lines(state);
        let height = u16::try_from(figures.len()).unwrap_or(u16::MAX).min(rest.height.div_ceil(2).max(1));
        let [words, log] = Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(rest);
        frame.render_widget(Paragraph::new(figures), words);
        draw_log(state, frame, log);
        return;
    }
    let [charts, middle, log] =
        Layout::vertical([Constraint::Fill(3), Constraint::Fill(4), Constraint::Fill(2)]).areas(rest);
    draw_charts(state, frame, charts);
    let mut board = middle;
    // A board that watches for anomalies has no classes.
    if state.error().is_empty() || state.confusion().total() > 0 {
        let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(middle);
        board = right;
        let block = Block::bordered().title("class (row) taken for (column)");
        frame.render_widget(Paragraph::new(confusion::lines(state.confusion(), block.inner(left))), block.inner(left));
        frame.render_widget(block, left);
    }
    let block = Block::bordered().title("board");
    frame.render_widget(Paragraph::new(figures::lines(state)), block.inner(board));
    frame.render_widget(block, board);
    let block = Block::bordered().title("log");
    draw_log(state, frame, block.inner(log));
    frame.render_widget(block, log);
}

/// The picture as text, in a terminal of this size.
#[must_use]
pub fn text(state: &State, columns: u16, rows: u16) -> String {
    // Nothing that is drawn in memory can fail.
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let Ok(_) = terminal.draw(|frame| draw(state, frame));
    let buffer = terminal.backend().buffer();
    let width = usize::from(columns).max(1);
    let row = |cells: &[ratatui::buffer::Cell]| cells.iter().map(|cell| cell.symbol()).collect::<String>();
    buffer.content().chunks(width).map(row).map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The figures and the confusion matrix as they are now, a line each.
#[must_use]
pub fn summary(state: &State) -> String {
    let room = Rect::new(0, 0, 100, 70);
    let matrix = confusion::lines(state.confusion(), room);
    let has_classes = state.confusion().total() > 0;
    let lines = figures::lines(state).into_iter().chain(matrix.into_iter().filter(|_| has_classes));
    lines.map(|line| line.to_string()).collect::<Vec<_>>().join("\n")
}

fn draw_top(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let last = state.log().next_back().map_or(0.0, |entry| entry.seconds);
    let silent = state.seconds - last;
    let standing = match (state.ended, silent > SILENT) {
        (true, _) => "ended; ".to_owned(),
        (false, true) => format!("silent for {silent:.0} s; "),
        (false, false) => String::new(),
    };
    let words = format!("{}: {}, {standing}q: end", state.source, seconds(state.seconds));
    match state.progress() {
        Some((seen, of)) if of > 0 => {
            let gauge = Gauge::default().ratio((seen as f64 / of as f64).clamp(0.0, 1.0)).label(words);
            frame.render_widget(gauge.gauge_style(Style::new().fg(Color::Blue)), area);
        }
        _ => frame.render_widget(Line::styled(words, Style::new().fg(Color::Blue)).centered(), area),
    }
}

/// Loss and accuracy, or what an anomaly detector has instead.
fn draw_charts(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let losses = [("loss", state.loss(), Color::Yellow), ("test loss", state.test_loss(), Color::Cyan)];
    let accuracy = [("accuracy, %", state.accuracy(), Color::Green)];
    let error = [("error", state.error(), Color::Yellow)];
    let has_error = !state.error().is_empty();
    if has_error && state.loss().is_empty() {
        draw_curves(state, frame, area, &error, state.threshold(), false);
        return;
    }
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(area);
    draw_curves(state, frame, left, &losses, None, false);
    if has_error {
        draw_curves(state, frame, right, &error, state.threshold(), false);
    } else {
        draw_curves(state, frame, right, &accuracy, None, true);
    }
}

fn draw_curves(
    state: &State,
    frame: &mut Frame<'_>,
    area: Rect,
    curves: &[(&'static str, &Curve, Color)],
    limit: Option<f64>,
    is_percent: bool,
) {
    let mut title = Vec::new();
    let mut add = |name, color| {
        let comma = if title.is_empty() { "" } else { ", " };
        title.extend([Span::raw(comma), Span::styled(name, Style::new().fg(color))]);
    };
    let limit_line: Vec<(f64, f64)> = limit.iter().flat_map(|limit| [(0.0, *limit), (state.seconds, *limit)]).collect();
    let mut datasets = Vec::new();
    for (place, (name, values, color)) in curves.iter().enumerate() {
        if place == 0 || !values.is_empty() {
            add(*name, *color);
            datasets.push(curve(values.points(), *color));
        }
    }
    if limit.is_some() {
        add("threshold", Color::Red);
        datasets.push(curve(&limit_line, Color::Red));
    }
    let all = curves.iter().flat_map(|(_, curve, _)| curve.points()).chain(&limit_line).map(|point| point.1);
    let [least, largest] = bounds(all.clone());
    // Nearly all losses are above 0, and then so is the axis.
    let least = if all.clone().all(|value| value >= 0.0) { least.max(0.0) } else { least };
    let vertical = if is_percent { [0.0, 100.0] } else { [least, largest] };
    let chart =
        Chart::new(datasets).x_axis(time_axis(state.seconds, area)).y_axis(axis(vertical)).legend_position(None);
    frame.render_widget(chart.block(Block::bordered().title(Line::from(title))), area);
}

/// The last messages that there is room for.
fn draw_log(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let mut lines: Vec<Line<'_>> = Vec::new();
    for entry in state.log().rev() {
        let mut pieces = broken(&words(entry), width);
        if pieces.len() > LONGEST {
            // Parameters and the like are long.
            pieces.truncate(LONGEST);
            if let Some(last) = pieces.last_mut() {
                *last = last.chars().take(width.saturating_sub(1)).chain(['…']).collect();
            }
        }
        let style = Style::new().fg(colour(entry.level));
        lines.extend(pieces.into_iter().rev().map(|piece| Line::styled(piece, style)));
        if lines.len() >= height {
            break;
        }
    }
    lines.truncate(height);
    lines.reverse();
    frame.render_widget(Paragraph::new(lines), area);
}

fn words(entry: &Entry) -> String {
    let level = entry.level.filter(|level| *level > Level::Info).map_or_else(String::new, |level| format!("{level}: "));
    format!("{:>7.1} s  {level}{}", entry.seconds, entry.text)
}

const fn colour(level: Option<Level>) -> Color {
    match level {
        Some(Level::Error) => Color::Red,
        Some(Level::Warn) => Color::Yellow,
        Some(Level::Debug | Level::Trace) => Color::DarkGray,
        Some(Level::Info) | None => Color::Reset,
    }
}

#[cfg(test)]
mod tests;

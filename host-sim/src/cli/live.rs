//! The live view of a simulated board in the terminal, and where the output of its commands goes.

use std::collections::VecDeque;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use backpass_sim::terminal::{axis, bounds, broken, curve, is_roomy, time_axis};
use clap::Args;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Borders, Chart, Gauge, Paragraph, Wrap};

use super::terminal::{Key, Screen};
use super::train::prepare;

/// Rows of the signal that are shown.
const ROWS: usize = 240;
/// Points of the curve that are shown; of a longer one every other point is dropped.
const POINTS: usize = 480;
/// Lines that are kept.
const LINES: usize = 100;
/// Columns of the LEDs.
const LEDS: u16 = 15;

/// Where the output goes.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Folder of the report
    #[arg(long, value_name = "DIR", default_value = "report")]
    report: PathBuf,
    /// Write no report
    #[arg(long, conflicts_with = "report")]
    no_report: bool,
    /// Print lines instead of the live view, on a terminal too
    #[arg(long)]
    no_live: bool,
    /// Simulated seconds a second in the live view; its keys: q ends it
    #[arg(long, value_name = "FACTOR", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    speed: u32,
    /// Print nothing but errors (and the object of --json)
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Print one JSON object as the last line of standard output
    #[arg(long)]
    pub(crate) json: bool,
}

impl Output {
    /// The report's folder, if there is to be a report.
    pub(crate) fn report(&self) -> Option<&Path> {
        (!self.no_report).then_some(&self.report)
    }

    /// Makes the report's folder, so that a bad one is found at once.
    pub(crate) fn prepare(&self) -> Result<(), Box<dyn Error>> {
        self.report().map_or(Ok(()), prepare)
    }
}

/// What is to be seen at one moment.
#[derive(Debug)]
pub(crate) struct Watched<'m> {
    /// Simulated seconds since switch-on.
    pub(crate) seconds: f64,
    /// How much has passed, 0 to 1.
    pub(crate) progress: f64,
    /// What the sensor feels; the first three channels are shown.
    pub(crate) motion: &'m [f32],
    /// What the person or the machine does.
    pub(crate) doing: String,
    /// What the board shows, in words.
    pub(crate) sign: String,
    /// The LEDs that are lit.
    pub(crate) leds: [[bool; 5]; 5],
    /// What the curve is of, and its next point, if there is one.
    pub(crate) curve: (&'static str, Option<f64>),
    /// A level to be marked.
    pub(crate) limit: Option<f64>,
}

/// The view, while it is open. Leaves the terminal as it was when it is dropped.
pub(crate) struct View {
    /// `None` once the view has ended: the rest goes on unseen.
    screen: Option<Screen>,
    picture: Picture,
    speed: f64,
    opened: Instant,
}

impl View {
    /// Opens the view if somebody can see it.
    pub(crate) fn open(output: &Output, title: &'static str) -> Result<Option<Self>, Box<dyn Error>> {
        if output.no_live || output.quiet || output.json {
            return Ok(None);
        }
        let view = |screen| Self {
            screen: Some(screen),
            picture: Picture::new(title),
            speed: f64::from(output.speed),
            opened: Instant::now(),
        };
        Ok(Screen::open()?.map(view))
    }

    /// A line for people.
    pub(crate) fn line(&mut self, line: String) {
        if self.screen.is_none() { super::screen::print(&line) } else { self.picture.line(line) }
    }

    /// Leaves the terminal as it was, and tells there what was told so far.
    fn end(&mut self) {
        if self.screen.take().is_some() {
            self.picture.lines.iter().for_each(|line| super::screen::print(line));
        }
    }

    /// Shows a moment, when its time has come.
    pub(crate) fn watch(&mut self, watched: &Watched<'_>) {
        let Some(screen) = &mut self.screen else { return };
        self.picture.take(watched);
        let due = Duration::from_secs_f64((watched.seconds / self.speed).max(0.0));
        std::thread::sleep(due.saturating_sub(self.opened.elapsed()));
        match screen.show(|frame| self.picture.draw(frame)) {
            Some(Key::Interrupt) => {
                self.end();
                std::process::exit(130);
            }
            Some(Key::End) => self.end(),
            None => {}
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.end();
    }
}

/// All that the view shows.
#[derive(Debug)]
struct Picture {
    title: &'static str,
    seconds: f64,
    progress: f64,
    motion: VecDeque<[f64; 3]>,
    doing: String,
    sign: String,
    leds: [[bool; 5]; 5],
    curve: (&'static str, Vec<(f64, f64)>),
    limit: Option<f64>,
    lines: VecDeque<String>,
}

impl Picture {
    const fn new(title: &'static str) -> Self {
        Self {
            title,
            seconds: 0.0,
            progress: 0.0,
            motion: VecDeque::new(),
            doing: String::new(),
            sign: String::new(),
            leds: [[false; 5]; 5],
            curve: ("", Vec::new()),
            limit: None,
            lines: VecDeque::new(),
        }
    }

    fn line(&mut self, line: String) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    fn take(&mut self, watched: &Watched<'_>) {
        let Watched { seconds, progress, motion, doing, sign, leds, curve: (name, point), limit } = watched;
        (self.seconds, self.progress, self.leds, self.limit) = (*seconds, *progress, *leds, *limit);
        self.doing.clone_from(doing);
        self.sign.clone_from(sign);
        if self.motion.len() == ROWS {
            self.motion.pop_front();
        }
        let channel = |index: usize| motion.get(index).map_or(0.0, |value| f64::from(*value));
        self.motion.push_back([channel(0), channel(1), channel(2)]);
        self.curve.0 = name;
        if let Some(value) = point {
            let points = &mut self.curve.1;
            points.push((*seconds, *value));
            if points.len() > POINTS {
                let mut keep = false;
                points.retain(|_| {
                    keep = !keep;
                    keep
                });
            }
        }
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let [top, rest] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(frame.area());
        let label = format!("{} {:.0} s (q: end view)", self.title, self.seconds);
        let gauge = Gauge::default().ratio(self.progress.clamp(0.0, 1.0)).label(label);
        frame.render_widget(gauge.gauge_style(Style::new().fg(Color::Blue)), top);
        if !is_roomy(frame.area()) {
            self.draw_compactly(frame, rest);
            return;
        }
        let [middle, bottom] = Layout::vertical([Constraint::Fill(1); 2]).areas(rest);
        let [signal, board] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(34)]).areas(middle);
        let [curve, log] = Layout::horizontal([Constraint::Fill(1); 2]).areas(bottom);
        self.draw_signal(frame, signal, Block::bordered());
        let mut lines = self.led_lines();
        lines.extend([Line::raw(""), Line::raw(self.sign.as_str()), Line::raw(format!("now: {}", self.doing))]);
        let board_text = Paragraph::new(lines).wrap(Wrap { trim: true });
        frame.render_widget(board_text.block(Block::bordered().title("board")), board);
        self.draw_curve(frame, curve, Block::bordered());
        let block = Block::bordered().title("log");
        self.draw_log(frame, block.inner(log));
        frame.render_widget(block, log);
    }

    /// In a small terminal: words first, then the LEDs beside the charts, as far as there is room.
    fn draw_compactly(&self, frame: &mut Frame<'_>, area: Rect) {
        let [words, rest] = Layout::vertical([Constraint::Length(3), Constraint::Fill(1)]).areas(area);
        let last = self.curve.1.last().map_or("-".to_owned(), |point| format!("{:.1}", point.1));
        let lines = [self.sign.clone(), format!("now: {}", self.doing), format!("{last}  {}", self.curve.0)];
        frame.render_widget(Paragraph::new(lines.map(Line::raw).to_vec()), words);
        if rest.height < 5 {
            self.draw_log(frame, rest);
            return;
        }
        let [leds, charts] = Layout::horizontal([Constraint::Length(LEDS), Constraint::Fill(1)]).areas(rest);
        frame.render_widget(Paragraph::new(self.led_lines()), leds);
        if charts.width >= LEDS {
            let [signal, curve] = Layout::vertical([Constraint::Fill(1); 2]).areas(charts);
            self.draw_signal(frame, signal, Block::new().borders(Borders::TOP));
            self.draw_curve(frame, curve, Block::new().borders(Borders::TOP));
        }
    }

    /// The last lines that there is room for, broken where they are too long.
    fn draw_log(&self, frame: &mut Frame<'_>, area: Rect) {
        let lines: Vec<String> = self.lines.iter().flat_map(|line| broken(line, usize::from(area.width))).collect();
        let first = lines.len().saturating_sub(usize::from(area.height));
        frame.render_widget(Paragraph::new(lines.into_iter().skip(first).map(Line::raw).collect::<Vec<_>>()), area);
    }

    fn led_lines(&self) -> Vec<Line<'_>> {
        let line = |row: &[bool; 5]| row.map(|lit| if lit { "██ " } else { "·· " }).concat();
        self.leds.iter().map(|row| Line::styled(line(row), Style::new().fg(Color::Red))).collect()
    }

    fn draw_signal(&self, frame: &mut Frame<'_>, area: Rect, block: Block<'_>) {
        let points = |channel: usize| -> Vec<(f64, f64)> {
            self.motion.iter().enumerate().map(|(row, values)| (row as f64, values[channel])).collect()
        };
        let channels = [("x", points(0), Color::Red), ("y", points(1), Color::Green), ("z", points(2), Color::Cyan)];
        let bounds = bounds(channels.iter().flat_map(|(_, points, _)| points.iter().map(|point| point.1)));
        let mut title = vec![Span::raw("m/s²")];
        let datasets = channels.iter().map(|(name, points, color)| {
            title.push(Span::styled(format!(" {name}"), Style::new().fg(*color)));
            curve(points, *color)
        });
        let chart = Chart::new(datasets.collect())
            .x_axis(Axis::default().bounds([0.0, ROWS as f64]))
            .y_axis(axis(bounds))
            .legend_position(None);
        let title = Line::from_iter([Span::raw("acceleration, ")].into_iter().chain(title));
        frame.render_widget(chart.block(block.title(title)), area);
    }

    fn draw_curve(&self, frame: &mut Frame<'_>, area: Rect, block: Block<'_>) {
        let (name, points) = &self.curve;
        let limit: Vec<(f64, f64)> =
            self.limit.iter().flat_map(|limit| [(0.0, *limit), (self.seconds, *limit)]).collect();
        let bounds =
            if name.ends_with('%') { [0.0, 100.0] } else { bounds(points.iter().chain(&limit).map(|point| point.1)) };
        let mut title = vec![Span::styled(*name, Style::new().fg(Color::Yellow))];
        let mut datasets = vec![curve(points, Color::Yellow)];
        if !limit.is_empty() {
            datasets.push(curve(&limit, Color::Red));
            title.extend([Span::raw(", "), Span::styled("threshold", Style::new().fg(Color::Red))]);
        }
        let time = time_axis(self.seconds, area);
        let chart = Chart::new(datasets).x_axis(time).y_axis(axis(bounds)).legend_position(None);
        frame.render_widget(chart.block(block.title(Line::from(title))), area);
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn text(picture: &Picture) -> String {
        text_in(picture, 100, 30)
    }

    fn text_in(picture: &Picture, columns: u16, rows: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal.draw(|frame| picture.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    fn watched(seconds: f64, point: Option<f64>) -> Watched<'static> {
        let mut leds = [[false; 5]; 5];
        leds[2] = [true; 5];
        Watched {
            seconds,
            progress: 0.5,
            motion: &[1.0, -2.0, 9.8, 0.0],
            doing: "doing badminton".to_owned(),
            sign: "badminton (93 %)".to_owned(),
            leds,
            curve: ("accuracy so far, %", point),
            limit: Some(50.0),
        }
    }

    #[test]
    fn everything_is_in_the_picture() {
        let mut picture = Picture::new("gesture");
        text(&picture);
        for second in 0..300 {
            picture.take(&watched(f64::from(second), (second % 2 == 0).then_some(80.0)));
        }
        picture.line("button A held".to_owned());
        let text = text(&picture);
        for part in [
            "gesture",
            "299 s",
            "badminton (93 %)",
            "now: doing badminton",
            "accuracy so far, %",
            "button A held",
            "threshold",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert_eq!(text.matches("██ ██ ██ ██ ██").count(), 1, "a row of LEDs is lit\n{text}");
    }

    #[test]
    fn a_small_terminal_has_the_words() {
        let mut picture = Picture::new("gesture");
        picture.take(&watched(1.0, Some(80.0)));
        picture.line("button A held".to_owned());
        for (columns, rows, parts) in [
            (
                40,
                12,
                &["badminton (93 %)", "now: doing badminton", "80.0  accuracy so far, %", "██ ██ ██", "m/s²", "thres"]
                    [..],
            ),
            (20, 5, &["badminton (93 %)", "button A held"]),
            (1, 1, &[]),
        ] {
            let text = text_in(&picture, columns, rows);
            let missing: Vec<_> = parts.iter().filter(|part| !text.contains(**part)).collect();
            assert!(missing.is_empty(), "{missing:?} are not in\n{text}");
        }
    }

    #[test]
    fn what_is_kept_does_not_grow() {
        let mut picture = Picture::new("anomaly");
        for second in 0..10_000 {
            picture.take(&watched(f64::from(second), Some(f64::from(second))));
            picture.line(second.to_string());
        }
        assert!(picture.motion.len() <= ROWS && picture.curve.1.len() <= POINTS && picture.lines.len() <= LINES);
        assert!(picture.curve.1.is_sorted(), "the curve still goes from the beginning to the end");
    }
}

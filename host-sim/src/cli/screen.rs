//! What goes to the terminal: lines, tables, a progress bar.

use std::io::Write;
use std::time::Duration;

use backpass_sim::Outcome;
pub(crate) use backpass_sim::terminal::thousands;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Standard output for lines and standard error for a progress bar, or silence.
#[derive(Debug)]
pub(crate) struct Screen {
    quiet: bool,
    bar: ProgressBar,
}

impl Screen {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, bar: ProgressBar::hidden() }
    }

    /// A line for people.
    pub(crate) fn line(&self, text: impl AsRef<str>) {
        if !self.quiet {
            self.bar.suspend(|| print(text.as_ref()));
        }
    }

    /// A line for programs: printed also when quiet.
    pub(crate) fn json(&self, value: &serde_json::Value) {
        self.finish();
        print(&value.to_string());
    }

    /// Shows progress towards `length`; nothing where standard error is no terminal.
    pub(crate) fn start(&mut self, length: u64, what: &str) {
        self.bar.finish_and_clear();
        if self.quiet {
            return;
        }
        let style = ProgressStyle::with_template("{prefix} [{bar:32}] {pos}/{len} {msg} ({eta} left)");
        self.bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        self.bar.set_prefix(what.to_owned());
    }

    /// Shows that something of unknown length goes on.
    pub(crate) fn wait(&mut self, what: String) {
        self.bar.finish_and_clear();
        if self.quiet {
            return;
        }
        let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
        self.bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        self.bar.set_message(what);
        self.bar.enable_steady_tick(Duration::from_millis(120));
    }

    pub(crate) fn progress(&self, position: u64, message: String) {
        self.bar.set_position(position);
        self.bar.set_message(message);
    }

    /// Progress towards a length that is known only now.
    pub(crate) fn progress_of(&self, position: u64, length: u64) {
        self.bar.set_length(length);
        self.bar.set_position(position);
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A reader that has gone away, `| head`, is no error.
pub(crate) fn print(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// The confusion matrix, a row a true class.
pub(crate) fn confusion(outcome: &Outcome) -> String {
    let header: String = (0..outcome.confusion.len()).map(|class| format!("{class:>5}")).collect();
    let mut lines = vec![
        "Confusion matrix of the test (row: true class, column: predicted class)".to_owned(),
        format!("      {header}   recall"),
    ];
    for (class, row) in outcome.confusion.iter().enumerate() {
        let counts: String = row.iter().map(|n| if *n == 0 { "    .".to_owned() } else { format!("{n:>5}") }).collect();
        let (right, all) = (row.get(class).copied().unwrap_or(0), row.iter().sum::<u32>());
        let recall =
            if all == 0 { "-".to_owned() } else { format!("{:.1} %", 100.0 * f64::from(right) / f64::from(all)) };
        lines.push(format!("{class:>5} {counts} {recall:>9}"));
    }
    lines.join("\n")
}

/// The parts of the training RAM.
pub(crate) fn memory(outcome: &Outcome) -> String {
    let mut lines = vec!["Training RAM (size of the one static `Memory`)".to_owned()];
    let mut row = |part: &str, bytes: usize| lines.push(format!("  {part:<12} {:>9} bytes", thousands(bytes)));
    for (part, bytes) in &outcome.memory {
        row(part, *bytes);
    }
    row("total", outcome.ram_bytes());
    lines.join("\n")
}

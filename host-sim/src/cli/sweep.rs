//! `sweep`: which setting learns best?

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use backpass_app::digits;
use backpass_sim::Dataset;
use backpass_sim::network::Rule;
use backpass_sim::report::SweepReport;
use backpass_sim::sweep::{Findings, Grid, Header, Setting, State, Statistics, Summary, Width, validation_start};
use clap::Args;
use serde_json::json;

use super::find_rate::Search;
use super::screen::{Screen, thousands};
use super::train::{is_built, prepare, read, source};
use super::{positive, rules};

/// Options of `sweep`.
#[derive(Debug, Args)]
#[command(after_help = "\
How it chooses: every setting is trained on four fifths of the training half and judged by the rest of it, the validation
part, as the mean over all seeds. The test half has no say in it, so that its accuracy is not flattered by the choice: the
best setting is trained again on the whole training half, as `train` does it, and then tested. The table shows the test
accuracies of all settings beside the validation; do not choose by them.

With --state, a sweep that was interrupted (Ctrl-C, power) goes on where it was when it is called again; lists may grow.
The result does not depend on the number of jobs or on interruptions, bit for bit; the times do.

Examples:
  backpass-sim sweep
  backpass-sim sweep --optimizers sgd,adam --learning-rates 0.003,0.01,0.03 --widths 8,32 --seeds 1-10 --state sweep.jsonl
  backpass-sim sweep --data mine.csv --json > sweep-results.jsonl
  backpass-sim sweep --find-rate --optimizer adam --width 16")]
pub(crate) struct Sweep {
    /// Sweep over this CSV file instead of the built-in digits: a row has 64 features and a label 0 to 9, as for `train`
    #[arg(long, value_name = "FILE.csv")]
    data: Option<PathBuf>,
    /// Seeds, over which accuracies are averaged: numbers and ranges such as 1-5,8 [default: 1-5; of --find-rate 1]
    #[arg(long, value_name = "LIST")]
    seeds: Option<Seeds>,
    /// Learning rates
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        allow_negative_numbers = true,
        default_value = "0.001,0.003,0.01,0.03,0.1",
        value_parser = positive,
        conflicts_with = "find_rate"
    )]
    learning_rates: Vec<f32>,
    /// Rules of descent
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "sgd,momentum,adam",
        value_parser = rules(is_built),
        conflicts_with = "find_rate"
    )]
    optimizers: Vec<Rule>,
    /// Hidden neurons: each W of a 64-W-10 network, of 4, 8, 16, 24, 32, 48, 64, 96, 128
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "8,16,32,64",
        conflicts_with = "find_rate"
    )]
    widths: Vec<Width>,
    /// Samples to an update
    #[arg(long, value_name = "LIST", value_delimiter = ',', allow_negative_numbers = true, default_values_t = [digits::PLAN.batch], value_parser = clap::value_parser!(u32).range(1..))]
    batch: Vec<u32>,
    /// Times every training sample is seen [default: 30; of --find-rate 2]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Runs at a time [default: one a processor]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=1024), conflicts_with = "find_rate")]
    jobs: Option<u16>,
    /// File of finished runs, one a line: with it, a sweep that was interrupted goes on where it was
    #[arg(long, value_name = "FILE", conflicts_with = "find_rate")]
    state: Option<PathBuf>,
    #[command(flatten)]
    search: Search,
    /// Folder of the report: report.html and sweep.png, or learning-rate.png
    #[arg(long, value_name = "DIR", default_value = "report")]
    report: PathBuf,
    /// Write no report
    #[arg(long, conflicts_with = "report")]
    no_report: bool,
    /// Print nothing but errors (and the objects of --json)
    #[arg(long)]
    quiet: bool,
    /// Print JSON instead of the table, an object a line: one for each setting, best first, and a last one with `best`
    #[arg(long)]
    json: bool,
}

/// A list of seeds: numbers and ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seeds(Vec<u64>);

/// More seeds than this are a slip of the finger.
const MOST_SEEDS: u64 = 10_000;

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut seeds = BTreeSet::new();
        for part in text.split(',') {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.trim().parse::<u64>().map_err(|_| "expected seeds such as 1-5 or 1,2,8");
            let (from, to) = (number(from)?, number(to)?);
            if from > to {
                return Err(format!("the range {part} ends before it begins"));
            }
            if to - from >= MOST_SEEDS || seeds.len() as u64 >= MOST_SEEDS {
                return Err(format!("more than {MOST_SEEDS} seeds"));
            }
            seeds.extend(from..=to);
        }
        Ok(Self(seeds.into_iter().collect()))
    }
}

impl Sweep {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let folder = (!self.no_report).then_some(self.report.as_path());
        if self.search.find_rate {
            let (seed, batch) = self.single()?;
            let mut screen = Screen::new(self.quiet || self.json);
            return self.search.run(self.data.as_deref(), self.epochs, seed, batch, folder, &mut screen, self.json);
        }
        let grid = self.grid();
        let data = read(self.data.as_deref())?;
        folder.map_or(Ok(()), prepare)?;
        let header = Header::new(&data, grid.epochs);
        let state = self.state.as_deref().map(|path| State::open(path, &header)).transpose()?;

        let mut screen = Screen::new(self.quiet || self.json);
        let settings = self.settings(&grid, &data, state.as_ref());
        for (name, value) in &settings {
            screen.line(format!("{name:<14} {value}"));
        }
        let jobs = self.jobs.map_or(0, usize::from);
        screen.start(grid.runs() as u64, "runs");
        let done = AtomicU64::new(0);
        let shown = &screen;
        let findings = grid.run(&data, jobs, state, &|run| {
            let Setting { optimizer, learning_rate, width, .. } = run.setting;
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            shown.progress(done, format!("{optimizer} {learning_rate}, {width} wide"));
        })?;
        screen.finish();
        let advice = self.advice(&findings, &grid);
        screen.line(format!("\n{}\n\n{}", table(&findings.ranked), advice.join("\n")));
        if let Some(folder) = folder {
            let title = "Digits: 64-W-10".to_owned();
            let report = SweepReport { title, findings: findings.clone(), advice: advice.clone(), settings };
            for path in report.write(folder)? {
                screen.line(format!("wrote {}", path.display()));
            }
        }
        if self.json {
            for summary in &findings.ranked {
                screen.json(&json!(summary));
            }
            screen.json(&json!({
                "best": findings.best,
                "best_validation_accuracy": findings.ranked.first().and_then(|summary| summary.validation_accuracy),
                "smallest_within_one_standard_error": findings.frugal(),
                "command": self.command(&findings.best.setting, &grid),
                "settings": findings.ranked.len(),
                "runs": grid.runs(),
            }));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The one seed and the one batch of a search for the learning rate.
    fn single(&self) -> Result<(u64, u32), Box<dyn Error>> {
        let seed = match &self.seeds {
            None => digits::PLAN.seed,
            Some(Seeds(seeds)) => match seeds[..] {
                [seed] => seed,
                _ => return Err("--find-rate is one training: give one seed".into()),
            },
        };
        match self.batch[..] {
            [batch] => Ok((seed, batch)),
            _ => Err("--find-rate is one training: give one --batch".into()),
        }
    }

    /// What is varied; a value that was given twice counts once.
    fn grid(&self) -> Grid {
        fn once<T: PartialEq + Copy>(values: &[T]) -> Vec<T> {
            let mut kept = Vec::new();
            for value in values {
                if !kept.contains(value) {
                    kept.push(*value);
                }
            }
            kept
        }
        Grid {
            optimizers: once(&self.optimizers),
            learning_rates: once(&self.learning_rates),
            widths: once(&self.widths),
            batches: once(&self.batch),
            seeds: self.seeds.as_ref().map_or_else(|| (1..=5).collect(), |Seeds(seeds)| seeds.clone()),
            epochs: self.epochs.unwrap_or(digits::PLAN.epochs),
        }
    }

    /// The settings in words.
    fn settings(&self, grid: &Grid, data: &Dataset<digits::Input>, state: Option<&State>) -> Vec<(String, String)> {
        fn list<T: ToString>(values: &[T]) -> String {
            values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        let learned = validation_start(data);
        let state = match (&self.state, state) {
            (Some(path), Some(state)) => {
                format!("{}, {} runs are there", path.display(), thousands(state.runs().len()))
            }
            _ => "none: with --state FILE an interrupted sweep can go on".to_owned(),
        };
        [
            ("data", source(self.data.as_deref())),
            (
                "samples",
                format!(
                    "{} training, {} validation, {} test",
                    thousands(learned),
                    thousands(data.training.len() - learned),
                    thousands(data.test.len())
                ),
            ),
            ("optimizers", list(&grid.optimizers)),
            ("learning rates", list(&grid.learning_rates)),
            ("widths", list(&grid.widths)),
            ("batch", list(&grid.batches)),
            ("seeds", list(&grid.seeds)),
            ("epochs", grid.epochs.to_string()),
            ("runs", thousands(grid.runs())),
            ("state", state),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// The best setting in a sentence, the command that trains it, and what else is worth knowing.
    fn advice(&self, findings: &Findings, grid: &Grid) -> Vec<String> {
        let Statistics { mean, lowest, standard_deviation } = findings.best.test_accuracy;
        let chosen = findings.ranked.first().and_then(|summary| summary.validation_accuracy);
        let validation = chosen.map_or(f64::NAN, |accuracy| accuracy.mean);
        let mut advice = vec![
            format!(
                "Best: {}, with a validation accuracy of {:.2} %; trained on the whole training half, it has a test accuracy \
                 of {:.2} % (lowest {:.2} %, standard deviation {:.2} points, {}).",
                words(&findings.best),
                100.0 * validation,
                100.0 * mean,
                100.0 * lowest,
                100.0 * standard_deviation,
                if findings.best.seeds == 1 { "one seed".to_owned() } else { format!("{} seeds", findings.best.seeds) },
            ),
            format!("Train it: {}", self.command(&findings.best.setting, grid)),
        ];
        if let Some(frugal) = findings.frugal() {
            advice.push(format!(
                "With less RAM and hardly worse, within one standard error: {}, {:.2} %.",
                words(frugal),
                100.0 * frugal.validation_accuracy.map_or(f64::NAN, |accuracy| accuracy.mean),
            ));
        }
        let refused = findings.ranked.iter().filter(|summary| summary.refused > 0).count();
        if refused > 0 {
            advice.push(format!(
                "In {refused} of {} settings samples or updates were refused because they were not finite: their learning \
                 rates are too high.",
                findings.ranked.len()
            ));
        }
        let validation = findings.ranked.iter().filter_map(|summary| summary.validation_accuracy);
        if findings.ranked.len() > 1 && validation.clone().all(|accuracy| Some(accuracy.mean) == chosen.map(|c| c.mean))
        {
            advice.push("All settings have the same validation accuracy: the data cannot tell them apart.".to_owned());
        }
        advice
    }

    /// The command that trains a setting.
    fn command(&self, setting: &Setting, grid: &Grid) -> String {
        let seed = grid.seeds.first().copied().unwrap_or(digits::PLAN.seed);
        train_command(self.data.as_deref(), setting, grid.epochs, seed)
    }
}

/// The command line of `train` for a setting.
pub(crate) fn train_command(data: Option<&Path>, setting: &Setting, epochs: u32, seed: u64) -> String {
    let Setting { optimizer, learning_rate, width, batch } = setting;
    let data = data.map_or_else(String::new, |path| format!(" --data {}", quoted(&path.display().to_string())));
    format!(
        "backpass-sim train{data} --optimizer {optimizer} --learning-rate {learning_rate} --width {width} --batch {batch} \
         --epochs {epochs} --seed {seed}"
    )
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn words(summary: &Summary) -> String {
    let Setting { optimizer, learning_rate, width, batch } = summary.setting;
    let bytes = thousands(summary.ram_bytes);
    format!(
        "{optimizer} at a learning rate of {learning_rate}, {width} hidden neurons, batch {batch}, {bytes} bytes of RAM"
    )
}

/// The settings, the best first.
fn table(ranked: &[Summary]) -> String {
    let mut lines = vec![
        "                                     validation accuracy, %        test accuracy, %".to_owned(),
        "optimizer       rate  width  batch     mean  lowest  deviat.     mean  lowest  deviat.   RAM, bytes   us a step".to_owned(),
    ];
    for summary in ranked {
        let Setting { optimizer, learning_rate, width, batch } = summary.setting;
        let figures = |accuracy: Statistics| {
            let [mean, lowest, deviation] =
                [accuracy.mean, accuracy.lowest, accuracy.standard_deviation].map(|value| 100.0 * value);
            format!("{mean:>9.2} {lowest:>7.2} {deviation:>8.2}")
        };
        let validation = summary.validation_accuracy.map(figures).unwrap_or_default();
        lines.push(format!(
            "{optimizer:<10} {learning_rate:>9} {width:>6} {batch:>6} {validation} {} {:>12} {:>11.2}",
            figures(summary.test_accuracy),
            thousands(summary.ram_bytes),
            summary.microseconds_per_step,
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_numbers_and_ranges() {
        let seeds = |text: &str| text.parse::<Seeds>().map(|Seeds(seeds)| seeds);
        assert_eq!(seeds("1-3,8"), Ok(vec![1, 2, 3, 8]));
        assert_eq!(seeds("5,2-3,3"), Ok(vec![2, 3, 5]));
        assert_eq!(seeds("18446744073709551615"), Ok(vec![u64::MAX]));
        for text in ["", "5-1", "a", "-3", "1-", "1,,2", "0-18446744073709551615", "1.5"] {
            assert!(seeds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_with_spaces_are_quoted() {
        assert_eq!(quoted("a/b.csv"), "a/b.csv");
        assert_eq!(quoted("my file's.csv"), r"'my file'\''s.csv'");
    }
}

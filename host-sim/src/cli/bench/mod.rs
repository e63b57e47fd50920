//! `bench`: what a training step costs.

mod growth;
mod table;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use backpass_sim::bench::{
    self, BenchError, Core, Counts, Finding, ForSize, Image, Job, Meter, OptLevel, Record, Row, TOLERANCE, WORKLOADS,
    Workload, peers,
};
use backpass_sim::board::BoardError;
use clap::Args;

use super::screen::Screen;

/// Options of `bench`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  backpass-sim bench                            every workload on the Cortex-M4F and this computer
  backpass-sim bench W1 W3 --core m4f           two workloads on one core
  backpass-sim bench W1 --all-cores             one workload on five cores and this computer
  backpass-sim bench W1 --core m4f --profile    where the instructions of W1 are, by function and line
  backpass-sim bench W1 W2 --json > before.json
  backpass-sim bench W1 W2 --compare before.json
  backpass-sim bench --check                    fail if a recorded count has grown by more than 2 %
  backpass-sim bench --record                   record the counts anew
  backpass-sim bench --growth                   how time and code grow with width, depth and number of layers

A row is a training step of one sample: forward, loss, backward, update. W1 is 64-32-10, W2 the same with batches of 16, W3
the autoencoder 640-128-128-8-128-128-640, W4 two convolutions for 16x16 pixels; ad, kws, ic and vww are MLPerf Tiny's networks.
The other rows are a layer, a loss or an optimizer alone. RAM is all that training needs, .text the whole image.

Counts are exact and repeatable; cycles are those of the Cortex-M4F's manual, not measured on silicon: good for ranking.
They need qemu-system-arm with plugins and the thumb targets; without them the figures of this computer are still given.
BACKPASS_FIRMWARE_TOOLCHAIN names a Rust toolchain with the thumb targets, if the default one has none.

--check counts networks on the Cortex-M4F and W1 on every core, and each layer on the Cortex-M4F. Counts depend on the
compiler: under another one than the record's, growth is told but is no failure.
The exit code is 1 if --check finds growth or --growth is beyond its limits, and 2 if something is missing.")]
pub(crate) struct Bench {
    /// Workloads: W1, ad, or the beginning of a layer's row, such as conv2d [default: all]
    workloads: Vec<String>,
    /// Where to measure; several are separated by commas [default: m4f,host; with --check and --record what is recorded]
    #[arg(long, value_enum, value_delimiter = ',')]
    core: Vec<Core>,
    /// Measure on every core and on this computer
    #[arg(long, conflicts_with_all = ["core", "check", "record"])]
    all_cores: bool,
    /// Optimisation of the images [default: 3, and beside it s for the networks in the table]
    #[arg(long, value_enum)]
    opt_level: Option<OptLevel>,
    /// Show in which functions and lines the instructions of a step are
    #[arg(long)]
    profile: bool,
    /// Print one JSON object a row instead of the table
    #[arg(long)]
    json: bool,
    /// Show ratios with the rows of an earlier --json, or of the record
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    compare: Option<PathBuf>,
    /// Hold counts against the recorded ones
    #[arg(long, conflicts_with_all = ["json", "compare", "profile", "opt_level"])]
    check: bool,
    /// Record the counts, to be committed
    #[arg(long, conflicts_with_all = ["json", "compare", "profile", "check", "opt_level"])]
    record: bool,
    /// Show how time and code grow instead, with both optimisations
    #[arg(long, conflicts_with_all = ["workloads", "core", "all_cores", "compare", "profile", "check", "record", "opt_level"])]
    growth: bool,
    /// Milliseconds for which a row is timed on this computer
    #[arg(long, value_name = "MS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    time: u64,
    /// The file of recorded counts [default: host-sim/bench/recorded.json of the checkout]
    #[arg(long, value_name = "FILE")]
    recorded: Option<PathBuf>,
}

/// Functions and lines of a profile that are shown.
const SHOWN: usize = 30;

impl Bench {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        if self.growth {
            return growth::run(self.json);
        }
        // Before anything is measured.
        let chosen = self.chosen()?;
        let earlier = self.compare.as_deref().map(read).transpose()?;
        if self.check || self.record {
            return self.recorded(&chosen);
        }
        let plan = self.plan(&chosen);
        let meter = self.meter(&plan)?;
        let mut screen = Screen::new(false);
        let rows = self.measure(&plan, meter.as_ref(), &mut screen, &mut |row, image, counts, meter| {
            if self.profile {
                let profile = bench::profile(image, counts, meter.root())?;
                // The rows themselves are for programs: the profile goes beside them.
                let text = table::profile(row, &profile, SHOWN);
                if self.json { eprint!("{text}") } else { print!("{text}") }
            }
            Ok(())
        })?;
        if self.json {
            for row in &rows {
                screen.line(serde_json::to_string(row)?);
            }
            return Ok(ExitCode::SUCCESS);
        }
        let rustc = meter.as_ref().map_or("", Meter::rustc);
        let opt_level = self.opt_level.unwrap_or(OptLevel::Speed);
        screen.line(table::rows(&rows, opt_level, rustc, &peers::recorded()?, &peers::targets()?));
        if let Some(earlier) = earlier {
            screen.line(table::comparison(&bench::compare(&rows, &earlier)));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The workloads that are asked for.
    fn chosen(&self) -> Result<Vec<&'static Workload>, String> {
        let named = |workload: &Workload, name: &String| {
            let (workload, name) = (workload.name.to_lowercase(), name.to_lowercase());
            workload == name || workload.starts_with(&(name + " "))
        };
        if let Some(unknown) = self.workloads.iter().find(|name| !WORKLOADS.iter().any(|w| named(w, name))) {
            let mut names: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
            names.dedup();
            return Err(format!("there is no workload `{unknown}`; there are {}", names.join(", ")));
        }
        let chosen = |w: &&Workload| self.workloads.is_empty() || self.workloads.iter().any(|name| named(w, name));
        Ok(WORKLOADS.iter().filter(chosen).collect())
    }

    /// What is measured, in the order of the cores: this computer last, when nothing is built any more.
    fn plan(&self, chosen: &[&'static Workload]) -> Plan {
        let mut cores: Vec<Core> = match (self.all_cores, self.core.as_slice()) {
            (true, _) => Core::EMULATED.into_iter().chain([Core::Host]).collect(),
            (false, []) => vec![Core::M4f, Core::Host],
            (false, cores) => cores.to_vec(),
        };
        cores.sort();
        cores.dedup();
        cores.into_iter().flat_map(|core| chosen.iter().map(move |workload| (core, *workload))).collect()
    }

    /// What counts, if anything is to be counted. If no core was asked for and none can be emulated, says why and goes on with this
    /// computer.
    fn meter(&self, plan: &Plan) -> Result<Option<Meter>, BenchError> {
        if plan.iter().all(|(core, _)| *core == Core::Host) {
            return Ok(None);
        }
        let mut screen = Screen::new(false);
        screen.wait("building the counting plugin".to_owned());
        let meter = Meter::new();
        screen.finish();
        match meter {
            Err(error) if self.may_do_without(&error) => {
                eprintln!("nothing is counted, only timed on this computer: {error}");
                Ok(None)
            }
            meter => meter.map(Some),
        }
    }

    /// Measures rows and hands each count on as it comes. What cannot be counted is left out.
    fn measure(
        &self,
        plan: &Plan,
        meter: Option<&Meter>,
        screen: &mut Screen,
        done: &mut Done<'_>,
    ) -> Result<Vec<Row>, Box<dyn Error>> {
        let for_size = !(self.opt_level.is_some()
            || self.json
            || self.profile
            || self.check
            || self.record
            || self.compare.is_some());
        let mut jobs = Vec::new();
        for (core, workload) in plan {
            let (Some(board), Some(_)) = (core.board(), meter) else { continue };
            let job = Job { workload, core: *core, board, opt_level: self.opt_level.unwrap_or(OptLevel::Speed) };
            jobs.push(job);
            if for_size && workload.is_network() {
                jobs.push(Job { opt_level: OptLevel::Size, ..job });
            }
        }
        let timed: Vec<_> =
            plan.iter().filter(|(core, _)| *core == Core::Host).map(|(_, workload)| *workload).collect();
        let mut progress = Progress::new(screen, jobs.len() + timed.len());
        let mut rows: Vec<Row> = Vec::new();
        if let Some(meter) = meter {
            meter.count_all::<Box<dyn Error>>(
                &jobs,
                |job| progress.next(job.workload, job.core),
                |job, row, image, counts| {
                    if for_size && job.opt_level == OptLevel::Size {
                        if let (Some(of), Some(instructions), Some(text_bytes)) =
                            (rows.last_mut(), row.instructions, row.text_bytes)
                        {
                            of.for_size = Some(ForSize { instructions, text_bytes });
                        }
                        return Ok(());
                    }
                    done(&row, image, counts, meter)?;
                    rows.push(row);
                    Ok(())
                },
            )?;
        }
        for workload in timed {
            progress.next(workload, Core::Host);
            rows.push(Row::timed(workload, Duration::from_millis(self.time)));
        }
        screen.finish();
        Ok(rows)
    }

    /// Whether the table is of use without emulated cores: nobody asked for one.
    fn may_do_without(&self, error: &BenchError) -> bool {
        let missing = matches!(
            error,
            BenchError::NoPlugins { .. }
                | BenchError::Board(BoardError::QemuMissing | BoardError::TargetMissing { .. })
        );
        missing && self.core.is_empty() && !self.all_cores && !self.profile && !self.check && !self.record
    }

    /// `--check` and `--record`.
    fn recorded(&self, chosen: &[&'static Workload]) -> Result<ExitCode, Box<dyn Error>> {
        let file = self.recorded.clone().unwrap_or_else(bench::recorded_file);
        let plan = self.plan_of_record(chosen);
        if plan.is_empty() {
            return Err("nothing of that is recorded: --core and workloads leave no row".into());
        }
        // A new record may have a new file.
        let record = if self.record && !file.exists() { Record::default() } else { read_record(&file)? };
        let meter = self.meter(&plan)?.ok_or("nothing can be counted")?;
        let is_part = !(self.workloads.is_empty() && self.core.is_empty());
        if self.record && is_part && !record.rows.is_empty() && record.rustc != meter.rustc() {
            let (then, now) = (&record.rustc, meter.rustc());
            return Err(format!("the record is by {then}, this is {now}: record everything, without names").into());
        }
        let mut screen = Screen::new(false);
        let rows = self.measure(&plan, Some(&meter), &mut screen, &mut |_, _, _, _| Ok(()))?;
        if self.record {
            let old = if is_part { record.rows.as_slice() } else { &[] };
            let new = Record { rustc: meter.rustc().to_owned(), rows: merge(old, &rows) };
            std::fs::write(&file, new.to_json()?)
                .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
            screen.line(format!("recorded {} rows in {}", rows.len(), file.display()));
            return Ok(ExitCode::SUCCESS);
        }
        let findings = bench::check(&rows, meter.rustc(), &record);
        findings.iter().for_each(|finding| screen.line(finding.to_string()));
        let failures = findings.iter().filter(|finding| finding.is_failure()).count();
        let limit = 100.0 * TOLERANCE;
        screen.line(format!(
            "{} rows counted, {failures} failed (limit: {limit} % more instructions than recorded)",
            rows.len()
        ));
        if failures > 0 {
            screen.line(
                "If that is what it takes, run `backpass-sim bench --record` and commit the file with the change.",
            );
        }
        if findings.iter().any(|finding| matches!(finding, Finding::OtherCompiler { .. })) {
            screen.line(
                "To hold growth against a record of this compiler, run `--record --recorded FILE` before a change.",
            );
        }
        Ok(if failures > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// What is recorded: all on the Cortex-M4F, and W1 on every emulated core.
    fn plan_of_record(&self, chosen: &[&'static Workload]) -> Plan {
        let asked = |core: Core| self.core.is_empty() || self.core.contains(&core);
        let is_recorded = |core: Core, workload: &Workload| core == Core::M4f || workload.name == "W1";
        let rows = Core::EMULATED.into_iter().flat_map(|core| chosen.iter().map(move |workload| (core, *workload)));
        rows.filter(|(core, workload)| asked(*core) && is_recorded(*core, workload)).collect()
    }
}

/// Rows to measure.
type Plan = Vec<(Core, &'static Workload)>;

/// What is done with a count, and with the image that it came from.
type Done<'d> = dyn FnMut(&Row, &Image, &Counts, &Meter) -> Result<(), Box<dyn Error>> + 'd;

/// Says on standard error what is measured: as a bar, or a line each where there is no terminal.
struct Progress<'s> {
    screen: &'s Screen,
    position: usize,
    length: usize,
}

impl<'s> Progress<'s> {
    fn new(screen: &'s mut Screen, length: usize) -> Self {
        screen.start(length as u64, "rows");
        Self { screen, position: 0, length }
    }

    fn next(&mut self, workload: &Workload, core: Core) {
        let row = format!("{} ({}) on {}", workload.name, workload.memory, core.name());
        if !stderr().is_terminal() {
            eprintln!("row {} of {}: {row}", self.position + 1, self.length);
        }
        self.screen.progress(self.position as u64, row);
        self.position += 1;
    }
}

/// Reads a file.
fn text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Reads rows from a file.
fn read(path: &Path) -> Result<Vec<Row>, String> {
    bench::parse(&text(path)?).map_err(|error| format!("{} holds no rows of `bench --json`: {error}", path.display()))
}

/// Reads a record from a file.
fn read_record(path: &Path) -> Result<Record, String> {
    serde_json::from_str(&text(path)?)
        .map_err(|error| format!("{} is no record of `bench --record`: {error}", path.display()))
}

/// The record with new rows in place of old ones: in the order of cores and of the table, without rows that exist no more.
fn merge(old: &[Row], new: &[Row]) -> Vec<Row> {
    let place = |row: &Row| {
        let workload = WORKLOADS.iter().position(|w| w.name == row.workload && w.memory == row.memory);
        workload.map(|workload| (row.core, workload))
    };
    let rows: BTreeMap<_, _> = old.iter().chain(new).filter_map(|row| Some((place(row)?, row))).collect();
    rows.into_values().cloned().collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        bench: Bench,
    }

    fn bench(arguments: &[&str]) -> Bench {
        Arguments::parse_from([&["bench"], arguments].concat()).bench
    }

    #[test]
    fn workloads_are_chosen_by_name_and_by_beginning() {
        let names = |arguments: &[&str]| -> Vec<_> {
            bench(arguments).chosen().unwrap().into_iter().map(|workload| workload.name).collect()
        };
        assert_eq!(names(&["w1", "W2", "kws"]), ["W1", "W1", "W2", "kws", "kws"]);
        assert_eq!(names(&["dense"]), ["dense 64x32"]);
        assert_eq!(names(&["conv2d"]).len(), 3);
        assert_eq!(names(&[]).len(), WORKLOADS.len());
        assert!(bench(&["W9"]).chosen().unwrap_err().contains("`W9`"));
    }

    #[test]
    fn everything_is_recorded_on_one_core_and_one_network_on_all() {
        let plan = |arguments: &[&str]| {
            let bench = bench(arguments);
            bench.plan_of_record(&bench.chosen().unwrap()).into_iter().map(|(core, _)| core).collect::<Vec<_>>()
        };
        assert_eq!(plan(&["W1", "--check"]), Core::EMULATED.map(|core| [core; 2]).concat());
        assert_eq!(plan(&["--check"]).len(), WORKLOADS.len() + 2 * 4);
        assert_eq!(plan(&["W3", "--check"]), [Core::M4f; 2]);
        assert_eq!(plan(&["dense", "--check"]), [Core::M4f]);
        assert_eq!(plan(&["W1", "--check", "--core", "m7"]), [Core::M7; 2]);
        assert!(plan(&["dense", "--check", "--core", "m7"]).is_empty());
    }

    #[test]
    fn this_computer_comes_last_and_no_core_twice() {
        let bench = bench(&["W2", "--core", "host,m7,m0,m7"]);
        let cores: Vec<_> = bench.plan(&bench.chosen().unwrap()).into_iter().map(|(core, _)| core).collect();
        assert_eq!(cores, [Core::M0, Core::M7, Core::Host]);
    }

    #[test]
    fn a_new_row_takes_the_place_of_the_recorded_one() {
        let row = |workload: &str, core, instructions| -> Row {
            serde_json::from_value(serde_json::json!({
                "workload": workload, "memory": "gradients", "core": core, "instructions": instructions,
                "ram_bytes": 1
            }))
            .unwrap()
        };
        let old = [row("W2", "m4f", 1), row("W1", "m4f", 2), row("W1", "m0", 3), row("no more", "m0", 4)];
        let merged = merge(&old, &[row("W1", "m4f", 5), row("W3", "m0", 6)]);
        let names: Vec<_> =
            merged.iter().map(|row| (row.core, row.workload.as_str(), row.instructions.unwrap())).collect();
        assert_eq!(names, [(Core::M0, "W1", 3), (Core::M0, "W3", 6), (Core::M4f, "W1", 5), (Core::M4f, "W2", 1)]);
    }
}

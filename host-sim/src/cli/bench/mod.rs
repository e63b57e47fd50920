//! `bench`: what a training step costs.

mod table;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use backpass_sim::bench::{
    self, BenchError, Core, Counts, DEEPER, Image, MORE_LAYERS, Meter, NETWORKS, OptLevel, Row, TOLERANCE, WIDER,
    WORKLOADS, Workload,
};
use backpass_sim::board::BoardError;
use clap::Args;

use super::screen::Screen;

/// Options of `bench`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  backpass-sim bench                            every workload on the Cortex-M4F and this computer
  backpass-sim bench W1 W3 --core m4f           two workloads on one core
  backpass-sim bench W1 --core m4f --profile    where the instructions of W1 are, by function and line
  backpass-sim bench W1 W2 --json > before.json
  backpass-sim bench W1 W2 --compare before.json
  backpass-sim bench --check                    fail if a recorded count has grown by more than 2 %
  backpass-sim bench --record                   record the counts anew
  backpass-sim bench --growth                   how time and code grow with width, depth and number of layers

Counts are exact and repeatable; cycles are those of the Cortex-M4F's manual, not measured on silicon: good for ranking.
They need qemu-system-arm with plugins and the thumb targets; without them the figures of this computer are still given.
BACKPASS_FIRMWARE_TOOLCHAIN names a Rust toolchain with the thumb targets, if the default one has none.
The exit code is 1 if --check finds growth, and 2 if something is missing.")]
pub(crate) struct Bench {
    /// Workloads: W1, ad, or the beginning of a layer's row, such as conv2d [default: all]
    workloads: Vec<String>,
    /// Where to measure; several are separated by commas [default: m4f,host; with --check and --record what is recorded]
    #[arg(long, value_enum, value_delimiter = ',')]
    core: Vec<Core>,
    /// Measure on every core and on this computer
    #[arg(long, conflicts_with = "core")]
    all_cores: bool,
    /// Optimisation of the images
    #[arg(long, value_enum, default_value_t = OptLevel::Speed)]
    opt_level: OptLevel,
    /// Show in which functions and lines the instructions of a step are
    #[arg(long)]
    profile: bool,
    /// Print one JSON object a row instead of the table
    #[arg(long)]
    json: bool,
    /// Show ratios with the rows of an earlier --json
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    compare: Option<PathBuf>,
    /// Hold counts against the recorded ones
    #[arg(long, conflicts_with_all = ["json", "compare", "profile", "opt_level"])]
    check: bool,
    /// Record the counts, to be committed
    #[arg(long, conflicts_with_all = ["json", "compare", "profile", "check", "opt_level"])]
    record: bool,
    /// Show how time and code grow instead
    #[arg(long, conflicts_with_all = ["workloads", "core", "all_cores", "json", "compare", "profile", "check", "record", "opt_level"])]
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
            return growth();
        }
        // Before anything is measured.
        let chosen = self.chosen()?;
        let earlier = self.compare.as_deref().map(read).transpose()?;
        if self.check || self.record {
            return self.recorded(&chosen);
        }
        let rows = self.measure(&self.plan(&chosen), &mut |row, image, counts, meter| {
            if let (true, Some((image, counts, meter))) = (self.profile, zip(image, counts, meter)) {
                let profile = bench::profile(image, counts, meter.root())?;
                // The rows themselves are for programs: the profile goes beside them.
                let text = table::profile(row, &profile, SHOWN);
                if self.json { eprint!("{text}") } else { print!("{text}") }
            }
            Ok(())
        })?;
        let screen = Screen::new(false);
        if self.json {
            for row in &rows {
                screen.line(serde_json::to_string(row)?);
            }
            return Ok(ExitCode::SUCCESS);
        }
        screen.line(table::rows(&rows, &bench::peers::recorded()?));
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
            let names: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
            return Err(format!("there is no workload `{unknown}`; there are {}", names.join(", ")));
        }
        let chosen = |w: &&Workload| self.workloads.is_empty() || self.workloads.iter().any(|name| named(w, name));
        Ok(WORKLOADS.iter().filter(chosen).collect())
    }

    /// What is measured, in the order of the cores.
    fn plan(&self, chosen: &[&'static Workload]) -> Vec<(Core, &'static Workload)> {
        let cores = match (self.all_cores, self.core.as_slice()) {
            (true, _) => Core::EMULATED.into_iter().chain([Core::Host]).collect(),
            (false, []) => vec![Core::M4f, Core::Host],
            (false, cores) => cores.to_vec(),
        };
        cores.into_iter().flat_map(|core| chosen.iter().map(move |workload| (core, *workload))).collect()
    }

    /// Measures rows and hands each on as it comes. If no core was asked for and none can be emulated, says why and goes on
    /// with this computer.
    fn measure(&self, plan: &[(Core, &'static Workload)], done: &mut Done<'_>) -> Result<Vec<Row>, Box<dyn Error>> {
        let mut screen = Screen::new(false);
        screen.start(plan.len() as u64, "rows");
        let meter = if plan.iter().any(|(core, _)| *core != Core::Host) { Some(self.meter()) } else { None };
        let meter = match meter.transpose() {
            Err(error) if self.may_do_without(&error) => {
                eprintln!("nothing is counted, only timed on this computer: {error}");
                None
            }
            meter => meter?,
        };
        let mut rows = Vec::new();
        for (position, (core, workload)) in plan.iter().enumerate() {
            screen.progress(position as u64, format!("{} on {}", workload.name, core.name()));
            match (core.board(), &meter) {
                (None, _) => {
                    let row = Row::timed(workload, Duration::from_millis(self.time));
                    done(&row, None, None, None)?;
                    rows.push(row);
                }
                (Some(board), Some(meter)) => {
                    let (row, image, counts) = meter.count(workload, *core, board)?;
                    done(&row, Some(&image), Some(&counts), Some(meter))?;
                    rows.push(row);
                }
                (Some(_), None) => {}
            }
        }
        screen.finish();
        Ok(rows)
    }

    fn meter(&self) -> Result<Meter, BenchError> {
        Meter::new(self.opt_level)
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
        let recorded = if self.check { read(&file)? } else { read(&file).unwrap_or_default() };
        let plan = self.plan_of_record(chosen);
        let rows = self.measure(&plan, &mut |_, _, _, _| Ok(()))?;
        let screen = Screen::new(false);
        if self.record {
            std::fs::write(&file, bench::write(&merge(&recorded, &rows))?)
                .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
            screen.line(format!("recorded {} rows in {}", rows.len(), file.display()));
            return Ok(ExitCode::SUCCESS);
        }
        let findings = bench::check(&rows, &recorded);
        findings.iter().for_each(|finding| screen.line(finding.to_string()));
        let failures = findings.iter().filter(|finding| finding.is_failure()).count();
        let limit = 100.0 * TOLERANCE;
        screen.line(format!(
            "{} rows counted, {failures} failed (limit: {limit} % more instructions than recorded)",
            rows.len()
        ));
        if failures > 0 {
            screen.line("If that is what it takes, run `backpass-sim bench --record` and commit the file.");
        }
        Ok(if failures > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// What is recorded: networks on every emulated core, layers on the Cortex-M4F.
    fn plan_of_record(&self, chosen: &[&'static Workload]) -> Vec<(Core, &'static Workload)> {
        let networks: Vec<_> = WORKLOADS.iter().take(NETWORKS).map(|workload| workload.name).collect();
        let asked = |core: Core| self.core.is_empty() || self.core.contains(&core);
        let is_recorded = |core: Core, workload: &Workload| core == Core::M4f || networks.contains(&workload.name);
        let rows = Core::EMULATED.into_iter().flat_map(|core| chosen.iter().map(move |workload| (core, *workload)));
        rows.filter(|(core, workload)| asked(*core) && is_recorded(*core, workload)).collect()
    }
}

/// What is done with a row, and with the image and counts that it came from.
type Done<'d> = dyn FnMut(&Row, Option<&Image>, Option<&Counts>, Option<&Meter>) -> Result<(), Box<dyn Error>> + 'd;

fn zip<A, B, C>(a: Option<A>, b: Option<B>, c: Option<C>) -> Option<(A, B, C)> {
    Some((a?, b?, c?))
}

/// Reads rows from a file.
fn read(path: &Path) -> Result<Vec<Row>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    bench::parse(&text).map_err(|error| format!("{} holds no rows of `bench --json`: {error}", path.display()))
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

/// `--growth`.
fn growth() -> Result<ExitCode, Box<dyn Error>> {
    let mut screen = Screen::new(false);
    let board = Core::M4f.board().ok_or("the Cortex-M4F has a board")?;
    let fast = Meter::new(OptLevel::Speed)?;
    screen.line(format!("A step on the Cortex-M4F, {}", fast.rustc()));
    for (title, workloads) in [("Width", WIDER), ("Depth", DEEPER)] {
        let mut points = Vec::new();
        for workload in workloads {
            screen.wait(workload.name.to_owned());
            let (row, ..) = fast.count(workload, Core::M4f, board)?;
            points.push((workload, row.instructions.unwrap_or(0)));
        }
        screen.finish();
        screen.line(table::growth(title, &points));
    }
    for opt_level in [OptLevel::Speed, OptLevel::Size] {
        let meter = Meter::new(opt_level)?;
        let mut sizes = Vec::new();
        for (layers, workload) in MORE_LAYERS {
            screen.wait(workload.name.to_owned());
            sizes.push((*layers, meter.build(workload, board)?.text_bytes()?));
        }
        screen.finish();
        screen.line(table::sizes(opt_level, &sizes));
    }
    Ok(ExitCode::SUCCESS)
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
        assert_eq!(names(&["w1", "kws"]), ["W1", "kws"]);
        assert_eq!(names(&["dense"]), ["dense 64x32"]);
        assert_eq!(names(&["conv2d"]).len(), 3);
        assert_eq!(names(&[]).len(), WORKLOADS.len());
        assert!(bench(&["W9"]).chosen().unwrap_err().contains("`W9`"));
    }

    #[test]
    fn networks_are_recorded_on_every_core_and_layers_on_one() {
        let plan = |arguments: &[&str]| {
            let bench = bench(arguments);
            bench.plan_of_record(&bench.chosen().unwrap()).into_iter().map(|(core, _)| core).collect::<Vec<_>>()
        };
        assert_eq!(plan(&["W1", "--check"]), Core::EMULATED);
        assert_eq!(plan(&["dense", "--check"]), [Core::M4f]);
        assert_eq!(plan(&["W1", "--check", "--core", "m7"]), [Core::M7]);
        assert!(plan(&["dense", "--check", "--core", "m7"]).is_empty());
    }

    #[test]
    fn a_new_row_takes_the_place_of_the_recorded_one() {
        let row = |workload: &str, core, instructions| -> Row {
            serde_json::from_value(serde_json::json!({
                "workload": workload, "memory": "gradients", "core": core, "instructions": instructions,
                "ram_bytes": 1, "opt_level": "3", "rustc": ""
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

//! Tables of `bench`.

use std::fmt::Write;

use backpass_sim::bench::peers::{Figures, Peer};
use backpass_sim::bench::{Comparison, Core, EACH_LAYER, ForSize, LINEAR, OptLevel, Profile, Row};

use super::growth::{Point, Size, is_linear, is_small};

use crate::cli::screen::thousands;

/// A cell for what was not measured.
const NOTHING: &str = "-";

fn count(value: Option<u64>) -> String {
    value.map_or(NOTHING.to_owned(), |value| thousands(usize::try_from(value).unwrap_or(usize::MAX)))
}

fn microseconds(value: Option<f64>) -> String {
    match value {
        None => NOTHING.to_owned(),
        Some(value) if value < 100.0 => format!("{value:.2}"),
        Some(value) => thousands(value.round() as usize),
    }
}

/// The rows by core, with targets and the peers' figures below each.
pub(super) fn rows(rows: &[Row], opt_level: OptLevel, rustc: &str, peers: &[Peer], targets: &[Figures]) -> String {
    let mut text = String::new();
    let mut core = None;
    for row in rows {
        if core != Some(row.core) {
            text += &heading(row.core, opt_level, rustc);
            core = Some(row.core);
        }
        text += &line(&row.workload, &row.memory, row.core, &figures(row), Beside::of(row));
        for target in targets.iter().filter(|target| target.are_of(row)) {
            let missed = target.exceeded_by(row);
            let verdict = if missed.is_empty() { "met".to_owned() } else { format!("missed: {}", missed.join(", ")) };
            text += &line("  our target, at most", "", row.core, target, Beside::Words(verdict));
        }
        for (peer, figures) in figures_of_peers(row, peers) {
            text += &line(&format!("  {}", peer.name), "", row.core, figures, Beside::Nothing);
        }
    }
    let shown: Vec<&Peer> =
        peers.iter().filter(|peer| rows.iter().any(|row| peer.figures.iter().any(|f| f.are_of(row)))).collect();
    if !shown.is_empty() {
        text += "\nOthers were measured once:\n";
    }
    for Peer { name, how, .. } in shown {
        let _ = writeln!(text, "  {name}: {how}");
    }
    text
}

fn figures_of_peers<'p>(row: &Row, peers: &'p [Peer]) -> Vec<(&'p Peer, &'p Figures)> {
    let all = peers.iter().flat_map(|peer| peer.figures.iter().map(move |figures| (peer, figures)));
    all.filter(|(_, figures)| figures.are_of(row)).collect()
}

fn figures(row: &Row) -> Figures {
    Figures {
        workload: row.workload.clone(),
        memory: Some(row.memory.clone()),
        core: row.core,
        instructions: row.instructions,
        cycles: row.cycles,
        ram_bytes: Some(row.ram_bytes),
        text_bytes: row.text_bytes,
        microseconds: row.microseconds,
    }
}

fn heading(core: Core, opt_level: OptLevel, rustc: &str) -> String {
    let name = match core {
        Core::M0 => "Cortex-M0+",
        Core::M3 => "Cortex-M3",
        Core::M4f => "Cortex-M4F",
        Core::M7 => "Cortex-M7",
        Core::M33 => "Cortex-M33",
        Core::Host => {
            return format!(
                "\nThis computer, one thread: microseconds of a training step of one sample\n\n{:<32} {:<10} {:>10} {:>10} {:>11}\n",
                "workload", "memory", "median", "fastest", "RAM"
            );
        }
    };
    let opt_level = opt_level.name();
    format!(
        "\n{name}, a training step of one sample; opt-level {opt_level}, {rustc}\n{:<32} {:<10} {:>13} {:>13} {:>11} {:>9} {:>14} {:>9}\n",
        "workload", "memory", "instructions", "cycles", "RAM", ".text", "at opt-level s", ".text"
    )
}

/// What stands to the right of a line's figures.
enum Beside {
    Nothing,
    Words(String),
    Fastest(Option<f64>),
    ForSize(Option<ForSize>),
}

impl Beside {
    const fn of(row: &Row) -> Self {
        if matches!(row.core, Core::Host) { Self::Fastest(row.fastest) } else { Self::ForSize(row.for_size) }
    }
}

fn line(name: &str, memory: &str, core: Core, figures: &Figures, beside: Beside) -> String {
    let Figures { instructions, cycles, ram_bytes, text_bytes, .. } = figures;
    let text = if core == Core::Host {
        let fastest = if let Beside::Fastest(fastest) = beside { microseconds(fastest) } else { String::new() };
        let median = microseconds(figures.microseconds);
        format!("{name:<32} {memory:<10} {median:>10} {fastest:>10} {:>11}", count(*ram_bytes))
    } else {
        let text = format!(
            "{name:<32} {memory:<10} {:>13} {:>13} {:>11} {:>9}",
            count(*instructions),
            count(*cycles),
            count(*ram_bytes),
            count(*text_bytes)
        );
        match beside {
            Beside::Words(words) => format!("{text}  {words}"),
            Beside::ForSize(Some(ForSize { instructions, text_bytes })) => {
                format!("{text} {:>14} {:>9}", count(Some(instructions)), count(Some(text_bytes)))
            }
            _ => text,
        }
    };
    format!("{}\n", text.trim_end())
}

/// Ratios with an earlier run.
pub(super) fn comparison(comparisons: &[Comparison<'_>]) -> String {
    let mut text = "\nNow divided by the earlier run\n".to_owned();
    let _ = writeln!(
        text,
        "{:<40} {:>12} {:>8} {:>8} {:>8} {:>12}",
        "row", "instructions", "cycles", "RAM", ".text", "microseconds"
    );
    for comparison in comparisons {
        let ratio = |figure: &dyn Fn(&Row) -> Option<f64>| {
            comparison.ratio(figure).map_or(NOTHING.to_owned(), |ratio| format!("{ratio:.3}"))
        };
        let _ = writeln!(
            text,
            "{:<40} {:>12} {:>8} {:>8} {:>8} {:>12}",
            comparison.now.title(),
            ratio(&|row| row.instructions.map(|count| count as f64)),
            ratio(&|row| row.cycles.map(|count| count as f64)),
            ratio(&|row| Some(row.ram_bytes as f64)),
            ratio(&|row| row.text_bytes.map(|bytes| bytes as f64)),
            ratio(&|row| row.microseconds),
        );
    }
    text
}

/// Where the instructions of a row are.
pub(super) fn profile(row: &Row, profile: &Profile, shown: usize) -> String {
    let mut text = format!("\n{}: a step, by function and by line\n", row.title());
    let _ = writeln!(text, "{:>13} {:>13} {:>13}", "instructions", "cycles", "pipelined");
    for part in [&profile.functions, &profile.lines] {
        for (name, cost) in part.iter().take(shown) {
            let _ =
                writeln!(text, "{:>13.0} {:>13.0} {:>13.0}  {name}", cost.instructions, cost.cycles, cost.pipelined);
        }
        text.push('\n');
    }
    text
}

/// How the instructions of a step grow with the number of weights.
pub(super) fn growth(series: &str, points: &[Point]) -> String {
    let mut text = format!(
        "\n{:<22} {:>10} {:>13} {:>10} {:>22}\n",
        format!("growing {series}"),
        "parameters",
        "instructions",
        "each",
        "off the straight line"
    );
    for point in points {
        let off = point.deviation.map_or(NOTHING.to_owned(), |deviation| format!("{:+.1} %", 100.0 * deviation));
        let mark = if is_linear(point) { String::new() } else { format!("  BEYOND {:.0} %", 100.0 * LINEAR) };
        let _ = writeln!(
            text,
            "{:<22} {:>10} {:>13} {:>10.2} {off:>22}{mark}",
            point.workload,
            thousands(point.parameters),
            count(Some(point.instructions)),
            point.instructions as f64 / point.parameters as f64,
        );
    }
    text
}

/// How an image grows with the number of dense layers, all of different shapes.
pub(super) fn sizes(memory: &str, sizes: &[Size]) -> String {
    let mut text = format!("\n{:<22} {:>10} {:>24}\n", memory, ".text", "bytes each further layer");
    for size in sizes {
        let each = size.each.map_or(NOTHING.to_owned(), |each| format!("{each:.0}"));
        let mark = if is_small(size) { String::new() } else { format!("  BEYOND {EACH_LAYER} BYTES") };
        let layers = format!("{} dense layers", size.layers);
        let _ = writeln!(text, "{layers:<22} {:>10} {each:>24}{mark}", count(Some(size.text_bytes)));
    }
    text
}

#[cfg(test)]
mod tests {
    use backpass_sim::bench::peers;

    use super::*;

    fn row(workload: &str, core: Core) -> Row {
        Row {
            workload: workload.to_owned(),
            memory: "gradients".to_owned(),
            core,
            instructions: (core != Core::Host).then_some(28_850),
            cycles: (core == Core::M4f).then_some(43_948),
            ram_bytes: 19_616,
            text_bytes: (core != Core::Host).then_some(11_600),
            microseconds: (core == Core::Host).then_some(1.234),
            fastest: (core == Core::Host).then_some(1.1),
            for_size: (core == Core::M4f).then_some(ForSize { instructions: 31_111, text_bytes: 9_999 }),
        }
    }

    #[test]
    fn the_table_has_every_figure_and_the_peers_of_its_rows() {
        let (peers, targets) = (peers::recorded().unwrap(), peers::targets().unwrap());
        let rows = |of: &[Row]| rows(of, OptLevel::Speed, "rustc 1.96.0", &peers, &targets);
        let text = rows(&[row("W1", Core::M4f), row("dense 64x32", Core::M4f), row("W1", Core::Host)]);
        let line = |beginning: &str| text.lines().find(|line| line.starts_with(beginning)).unwrap();
        for figure in ["28,850", "43,948", "19,616", "11,600", "31,111", "9,999"] {
            assert!(line("W1").contains(figure), "{text}");
        }
        assert!(line("  AIfES 2.2").contains("282,850"));
        assert!(text.contains("1.23") && text.contains("1.10") && text.contains("PyTorch 2.15"));
        assert!(text.contains("rustc 1.96.0") && line("  our target").ends_with("missed: cycles, .text"), "{text}");
        // Those of the other memory stand beside that.
        assert!(text.contains("hand-tiled C, gradient arrays") && !line("  hand-tiled C, in").contains("20,358"));
        let in_place = rows(&[Row { memory: "in-place".to_owned(), ..row("W1", Core::M4f) }]);
        assert!(in_place.contains("20,358") && !in_place.contains("hand-tiled C, gradient arrays"));
        // One without peers, on another core, has none.
        assert!(!rows(&[row("W1", Core::M7)]).contains("AIfES"));
    }

    #[test]
    fn a_ratio_that_cannot_be_is_left_open() {
        let (now, then) = (row("W1", Core::M4f), Row { instructions: Some(57_700), ..row("W1", Core::M4f) });
        let text = comparison(&[Comparison { now: &now, then: Some(&then) }, Comparison { now: &now, then: None }]);
        let lines: Vec<&str> = text.lines().skip(3).collect();
        assert!(lines[0].contains("0.500") && lines[0].contains("1.000"), "{text}");
        assert_eq!(lines[1].matches(NOTHING).count(), 5, "{text}");
    }

    #[test]
    fn what_is_beyond_a_limit_is_marked() {
        let point = |deviation| Point { workload: String::new(), parameters: 1, instructions: 1, deviation };
        let text = growth("width", &[point(Some(-0.05)), point(Some(-0.11)), point(None)]);
        assert_eq!(text.matches("BEYOND").count(), 2, "{text}");
        let size = |each| Size { layers: 4, text_bytes: 1000, each };
        let text = sizes("gradients", &[size(None), size(Some(200.0)), size(Some(200.5))]);
        assert_eq!(text.matches("BEYOND").count(), 1, "{text}");
    }
}

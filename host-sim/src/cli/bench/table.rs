//! Tables of `bench`.

use std::fmt::Write;

use backpass_sim::bench::peers::{Figures, Peer};
use backpass_sim::bench::{Comparison, Core, OptLevel, Profile, Row, Workload, fit};

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

/// The rows by core, with the peers' figures below each.
pub(super) fn rows(rows: &[Row], peers: &[Peer]) -> String {
    let mut text = String::new();
    let mut core = None;
    for row in rows {
        if core != Some(row.core) {
            text += &heading(row);
            core = Some(row.core);
        }
        text += &line(&row.workload, &row.memory, row.core, &figures(row), row.microseconds_min);
        for (peer, figures) in figures_of_peers(row, peers) {
            text += &line(&format!("  {}", peer.name), "", row.core, figures, None);
        }
    }
    let shown: Vec<&Peer> =
        peers.iter().filter(|peer| rows.iter().any(|row| peer.figures.iter().any(|f| is_of(f, row)))).collect();
    if !shown.is_empty() {
        text += "\nOthers were measured once:\n";
    }
    for Peer { name, how, .. } in shown {
        let _ = writeln!(text, "  {name}: {how}");
    }
    text
}

fn is_of(figures: &Figures, row: &Row) -> bool {
    figures.workload == row.workload && figures.core == row.core
}

fn figures_of_peers<'p>(row: &Row, peers: &'p [Peer]) -> Vec<(&'p Peer, &'p Figures)> {
    peers.iter().flat_map(|peer| peer.figures.iter().map(move |f| (peer, f))).filter(|(_, f)| is_of(f, row)).collect()
}

fn figures(row: &Row) -> Figures {
    Figures {
        workload: row.workload.clone(),
        core: row.core,
        instructions: row.instructions,
        cycles: row.cycles,
        ram_bytes: Some(row.ram_bytes),
        text_bytes: row.text_bytes,
        microseconds: row.microseconds,
    }
}

fn heading(row: &Row) -> String {
    let core = match row.core {
        Core::M0 => "Cortex-M0+",
        Core::M3 => "Cortex-M3",
        Core::M4f => "Cortex-M4F",
        Core::M7 => "Cortex-M7",
        Core::M33 => "Cortex-M33",
        Core::Host => "\nThis computer, one thread: microseconds of a training step of one sample\n",
    };
    let columns = if row.core == Core::Host {
        format!("{:<32} {:<10} {:>10} {:>10} {:>11}\n", "workload", "memory", "median", "fastest", "RAM")
    } else {
        format!(
            "{:<32} {:<10} {:>13} {:>13} {:>11} {:>9}\n",
            "workload", "memory", "instructions", "cycles", "RAM", ".text"
        )
    };
    match row.core {
        Core::Host => format!("{core}{columns}"),
        _ => format!("\n{core}, a training step of one sample; opt-level {}, {}\n{columns}", row.opt_level, row.rustc),
    }
}

fn line(name: &str, memory: &str, core: Core, figures: &Figures, fastest: Option<f64>) -> String {
    let Figures { instructions, cycles, ram_bytes, text_bytes, .. } = figures;
    if core == Core::Host {
        let (median, fastest) = (microseconds(figures.microseconds), microseconds(fastest));
        return format!("{name:<32} {memory:<10} {median:>10} {fastest:>10} {:>11}\n", count(*ram_bytes));
    }
    format!(
        "{name:<32} {memory:<10} {:>13} {:>13} {:>11} {:>9}\n",
        count(*instructions),
        count(*cycles),
        count(*ram_bytes),
        count(*text_bytes)
    )
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
pub(super) fn growth(title: &str, points: &[(&Workload, u64)]) -> String {
    let sizes: Vec<_> = points.iter().map(|(workload, count)| (workload.parameters as f64, *count as f64)).collect();
    let line = fit(&sizes);
    let mut text =
        format!("\n{title:<20} {:>10} {:>13} {:>10} {:>10}\n", "parameters", "instructions", "each", "off line");
    for ((workload, instructions), (size, cost)) in points.iter().zip(&sizes) {
        let off = line.map_or(NOTHING.to_owned(), |line| format!("{:+.1} %", 100.0 * line.deviation(*size, *cost)));
        let _ = writeln!(
            text,
            "{:<20} {:>10} {:>13} {:>10.2} {:>10}",
            workload.name,
            thousands(workload.parameters),
            count(Some(*instructions)),
            cost / size,
            off
        );
    }
    if let Some(line) = line {
        let _ = writeln!(text, "the line: {:.0} + {:.2} a parameter", line.fixed, line.each);
    }
    text
}

/// How an image grows with the number of dense layers, all of different shapes.
pub(super) fn sizes(opt_level: OptLevel, sizes: &[(u32, u64)]) -> String {
    let mut text =
        format!("\nopt-level {:<9} {:>10} {:>24}\n", opt_level.name(), ".text", "each layer beyond the first");
    let first = sizes.first().copied();
    for (layers, bytes) in sizes {
        let each = first
            .filter(|(fewest, _)| layers > fewest)
            .map(|(fewest, least)| (*bytes as f64 - least as f64) / f64::from(layers - fewest));
        let each = each.map_or(NOTHING.to_owned(), |each| format!("{each:.0}"));
        let _ = writeln!(text, "{:<19} {:>10} {each:>24}", format!("{layers} dense layers"), count(Some(*bytes)));
    }
    text
}

#[cfg(test)]
mod tests {
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
            microseconds_min: (core == Core::Host).then_some(1.1),
            opt_level: "3".to_owned(),
            rustc: "rustc 1.96.0".to_owned(),
        }
    }

    #[test]
    fn the_table_has_every_figure_and_the_peers_of_its_rows() {
        let peers = backpass_sim::bench::peers::recorded().unwrap();
        let text = rows(&[row("W1", Core::M4f), row("dense 64x32", Core::M4f), row("W1", Core::Host)], &peers);
        let line = |beginning: &str| text.lines().find(|line| line.starts_with(beginning)).unwrap();
        for figure in ["28,850", "43,948", "19,616", "11,600"] {
            assert!(line("W1").contains(figure), "{text}");
        }
        assert!(line("  AIfES 2.2").contains("282,850"));
        assert!(text.contains("1.23") && text.contains("1.10") && text.contains("PyTorch 2.15"));
        // One without peers, on another core, has none.
        assert!(!rows(&[row("W1", Core::M7)], &peers).contains("AIfES"));
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
    fn bytes_beyond_the_first_size_are_shared_among_the_layers() {
        let text = sizes(OptLevel::Size, &[(2, 1000), (4, 1300), (8, 2200)]);
        assert!(text.contains("150") && text.contains("200"), "{text}");
    }
}

//! `bench --growth`: how time and code grow with width, depth and number of layers.

use std::error::Error;
use std::process::ExitCode;

use backpass_sim::bench::{Core, DEEPER, EACH_LAYER, Job, LINEAR, MORE_LAYERS, Meter, OptLevel, WIDER, Workload, fit};
use serde_json::{Value, json};

use super::{Progress, table};
use crate::cli::screen::Screen;

/// One network's instructions, and how far they are from the line through all of its series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub(super) workload: String,
    pub(super) parameters: usize,
    pub(super) instructions: u64,
    pub(super) deviation: Option<f64>,
}

/// One image, and the bytes of each layer that it has more than the one before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Size {
    pub(super) layers: u32,
    pub(super) text_bytes: u64,
    pub(super) each: Option<f64>,
}

/// Points of networks that differ in size alone.
fn points(counted: &[(&Workload, u64)]) -> Vec<Point> {
    let costs: Vec<_> = counted.iter().map(|(workload, count)| (workload.parameters as f64, *count as f64)).collect();
    let line = fit(&costs);
    let point = |((workload, instructions), (size, cost)): (&(&Workload, u64), &(f64, f64))| Point {
        workload: workload.name.to_owned(),
        parameters: workload.parameters,
        instructions: *instructions,
        deviation: line.map(|line| line.deviation(*size, *cost)),
    };
    counted.iter().zip(&costs).map(point).collect()
}

/// Sizes of networks with more and more layers.
fn sizes(built: &[(u32, u64)]) -> Vec<Size> {
    let mut sizes: Vec<Size> = Vec::new();
    for (layers, text_bytes) in built.iter().copied() {
        let each = sizes.last().map(|before| {
            (text_bytes as f64 - before.text_bytes as f64) / f64::from(layers.saturating_sub(before.layers).max(1))
        });
        sizes.push(Size { layers, text_bytes, each });
    }
    sizes
}

/// Whether instructions are where a straight line says.
pub(super) fn is_linear(point: &Point) -> bool {
    point.deviation.is_some_and(|deviation| deviation.abs() <= LINEAR)
}

/// Whether a further layer costs no more code than allowed.
pub(super) fn is_small(size: &Size) -> bool {
    size.each.is_none_or(|each| each <= EACH_LAYER)
}

pub(super) fn run(json: bool) -> Result<ExitCode, Box<dyn Error>> {
    let board = Core::M4f.board().ok_or("the Cortex-M4F has a board")?;
    let mut screen = Screen::new(false);
    screen.wait("building the counting plugin".to_owned());
    let meter = Meter::new()?;
    screen.finish();
    let job = |workload, opt_level| Job { workload, core: Core::M4f, board, opt_level };
    let (mut text, mut objects, mut fails) = (String::new(), Vec::<Value>::new(), false);
    let length = 2 * (WIDER.len() + DEEPER.len() + MORE_LAYERS.iter().map(|(_, layers)| layers.len()).sum::<usize>());
    let mut progress = Progress::new(&mut screen, length);
    for opt_level in [OptLevel::Speed, OptLevel::Size] {
        let name = opt_level.name();
        text += &format!("\nA training step on the Cortex-M4F; opt-level {name}, {}\n", meter.rustc());
        for (series, workloads) in [("width", WIDER), ("depth", DEEPER)] {
            let jobs: Vec<Job> = workloads.iter().map(|workload| job(workload, opt_level)).collect();
            let mut counted = Vec::new();
            meter.count_all::<Box<dyn Error>>(
                &jobs,
                |job| progress.next(job.workload, job.core),
                |job, row, _, _| {
                    counted.push((job.workload, row.instructions.unwrap_or(0)));
                    Ok(())
                },
            )?;
            let points = points(&counted);
            fails |= !points.iter().all(is_linear);
            text += &table::growth(series, &points);
            objects.extend(points.iter().map(|point| {
                json!({
                    "growth": series, "opt_level": name, "workload": point.workload, "parameters": point.parameters,
                    "instructions": point.instructions, "deviation": point.deviation, "within_limit": is_linear(point),
                })
            }));
        }
        for (memory, workloads) in MORE_LAYERS {
            let mut built = Vec::new();
            for (layers, workload) in *workloads {
                progress.next(workload, Core::M4f);
                built.push((*layers, meter.build(workload, board, opt_level)?.text_bytes()?));
            }
            let sizes = sizes(&built);
            fails |= !sizes.iter().all(is_small);
            text += &table::sizes(memory, &sizes);
            objects.extend(sizes.iter().map(|size| {
                json!({
                    "growth": "layers", "opt_level": name, "memory": memory, "layers": size.layers,
                    "text_bytes": size.text_bytes, "bytes_each": size.each, "within_limit": is_small(size),
                })
            }));
        }
    }
    screen.finish();
    if json {
        objects.iter().for_each(|object| screen.line(object.to_string()));
    } else {
        screen.line(text);
        screen.line(if fails { "beyond a limit: see the rows marked so" } else { "all within the limits" });
    }
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shared_among_the_layers_that_an_image_has_more() {
        let sizes = sizes(&[(2, 1000), (4, 1300), (8, 2200)]);
        assert_eq!(sizes.iter().map(|size| size.each).collect::<Vec<_>>(), [None, Some(150.0), Some(225.0)]);
        assert_eq!(sizes.iter().map(is_small).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(super::sizes(&[(2, 1000), (4, 900)])[1].each, Some(-50.0));
    }

    #[test]
    fn what_is_off_a_straight_line_is_beyond_the_limit() {
        let line: Vec<_> = WIDER.iter().map(|workload| (workload, 500 + 7 * workload.parameters as u64)).collect();
        assert!(points(&line).iter().all(is_linear));
        let square: Vec<_> =
            WIDER.iter().map(|workload| (workload, (workload.parameters * workload.parameters) as u64)).collect();
        assert!(!points(&square).iter().all(is_linear));
        assert!(!is_linear(&points(&line[..1])[0]), "one point has no line");
    }
}

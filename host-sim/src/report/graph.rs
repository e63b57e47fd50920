//! A network drawn as SVG: vectors as circles with lines between them, signals and images as grids.

use super::text::escape;
use crate::explain::number;

/// A layer's output.
pub(super) struct Column<'a> {
    pub(super) title: String,
    pub(super) axes: &'a [usize],
    pub(super) values: &'a [f64],
    /// `[in][out]`, of a dense layer.
    pub(super) weights: Option<&'a Vec<f64>>,
    /// Whether each value comes from the one in its place.
    pub(super) one_to_one: bool,
    /// The columns that it is computed from.
    pub(super) takes: Vec<usize>,
}

/// All of them, from left to right.
pub(super) struct Picture<'a> {
    pub(super) columns: Vec<Column<'a>>,
    pub(super) label: &'static str,
}

const RADIUS: f64 = 24.0;
const GAP: f64 = 60.0;
const SPACING: f64 = 190.0;
const TOP: f64 = 46.0;
/// Between the ways beneath the columns.
const STEP: f64 = 14.0;

/// A longer vector is drawn with its first and last values.
const MOST_CIRCLES: usize = 9;
const HEAD: usize = 6;
const TAIL: usize = 2;

/// Lines between two columns that have their value beside them.
const MOST_LABELS: usize = 9;

/// Cells of a grid along each axis.
const MOST_CELLS: usize = 24;
/// The side of a cell, where there is room for it.
const CELL: f64 = 14.0;
/// All grids of a column are about so wide, and so tall.
const ROOM: [f64; 2] = [120.0, 260.0];

impl Column<'_> {
    fn is_vector(&self) -> bool {
        self.axes.len() == 1
    }

    /// Which values have circles, from the top, with a gap at `None`.
    fn circles(&self) -> Vec<Option<usize>> {
        let count = self.values.len();
        if count <= MOST_CIRCLES {
            return (0..count).map(Some).collect();
        }
        (0..HEAD).map(Some).chain([None]).chain((count - TAIL..count).map(Some)).collect()
    }

    /// The size of each channel's grid, and how many of them are drawn.
    fn grid(&self) -> (usize, usize, usize) {
        match *self.axes {
            // A signal is one grid: a row a channel.
            [steps, channels] => (channels.min(MOST_CELLS), steps.min(MOST_CELLS), 1),
            [rows, columns, channels] => (rows.min(MOST_CELLS), columns.min(MOST_CELLS), channels.min(6)),
            _ => (0, 0, 0),
        }
    }

    /// The side of a cell.
    fn side(&self) -> f64 {
        let (rows, columns, grids) = self.grid();
        (ROOM[0] / columns as f64).min(ROOM[1] / (rows * grids) as f64).clamp(3.0, CELL)
    }

    fn cell(&self, grid: usize, row: usize, column: usize) -> f64 {
        let at = match *self.axes {
            [_, channels] => column * channels + row,
            [_, columns, channels] => (row * columns + column) * channels + grid,
            _ => 0,
        };
        self.values.get(at).copied().unwrap_or(0.0)
    }

    fn height(&self) -> f64 {
        if self.is_vector() {
            self.circles().len() as f64 * GAP
        } else {
            let (rows, _, grids) = self.grid();
            grids as f64 * (rows as f64 * self.side() + 8.0) + 20.0
        }
    }
}

/// The colour of a sign.
fn colour(value: f64) -> &'static str {
    if value < 0.0 { "var(--vermillion)" } else { "var(--blue)" }
}

/// The share of the largest, or 0.
fn share(value: f64, largest: f64) -> f64 {
    if largest > 0.0 { value.abs() / largest } else { 0.0 }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

impl Picture<'_> {
    pub(super) fn svg(&self) -> String {
        let height = self.columns.iter().map(Column::height).fold(0.0, f64::max) + TOP + 10.0;
        let width = self.columns.len() as f64 * SPACING;
        let mut drawn = String::new();
        for (index, pair) in self.columns.windows(2).enumerate().filter(|(index, pair)| pair[1].takes.contains(index)) {
            drawn += &edges(&pair[0], &pair[1], index, height);
        }
        let past = self.past();
        let levels = past.iter().map(|(_, level)| level + 1).max().unwrap_or(0);
        for ([from, to], level) in past {
            let [start, end] = [from, to].map(|at| TOP + (height - TOP + self.columns[at].height()) / 2.0);
            let (left, right, below) = (centre(from) + 8.0, centre(to) - 8.0, height + (level as f64 + 0.5) * STEP);
            drawn += &format!(
                "<path class=\"past\" d=\"M {left} {start:.1} V {below} H {right} V {end:.1} m -5 7 l 5 -7 l 5 7\"/>"
            );
        }
        for (index, column) in self.columns.iter().enumerate() {
            drawn += &nodes(column, index, height);
        }
        let height = height + levels as f64 * STEP;
        format!(
            "<svg class=\"network\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\">{drawn}</svg>",
            self.label
        )
    }

    /// The ways from one column to another that is not the next, and how far beneath the columns each lies: below those within.
    fn past(&self) -> Vec<([usize; 2], usize)> {
        let far = |(to, column): (usize, &Column<'_>)| -> Vec<[usize; 2]> {
            column.takes.iter().filter(|from| **from + 1 != to).map(|from| [*from, to]).collect()
        };
        let mut ways: Vec<[usize; 2]> = self.columns.iter().enumerate().flat_map(far).collect();
        ways.sort_by_key(|[from, to]| to - from);
        let mut past: Vec<([usize; 2], usize)> = Vec::new();
        for [from, to] in ways {
            let crossed = past.iter().filter(|([start, end], _)| *start < to && from < *end);
            let level = crossed.map(|(_, level)| level + 1).max().unwrap_or(0);
            past.push(([from, to], level));
        }
        past
    }
}

fn centre(index: usize) -> f64 {
    (index as f64 + 0.5) * SPACING
}

/// The middle of circle `nth` of a column.
fn middle(column: &Column<'_>, nth: usize, height: f64) -> f64 {
    TOP + (height - TOP - column.height()) / 2.0 + (nth as f64 + 0.5) * GAP
}

fn edges(from: &Column<'_>, to: &Column<'_>, index: usize, height: f64) -> String {
    let (left, right) = (centre(index), centre(index + 1));
    if !from.is_vector() || !to.is_vector() {
        let y = TOP + (height - TOP) / 2.0;
        return format!("<path class=\"band\" d=\"M {} {y} H {} m -7 -5 l 7 5 l -7 5\"/>", left + 68.0, right - 70.0);
    }
    let (ends, starts) = (to.circles(), from.circles());
    let all = largest(to.weights.map_or(&[][..], |weights| weights));
    let (mut drawn, mut labels) = (String::new(), String::new());
    for (nth, start) in starts.iter().enumerate().filter_map(|(nth, start)| start.map(|start| (nth, start))) {
        for (other, end) in ends.iter().enumerate().filter_map(|(nth, end)| end.map(|end| (nth, end))) {
            let place = [left + RADIUS, middle(from, nth, height), right - RADIUS, middle(to, other, height)];
            let [x1, y1, x2, y2] = place;
            let ends = format!("x1=\"{x1}\" y1=\"{y1:.1}\" x2=\"{x2}\" y2=\"{y2:.1}\"");
            match to.weights {
                Some(weights) => {
                    let value = weights.get(start * to.values.len() + end).copied().unwrap_or(0.0);
                    let share = share(value, all);
                    drawn += &format!(
                        "<line {ends} stroke=\"{}\" stroke-width=\"{:.2}\" opacity=\"{:.2}\"><title>[{start}][{end}]: {}</title></line>",
                        colour(value),
                        0.75 + 4.5 * share,
                        0.25 + 0.65 * share,
                        number(value)
                    );
                    if weights.len() <= MOST_LABELS {
                        // Lines from neighbours cross: one's labels are near its start, the other's near its end.
                        let along = if nth % 2 == 0 { 0.27 } else { 0.64 };
                        let [x, y] = [x1 + along * (x2 - x1), y1 + along * (y2 - y1) + 3.5];
                        labels += &format!("<text class=\"weight\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", short(value));
                    }
                }
                None if !to.one_to_one || start == end => drawn += &format!("<line class=\"plain\" {ends}></line>"),
                None => {}
            }
        }
    }
    drawn + &labels
}

fn nodes(column: &Column<'_>, index: usize, height: f64) -> String {
    let x = centre(index);
    let title = escape(&shortened(&column.title));
    let mut drawn = format!(
        "<g><title>{}</title><text class=\"layer\" x=\"{x}\" y=\"20\">{title}</text></g>",
        escape(&column.title)
    );
    let all = largest(column.values);
    if !column.is_vector() {
        return drawn + &grids(column, x, height, all);
    }
    for (nth, place) in column.circles().into_iter().enumerate() {
        let y = middle(column, nth, height);
        let Some(at) = place else {
            let hidden = column.values.len() - HEAD - TAIL;
            drawn += &format!("<text class=\"more\" x=\"{x}\" y=\"{:.1}\">… {hidden} more …</text>", y + 4.0);
            continue;
        };
        let value = column.values[at];
        drawn += &format!(
            "<g class=\"value\"><title>[{at}]: {}</title><circle cx=\"{x}\" cy=\"{y:.1}\" r=\"{RADIUS}\" \
             style=\"fill:color-mix(in srgb, {} {:.0}%, var(--card))\"/><text x=\"{x}\" y=\"{:.1}\">{}</text></g>",
            number(value),
            colour(value),
            8.0 + 52.0 * share(value, all),
            y + 4.0,
            short(value)
        );
    }
    drawn
}

fn grids(column: &Column<'_>, x: f64, height: f64, all: f64) -> String {
    let (rows, columns, grids) = column.grid();
    let side = column.side();
    let (wide, tall) = (columns as f64 * side, rows as f64 * side);
    let top = TOP + (height - TOP - column.height()) / 2.0;
    let mut drawn = String::new();
    for grid in 0..grids {
        let (left, above) = (x - wide / 2.0, top + grid as f64 * (tall + 8.0));
        drawn += &format!(
            "<rect class=\"frame\" x=\"{left:.1}\" y=\"{above:.1}\" width=\"{wide:.1}\" height=\"{tall:.1}\"/>"
        );
        for row in 0..rows {
            for cell in 0..columns {
                let value = column.cell(grid, row, cell);
                let opacity = share(value, all);
                if opacity > 0.02 {
                    drawn += &format!(
                        "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{side:.1}\" height=\"{side:.1}\" fill=\"{}\" opacity=\"{opacity:.2}\"/>",
                        left + cell as f64 * side,
                        above + row as f64 * side,
                        colour(value)
                    );
                }
            }
        }
    }
    let shape = column.axes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ");
    let below = top + grids as f64 * (tall + 8.0) + 10.0;
    drawn + &format!("<text class=\"more\" x=\"{x}\" y=\"{below:.1}\">{shape}</text>")
}

/// A value in a circle.
fn short(value: f64) -> String {
    let size = value.abs();
    match size {
        0.0 => "0".into(),
        _ if (0.001..10.0).contains(&size) => format!("{value:.3}"),
        _ if (10.0..1000.0).contains(&size) => format!("{value:.1}"),
        _ => format!("{value:.0e}"),
    }
}

/// A layer's name that fits over its column.
fn shortened(text: &str) -> String {
    if text.chars().count() <= 22 { text.into() } else { text.chars().take(21).chain(['…']).collect() }
}

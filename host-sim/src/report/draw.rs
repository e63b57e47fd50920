//! Draws a chart, by the same code into every backend of plotters.
//!
//! Plotters places everything on whole pixels, which makes shallow curves look like stairs. A chart is therefore drawn
//! several times as large as it is shown, by the factor `scale`; the lengths below are in pixels as shown.

use std::error::Error;
use std::sync::OnceLock;

use epaint_default_fonts::UBUNTU_LIGHT;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::chart::{Chart, Curve};

/// Why drawing ended early: an error of the backend.
type Failure = Box<dyn Error + Send + Sync>;

type Drawn = Result<(), Failure>;

/// The colour of the text; the page's style sheet replaces it in dark mode, like that of the grid.
const INK: RGBColor = RGBColor(0x11, 0x18, 0x27);
/// The colour of the grid.
const GRID: RGBColor = RGBColor(0xE5, 0xE7, 0xEB);

const FONT: &str = "sans-serif";
const LABEL_SIZE: u32 = 20;
const TITLE_SIZE: u32 = 24;

/// More points than this would merge into a thick line if each had a marker.
const MAX_MARKERS: usize = 50;

type Plot<'a, DB> = ChartContext<'a, DB, Cartesian2d<Axis, Axis>>;

/// What a chart is drawn on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Medium {
    /// The factor on every length.
    pub(super) scale: u32,
    /// How far the backend sets text too high, in percent of the text's size.
    pub(super) text_rise: u32,
}

impl Medium {
    /// A length in the pixels of the medium.
    fn px(self, length: f64) -> i32 {
        (length * f64::from(self.scale)).round() as i32
    }

    /// A line of the colour and width.
    fn line(self, colour: RGBColor, width: f64) -> ShapeStyle {
        colour.stroke_width(self.px(width) as u32)
    }

    /// The way down to the place where text of the height `size` is in the middle.
    fn drop(self, size: u32) -> i32 {
        (size * self.scale * self.text_rise / 100) as i32
    }

    /// Text of the height `size`, horizontally at its place by `position` and vertically in the middle.
    fn text(self, size: u32, position: HPos) -> TextStyle<'static> {
        (FONT, size * self.scale).into_font().color(&INK).pos(Pos::new(position, VPos::Center))
    }
}

/// Draws `chart` on the whole of `area`.
pub(super) fn draw<DB>(chart: &Chart, area: &DrawingArea<DB, Shift>, medium: Medium) -> Drawn
where
    DB: DrawingBackend,
    DB::ErrorType: 'static,
{
    register_chart_font()?;
    let left_margin = medium.px(10.0);
    let label_area = label_area(chart, area, medium)?;
    let header = draw_header(chart, area, left_margin + label_area, medium)?;
    let mut plot = ChartBuilder::on(area)
        .margin_top(header)
        .margin_right(if chart.annotation.is_some() { medium.px(80.0) } else { medium.px(24.0) })
        .margin_bottom(medium.px(10.0))
        .margin_left(left_margin)
        .x_label_area_size(medium.px(58.0))
        .y_label_area_size(label_area)
        .build_cartesian_2d(chart.x.clone(), chart.y.clone())?;
    draw_axes(chart, &mut plot, medium)?;
    for curve in &chart.curves {
        draw_curve(curve, &mut plot, medium)?;
    }
    draw_notes(chart, &mut plot, medium)
}

/// The width that the labels of the y axis, their ticks and the text along the axis need.
fn label_area<DB>(chart: &Chart, area: &DrawingArea<DB, Shift>, medium: Medium) -> Result<i32, Failure>
where
    DB: DrawingBackend,
    DB::ErrorType: 'static,
{
    let style = medium.text(LABEL_SIZE, HPos::Right);
    let mut widest = 0;
    for label in chart.y.labels() {
        widest = widest.max(area.estimate_text_size(&label, &style)?.0);
    }
    Ok(widest as i32 + medium.px(48.0))
}

/// The title above the plot, which begins at `left`, and the legend at its right, or in lines below it where it is too
/// long: no curve can cross it there. Returns the height of both.
fn draw_header<DB>(chart: &Chart, area: &DrawingArea<DB, Shift>, left: i32, medium: Medium) -> Result<i32, Failure>
where
    DB: DrawingBackend,
    DB::ErrorType: 'static,
{
    let title_style = medium.text(TITLE_SIZE, HPos::Left);
    let mut middle = medium.px(28.0);
    area.draw_text(&chart.title, &title_style, (left, middle + medium.drop(TITLE_SIZE)))?;
    let style = medium.text(LABEL_SIZE, HPos::Left);
    let end = area.dim_in_pixel().0 as i32 - medium.px(24.0);
    let (swatch, gap) = (medium.px(36.0), medium.px(22.0));
    let mut widths = Vec::new();
    for curve in &chart.curves {
        widths.push(area.estimate_text_size(&curve.name, &style)?.0 as i32 + swatch);
    }
    let title = area.estimate_text_size(&chart.title, &title_style)?.0 as i32;
    let all = widths.iter().map(|width| width + gap).sum::<i32>();
    let mut right = left + title + all;
    if right <= end {
        // Beside the title, to the right end.
        right = end - all + gap;
    } else {
        right = left;
        middle += medium.px(28.0);
    }
    for (curve, width) in chart.curves.iter().zip(widths) {
        if right + width > end && right > left {
            right = left;
            middle += medium.px(28.0);
        }
        let text = right + swatch;
        area.draw_text(&curve.name, &style, (text, middle + medium.drop(LABEL_SIZE)))?;
        let line = vec![(right, middle), (text - medium.px(8.0), middle)];
        area.draw(&PathElement::new(line, medium.line(curve.colour, 2.5)))?;
        area.draw(&Circle::new((text - medium.px(22.0), middle), medium.px(4.0), curve.colour.filled()))?;
        right += width + gap;
    }
    Ok(middle + medium.px(28.0))
}

fn draw_axes<DB>(chart: &Chart, plot: &mut Plot<'_, DB>, medium: Medium) -> Drawn
where
    DB: DrawingBackend,
    DB::ErrorType: 'static,
{
    plot.configure_mesh()
        .bold_line_style(medium.line(GRID, 1.0))
        .axis_style(medium.line(INK, 1.0))
        .set_all_tick_mark_size(medium.px(5.0))
        .label_style(medium.text(LABEL_SIZE, HPos::Center))
        .x_desc(chart.along)
        .y_desc(chart.quantity)
        .y_label_offset(medium.drop(LABEL_SIZE))
        .draw()?;
    Ok(())
}

/// Draws the line and the markers of a curve.
fn draw_curve<DB>(curve: &Curve, plot: &mut Plot<'_, DB>, medium: Medium) -> Drawn
where
    DB: DrawingBackend,
    DB::ErrorType: 'static,
{
    let marked = curve.points.len() <= MAX_MARKERS;
    for run in curve.points.split(|point| !point.1.is_finite()) {
        // Stretch by stretch: plotters fills a path as one polygon, which sharp turns tear open in a bitmap.
        let stretches = run.windows(2).map(|ends| PathElement::new(ends, medium.line(curve.colour, 2.5)));
        plot.draw_series(stretches)?;
        // A point alone has no line; everywhere else a small dot rounds the corner of two stretches.
        let radius = if marked || run.len() == 1 { medium.px(3.5) } else { medium.px(1.25) };
        plot.draw_series(run.iter().map(|point| Circle::new(*point, radius, curve.colour.filled())))?;
    }
    let last = curve.last().map(|point| Circle::new(point, medium.px(5.0), curve.colour.filled()));
    plot.draw_series(last)?;
    Ok(())
}

/// The annotation of the last point, or the reason why there is none.
fn draw_notes<DB>(chart: &Chart, plot: &mut Plot<'_, DB>, medium: Medium) -> Drawn
where
    DB: DrawingBackend,
    DB::ErrorType: 'static,
{
    if let Some((point, label)) = &chart.annotation {
        let style = medium.text(LABEL_SIZE, HPos::Left);
        let label =
            EmptyElement::at(*point) + Text::new(label.clone(), (medium.px(11.0), medium.drop(LABEL_SIZE)), style);
        plot.draw_series(std::iter::once(label))?;
    }
    if let Some(absence) = chart.absence {
        let area = plot.plotting_area().strip_coord_spec();
        let (width, height) = area.dim_in_pixel();
        let middle = (width as i32 / 2, height as i32 / 2 - medium.px(14.0));
        area.draw_text(absence, &medium.text(LABEL_SIZE, HPos::Center), middle)?;
    }
    Ok(())
}

/// Gives plotters the font it draws bitmaps with and measures all texts with.
fn register_chart_font() -> Drawn {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let registered = REGISTERED.get_or_init(|| register_font(FONT, FontStyle::Normal, UBUNTU_LIGHT).is_ok());
    if *registered { Ok(()) } else { Err("the built-in font could not be read".into()) }
}

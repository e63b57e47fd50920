//! The report of an application in the simulated world.

use std::path::{Path, PathBuf};

use super::chart::{BLUE, Chart, Curve, GREEN, VERMILLION};
use super::text::escape;
use super::{ReportError, html, image, matrix, output};

/// What there is to say about a run of an application, and the writer of it.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveReport {
    /// The heading.
    pub title: String,
    /// The main figures: names and values.
    pub figures: Vec<(String, String)>,
    /// Charts over time.
    pub charts: Vec<StreamChart>,
    /// Matrices of windows or recordings by their true class (row) and predicted class (column), with headings.
    pub matrices: Vec<(String, Vec<Vec<u32>>)>,
    /// Names and values of the settings, in the order to print them.
    pub settings: Vec<(String, String)>,
}

/// Curves over a time or a count.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamChart {
    /// The heading.
    pub title: &'static str,
    /// The quantity and its unit.
    pub quantity: &'static str,
    /// What it is drawn over, and its unit.
    pub along: &'static str,
    /// At most three.
    pub curves: Vec<StreamCurve>,
}

/// A curve of a [`StreamChart`].
#[derive(Debug, Clone, PartialEq)]
pub struct StreamCurve {
    /// Its name in the legend.
    pub name: &'static str,
    /// Place and value; a value that is not finite interrupts the line.
    pub points: Vec<(f64, f64)>,
}

/// More points than this are thinned out: they would be drawn on the same pixels.
const MOST_POINTS: usize = 1500;

impl LiveReport {
    /// Writes `report.html` to `directory`, which is made if missing; returns its path.
    ///
    /// # Errors
    ///
    /// [`ReportError`] if the charts cannot be drawn or the file cannot be written. No unfinished file is left then.
    pub fn write(&self, directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
        output::write_files(directory, &[("report.html", self.html()?.as_bytes())])
    }

    /// The report as a page that needs no other file.
    ///
    /// # Errors
    ///
    /// [`ReportError::Draw`] if the charts cannot be drawn.
    pub fn html(&self) -> Result<String, ReportError> {
        let charts = self.charts.iter().map(|chart| image::svg(&chart.chart())).collect::<Result<String, _>>();
        let charts = charts.map_err(|reason| ReportError::Draw { reason })?;
        let figure = |(name, value): &(String, String)| {
            format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value))
        };
        let figures: String = self.figures.iter().map(figure).collect();
        let matrices: String = self
            .matrices
            .iter()
            .map(|(heading, counts)| html::section(&escape(heading), "", &matrix::table(counts)))
            .collect();
        let sections = [
            html::section("Result", "", &format!("<dl class=\"figures\">{figures}</dl>")),
            html::section("Over time", "", &format!("<div class=\"curves\">{charts}</div>")),
            matrices,
            html::section("Settings", "", &html::settings(&self.settings)),
        ];
        Ok(html::document("Report of a simulated device", &escape(&self.title), &sections.concat()))
    }
}

impl StreamChart {
    fn chart(&self) -> Chart {
        let curves = self.curves.iter().zip([BLUE, VERMILLION, GREEN]).map(|(curve, colour)| {
            let every = curve.points.len().div_ceil(MOST_POINTS).max(1);
            Curve { name: curve.name.to_owned(), colour, points: curve.points.iter().step_by(every).copied().collect() }
        });
        Chart::of_stream(self.title, self.quantity, self.along, curves.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_complete() {
        let curve = |name, slope: f64| StreamCurve {
            name,
            points: (0..4000).map(|i| (f64::from(i), slope * f64::from(i))).collect(),
        };
        let report = LiveReport {
            title: "A <device>".into(),
            figures: vec![("Accuracy".into(), "98.5 %".into())],
            charts: vec![StreamChart {
                title: "Error",
                quantity: "Error",
                along: "Seconds",
                curves: vec![curve("error", 0.5), curve("threshold", 0.1)],
            }],
            matrices: vec![("Windows".into(), vec![vec![3, 1], vec![0, 4]])],
            settings: vec![("seed".into(), "1".into())],
        };
        let page = report.html().unwrap();
        assert!(page.contains("A &lt;device&gt;") && page.contains("98.5 %") && page.contains("<svg"));
        assert!(page.contains("against seconds") && page.len() < 600_000);
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(std::fs::read_to_string(&report.write(directory.path()).unwrap()[0]).unwrap(), page);
    }
}

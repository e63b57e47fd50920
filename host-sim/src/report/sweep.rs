//! The reports of a sweep and of a search for the learning rate.

use std::path::{Path, PathBuf};

use super::axis::Axis;
use super::chart::{BLUE, COLOURS, Chart, Curve, GREEN, VERMILLION};
use super::text::{decimal, escape, group, microseconds, scrollable};
use super::{ReportError, html, image, output};
use crate::sweep::{Findings, RateCurve, RatePoint, Statistics, Summary};

/// What there is to say about a sweep, and the writer of it.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepReport {
    /// The heading.
    pub title: String,
    /// What was found.
    pub findings: Findings,
    /// The best setting in a sentence, and the command that trains it.
    pub advice: Vec<String>,
    /// Names and values of the settings, in the order to print them.
    pub settings: Vec<(String, String)>,
}

impl SweepReport {
    /// Writes `report.html` and `sweep.png` to `directory`, which is made if missing; returns their paths.
    ///
    /// # Errors
    ///
    /// [`ReportError`] if the charts cannot be drawn or a file cannot be written. No unfinished file is left then.
    pub fn write(&self, directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
        let charts = self.charts();
        let best = &self.findings.best;
        let mean = self.findings.ranked.first().and_then(|summary| summary.validation_accuracy);
        let figures = [
            ("Optimizer", best.setting.optimizer.to_string()),
            ("Learning rate", best.setting.learning_rate.to_string()),
            ("Hidden neurons", best.setting.width.to_string()),
            ("Batch", best.setting.batch.to_string()),
            ("Validation accuracy", mean.map_or("–".into(), |accuracy| percents(accuracy.mean))),
            ("Test accuracy", percents(best.test_accuracy.mean)),
            ("Training RAM", format!("{} bytes", group(best.ram_bytes as u64))),
        ];
        let sections = [
            html::section("Best setting", "", &(definitions(&figures) + &sentences(&self.advice))),
            html::section("Accuracy against learning rate", "", &drawn(&charts)?),
            html::section("Settings, the best first", "long", &table(&self.findings.ranked)),
            html::section("What was run", "", &html::settings(&self.settings)),
        ];
        write(directory, "sweep.png", &charts, "Sweep", &self.title, &sections.concat())
    }

    /// A chart for each optimizer and batch, with a curve for each width.
    fn charts(&self) -> Vec<Chart> {
        let ranked = &self.findings.ranked;
        let kinds =
            distinct(ranked.iter().map(|summary| (summary.setting.optimizer.to_string(), summary.setting.batch)));
        let batches = distinct(ranked.iter().map(|summary| summary.setting.batch)).len();
        let widths = distinct(ranked.iter().map(|summary| summary.setting.width));
        let accuracy = |summary: &Summary| 100.0 * summary.validation_accuracy.map_or(f64::NAN, |value| value.mean);
        // One axis for all: heights can be compared from chart to chart.
        let y = Axis::of_percentages(ranked.iter().map(accuracy));
        let chart = |(optimizer, batch): (String, u32)| {
            let curves = widths.iter().zip(COLOURS.into_iter().cycle()).map(|(width, colour)| {
                let mut points: Vec<_> = ranked
                    .iter()
                    .filter(|Summary { setting, .. }| {
                        setting.optimizer.to_string() == optimizer && setting.batch == batch && setting.width == *width
                    })
                    .map(|summary| (f64::from(summary.setting.learning_rate), accuracy(summary)))
                    .collect();
                points.sort_by(|a, b| a.0.total_cmp(&b.0));
                Curve { name: width.to_string(), colour, points }
            });
            let title = if batches > 1 { format!("{optimizer}, batch {batch}") } else { optimizer.clone() };
            Chart::of_rates(title, "Validation accuracy (%), a curve a width", y.clone(), curves.collect())
        };
        kinds.into_iter().map(chart).collect()
    }
}

/// What there is to say about a search for the learning rate, and the writer of it.
#[derive(Debug, Clone, PartialEq)]
pub struct RateReport {
    /// The heading.
    pub title: String,
    /// The loss against the rate.
    pub curve: RateCurve,
    /// What it says, in sentences.
    pub advice: Vec<String>,
    /// Names and values of the settings, in the order to print them.
    pub settings: Vec<(String, String)>,
}

impl RateReport {
    /// Writes `report.html` and `learning-rate.png` to `directory`, which is made if missing; returns their paths.
    ///
    /// # Errors
    ///
    /// [`ReportError`] if the chart cannot be drawn or a file cannot be written. No unfinished file is left then.
    pub fn write(&self, directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
        let charts = [self.chart()];
        let rate = |rate: Option<f32>| rate.map_or("–".to_owned(), |rate| format!("{rate:.2e}"));
        let figures = [
            ("Suggested learning rate", rate(self.curve.suggested)),
            ("Lowest loss", rate(self.curve.minimum)),
            ("Diverges", rate(self.curve.diverges)),
        ];
        let sections = [
            html::section("Result", "", &(definitions(&figures) + &sentences(&self.advice))),
            html::section("Loss against learning rate", "", &drawn(&charts)?),
            html::section("What was run", "", &html::settings(&self.settings)),
        ];
        write(directory, "learning-rate.png", &charts, "Search for the learning rate", &self.title, &sections.concat())
    }

    fn chart(&self) -> Chart {
        let points = &self.curve.points;
        // What comes after divergence would press all before it flat.
        let highest = points.iter().take(points.len() / 2).map(|point| point.loss).fold(0.0, f64::max);
        let shown = |loss: f64| if loss <= 1.2 * highest { loss } else { f64::NAN };
        let all = |value: fn(&RatePoint) -> f64| {
            points.iter().map(|point| (f64::from(point.learning_rate), shown(value(point)))).collect::<Vec<_>>()
        };
        let at = |rate: Option<f32>| {
            points
                .iter()
                .filter(|point| Some(point.learning_rate) == rate)
                .map(|point| (f64::from(point.learning_rate), shown(point.smoothed)))
                .collect::<Vec<_>>()
        };
        let curve = |name: &str, colour, points| Curve { name: name.to_owned(), colour, points };
        let mut curves = vec![
            curve("loss of a step", COLOURS[7], all(|point| point.loss)),
            curve("smoothed", BLUE, all(|point| point.smoothed)),
        ];
        for (name, colour, rate) in
            [("suggested", GREEN, self.curve.suggested), ("diverges", VERMILLION, self.curve.diverges)]
        {
            if let Some(rate) = rate {
                curves.push(curve(&format!("{name} {rate:.2e}"), colour, at(Some(rate))));
            }
        }
        let y = Axis::of_losses(curves.iter().flat_map(|curve| &curve.points).map(|point| point.1));
        Chart::of_rates("Loss against learning rate".to_owned(), "Mean loss per sample", y, curves)
    }
}

/// Values without repetition, in ascending order.
fn distinct<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

fn drawn(charts: &[Chart]) -> Result<String, ReportError> {
    let charts = charts.iter().map(image::svg).collect::<Result<String, _>>();
    Ok(format!("<div class=\"curves\">{}</div>", charts.map_err(|reason| ReportError::Draw { reason })?))
}

fn write(
    directory: &Path,
    picture: &str,
    charts: &[Chart],
    kind: &str,
    title: &str,
    sections: &str,
) -> Result<Vec<PathBuf>, ReportError> {
    let page = html::document(kind, &escape(title), sections);
    let png = image::png(charts).map_err(|reason| ReportError::Draw { reason })?;
    output::write_files(directory, &[("report.html", page.as_bytes()), (picture, &png)])
}

fn definitions(figures: &[(&str, String)]) -> String {
    let figure = |(name, value): &(&str, String)| format!("<div><dt>{name}</dt><dd>{}</dd></div>", escape(value));
    format!("<dl class=\"figures\">{}</dl>", figures.iter().map(figure).collect::<String>())
}

fn sentences(advice: &[String]) -> String {
    advice.iter().map(|sentence| format!("<p>{}</p>", escape(sentence))).collect()
}

fn percents(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn table(ranked: &[Summary]) -> String {
    let figures = |accuracy: Option<Statistics>| match accuracy {
        Some(Statistics { mean, lowest, standard_deviation }) => {
            [mean, lowest, standard_deviation].map(|value| format!("<td>{:.2}</td>", 100.0 * value)).concat()
        }
        None => "<td>–</td>".repeat(3),
    };
    let row = |summary: &Summary| {
        let setting = summary.setting;
        format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td>{}{}<td>{}</td><td>{}</td><td>{}</td></tr>",
            setting.optimizer,
            setting.learning_rate,
            setting.width,
            setting.batch,
            figures(summary.validation_accuracy),
            figures(Some(summary.test_accuracy)),
            summary.loss.map_or("–".to_owned(), decimal),
            group(summary.ram_bytes as u64),
            microseconds(summary.microseconds_per_step),
        )
    };
    let names = [
        "Optimizer",
        "Rate",
        "Width",
        "Batch",
        "Validation, mean %",
        "lowest",
        "deviation",
        "Test, mean %",
        "lowest",
        "deviation",
        "Loss",
        "RAM, bytes",
        "µs a step",
    ];
    let header: String = names.iter().map(|name| format!("<th scope=\"col\">{name}</th>")).collect();
    let rows: String = ranked.iter().map(row).collect();
    let table = format!(
        "<table><caption>Chosen by the validation accuracy; the test has no say in it</caption>\
         <thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>"
    );
    scrollable("Settings", "scroll tall", &table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;
    use crate::network::Rule;
    use crate::sweep::{Grid, RateSearch, Width};

    fn data() -> Dataset<[f32; 64]> {
        let mut data = Dataset::digits();
        data.training.truncate(60);
        data.test.truncate(20);
        data
    }

    #[test]
    fn a_sweep_has_a_chart_for_each_optimizer_and_batch_and_a_curve_for_each_width() {
        let grid = Grid {
            optimizers: vec![Rule::Sgd, Rule::Adam],
            learning_rates: vec![0.1, 0.01],
            widths: vec![Width::W16, Width::W4],
            batches: vec![1, 8],
            seeds: vec![1],
            epochs: 1,
        };
        let findings = grid.run(&data(), 1, None, &|_| {}).unwrap();
        let (advice, settings) = (vec!["<best>".to_owned()], Vec::new());
        let report = SweepReport { title: "A <sweep>".into(), findings, advice, settings };
        let charts = report.charts();
        let titles: Vec<_> = charts.iter().map(|chart| chart.title.as_str()).collect();
        assert_eq!(titles, ["adam, batch 1", "adam, batch 8", "sgd, batch 1", "sgd, batch 8"]);
        for chart in &charts {
            assert_eq!(chart.curves.iter().map(|curve| curve.name.as_str()).collect::<Vec<_>>(), ["4", "16"]);
            assert!(chart.curves.iter().all(|curve| curve.points.len() == 2 && curve.points[0].0 < 0.05));
        }
        let folder = tempfile::tempdir().unwrap();
        let paths = report.write(folder.path()).unwrap();
        let page = std::fs::read_to_string(&paths[0]).unwrap();
        assert!(page.contains("A &lt;sweep&gt;") && page.contains("&lt;best&gt;") && page.matches("<svg").count() == 4);
        let png = std::fs::read(&paths[1]).unwrap();
        assert_eq!((&png[16..20], &png[20..24]), (&1200_u32.to_be_bytes()[..], &960_u32.to_be_bytes()[..]));
    }

    #[test]
    fn a_search_is_drawn_with_its_marks() {
        let search = RateSearch {
            optimizer: Rule::Sgd,
            width: Width::W16,
            batch: 8,
            epochs: 2,
            seed: 1,
            lowest: 1e-5,
            highest: 10.0,
        };
        let curve = search.run(&Dataset::digits().training).unwrap();
        assert!(curve.suggested.is_some() && curve.diverges.is_some());
        let report = RateReport { title: "Rate".into(), curve, advice: Vec::new(), settings: Vec::new() };
        assert_eq!(report.chart().curves.len(), 4);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(report.write(folder.path()).unwrap().len(), 2);
    }
}

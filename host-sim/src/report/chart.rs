//! What the charts show: the curves, their axes and the words for them.

use plotters::style::RGBColor;

use super::EpochSummary;
use super::axis::Axis;
use super::text::decimal;

// Three colours of Okabe and Ito's palette, which stay apart with every kind of colour blindness.
pub(super) const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xB2);
pub(super) const VERMILLION: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
pub(super) const GREEN: RGBColor = RGBColor(0x00, 0x9E, 0x73);

/// Colours of many curves: the palette's, then some that lie between them.
pub(super) const COLOURS: [RGBColor; 9] = [
    BLUE,
    VERMILLION,
    GREEN,
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x8C, 0x6D, 0x4F),
    RGBColor(0x7F, 0x7F, 0x7F),
    RGBColor(0xA8, 0xB8, 0x20),
];

/// A line of a chart.
#[derive(Debug)]
pub(super) struct Curve {
    /// Its name in the legend.
    pub(super) name: String,
    pub(super) colour: RGBColor,
    /// Epoch and value; a value that is not finite interrupts the line.
    pub(super) points: Vec<(f64, f64)>,
}

impl Curve {
    fn new(
        name: &'static str,
        colour: RGBColor,
        epochs: &[EpochSummary],
        value: impl Fn(&EpochSummary) -> f64,
    ) -> Self {
        let point = |epoch: &EpochSummary| (f64::from(epoch.epoch), value(epoch));
        Self { name: name.to_owned(), colour, points: epochs.iter().map(point).collect() }
    }

    /// The last point that can be drawn.
    pub(super) fn last(&self) -> Option<(f64, f64)> {
        self.points.iter().copied().rfind(|point| point.1.is_finite())
    }

    fn description(&self, along: &str) -> String {
        let first = self.points.iter().find(|point| point.1.is_finite());
        match (first, self.last()) {
            (Some(first), Some(last)) => {
                let (from, to) = (decimal(first.1), decimal(last.1));
                format!(" {}: {from} in {along} {}, {to} in {along} {}.", self.name, first.0, last.0)
            }
            _ => format!(" {}: no value.", self.name),
        }
    }
}

/// A chart: curves over the epochs.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) title: String,
    /// The quantity and its unit, written along the y axis.
    pub(super) quantity: &'static str,
    /// What the curves are drawn over, written along the x axis.
    pub(super) along: &'static str,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) curves: Vec<Curve>,
    /// The last value of a curve and where to write it, if the chart shows it.
    pub(super) annotation: Option<((f64, f64), String)>,
    /// Written in place of the curves if there are none.
    pub(super) absence: Option<&'static str>,
}

impl Chart {
    /// The losses of training and test.
    pub(super) fn of_losses(epochs: &[EpochSummary]) -> Self {
        let training = Curve::new("training", BLUE, epochs, |epoch| epoch.training_loss.into());
        let test = Curve::new("test", VERMILLION, epochs, |epoch| epoch.test_loss.into());
        let y = Axis::of_losses(training.points.iter().chain(&test.points).map(|point| point.1));
        Self::new("Loss", "Mean loss per sample", epochs, y, vec![training, test])
    }

    /// The accuracy of the test in percent.
    pub(super) fn of_accuracy(epochs: &[EpochSummary]) -> Self {
        let test = Curve::new("test", GREEN, epochs, |epoch| f64::from(epoch.test_accuracy) * 100.0);
        let y = Axis::of_percentages(test.points.iter().map(|point| point.1));
        let annotation = test.last().map(|last| (last, format!("{:.1}%", last.1)));
        Self { annotation, ..Self::new("Test accuracy", "Accuracy (%)", epochs, y, vec![test]) }
    }

    fn new(title: &'static str, quantity: &'static str, epochs: &[EpochSummary], y: Axis, curves: Vec<Curve>) -> Self {
        let x = Axis::of_epochs(epochs.iter().map(|epoch| epoch.epoch));
        let absence = if epochs.is_empty() {
            Some("no epoch was run")
        } else if curves.iter().all(|curve| curve.last().is_none()) {
            Some("no value is finite")
        } else {
            None
        };
        Self { title: title.to_owned(), quantity, along: "Epoch", x, y, curves, annotation: None, absence }
    }

    /// Curves over a time or a count, from zero.
    pub(super) fn of_stream(
        title: &'static str,
        quantity: &'static str,
        along: &'static str,
        curves: Vec<Curve>,
    ) -> Self {
        let points = || curves.iter().flat_map(|curve| &curve.points);
        let (x, y) = (Axis::of_counts(points().map(|point| point.0)), Axis::of_losses(points().map(|point| point.1)));
        let absence = points().all(|point| !point.1.is_finite()).then_some("no value is finite");
        Self { title: title.to_owned(), quantity, along, x, y, curves, annotation: None, absence }
    }

    /// Curves over learning rates.
    pub(super) fn of_rates(title: String, quantity: &'static str, y: Axis, curves: Vec<Curve>) -> Self {
        let points = || curves.iter().flat_map(|curve| &curve.points);
        let x = Axis::of_rates(points().map(|point| point.0));
        let absence = points().all(|point| !point.1.is_finite()).then_some("no value is finite");
        Self { title, quantity, along: "Learning rate", x, y, curves, annotation: None, absence }
    }

    /// What the chart shows, for those who cannot see it.
    pub(super) fn description(&self) -> String {
        let along = self.along.to_lowercase();
        let curves: String = self.curves.iter().map(|curve| curve.description(&along)).collect();
        format!("{} against {along}.{curves}", self.quantity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(losses: &[f32]) -> Vec<EpochSummary> {
        let numbered = (1..).zip(losses);
        numbered
            .map(|(epoch, &loss)| EpochSummary { epoch, training_loss: loss, test_loss: loss, test_accuracy: 0.5 })
            .collect()
    }

    #[test]
    fn the_last_accuracy_is_annotated_in_percent() {
        let chart = Chart::of_accuracy(&epochs(&[0.5, 0.25]));
        assert_eq!(chart.annotation, Some(((2.0, 50.0), "50.0%".into())));
    }

    #[test]
    fn a_value_that_is_not_finite_is_passed_over() {
        let chart = Chart::of_losses(&epochs(&[f32::NAN, 0.5, 0.25, f32::INFINITY]));
        assert_eq!(chart.curves[0].last(), Some((3.0, 0.25)));
        assert!(chart.absence.is_none());
        assert!(chart.description().contains("0.5000 in epoch 2, 0.2500 in epoch 3"));
    }

    #[test]
    fn a_chart_without_a_point_says_so() {
        assert!(Chart::of_losses(&[]).absence.is_some());
        assert!(Chart::of_losses(&epochs(&[f32::NAN])).absence.is_some());
        assert!(Chart::of_accuracy(&[]).annotation.is_none());
    }
}

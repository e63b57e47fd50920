//! Ranges and ticks of the chart axes.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// At most this many ticks on an axis, so that their labels never touch.
const MAX_TICKS: f64 = 8.0;

/// An axis: the range it covers and the values it labels, both in the unit of the data; for a logarithmic axis in the
/// decimal logarithm of that.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    /// The value at the axis' start.
    low: f64,
    /// The value at the axis' end; always greater than `low`.
    high: f64,
    /// The distance of two ticks.
    step: f64,
    logarithmic: bool,
}

impl Axis {
    /// The axis of the epochs: whole numbers, from the epoch before the first one to the last one.
    pub(super) fn of_epochs(epochs: impl Iterator<Item = u32>) -> Self {
        let (first, last) = bounds(epochs.map(f64::from)).unwrap_or((1.0, 1.0));
        let low = (first - 1.0).max(0.0);
        // Two epochs wide at least: a single epoch then stands in the middle.
        let high = last.max(low + 2.0);
        Self { low, high, step: nice_step(high - low).max(1.0), logarithmic: false }
    }

    /// The axis of losses: from zero, which makes two losses comparable by their height.
    pub(super) fn of_losses(losses: impl Iterator<Item = f64>) -> Self {
        let (least, greatest) = bounds(losses).unwrap_or((0.0, 0.0));
        let low = least.min(0.0);
        let high = if greatest > low { greatest } else { low + 1.0 };
        Self::rounded_out(low, high)
    }

    /// An axis from zero whose ticks are whole numbers: seconds, or a count.
    pub(super) fn of_counts(counts: impl Iterator<Item = f64>) -> Self {
        let axis = Self::of_losses(counts);
        if axis.step < 1.0 { Self { high: axis.high.ceil(), step: 1.0, ..axis } } else { axis }
    }

    /// The axis of accuracies in percent: up to 100, and down as far as needed to see the differences.
    pub(super) fn of_percentages(percentages: impl Iterator<Item = f64>) -> Self {
        let (least, greatest) = bounds(percentages).unwrap_or((0.0, 100.0));
        let high = greatest.max(100.0);
        // Ten points at least: the noise of a good run must not look like a mountain range.
        Self::rounded_out(least.min(high - 10.0), high)
    }

    /// A logarithmic axis of values above zero, such as learning rates: from the least to the greatest, and a little more.
    pub(super) fn of_rates(rates: impl Iterator<Item = f64>) -> Self {
        let (least, greatest) = bounds(rates.filter(|rate| *rate > 0.0)).unwrap_or((0.1, 1.0));
        let margin = (0.04 * (greatest / least).log10()).max(0.1);
        let (low, high) = (least.log10() - margin, greatest.log10() + margin);
        Self { low, high, step: ((high - low) / MAX_TICKS).ceil(), logarithmic: true }
    }

    /// An axis whose range ends on ticks.
    fn rounded_out(low: f64, high: f64) -> Self {
        let step = nice_step(high - low);
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, step, logarithmic: false }
    }

    /// The labels of all ticks.
    pub(super) fn labels(&self) -> Vec<String> {
        self.ticks().into_iter().map(|tick| self.label(tick)).collect()
    }

    /// The values to label, in ascending order.
    fn ticks(&self) -> Vec<f64> {
        if self.logarithmic {
            return self.powers();
        }
        // The allowance keeps a tick on the range's end that rounding has moved over it.
        let first = (self.low / self.step - 1e-6).ceil();
        let count = (self.high / self.step + 1e-6).floor() - first;
        // At most MAX_TICKS + 2, whatever the range is: the step was made from it.
        (0..=count as u32).map(|index| (first + f64::from(index)) * self.step).collect()
    }

    /// Powers of ten, or, where there are too few of them, 1, 2 and 5 times these.
    fn powers(&self) -> Vec<f64> {
        let (low, high) = (self.low.floor() as i32, self.high.ceil() as i32);
        let factors: &[f64] = match self.high - self.low {
            ..1.5 => &[1.0, 2.0, 5.0],
            ..4.0 => &[1.0, 3.0],
            _ => &[1.0],
        };
        let powers = (low..=high).filter(|power| f64::from(*power) % self.step == 0.0);
        // The decimal text is exact, a power of ten below 1 is not.
        let value = |power: i32, factor: &f64| format!("{factor}e{power}").parse::<f64>().unwrap_or(f64::NAN);
        let values = powers.flat_map(|power| factors.iter().map(move |factor| value(power, factor)));
        values.filter(|value| (self.low..=self.high).contains(&value.log10())).collect()
    }

    /// The label of a tick, with as many decimals as tell two ticks apart.
    fn label(&self, tick: f64) -> String {
        if self.logarithmic {
            return if (1e-4..1e5).contains(&tick) { tick.to_string() } else { format!("{tick:e}") };
        }
        let greatest = self.low.abs().max(self.high.abs());
        if greatest >= 1e5 || self.step < 1e-3 {
            return if tick == 0.0 { "0".into() } else { format!("{tick:.1e}").replace(".0e", "e") };
        }
        // A step is 1, 2 or 5 times a power of ten; the allowance is for a logarithm just below a whole number.
        let decimals = (-(self.step.log10() + 1e-9).floor()).max(0.0) as usize;
        format!("{tick:.decimals$}")
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (start, end): (i32, i32)) -> i32 {
        let value = if self.logarithmic { value.log10() } else { *value };
        let share = (value - self.low) / (self.high - self.low);
        start + (share * f64::from(end - start)).round() as i32
    }

    /// The ticks, whatever number is asked for: only plotters' fine grid, which no chart shows, has none.
    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks() }
    }

    fn range(&self) -> Range<f64> {
        if self.logarithmic { 10_f64.powf(self.low)..10_f64.powf(self.high) } else { self.low..self.high }
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.label(*value)
    }
}

/// The least and the greatest finite value, if there is one.
fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).fold(None, |bounds, value| {
        let (least, greatest) = bounds.unwrap_or((value, value));
        Some((value.min(least), value.max(greatest)))
    })
}

/// The smallest of 1, 2 and 5 times a power of ten that cuts `span` (positive) in few enough parts.
fn nice_step(span: f64) -> f64 {
    let exact = span / MAX_TICKS;
    let power = 10_f64.powf(exact.log10().floor());
    // The allowance is for quotients such as 2.0000000000000004.
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| exact <= factor * power * (1.0 + 1e-9));
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_labelled_with_whole_numbers() {
        assert_eq!(Axis::of_epochs(1..=1).labels(), ["0", "1", "2"]);
        assert_eq!(Axis::of_epochs(1..=3).labels(), ["0", "1", "2", "3"]);
        assert_eq!(Axis::of_epochs(1..=40).labels(), ["0", "5", "10", "15", "20", "25", "30", "35", "40"]);
        assert_eq!(Axis::of_epochs(1..=300).labels(), ["0", "50", "100", "150", "200", "250", "300"]);
    }

    #[test]
    fn losses_start_at_zero_and_fit_in() {
        let axis = Axis::of_losses([1.17, 0.02].into_iter());
        assert_eq!((axis.low, axis.high), (0.0, 1.2000000000000002));
        assert_eq!(axis.labels(), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0", "1.2"]);
    }

    #[test]
    fn percentages_end_at_one_hundred() {
        let axis = Axis::of_percentages([85.0, 97.5].into_iter());
        assert!(axis.low <= 85.0 && axis.low >= 80.0);
        assert_eq!(axis.high, 100.0);
        assert_eq!(Axis::of_percentages([100.0].into_iter()).low, 90.0);
        assert_eq!(Axis::of_percentages([0.0].into_iter()).low, 0.0);
    }

    #[test]
    fn every_range_gets_few_ticks_that_differ() {
        let losses = [0.0, -3.0, 1e-9, 0.5, 0.999, 1.0, 7.3, 1e4, 99_999.0, 123_456.0, f64::from(f32::MAX)];
        for loss in losses {
            let labels = Axis::of_losses(std::iter::once(loss)).labels();
            assert!((3..=10).contains(&labels.len()), "{loss}: {labels:?}");
            assert!(labels.windows(2).all(|pair| pair[0] != pair[1]), "{loss}: {labels:?}");
            assert!(labels.iter().all(|label| label.len() <= 7), "{loss}: {labels:?}");
        }
        for last in 1..1000 {
            assert!(Axis::of_epochs(1..=last).labels().len() <= 10, "{last}");
        }
        assert!(Axis::of_epochs([1, u32::MAX].into_iter()).labels().len() <= 10);
    }

    #[test]
    fn counts_are_whole() {
        assert_eq!(Axis::of_counts([1.0, 4.0].into_iter()).labels(), ["0", "1", "2", "3", "4"]);
        assert!(Axis::of_counts([0.2].into_iter()).labels().len() == 2);
    }

    #[test]
    fn rates_are_labelled_at_round_values() {
        assert_eq!(Axis::of_rates([0.003, 0.1].into_iter()).labels(), ["0.003", "0.01", "0.03", "0.1"]);
        assert_eq!(Axis::of_rates([1e-6, 10.0].into_iter()).labels().len(), 8);
        assert_eq!(Axis::of_rates([0.01].into_iter()).labels(), ["0.01"]);
        for greatest in [1e-5, 1e-2, 1.0, 1e30] {
            let labels = Axis::of_rates([1e-6, greatest].into_iter()).labels();
            assert!((2..=9).contains(&labels.len()), "{labels:?}");
        }
        assert!(!Axis::of_rates([].into_iter()).labels().is_empty());
    }

    #[test]
    fn values_that_are_not_finite_do_not_count() {
        let losses = [f64::NAN, 0.4, f64::INFINITY];
        assert_eq!(Axis::of_losses(losses.into_iter()), Axis::of_losses([0.4].into_iter()));
        assert!(Axis::of_losses([f64::NAN].into_iter()).high > 0.0);
    }
}

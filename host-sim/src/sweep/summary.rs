//! What a setting's runs come to.

use serde::Serialize;

use super::{Run, Score, Setting};

/// Mean, lowest value and spread of a figure over the seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Statistics {
    /// The mean.
    pub mean: f64,
    /// The lowest value.
    pub lowest: f64,
    /// The standard deviation of the values (not an estimate for others): its divisor is their number.
    pub standard_deviation: f64,
}

impl Statistics {
    /// Of at least one value; NaN of none.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
        Self { mean, lowest, standard_deviation: variance.sqrt() }
    }
}

/// A setting and what it came to, over all seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// The setting.
    #[serde(flatten)]
    pub setting: Setting,
    /// How many seeds there were.
    pub seeds: usize,
    /// The accuracy on the validation part, 0 to 1; settings are compared by its mean. None where the whole training
    /// half was learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<Statistics>,
    /// The accuracy on the test half, 0 to 1.
    pub test_accuracy: Statistics,
    /// The mean loss: on the validation part, or on the test half where the whole training half was learned. None if a
    /// seed had none that is finite.
    pub loss: Option<f64>,
    /// The training RAM in bytes.
    pub ram_bytes: usize,
    /// The host's mean time for a training step, in microseconds; other jobs make it longer.
    pub microseconds_per_step: f64,
    /// Samples and updates refused because they were not finite, in all runs.
    pub refused: u64,
}

impl Summary {
    /// Of the runs of one setting; none of no run.
    #[must_use]
    pub fn of(runs: &[&Run]) -> Option<Self> {
        let first = runs.first()?;
        let times: Vec<_> = runs.iter().map(|run| run.microseconds_per_step).collect();
        let validation: Option<Vec<_>> = runs.iter().map(|run| run.validation.map(Score::accuracy)).collect();
        let test: Vec<_> = runs.iter().map(|run| run.test.accuracy()).collect();
        let losses: Option<Vec<f64>> = runs.iter().map(|run| run.loss.map(f64::from)).collect();
        Some(Self {
            setting: first.setting,
            seeds: runs.len(),
            validation_accuracy: validation.map(|values| Statistics::of(&values)),
            test_accuracy: Statistics::of(&test),
            loss: losses.map(|losses| Statistics::of(&losses).mean),
            ram_bytes: first.ram_bytes,
            microseconds_per_step: Statistics::of(&times).mean,
            refused: runs.iter().map(|run| u64::from(run.refused)).sum(),
        })
    }

    fn validation(&self) -> f64 {
        self.validation_accuracy.map_or(f64::NEG_INFINITY, |accuracy| accuracy.mean)
    }
}

/// Sorts settings: the highest mean validation accuracy first; among equals the lowest loss, then the least RAM.
pub(super) fn rank(summaries: &mut [Summary]) {
    let loss = |summary: &Summary| summary.loss.unwrap_or(f64::INFINITY);
    summaries.sort_by(|a, b| {
        let accuracy = b.validation().total_cmp(&a.validation());
        accuracy.then(loss(a).total_cmp(&loss(b))).then(a.ram_bytes.cmp(&b.ram_bytes))
    });
}

/// The setting with the least RAM whose mean validation accuracy is within one standard error of the best one's (Breiman
/// et al., "Classification and regression trees", 1984); none if that is the best one itself.
pub(super) fn frugal(ranked: &[Summary]) -> Option<&Summary> {
    let best = ranked.first()?;
    // The standard error of a mean needs the estimate of the spread, whose divisor is one less.
    let degrees = best.seeds.checked_sub(1).filter(|degrees| *degrees > 0)? as f64;
    let error = best.validation_accuracy?.standard_deviation / degrees.sqrt();
    let near = ranked.iter().filter(|summary| summary.validation() >= best.validation() - error);
    near.min_by_key(|summary| summary.ram_bytes).filter(|summary| summary.ram_bytes < best.ram_bytes)
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;

    #[test]
    fn mean_lowest_and_deviation() {
        let statistics = Statistics::of(&[1.0, 3.0]);
        assert_eq!((statistics.mean, statistics.lowest, statistics.standard_deviation), (2.0, 1.0, 1.0));
    }

    /// A setting with two seeds of the given validation accuracies in percent.
    fn summary(percents: [u32; 2], loss: Option<f32>, ram_bytes: usize) -> Summary {
        let score = |right| Some(Score { right, of: 100 });
        let runs = percents.map(|percent| Run { validation: score(percent), ram_bytes, ..run(1, loss) });
        Summary::of(&runs.iter().collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn ranked_by_accuracy_then_loss_then_ram() {
        let mut ranked = [
            summary([50, 60], Some(0.1), 10),
            summary([80, 90], None, 5),
            summary([80, 90], Some(0.3), 20),
            summary([80, 90], Some(0.3), 10),
        ];
        rank(&mut ranked);
        assert_eq!(ranked.map(|summary| summary.ram_bytes), [10, 20, 5, 10]);
        assert_eq!(ranked[3].loss, Some(f64::from(0.1_f32)));
    }

    #[test]
    fn a_smaller_setting_that_is_hardly_worse_is_named() {
        // The best: mean 0.9, standard error 0.02.
        let mut ranked = vec![summary([88, 92], None, 30), summary([89, 89], None, 20)];
        ranked.push(summary([87, 87], None, 10));
        assert_eq!(frugal(&ranked).map(|summary| summary.ram_bytes), Some(20));
        assert!(frugal(&ranked[..1]).is_none());
    }
}

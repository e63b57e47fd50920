//! The learning-rate finder.

use backpass::{CrossEntropy, Learner, Memory, Optimizer, Rng};
use backpass_app::digits::{Input, Network};
use serde::Serialize;

use super::twin::Visitor;
use super::{Descent, RuleError, Width};
use crate::network::Rule;

/// A search for the learning rate: the rate grows from step to step, exponentially, while the loss is recorded. Source: Smith,
/// "Cyclical learning rates for training neural networks" (2017), section 3.3, with the loss in place of the accuracy
/// as in Smith, "A disciplined approach to neural network hyper-parameters" (2018).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateSearch {
    /// The rule of descent.
    pub optimizer: Rule,
    /// The hidden layer.
    pub width: Width,
    /// Samples to a step.
    pub batch: u32,
    /// How often every training sample is seen on the way from the lowest to the highest rate.
    pub epochs: u32,
    /// The seed of the weights and of the order of the samples, as in training.
    pub seed: u64,
    /// The rate of the first step.
    pub lowest: f32,
    /// The rate of the last step.
    pub highest: f32,
}

/// A step of the search.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RatePoint {
    /// The learning rate of the step.
    pub learning_rate: f32,
    /// The mean loss of the step's samples, taken before they were learned.
    pub loss: f64,
    /// The mean of the losses around it: of as many steps before as after, at most a thirtieth of all to each side.
    pub smoothed: f64,
}

/// The loss against the rate, and what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct RateCurve {
    /// The steps up to the last, or to the first that was not finite.
    pub points: Vec<RatePoint>,
    /// Where the smoothed loss falls most steeply along the logarithm of the rate; none if it hardly falls.
    pub suggested: Option<f32>,
    /// Where the smoothed loss is lowest; none if it hardly falls.
    pub minimum: Option<f32>,
    /// The first rate behind the minimum at which the smoothed loss has lost half of its fall, or at which a loss or an
    /// update was not finite; none if all went well up to the highest rate.
    pub diverges: Option<f32>,
}

/// Why there can be no search.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RateSearchError {
    /// There is no room between the rates.
    #[error("the lowest rate {lowest} is not below the highest rate {highest}")]
    Range {
        /// The lowest rate.
        lowest: f32,
        /// The highest rate.
        highest: f32,
    },
    /// A curve needs more points.
    #[error(
        "{0} steps are too few for a search, at least {MIN_STEPS} are needed: ask for more --epochs or a smaller --batch"
    )]
    TooFewSteps(usize),
    /// A rule that no twin is built with.
    #[error(transparent)]
    Rule(#[from] RuleError),
}

/// Fewer steps than this are no curve.
const MIN_STEPS: usize = 30;
/// A loss that falls by less than this part of its first value says nothing.
const LEAST_FALL: f64 = 0.1;

impl RateSearch {
    /// How many steps there are.
    #[must_use]
    pub fn steps(&self, samples: usize) -> usize {
        samples.div_ceil(self.batch.max(1) as usize) * self.epochs as usize
    }

    /// Trains once, with the rate growing. The same settings give the same curve.
    ///
    /// # Errors
    /// [`RateSearchError`], if the settings leave no room for a curve.
    pub fn run(&self, training: &[(Input, usize)]) -> Result<RateCurve, RateSearchError> {
        let Self { lowest, highest, .. } = *self;
        if !(lowest > 0.0 && lowest < highest && highest.is_finite()) {
            return Err(RateSearchError::Range { lowest, highest });
        }
        let steps = self.steps(training.len());
        if steps < MIN_STEPS {
            return Err(RateSearchError::TooFewSteps(steps));
        }
        // In the way a geometric mean is taken: equal steps of the logarithm.
        let growth = f64::from(highest) / f64::from(lowest);
        let rate = |step: usize| (f64::from(lowest) * growth.powf(step as f64 / (steps - 1) as f64)) as f32;
        let rates: Vec<f32> = (0..steps).map(rate).collect();
        let visitor = Climb { search: *self, rates: &rates, training };
        let losses = Descent::new(self.optimizer)?.with_types(self.width, visitor);
        Ok(RateCurve::new(&rates, &losses))
    }
}

/// The training with growing rates; returns the loss of each step, up to the first that was refused.
struct Climb<'a> {
    search: RateSearch,
    rates: &'a [f32],
    training: &'a [(Input, usize)],
}

impl Visitor for Climb<'_> {
    type Output = Vec<f64>;

    fn visit<const WIDTH: usize, O: Optimizer + Clone>(self, optimizer: impl Fn(f32) -> O) -> Vec<f64> {
        let network = Network::<WIDTH>::default();
        let mut memory = Box::new(Memory::new());
        Learner::new(&mut memory, network, CrossEntropy, optimizer(self.search.lowest)).initialize(self.search.seed);
        // The orders of `session::run`.
        let mut rng = Rng::new(self.search.seed.wrapping_add(1));
        let mut order: Vec<usize> = (0..self.training.len()).collect();
        let mut rates = self.rates.iter();
        let mut losses = Vec::new();
        for _ in 0..self.search.epochs {
            rng.shuffle(&mut order);
            for batch in order.chunks(self.search.batch.max(1) as usize) {
                let Some(rate) = rates.next() else { return losses };
                let mut learner = Learner::new(&mut memory, network, CrossEntropy, optimizer(*rate));
                let mut sum = 0.0;
                for (sample, class) in batch.iter().filter_map(|index| self.training.get(*index)) {
                    let Ok(loss) = learner.observe(sample, class) else { return losses };
                    sum += f64::from(loss);
                }
                losses.push(sum / batch.len() as f64);
                if learner.update().is_err() {
                    return losses;
                }
            }
        }
        losses
    }
}

impl RateCurve {
    /// Reads the losses at growing rates; fewer losses than rates mean that the next step was not finite.
    fn new(rates: &[f32], losses: &[f64]) -> Self {
        let reach = (rates.len() / 30).max(2);
        let smoothed = smooth(losses, reach);
        let point = |((rate, loss), smoothed): ((&f32, &f64), &f64)| RatePoint {
            learning_rate: *rate,
            loss: *loss,
            smoothed: *smoothed,
        };
        let points: Vec<_> = rates.iter().zip(losses).zip(&smoothed).map(point).collect();
        let broke = rates.get(losses.len().saturating_sub(1)).copied().filter(|_| losses.len() < rates.len());
        // What the network knows before it has learned: the first losses, at rates that change nothing.
        let start = mean(losses.get(..reach.min(losses.len())).unwrap_or_default());
        let falls = |least: f64| least < start * (1.0 - LEAST_FALL);
        let mut least = (0, f64::INFINITY);
        let mut diverges = None;
        for (index, value) in smoothed.iter().copied().enumerate() {
            if value < least.1 {
                least = (index, value);
            } else if falls(least.1) && value > (start + least.1) / 2.0 {
                diverges = Some(index);
                break;
            }
        }
        let rate = |index: usize| points.get(index).map(|point| point.learning_rate);
        let has_fallen = falls(least.1);
        Self {
            suggested: has_fallen.then(|| rate(steepest(&smoothed, least.0, reach))).flatten(),
            minimum: has_fallen.then(|| rate(least.0)).flatten(),
            diverges: diverges.and_then(rate).or(broke),
            points,
        }
    }
}

/// The mean of each value and of as many on either side, at most `reach`.
fn smooth(values: &[f64], reach: usize) -> Vec<f64> {
    let window = |index: usize| {
        let side = reach.min(index).min(values.len() - 1 - index);
        mean(values.get(index - side..=index + side).unwrap_or_default())
    };
    (0..values.len()).map(window).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Where the values up to the one at `end` fall most from `reach` places before to `reach` places behind.
fn steepest(values: &[f64], end: usize, reach: usize) -> usize {
    let fall = |index: usize| match (values.get(index.saturating_sub(reach)), values.get(index + reach)) {
        (Some(before), Some(behind)) => before - behind,
        _ => f64::NEG_INFINITY,
    };
    (0..=end).max_by(|a, b| fall(*a).total_cmp(&fall(*b))).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::super::tests::data;
    use super::*;
    use crate::Dataset;

    fn search() -> RateSearch {
        RateSearch {
            optimizer: Rule::Sgd,
            width: Width::W16,
            batch: 4,
            epochs: 8,
            seed: 1,
            lowest: 1e-4,
            highest: 100.0,
        }
    }

    /// Rates from 1e-4 to 1, 101 of them.
    fn rates() -> Vec<f32> {
        (0..=100).map(|step| 10_f32.powf(-4.0 + 0.04 * step as f32)).collect()
    }

    #[test]
    fn reads_fall_minimum_and_divergence_from_a_known_curve() {
        // Level to step 40, then down to step 60, level to step 80, then up.
        let loss = |step: i32| match step {
            ..40 => 2.0,
            40..60 => 2.0 - 0.09 * f64::from(step - 40),
            60..80 => 0.2,
            _ => 0.2 + 0.3 * f64::from(step - 80),
        };
        let (rates, losses) = (rates(), (0..=100).map(loss).collect::<Vec<_>>());
        let curve = RateCurve::new(&rates, &losses);
        let step = |rate: Option<f32>| rates.iter().position(|known| Some(*known) == rate).unwrap();
        assert!((43..=57).contains(&step(curve.suggested)), "{}", step(curve.suggested));
        assert!((60..80).contains(&step(curve.minimum)));
        assert!((82..=85).contains(&step(curve.diverges)), "{}", step(curve.diverges));
    }

    #[test]
    fn a_loss_that_does_not_fall_suggests_nothing() {
        let curve = RateCurve::new(&rates(), &[2.3; 101]);
        assert_eq!((curve.suggested, curve.minimum, curve.diverges), (None, None, None));
        assert_eq!(curve.points.len(), 101);
    }

    #[test]
    fn a_step_that_is_not_finite_is_where_it_diverges() {
        let rates = rates();
        let curve = RateCurve::new(&rates, &[2.3; 50]);
        assert_eq!(curve.diverges, Some(rates[49]));
        assert_eq!(RateCurve::new(&rates, &[]).diverges, Some(rates[0]));
    }

    #[test]
    fn the_suggested_rate_trains_and_twice_the_diverging_one_does_not() {
        let data = Dataset::digits();
        let search = RateSearch { batch: 8, epochs: 2, lowest: 1e-5, highest: 10.0, ..search() };
        let curve = search.run(&data.training).unwrap();
        let (suggested, diverges) = (curve.suggested.unwrap(), curve.diverges.unwrap());
        assert!(suggested < curve.minimum.unwrap() && curve.minimum.unwrap() < diverges);
        let accuracy = |rate| {
            let plan = crate::Plan { epochs: 5, batch: 8, seed: 1 };
            Descent::new(Rule::Sgd).unwrap().with_rate(rate).train(Width::W16, plan, &data, &mut |_| {}).test_accuracy()
        };
        assert!(accuracy(suggested) > 0.85, "{suggested}: {}", accuracy(suggested));
        let high = 2.0 * diverges;
        assert!(accuracy(high) < 0.5, "{high}: {}", accuracy(high));
        assert_eq!(search.run(&data.training).unwrap(), curve);
    }

    #[test]
    fn settings_without_a_curve_are_refused() {
        let data = data();
        let range = RateSearch { lowest: 1.0, highest: 1.0, ..search() };
        assert!(matches!(range.run(&data.training), Err(RateSearchError::Range { .. })));
        let few = RateSearch { batch: 100, ..search() };
        assert_eq!(few.run(&data.training), Err(RateSearchError::TooFewSteps(8)));
    }
}

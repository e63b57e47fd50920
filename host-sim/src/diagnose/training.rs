//! A short training, and whether anything was learned.

use backpass::{Pass, Rng};
use serde_json::json;

use super::{Check, Plan, Sample, Verdict, percent, some};
use crate::network::model::{Loss, Model, Optimizer, Target};

/// The mean over so many samples says how it stands.
pub(super) const MOST_EVALUATED: usize = 300;

/// Trains networks on the samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trainer<'a> {
    pub(super) samples: &'a [Sample],
    pub(super) plan: &'a Plan,
}

impl Trainer<'_> {
    /// Trains for so many updates, or until it is no longer finite. Says whether it stayed finite.
    pub(super) fn train(&self, model: &mut Model, rate: f64, updates: usize, progress: &mut dyn FnMut(usize)) -> bool {
        let mut rng = Rng::new(self.plan.seed);
        let mut optimizer = Optimizer::new(self.plan.rule, rate, model);
        let (mut order, mut sample_number) = (Vec::new(), 0_u32);
        for update in 0..updates {
            let mut batch = Vec::with_capacity(self.plan.batch);
            for _ in 0..self.plan.batch {
                if order.is_empty() {
                    order = (0..self.samples.len()).collect();
                    rng.shuffle(&mut order);
                }
                let Some(sample) = order.pop().map(|at: usize| &self.samples[at]) else { continue };
                let trace = model.forward(&sample.x, Pass::training(sample_number));
                sample_number = sample_number.wrapping_add(1);
                let (loss, gradient) = Loss::CrossEntropy.gradient(trace.output(), &Target::Class(sample.class));
                if !loss.is_finite() {
                    return false;
                }
                batch.push(model.backward(&trace, gradient));
            }
            optimizer.step(model, &batch);
            progress(update + 1);
        }
        true
    }

    /// The mean loss over some samples.
    pub(super) fn loss(&self, model: &Model) -> f64 {
        let samples = some(self.samples, MOST_EVALUATED);
        let of = |sample: &&Sample| {
            let trace = model.forward(&sample.x, Pass::Predicting);
            Loss::CrossEntropy.value(trace.output(), &Target::Class(sample.class))
        };
        samples.iter().map(of).sum::<f64>() / samples.len() as f64
    }
}

/// Whether the training told the classes apart.
pub(super) fn learning(trained: &Model, samples: &[Sample], classes: usize) -> Check {
    let (mut right, mut all) = (vec![0.0; classes], vec![0.0; classes]);
    for sample in some(samples, 4 * MOST_EVALUATED) {
        let trace = trained.forward(&sample.x, Pass::Predicting);
        let best = trace.output().iter().zip(0..).max_by(|a, b| a.0.total_cmp(b.0)).map_or(0, |(_, class)| class);
        all[sample.class] += 1.0;
        right[sample.class] += f64::from(u8::from(best == sample.class));
    }
    let present: Vec<f64> =
        right.iter().zip(&all).filter(|(_, all)| **all > 0.0).map(|(right, all)| right / all).collect();
    let recall = present.iter().sum::<f64>() / present.len() as f64;
    let chance = 1.0 / present.len() as f64;
    let gained = (recall - chance) / (1.0 - chance);
    let accuracy = right.iter().sum::<f64>() / all.iter().sum::<f64>();
    let verdict = match gained {
        _ if gained >= 0.5 => Verdict::Ok,
        _ if gained >= 0.2 => Verdict::Warning,
        _ => Verdict::Problem,
    };
    let finding = format!(
        "after the short training {} of the samples it learned from are right, and {} of a class in the mean (guessing: {})",
        percent(accuracy),
        percent(recall),
        percent(chance)
    );
    let advice = "change what stands above first; if nothing does, train for longer, or take a larger network";
    let figures = json!({ "accuracy": accuracy, "mean_recall": recall, "chance": chance });
    Check::new("learning", verdict, finding, advice, figures)
}

//! Running losses.
//!
//! A loss of backpass is that of one sample; what a whole batch gives is put together here. As in ONNX, the mean is over the samples
//! that are not ignored, and where there are class weights it is over their weights: `Σ w[t] l / Σ w[t]`. (A mini-batch of backpass
//! divides by the number of samples.)

use backpass::{CrossEntropy, InputGradient, LogSoftmax, Loss, NegativeLogLikelihood};

use crate::harness::Run;

/// What becomes of the losses of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduction {
    None,
    Sum,
    Mean,
}

/// A class that no network has, for classes below zero.
const NO_CLASS: usize = usize::MAX;

impl Run<'_> {
    /// Softmax cross-entropy on logits, with the log-probabilities where the case has them.
    pub(crate) fn cross_entropy<const C: usize>(&mut self, case: &str, reduction: Reduction, ignored: Option<i64>) {
        match (self.weights::<C>(case), ignored.map(class)) {
            (None, None) => self.loss::<_, C>(case, CrossEntropy, None, reduction),
            (None, Some(class)) => self.loss::<_, C>(case, CrossEntropy.ignore(class), None, reduction),
            (Some(w), None) => self.loss(case, CrossEntropy.weights(w), Some(w), reduction),
            (Some(w), Some(class)) => self.loss(case, CrossEntropy.weights(w).ignore(class), Some(w), reduction),
        }
        let log_prob = format!("{case}/log_prob");
        if self.has(&log_prob) {
            let logits: Vec<[f32; C]> = self.samples(&format!("{case}/x"));
            for (k, (x, y)) in logits.iter().zip(self.samples(&log_prob)).enumerate() {
                self.sample(&format!("{case}: log-probabilities of sample {k}"), &LogSoftmax, &(), x, &y, &[]);
            }
        }
        self.ran(case);
    }

    /// The negative log-likelihood on log-probabilities.
    pub(crate) fn negative_log_likelihood<const C: usize>(
        &mut self,
        case: &str,
        reduction: Reduction,
        ignored: Option<i64>,
    ) {
        let loss = NegativeLogLikelihood::new();
        match (self.weights::<C>(case), ignored.map(class)) {
            (None, None) => self.loss::<_, C>(case, loss, None, reduction),
            (None, Some(class)) => self.loss::<_, C>(case, loss.ignore(class), None, reduction),
            (Some(w), None) => self.loss(case, loss.weights(w), Some(w), reduction),
            (Some(w), Some(class)) => self.loss(case, loss.weights(w).ignore(class), Some(w), reduction),
        }
        self.ran(case);
    }

    /// The class weights, if the case has any.
    fn weights<const C: usize>(&mut self, case: &str) -> Option<[f32; C]> {
        let name = format!("{case}/weights");
        self.has(&name).then(|| self.tensor(&name))
    }

    /// Compares the losses of all samples, or their sum or mean.
    fn loss<L: Loss<[f32; C], usize>, const C: usize>(
        &mut self,
        case: &str,
        loss: L,
        weights: Option<[f32; C]>,
        reduction: Reduction,
    ) {
        let outputs: Vec<[f32; C]> = self.samples(&format!("{case}/x"));
        let classes: Vec<usize> = self.integers(&format!("{case}/classes")).into_iter().map(class).collect();
        assert_eq!(outputs.len(), classes.len(), "{case}");
        let (mut losses, mut count) = (Vec::new(), 0.0);
        for (output, class) in outputs.into_iter().zip(classes) {
            loss.check(&class).unwrap_or_else(|error| panic!("{case}: {error}"));
            let value = loss.loss(&output, &class);
            assert_eq!(
                value.to_bits(),
                loss.gradient(&mut { output }, &class, InputGradient::Full).to_bits(),
                "{case}"
            );
            losses.push(value);
            if !loss.is_ignored(&class) {
                count += weights.map_or(1.0, |weights| f64::from(weights[class]));
            }
        }
        let sum: f64 = losses.iter().copied().map(f64::from).sum();
        let ours = match reduction {
            Reduction::None => losses,
            Reduction::Sum => vec![sum as f32],
            Reduction::Mean => vec![(sum / count) as f32],
        };
        let theirs = self.floats(&format!("{case}/y"));
        self.compare(case, &ours, &theirs);
    }
}

/// A class as backpass counts them.
fn class(class: i64) -> usize {
    usize::try_from(class).unwrap_or(NO_CLASS)
}

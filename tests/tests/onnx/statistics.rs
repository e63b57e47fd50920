//! Running statistics of batch normalisation.

use backpass::{BatchNorm, BatchNormParams, Learner, MeanSquaredError, Memory, Sgd, Tensor};

use crate::harness::Run;

impl Run<'_> {
    /// What the running statistics become by an update over the batch. The case does not count as run: its output is normalised by
    /// the statistics of the batch.
    ///
    /// The mean follows as in ONNX. Our variance is about the running mean, ONNX's about the mean of the batch: they are the same
    /// where the running mean is that of the batch.
    pub(crate) fn running_statistics<X: Tensor>(&mut self, case: &str, norm: BatchNorm) {
        let params: BatchNormParams<X::Channels> = self.params(case, 0, 1);
        let samples: Vec<X> = self.samples(&format!("{case}/x"));
        let [mean, variance]: [X::Channels; 2] =
            ["running_mean", "running_var"].map(|name| self.tensor(&format!("{case}/after/{name}")));
        let after = updated(norm, params, &samples);
        self.compare(&format!("{case}: running mean"), after.running_mean.flat(), mean.flat());

        let mut centred = params;
        for (ours, after) in centred.running_mean.flat_mut().iter_mut().zip(mean.flat()) {
            *ours += (after - *ours) / norm.momentum;
        }
        let after = updated(norm, centred, &samples);
        self.compare(&format!("{case}: running variance"), after.running_var.flat(), variance.flat());
    }
}

/// The parameters after an update over all samples.
fn updated<X: Tensor>(
    norm: BatchNorm,
    params: BatchNormParams<X::Channels>,
    samples: &[X],
) -> BatchNormParams<X::Channels> {
    let mut memory = Memory::<BatchNorm, X, Sgd>::new();
    let mut learner = Learner::new(&mut memory, norm, MeanSquaredError, Sgd::new(0.0));
    *learner.params_mut() = params;
    for sample in samples {
        learner.observe(sample, &X::ZERO).unwrap();
    }
    learner.update().unwrap();
    *learner.params()
}

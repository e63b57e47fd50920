//! How good a classifier is, while it learns.

use crate::checkpoint::{Archive, Persist};
use crate::error::TrainError;
use crate::layer::Layer;
use crate::learner::Learner;
use crate::loss::Loss;
use crate::optimizer::Optimizer;
use crate::stream::confusion_matrix::ConfusionMatrix;
use crate::stream::error::ClassOutOfRange;
use crate::stream::rolling_accuracy::RollingAccuracy;
use crate::tensor::Tensor;

/// Running measures of a classifier with `K` classes: the confusion matrix of all answers, and the accuracy of the last `W`.
///
/// Prequential evaluation, test then train: every sample is predicted first, counted, and then learned from. So all of a
/// stream is test set and training set both. `river.evaluate.progressive_val_score`; Gama, Sebastião and Rodrigues, "On evaluating stream
/// learning algorithms" (Machine Learning 2013). [`test_then_train`](Self::test_then_train) does it.
///
/// ```
/// use backpass::stream::Metrics;
/// use backpass::{CrossEntropy, Dense, Learner, Memory, Sgd};
/// let mut memory = Memory::<Dense<2>, [f32; 1], Sgd>::new();
/// let mut learner = Learner::new(&mut memory, Dense::new(), CrossEntropy, Sgd::new(0.5));
/// learner.initialize(1);
/// let mut metrics = Metrics::<2, 20>::new();
/// for i in 0..200 {
///     let class = i % 2;
///     metrics.test_then_train(&mut learner, &[class as f32 - 0.5], class)?;
/// }
/// assert_eq!(metrics.rolling_accuracy(), 1.0);
/// assert_eq!(metrics.confusion().total(), 200);
/// # Ok::<(), backpass::TrainError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Metrics<const K: usize, const W: usize> {
    confusion: ConfusionMatrix<K>,
    rolling: RollingAccuracy<W>,
}

impl<const K: usize, const W: usize> Metrics<K, W> {
    /// Without answers.
    pub const fn new() -> Self {
        Self { confusion: ConfusionMatrix::new(), rolling: RollingAccuracy::new() }
    }

    /// Counts one answer.
    ///
    /// # Errors
    /// [`ClassOutOfRange`]; nothing has changed then.
    pub fn update(&mut self, actual: usize, predicted: usize) -> Result<(), ClassOutOfRange> {
        self.confusion.update(actual, predicted)?;
        self.rolling.update(actual == predicted);
        Ok(())
    }

    /// The accuracy of all answers, 0 to 1; 0 without answers.
    pub fn accuracy(&self) -> f32 {
        self.confusion.accuracy()
    }

    /// The accuracy of the last `W` answers, 0 to 1; 0 without answers.
    pub fn rolling_accuracy(&self) -> f32 {
        self.rolling.get()
    }

    /// All answers.
    pub const fn confusion(&self) -> &ConfusionMatrix<K> {
        &self.confusion
    }

    /// Forgets all answers.
    pub fn clear(&mut self) {
        self.confusion.clear();
        self.rolling.clear();
    }

    /// Predicts a sample, counts the answer, then [trains](Learner::train) on it. Returns the loss before the step: what a
    /// [`Drift`](crate::stream::Drift) detector takes.
    ///
    /// # Errors
    /// [`TrainError`]. A sample that is refused is not counted; one whose step alone is refused is.
    pub fn test_then_train<N, X, L, O>(
        &mut self,
        learner: &mut Learner<'_, N, X, L, O>,
        sample: &X,
        class: usize,
    ) -> Result<f32, TrainError>
    where
        N: Layer<X, Output: Tensor>,
        X: Tensor,
        L: Loss<N::Output, usize>,
        O: Optimizer,
    {
        self.test_then_train_with(learner, |input| *input = *sample, class)
    }

    /// [`test_then_train`](Self::test_then_train) on a sample that `fill` writes straight into the network's input, twice; see
    /// [`Learner::predict_with`].
    ///
    /// # Errors
    /// As for [`test_then_train`](Self::test_then_train).
    pub fn test_then_train_with<N, X, L, O>(
        &mut self,
        learner: &mut Learner<'_, N, X, L, O>,
        fill: impl Fn(&mut X),
        class: usize,
    ) -> Result<f32, TrainError>
    where
        N: Layer<X, Output: Tensor>,
        X: Tensor,
        L: Loss<N::Output, usize>,
        O: Optimizer,
    {
        const { assert!(K == <N::Output as Tensor>::LEN, "Metrics: a class for each of the network's outputs") };
        let (loss, output) = learner.evaluate_with(&fill, &class)?;
        let predicted = output.argmax();
        // The loss has found the class to be one of the outputs.
        let _ = self.update(class, predicted);
        learner.train_with(fill, &class)?;
        Ok(loss)
    }
}

impl<const K: usize, const W: usize> Persist for Metrics<K, W> {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.name("Metrics");
        self.confusion.persist(archive);
        self.rolling.persist(archive);
    }
}

impl<const K: usize, const W: usize> Default for Metrics<K, W> {
    fn default() -> Self {
        Self::new()
    }
}

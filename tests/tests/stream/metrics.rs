//! Metrics, and prequential evaluation of a learner.

use backpass::stream::Metrics;
use backpass::{CrossEntropy, Dense, Learner, Memory, NoBias, Sgd, Tensor};

use crate::harness::{compare, floats, integers, pixels, rows};

/// Shares are rounded once or twice.
const TOLERANCE: f64 = 3e-7;

#[test]
fn metrics_are_river_s_and_scikit_learn_s() {
    let mut metrics = Metrics::<5, 50>::new();
    let mut ours = Vec::new();
    for (actual, predicted) in integers("metrics/actual").into_iter().zip(integers("metrics/predicted")) {
        metrics.update(actual, predicted).unwrap();
        let confusion = metrics.confusion();
        let kappa = confusion.kappa();
        ours.extend([metrics.accuracy(), metrics.rolling_accuracy(), confusion.balanced_accuracy(), kappa]);
    }
    compare("metrics, river", &ours, &floats("metrics/accuracy, rolling, balanced, kappa"), 1e-6);
    let confusion = metrics.confusion();
    let counts: Vec<_> = confusion.counts().as_flattened().iter().map(|count| *count as usize).collect();
    assert_eq!(counts, integers("metrics/confusion"));
    let both = [confusion.balanced_accuracy(), confusion.kappa()];
    compare("metrics, scikit-learn", &both, &floats("metrics/balanced and kappa of scikit-learn"), TOLERANCE);
    let each = |measure: &dyn Fn(usize) -> f32| (0..5).map(measure).collect::<Vec<_>>();
    compare("recall", &each(&|class| confusion.recall(class)), &floats("metrics/recall"), TOLERANCE);
    compare("precision", &each(&|class| confusion.precision(class)), &floats("metrics/precision"), TOLERANCE);
}

/// A softmax regression by plain descent: every answer is river's, although each depends on all samples before.
#[test]
fn test_then_train_is_river_s_progressive_validation() {
    type Net = Dense<10, NoBias>;
    let mut memory = Memory::<Net, [f32; 64], Sgd>::new();
    let mut learner = Learner::new(&mut memory, Net::new(), CrossEntropy, Sgd::new(0.05));
    learner.params_mut().weight.copy_from_slice(&rows::<10>("prequential/weights"));
    let mut metrics = Metrics::<10, 50>::new();
    let mut trace = Vec::new();
    let images = pixels("prequential/pixels");
    let answers = integers("prequential/answers");
    let stream = images.as_chunks::<64>().0.iter().zip(integers("prequential/classes")).zip(&answers);
    for (i, ((image, class), theirs)) in stream.enumerate() {
        let image = image.map(|pixel| f32::from(pixel) / 16.0);
        assert_eq!(learner.predict(&image).argmax(), *theirs, "image {i}");
        metrics.test_then_train(&mut learner, &image, class).unwrap();
        trace.extend([metrics.accuracy(), metrics.rolling_accuracy()]);
    }
    compare("accuracy", &trace, &floats("prequential/accuracy, rolling"), TOLERANCE);
    println!("prequential accuracy of {} digits: {:.1} %", answers.len(), 100.0 * metrics.accuracy());
}

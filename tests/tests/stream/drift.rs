//! Drift detectors and early stopping.

use backpass::stream::{Adwin, Drift, EarlyStop, PageHinkley, Side};

use crate::harness::{compare, floats, integers};

const STREAMS: [&str; 5] = ["step", "slope", "errors", "spread", "falling"];

/// The positions of the alarms; `note` is told after each value.
fn alarms<D: Drift>(stream: &[f32], detector: &mut D, mut note: impl FnMut(usize, &D)) -> Vec<usize> {
    let mut found = Vec::new();
    for (i, x) in stream.iter().enumerate() {
        if detector.update(*x).unwrap() {
            found.push(i);
        }
        note(i, detector);
    }
    found
}

/// Every alarm comes at the same value as river's. Sums are compared too: kept in two `f32`, they are within two roundings of theirs.
#[test]
fn page_hinkley_alarms_where_river_s_does() {
    let plain = PageHinkley::new();
    let settings = [
        ("default", plain),
        ("threshold 10", plain.threshold(10.0)),
        ("up", plain.threshold(15.0).side(Side::Up)),
        ("down, forgetting", plain.delta(0.02).alpha(0.99).threshold(4.0).min_instances(100).side(Side::Down)),
    ];
    let mut number = 0;
    for name in STREAMS {
        let stream = floats(&format!("drift/{name}"));
        for (case, mut detector) in settings {
            let case = format!("drift/{name}/page_hinkley, {case}");
            let mut sums = Vec::new();
            let found = alarms(&stream, &mut detector, |i, detector| {
                if i % 50 == 0 {
                    sums.extend(detector.sums());
                }
            });
            let theirs = integers(&case);
            assert_eq!(found, theirs, "{case}");
            number += found.len();
            let theirs = floats(&format!("{case}, sums"));
            let largest = theirs.iter().fold(50.0, |largest: f32, sum| largest.max(sum.abs()));
            compare(&case, &sums, &theirs, 1.2e-7 * f64::from(largest));
        }
    }
    println!("{number} alarms, all at the same values");
    assert!(number > 100);
}

/// Every alarm comes at the same value as river's. Nothing but a difference of means within a rounding error of its bound could
/// move one, by a check; on these streams that does not happen.
#[test]
fn adwin_alarms_where_river_s_does() {
    fn check<const BUCKETS: usize>(name: &str, case: &str, mut detector: Adwin<12, BUCKETS>) -> usize {
        let stream = floats(&format!("drift/{name}"));
        let case = format!("drift/{name}/adwin, {case}");
        let (mut trace, mut widths) = (Vec::new(), Vec::new());
        let found = alarms(&stream, &mut detector, |i, detector| {
            if i % 100 == 99 {
                widths.push(detector.width() as f32);
                trace.extend([detector.mean(), detector.variance()]);
            }
        });
        assert_eq!(found, integers(&case), "{case}");
        let theirs = floats(&format!("{case}, trace"));
        let (theirs, []) = theirs.as_chunks::<3>() else { panic!("{case}") };
        assert_eq!(widths, theirs.iter().map(|[width, ..]| *width).collect::<Vec<_>>(), "{case}");
        let theirs: Vec<_> = theirs.iter().flat_map(|[_, mean, variance]| [*mean, *variance]).collect();
        // Means and variances are up to 2; sums of a bucket are rounded once for each row that they came through.
        compare(&case, &trace, &theirs, 2e-6);
        found.len()
    }
    let mut number = 0;
    for name in STREAMS {
        number += check(name, "default", Adwin::<12, 5>::new());
        let often = Adwin::<12, 5>::new().delta(0.05).clock(1).min_window_length(10).grace_period(50);
        number += check(name, "every value", often);
        number += check(name, "three buckets", Adwin::<12, 3>::new());
    }
    println!("{number} alarms, all at the same values");
    assert!(number > 30);
}

#[test]
fn early_stopping_is_that_of_scikit_learn_s_network() {
    for (name, tolerance, patience) in [("a, 0.0001, 10", 1e-4, 10), ("b, 0.01, 3", 1e-2, 3), ("c, 0.001, 1", 1e-3, 1)]
    {
        let losses = floats(&format!("early_stop/{name}"));
        let mut stop = EarlyStop::new().tolerance(tolerance).patience(patience);
        let stopped = losses.iter().position(|loss| stop.update(*loss).unwrap());
        // Theirs stopped with the last.
        assert_eq!(stopped, Some(losses.len() - 1), "{name}");
        println!("{name}: stopped after {} epochs", losses.len());
    }
}

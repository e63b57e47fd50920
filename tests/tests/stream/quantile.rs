//! Quantiles and the threshold made of them.

use backpass::stream::{Quantile, Threshold};

use crate::harness::{compare, floats, integers};

/// The heights are within 1e-5 of the spread of the values; the spread of these is up to 14.
#[test]
fn quantiles_are_river_s() {
    for (name, spread) in [("normal", 7.0), ("exponential", 1.0), ("sorted", 1.0), ("coarse", 14.0)] {
        let stream = floats(&format!("quantile/{name}"));
        for q in [0.05, 0.5, 0.9, 0.95, 0.99] {
            let mut quantile = Quantile::new(q);
            let mut ours = Vec::new();
            for x in &stream {
                quantile.update(*x).unwrap();
                ours.push(quantile.get().unwrap());
            }
            let name = format!("quantile/{name}/{q}");
            compare(&name, &ours, &floats(&name), 1e-5 * spread);
        }
    }
}

/// `QuantileFilter` learns from every score, after it has told whether that is an anomaly. It says yes at the quantile itself, where a
/// threshold says no.
#[test]
fn a_threshold_that_always_learns_finds_the_anomalies_of_river_s_filter() {
    let mut threshold = Threshold::new(0.95);
    let mut found = 0;
    let theirs = integers("quantile/anomalies");
    let scores = floats("quantile/exponential");
    for (i, (score, theirs)) in scores.iter().zip(&theirs).enumerate() {
        let at_the_quantile = threshold.get() == Some(*score);
        let anomaly = threshold.is_anomaly(*score).unwrap();
        assert!(anomaly == (*theirs == 1) || at_the_quantile, "{i}: {anomaly}, theirs {theirs}");
        found += usize::from(anomaly);
        threshold.learn(*score).unwrap();
    }
    println!("{found} of {} scores are anomalies", scores.len());
    // One in twenty, as asked for.
    assert!((80..=120).contains(&found));
}

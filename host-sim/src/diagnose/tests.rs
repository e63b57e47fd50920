//! Each check finds its own illness, and nothing in healthy data.

use backpass::Rng;

use super::*;
use crate::data::Row;

/// Two-dimensional clouds, one a class, in four columns around -0.8 to 0.8.
fn clouds(classes: usize, each: usize) -> Table {
    let mut rng = Rng::new(5);
    let mut rows = Vec::new();
    for nth in 0..classes * each {
        let class = nth % classes;
        let angle = class as f32 / classes as f32 * std::f32::consts::TAU;
        let mut near = |centre: f32| centre + rng.symmetric(0.15) + rng.symmetric(0.15);
        let (x, y) = (0.8 * angle.cos(), 0.8 * angle.sin());
        rows.push(Row { line: nth + 1, features: vec![near(x), near(y), near(-x), near(-y)], class });
    }
    Table { rows }
}

fn diagnose(line: &str, table: &Table, plan: &Plan) -> Diagnosis {
    Diagnosis::new(&Network::from_line(line).unwrap(), table, plan, &mut |_, _, _| ()).unwrap()
}

const NETWORK: &str = "4 dense(16) relu dense(3)";

fn verdict(diagnosis: &Diagnosis, name: &str) -> Verdict {
    diagnosis.checks.iter().find(|check| check.name == name).expect(name).verdict
}

/// The names of what was found.
fn findings(diagnosis: &Diagnosis) -> Vec<&'static str> {
    diagnosis.checks.iter().filter(|check| check.verdict != Verdict::Ok).map(|check| check.name).collect()
}

#[test]
fn healthy_data_has_no_findings() {
    let diagnosis = diagnose(NETWORK, &clouds(3, 100), &Plan::default());
    assert!(findings(&diagnosis).is_empty(), "{:#?}", diagnosis.checks);
    assert!(diagnosis.checks.iter().all(|check| check.advice.is_none() && !check.finding.is_empty()));
}

#[test]
fn the_digits_are_healthy_at_the_default_rate() {
    let diagnosis = diagnose("64 dense(32) relu dense(10)", &Table::digits(), &Plan::default());
    assert!(findings(&diagnosis).is_empty(), "{:#?}", diagnosis.checks);
}

#[test]
fn inputs_that_are_too_large_small_or_far_from_zero_are_found() {
    for (factor, offset) in [(1000.0, 0.0), (1e-3, 0.0), (1.0, 50.0)] {
        let mut table = clouds(3, 100);
        table.rows.iter_mut().flat_map(|row| &mut row.features).for_each(|x| *x = factor * *x + offset);
        let diagnosis = diagnose(NETWORK, &table, &Plan::default());
        assert_ne!(verdict(&diagnosis, "input scale"), Verdict::Ok, "times {factor}, plus {offset}");
        assert_eq!(verdict(&diagnosis, "column ranges"), Verdict::Ok);
        assert_eq!(verdict(&diagnosis, "outliers"), Verdict::Ok);
        assert_eq!(verdict(&diagnosis, "label noise"), Verdict::Ok);
    }
}

#[test]
fn a_column_that_drowns_the_others_is_found() {
    let mut table = clouds(3, 100);
    table.rows.iter_mut().for_each(|row| row.features[2] *= 100.0);
    let diagnosis = diagnose(NETWORK, &table, &Plan::default());
    assert_ne!(verdict(&diagnosis, "column ranges"), Verdict::Ok);
}

#[test]
fn constant_columns_are_found() {
    let mut table = clouds(3, 100);
    table.rows.iter_mut().for_each(|row| row.features[1] = 0.5);
    let diagnosis = diagnose(NETWORK, &table, &Plan::default());
    assert_eq!(findings(&diagnosis), ["constant columns"], "{:#?}", diagnosis.checks);
    let check = diagnosis.checks.iter().find(|check| check.name == "constant columns").unwrap();
    assert_eq!(check.figures["columns"], serde_json::json!([2]));
}

#[test]
fn outliers_are_found_with_their_rows() {
    let mut table = clouds(3, 100);
    table.rows[41].features[0] = 12.0;
    table.rows[120].features[3] = -12.0;
    let diagnosis = diagnose(NETWORK, &table, &Plan::default());
    assert_eq!(findings(&diagnosis), ["outliers"], "{:#?}", diagnosis.checks);
    let check = diagnosis.checks.iter().find(|check| check.name == "outliers").unwrap();
    assert_eq!(check.figures["rows"], serde_json::json!([42, 121]));
}

#[test]
fn classes_that_are_rare_or_missing_are_found() {
    let mut table = clouds(3, 100);
    let mut kept = 0;
    table.rows.retain(|row| {
        kept += usize::from(row.class == 2);
        row.class != 2 || kept <= 8
    });
    let diagnosis = diagnose(NETWORK, &table, &Plan::default());
    assert_eq!(verdict(&diagnosis, "class balance"), Verdict::Warning);
    assert_eq!(findings(&diagnosis)[0], "class balance");
    let diagnosis = diagnose("4 dense(16) relu dense(4)", &clouds(3, 100), &Plan::default());
    assert_eq!(findings(&diagnosis), ["class balance"]);
}

#[test]
fn equal_samples_with_different_labels_are_found() {
    let mut table = clouds(3, 100);
    let features = table.rows[0].features.clone();
    table.rows[1].features = features;
    let diagnosis = diagnose(NETWORK, &table, &Plan::default());
    assert_eq!(findings(&diagnosis), ["contradictions"], "{:#?}", diagnosis.checks);
    let check = diagnosis.checks.iter().find(|check| check.name == "contradictions").unwrap();
    assert_eq!(check.figures["rows"], serde_json::json!([1, 2]));
}

#[test]
fn wrong_labels_are_found_and_named() {
    let mut table = clouds(3, 100);
    for at in [10, 50, 90, 130, 170, 210, 250, 290, 15, 55, 95, 135, 175, 215, 255] {
        table.rows[at].class = (table.rows[at].class + 1) % 3;
    }
    let diagnosis = diagnose(NETWORK, &table, &Plan::default());
    assert_eq!(findings(&diagnosis), ["label noise"], "{:#?}", diagnosis.checks);
    let check = diagnosis.checks.iter().find(|check| check.name == "label noise").unwrap();
    let rows: Vec<u64> = check.figures["rows"].as_array().unwrap().iter().map(|row| row.as_u64().unwrap()).collect();
    assert!(rows.contains(&11) && rows.contains(&291) && !rows.contains(&1), "{rows:?}");
}

#[test]
fn labels_that_do_not_belong_to_the_samples_are_a_problem() {
    let mut table = clouds(3, 100);
    let mut rng = Rng::new(8);
    table.rows.iter_mut().for_each(|row| row.class = rng.below(3) as usize);
    let diagnosis = diagnose(NETWORK, &table, &Plan::default());
    assert_eq!(verdict(&diagnosis, "label noise"), Verdict::Problem);
    assert_eq!(findings(&diagnosis)[0], "label noise", "the cause stands first");
}

#[test]
fn learning_rates_that_are_too_high_or_too_low_are_found_with_a_better_one() {
    let table = clouds(3, 100);
    for (rate, word) in [(1e-5, "too low"), (50.0, "too high")] {
        let diagnosis = diagnose(NETWORK, &table, &Plan { rate, ..Plan::default() });
        let check = diagnosis.checks.iter().find(|check| check.name == "learning rate").unwrap();
        assert_eq!(check.verdict, Verdict::Problem, "{rate}: {}", check.finding);
        assert!(check.finding.contains(word), "{rate}: {}", check.finding);
        let better = check.figures["best_rate"].as_f64().unwrap();
        let diagnosis = diagnose(NETWORK, &table, &Plan { rate: better, ..Plan::default() });
        assert_eq!(verdict(&diagnosis, "learning rate"), Verdict::Ok, "{better}");
    }
}

#[test]
fn dead_and_saturated_units_are_found() {
    // Behind a ReLU of what is never positive nothing comes.
    let mut table = clouds(3, 100);
    table.rows.iter_mut().flat_map(|row| &mut row.features).for_each(|x| *x -= 2.0);
    let diagnosis = diagnose("4 relu dense(16) relu dense(3)", &table, &Plan::default());
    assert_eq!(verdict(&diagnosis, "dead units"), Verdict::Problem);
    table.rows.iter_mut().flat_map(|row| &mut row.features).for_each(|x| *x = 500.0 * (*x + 2.0));
    for function in ["tanh", "sigmoid"] {
        let diagnosis = diagnose(&format!("4 dense(16) {function} dense(3)"), &table, &Plan::default());
        assert_eq!(verdict(&diagnosis, "dead units"), Verdict::Problem, "{function}");
    }
    let healthy = diagnose("4 dense(16) tanh dense(3)", &clouds(3, 100), &Plan::default());
    assert_eq!(verdict(&healthy, "dead units"), Verdict::Ok);
}

#[test]
fn an_activation_behind_the_last_layer_is_found() {
    for (function, expected) in [("softmax", Verdict::Warning), ("relu", Verdict::Problem), ("logsoftmax", Verdict::Ok)]
    {
        let diagnosis = diagnose(&format!("{NETWORK} {function}"), &clouds(3, 100), &Plan::default());
        assert_eq!(verdict(&diagnosis, "output layer"), expected, "{function}");
    }
}

#[test]
fn gradients_that_vanish_or_explode_are_found() {
    let deep = format!("4 {}dense(3)", "dense(16) sigmoid ".repeat(8));
    let diagnosis = diagnose(&deep, &clouds(3, 100), &Plan { updates: 100, ..Plan::default() });
    let check = diagnosis.checks.iter().find(|check| check.name == "gradients").unwrap();
    assert!(check.verdict != Verdict::Ok && check.finding.contains("vanish"), "{}", check.finding);
    // As deep, but past each layer there is a way.
    let residual = format!("4 dense(16) {}dense(3)", "residual(dense(16) sigmoid) ".repeat(7));
    let diagnosis = diagnose(&residual, &clouds(3, 100), &Plan { updates: 100, ..Plan::default() });
    let check = diagnosis.checks.iter().find(|check| check.name == "gradients").unwrap();
    assert!(!check.finding.contains("vanish") && check.finding.contains("layer 7.0"), "{}", check.finding);

    let mut table = clouds(3, 100);
    table.rows.iter_mut().flat_map(|row| &mut row.features).for_each(|x| *x *= 1e4);
    let diagnosis = diagnose(NETWORK, &table, &Plan::default());
    let check = diagnosis.checks.iter().find(|check| check.name == "gradients").unwrap();
    assert!(check.verdict != Verdict::Ok && check.finding.contains("explode"), "{}", check.finding);
}

#[test]
fn problems_stand_before_warnings_and_these_before_what_is_in_order() {
    let mut table = clouds(3, 100);
    table.rows.iter_mut().for_each(|row| row.features[1] = 0.5);
    let diagnosis = diagnose(NETWORK, &table, &Plan { rate: 1e-5, ..Plan::default() });
    assert!(diagnosis.checks.is_sorted_by_key(|check| std::cmp::Reverse(check.verdict)));
    assert_eq!(diagnosis.found(), findings(&diagnosis).len());
    assert!(diagnosis.checks.iter().all(|check| check.advice.is_some() == (check.verdict != Verdict::Ok)));
}

#[test]
fn what_does_not_fit_is_refused() {
    let of = |line: &str, table: &Table| {
        Diagnosis::new(&Network::from_line(line).unwrap(), table, &Plan::default(), &mut |_, _, _| ()).unwrap_err()
    };
    let table = clouds(3, 10);
    assert!(matches!(of("5 dense(3)", &table), DiagnoseError::Features { found: 4, expected: 5, .. }));
    assert!(matches!(of("4 dense(2)", &table), DiagnoseError::Classes { class: 2, needed: 3, .. }));
    assert!(matches!(of("1x4 conv1d(3,2)", &table), DiagnoseError::Classes { .. }));
    let mut same = table;
    same.rows.iter_mut().for_each(|row| row.class = 1);
    assert_eq!(of("4 dense(3)", &same), DiagnoseError::OneClass(1));
}

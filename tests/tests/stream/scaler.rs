//! Scalers, the running mean and windows.

use backpass::stream::{Mean, MinMaxScaler, Normalizer, StandardScaler, Window};

use crate::harness::{compare, floats, rows};

/// Learns each row, then scales it.
fn scaled(scaler: &mut impl Normalizer) -> Vec<[f32; 4]> {
    let mut rows: Vec<[f32; 4]> = rows("scaler/rows");
    for row in &mut rows {
        scaler.learn(row).unwrap();
        scaler.transform(row).unwrap();
    }
    rows
}

/// The first rows, scaled by what was learned from all.
fn fitted(scaler: &impl Normalizer) -> Vec<[f32; 4]> {
    let mut rows: Vec<[f32; 4]> = rows("scaler/rows");
    rows.truncate(20);
    rows.iter_mut().for_each(|row| scaler.transform(row).unwrap());
    rows
}

/// Outputs are about 1; a row's distance from the mean is rounded to 2^-24 of the value, which is up to 250 deviations here.
const TOLERANCE: f64 = 1e-5;

#[test]
fn the_standard_scaler_is_river_s_and_scikit_learn_s() {
    let mut scaler = StandardScaler::<4>::new();
    let ours = scaled(&mut scaler);
    compare("standard, river", ours.as_flattened(), &floats("scaler/standard"), TOLERANCE);
    for (i, variance) in floats("scaler/variance").iter().enumerate() {
        let deviation = f64::from(*variance).sqrt();
        let mean = floats("scaler/mean")[i];
        compare("mean", &scaler.mean()[i..=i], &[mean], 1e-6 * deviation + 1e-7 * f64::from(mean.abs()));
        compare("variance", &scaler.variance()[i..=i], &[*variance], 1e-6 * f64::from(*variance));
    }
    compare("fitted, scikit-learn", fitted(&scaler).as_flattened(), &floats("scaler/standard, fitted"), TOLERANCE);
}

#[test]
fn the_min_max_scaler_is_river_s_and_scikit_learn_s() {
    let mut scaler = MinMaxScaler::<4>::new();
    let ours = scaled(&mut scaler);
    compare("min-max, river", ours.as_flattened(), &floats("scaler/min_max"), TOLERANCE);
    compare("fitted, scikit-learn", fitted(&scaler).as_flattened(), &floats("scaler/min_max, fitted"), TOLERANCE);
}

#[test]
fn the_running_mean_is_river_s() {
    let mut mean = Mean::new();
    let mut ours = Vec::new();
    for [_, x, ..] in rows::<4>("scaler/rows") {
        mean.update(x).unwrap();
        ours.push(mean.get());
    }
    // The spread is 30; 500 itself is rounded to 3e-5.
    compare("mean, river", &ours, &floats("scaler/means of channel 1"), 4e-5);
}

fn check_windows<const HOP: usize>() {
    let mut window = Window::<7, 2, HOP>::new();
    let mut ours = Vec::new();
    for row in rows::<2>("window/rows") {
        if window.push(&row).unwrap() {
            let mut input = [0.0; 14];
            window.write(&mut input);
            ours.extend(input);
        }
    }
    assert_eq!(ours, floats(&format!("window/hop {HOP}")));
}

#[test]
fn windows_are_numpy_s() {
    check_windows::<1>();
    check_windows::<3>();
    check_windows::<7>();
    check_windows::<9>();
}

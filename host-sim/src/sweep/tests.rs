//! Whole sweeps, small ones.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// A few digits.
pub(super) fn data() -> Dataset<Input> {
    let mut data = Dataset::digits();
    data.training.truncate(100);
    data.test.truncate(40);
    data
}

/// A run with the given seed and loss.
pub(super) fn run(seed: u64, loss: Option<f32>) -> Run {
    Run {
        setting: Setting { optimizer: Rule::Adam, learning_rate: 0.003, width: Width::W16, batch: 8 },
        seed,
        learned: Learned::Part,
        validation: Some(Score { right: 3, of: 10 }),
        test: Score { right: 1, of: 3 },
        loss,
        parameters_crc32: u32::MAX,
        ram_bytes: 1000,
        refused: 0,
        microseconds_per_step: 1.5,
    }
}

fn grid() -> Grid {
    Grid {
        optimizers: vec![Rule::Sgd, Rule::Adam],
        learning_rates: vec![0.001, 0.01, 1e30],
        widths: vec![Width::W4, Width::W16],
        batches: vec![4],
        seeds: vec![1, 5],
        epochs: 3,
    }
}

/// What must be equal from call to call: all but times.
fn timeless(mut findings: Findings) -> Findings {
    for summary in findings.ranked.iter_mut().chain([&mut findings.best]) {
        summary.microseconds_per_step = 0.0;
    }
    findings
}

#[test]
fn the_number_of_jobs_changes_no_bit() {
    let one = timeless(grid().run(&data(), 1, None, &|_| {}).unwrap());
    let four = timeless(grid().run(&data(), 4, None, &|_| {}).unwrap());
    assert_eq!(one, four);
    assert_eq!(one.ranked.len(), 12);
    let accuracy = |summary: &Summary| summary.validation_accuracy.unwrap().mean;
    assert!(one.ranked.iter().is_sorted_by(|a, b| accuracy(a) >= accuracy(b)));
    assert_eq!(one.best.setting, one.ranked[0].setting);
    assert!(one.ranked.iter().any(|summary| summary.refused > 0), "a rate of 1e30 cannot go well");
}

#[test]
fn an_interruption_changes_no_bit_and_nothing_is_run_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (grid, data, path) = (grid(), data(), folder.path().join("state"));
    let open = || State::open(&path, &Header::new(&data, grid.epochs)).unwrap();
    let whole = grid.run(&data, 3, Some(open()), &|_| {}).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1 + grid.runs());
    // A second call finds everything.
    let counted = AtomicUsize::new(0);
    let count = |_: &Run| {
        counted.fetch_add(1, Ordering::Relaxed);
    };
    let again = grid.run(&data, 2, Some(open()), &count).unwrap();
    assert_eq!(timeless(again), timeless(whole.clone()));
    assert_eq!(counted.into_inner(), grid.runs());
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    for length in [10, bytes.len() / 3, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let resumed = grid.run(&data, 2, Some(open()), &|_| {}).unwrap();
        assert_eq!(timeless(resumed), timeless(whole.clone()), "{length}");
        assert_eq!(open().runs().len(), grid.runs());
    }
}

#[test]
fn the_choice_is_not_made_on_the_test() {
    let data = data();
    let mut wrong = data.clone();
    // A test half whose classes are nonsense changes its accuracies and nothing else.
    wrong.test.iter_mut().for_each(|(_, class)| *class = (*class + 1) % 10);
    let [right, wrong] = [&data, &wrong].map(|data| grid().run(data, 2, None, &|_| {}).unwrap());
    let ranking = |findings: &Findings| -> Vec<_> {
        findings.ranked.iter().map(|s| (s.setting, s.validation_accuracy, s.loss)).collect()
    };
    assert_eq!(ranking(&right), ranking(&wrong));
    assert_eq!(right.best.setting, wrong.best.setting);
    assert!(right.best.test_accuracy.mean > wrong.best.test_accuracy.mean + 0.3);
}

#[test]
fn what_the_best_setting_comes_to_is_what_training_gives() {
    let (data, grid) = (data(), grid());
    let findings = grid.run(&data, 2, None, &|_| {}).unwrap();
    let Setting { optimizer, learning_rate, width, batch } = findings.best.setting;
    let accuracies = grid.seeds.iter().map(|&seed| {
        let plan = Plan { epochs: grid.epochs, batch, seed };
        Descent::new(optimizer).unwrap().with_rate(learning_rate).train(width, plan, &data, &mut |_| {}).test_accuracy()
    });
    let mean = accuracies.map(f64::from).sum::<f64>() / 2.0;
    assert!((findings.best.test_accuracy.mean - mean).abs() < 1e-6);
}

#[test]
fn nothing_to_run_or_to_choose_by_is_an_error() {
    let empty = Grid { seeds: Vec::new(), ..grid() };
    assert!(matches!(empty.run(&data(), 1, None, &|_| {}), Err(SweepError::EmptyGrid)));
    let unbuilt = Grid { optimizers: vec![Rule::Sgd, Rule::Lars], ..grid() };
    assert!(matches!(unbuilt.run(&data(), 1, None, &|_| {}), Err(SweepError::Rule(_))));
    let mut few = data();
    few.training.truncate(4);
    assert!(matches!(grid().run(&few, 1, None, &|_| {}), Err(SweepError::TooFew(4))));
}

//! `sweep` on the command line, run as a user runs it.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

fn sim(folder: &Path, arguments: &[&str]) -> Output {
    Command::cargo_bin("backpass-sim").unwrap().current_dir(folder).args(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Standard output's lines as JSON.
fn objects(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", stderr(output));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The objects without times, which differ from call to call.
fn timeless(mut objects: Vec<Value>) -> Vec<Value> {
    fn strip(value: &mut Value) {
        if let Some(object) = value.as_object_mut() {
            object.remove("microseconds_per_step");
            object.values_mut().for_each(strip);
        }
    }
    objects.iter_mut().for_each(strip);
    objects
}

const SMALL: [&str; 12] = [
    "sweep",
    "--optimizers",
    "sgd,adam",
    "--learning-rates",
    "0.003,0.03",
    "--widths",
    "4,8",
    "--seeds",
    "1-2",
    "--epochs",
    "2",
    "--json",
];

fn small<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SMALL.iter().chain(more).copied().collect()
}

#[test]
fn a_sweep_that_was_cut_off_goes_on_and_gives_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.jsonl");
    let sweep = |more: &[&str]| objects(&sim(folder.path(), &small(more)));
    let whole = timeless(sweep(&["--no-report", "--jobs", "1"]));
    assert_eq!(whole.len(), 9, "eight settings and the best");
    let with_state = timeless(sweep(&["--no-report", "--jobs", "3", "--state", "state.jsonl"]));
    assert_eq!(with_state, whole);

    // As a kill leaves it: some whole lines, and a part of one.
    let bytes = std::fs::read(&state).unwrap();
    std::fs::write(&state, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(timeless(sweep(&["--no-report", "--state", "state.jsonl"])), whole);
    let lines = |path: &Path| std::fs::read_to_string(path).unwrap().lines().count();
    assert_eq!(lines(&state), 1 + 18);
    // Nothing is left to do: the file stays as it is, and the times are those of the first call.
    let bytes = std::fs::read(&state).unwrap();
    sweep(&["--no-report", "--state", "state.jsonl"]);
    assert_eq!(std::fs::read(&state).unwrap(), bytes);
    // More seeds run only what is new.
    sweep(&["--no-report", "--state", "state.jsonl", "--batch", "16"]);
    assert_eq!(lines(&state), 1 + 18 + 18);

    let other = sim(folder.path(), &["sweep", "--epochs", "3", "--state", "state.jsonl", "--no-report"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(stderr(&other).contains("2 epochs") && stderr(&other).contains("3 epochs"), "{}", stderr(&other));
}

#[test]
fn a_sweep_that_is_killed_keeps_what_was_finished() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.jsonl");
    let arguments = small(&["--no-report", "--state", "state.jsonl", "--seeds", "1-200"]);
    // The last --seeds would be the second one: clap refuses that.
    let arguments: Vec<_> =
        arguments.iter().enumerate().filter(|(i, _)| ![7, 8].contains(i)).map(|(_, a)| *a).collect();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_backpass-sim"))
        .current_dir(folder.path())
        .args(&arguments)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let lines = || std::fs::read(&state).map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count());
    while lines() < 4 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let sweep = |more: &[&str]| timeless(objects(&sim(folder.path(), &small(more))));
    assert_eq!(sweep(&["--no-report", "--state", "state.jsonl"]), sweep(&["--no-report"]));
}

#[test]
fn the_command_that_it_names_gives_the_accuracy_that_it_promises() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = sim(
        folder.path(),
        &[
            "sweep",
            "--learning-rates",
            "0.03",
            "--optimizers",
            "momentum",
            "--widths",
            "8,16",
            "--seeds",
            "7",
            "--epochs",
            "3",
            "--json",
        ],
    );
    let last = objects(&sweep).pop().unwrap();
    assert_eq!(last["best"]["seeds"], 1);
    let command = last["command"].as_str().unwrap().strip_prefix("backpass-sim ").unwrap();
    let arguments: Vec<_> = command.split(' ').chain(["--no-report", "--quiet", "--json"]).collect();
    let trained = objects(&sim(folder.path(), &arguments)).pop().unwrap();
    let (promised, got) = (&last["best"]["test_accuracy"]["mean"], &trained["test_accuracy"]);
    assert!((promised.as_f64().unwrap() - got.as_f64().unwrap()).abs() < 1e-6, "{promised} {got}");
    assert_eq!(last["best"]["ram_bytes"], trained["ram_bytes"]);
    let page = std::fs::read_to_string(folder.path().join("report/report.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("momentum"));
    assert!(std::fs::read(folder.path().join("report/sweep.png")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn people_get_a_table_a_sentence_and_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        sim(folder.path(), &["sweep", "--learning-rates", "0.01", "--widths", "8", "--seeds", "1", "--epochs", "1"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for words in ["validation accuracy", "Best: ", "Train it: backpass-sim train --optimizer", "sweep.png"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn the_search_suggests_a_rate_below_the_one_that_diverges() {
    let folder = tempfile::tempdir().unwrap();
    let found =
        objects(&sim(folder.path(), &["sweep", "--find-rate", "--optimizer", "sgd", "--width", "16", "--json"]));
    assert_eq!(found.len(), 1);
    let rate = |name: &str| found[0][name].as_f64().unwrap();
    assert!(rate("suggested_rate") < rate("lowest_loss_rate") && rate("lowest_loss_rate") < rate("diverges_at_rate"));
    assert!(found[0]["command"].as_str().unwrap().contains("--optimizer sgd"));
    assert_eq!(found[0]["points"].as_array().unwrap()[0].as_object().unwrap().len(), 3);
    assert!(folder.path().join("report/learning-rate.png").exists());
    // Where it cannot learn, it says so.
    let low = sim(
        folder.path(),
        &["sweep", "--find-rate", "--lowest-rate", "1e-12", "--highest-rate", "1e-9", "--no-report"],
    );
    assert!(String::from_utf8(low.stdout).unwrap().contains("No rate is suggested"));
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let refused: [(&[&str], &str); 9] = [
        (&["--widths", "8,33"], "4, 8, 16, 24, 32, 48, 64, 96, 128"),
        (&["--optimizers", "sgd,newton"], "rmsprop"),
        (&["--learning-rates", "0.1,-1"], "a number above 0"),
        (&["--seeds", "5-1"], "5-1"),
        (&["--data", "missing.csv"], "missing.csv"),
        (&["--find-rate", "--learning-rates", "0.1"], "--find-rate"),
        (&["--width", "8"], "--find-rate"),
        (&["--find-rate", "--lowest-rate", "1", "--highest-rate", "0.1"], "not below"),
        (&["--find-rate", "--seeds", "1-3"], "one seed"),
    ];
    for (arguments, reason) in refused {
        let output = sim(folder.path(), &[&["sweep"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(reason), "{arguments:?}: {}", stderr(&output));
    }
}

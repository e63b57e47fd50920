//! The command line, run as a user runs it.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use backpass_sim::board::{self, Machine};
use serde_json::Value;

fn sim(folder: &Path, arguments: &[&str]) -> Output {
    Command::cargo_bin("backpass-sim").unwrap().current_dir(folder).args(arguments).output().unwrap()
}

/// Standard output's last line as JSON.
fn json(output: &Output) -> Value {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn is_empty(folder: &Path) -> bool {
    folder.read_dir().unwrap().next().is_none()
}

/// Rows of 64 random-looking features and a label.
fn rows(count: usize) -> Vec<String> {
    (0..count)
        .map(|row| {
            let class = row % 10;
            let cells: Vec<_> = (0..64).map(|i| if i % 10 == class { 16 } else { (row + i) % 3 }.to_string()).collect();
            format!("{},{class}", cells.join(","))
        })
        .collect()
}

#[test]
fn without_arguments_it_trains_the_digits_well_and_writes_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let output = sim(folder.path(), &["--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let summary = json(&output);
    assert!(summary["test_accuracy"].as_f64().unwrap() >= 0.97, "{summary}");
    assert!(summary["test_loss"].as_f64().unwrap() < 0.15, "{summary}");
    assert_eq!(summary["epochs"], 30);
    assert_eq!(summary["ram_bytes"], 3 * 9640 + 424 + 28);
    let page = std::fs::read_to_string(folder.path().join("report/report.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("98.6"));
    let image = std::fs::read(folder.path().join("report/learning-curve.png")).unwrap();
    assert_eq!(&image[..8], b"\x89PNG\r\n\x1a\n");
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    let folder = tempfile::tempdir().unwrap();
    let crc = |seed: &str| {
        let output =
            sim(folder.path(), &["train", "--epochs", "1", "--seed", seed, "--no-report", "--quiet", "--json"]);
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1, "quiet: the object and nothing else");
        json(&output)["parameters_crc32"].as_str().unwrap().to_owned()
    };
    assert_eq!(crc("7"), crc("7"));
    assert_ne!(crc("7"), crc("8"));
    assert!(is_empty(folder.path()), "no report was asked for");
}

#[test]
fn every_optimizer_learns() {
    let folder = tempfile::tempdir().unwrap();
    for optimizer in ["sgd", "momentum", "nesterov", "adam"] {
        let output = sim(
            folder.path(),
            &["train", "--optimizer", optimizer, "--weight-decay", "0.001", "--epochs", "6", "--no-report", "--json"],
        );
        let accuracy = json(&output)["test_accuracy"].as_f64().unwrap();
        assert!(accuracy > 0.93, "{optimizer}: {accuracy}");
    }
}

#[test]
fn learns_a_file_of_the_users_own() {
    let folder = tempfile::tempdir().unwrap();
    let header: Vec<_> = (0..64).map(|i| format!("pixel{i}")).collect();
    let text = format!("{},digit\n{}\n", header.join(","), rows(100).join("\n"));
    std::fs::write(folder.path().join("mine.csv"), text).unwrap();
    let output = sim(folder.path(), &["train", "--data", "mine.csv", "--report", "out/deep", "--json", "--quiet"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(json(&output)["test_accuracy"], 1.0);
    assert!(folder.path().join("out/deep/report.html").is_file());
}

#[test]
fn bad_data_is_named_with_row_and_column_and_nothing_is_written() {
    let good = rows(12);
    let with = |row: usize, line: String| {
        let mut lines = good.clone();
        lines[row - 1] = line;
        lines.join("\n")
    };
    let replaced = |row: usize, column: usize, cell: &str| {
        let mut cells: Vec<_> = good[row - 1].split(',').collect();
        cells[column - 1] = cell;
        with(row, cells.join(","))
    };
    let cases = [
        (with(4, "1,2,3".to_owned()), vec!["row 4", "found 3", "65"]),
        (with(12, format!("{},5", good[11])), vec!["row 12", "found 66"]),
        (replaced(7, 5, "abc"), vec!["row 7", "column 5", "\"abc\""]),
        (replaced(7, 64, ""), vec!["row 7", "column 64", "missing"]),
        (replaced(2, 1, "NaN"), vec!["row 2", "column 1", "finite"]),
        (replaced(3, 65, "10"), vec!["row 3", "column 65", "out of range"]),
        (replaced(1, 65, "-1"), vec!["row 1", "column 65", "out of range"]),
        (replaced(9, 65, "two"), vec!["row 9", "column 65", "integer"]),
        (String::new(), vec!["no samples"]),
        (good[0].clone(), vec!["too few"]),
    ];
    for (text, words) in cases {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bad.csv");
        std::fs::write(&file, text).unwrap();
        let output = sim(folder.path(), &["train", "--data", "bad.csv", "--json"]);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let message = stderr(&output);
        assert!(words.iter().all(|word| message.contains(word)), "{message} should say {words:?}");
        assert!(message.contains("bad.csv") && output.stdout.is_empty());
        std::fs::remove_file(file).unwrap();
        assert!(is_empty(folder.path()), "{words:?}: something was written");
    }
}

#[test]
fn bad_options_end_with_2_and_say_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a-file"), "").unwrap();
    let cases: [(&[&str], &str); 14] = [
        (&["train", "--data", "nowhere.csv"], "nowhere.csv"),
        (&["train", "--epochs", "0"], "--epochs"),
        (&["train", "--batch", "0"], "--batch"),
        (&["train", "--learning-rate", "-1"], "above 0"),
        (&["train", "--learning-rate", "nan"], "above 0"),
        (&["train", "--momentum", "1"], "below 1"),
        (&["train", "--optimizer", "adam", "--momentum", "0.5"], "--momentum"),
        (&["train", "--optimizer", "magic"], "momentum"),
        (&["train", "--report", "a-file"], "a-file"),
        (&["seeds", "--from", "3", "--to", "2"], "--from"),
        (&["bench", "W9"], "`W9`"),
        (&["bench", "--core", "m1"], "m33"),
        (&["bench", "--compare", "nowhere.json"], "nowhere.json"),
        (&["bench", "--compare", "a-file", "--json"], "--json"),
    ];
    for (arguments, word) in cases {
        let output = sim(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(word), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 1);
}

#[test]
fn help_explains_every_option() {
    let folder = tempfile::tempdir().unwrap();
    let help = String::from_utf8(sim(folder.path(), &["train", "--help"]).stdout).unwrap();
    for option in [
        "--seed",
        "--epochs",
        "--batch",
        "--optimizer",
        "--learning-rate",
        "--momentum",
        "--weight-decay",
        "--data",
        "--report",
        "--quiet",
        "--json",
    ] {
        assert!(help.contains(option), "{option}");
    }
}

#[test]
fn ten_seeds_have_a_mean_of_at_least_96_5_percent() {
    let folder = tempfile::tempdir().unwrap();
    let summary = json(&sim(folder.path(), &["seeds", "--json", "--quiet"]));
    assert_eq!(summary["seeds"], 10);
    assert!(summary["mean_test_accuracy"].as_f64().unwrap() >= 0.965, "{summary}");
}

#[test]
fn a_board_without_qemu_or_firmware_gets_one_line_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let output = sim(folder.path(), &["board", "--firmware", "no-such-folder", "--quiet"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));

    let mut command = Command::cargo_bin("backpass-sim").unwrap();
    // An empty search path: neither rustc nor QEMU is found.
    let output = command.current_dir(folder.path()).env("PATH", "").args(["board", "--quiet"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
}

#[test]
fn a_bench_of_this_computer_gives_rows_that_a_later_one_is_compared_with() {
    let folder = tempfile::tempdir().unwrap();
    let output = sim(folder.path(), &["bench", "W1", "tanh", "--core", "host", "--time", "5", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!((&rows[0]["workload"], &rows[2]["workload"]), (&"W1".into(), &"tanh 1024".into()));
    assert_eq!((&rows[1]["workload"], &rows[1]["memory"]), (&"W1".into(), &"in-place".into()));
    assert_eq!((&rows[0]["memory"], &rows[0]["core"]), (&"gradients".into(), &"host".into()));
    assert_eq!(rows[0]["ram_bytes"], 19_728);
    assert!(rows[0]["instructions"].is_null() && rows[0]["cycles"].is_null() && rows[0]["text_bytes"].is_null());
    assert!(rows[0]["microseconds"].as_f64().unwrap() > 0.0);

    std::fs::write(folder.path().join("before.json"), text).unwrap();
    let arguments = ["bench", "W1", "--core", "host", "--time", "5", "--compare", "before.json"];
    let output = sim(folder.path(), &arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("KANN") && table.contains("1.000"), "RAM is the same: {table}");
}

#[test]
fn without_qemu_a_bench_still_times_this_computer_unless_a_core_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let bench = |arguments: &[&str]| {
        let mut command = Command::cargo_bin("backpass-sim").unwrap();
        command.current_dir(folder.path()).env("PATH", "").arg("bench").args(arguments).output().unwrap()
    };
    let output = bench(&["W1", "--time", "5", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("qemu-system-arm"));
    assert_eq!(json(&output)["core"], "host");

    let output = bench(&["W1", "--core", "m4f"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("qemu-system-arm") && output.stdout.is_empty());
}

#[test]
fn reliability_prints_an_object_a_check_or_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let output = sim(folder.path(), &["reliability", "readers", "--quick", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let row = json(&output);
    assert_eq!((&row["check"], &row["failed"]), (&"readers".into(), &0.into()));
    assert!(row["tried"].as_u64().unwrap() > 1000, "{row}");

    let table = String::from_utf8(sim(folder.path(), &["reliability", "readers", "--quick"]).stdout).unwrap();
    assert!(table.contains("tried") && table.lines().any(|line| line.starts_with("readers ")), "{table}");

    let output = sim(folder.path(), &["reliability", "luck"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("luck") && stderr(&output).contains("readers"), "{}", stderr(&output));
}

/// Whether there is no emulated board to be had; with `BACKPASS_REQUIRE_QEMU=1` one is asked for all the same.
fn is_without(machine: Machine) -> bool {
    let obstacle = board::check(machine).err().filter(|_| std::env::var("BACKPASS_REQUIRE_QEMU").as_deref() != Ok("1"));
    if let Some(reason) = &obstacle {
        eprintln!("skipped: {reason}");
    }
    obstacle.is_some()
}

/// Two recordings to learn and two to recognise of each of two classes, fast and slow.
fn gestures() -> String {
    let mut text = "ax,ay,az,label,part\n".to_owned();
    for part in ["train", "test", "train", "test"] {
        for (label, step) in [("fast", 2.0), ("slow", 0.3)] {
            for row in 0..60 {
                let swing = (f64::from(row) * step).sin();
                text += &format!("{swing:.3},{:.3},9.81,{label},{part}\n", 0.5 * swing);
            }
        }
    }
    text
}

#[test]
fn gestures_have_the_same_bits_on_an_emulated_board() {
    if is_without(Machine::Mps2An386) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.csv"), gestures()).unwrap();
    let run = |arguments: &[&str]| {
        let always = ["gesture", "--data", "mine.csv", "--rate", "25", "--no-report", "--json"];
        sim(folder.path(), &[&always, arguments].concat())
    };
    let (alone, beside) = (run(&["--seed", "3"]), run(&["--seed", "3", "--machine", "mps2-an386"]));
    assert!(alone.status.success() && beside.status.success(), "{}", stderr(&beside));
    let (alone, summary) = (json(&alone), json(&beside));
    assert_eq!((&summary["machine"], &summary["identical"]), (&"mps2-an386".into(), &true.into()), "{summary}");
    assert_eq!((&alone["machine"], &alone["identical"]), (&"twin".into(), &Value::Null), "{alone}");
    assert_eq!(summary["parameters_crc32"], alone["parameters_crc32"]);
    assert!(summary["windows_learned"].as_u64().unwrap() > 5, "{summary}");
    let text = String::from_utf8_lossy(&beside.stdout).into_owned();
    assert!(text.contains("identical: ") && text.contains("Cortex-M4F"), "{text}");
}

#[test]
fn anomalies_have_the_same_bits_on_an_emulated_board() {
    if is_without(Machine::Mps2An386) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut text = "ax,ay,az,gx,gy,gz,label\n".to_owned();
    for row in 0..1200 {
        let (label, step) = if (900..1000).contains(&row) { (1, 1.9) } else { (0, 0.4) };
        let swing = (f64::from(row) * step).sin();
        text += &format!("{swing:.3},{:.3},9.81,{:.3},0,0.1,{label}\n", 0.5 * swing, 0.2 * swing);
    }
    std::fs::write(folder.path().join("machine.csv"), text).unwrap();
    let always = ["anomaly", "--data", "machine.csv", "--rate", "50", "--learn", "10", "--no-report", "--json"];
    let output = sim(folder.path(), &[&always[..], &["--machine", "mps2-an386"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let summary = json(&output);
    assert_eq!((&summary["machine"], &summary["identical"]), (&"mps2-an386".into(), &true.into()), "{summary}");
    assert!(summary["windows_anomaly"].as_u64().unwrap() > 0, "{summary}");
}

#[test]
fn a_machine_that_cannot_be_had_is_refused_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    for application in ["gesture", "anomaly"] {
        let refused = |path: Option<&str>, machine: &str, word: &str| {
            let mut command = Command::cargo_bin("backpass-sim").unwrap();
            if let Some(path) = path {
                command.env("PATH", path);
            }
            let output = command.current_dir(folder.path()).args([application, "--machine", machine]).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{application}");
            assert!(output.stdout.is_empty() && is_empty(folder.path()), "{application}");
            let said = stderr(&output);
            assert!(said.lines().count() == 1 && said.contains(word), "{said}");
        };
        refused(Some(""), "mps2-an386", "qemu-system-arm");
        refused(None, "microbit", "16 KB");
    }
}

#[cfg(unix)]
mod port {
    //! A board on a serial port: the application at the other end of a pseudo-terminal.

    use std::io::{Read, Write};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use backpass::checkpoint::Store;
    use backpass::{Adam, CrossEntropy, Learner};
    use backpass_app::ram_flash::RamFlash;
    use backpass_app::stream::{Example, FLASH, Frames, LEARNING_RATE, Network, Ram, SEED};
    use serialport::{SerialPort, TTYPort};

    use super::*;

    /// Answers on `line` until it is told to stop.
    fn board(mut line: TTYPort, learning_rate: f32, stop: &AtomicBool) {
        let (mut ram, mut frames, mut flash) =
            (Box::new(Ram::new()), Box::new(Frames::new()), vec![0xff; FLASH as usize]);
        let learner = Learner::new(&mut ram, Network::default(), CrossEntropy, Adam::new(learning_rate));
        let mut server: Example<'_> = Example::new(learner, &mut frames, SEED);
        let mut store = Store::new(RamFlash::new(&mut flash), 0..FLASH).unwrap();
        server.start(&mut store, &mut |_| {});
        line.set_timeout(Duration::from_millis(50)).unwrap();
        let mut buffer = [0; 64];
        while !stop.load(Ordering::Relaxed) {
            // Silence is an error here.
            let count = line.read(&mut buffer).unwrap_or(0);
            for byte in &buffer[..count] {
                if let Some((_, answer)) = server.take(*byte, &mut store) {
                    line.write_all(answer).unwrap();
                }
            }
        }
    }

    /// Runs `stream` with a board of this learning rate on its port.
    fn stream(learning_rate: f32, arguments: &[&str]) -> Output {
        let (line, host) = TTYPort::pair().unwrap();
        let name = host.name().unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| board(line, learning_rate, &stop));
            let all = [&["stream", "--port", &name, "--passes", "1", "--no-report"], arguments].concat();
            let output = sim(Path::new("."), &all);
            stop.store(true, Ordering::Relaxed);
            drop(host);
            output
        })
    }

    #[test]
    fn a_board_on_a_port_learns_the_bits_of_the_twin_although_the_line_is_bad() {
        let output = stream(LEARNING_RATE, &["--lose", "0.01", "--damage", "0.01", "--json"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let (summary, text) = (json(&output), String::from_utf8_lossy(&output.stdout).into_owned());
        assert_eq!((&summary["identical"], &summary["machine"]), (&true.into(), &Value::Null), "{summary}");
        assert!(summary["port"].is_string() && summary["repeated"].as_u64().unwrap() > 0, "{summary}");
        assert!(text.contains("identical: ") && text.contains("115200 baud"), "{text}");
    }

    #[test]
    fn a_board_that_learns_otherwise_is_told_from_the_twin() {
        let output = stream(1.01 * LEARNING_RATE, &["--json"]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert_eq!(json(&output)["identical"], false);
        assert!(String::from_utf8_lossy(&output.stdout).contains("NOT identical"));
    }

    #[test]
    fn a_port_without_a_board_and_a_name_without_a_port_are_told_of() {
        let (_line, host) = TTYPort::pair().unwrap();
        for (name, words) in [(host.name().unwrap().as_str(), "did not answer"), ("no-such-port", "cannot open")] {
            let output = sim(Path::new("."), &["stream", "--port", name, "--no-report", "--quiet"]);
            assert_eq!(output.status.code(), Some(2));
            assert!(output.stdout.is_empty() && stderr(&output).contains(words), "{}", stderr(&output));
            assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
        }
    }
}

#[test]
fn explain_writes_a_step_as_text_page_and_json() {
    let folder = tempfile::tempdir().unwrap();
    let output = sim(folder.path(), &["explain", "-o", "step.html"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["tanh", "dL/dw", "dL/dx", "dy/dx", "difference", "loss after"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    let page = std::fs::read_to_string(folder.path().join("step.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("prefers-color-scheme: dark") && page.ends_with("</html>\n"));

    let line = "3 dense(4) relu dense(2)";
    let arguments = ["explain", "--network", line, "--input", "-1,0.5,2", "--target", "1", "--seed", "3", "--json"];
    let step = json(&sim(folder.path(), &arguments));
    assert_eq!((&step["network"], &step["setup"]["target"]), (&line.into(), &1.into()));
    assert!(step["loss_after"].as_f64().unwrap() < step["loss"].as_f64().unwrap());
    assert!(step["largest_error"].as_f64().unwrap() < 1e-6);
    assert_eq!(step["gradients"], step["checked"]);
    assert_eq!(step["stages"][0]["parameters"][0]["gradient"].as_array().unwrap().len(), 12);

    let step = json(&sim(folder.path(), &[&arguments[..], &["--optimizer", "adam"]].concat()));
    assert_eq!(step["setup"]["optimizer"], "adam");
    let update = step["stages"][0]["parameters"][0]["update"].as_array().unwrap();
    assert_eq!(
        update.iter().map(|of| of["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["m", "v", "m_hat", "v_hat", "step"]
    );
    assert!(update.iter().all(|of| of["values"].as_array().unwrap().len() == 12));
    let output = sim(folder.path(), &["explain", "--optimizer", "amsgrad"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["v_max <- max(v_max, v)", "m_hat = ", "1 - 0.999^1", "w = "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
}

#[test]
fn explain_names_what_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 10] = [
        (&["--input", "1,2,3"], "3 numbers"),
        (&["--input", "1,x"], "\"x\""),
        (&["--input", "1,nan"], "finite"),
        (&["--input", "1,1e999"], "finite"),
        (&["--network", "2 dense(3)", "--target", "3"], "class 3 is out of range"),
        (&["--network", "2 dense(3)", "--target", "-1"], "--target"),
        (&["--network", "2 dense(3)", "--target", "1,2"], "2 numbers"),
        (&["--network", "2 dens(3)"], "dens(3)"),
        (&["--learning-rate", "0"], "above 0"),
        (&["-o", "no/such/folder.html"], "folder.html"),
    ];
    for (arguments, word) in cases {
        let output = sim(folder.path(), &[&["explain"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(word), "{arguments:?}: {}", stderr(&output));
    }
    assert!(is_empty(folder.path()));
}

#[test]
fn diagnose_ends_with_0_if_all_is_well_1_if_not_and_2_for_errors() {
    let folder = tempfile::tempdir().unwrap();
    let output = sim(folder.path(), &["diagnose"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));

    // Columns of quite different sizes.
    let row = |i: usize| format!("{},{},{}\n", (i % 10) as f64 / 10.0, (i * 7 % 100) * 1000, usize::from(i % 10 > 4));
    std::fs::write(folder.path().join("mine.csv"), (0..200).map(row).collect::<String>()).unwrap();
    let output = sim(folder.path(), &["diagnose", "mine.csv", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let diagnosis = json(&output);
    assert_eq!((&diagnosis["samples"], &diagnosis["network"]), (&200.into(), &"2 dense(32) relu dense(2)".into()));
    let checks = diagnosis["checks"].as_array().unwrap();
    let ranges = checks.iter().find(|check| check["name"] == "column ranges").unwrap();
    assert!(ranges["verdict"] != "ok" && ranges["advice"].is_string() && ranges["figures"]["ratio"].is_number());

    std::fs::write(folder.path().join("bad.csv"), "1,2,0\n1,x,1\n").unwrap();
    let cases: [(&[&str], &str); 4] = [
        (&["nowhere.csv"], "nowhere.csv"),
        (&["bad.csv"], "row 2, column 2"),
        (&["mine.csv", "--network", "3 dense(2)"], "2 features"),
        (&["mine.csv", "--learning-rate", "-1"], "above 0"),
    ];
    for (arguments, word) in cases {
        let output = sim(folder.path(), &[&["diagnose"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(word), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn budgets_are_those_of_the_types_and_say_what_fits() {
    use backpass::{Adam, Dense, Memory, Relu};
    let folder = tempfile::tempdir().unwrap();
    let network = ["budget", "--network", "64 dense(32) relu dense(10)", "--optimizer", "adam"];
    let with = |more: &[&str]| sim(folder.path(), &[&network, more].concat());
    let output = with(&["--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let value = json(&output);
    let ram = size_of::<Memory<(Dense<32>, Relu, Dense<10>), [f32; 64], Adam>>();
    assert_eq!(value["ram"]["training_bytes"], ram);
    assert_eq!(value["layers"].as_array().unwrap().len(), 3);
    assert!(value["savings"].as_array().unwrap().iter().any(|saving| saving["option"] == "--in-place"));
    assert_eq!(value["boards"].as_array().unwrap().len(), 20);
    let text = String::from_utf8(with(&[]).stdout).unwrap();
    assert!(text.contains("39,016") && text.contains("microbit-v2") && text.contains("--train-last 1"), "{text}");

    assert_eq!(with(&["--board", "microbit-v2"]).status.code(), Some(0));
    let output = with(&["--board", "microbit-v1", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        (&json(&output)["board"]["fits"], &json(&output)["board"]["board"]),
        (&false.into(), &"microbit-v1".into())
    );
    for wrong in [&["--board", "uno"][..], &["--train-last", "9"], &["--in-place"]] {
        let output = with(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(!stderr(&output).is_empty());
    }
    assert_eq!(sim(folder.path(), &["budget"]).status.code(), Some(2));
    assert_eq!(sim(folder.path(), &["budget", "--network", "64 dense"]).status.code(), Some(2));
    for application in ["digits", "gesture", "anomaly"] {
        assert!(sim(folder.path(), &["budget", "--application", application]).status.success());
    }
    assert!(is_empty(folder.path()));
}

#[test]
fn a_project_is_written_from_a_line_or_a_trained_model() {
    use backpass_sim::formats::{Model, onnx};
    use backpass_sim::network::Network;
    let folder = tempfile::tempdir().unwrap();
    let new = |arguments: &[&str]| sim(folder.path(), &[&["new"], arguments].concat());
    let line = ["--network", "3x20 conv1d(8,5) relu dense(4)"];
    let output = new(&[&["hello", "--board", "pico2", "--json"], &line[..]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(json(&output)["target"], "thumbv8m.main-none-eabihf");
    let read = |path: &str| std::fs::read_to_string(folder.path().join(path)).unwrap();
    assert!(read("hello/src/network.rs").contains("(Conv1d<Signal<16, 8>, 5>, Relu, Flatten<128>, Dense<4>)"));
    assert!(read("hello/.cargo/config.toml").contains("probe-rs run --chip RP235x"));
    // Not twice, unless forced.
    let again = [&["hello", "--board", "qemu"], &line[..]].concat();
    assert_eq!(new(&again).status.code(), Some(2));
    assert!(new(&[&again[..], &["--force"]].concat()).status.success());
    let large = new(&["large", "--board", "microbit-v2", "--network", "640 dense(64) relu dense(10)"]);
    assert_eq!(large.status.code(), Some(2));
    assert!(stderr(&large).contains("--train-last 1") && !folder.path().join("large").exists(), "{}", stderr(&large));

    let network = Network::from_line("2 dense(3) relu dense(2)").unwrap();
    let flat: Vec<f32> = (0..17_u8).map(|i| 0.25 * f32::from(i) - 1.0).collect();
    let model = Model::from_flat(network, &flat).unwrap();
    std::fs::write(folder.path().join("model.onnx"), onnx::write(&model).0).unwrap();
    let output = new(&["mine", "--board", "qemu", "--onnx", "model.onnx", "--train-last", "1"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(read("mine/src/weights.rs").contains("[-1.0, -0.75, -0.5]"), "{}", read("mine/src/weights.rs"));
    assert!(read("mine/src/trained.rs").contains("[1.25, 1.5]"), "{}", read("mine/src/trained.rs"));
    let missing = new(&["other", "--board", "qemu", "--onnx", "none.onnx"]);
    assert!(missing.status.code() == Some(2) && stderr(&missing).contains("none.onnx"));
}

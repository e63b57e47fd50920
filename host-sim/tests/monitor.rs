//! `monitor` on the command line, run as a user runs it.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::thread;
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;

fn sim(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("backpass-sim").unwrap();
    command.current_dir(folder).arg("monitor").args(arguments).timeout(Duration::from_secs(60)).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Standard output's last line as JSON.
fn json(output: &Output) -> Value {
    serde_json::from_str(stdout(output).lines().last().unwrap()).unwrap()
}

/// What a board says that learns three classes.
fn said() -> String {
    let begin = "RAM { parameters: 100, gradients: 100, activations: 30 }\r\n";
    let lesson =
        |index: u32| format!("class {} taken for {}, loss {}\r\n", index % 3, index % 2, 1.0 / f64::from(index + 1));
    let end = "WARN refused: NaN at 3\r\nsaved 4096 bytes\r\n";
    [begin.to_owned(), (0..60).map(lesson).collect(), end.to_owned()].concat()
}

fn check(summary: &Value) {
    assert_eq!(summary["messages"], 63, "{summary}");
    assert_eq!(summary["classes"], serde_json::json!(["0", "1", "2"]), "{summary}");
    assert_eq!(summary["confusion"], serde_json::json!([[10, 10, 0], [10, 10, 0], [10, 10, 0]]), "{summary}");
    assert!((summary["loss"].as_f64().unwrap() - 1.0 / 60.0).abs() < 1e-9, "{summary}");
    assert_eq!((&summary["refused"], &summary["warnings"]), (&1.into(), &1.into()), "{summary}");
    assert_eq!(
        (&summary["memory"]["activations"], &summary["checkpoint_bytes"]),
        (&30.into(), &4096.into()),
        "{summary}"
    );
}

/// Serves a board's words on a socket, in pieces, until all are said.
fn serve(words: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for part in words.as_bytes().chunks(100) {
            stream.write_all(part).unwrap();
            thread::sleep(Duration::from_millis(2));
        }
    });
    address
}

#[test]
fn a_socket_is_watched_and_recorded_and_the_recording_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--tcp", &serve(said()), "--record", "run.jsonl", "--json"];
    let watched = json(&sim(folder.path(), &arguments));
    check(&watched);
    let mut replayed = json(&sim(folder.path(), &["--replay", "run.jsonl", "--json"]));
    assert!(replayed["source"].as_str().unwrap().contains(watched["source"].as_str().unwrap()));
    for what in ["source", "seconds"] {
        replayed[what] = watched[what].clone();
    }
    assert_eq!(replayed, watched);
}

#[test]
fn lines_and_a_summary_are_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let text = stdout(&sim(folder.path(), &["--tcp", &serve(said())]));
    for part in
        ["class 0 taken for 0, loss 1", "warn   refused: NaN at 3", "33.3 %", "4,096 bytes", "230 bytes to learn in"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(stdout(&sim(folder.path(), &["--tcp", &serve(said()), "--quiet"])), "");
}

#[cfg(unix)]
#[test]
fn a_serial_port_is_watched_for_some_time() {
    use serialport::{SerialPort, TTYPort};
    let folder = tempfile::tempdir().unwrap();
    let (mut board, host) = TTYPort::pair().unwrap();
    let name = host.name().unwrap();
    let writer = thread::spawn(move || {
        // What is said before the port is opened is thrown away.
        thread::sleep(Duration::from_millis(700));
        board.write_all(said().as_bytes()).unwrap();
        board
    });
    check(&json(&sim(folder.path(), &["--port", &name, "--seconds", "3", "--json"])));
    drop((writer.join().unwrap(), host));
}

#[test]
fn what_makes_no_sense_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text"), "no recording").unwrap();
    for (arguments, words) in [
        (&[][..], &["--port", "--replay"][..]),
        (&["--port", "/dev/no-such-port"], &["/dev/no-such-port"]),
        (&["--port", "x", "--tcp", "y:1"], &["cannot be used with"]),
        (&["--tcp", "nowhere"], &["nowhere", "HOST:PORT"]),
        (&["--tcp", "127.0.0.1:1"], &["127.0.0.1:1"]),
        (&["--replay", "none"], &["none"]),
        (&["--replay", "text"], &["text", "no recording"]),
        (&["--replay", "text", "--record", "x"], &["cannot be used with"]),
        (&["--chip", "nRF52833_xxAA"], &["--elf"]),
        (&["--tcp", "127.0.0.1:1", "--elf", "text"], &["text", "not an ELF image"]),
        (&["--speed", "0", "--replay", "text"], &["above 0"]),
    ] {
        let output = sim(folder.path(), arguments);
        let error = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(words.iter().all(|word| error.contains(word)), "{arguments:?}: {error}");
    }
}

/// In a build with probes there is none of this name, and one without says how to get them.
#[test]
fn without_a_probe_one_line_says_what_to_try() {
    let folder = tempfile::tempdir().unwrap();
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rtt.elf");
    let arguments = ["--chip", "nRF52833_xxAA", "--probe", "dead:beef", "--elf", image.to_str().unwrap()];
    let output = sim(folder.path(), &arguments);
    let error = stderr(&output);
    assert_eq!((output.status.code(), error.trim().lines().count()), (Some(2), 1), "{error}");
    let expected = if cfg!(feature = "probe") { "dead:beef" } else { "--features probe" };
    assert!(error.contains(expected) && error.contains("--port"), "{error}");
}

//! `import` and `export`, run as a user runs them.

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

/// Models that `tests/reference/formats.py` has recorded.
fn model(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/formats").join(name);
    path.to_str().unwrap().to_string()
}

fn sim(folder: &Path, arguments: &[&str]) -> Output {
    Command::cargo_bin("backpass-sim").unwrap().current_dir(folder).args(arguments).output().unwrap()
}

#[track_caller]
fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = sim(folder, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The message of a command that must fail with exit code 2.
#[track_caller]
fn fails(folder: &Path, arguments: &[&str]) -> String {
    let output = sim(folder, arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(!message.contains("panicked"), "{message}");
    message
}

const SIGNAL: &str = "3x20 conv1d(4,5) relu maxpool(2) flatten dense(6) tanh dense(4)";

#[test]
fn a_model_goes_through_every_form_and_keeps_its_bits() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let onnx = model("signal.onnx");
    succeeds(folder, &["import", &onnx, "--to", "raw", "-o", "first.bin", "--quiet"]);
    let first = std::fs::read(folder.join("first.bin")).unwrap();
    for (to, file) in [("checkpoint", "c.bin"), ("checkpoint", "c.hex"), ("raw", "r.hex")] {
        succeeds(
            folder,
            &["import", &onnx, "--to", to, "-o", file, "--address", "0x807ff00", "--optimizer", "adam"]
                [..if to == "raw" { 8 } else { 10 }],
        );
        for (form, back) in [("onnx", "back.onnx"), ("safetensors", "back.safetensors")] {
            succeeds(folder, &["export", file, "--network", SIGNAL, "--to", form, "-o", back, "--quiet"]);
            // A file that was exported says which network it is of.
            succeeds(folder, &["import", back, "--to", "raw", "-o", "again.bin", "--quiet"]);
            assert_eq!(std::fs::read(folder.join("again.bin")).unwrap(), first, "{file} {form}");
        }
    }
}

#[test]
fn the_table_and_the_object_say_what_became_of_what() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text = succeeds(folder, &["import", &model("gru.onnx"), "--to", "rust", "-o", "gru.rs"]);
    for words in ["3x7 gru(5) dense(2)", "0.weight_ih", "[3, 3, 5]", "[1, 15, 3]", "wrote gru.rs"] {
        assert!(text.contains(words), "{words} in {text}");
    }
    let arguments = ["import", &model("gru.onnx"), "--to", "checkpoint", "-o", "gru.bin", "--json"];
    let object: Value = serde_json::from_str(&succeeds(folder, &arguments)).unwrap();
    assert_eq!(object["parameters"], 152);
    assert_eq!(object["tensors"][0]["parameter"], "0.weight_ih");
    let arguments =
        ["export", "gru.bin", "--network", "3x7 gru(5) dense(2)", "--to", "safetensors", "-o", "g.safetensors"];
    let text = succeeds(folder, &[&arguments[..], &["--module", "g.py"]].concat());
    assert!(text.contains("weight_hh_l0"), "{text}");
    assert!(std::fs::read_to_string(folder.join("g.py")).unwrap().contains("nn.Sequential("));
}

#[test]
fn what_is_wrong_is_said_with_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let out = ["--to", "raw", "-o", "out.bin"];
    let import = |arguments: &[&str]| fails(folder, &[&["import"], arguments, &out].concat());
    let message = import(&[&model("refused.onnx")]);
    for words in ["alpha = 2", "Elu", "Einsum", "linear_before_reset", "direction = reverse"] {
        assert!(message.contains(words), "{words} in {message}");
    }
    let torch = model("signal.safetensors");
    assert!(import(&[&torch]).contains("--network"));
    let message = import(&[&torch, "--network", "3x20 conv1d(5,5) relu maxpool(2) dense(6) tanh dense(3)"]);
    for words in
        ["0.weight has shape [4, 3, 5]", "[5, 3, 5]", "0.bias", "4.weight", "6.weight has shape [4, 6]", "6.bias"]
    {
        assert!(message.contains(words), "{words} in {message}");
    }
    assert!(import(&[&torch, "--network", "3x20 conv1d(4"]).contains("bracket"));
    assert!(import(&[&model("mlp.onnx"), "--network", "6 dense(4)"]).contains("6 dense(5) relu dense(3)"));
    assert!(import(&["none.onnx"]).contains("cannot be read"));
    std::fs::write(folder.join("model.pt"), b"PK\x03\x04 and so on").unwrap();
    assert!(import(&["model.pt"]).contains("save_file"));
    std::fs::write(folder.join("empty.safetensors"), b"").unwrap();
    assert!(import(&["empty.safetensors", "--application", "digits"]).contains("no whole safetensors"));
    let message = fails(folder, &["import", &torch, "--network", SIGNAL, "--to", "raw", "-o", "x.hex"]);
    assert!(message.contains("--address"), "{message}");
    std::fs::write(folder.join("short.bin"), [0; 12]).unwrap();
    let message = fails(folder, &["export", "short.bin", "--network", "6 dense(4)", "--to", "onnx", "-o", "x.onnx"]);
    assert!(message.contains("12 bytes") && message.contains("112"), "{message}");
    // For programs too.
    let output = sim(folder, &["import", &model("branches.onnx"), "--to", "raw", "-o", "x.bin", "--json"]);
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(object["problems"][0].as_str().unwrap().contains("branches"), "{object}");
    assert!(!folder.join("x.bin").exists());
}

#[test]
fn the_twin_goes_on_from_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let train = ["train", "--epochs", "1", "--no-report", "--quiet", "--json"];
    let first: Value = serde_json::from_str(&succeeds(folder, &[&train[..], &["--save", "a.bin"]].concat())).unwrap();
    succeeds(folder, &["export", "a.bin", "--application", "digits", "--to", "safetensors", "-o", "a.safetensors"]);
    succeeds(folder, &["import", "a.safetensors", "--application", "digits", "--to", "checkpoint", "-o", "b.bin"]);
    assert_eq!(std::fs::read(folder.join("a.bin")).unwrap(), std::fs::read(folder.join("b.bin")).unwrap());
    let more = succeeds(folder, &[&train[..], &["--load", "b.bin", "--seed", "2"]].concat());
    let more: Value = serde_json::from_str(&more).unwrap();
    assert!(more["test_loss"].as_f64() < first["test_loss"].as_f64(), "{more} after {first}");
}

//! What cannot be imported is named, all of it at once.

use std::borrow::Cow;

use ::safetensors::{Dtype, View};
use backpass_sim::formats::{Framework, Problems, onnx, safetensors};
use backpass_sim::network::{Network, Shape};

use super::harness::{file, read_onnx};

/// A tensor of zeros.
struct Zeros(Dtype, Vec<usize>);

impl View for Zeros {
    fn dtype(&self) -> Dtype {
        self.0
    }

    fn shape(&self) -> &[usize] {
        &self.1
    }

    fn data(&self) -> Cow<'_, [u8]> {
        vec![0; self.data_len()].into()
    }

    fn data_len(&self) -> usize {
        self.1.iter().product::<usize>() * self.0.bitsize() / 8
    }
}

fn read(line: &str, tensors: &[(&str, Dtype, &[usize])], names: Option<&[String]>) -> Result<Vec<String>, Problems> {
    let tensors = tensors.iter().map(|(name, dtype, shape)| (*name, Zeros(*dtype, shape.to_vec())));
    let file = ::safetensors::serialize(tensors, None).unwrap();
    let network = Network::from_line(line).unwrap();
    let imported = safetensors::read(&file, &network, Framework::PyTorch, names)?;
    Ok(imported.rows.into_iter().map(|row| row.tensor).collect())
}

#[track_caller]
fn names(problems: &Problems, expected: &[&[&str]]) {
    assert_eq!(problems.list().len(), expected.len(), "{problems}");
    for words in expected {
        let is_told = problems.list().iter().any(|problem| words.iter().all(|word| problem.contains(word)));
        assert!(is_told, "{words:?} in {problems}");
    }
}

#[test]
fn wrong_missing_and_superfluous_tensors_are_told_at_once() {
    let line = "4 dense(3) relu dense(2)";
    let wrong = [
        ("0.weight", Dtype::F32, &[3, 5][..]),
        ("0.bias", Dtype::F32, &[3]),
        ("2.weight", Dtype::F32, &[2, 3]),
        ("2.scale", Dtype::F32, &[7]),
    ];
    let problems = read(line, &wrong, None).unwrap_err();
    names(
        &problems,
        &[&["0.weight", "[3, 5]", "[3, 4]", "layer 1"], &["2.bias", "missing", "[2]"], &["2.scale", "[7]"]],
    );
    let missing = [("0.weight", Dtype::F32, &[3, 4][..]), ("0.bias", Dtype::F32, &[3])];
    names(&read(line, &missing, None).unwrap_err(), &[&["layer 3", "dense(2)", "[2, 3]"]]);
    let turned = [
        ("0.weight", Dtype::F32, &[4, 3][..]),
        ("0.bias", Dtype::F32, &[3]),
        ("2.weight", Dtype::F32, &[2, 3]),
        ("2.bias", Dtype::F32, &[2]),
        ("4.weight", Dtype::F32, &[9, 9]),
    ];
    let problems = read(line, &turned, None).unwrap_err();
    names(&problems, &[&["layer 1", "[3, 4]"], &["0.weight", "[4, 3]"], &["0.bias"], &["4.weight", "[9, 9]"]]);
    let problems = read(line, &turned[..4], None).unwrap_err();
    names(&problems, &[&["0.weight", "transposed"]]);
}

#[test]
fn numbers_of_other_types_are_converted_or_told() {
    let line = "4 dense(2)";
    let halves = [("a.weight", Dtype::F16, &[2, 4][..]), ("a.bias", Dtype::F64, &[2])];
    assert_eq!(read(line, &halves, None).unwrap(), ["a.weight", "a.bias"]);
    let integers = [("a.weight", Dtype::I8, &[2, 4][..]), ("a.bias", Dtype::I32, &[2])];
    let problems = read(line, &integers, None).unwrap_err();
    assert!(problems.to_string().contains("a.weight: numbers of type I8"), "{problems}");
    assert!(problems.to_string().contains("a.bias: numbers of type I32"), "{problems}");
}

#[test]
fn names_decide_where_shapes_do_not() {
    let line = "3 dense(3,bias=no) dense(3,bias=no)";
    let numbered = [("fc10.weight", Dtype::F32, &[3, 3][..]), ("fc9.weight", Dtype::F32, &[3, 3])];
    assert_eq!(read(line, &numbered, None).unwrap(), ["fc9.weight", "fc10.weight"]);
    let named = [("head.weight", Dtype::F32, &[3, 3][..]), ("body.weight", Dtype::F32, &[3, 3])];
    let problems = read(line, &named, None).unwrap_err();
    names(&problems, &[&["body", "head", "--names"]]);
    let order = ["body".to_string(), "head".to_string()];
    assert_eq!(read(line, &named, Some(&order)).unwrap(), ["body.weight", "head.weight"]);
    let unknown = ["body".to_string(), "tail".to_string()];
    assert!(read(line, &named, Some(&unknown)).unwrap_err().to_string().contains("tail"));
}

#[test]
fn operators_and_attributes_that_are_not_supported_are_told_at_once() {
    let problems = read_onnx("refused.onnx").unwrap_err();
    for words in [
        &["first", "alpha = 2"][..],
        &["second", "Elu", "alpha = 3"],
        &["third", "Einsum", "not supported"],
        &["fourth", "linear_before_reset"],
        &["fourth", "direction = reverse"],
    ] {
        let is_told = problems.list().iter().any(|problem| words.iter().all(|word| problem.contains(word)));
        assert!(is_told, "{words:?} in {problems}");
    }
    let problems = read_onnx("branches.onnx").unwrap_err();
    assert!(problems.to_string().contains("gate") && problems.to_string().contains("product"), "{problems}");
}

#[test]
fn an_input_that_is_left_open_is_asked_for() {
    // The shape that is said must be the one that the file has.
    let shape = Shape::new(&[7]).unwrap();
    let problems = onnx::read(&file("mlp.onnx"), Some(&shape), &|_| Err("none".into())).unwrap_err();
    assert!(problems.to_string().contains("6, not 7"), "{problems}");
}

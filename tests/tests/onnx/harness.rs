//! The file of ONNX's values, the comparison, and the count.

use std::collections::{BTreeMap, BTreeSet};

use backpass::{Params, Tensor};
use safetensors::{Dtype, SafeTensors};

/// A value `a` agrees with ONNX's `b` if `|a - b| <= TOLERANCE * scale`, where `scale` is the largest magnitude of one sample's output.
///
/// Why: both sides compute in f32, in another order, and ONNX's backend runner itself allows a relative 1e-3. A layer sums up to some
/// hundred terms, which rounds by 1e-7 to 1e-6 of the largest.
const TOLERANCE: f64 = 5e-6;

/// The cases that need more, and why.
const LOOSE: [(&str, f64); 2] = [
    // ONNX gives input and output with four digits.
    ("test_averagepool_2d_ceil_last_window_starts_on_pad", 3e-4),
    // The state, 0.0025, is what is left of 1 - z with a gate z that is rounded by up to 3e-8; ONNX's own is off by 0.8e-5.
    ("test_gru_bidirectional/reverse", 3e-5),
];

/// The cases, and how well ours agree.
pub(crate) struct Run<'f> {
    file: SafeTensors<'f>,
    version: String,
    /// Tensors that are stored under another's name.
    same: BTreeMap<String, String>,
    used: BTreeSet<String>,
    passed: BTreeSet<String>,
    wrong: Vec<String>,
    worst: (f64, String),
}

impl<'f> Run<'f> {
    pub(crate) fn new(file: &'f [u8]) -> Self {
        let (_, metadata) = SafeTensors::read_metadata(file).unwrap();
        let entry = metadata.metadata().as_ref().and_then(|entries| entries.get("onnx")).expect("ONNX's version");
        let mut lines = entry.lines();
        let version = lines.next().expect("ONNX's version").to_string();
        let same =
            lines.map(|line| line.split_once(' ').expect("two names")).map(|(a, b)| (a.into(), b.into())).collect();
        Self {
            file: SafeTensors::deserialize(file).unwrap(),
            version,
            same,
            used: BTreeSet::new(),
            passed: BTreeSet::new(),
            wrong: Vec::new(),
            worst: (0.0, String::new()),
        }
    }

    /// The bytes of a tensor, `N` an element.
    fn bytes<const N: usize>(&mut self, name: &str, dtype: Dtype) -> &[[u8; N]] {
        let stored = self.same.get(name).map_or(name, String::as_str);
        let tensor = self.file.tensor(stored).unwrap_or_else(|error| panic!("`{name}`: {error}"));
        assert_eq!(tensor.dtype(), dtype, "`{name}`");
        let (values, []) = tensor.data().as_chunks() else { panic!("`{name}` ends within an element") };
        self.used.insert(name.to_string());
        values
    }

    /// Whether the file has a tensor of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.same.contains_key(name) || self.file.tensor(name).is_ok()
    }

    pub(crate) fn floats(&mut self, name: &str) -> Vec<f32> {
        self.bytes(name, Dtype::F32).iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    pub(crate) fn integers(&mut self, name: &str) -> Vec<i64> {
        self.bytes(name, Dtype::I64).iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()
    }

    /// All samples of a tensor whose first axis is the batch.
    pub(crate) fn samples<X: Tensor>(&mut self, name: &str) -> Vec<X> {
        let mut values = self.floats(name);
        assert!(!values.is_empty() && values.len().is_multiple_of(X::LEN), "`{name}` has {} elements", values.len());
        X::unflatten(&mut values).to_vec()
    }

    /// A tensor.
    pub(crate) fn tensor<X: Tensor>(&mut self, name: &str) -> X {
        let [x] = self.samples(name)[..] else { panic!("`{name}` has another number of elements than {}", X::LEN) };
        x
    }

    /// The parameters of a layer for sample `k` of `samples`: the file has one set, or one a sample.
    pub(crate) fn params<P: Params>(&mut self, case: &str, k: usize, samples: usize) -> P {
        let mut params = P::ZERO;
        P::visit_mut([&mut params], None, &mut |parameter, [values]| {
            let name = format!("{case}/{parameter}");
            let file = self.floats(&name);
            let sets = file.len() / values.len();
            assert!(sets == 1 || sets == samples, "`{name}` has {sets} sets for {samples} samples");
            let set = if sets == 1 { 0 } else { k };
            values.copy_from_slice(&file[set * values.len()..][..values.len()]);
        });
        params
    }

    /// Notes how far `ours` is from `theirs`.
    pub(crate) fn compare(&mut self, what: &str, ours: &[f32], theirs: &[f32]) {
        assert_eq!(ours.len(), theirs.len(), "`{what}`");
        let loose = LOOSE.iter().find(|(case, _)| what.starts_with(case));
        let tolerance = loose.map_or(TOLERANCE, |(_, tolerance)| *tolerance);
        let scale = theirs.iter().fold(0.0, |largest: f64, value| largest.max(f64::from(value.abs())));
        for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
            let error = (f64::from(*a) - f64::from(*b)).abs();
            let relative = if error == 0.0 { 0.0 } else { error / scale };
            if loose.is_none() && relative > self.worst.0 {
                self.worst = (relative, what.to_string());
            }
            if relative > tolerance || relative.is_nan() {
                self.wrong.push(format!("{what}[{i}]: {a:e}, ONNX {b:e}, off by {relative:.1e} of {scale:e}"));
            }
        }
    }

    /// Notes that a case was run; of one in parts, after `/`, each.
    pub(crate) fn ran(&mut self, case: &str) {
        self.passed.insert(case.split('/').next().unwrap_or(case).to_string());
    }

    /// Prints the count and refuses wrong values and tensors that nobody looked at.
    pub(crate) fn finish(self, not_applicable: &[(&str, &[&str])], not_returned: &[(&str, usize)]) {
        let Self { file, version, same, used, passed, wrong, worst } = self;
        let skipped: usize = not_applicable.iter().map(|(_, names)| names.len()).sum();
        if wrong.is_empty() {
            println!("ONNX {version}: {} passed, {skipped} not applicable", passed.len());
            println!("largest difference {:.1e} of the scale, in {}", worst.0, worst.1);
        }
        for (reason, names) in not_applicable {
            println!("{:4} not applicable: {reason}", names.len());
            names.iter().for_each(|name| println!("     {name}"));
        }
        for (output, cases) in not_returned {
            println!("{cases:4} passed without an output that the layer does not return: {output}");
        }
        passed.iter().for_each(|name| println!("passed {name}"));

        assert!(wrong.is_empty(), "{} values differ from ONNX {version}:\n{}", wrong.len(), wrong.join("\n"));
        for (_, names) in not_applicable {
            assert!(names.iter().all(|name| !passed.contains(*name)), "run, though not applicable: {names:?}");
        }
        let all: BTreeSet<String> = file.names().into_iter().map(String::from).chain(same.into_keys()).collect();
        let unused: Vec<_> = all.difference(&used).collect();
        assert!(unused.is_empty(), "{} of {} tensors were not looked at: {unused:?}", unused.len(), all.len());
    }
}

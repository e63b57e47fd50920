//! The file of the others' values, and the comparison.

use std::sync::OnceLock;

use safetensors::{Dtype, SafeTensors};

/// The file, read once.
fn file() -> &'static SafeTensors<'static> {
    static FILE: OnceLock<SafeTensors<'static>> = OnceLock::new();
    FILE.get_or_init(|| SafeTensors::deserialize(include_bytes!("../../reference/stream.safetensors")).unwrap())
}

fn bytes<const N: usize>(name: &str, dtype: Dtype) -> Vec<[u8; N]> {
    let tensor = file().tensor(name).unwrap_or_else(|error| panic!("`{name}`: {error}"));
    assert_eq!(tensor.dtype(), dtype, "`{name}`");
    let (values, []) = tensor.data().as_chunks() else { panic!("`{name}` ends within an element") };
    values.to_vec()
}

pub(crate) fn floats(name: &str) -> Vec<f32> {
    bytes(name, Dtype::F32).into_iter().map(f32::from_le_bytes).collect()
}

pub(crate) fn rows<const C: usize>(name: &str) -> Vec<[f32; C]> {
    let floats = floats(name);
    let (rows, []) = floats.as_chunks() else { panic!("`{name}` ends within a row") };
    rows.to_vec()
}

pub(crate) fn integers(name: &str) -> Vec<usize> {
    bytes(name, Dtype::I64).into_iter().map(|bytes| usize::try_from(i64::from_le_bytes(bytes)).unwrap()).collect()
}

pub(crate) fn pixels(name: &str) -> Vec<u8> {
    bytes::<1>(name, Dtype::U8).into_iter().map(|[byte]| byte).collect()
}

/// Checks that `ours` is within `tolerance` of `theirs`, everywhere; returns the largest difference.
pub(crate) fn compare(name: &str, ours: &[f32], theirs: &[f32], tolerance: f64) -> f64 {
    assert_eq!(ours.len(), theirs.len(), "{name}");
    let mut worst = 0.0_f64;
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        let error = (f64::from(*a) - f64::from(*b)).abs();
        assert!(error <= tolerance, "{name}[{i}]: {a}, theirs {b}, off by {error:e}; tolerated {tolerance:e}");
        worst = worst.max(error);
    }
    println!("{name}: {} values, largest difference {worst:.1e}", ours.len());
    worst
}

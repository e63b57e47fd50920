//! Named arrays of numbers, as files hold them.

use half::{bf16, f16};

/// A tensor of a file, as `f32`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// How a file stores a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    F16,
    Bf16,
    F32,
    F64,
}

impl Number {
    /// The numbers in these little-endian bytes; `None` if they end within one.
    pub(crate) fn decode(self, bytes: &[u8]) -> Option<Vec<f32>> {
        match self {
            Self::F16 => decode(bytes, |bytes| f16::from_le_bytes(bytes).to_f32()),
            Self::Bf16 => decode(bytes, |bytes| bf16::from_le_bytes(bytes).to_f32()),
            Self::F32 => decode(bytes, f32::from_le_bytes),
            // Rounded to the nearest; what is too large becomes infinite, and is refused as such.
            Self::F64 => decode(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        }
    }

    /// What to tell of a conversion.
    pub(crate) const fn note(self) -> Option<&'static str> {
        match self {
            Self::F32 => None,
            Self::F16 => Some("16-bit floats (F16) were widened to f32, exactly"),
            Self::Bf16 => Some("16-bit floats (BF16) were widened to f32, exactly"),
            Self::F64 => Some("64-bit floats (F64) were rounded to f32"),
        }
    }
}

fn decode<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Option<Vec<f32>> {
    let (numbers, rest) = bytes.as_chunks::<N>();
    rest.is_empty().then(|| numbers.iter().map(|bytes| number(*bytes)).collect())
}

/// A shape as people write it: `[32, 64]`.
pub(crate) fn shape_text(shape: &[usize]) -> String {
    format!("{shape:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_width_are_read() {
        assert_eq!(Number::F16.decode(&[0, 0x3c, 1, 0]), Some(vec![1.0, 5.960_464_5e-8]));
        assert_eq!(Number::Bf16.decode(&[0x80, 0xbf]), Some(vec![-1.0]));
        assert_eq!(Number::F64.decode(&0.1_f64.to_le_bytes()), Some(vec![0.1]));
        assert_eq!(Number::F64.decode(&1e300_f64.to_le_bytes()), Some(vec![f32::INFINITY]));
        assert_eq!(Number::F32.decode(&[0; 5]), None);
    }
}

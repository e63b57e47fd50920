//! Arrays that are known before a model runs: weights, and shapes that exporters compute.

use super::super::tensor::Number;
use super::proto::{self, BFLOAT16, DOUBLE, EXTERNAL, FLOAT, FLOAT16, INT32, INT64};

/// An array of floats or of integers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Constant {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Data,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    Floats(Vec<f32>),
    Ints(Vec<i64>),
}

/// Reads a range of a file beside the model.
pub(crate) type External<'e> = &'e dyn Fn(&str) -> Result<Vec<u8>, String>;

impl Constant {
    pub(crate) fn ints(values: Vec<i64>) -> Self {
        Self { shape: vec![values.len()], data: Data::Ints(values) }
    }

    pub(crate) fn floats(shape: Vec<usize>, values: Vec<f32>) -> Self {
        Self { shape, data: Data::Floats(values) }
    }

    pub(crate) fn as_ints(&self) -> Option<&[i64]> {
        if let Data::Ints(values) = &self.data { Some(values) } else { None }
    }

    pub(crate) fn as_floats(&self) -> Option<&[f32]> {
        if let Data::Floats(values) = &self.data { Some(values) } else { None }
    }

    /// A single number, as exporters write those of formulas.
    pub(crate) fn scalar(&self) -> Option<f64> {
        match &self.data {
            Data::Floats(values) => {
                if let [value] = values[..] {
                    Some(value.into())
                } else {
                    None
                }
            }
            Data::Ints(values) => {
                if let [value] = values[..] {
                    Some(value as f64)
                } else {
                    None
                }
            }
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        match &self.data {
            Data::Floats(values) => values.iter().all(|value| *value == 0.0),
            Data::Ints(values) => values.iter().all(|value| *value == 0),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.data {
            Data::Floats(values) => values.len(),
            Data::Ints(values) => values.len(),
        }
    }

    /// Reads a tensor, and what is to be told of its numbers.
    pub(crate) fn read(tensor: &proto::Tensor, external: External<'_>) -> Result<(Self, Option<&'static str>), String> {
        let shape = tensor.dims.iter().map(|length| usize::try_from(*length).ok()).collect::<Option<Vec<_>>>();
        let shape = shape.ok_or_else(|| format!("its shape {:?} has a negative length", tensor.dims))?;
        let count = shape.iter().try_fold(1_usize, |count, length| count.checked_mul(*length));
        let count = count.ok_or_else(|| format!("its shape {shape:?} is larger than any memory"))?;
        let outside = if tensor.data_location == EXTERNAL { Some(read_external(tensor, external)?) } else { None };
        let raw = outside.as_deref().or(tensor.raw_data.as_deref());
        let halves = || tensor.int32_data.iter().flat_map(|half| (*half as u16).to_le_bytes()).collect::<Vec<_>>();
        let (data, note) = match (tensor.data_type, raw) {
            (FLOAT, None) => (Some(Data::Floats(tensor.float_data.clone())), None),
            (FLOAT, Some(raw)) => floats(Number::F32, raw),
            (FLOAT16, raw) => floats(Number::F16, raw.unwrap_or(&halves())),
            (BFLOAT16, raw) => floats(Number::Bf16, raw.unwrap_or(&halves())),
            (DOUBLE, Some(raw)) => floats(Number::F64, raw),
            (DOUBLE, None) => {
                let values = tensor.double_data.iter().map(|value| *value as f32).collect();
                (Some(Data::Floats(values)), Number::F64.note())
            }
            (INT64, None) => (Some(Data::Ints(tensor.int64_data.clone())), None),
            (INT32, None) => (Some(Data::Ints(tensor.int32_data.iter().copied().map(i64::from).collect())), None),
            (INT64, Some(raw)) => (ints(raw, i64::from_le_bytes), None),
            (INT32, Some(raw)) => (ints(raw, |bytes| i32::from_le_bytes(bytes).into()), None),
            (other, _) => {
                return Err(format!(
                    "numbers of type {}; expected FLOAT, FLOAT16, BFLOAT16 or DOUBLE",
                    type_name(other)
                ));
            }
        };
        let constant = data.map(|data| Self { shape, data }).filter(|constant| constant.len() == count);
        let constant = constant.ok_or_else(|| format!("its data is not what its shape {:?} needs", tensor.dims))?;
        Ok((constant, note))
    }
}

fn floats(number: Number, raw: &[u8]) -> (Option<Data>, Option<&'static str>) {
    (number.decode(raw).map(Data::Floats), number.note())
}

fn ints<const N: usize>(raw: &[u8], number: impl Fn([u8; N]) -> i64) -> Option<Data> {
    let (numbers, rest) = raw.as_chunks();
    rest.is_empty().then(|| Data::Ints(numbers.iter().map(|bytes| number(*bytes)).collect()))
}

/// The bytes of a tensor that lie in a file beside the model, as PyTorch's exporter puts them.
fn read_external(tensor: &proto::Tensor, external: External<'_>) -> Result<Vec<u8>, String> {
    let find = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    let location = find("location").ok_or("its numbers are in another file that is not named")?;
    let place = |key: &str| find(key).map(|text| text.parse::<usize>().map_err(|_| format!("its {key} is `{text}`")));
    let (offset, length) = (place("offset").transpose()?.unwrap_or(0), place("length").transpose()?);
    let file = external(location)?;
    let rest = file.get(offset..).ok_or_else(|| format!("`{location}` ends before byte {offset}"))?;
    match length {
        None => Ok(rest.to_vec()),
        Some(length) => rest.get(..length).map(<[u8]>::to_vec).ok_or_else(|| format!("`{location}` is too short")),
    }
}

/// What ONNX calls a type of numbers.
fn type_name(number: i32) -> String {
    let names = [
        "UNDEFINED",
        "FLOAT",
        "UINT8",
        "INT8",
        "UINT16",
        "INT16",
        "INT32",
        "INT64",
        "STRING",
        "BOOL",
        "FLOAT16",
        "DOUBLE",
        "UINT32",
        "UINT64",
        "COMPLEX64",
        "COMPLEX128",
        "BFLOAT16",
        "FLOAT8E4M3FN",
        "FLOAT8E4M3FNUZ",
        "FLOAT8E5M2",
        "FLOAT8E5M2FNUZ",
        "UINT4",
        "INT4",
    ];
    usize::try_from(number)
        .ok()
        .and_then(|index| names.get(index))
        .map_or_else(|| number.to_string(), ToString::to_string)
}

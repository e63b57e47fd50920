//! Recorded files, and the learner's predictions with what was imported from them.

use std::fs;
use std::path::PathBuf;

use ::safetensors::SafeTensors;
use backpass::checkpoint::{Image, Store};
use backpass::{Frozen, Inference, Layer, Learner, MeanSquaredError, Memory, Params, Sgd, Tensor};
use backpass_sim::formats::{Framework, Imported, Model, Problems, checkpoint, onnx, safetensors};
use backpass_sim::network::{Network, Rule};

/// Rounding alone, in f32 on both sides.
pub(crate) const TOLERANCE: f32 = 1e-5;

/// The network of `residual.safetensors`, and what its layers are called there.
pub(crate) const RESIDUAL: &str = "2x8x6 conv2d(3,3,padding=1) relu \
     residual(conv2d(3,3,padding=1,bias=no) batchnorm relu conv2d(3,3,padding=1,bias=no) batchnorm) relu \
     residual(conv2d(4,3,2,padding=1,bias=no) batchnorm relu conv2d(4,3,padding=1,bias=no) batchnorm \
     | conv2d(4,1,2,bias=no) batchnorm) relu globalaveragepool dense(3)";
pub(crate) const RESIDUAL_NAMES: &str = "conv block1.conv1 block1.bn1 block1.conv2 block1.bn2 block2.conv1 block2.bn1 block2.conv2 \
                                         block2.bn2 block2.shortcut.0 block2.shortcut.1 fc";

pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/formats").join(name)
}

pub(crate) fn file(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn read_residual(names: Option<&[String]>) -> Result<Imported, Problems> {
    let network = Network::from_line(RESIDUAL).unwrap();
    safetensors::read(&file("residual.safetensors"), &network, Framework::PyTorch, names)
}

pub(crate) fn residual_names() -> Vec<String> {
    RESIDUAL_NAMES.split_whitespace().map(str::to_string).collect()
}

pub(crate) fn read_onnx(name: &str) -> Result<Imported, Problems> {
    onnx::read(&file(name), None, &|other| Err(format!("there is no {other}")))
}

/// An array of a safetensors file.
pub(crate) fn floats(file: &[u8], name: &str) -> Vec<f32> {
    let file = SafeTensors::deserialize(file).unwrap();
    let data = file.tensor(name).unwrap().data();
    data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Recorded samples, and what the framework computed for them.
pub(crate) fn samples<X: Tensor>(name: &str) -> Vec<(X, Vec<f32>)> {
    let file = file(&format!("{name}.samples.safetensors"));
    let (input, output) = (floats(&file, "input"), floats(&file, "output"));
    let count = input.len() / X::LEN;
    assert_eq!(input.len(), count * X::LEN, "{name}: the samples have another shape");
    let outputs = output.chunks(output.len() / count);
    let inputs = input.chunks(X::LEN).map(|values| {
        let mut sample = X::ZERO;
        sample.flat_mut().copy_from_slice(values);
        sample
    });
    inputs.zip(outputs.map(<[f32]>::to_vec)).collect()
}

pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

pub(crate) fn flat<P: Params>(params: &P) -> Vec<f32> {
    let mut flat = Vec::new();
    params.visit(None, &mut |_, values| flat.extend_from_slice(values));
    flat
}

/// The predictions of a learner that has loaded the model from a checkpoint image, as a board would.
pub(crate) fn predictions<N, X>(network: N, model: &Model, samples: &[X]) -> Vec<Vec<f32>>
where
    N: Layer<X>,
    X: Tensor + Copy,
    N::Output: Tensor,
{
    let mut image = checkpoint::write(model, Rule::Sgd);
    let length = image.len();
    image.resize(2 * length, 0xff);
    let mut memory = Box::new(Memory::<N, X, Sgd>::new());
    let mut learner = Learner::new(&mut memory, network, MeanSquaredError, Sgd::new(0.1));
    let mut store = Store::new(Image(image), 0..2 * length as u32).unwrap();
    store.load(&mut learner, &mut ()).unwrap_or_else(|error| panic!("{}: {error}", model.network()));
    assert_eq!(bits(&flat(learner.params())), bits(&model.flat()));
    samples.iter().map(|sample| learner.predict(sample).flat().to_vec()).collect()
}

/// Those of a network that has its weights in flash.
pub(crate) fn frozen_predictions<N, X>(network: N, params: &'static N::Params, samples: &[X]) -> Vec<Vec<f32>>
where
    N: Inference<X> + Layer<X>,
    X: Tensor + Copy,
    N::Output: Tensor,
{
    let mut memory = Box::new(Memory::<Frozen<N, X>, X, Sgd>::new());
    let mut learner = Learner::new(&mut memory, Frozen::new(network, params), MeanSquaredError, Sgd::new(0.1));
    samples.iter().map(|sample| learner.predict(sample).flat().to_vec()).collect()
}

/// The largest difference from what was recorded.
pub(crate) fn difference<X>(found: &[Vec<f32>], samples: &[(X, Vec<f32>)]) -> f32 {
    let pairs = found.iter().zip(samples).flat_map(|(found, (_, expected))| {
        assert_eq!(found.len(), expected.len(), "as many outputs");
        found.iter().zip(expected)
    });
    pairs.fold(0.0, |largest, (a, b)| largest.max((a - b).abs()))
}

//! The four MLPerf Tiny networks: one training step of each against PyTorch's (`reference/cases/mlperf_tiny.py`), and the RAM
//! that it takes.

use std::collections::BTreeSet;

use backpass::{
    Adam, CrossEntropy, Layer, Learner, Loss, MeanSquaredError, Memory, Momentum, Optimizer, Params, Rng, Sgd, Tensor,
};
use backpass_sim::mlperf_tiny::{self, Autoencoder, DsCnn, MobileNet, Photo, ResNet8, Scene, Sound, Speech};
use safetensors::SafeTensors;
use static_cell::ConstStaticCell;

const FILE: &[u8] = include_bytes!("../reference/mlperf_tiny.safetensors");
/// As `KEPT` in the script.
const KEPT: usize = 128;
const LEARNING_RATE: f32 = 0.01;
/// Relative to a tensor's largest element; to the sum of magnitudes for a sum over all elements.
const TOLERANCE: f64 = 1e-5;

struct Reference<'f> {
    file: SafeTensors<'f>,
    used: BTreeSet<String>,
}

impl Reference<'_> {
    fn floats(&mut self, name: &str) -> Vec<f32> {
        let tensor = self.file.tensor(name).unwrap_or_else(|error| panic!("`{name}`: {error}"));
        self.used.insert(name.to_string());
        tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    /// Compares all of `ours`, by sums and by samples. Returns the largest relative difference.
    fn compare(&mut self, name: &str, ours: &[f32]) -> f64 {
        let theirs = self.floats(name);
        let (sums, some) = theirs.split_at(3);
        let doubles = || ours.iter().map(|value| f64::from(*value));
        let magnitudes: f64 = doubles().map(f64::abs).sum();
        let squares: f64 = doubles().map(|value| value * value).sum();
        let mut worst: f64 = 0.0;
        let mut check = |ours: f64, theirs: f32, scale: f64| {
            let error = (ours - f64::from(theirs)).abs();
            let relative = if error == 0.0 { 0.0 } else { error / scale };
            assert!(relative <= TOLERANCE, "{name}: {ours:e}, PyTorch {theirs:e}, off by {relative:.1e} of {scale:e}");
            worst = worst.max(relative);
        };
        check(doubles().sum(), sums[0], f64::from(sums[1]));
        check(magnitudes, sums[1], f64::from(sums[1]));
        check(squares, sums[2], f64::from(sums[2]));
        let largest = some.iter().fold(0.0, |largest: f64, value| largest.max(f64::from(value.abs())));
        let kept: Vec<f32> = ours.iter().copied().step_by((ours.len() / KEPT).max(1)).collect();
        assert_eq!(kept.len(), some.len(), "{name}");
        kept.iter().zip(some).for_each(|(ours, theirs)| check(f64::from(*ours), *theirs, largest));
        worst
    }
}

/// One step of a network on drawn parameters and a drawn sample.
fn step<N, X, L, T>(
    reference: &mut Reference<'_>,
    name: &str,
    memory: &'static mut Memory<N, X, Sgd>,
    network: N,
    loss: L,
    target: impl FnOnce(&X) -> T,
) where
    N: Layer<X, Output: Tensor>,
    X: Tensor,
    L: Loss<N::Output, T> + Copy,
{
    let mut learner = Learner::new(memory, network, loss, Sgd::new(LEARNING_RATE));
    let mut rng = Rng::new(1);
    N::Params::visit_mut([learner.params_mut()], None, &mut |parameter, [values]| {
        let bound = reference.floats(&format!("{name}/bound/{parameter}"))[0];
        values.iter_mut().for_each(|value| *value = rng.symmetric(bound));
    });
    let mut sample = Box::new(X::ZERO);
    sample.flat_mut().iter_mut().for_each(|value| *value = rng.symmetric(1.0));
    let target = target(&sample);

    let value = learner.observe(&sample, &target).unwrap();
    let mut worst = {
        let theirs = reference.floats(&format!("{name}/loss"))[0];
        f64::from((value - theirs).abs() / theirs.abs())
    };
    assert!(worst <= TOLERANCE, "{name}: loss {value}");
    learner.gradients().unwrap().visit(None, &mut |parameter, values| {
        worst = worst.max(reference.compare(&format!("{name}/grad/{parameter}"), values));
    });
    learner.update().unwrap();
    learner.params().visit(None, &mut |parameter, values| {
        worst = worst.max(reference.compare(&format!("{name}/after/{parameter}"), values));
    });
    println!("{name}: loss {value}, largest difference {worst:.1e}");
}

#[test]
fn one_training_step_is_pytorchs() {
    static AUTOENCODER: ConstStaticCell<Memory<Autoencoder, Sound, Sgd>> = ConstStaticCell::new(Memory::new());
    static DS_CNN: ConstStaticCell<Memory<DsCnn, Speech, Sgd>> = ConstStaticCell::new(Memory::new());
    static RESNET8: ConstStaticCell<Memory<ResNet8, Photo, Sgd>> = ConstStaticCell::new(Memory::new());
    static MOBILENET: ConstStaticCell<Memory<MobileNet, Scene, Sgd>> = ConstStaticCell::new(Memory::new());

    let file = SafeTensors::deserialize(FILE).unwrap();
    let all: BTreeSet<String> = file.names().into_iter().map(String::from).collect();
    let mut reference = Reference { file, used: BTreeSet::new() };
    let r = &mut reference;
    step(r, "autoencoder", AUTOENCODER.take(), Autoencoder::default(), MeanSquaredError, |sample| *sample);
    step(r, "ds-cnn", DS_CNN.take(), mlperf_tiny::ds_cnn(), CrossEntropy, |_| 7);
    step(r, "resnet-8", RESNET8.take(), ResNet8::default(), CrossEntropy, |_| 3);
    step(r, "mobilenet", MOBILENET.take(), MobileNet::default(), CrossEntropy, |_| 1);
    // The output is that of training: with dropout, prediction differs.
    let outputs = ["autoencoder", "ds-cnn", "resnet-8", "mobilenet"].map(|name| format!("{name}/output"));
    let unused: Vec<_> = all.difference(&reference.used).filter(|name| !outputs.contains(name)).collect();
    assert!(unused.is_empty(), "not compared: {unused:?}");
}

/// The elements of all linear layers' outputs.
trait Linear {
    const OUTPUTS: usize;
}

impl Linear for Autoencoder {
    const OUTPUTS: usize = 8 * 128 + 8 + 640;
}

impl Linear for DsCnn {
    const OUTPUTS: usize = 9 * 25 * 5 * 64 + 12;
}

impl Linear for ResNet8 {
    // The first convolution and three times the branch's two, with a projection in the last two.
    const OUTPUTS: usize = 3 * 32 * 32 * 16 + 3 * 16 * 16 * 32 + 3 * 8 * 8 * 64 + 10;
}

impl Linear for MobileNet {
    const OUTPUTS: usize = {
        let first = 48 * 48 * 8;
        let blocks_48 = 48 * 48 * (8 + 16);
        let blocks_24 = 24 * 24 * (16 + 32 + 32 + 32);
        let blocks_12 = 12 * 12 * (32 + 64 + 64 + 64);
        let blocks_6 = 6 * 6 * (64 + 128 + 5 * 2 * 128);
        let blocks_3 = 3 * 3 * (128 + 256 + 256 + 256);
        first + blocks_48 + blocks_24 + blocks_12 + blocks_6 + blocks_3 + 2
    };
}

/// Prints one row of the table, and checks the bound.
fn row<N: Layer<X> + Linear, X: Tensor, O: Optimizer>(name: &str, optimizer: &str) {
    let [weights, gradients, moments, activations, counters] = Memory::<N, X, O>::PARTS.map(|(_, bytes)| bytes);
    let total = Memory::<N, X, O>::TOTAL;
    let (sample, outputs) = (size_of::<X>(), 4 * N::OUTPUTS);
    let least = weights + gradients + moments + outputs + sample;
    let kept = activations - sample;
    println!(
        "| {name} | {optimizer} | {} | {weights} | {gradients} | {moments} | {sample} | {kept} | {counters} | {total} | {:.0} | {:+.3} % |",
        N::Params::COUNT,
        total as f64 / 1024.0,
        100.0 * total as f64 / least as f64 - 100.0
    );
    assert!(total as f64 <= 1.02 * least as f64, "{name}: {total} bytes, more than {least} and 2 %");
}

#[test]
fn training_takes_little_more_than_weights_gradients_moments_and_linear_outputs() {
    println!(
        "Training RAM in bytes. Batch normalisation is folded. The sample is the buffer that the sensor fills; the activations"
    );
    println!(
        "are what the layers keep. The last column is what goes beyond weights, gradients, moments, the sample and the outputs"
    );
    println!("of the linear layers.\n");
    println!(
        "| network | optimizer | parameters | weights | gradients | moments | sample | activations | counters | total | KiB | beyond |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    fn network<N: Layer<X> + Linear, X: Tensor>(name: &str) {
        row::<N, X, Sgd>(name, "SGD");
        row::<N, X, Momentum>(name, "momentum");
        row::<N, X, Adam>(name, "Adam");
    }
    network::<Autoencoder, Sound>("autoencoder");
    network::<DsCnn, Speech>("DS-CNN");
    network::<ResNet8, Photo>("ResNet-8");
    network::<MobileNet, Scene>("MobileNet V1 0.25");
}

//! What is exported, in ONNX Runtime and PyTorch themselves.
//!
//! `BACKPASS_PYTHON` names a Python with `torch`, `onnx`, `onnxruntime` and `safetensors`; without it, `python3`:
//!
//! ```sh
//! BACKPASS_PYTHON=/path/to/python cargo test -p backpass-tests --test formats libraries -- --ignored --nocapture
//! ```

use std::borrow::Cow;
use std::fs;
use std::path::Path;
use std::process::Command;

use ::safetensors::{Dtype, View};
use backpass::{
    AveragePool, Bias, Conv1d, Conv2d, CrossEntropy, Dense, DepthwiseConv1d, DepthwiseConv2d, Flatten, GlobalMaxPool,
    Gru, Image, Keep, Layer, LayerNorm, LeakyRelu, Learner, LogSoftmax, Lstm, MaxPool, Memory, PRelu, Params, Relu,
    Residual, ResidualProjection, Rng, Rnn, Sequence, Sgd, Shared, Sigmoid, Signal, Tanh, Tensor, Vector,
};
use backpass_app::mlperf_tiny::{Photo, ResNet8};
use backpass_sim::formats::{Model, onnx, safetensors, torch};
use backpass_sim::network::Network;

use super::generated;
use super::harness::{file, flat, predictions, read_onnx, read_residual, residual_names};

/// Floats of a shape.
struct Floats(Vec<usize>, Vec<f32>);

impl View for Floats {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.0
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.1.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>().into()
    }

    fn data_len(&self) -> usize {
        4 * self.1.len()
    }
}

/// Exports a model in both ways, with samples and what the learner predicts for them.
fn export<N, X>(folder: &Path, name: &str, network: N, model: &Model)
where
    N: Layer<X>,
    X: Tensor + Copy,
    N::Output: Tensor,
{
    let mut rng = Rng::new(7);
    let samples: Vec<_> = (0..5)
        .map(|_| {
            let mut sample = X::ZERO;
            sample.flat_mut().iter_mut().for_each(|value| *value = rng.symmetric(2.0));
            sample
        })
        .collect();
    let outputs = predictions(network, model, &samples);
    let shape = |shape: &backpass_sim::network::Shape| [&[samples.len()], shape.axes()].concat();
    let tensors = [
        ("input", Floats(shape(model.network().input()), samples.iter().flat_map(|x| x.flat().to_vec()).collect())),
        ("output", Floats(shape(model.network().output()), outputs.concat())),
    ];
    let write = |suffix: &str, bytes: &[u8]| fs::write(folder.join(format!("{name}{suffix}")), bytes).unwrap();
    write(".samples.safetensors", &::safetensors::serialize(tensors, None).unwrap());
    write(".onnx", &onnx::write(model).0);
    write(".safetensors", &safetensors::write(model).unwrap().0);
    write(".py", torch::module(model.network()).as_bytes());
}

/// A network that has just learned a few samples.
fn learned<N, X>(folder: &Path, name: &str, line: &str, network: N)
where
    N: Layer<X> + Copy,
    X: Tensor + Copy,
    N::Output: Tensor,
    CrossEntropy: backpass::Loss<N::Output, usize>,
{
    let description = Network::from_line(line).unwrap();
    let mut memory = Box::new(Memory::<N, X, Sgd>::new());
    let mut learner = Learner::new(&mut memory, network, CrossEntropy, Sgd::new(0.05));
    learner.initialize(3);
    let mut rng = Rng::new(4);
    for class in [0, 1, 1, 0] {
        let mut sample = X::ZERO;
        sample.flat_mut().iter_mut().for_each(|value| *value = rng.symmetric(1.0));
        learner.train(&sample, &class).unwrap();
    }
    let model = Model::from_flat(description, &flat(learner.params())).unwrap();
    assert_eq!(<N::Params as Params>::COUNT, model.flat().len());
    export(folder, name, network, &model);
}

/// Residual connections of vectors, signals and images, in one another and with copies at their ends, and a whole residual network.
fn residual_networks(folder: &Path) {
    type Inner = Residual<(Keep, Relu, Dense<6>, Sigmoid)>;
    type Nested = (
        Residual<(Dense<6>, Inner, Tanh, Dense<5>)>,
        ResidualProjection<(Dense<4>, Relu, Keep), (Dense<6>, Inner, Dense<4>)>,
    );
    let line = "5 residual(dense(6) residual(relu dense(6) sigmoid) tanh dense(5)) \
                residual(dense(4) relu | dense(6) residual(relu dense(6) sigmoid) dense(4))";
    learned::<Nested, Vector<5>>(folder, "nested", line, Nested::default());
    // Slopes behind a flatten are in the order of the channels.
    type Slopes = (PRelu, Residual<(DepthwiseConv1d<Signal<8, 3>, 3>, PRelu<Shared>)>, Flatten<24>, PRelu, Dense<3>);
    let line = "3x8 prelu residual(depthwise(3,padding=same) prelu(shared)) flatten prelu dense(3)";
    learned::<Slopes, Signal<8, 3>>(folder, "slopes", line, Slopes::default());
    type Signals = (
        Conv1d<Signal<11, 4>, 3, 2>,
        Residual<(LayerNorm, Gru<4, Sequence>)>,
        ResidualProjection<(AveragePool<Signal<9, 4>, 3, 1>, Conv1d<Signal<9, 2>, 1>), Conv1d<Signal<9, 2>, 3>>,
        Flatten<18>,
        Dense<3>,
    );
    let line = "3x22 conv1d(4,3,2,padding=same) residual(layernorm gru(4,sequence)) \
                residual(averagepool(3,1) conv1d(2,1) | conv1d(2,3)) dense(3)";
    learned::<Signals, Signal<22, 3>>(folder, "residual_signals", line, Signals::default());
    // The padding of strides is not the same on both sides: a module of its own within the branch.
    let line = "3x32x32 conv2d(16,3,padding=same) relu residual(conv2d(16,3,padding=same) relu conv2d(16,3,padding=same)) relu \
                residual(conv2d(32,3,2,padding=same) relu conv2d(32,3,padding=same) | conv2d(32,1,2)) relu \
                residual(conv2d(64,3,2,padding=same) relu conv2d(64,3,padding=same) | conv2d(64,1,2)) relu \
                globalaveragepool dense(10)";
    learned::<ResNet8, Photo>(folder, "resnet8", line, ResNet8::default());
}

#[test]
#[ignore = "needs Python with torch, onnx, onnxruntime and safetensors: BACKPASS_PYTHON=.. and --ignored"]
fn exported_models_predict_the_same_in_onnx_runtime_and_pytorch() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    macro_rules! imported {
        ($($module:ident: $model:expr),+ $(,)?) => {
            $(export::<_, generated::$module::Sample>(folder, stringify!($module), generated::$module::NETWORK, &$model);)+
        };
    }
    let model = |name: &str| read_onnx(name).unwrap().model;
    let values = |name: &str, line: &str, framework| {
        safetensors::read(&file(name), &Network::from_line(line).unwrap(), framework, None).unwrap().model
    };
    imported! {
        mlp: model("mlp.onnx"),
        signal: model("signal.onnx"),
        image: model("image.onnx"),
        named: model("named.onnx"),
        gru: model("gru.onnx"),
        lstm: model("lstm.onnx"),
        rnn: model("rnn_legacy.onnx"),
        activations: model("activations.onnx"),
        norm: model("norm.onnx"),
        prelu: model("prelu.onnx"),
        residual: model("residual.onnx"),
        residual_batch_norm: read_residual(Some(&residual_names())).unwrap().model,
        image_batch_norm: values(
            "image.safetensors",
            "2x8x9 conv2d(4,3x2,2,padding=1,bias=no) batchnorm(0.001) relu6 depthwise(3,padding=1) relu averagepool(2) dense(3) softmax",
            backpass_sim::formats::Framework::PyTorch,
        ),
        keras: values(
            "keras.safetensors",
            "3x10 conv1d(4,3) relu gru(5,sequence) lstm(4,sequence) dense(6) tanh batchnorm(0.001) dense(2)",
            backpass_sim::formats::Framework::Keras,
        ),
    }

    type Steps = (Gru<5, Sequence>, LayerNorm, Lstm<4, Sequence>, Rnn<3, Sequence>, Gru<4>, Dense<2>);
    let line = "3x12 gru(5,sequence) layernorm lstm(4,sequence) rnn(3,sequence) gru(4) dense(2)";
    learned::<Steps, Signal<12, 3>>(
        folder,
        "steps",
        line,
        (Gru::new(), LayerNorm::new(), Lstm::new(), Rnn::new(), Gru::new(), Dense::new()),
    );
    // Padding that is not the same on both sides, windows that overlap.
    type Pads = (
        Conv2d<Image<5, 4, 4>, 3, 2>,
        LeakyRelu,
        DepthwiseConv2d<Image<5, 4, 4>, 2>,
        AveragePool<Image<3, 2, 4>, 3, 2>,
        GlobalMaxPool,
        Dense<3>,
        LogSoftmax,
    );
    let line = "2x9x7 conv2d(4,3,2,padding=same) leakyrelu depthwise(2,padding=same) averagepool(3,2,padding=same) \
                globalmaxpool dense(3) logsoftmax";
    let network: Pads = (
        Conv2d::new(),
        LeakyRelu::new(),
        DepthwiseConv2d::new(),
        AveragePool::new(),
        GlobalMaxPool,
        Dense::new(),
        LogSoftmax,
    );
    learned::<Pads, Image<9, 7, 2>>(folder, "pads", line, network);
    // A causal convolution, dilated.
    type Causal = (
        Conv1d<Signal<16, 4>, 3, 1, Bias, 2>,
        Relu,
        DepthwiseConv1d<Signal<8, 4>, 3, 2>,
        MaxPool<Signal<3, 4>, 3, 2>,
        Flatten<12>,
        Dense<2>,
    );
    let line = "3x16 conv1d(4,3,dilation=2,padding=4:0) relu depthwise(3,2,padding=same) maxpool(3,2) dense(2)";
    let network: Causal =
        (Conv1d::new().padding(4), Relu, DepthwiseConv1d::new(), MaxPool::new(), Flatten, Dense::new());
    learned::<Causal, Signal<16, 3>>(folder, "causal", line, network);

    residual_networks(folder);

    let python = std::env::var("BACKPASS_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/formats.py");
    let output = Command::new(&python).arg(script).arg("check").arg(folder).output().unwrap_or_else(|error| {
        panic!("{python}: {error}");
    });
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

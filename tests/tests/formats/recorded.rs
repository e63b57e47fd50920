//! What PyTorch and Keras have trained predicts here what it predicts there.

use backpass::{Inference, Layer, Tensor};
use backpass_sim::formats::{Framework, Imported, Model, safetensors, source};
use backpass_sim::network::Network;

use super::generated;
use super::harness::{
    TOLERANCE, bits, difference, file, flat, frozen_predictions, predictions, read_onnx, read_residual, residual_names,
    samples,
};

fn read_safetensors(name: &str, line: &str, framework: Framework) -> Imported {
    let network = Network::from_line(line).unwrap();
    safetensors::read(&file(name), &network, framework, None).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Holds an imported model against the framework's outputs and against the source file that was written of it.
fn agrees<N, X>(name: &str, imported: &Imported, origin: &str, network: N, params: &'static N::Params, text: &str)
where
    N: Layer<X> + Inference<X> + Copy,
    X: Tensor + Copy,
    N::Output: Tensor,
{
    let samples = samples::<X>(name);
    let inputs: Vec<_> = samples.iter().map(|(input, _)| *input).collect();
    let found = predictions(network, &imported.model, &inputs);
    let difference = difference(&found, &samples);
    println!("{name:12} {:40} {difference:.1e}", imported.model.network());
    assert!(difference <= TOLERANCE, "{name}: {difference}");
    // The compiler reads every number of the source as it was.
    assert_eq!(bits(&flat(params)), bits(&imported.model.flat()), "{name}");
    assert_eq!(source::write(&imported.model, origin), text, "{name}: `formats.py source` writes it anew");
    assert_eq!(frozen_predictions(network, params, &inputs), found, "{name}: from flash");
    // Every parameter is in the table, none twice but the biases that are added.
    let parameters = imported.model.network().parameters();
    assert!(parameters.iter().all(|parameter| imported.rows.iter().any(|row| row.parameter == parameter.name)));
}

macro_rules! source {
    ($name:literal) => {
        include_str!(concat!("../../data/formats/", $name, ".rs"))
    };
}

/// A model that both exporters have written, whose values are in a safetensors file too.
macro_rules! model {
    ($test:ident, $name:literal, $module:ident, [$($onnx:literal),+], $line:literal, $torch:literal) => {
        #[test]
        fn $test() {
            let torch = read_safetensors(concat!($name, ".safetensors"), $torch, Framework::PyTorch);
            let files = [$($onnx),+];
            for onnx in files {
                let imported = read_onnx(onnx).unwrap_or_else(|error| panic!("{onnx}: {error}"));
                assert_eq!(imported.model.network().to_string(), $line, "{onnx}");
                let (network, params) = (generated::$module::NETWORK, &generated::$module::PARAMETERS);
                agrees::<_, generated::$module::Sample>($name, &imported, files[0], network, params, source!($name));
                // The same values from both files, where the same layers are in both.
                assert_eq!(bits(&imported.model.flat()), bits(&torch.model.flat()), "{onnx}");
            }
        }
    };
    ($test:ident, $name:literal, $module:ident, [$($onnx:literal),+], $line:literal) => {
        model!($test, $name, $module, [$($onnx),+], $line, $line);
    };
}

model!(a_perceptron, "mlp", mlp, ["mlp.onnx", "mlp_legacy.onnx"], "6 dense(5) relu dense(3)");
model!(
    channels_go_last_behind_a_flatten,
    "signal",
    signal,
    ["signal.onnx", "signal_legacy.onnx"],
    "3x20 conv1d(4,5) relu maxpool(2) flatten dense(6) tanh dense(4)"
);
model!(
    names_of_a_users_own_and_a_mean,
    "named",
    named,
    ["named.onnx", "named_legacy.onnx"],
    "2x12 conv1d(4,3,padding=1) relu conv1d(6,3,2) relu globalaveragepool dense(5) relu dense(2) logsoftmax"
);
model!(the_last_state_of_a_gru, "gru", gru, ["gru.onnx", "gru_legacy.onnx"], "3x7 gru(5) dense(2)");
model!(the_state_of_an_lstm, "lstm", lstm, ["lstm.onnx", "lstm_legacy.onnx"], "3x7 lstm(5) dense(2)");
model!(a_plain_recurrent_layer, "rnn", rnn, ["rnn_legacy.onnx"], "3x7 rnn(5,bias=no) dense(2)");
model!(
    activations_as_operators_and_as_formulas,
    "activations",
    activations,
    ["activations.onnx", "activations_legacy.onnx"],
    "4 dense(6) gelu dense(6) silu dense(6) mish dense(6) hardswish dense(6) hardsigmoid dense(6) softplus dense(6) softsign \
     dense(6) elu dense(6) selu leakyrelu(0.2) sigmoid softmax"
);
model!(
    layer_normalisation,
    "norm",
    norm,
    ["norm.onnx"],
    "5 dense(8) layernorm(0.00001) relu dense(2)",
    "5 dense(8) layernorm relu dropout(0.25) dense(2)"
);

model!(
    slopes_that_are_learned,
    "prelu",
    prelu,
    ["prelu.onnx", "prelu_legacy.onnx"],
    "2x8 conv1d(3,3) prelu flatten dense(4) prelu(shared) dense(2)"
);

#[test]
fn an_image_with_its_batch_normalisation_folded() {
    for name in ["image.onnx", "image_legacy.onnx"] {
        let imported = read_onnx(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let line =
            "2x8x9 conv2d(4,3x2,2,padding=1) relu6 depthwise(3,padding=1) relu averagepool(2) flatten dense(3) softmax";
        assert_eq!(imported.model.network().to_string(), line, "{name}");
        let expected = samples::<generated::image::Sample>("image");
        let inputs: Vec<_> = expected.iter().map(|(input, _)| *input).collect();
        let found = predictions(generated::image::NETWORK, &imported.model, &inputs);
        assert!(difference(&found, &expected) <= TOLERANCE, "{name}");
    }
    let imported = read_onnx("image.onnx").unwrap();
    let (network, params) = (generated::image::NETWORK, &generated::image::PARAMETERS);
    agrees::<_, generated::image::Sample>("image", &imported, "image.onnx", network, params, source!("image"));
}

#[test]
fn a_residual_network_with_its_batch_normalisation_folded() {
    let line = "2x8x6 conv2d(3,3,padding=1) relu residual(conv2d(3,3,padding=1) relu conv2d(3,3,padding=1)) relu \
                residual(conv2d(4,3,2,padding=1) relu conv2d(4,3,padding=1) | conv2d(4,1,2)) relu globalaveragepool dense(3)";
    for name in ["residual.onnx", "residual_legacy.onnx"] {
        let imported = read_onnx(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(imported.model.network().to_string(), line, "{name}");
        let expected = samples::<generated::residual::Sample>("residual");
        let inputs: Vec<_> = expected.iter().map(|(input, _)| *input).collect();
        let found = predictions(generated::residual::NETWORK, &imported.model, &inputs);
        assert!(difference(&found, &expected) <= TOLERANCE, "{name}");
    }
    let imported = read_onnx("residual.onnx").unwrap();
    let (network, params) = (generated::residual::NETWORK, &generated::residual::PARAMETERS);
    agrees::<_, generated::residual::Sample>(
        "residual",
        &imported,
        "residual.onnx",
        network,
        params,
        source!("residual"),
    );
}

#[test]
fn a_residual_network_with_its_running_statistics() {
    // Three normalisations of one block have the same shapes, and names of a user's own.
    let open = read_residual(None).unwrap_err().to_string();
    assert!(open.contains("block2.bn1") && open.contains("layer 5 (4.0.1)") && open.contains("--names"), "{open}");
    let imported = read_residual(Some(&residual_names())).unwrap();
    let (network, params) = (generated::residual_batch_norm::NETWORK, &generated::residual_batch_norm::PARAMETERS);
    agrees::<_, generated::residual_batch_norm::Sample>(
        "residual",
        &imported,
        "residual.safetensors",
        network,
        params,
        source!("residual_batch_norm"),
    );
    // Written with names in the order of the layers, it needs none.
    let (file, _) = safetensors::write(&imported.model).unwrap();
    let back = safetensors::read(&file, imported.model.network(), Framework::PyTorch, None).unwrap();
    assert_eq!(bits(&back.model.flat()), bits(&imported.model.flat()));
}

#[test]
fn an_image_with_its_running_statistics() {
    let line = "2x8x9 conv2d(4,3x2,2,padding=1,bias=no) batchnorm(0.001) relu6 depthwise(3,padding=1) relu averagepool(2) \
                dense(3) softmax";
    let imported = read_safetensors("image.safetensors", line, Framework::PyTorch);
    assert!(imported.notes.is_empty() || imported.notes[0].contains("num_batches_tracked"), "{:?}", imported.notes);
    let (network, params) = (generated::image_batch_norm::NETWORK, &generated::image_batch_norm::PARAMETERS);
    agrees::<_, generated::image_batch_norm::Sample>(
        "image",
        &imported,
        "image.safetensors",
        network,
        params,
        source!("image_batch_norm"),
    );
}

#[test]
fn keras_passes_straight() {
    let line = "3x10 conv1d(4,3) relu gru(5,sequence) lstm(4,sequence) dense(6) tanh batchnorm(0.001) dense(2)";
    let imported = read_safetensors("keras.safetensors", line, Framework::Keras);
    let (network, params) = (generated::keras::NETWORK, &generated::keras::PARAMETERS);
    agrees::<_, generated::keras::Sample>("keras", &imported, "keras.safetensors", network, params, source!("keras"));
}

#[test]
fn what_goes_out_comes_in_again_bit_for_bit() {
    let lines = [
        (
            "keras.safetensors",
            Framework::Keras,
            "3x10 conv1d(4,3) relu gru(5,sequence) lstm(4,sequence) dense(6) tanh batchnorm(0.001) dense(2)",
        ),
        ("signal.safetensors", Framework::PyTorch, "3x20 conv1d(4,5) relu maxpool(2) flatten dense(6) tanh dense(4)"),
        (
            "image.safetensors",
            Framework::PyTorch,
            "2x8x9 conv2d(4,3x2,2,padding=1,bias=no) batchnorm(0.001) relu6 depthwise(3,padding=1) relu averagepool(2) dense(3) softmax",
        ),
    ];
    for (name, framework, line) in lines {
        let model: Model = read_safetensors(name, line, framework).model;
        let (file, rows) = safetensors::write(&model).unwrap();
        assert_eq!(safetensors::network_of(&file).as_ref(), Some(model.network()));
        let back = safetensors::read(&file, model.network(), Framework::PyTorch, None).unwrap();
        assert_eq!(bits(&back.model.flat()), bits(&model.flat()), "{name}");
        assert_eq!(rows.len(), back.rows.len());
        assert_eq!(safetensors::write(&back.model).unwrap().0, file, "{name}");
    }
    // PyTorch's own file, but for the order of bytes that is nobody's business: every tensor has its bits again.
    let original = file("signal.safetensors");
    let (written, _) = safetensors::write(&read_safetensors(lines[1].0, lines[1].2, lines[1].1).model).unwrap();
    for name in ["0.weight", "0.bias", "4.weight", "4.bias", "6.weight", "6.bias"] {
        let tensor = |file: &[u8]| bits(&super::harness::floats(file, name));
        assert_eq!(tensor(&original), tensor(&written), "{name}");
    }
}

//! Normalisation: `reference/cases/norm.py`.

use backpass::{
    BatchNorm, BatchNormParams, Conv1d, Conv2d, Dense, DepthwiseConv2d, Flatten, GroupNorm, Image, InstanceNorm, Layer,
    LayerNorm, Linear, NoBias, Params, Pass, Relu, Relu6, RmsNorm, Signal, Tanh, Tensor, Zero,
};

use crate::harness::{Reference, area, case};

/// A normalisation divides by a standard deviation that is a small difference of its inputs, so their roundings weigh more;
/// then the statistics are sums over all inputs, with a rounding each.
const TOLERANCE: f64 = 2e-5;

fn layer(r: &mut Reference<'_>) {
    let norm = LayerNorm::new();
    case::<[f32; 1]>(r, "layer/1").mse((norm,));
    case::<[f32; 7]>(r, "layer/7").mse((norm,));
    case::<Signal<5, 3>>(r, "layer/signal 5x3").mse((norm,));
    case::<Image<2, 3, 4>>(r, "layer/image 2x3x4").mse((LayerNorm { epsilon: 0.5 },));
    case::<Signal<3, 5>>(r, "layer/behind relu").mse((Relu, norm, Tanh));
    let network = (Dense::<9>::new(), norm, Relu, Dense::<6>::new(), norm, Dense::<3>::new());
    case::<[f32; 4]>(r, "layer/network").class(network);
}

fn rms(r: &mut Reference<'_>) {
    let norm = RmsNorm::new();
    case::<[f32; 1]>(r, "rms/1").mse((RmsNorm { epsilon: 0.5 },));
    case::<[f32; 7]>(r, "rms/7").mse((norm,));
    case::<Signal<5, 3>>(r, "rms/signal 5x3").mse((RmsNorm { epsilon: 0.25 },));
    case::<Image<2, 3, 4>>(r, "rms/image 2x3x4").mse((norm,));
    case::<Signal<3, 5>>(r, "rms/behind relu").mse((Relu, RmsNorm { epsilon: 0.125 }, Tanh));
    case::<[f32; 4]>(r, "rms/network").class((Dense::<9>::new(), norm, Relu, Dense::<3>::new()));
}

fn group(r: &mut Reference<'_>) {
    case::<[f32; 6]>(r, "group/6 in 2").mse((GroupNorm::<2>::new(),));
    case::<Signal<7, 1>>(r, "group/1 in 1").mse((GroupNorm::<1>::new(),));
    case::<Signal<5, 4>>(r, "group/signal 5x4 in 2").mse((GroupNorm::<2>::new(),));
    case::<Image<3, 2, 6>>(r, "group/image 3x2x6 in 3").mse((GroupNorm::<3> { epsilon: 0.5 },));
    case::<Signal<3, 4>>(r, "group/behind relu").mse((Relu, GroupNorm::<1>::new(), Tanh));
    case::<Image<4, 5, 1>>(r, "group/network").class((
        Conv2d::<Image<2, 3, 4>, 3>::new(),
        GroupNorm::<2>::new(),
        Relu,
        Flatten::<24>,
        Dense::<3>::new(),
    ));
}

fn instance(r: &mut Reference<'_>) {
    case::<Signal<7, 1>>(r, "instance/signal 7x1").mse((InstanceNorm::new(),));
    case::<Signal<5, 3>>(r, "instance/signal 5x3").mse((InstanceNorm { epsilon: 0.5 },));
    case::<Image<3, 2, 4>>(r, "instance/image 3x2x4").mse((InstanceNorm::new(),));
    case::<Signal<6, 2>>(r, "instance/behind relu").mse((Relu, InstanceNorm::new(), Tanh));
    case::<Signal<7, 2>>(r, "instance/network").class((
        Conv1d::<Signal<5, 3>, 3, 1, NoBias>::new(),
        InstanceNorm::new(),
        Relu,
        Flatten::<15>,
        Dense::<3>::new(),
    ));
}

fn batch(r: &mut Reference<'_>) {
    let norm = BatchNorm::fixed();
    case::<[f32; 1]>(r, "batch/1").mse((norm,));
    case::<[f32; 7]>(r, "batch/7").mse((norm,));
    case::<Signal<5, 3>>(r, "batch/signal 5x3").mse((norm,));
    case::<Image<2, 3, 4>>(r, "batch/image 2x3x4").mse((BatchNorm { epsilon: 0.5, ..norm },));
    case::<Signal<3, 5>>(r, "batch/behind relu6").mse((Relu6, norm, Tanh));
    case::<Image<6, 5, 1>>(r, "batch/network").class((
        Conv2d::<Image<4, 3, 4>, 3, 1, NoBias>::new(),
        norm,
        Relu,
        DepthwiseConv2d::<Image<2, 1, 4>, 3>::new(),
        norm,
        Relu,
        Flatten::<8>,
        Dense::<3>::new(),
    ));
}

/// A linear layer with a batch normalisation behind it, both as they are; then folded into `folded`: its parameters are those of
/// PyTorch's own folding, and its output that of both.
fn fold<X, L, F, W, const C: usize>(r: &mut Reference<'_>, name: &str, layer: L, norm: BatchNorm, folded: F)
where
    X: Tensor,
    L: Layer<X, Output: Tensor<Channels = [f32; C]>> + Copy,
    F: Layer<X, Output = L::Output, Params = Linear<W, [f32; C]>>,
    W: Tensor,
{
    let name = format!("fold/{name}");
    case::<X>(r, &name).mse((layer, norm));

    let mut case = case::<X>(r, &name);
    let (linear, params): (L::Params, BatchNormParams<[f32; C]>) = case.init(None);
    let mut fused = Linear { weight: W::ZERO, bias: [0.0; C] };
    linear.visit(None, &mut |name, values| match name.last() {
        "weight" => fused.weight.flat_mut().copy_from_slice(values),
        _ => fused.bias.copy_from_slice(values),
    });
    norm.fold(&params, &mut fused);
    let outputs: [L::Output; 3] = case.reference.rows(&case.path("output"));
    for (input, output) in case.inputs.iter().zip(outputs) {
        let (mut x, mut tape) = (*input, Zero::ZERO);
        let y = folded.forward(&fused, &mut x, &mut tape, Pass::Predicting);
        case.reference.compare(&case.path("folded output"), y.flat(), output.flat());
    }
    for (part, ours) in [("weight", fused.weight.flat()), ("bias", &fused.bias)] {
        let theirs = r.floats(&format!("{name}/fused {part}"), ours.len());
        r.compare(&format!("{name}, {part}"), ours, &theirs);
    }
}

fn folds(r: &mut Reference<'_>) {
    let norm = BatchNorm::fixed();
    fold::<[f32; 5], _, _, _, _>(r, "dense", Dense::<4>::new(), norm, Dense::<4>::new());
    fold::<[f32; 3], _, _, _, _>(r, "dense without bias", Dense::<7, NoBias>::new(), norm, Dense::<7>::new());
    let layer = Conv1d::<Signal<3, 3>, 3, 2>::new();
    fold::<Signal<7, 2>, _, _, _, _>(r, "conv1d", layer, norm, layer);
    let layer = Conv2d::<Image<3, 4, 5>, 3>::new();
    fold::<Image<3, 4, 2>, _, _, _, _>(r, "conv2d", layer, BatchNorm { epsilon: 0.25, ..norm }, layer);
    let layer = DepthwiseConv2d::<Image<2, 1, 4>, 3>::new();
    fold::<Image<4, 3, 4>, _, _, _, _>(r, "depthwise", layer, norm, layer);
}

#[test]
fn normalisations_agree_with_pytorch() {
    area(include_bytes!("../../reference/norm.safetensors"), TOLERANCE, |r| {
        layer(r);
        rms(r);
        group(r);
        instance(r);
        batch(r);
        folds(r);
    });
}

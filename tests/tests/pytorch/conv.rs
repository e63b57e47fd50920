//! Convolutions: `reference/cases/conv.py`.

use backpass::{
    Bias, BiasOnly, Conv1d, Conv2d, Dense, DepthwiseConv1d, DepthwiseConv2d, Flatten, Image, Linear, LinearLayer,
    NoBias, Relu, Signal, Tensor, Zero,
};

use crate::harness::{Case, Reference, TOLERANCE, area, case};

fn signals(r: &mut Reference<'_>) {
    case::<Signal<7, 1>>(r, "conv1d/valid 7x1 k3").mse((Conv1d::<Signal<5, 2>, 3>::new(),));
    case::<Signal<9, 3>>(r, "conv1d/same 9x3 k3").mse((Conv1d::<Signal<9, 5>, 3>::new(),));
    case::<Signal<8, 2>>(r, "conv1d/same 8x2 k4").mse((Conv1d::<Signal<8, 3>, 4>::new(),));
    case::<Signal<9, 2>>(r, "conv1d/same 9x2 k5 s2").mse((Conv1d::<Signal<5, 4>, 5, 2>::new(),));
    case::<Signal<8, 2>>(r, "conv1d/same 8x2 k3 s2").mse((Conv1d::<Signal<4, 3>, 3, 2>::new(),));
    case::<Signal<8, 2>>(r, "conv1d/padding 8x2 k3 s2").mse((Conv1d::<Signal<4, 3>, 3, 2>::new().padding(1),));
    case::<Signal<11, 2>>(r, "conv1d/valid 11x2 k3 s3").mse((Conv1d::<Signal<3, 9>, 3, 3>::new(),));
    case::<Signal<12, 2>>(r, "conv1d/dilated 12x2 k3 d2").mse((Conv1d::<Signal<8, 3>, 3, 1, Bias, 2>::new(),));
    case::<Signal<9, 1>>(r, "conv1d/dilated same 9x1 k3 d3").mse((Conv1d::<Signal<9, 4>, 3, 1, Bias, 3>::new(),));
    case::<Signal<14, 2>>(r, "conv1d/dilated 14x2 k3 s2 d3").mse((Conv1d::<Signal<4, 3>, 3, 2, Bias, 3>::new(),));
    case::<Signal<15, 2>>(r, "conv1d/dilated 15x2 k4 s4 d2").mse((Conv1d::<Signal<3, 3>, 4, 4, Bias, 2>::new(),));
    let causal = Conv1d::<Signal<6, 3>, 3, 1, Bias, 2>::new().padding(4);
    case::<Signal<6, 2>>(r, "conv1d/causal 6x2 k3 d2").mse((causal,));
    case::<Signal<5, 2>>(r, "conv1d/full 5x2 k3").mse((Conv1d::<Signal<7, 3>, 3>::new(),));
    case::<Signal<5, 3>>(r, "conv1d/pointwise 5x3").mse((Conv1d::<Signal<5, 6>, 1>::new(),));
    case::<Signal<7, 3>>(r, "conv1d/pointwise 7x3 s2").mse((Conv1d::<Signal<4, 5>, 1, 2>::new(),));
    case::<Signal<1, 1>>(r, "conv1d/one element").mse((Conv1d::<Signal<1, 1>, 1>::new(),));
    case::<Signal<1, 1>>(r, "conv1d/one element k3").mse((Conv1d::<Signal<1, 1>, 3>::new(),));
    let outside = Conv1d::<Signal<4, 3>, 3>::new().padding(3);
    case::<Signal<4, 2>>(r, "conv1d/window outside 4x2 k3").mse((outside,));
    case::<Signal<7, 2>>(r, "conv1d/in a row").mse((
        Conv1d::<Signal<7, 5>, 3>::new(),
        Conv1d::<Signal<4, 3>, 3, 2>::new(),
        Conv1d::<Signal<4, 2>, 1>::new(),
    ));
    case::<Signal<6, 3>>(r, "conv1d/without bias").mse((Conv1d::<Signal<4, 4>, 3, 1, NoBias>::new(),));
    case::<Signal<13, 3>>(r, "conv1d/network").class((
        Conv1d::<Signal<7, 8>, 5, 2>::new(),
        Relu,
        Conv1d::<Signal<5, 4>, 3>::new(),
        Relu,
        Flatten::<20>,
        Dense::<3>::new(),
    ));
}

fn images(r: &mut Reference<'_>) {
    case::<Image<5, 5, 1>>(r, "conv2d/valid 5x5x1 k3").mse((Conv2d::<Image<3, 3, 2>, 3>::new(),));
    case::<Image<5, 4, 3>>(r, "conv2d/same 5x4x3 k3").mse((Conv2d::<Image<5, 4, 4>, 3>::new(),));
    case::<Image<6, 6, 2>>(r, "conv2d/same 6x6x2 k3 s2").mse((Conv2d::<Image<3, 3, 5>, 3, 2>::new(),));
    let padded = Conv2d::<Image<3, 3, 5>, 3, 2>::new().padding(1, 1);
    case::<Image<6, 6, 2>>(r, "conv2d/padding 6x6x2 k3 s2").mse((padded,));
    case::<Image<7, 5, 2>>(r, "conv2d/same 7x5x2 k3 s2").mse((Conv2d::<Image<4, 3, 5>, 3, 2>::new(),));
    let rectangular = Conv2d::<Image<3, 3, 3>, 4, 1, Bias, 3>::new();
    case::<Image<6, 5, 2>>(r, "conv2d/rectangular 6x5x2 k4x3").mse((rectangular,));
    let rectangular = Conv2d::<Image<5, 5, 6>, 5, 2, Bias, 2, 1>::new();
    case::<Image<9, 5, 1>>(r, "conv2d/rectangular same 9x5x1 k5x2 s2x1").mse((rectangular,));
    let dilated = Conv2d::<Image<3, 3, 3>, 3, 1, Bias, 3, 1, 2>::new();
    case::<Image<7, 7, 2>>(r, "conv2d/dilated 7x7x2 k3 d2").mse((dilated,));
    let dilated = Conv2d::<Image<5, 3, 3>, 2, 1, Bias, 3, 1, 3, 2>::new();
    case::<Image<8, 7, 1>>(r, "conv2d/dilated 8x7x1 k2x3 d3x2").mse((dilated,));
    let dilated = Conv2d::<Image<3, 3, 3>, 3, 2, Bias, 3, 2, 2>::new();
    case::<Image<9, 9, 1>>(r, "conv2d/dilated 9x9x1 k3 s2 d2").mse((dilated,));
    case::<Image<3, 2, 5>>(r, "conv2d/pointwise 3x2x5").mse((Conv2d::<Image<3, 2, 9>, 1>::new(),));
    case::<Image<5, 5, 3>>(r, "conv2d/pointwise 5x5x3 s2").mse((Conv2d::<Image<3, 3, 4>, 1, 2>::new(),));
    case::<Image<1, 1, 1>>(r, "conv2d/one element").mse((Conv2d::<Image<1, 1, 1>, 1>::new(),));
    case::<Image<1, 1, 1>>(r, "conv2d/one element k3").mse((Conv2d::<Image<1, 1, 2>, 3>::new(),));
    case::<Image<4, 4, 1>>(r, "conv2d/in a row")
        .mse((Conv2d::<Image<4, 4, 5>, 3>::new(), Conv2d::<Image<2, 2, 2>, 3>::new()));
    case::<Image<4, 5, 2>>(r, "conv2d/without bias").mse((Conv2d::<Image<2, 3, 3>, 3, 1, NoBias>::new(),));
    case::<Image<5, 5, 1>>(r, "conv2d/network").class((
        Conv2d::<Image<5, 5, 8>, 3>::new(),
        Relu,
        Conv2d::<Image<3, 3, 5>, 3>::new(),
        Relu,
        Conv2d::<Image<3, 3, 4>, 1>::new(),
        Relu,
        Flatten::<36>,
        Dense::<3>::new(),
    ));
}

fn depthwise(r: &mut Reference<'_>) {
    case::<Signal<7, 1>>(r, "depthwise1d/7x1 k3").mse((DepthwiseConv1d::<Signal<5, 1>, 3>::new(),));
    case::<Signal<8, 9>>(r, "depthwise1d/same 8x9 k3 s2").mse((DepthwiseConv1d::<Signal<4, 9>, 3, 2>::new(),));
    let dilated = DepthwiseConv1d::<Signal<5, 3>, 3, 1, NoBias, 2>::new();
    case::<Signal<9, 3>>(r, "depthwise1d/dilated 9x3 k3 d2").mse((dilated,));
    case::<Image<5, 5, 1>>(r, "depthwise2d/5x5x1 k3").mse((DepthwiseConv2d::<Image<3, 3, 1>, 3>::new(),));
    case::<Image<4, 5, 11>>(r, "depthwise2d/same 4x5x11 k3").mse((DepthwiseConv2d::<Image<4, 5, 11>, 3>::new(),));
    case::<Image<6, 6, 8>>(r, "depthwise2d/same 6x6x8 k3 s2").mse((DepthwiseConv2d::<Image<3, 3, 8>, 3, 2>::new(),));
    let rectangular = DepthwiseConv2d::<Image<3, 3, 3>, 3, 1, NoBias, 2>::new();
    case::<Image<5, 4, 3>>(r, "depthwise2d/rectangular 5x4x3 k3x2").mse((rectangular,));
    case::<Image<5, 5, 2>>(r, "depthwise2d/network").class((
        Conv2d::<Image<3, 3, 9>, 3>::new(),
        Relu,
        DepthwiseConv2d::<Image<3, 3, 9>, 3>::new(),
        Relu,
        Conv2d::<Image<3, 3, 4>, 1>::new(),
        Relu,
        Flatten::<36>,
        Dense::<3>::new(),
    ));
}

/// Stage `stage` of the case's network with PyTorch's weight, which lives as long as the program, as in flash.
fn fixed<X: Tensor, Y: Tensor, L: LinearLayer<Y>>(
    case: &mut Case<'_, '_, X>,
    stage: usize,
    layer: L,
) -> BiasOnly<L, Y> {
    let mut weight = L::Weight::ZERO;
    let name = case.path(&format!("init/{stage}.weight"));
    weight.flat_mut().copy_from_slice(&case.reference.floats(&name, L::Weight::LEN));
    BiasOnly::new(layer, Box::leak(Box::new(Linear { weight, bias: L::Bias::ZERO })))
}

/// A network of one layer that learns its bias alone.
fn bias_only_alone<X: Tensor, L: LinearLayer<X> + Copy>(r: &mut Reference<'_>, name: &str, layer: L) {
    let mut case = case::<X>(r, name);
    let layer = fixed::<X, X, L>(&mut case, 0, layer);
    case.mse((layer,));
}

fn bias_only(r: &mut Reference<'_>) {
    bias_only_alone::<[f32; 5], _>(r, "bias only/dense 5x7", Dense::<7>::new());
    bias_only_alone::<Signal<1, 1>, _>(r, "bias only/one element", Conv1d::<Signal<1, 1>, 1>::new());
    let strided = Conv1d::<Signal<4, 3>, 3, 2>::new().padding(1);
    bias_only_alone::<Signal<8, 2>, _>(r, "bias only/conv1d 8x2 k3 s2", strided);
    bias_only_alone::<Image<4, 5, 2>, _>(r, "bias only/conv2d same 4x5x2 k3", Conv2d::<Image<4, 5, 3>, 3>::new());
    bias_only_alone::<Image<3, 2, 5>, _>(r, "bias only/pointwise 3x2x5", Conv2d::<Image<3, 2, 7>, 1>::new());
    bias_only_alone::<Signal<7, 9>, _>(r, "bias only/depthwise1d 7x9 k3", DepthwiseConv1d::<Signal<5, 9>, 3>::new());
    let depthwise = DepthwiseConv2d::<Image<3, 2, 3>, 3>::new();
    bias_only_alone::<Image<5, 4, 3>, _>(r, "bias only/depthwise2d 5x4x3 k3", depthwise);

    let mut case = case::<Image<5, 5, 1>>(r, "bias only/network");
    let first = fixed::<_, Image<5, 5, 1>, _>(&mut case, 0, Conv2d::<Image<5, 5, 6>, 3>::new());
    let second = fixed::<_, Image<5, 5, 6>, _>(&mut case, 2, DepthwiseConv2d::<Image<3, 3, 6>, 3>::new());
    let last = fixed::<_, [f32; 36], _>(&mut case, 7, Dense::<3>::new());
    case.class((first, Relu, second, Relu, Conv2d::<Image<3, 3, 4>, 1>::new(), Relu, Flatten::<36>, last));
}

#[test]
fn convolutions_agree_with_pytorch() {
    area(include_bytes!("../../reference/conv.safetensors"), TOLERANCE, |r| {
        signals(r);
        images(r);
        depthwise(r);
        bias_only(r);
    });
}

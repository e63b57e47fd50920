//! Activations, dropout, embedding, reshape, scale and pad: `reference/cases/activations.py`.

use backpass::{
    Conv2d, Dense, Dropout, Elu, Embedding, Flatten, Gelu, GeluTanh, HardSigmoid, HardSwish, Identity, Image,
    InputGradient, Layer, LeakyRelu, LogSoftmax, Mish, PRelu, Pad, Pass, Relu, Relu6, Reshape, Scale, Selu, Shared,
    Sigmoid, Signal, Silu, Softmax, Softplus, Softsign, Tanh, Tensor,
};

use crate::harness::{Reference, TOLERANCE, area, case};

/// An activation alone, in a network, first and last, and behind ReLU.
fn activation<A>(r: &mut Reference<'_>, name: &str, layer: A)
where
    A: Copy
        + Layer<[[f32; 3]; 5], Output = [[f32; 3]; 5]>
        + Layer<[f32; 1], Output = [f32; 1]>
        + Layer<[f32; 6], Output = [f32; 6]>
        + Layer<[f32; 7], Output = [f32; 7]>
        + Layer<[f32; 9], Output = [f32; 9]>,
{
    case::<[[f32; 3]; 5]>(r, format!("{name}/alone")).mse((layer,));
    case::<[[f32; 3]; 5]>(r, format!("{name}/wide")).mse((layer,));
    case::<[f32; 1]>(r, format!("{name}/1-1")).mse((Dense::<1>::new(), layer));
    case::<[f32; 5]>(r, format!("{name}/5-7-3")).class((Dense::<7>::new(), layer, Dense::<3>::new()));
    case::<[f32; 4]>(r, format!("{name}/behind relu")).class((Dense::<9>::new(), Relu, layer, Dense::<2>::new()));
    case::<[f32; 3]>(r, format!("{name}/relu last")).mse((Dense::<6>::new(), Relu, layer));
}

/// A layer behind a ReLU6 that is open, closed and saturated.
fn behind_relu6<A: Copy + Layer<[f32; 9], Output: Tensor>>(r: &mut Reference<'_>, name: &str, layer: A) {
    case::<[f32; 3]>(r, format!("behind relu6/{name}")).mse((Dense::<9>::new(), Relu6, layer));
}

fn learned(r: &mut Reference<'_>) {
    case::<[f32; 1]>(r, "prelu/1").mse((PRelu::<Shared>::new(),));
    case::<[f32; 3]>(r, "prelu/5").class((Dense::<5>::new(), PRelu::new() as PRelu, Dense::<2>::new()));
    case::<Signal<4, 3>>(r, "prelu/signal 4x3").mse((PRelu::new() as PRelu,));
    case::<Image<2, 3, 4>>(r, "prelu/image 2x3x4").mse((Tanh, PRelu::new() as PRelu));
    case::<[f32; 3]>(r, "prelu/shared 5").class((Dense::<5>::new(), PRelu::<Shared>::new(), Dense::<2>::new()));
    case::<Image<2, 3, 2>>(r, "prelu/shared 2x3x2").mse((PRelu::<Shared>::new(),));
    case::<[f32; 4]>(r, "embedding/5x3").mse((Embedding::<5, 3>,));
    case::<[f32; 1]>(r, "embedding/1x1").mse((Embedding::<1, 1>,));
    case::<[f32; 3]>(r, "embedding/network").class((Embedding::<9, 2>, Flatten::<6>, Dense::<3>::new()));
}

fn shapes(r: &mut Reference<'_>) {
    case::<[f32; 6]>(r, "reshape/6 to 2x3x1").mse((Reshape::<Image<2, 3, 1>>::new(), Tanh));
    case::<Signal<2, 3>>(r, "reshape/2x3 to 3x2").mse((Relu, Reshape::<Signal<3, 2>>::new(), Tanh));
    case::<[f32; 3]>(r, "reshape/network").class((
        Dense::<4>::new(),
        Reshape::<Image<2, 2, 1>>::new(),
        Conv2d::<Image<1, 1, 2>, 2>::new(),
        Flatten::<2>,
    ));
    let scale = Scale { mean: [1.0, 2.0, 3.0], factor: [0.5, 2.0, 0.25] };
    case::<[f32; 3]>(r, "scale/3").class((scale, Dense::<2>::new()));
    let scale = Scale { mean: [1.0, -2.0], factor: [0.5, 4.0] };
    case::<Signal<4, 2>>(r, "scale/signal 4x2").mse((scale, Tanh));
    case::<Image<2, 2, 1>>(r, "scale/image 2x2x1").mse((Scale { mean: [0.25], factor: [2.0] },));
    case::<Signal<3, 2>>(r, "pad/signal 3x2").mse((Pad::<Signal<6, 2>>::new(0.5),));
    let pad = Pad::<Image<4, 4, 2>>::default();
    case::<Image<2, 3, 2>>(r, "pad/image 2x3x2").mse((pad, Conv2d::<Image<3, 3, 1>, 2>::new()));
    let pad = Pad::<Image<4, 6, 1>>::new(-1.0).before(2, 0);
    case::<Image<2, 3, 1>>(r, "pad/before 2x3x1").mse((Relu, pad));
}

/// Dropout with the mask of `reference/cases/activations.py`, at a place in a network. The loss is the sum of squares.
fn dropout<N: Layer<[[f32; 3]; 7], Output = [[f32; 3]; 7], Params: Default>>(
    r: &mut Reference<'_>,
    name: &str,
    network: N,
    sample: u32,
) {
    let [mut x]: [[[f32; 3]; 7]; 1] = r.rows(&format!("dropout/{name}/input"));
    let [output]: [[[f32; 3]; 7]; 1] = r.rows(&format!("dropout/{name}/output"));
    let [gradient]: [[[f32; 3]; 7]; 1] = r.rows(&format!("dropout/{name}/input_grad"));
    let mut tape = backpass::Zero::ZERO;
    let y = network.forward(&N::Params::default(), &mut x, &mut tape, Pass::training(sample));
    r.compare(&format!("dropout {name}, output"), y.flat(), output.flat());
    y.flat_mut().iter_mut().for_each(|y| *y *= 2.0);
    network.backward(&N::Params::default(), &mut x, &mut tape, None, InputGradient::Full);
    r.compare(&format!("dropout {name}, input gradient"), x.flat(), gradient.flat());
}

#[test]
fn activations_agree_with_pytorch() {
    area(include_bytes!("../../reference/activations.safetensors"), TOLERANCE, |r| {
        activation(r, "relu6", Relu6);
        activation(r, "elu", Elu::new());
        activation(r, "elu 0.5", Elu { alpha: 0.5 });
        activation(r, "selu", Selu::new());
        activation(r, "hard sigmoid", HardSigmoid::new());
        activation(r, "softplus", Softplus::new());
        activation(r, "softplus 3", Softplus { beta: 3.0 });
        activation(r, "softsign", Softsign);
        activation(r, "silu", Silu);
        activation(r, "hard swish", HardSwish);
        activation(r, "gelu", Gelu);
        activation(r, "gelu tanh", GeluTanh);
        activation(r, "mish", Mish);
        activation(r, "softmax", Softmax);
        activation(r, "log softmax", LogSoftmax);
        behind_relu6(r, "dense", Dense::<2>::new());
        behind_relu6(r, "tanh", Tanh);
        behind_relu6(r, "sigmoid", Sigmoid);
        behind_relu6(r, "leaky", LeakyRelu { slope: 0.2 });
        behind_relu6(r, "silu", Silu);
        behind_relu6(r, "relu", Relu);
        behind_relu6(r, "softmax", Softmax);
        behind_relu6(r, "conv", (Reshape::<Image<3, 3, 1>>::new(), Conv2d::<Image<2, 2, 2>, 2>::new()));
        learned(r);
        shapes(r);
        dropout(r, "a", (Dropout::new(0.5),), 0);
        dropout(r, "b", (Identity, Identity, Identity, Dropout::new(0.2)), 7);
        dropout(r, "c", (Identity, Dropout { rate: 0.9, seed: 5 }), 123_456);
    });
}

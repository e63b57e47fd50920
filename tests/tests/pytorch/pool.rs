//! Pools: `reference/cases/pool.py`.

use backpass::{
    AveragePool, Conv1d, Conv2d, Dense, Flatten, GlobalAveragePool, GlobalMaxPool, Image, Layer, MaxPool, Pad, Relu,
    Relu6, Scale, Sigmoid, Signal, Tanh,
};

use crate::harness::{Reference, TOLERANCE, area, case};

/// The pools of every kind of stride, window and shape: `$pool` is the maximum or the mean.
macro_rules! windows {
    ($name:ident, $kind:literal, $pool:ident) => {
        fn $name(r: &mut Reference<'_>) {
            let name = |case: &str| format!(concat!($kind, "/{}"), case);
            case::<Signal<1, 1>>(r, name("one element")).mse(($pool::<Signal<1, 1>, 1>::new(),));
            case::<Signal<7, 3>>(r, name("signal 7x3 k2")).mse(($pool::<Signal<3, 3>, 2>::new(),));
            case::<Signal<9, 2>>(r, name("signal 9x2 k3 s2")).mse(($pool::<Signal<4, 2>, 3, 2>::new(),));
            case::<Signal<6, 1>>(r, name("signal 6x1 k3 s1")).mse(($pool::<Signal<4, 1>, 3, 1>::new(),));
            case::<Signal<8, 2>>(r, name("signal 8x2 k2 s3")).mse(($pool::<Signal<3, 2>, 2, 3>::new(),));
            case::<Image<4, 4, 3>>(r, name("image 4x4x3 k2")).mse(($pool::<Image<2, 2, 3>, 2>::new(),));
            case::<Image<5, 7, 1>>(r, name("image 5x7x1 k3 s2")).mse(($pool::<Image<2, 3, 1>, 3, 2>::new(),));
            let rectangular = $pool::<Image<2, 3, 2>, 3, 2, 2, 1>::new();
            case::<Image<5, 4, 2>>(r, name("image 5x4x2 k3x2 s2x1")).mse((rectangular,));
            let rectangular = $pool::<Image<2, 2, 1>, 2, 1, 3, 4>::new();
            case::<Image<3, 7, 1>>(r, name("image 3x7x1 k2x3 s1x4")).mse((rectangular,));
            case::<Signal<9, 2>>(r, name("ties 9x2 k3 s2")).mse(($pool::<Signal<4, 2>, 3, 2>::new(),));
            case::<Image<5, 5, 1>>(r, name("ties 5x5x1 k3 s1")).mse(($pool::<Image<3, 3, 1>, 3, 1>::new(),));
            case::<Signal<6, 2>>(r, name("behind relu")).mse((Tanh, Relu, $pool::<Signal<4, 2>, 3, 1>::new()));
            let saturated = (large::<2>(), Relu6, $pool::<Image<3, 3, 2>, 2, 1>::new());
            case::<Image<4, 4, 2>>(r, name("behind relu6")).mse(saturated);
            let gated = ($pool::<Image<2, 2, 2>, 2>::new(), Relu, Sigmoid);
            case::<Image<4, 4, 2>>(r, name("before relu")).mse(gated);
            case::<Signal<12, 2>>(r, name("network of signals")).class((
                Conv1d::<Signal<10, 5>, 3>::new(),
                Relu,
                $pool::<Signal<5, 5>, 2>::new(),
                Conv1d::<Signal<5, 4>, 1>::new(),
                $pool::<Signal<3, 4>, 3, 1>::new(),
                Flatten::<12>,
                Dense::<3>::new(),
            ));
            case::<Image<5, 5, 1>>(r, name("network of images")).class((
                Conv2d::<Image<5, 5, 4>, 3>::new(),
                Relu6,
                $pool::<Image<2, 2, 4>, 2>::new(),
                Relu,
                Flatten::<16>,
                Dense::<3>::new(),
            ));
        }
    };
}

windows!(maxima, "max", MaxPool);
windows!(means, "average", AveragePool);

/// Scales, so that ReLU6 saturates.
fn large<const C: usize>() -> Scale<C> {
    Scale { mean: [0.0; C], factor: [5.0; C] }
}

/// A pool over all positions.
fn all<P>(r: &mut Reference<'_>, kind: &str, pool: P)
where
    P: Copy
        + Layer<Signal<1, 1>, Output = [f32; 1]>
        + Layer<Signal<7, 1>, Output = [f32; 1]>
        + Layer<Signal<4, 3>, Output = [f32; 3]>
        + Layer<Image<3, 5, 1>, Output = [f32; 1]>
        + Layer<Image<2, 3, 4>, Output = [f32; 4]>
        + Layer<Image<3, 3, 2>, Output = [f32; 2]>
        + Layer<Image<3, 2, 6>, Output = [f32; 6]>,
{
    case::<Signal<1, 1>>(r, format!("all {kind}/one element")).mse((pool,));
    case::<Signal<7, 1>>(r, format!("all {kind}/signal 7x1")).mse((pool,));
    case::<Signal<4, 3>>(r, format!("all {kind}/signal 4x3")).mse((pool,));
    case::<Image<3, 5, 1>>(r, format!("all {kind}/image 3x5x1")).mse((pool,));
    case::<Image<2, 3, 4>>(r, format!("all {kind}/image 2x3x4")).mse((pool,));
    case::<Image<3, 3, 2>>(r, format!("all {kind}/behind relu6")).mse((large::<2>(), Relu6, pool));
    let network = (Conv2d::<Image<3, 2, 6>, 3>::new(), Relu, pool, Dense::<3>::new());
    case::<Image<5, 4, 2>>(r, format!("all {kind}/network")).class(network);
}

#[test]
fn pools_agree_with_pytorch() {
    area(include_bytes!("../../reference/pool.safetensors"), TOLERANCE, |r| {
        maxima(r);
        means(r);
        all(r, "max", GlobalMaxPool);
        all(r, "average", GlobalAveragePool);
        let padded = (Pad::<Signal<8, 2>>::new(f32::NEG_INFINITY), MaxPool::<Signal<3, 2>, 3, 2>::new());
        case::<Signal<6, 2>>(r, "max/padded 6x2 k3 s2").mse(padded);
        let padded = (Pad::<Image<6, 6, 1>>::default(), AveragePool::<Image<3, 3, 1>, 2>::new());
        case::<Image<4, 5, 1>>(r, "average/padded 4x5x1 k2").mse(padded);
    });
}

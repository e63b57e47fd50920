//! Means over windows: `reference/cases/average_pool.py`.

use backpass::{AveragePool, Conv2d, Dense, Flatten, Image, Relu, Signal};

use crate::harness::{TOLERANCE, area, case};

#[test]
fn average_pools_are_pytorch_s() {
    area(include_bytes!("../../reference/average_pool.safetensors"), TOLERANCE, |r| {
        case::<Signal<6, 3>>(r, "signal 6x3, 2, 1").mse((AveragePool::<Signal<5, 3>, 2, 1>::new(),));
        case::<Signal<4, 2>>(r, "signal 4x2, 3, 3, padded 1").mse((AveragePool::<Signal<2, 2>, 3>::new(),));
        case::<Signal<7, 1>>(r, "signal 7x1, 4, 1, padded 2").mse((AveragePool::<Signal<8, 1>, 4, 1>::new(),));
        case::<Image<5, 4, 2>>(r, "image 5x4x2, 3, 1, padded 1").mse((AveragePool::<Image<5, 4, 2>, 3, 1>::new(),));
        case::<Image<7, 5, 3>>(r, "image 7x5x3, 3, 2, padded 1").mse((AveragePool::<Image<4, 3, 3>, 3, 2>::new(),));
        let around = AveragePool::<Image<3, 3, 1>, 3, 2>::new().padding(1, 1);
        case::<Image<6, 6, 1>>(r, "image 6x6x1, 3, 2, padded 1").mse((around,));
        case::<Image<5, 5, 2>>(r, "image 5x5x2, 2, 2, padded behind").mse((AveragePool::<Image<3, 3, 2>, 2>::new(),));
        let columns = AveragePool::<Image<4, 3, 2>, 1, 1, 3, 2>::new().padding(0, 1);
        case::<Image<4, 6, 2>>(r, "image 4x6x2, 1x3, 1x2, padded 0x1").mse((columns,));
        case::<Image<5, 5, 1>>(r, "in a network").class((
            Conv2d::<Image<5, 5, 3>, 3>::new(),
            Relu,
            AveragePool::<Image<3, 3, 3>, 3, 2>::new(),
            Flatten::<27>,
            Dense::<3>::new(),
        ));
    });
}

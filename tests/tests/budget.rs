//! The RAM of training, as the compiler knows it.

use backpass::{
    Adam, BiasOnly, Conv2d, CrossEntropy, Dense, Flatten, Frozen, FrozenPrefix, GlobalAveragePool, Image, Inference,
    Layer, LeakyRelu, Learner, Memory, Momentum, NoBias, Optimizer, Params, Relu, Sgd, Sigmoid, Tanh, Tensor,
    TrainableLast,
};

/// 64 inputs, 32 hidden units with ReLU, 10 classes.
type Digits = (Dense<32>, Relu, Dense<10>);

/// The counters of samples, the optimizer's own state and alignment.
const REST: usize = 64;

// The requirement, checked by the compiler as in a user's program.
const _: () = assert!(size_of::<Memory<Digits, [f32; 64], Sgd>>() <= 9640 + 9640 + 424 + REST);
const _: () = assert!(size_of::<Memory<Digits, [f32; 64], Momentum>>() <= 3 * 9640 + 424 + REST);
const _: () = assert!(size_of::<Memory<Digits, [f32; 64], Adam>>() <= 4 * 9640 + 424 + REST);

#[test]
fn the_digits_network_takes_weights_gradients_activations_and_little_else() {
    type Ram = Memory<Digits, [f32; 64], Sgd>;
    assert_eq!(<Digits as Layer<[f32; 64]>>::Params::COUNT, 2410);
    assert_eq!(Ram::PARAMETERS, 9640);
    assert_eq!(Ram::GRADIENTS, 9640);
    assert_eq!(Ram::MOMENTS, 0);
    assert_eq!(Ram::ACTIVATIONS, 424);
    assert_eq!(Ram::TOTAL, size_of::<Ram>());
    println!("{:?}, {} bytes in all", Ram::new(), Ram::TOTAL);
}

/// Checks one network under one optimizer: its size is known in advance, but for the rest.
fn check<N: Layer<X>, X: Tensor, O: Optimizer>(moments: usize, parameters: usize, activations: usize) {
    let parts = Memory::<N, X, O>::PARTS;
    let names = parts.map(|(name, _)| name);
    assert_eq!(names, ["parameters", "gradients", "moments", "activations", "counters"]);
    let [params, gradients, moment_bytes, activation_bytes, rest] = parts.map(|(_, bytes)| bytes);
    assert_eq!((params, gradients, moment_bytes), (4 * parameters, 4 * parameters, moments * 4 * parameters));
    assert_eq!(activation_bytes, 4 * activations);
    assert!(rest <= REST, "{rest} bytes of counters");
    let total = params + gradients + moment_bytes + activation_bytes + rest;
    assert_eq!(total, size_of::<Memory<N, X, O>>());
    assert_eq!(total, Memory::<N, X, O>::TOTAL);
}

/// The same with every optimizer: 0, 1 and 2 moments a parameter.
fn check_all<N: Layer<X>, X: Tensor>(parameters: usize, activations: usize) {
    check::<N, X, Sgd>(0, parameters, activations);
    check::<N, X, Momentum>(1, parameters, activations);
    check::<N, X, Adam>(2, parameters, activations);
}

#[test]
fn the_parts_add_up_for_every_optimizer() {
    check_all::<Digits, [f32; 64]>(64 * 32 + 32 + 32 * 10 + 10, 64 + 32 + 10);
    check_all::<Dense<1>, [f32; 1]>(2, 2);
    check_all::<(Dense<3, NoBias>,), [f32; 5]>(15, 5 + 3);
    check_all::<(Tanh,), [[f32; 3]; 5]>(0, 15 + 15);
}

#[test]
fn layers_in_place_keep_nothing_and_the_others_one_output_each() {
    type InPlace = (Relu, Flatten<12>, Dense<4>, Relu);
    check_all::<InPlace, [[[f32; 2]; 2]; 3]>(12 * 4 + 4, 12 + 4);
    type Kept = (Dense<8>, Tanh, Dense<7>, Sigmoid, Dense<3>, LeakyRelu);
    check_all::<Kept, [f32; 4]>(4 * 8 + 8 + 8 * 7 + 7 + 7 * 3 + 3, 4 + 2 * 8 + 2 * 7 + 2 * 3);
}

#[test]
fn nesting_costs_nothing() {
    type Nested = ((Dense<32>, Relu), ((Dense<10>,),));
    assert_eq!(size_of::<Memory<Nested, [f32; 64], Adam>>(), size_of::<Memory<Digits, [f32; 64], Adam>>());
}

#[test]
fn the_learner_adds_a_reference_and_its_settings_only() {
    type WithSgd<'m> = Learner<'m, Digits, [f32; 64], CrossEntropy, Sgd>;
    type WithAdam<'m> = Learner<'m, Digits, [f32; 64], CrossEntropy, Adam>;
    // Three settings of 4 bytes, and six, filled up to a reference's alignment.
    let with_settings = |bytes: usize| (size_of::<&()>() + bytes).next_multiple_of(align_of::<&()>());
    assert_eq!(size_of::<WithSgd<'_>>(), with_settings(12));
    assert_eq!(size_of::<WithAdam<'_>>(), with_settings(24));
}

/// A grey image of 16 by 16.
type Photo = Image<16, 16, 1>;
/// Seven convolutions, the first three at the image's own size.
type Body = (
    (Conv2d<Image<16, 16, 8>, 3>, Relu),
    (Conv2d<Image<16, 16, 8>, 3>, Relu),
    (Conv2d<Image<16, 16, 8>, 3>, Relu),
    (Conv2d<Image<8, 8, 16>, 3, 2>, Relu),
    (Conv2d<Image<8, 8, 16>, 3>, Relu),
    (Conv2d<Image<4, 4, 32>, 3, 2>, Relu),
    (Conv2d<Image<4, 4, 32>, 3>, Relu),
    GlobalAveragePool,
);
type Head = Dense<4>;
/// The body with its weights in flash, learning its biases.
type Biases = (
    (BiasOnly<Conv2d<Image<16, 16, 8>, 3>, Photo>, Relu),
    (BiasOnly<Conv2d<Image<16, 16, 8>, 3>, Image<16, 16, 8>>, Relu),
    (BiasOnly<Conv2d<Image<16, 16, 8>, 3>, Image<16, 16, 8>>, Relu),
    (BiasOnly<Conv2d<Image<8, 8, 16>, 3, 2>, Image<16, 16, 8>>, Relu),
    (BiasOnly<Conv2d<Image<8, 8, 16>, 3>, Image<8, 8, 16>>, Relu),
    (BiasOnly<Conv2d<Image<4, 4, 32>, 3, 2>, Image<8, 8, 16>>, Relu),
    (BiasOnly<Conv2d<Image<4, 4, 32>, 3>, Image<4, 4, 32>>, Relu),
    GlobalAveragePool,
);

/// Weights and biases of the body, its biases alone, and the head's parameters.
const BODY: usize = (9 * 8 + 2 * 9 * 8 * 8 + 9 * 8 * 16 + 9 * 16 * 16 + 9 * 16 * 32 + 9 * 32 * 32) + BODY_BIASES;
const BODY_BIASES: usize = 3 * 8 + 2 * 16 + 2 * 32;
const HEAD: usize = 32 * 4 + 4;
/// The image, and the output of each layer of the body and the head.
const TAPE: usize = 256 + 3 * 2048 + 2 * 1024 + 2 * 512 + 32 + 4;
/// The largest activation.
const LARGEST: usize = 16 * 16 * 8;

#[test]
fn layers_that_do_not_learn_take_no_ram_and_a_frozen_prefix_two_buffers() {
    fn row<N: Layer<Photo>>(what: &str, parameters: usize, activations: usize) {
        check_all::<N, Photo>(parameters, activations);
        type Ram<N> = Memory<N, Photo, Adam>;
        let parts = Ram::<N>::PARTS.map(|(_, bytes)| bytes);
        let [params, gradients, moments, activations, _] = parts;
        println!("{what:<38} {params:>7} {gradients:>9} {moments:>7} {activations:>11} {:>7}", Ram::<N>::TOTAL);
    }
    let titles = ("what learns, with Adam: bytes of", "weights", "gradients", "moments", "activations", "all");
    println!("{:<38} {:>7} {:>9} {:>7} {:>11} {:>7}", titles.0, titles.1, titles.2, titles.3, titles.4, titles.5);
    row::<(Body, Head)>("all of it", BODY + HEAD, TAPE);
    row::<(Biases, Head)>("the body's biases and the head", BODY_BIASES + HEAD, TAPE);
    row::<(Frozen<Body, Photo>, Head)>("the head, body frozen", HEAD, TAPE);
    type Prefix = FrozenPrefix<Body, Photo, LARGEST>;
    row::<(Prefix, Head)>("the head, body a frozen prefix", HEAD, 256 + 2 * LARGEST + 4);
    type Net = (Body, Head);
    row::<TrainableLast<1, Net, Photo, LARGEST>>("the same, as the trainable last stage", HEAD, 256 + 2 * LARGEST + 4);

    // The buffers are as large as the largest activation, and no larger.
    assert_eq!(<Body as Inference<Photo>>::BUFFER, LARGEST);
    // The longer the prefix, the more it saves: another layer of any size within costs nothing.
    type Longer = (Body, Dense<1000>, Relu, Dense<2000>);
    assert_eq!(<Longer as Inference<Photo>>::BUFFER, LARGEST);
    assert_eq!(size_of::<<FrozenPrefix<Longer, Photo, LARGEST> as Layer<Photo>>::Tape>(), 4 * 2 * LARGEST);
}

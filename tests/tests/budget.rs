//! The RAM of training, as the compiler knows it.

use backpass::{
    Adam, CrossEntropy, Dense, Flatten, Layer, LeakyRelu, Learner, Memory, Momentum, NoBias, Optimizer, Params, Relu,
    Sgd, Sigmoid, Tanh, Tensor,
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

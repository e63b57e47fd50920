//! Dense layers, the first activations, flatten, the first losses, nested networks and mini-batches, with plain, momentum
//! and adaptive descent: `reference/cases/basic.py`.

use backpass::{
    Adam, CrossEntropy, Dense, Flatten, Layer, LeakyRelu, Loss, MeanSquaredError, Momentum, NoBias, Relu, Sgd, Sigmoid,
    Tanh, Tensor,
};

use crate::harness::{Case, Reference, SAMPLES, TOLERANCE, area, case};

/// A case with every rule of `reference/cases/basic.py`.
fn check<X, N, L, T>(case: Case<'_, '_, X>, network: N, loss: L, targets: [T; SAMPLES], batch: usize)
where
    X: Tensor,
    N: Layer<X, Output: Tensor> + Copy,
    L: Loss<N::Output, T> + Copy,
{
    case.check(network, loss, targets, batch, |steps| {
        steps.check("sgd", Sgd::new(0.1));
        steps.check("sgd, decay", Sgd::new(0.1).weight_decay(0.2));
        steps.check("momentum", Momentum::new(0.05, 0.9));
        steps.check("nesterov", Momentum::new(0.05, 0.9).nesterov());
        steps.check("momentum, decay", Momentum::new(0.05, 0.8).weight_decay(0.3));
        steps.check("adam", Adam::new(0.01));
        steps.check("adam, other", Adam { beta1: 0.7, beta2: 0.95, epsilon: 1e-3, ..Adam::new(0.02) });
        steps.check("adamw", Adam::new(0.01).weight_decay(0.5));
    });
}

fn class<X, N, const C: usize>(r: &mut Reference<'_>, name: impl Into<String>, network: N)
where
    X: Tensor,
    N: Layer<X, Output = [f32; C]> + Copy,
{
    class_in_batches::<X, N, C>(r, name, network, 1);
}

fn class_in_batches<X, N, const C: usize>(r: &mut Reference<'_>, name: impl Into<String>, network: N, batch: usize)
where
    X: Tensor,
    N: Layer<X, Output = [f32; C]> + Copy,
{
    let mut case = case::<X>(r, name);
    let targets = case.classes();
    check(case, network, CrossEntropy, targets, batch);
}

fn soft<X, N, const C: usize>(r: &mut Reference<'_>, name: impl Into<String>, network: N)
where
    X: Tensor,
    N: Layer<X, Output = [f32; C]> + Copy,
{
    let mut case = case::<X>(r, name);
    let targets: [[f32; C]; SAMPLES] = case.targets();
    check(case, network, CrossEntropy, targets, 1);
}

fn mse<X: Tensor, N: Layer<X, Output: Tensor> + Copy>(r: &mut Reference<'_>, name: impl Into<String>, network: N) {
    mse_in_batches::<X, N>(r, name, network, 1);
}

fn mse_in_batches<X, N>(r: &mut Reference<'_>, name: impl Into<String>, network: N, batch: usize)
where
    X: Tensor,
    N: Layer<X, Output: Tensor> + Copy,
{
    let mut case = case::<X>(r, name);
    let targets: [N::Output; SAMPLES] = case.targets();
    check(case, network, MeanSquaredError, targets, batch);
}

const fn dense<const O: usize>() -> Dense<O> {
    Dense::new()
}

const fn without_bias<const O: usize>() -> Dense<O, NoBias> {
    Dense::new()
}

fn dense_cases(r: &mut Reference<'_>) {
    mse::<[f32; 1], _>(r, "dense/1-1", dense::<1>());
    class::<[f32; 3], _, _>(r, "dense/3-5", dense::<5>());
    soft::<[f32; 7], _, _>(r, "dense/7-2", (dense::<2>(),));
    mse::<[f32; 9], _>(r, "dense/9-13", (dense::<13>(),));
    mse::<[f32; 1], _>(r, "dense without bias/1-1", without_bias::<1>());
    class::<[f32; 5], _, _>(r, "dense without bias/5-3", without_bias::<3>());
    soft::<[f32; 2], _, _>(r, "dense without bias/2-7", (without_bias::<7>(),));
    mse::<[f32; 3], _>(r, "dense without bias/3-4-1", (without_bias::<4>(), without_bias::<1>()));
}

/// An activation alone, inside a network, and directly before each loss.
fn activation_cases<A>(r: &mut Reference<'_>, name: &str, activation: A)
where
    A: Copy
        + Layer<[[f32; 3]; 5], Output = [[f32; 3]; 5]>
        + Layer<[f32; 1], Output = [f32; 1]>
        + Layer<[f32; 5], Output = [f32; 5]>
        + Layer<[f32; 7], Output = [f32; 7]>
        + Layer<[f32; 9], Output = [f32; 9]>,
{
    mse::<[[f32; 3]; 5], _>(r, format!("{name}/alone"), (activation,));
    mse::<[f32; 1], _>(r, format!("{name}/1-1"), (dense::<1>(), activation));
    class::<[f32; 5], _, _>(r, format!("{name}/5-7-3"), (dense::<7>(), activation, dense::<3>()));
    soft::<[f32; 2], _, _>(r, format!("{name}/2-9-4"), (dense::<9>(), activation, without_bias::<4>()));
    class::<[f32; 3], _, _>(r, format!("{name}/3-5 class"), (dense::<5>(), activation));
    soft::<[f32; 3], _, _>(r, format!("{name}/3-5 soft"), (dense::<5>(), activation));
    mse::<[f32; 3], _>(r, format!("{name}/3-5 mse"), (dense::<5>(), activation));
}

/// ReLU, then another activation: the zeros of the closed gates pass through it.
fn chain_cases<A>(r: &mut Reference<'_>, name: &str, activation: A)
where
    A: Copy
        + Layer<[f32; 1], Output = [f32; 1]>
        + Layer<[f32; 5], Output = [f32; 5]>
        + Layer<[f32; 6], Output = [f32; 6]>,
{
    mse::<[f32; 5], _>(r, format!("relu-{name}/alone"), (Relu, activation));
    mse::<[f32; 1], _>(r, format!("relu-{name}/1-1"), (dense::<1>(), Relu, activation));
    class::<[f32; 4], _, _>(r, format!("relu-{name}/4-6-3"), (dense::<6>(), Relu, activation, dense::<3>()));
    soft::<[f32; 3], _, _>(r, format!("relu-{name}/3-5"), (dense::<5>(), Relu, activation));
}

fn flatten_cases(r: &mut Reference<'_>) {
    class::<[[f32; 1]; 1], _, _>(r, "flatten/signal 1x1", (Flatten::<1>, dense::<2>()));
    class::<[[f32; 3]; 4], _, _>(r, "flatten/signal 4x3", (Flatten::<12>, dense::<5>()));
    mse::<[[f32; 1]; 7], _>(r, "flatten/signal 7x1", (Tanh, Flatten::<7>, dense::<3>()));
    soft::<[[[f32; 1]; 1]; 1], _, _>(r, "flatten/image 1x1x1", (Flatten::<1>, dense::<3>()));
    class::<[[[f32; 2]; 2]; 3], _, _>(r, "flatten/image 3x2x2", (Flatten::<12>, dense::<4>(), Relu, dense::<2>()));
    soft::<[[[f32; 1]; 3]; 2], _, _>(r, "flatten/image 2x3x1", (Relu, Flatten::<6>, dense::<3>()));
}

fn loss_cases(r: &mut Reference<'_>) {
    class::<[f32; 3], _, _>(r, "class/2", (dense::<2>(),));
    class::<[f32; 4], _, _>(r, "class/10", (dense::<10>(),));
    soft::<[f32; 3], _, _>(r, "soft/1", (dense::<1>(),));
    soft::<[f32; 4], _, _>(r, "soft/10", (dense::<10>(),));
    soft::<[f32; 5], _, _>(r, "any/3", (dense::<3>(),));
    soft::<[f32; 2], _, _>(r, "any/11", (dense::<11>(),));
    mse::<[[[f32; 2]; 1]; 3], _>(r, "mse/3x1x2", (Tanh, LeakyRelu { slope: 0.2 }));
    mse::<[f32; 4], _>(r, "mse/9", (dense::<9>(),));
}

fn network_cases(r: &mut Reference<'_>) {
    class::<[f32; 4], _, _>(r, "nested/first", ((dense::<5>(), Relu), dense::<3>()));
    soft::<[f32; 3], _, _>(r, "nested/one in one", (((dense::<2>(),),),));
    mse::<[f32; 3], _>(r, "nested/last", (dense::<4>(), (Tanh, dense::<5>(), (Relu, dense::<1>()))));
    let sixteen = (
        dense::<5>(),
        Tanh,
        dense::<7>(),
        Relu,
        without_bias::<4>(),
        Sigmoid,
        dense::<8>(),
        LeakyRelu { slope: 0.2 },
        dense::<3>(),
        Tanh,
        dense::<6>(),
        Relu,
        Tanh,
        dense::<5>(),
        LeakyRelu::new(),
        dense::<4>(),
    );
    class::<[f32; 6], _, _>(r, "sixteen stages/class", sixteen);
    mse::<[f32; 6], _>(r, "sixteen stages/mse", sixteen);
    class_in_batches::<[f32; 5], _, _>(r, "batch/class", (dense::<6>(), Relu, dense::<3>()), 4);
    mse_in_batches::<[f32; 3], _>(r, "batch/mse", (dense::<7>(), Tanh, dense::<2>()), 4);
}

#[test]
fn basic_cases_agree_with_pytorch() {
    area(include_bytes!("../../reference/basic.safetensors"), TOLERANCE, |r| {
        dense_cases(r);
        activation_cases(r, "relu", Relu);
        activation_cases(r, "leaky 0.01", LeakyRelu::new());
        activation_cases(r, "leaky 0.2", LeakyRelu { slope: 0.2 });
        activation_cases(r, "sigmoid", Sigmoid);
        activation_cases(r, "tanh", Tanh);
        chain_cases(r, "sigmoid", Sigmoid);
        chain_cases(r, "tanh", Tanh);
        chain_cases(r, "leaky", LeakyRelu { slope: 0.2 });
        chain_cases(r, "relu", Relu);
        flatten_cases(r);
        loss_cases(r);
        network_cases(r);
    });
}

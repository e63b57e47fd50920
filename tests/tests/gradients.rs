//! Every gradient against central differences of an independent model in f64, for random values in many shapes.

use backpass::{
    CrossEntropy, Dense, Flatten, InputGradient, Layer, LeakyRelu, Learner, Loss, MeanSquaredError, Memory, NoBias,
    Params, Pass, Relu, Sgd, Sigmoid, Tanh, Tensor, Zero,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;

/// A stage of the f64 model, written from the definitions and sharing nothing with the library.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Linear { outputs: usize, bias: bool },
    Relu,
    LeakyRelu(f64),
    Sigmoid,
    Tanh,
}

use Stage::Linear;

/// A loss of the f64 model with its target.
#[derive(Debug)]
enum Goal {
    Class(usize),
    Soft(Vec<f64>),
    Values(Vec<f64>),
}

/// What the f64 model computes.
struct Evaluation {
    loss: f64,
    /// The smallest magnitude that met a kink (of ReLU or leaky ReLU): a difference taken across one is no derivative.
    kink: f64,
}

fn evaluate(stages: &[Stage], goal: &Goal, params: &[f64], input: &[f64]) -> Evaluation {
    let (mut x, mut params, mut kink) = (input.to_vec(), params, f64::INFINITY);
    // Elements that are a constant zero since a ReLU closed: no small change moves them, so a kink there does not matter.
    let mut closed = vec![false; x.len()];
    for stage in stages {
        if matches!(stage, Stage::Relu | Stage::LeakyRelu(_)) {
            kink = x.iter().zip(&closed).filter(|(_, closed)| !**closed).fold(kink, |kink, (x, _)| kink.min(x.abs()));
        }
        match *stage {
            Linear { outputs, bias } => {
                let weight = params.split_off(..x.len() * outputs).unwrap();
                let mut y = if bias { params.split_off(..outputs).unwrap().to_vec() } else { vec![0.0; outputs] };
                for (x, row) in x.iter().zip(weight.chunks(outputs)) {
                    y.iter_mut().zip(row).for_each(|(y, w)| *y += x * w);
                }
                closed = vec![false; outputs];
                x = y;
            }
            Stage::Relu => {
                closed.iter_mut().zip(&x).for_each(|(closed, x)| *closed |= *x < 0.0);
                x.iter_mut().for_each(|x| *x = x.max(0.0));
            }
            Stage::LeakyRelu(slope) => x.iter_mut().for_each(|x| *x = x.max(0.0) + slope * x.min(0.0)),
            Stage::Sigmoid => {
                closed.fill(false);
                x.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp()));
            }
            Stage::Tanh => x.iter_mut().for_each(|x| *x = x.tanh()),
        }
    }
    assert!(params.is_empty(), "the model has fewer parameters than the network");
    Evaluation { loss: loss_of(goal, &x), kink }
}

fn loss_of(goal: &Goal, y: &[f64]) -> f64 {
    let log_sum = y.iter().map(|y| y.exp()).sum::<f64>().ln();
    match goal {
        Goal::Class(class) => log_sum - y[*class],
        Goal::Soft(target) => y.iter().zip(target).map(|(y, q)| q * (log_sum - y)).sum(),
        Goal::Values(target) => y.iter().zip(target).map(|(y, t)| (y - t).powi(2)).sum::<f64>() / y.len() as f64,
    }
}

/// dL/dv for every element of `values`; `loss` is the loss as a function of them.
fn differences(values: &[f64], loss: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    // The difference misses the derivative by about h² = 1e-12 for curvature, and by 1e-16 / h = 1e-10 for rounding.
    const H: f64 = 1e-6;
    let mut moved = values.to_vec();
    (0..values.len())
        .map(|i| {
            moved[i] = values[i] + H;
            let above = loss(&moved);
            moved[i] = values[i] - H;
            let below = loss(&moved);
            moved[i] = values[i];
            (above - below) / (2.0 * H)
        })
        .collect()
}

/// Inputs and weights are below 1 in magnitude, and a sum here has at most 15 products of them, so activations are mostly
/// below 3. An f32 rounding is 6e-8 of such a value, and a gradient sums and multiplies some ten: it is off by about 1e-6
/// of the factors it is made of. The absolute part is for gradients that are small differences of larger numbers. In
/// 200,000 cases none was off by more than a quarter of this. A wrong formula is off by much more: by the gradient itself,
/// or by its hundredth for the slope of a leaky ReLU.
fn agrees(ours: f32, difference: f64) -> bool {
    (f64::from(ours) - difference).abs() <= 2e-5 * difference.abs() + 2e-5
}

/// The random numbers of one test case, handed out in order.
#[derive(Debug, Clone)]
struct Values(Vec<f32>);

impl Values {
    fn take(&mut self, count: usize) -> Vec<f32> {
        self.0.drain(..count).collect()
    }

    fn tensor<X: Tensor>(&mut self) -> X {
        let mut x = X::ZERO;
        x.flat_mut().copy_from_slice(&self.take(X::LEN));
        x
    }
}

fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

fn flat<P: Params>(params: &P) -> Vec<f32> {
    let mut all = Vec::new();
    params.visit(None, &mut |_, values| all.extend_from_slice(values));
    all
}

/// Compares parameter gradients (from the learner and from the layer) and the input gradient (from the layer).
fn compare<X, N, L, T>(
    network: N,
    stages: &[Stage],
    loss: L,
    target: &T,
    goal: &Goal,
    mut values: Values,
) -> TestCaseResult
where
    X: Tensor,
    N: Layer<X> + Copy,
    L: Loss<N::Output, T> + Copy,
{
    let mut input: X = values.tensor();
    if matches!(stages.first(), Some(Stage::Relu | Stage::LeakyRelu(_))) {
        // A zero is of use where layers take short cuts, but to these it is the kink.
        input.flat_mut().iter_mut().filter(|x| **x == 0.0).for_each(|x| *x = 0.5);
    }
    let params = values.take(N::Params::COUNT);
    let (x64, params64) = (doubles(input.flat()), doubles(&params));
    // f32 and f64 may fall on different sides of a kink that is nearer than f32's rounding.
    prop_assume!(evaluate(stages, goal, &params64, &x64).kink > 1e-4);
    let by_params = differences(&params64, |params| evaluate(stages, goal, params, &x64).loss);
    let by_input = differences(&x64, |input| evaluate(stages, goal, &params64, input).loss);

    let mut memory = Memory::<N, X, Sgd>::new();
    let mut learner = Learner::new(&mut memory, network, loss, Sgd::new(0.0));
    let mut rest = params.as_slice();
    N::Params::visit_mut([learner.params_mut()], None, &mut |_, [slice]| {
        slice.copy_from_slice(rest.split_off(..slice.len()).unwrap());
    });
    learner.observe(&input, target).unwrap();
    for (i, (ours, difference)) in flat(learner.gradients()).into_iter().zip(&by_params).enumerate() {
        prop_assert!(agrees(ours, *difference), "learner, parameter {i}: {ours}, difference {difference}, {stages:?}");
    }

    let (mut x, mut tape, mut gradients) = (input, N::Tape::ZERO, N::Params::ZERO);
    let y = network.forward(learner.params(), &mut x, &mut tape, Pass::training(0));
    loss.gradient(y, target, N::output_gradient(InputGradient::Full));
    network.backward(learner.params(), &mut x, &mut tape, Some(&mut gradients), InputGradient::Full);
    for (i, (ours, difference)) in flat(&gradients).into_iter().zip(&by_params).enumerate() {
        prop_assert!(agrees(ours, *difference), "layer, parameter {i}: {ours}, difference {difference}, {stages:?}");
    }
    for (i, (ours, difference)) in x.flat().iter().zip(&by_input).enumerate() {
        prop_assert!(agrees(*ours, *difference), "input {i}: {ours}, difference {difference}, {stages:?}");
    }
    Ok(())
}

/// Mean squared error on an output of any shape.
fn mse<X: Tensor, N: Layer<X, Output: Tensor> + Copy>(net: N, stages: &[Stage], mut values: Values) -> TestCaseResult {
    let target: N::Output = values.tensor();
    let goal = Goal::Values(doubles(target.flat()));
    compare(net, stages, MeanSquaredError, &target, &goal, values)
}

/// Every loss, on a vector.
fn losses<X, N, const C: usize>(network: N, stages: &[Stage], mut values: Values) -> TestCaseResult
where
    X: Tensor,
    N: Layer<X, Output = [f32; C]> + Copy,
{
    mse::<X, N>(network, stages, values.clone())?;
    let class = values.0.first().map_or(0, |value| value.to_bits() as usize % C);
    compare(network, stages, CrossEntropy, &class, &Goal::Class(class), values.clone())?;
    // Between 0 and 1 each, not summing to 1.
    let target: [f32; C] = values.tensor::<[f32; C]>().map(f32::abs);
    compare(network, stages, CrossEntropy, &target, &Goal::Soft(doubles(&target)), values)
}

type Check = fn(Values) -> TestCaseResult;

const fn linear(outputs: usize) -> Stage {
    Linear { outputs, bias: true }
}

const fn without_bias(outputs: usize) -> Stage {
    Linear { outputs, bias: false }
}

/// A dense layer from `I` to `O`.
fn dense<const I: usize, const O: usize>(values: Values) -> TestCaseResult {
    losses::<[f32; I], _, O>(Dense::<O>::new(), &[linear(O)], values)
}

fn dense_without_bias<const I: usize, const O: usize>(values: Values) -> TestCaseResult {
    losses::<[f32; I], _, O>(Dense::<O, NoBias>::new(), &[without_bias(O)], values)
}

/// An activation's type and its stage in the model.
trait Activation: Copy + Default {
    const STAGE: Stage;
}

impl Activation for Relu {
    const STAGE: Stage = Stage::Relu;
}

impl Activation for LeakyRelu {
    const STAGE: Stage = Stage::LeakyRelu(0.01);
}

impl Activation for Sigmoid {
    const STAGE: Stage = Stage::Sigmoid;
}

impl Activation for Tanh {
    const STAGE: Stage = Stage::Tanh;
}

/// An activation alone.
fn alone<A: Activation + Layer<X, Output = X>, X: Tensor>(values: Values) -> TestCaseResult {
    mse::<X, A>(A::default(), &[A::STAGE], values)
}

/// An activation behind a dense layer, directly before the loss.
fn last<A, const I: usize, const O: usize>(values: Values) -> TestCaseResult
where
    A: Activation + Layer<[f32; O], Output = [f32; O]>,
{
    losses::<[f32; I], _, O>((Dense::<O>::new(), A::default()), &[linear(O), A::STAGE], values)
}

/// An activation between two dense layers.
fn hidden<A, const I: usize, const H: usize, const O: usize>(values: Values) -> TestCaseResult
where
    A: Activation + Layer<[f32; H], Output = [f32; H]>,
{
    let network = (Dense::<H>::new(), A::default(), Dense::<O>::new());
    losses::<[f32; I], _, O>(network, &[linear(H), A::STAGE, linear(O)], values)
}

/// ReLU, another activation, then a dense layer or the loss.
fn behind_relu<A, const I: usize, const H: usize, const O: usize>(values: Values) -> TestCaseResult
where
    A: Activation + Layer<[f32; H], Output = [f32; H]>,
{
    let stages = [linear(H), Stage::Relu, A::STAGE, linear(O)];
    let first = (Dense::<H>::new(), Relu, A::default());
    losses::<[f32; I], _, H>(first, &stages[..3], values.clone())?;
    losses::<[f32; I], _, O>((first, Dense::<O>::new()), &stages, values)
}

/// All shapes of an activation.
fn shapes<A>() -> [Check; 10]
where
    A: Activation
        + Layer<[f32; 1], Output = [f32; 1]>
        + Layer<[f32; 2], Output = [f32; 2]>
        + Layer<[f32; 3], Output = [f32; 3]>
        + Layer<[f32; 5], Output = [f32; 5]>
        + Layer<[f32; 7], Output = [f32; 7]>
        + Layer<[f32; 9], Output = [f32; 9]>
        + Layer<[[f32; 3]; 5], Output = [[f32; 3]; 5]>
        + Layer<[[[f32; 2]; 1]; 3], Output = [[[f32; 2]; 1]; 3]>,
{
    [
        alone::<A, [f32; 1]>,
        alone::<A, [f32; 9]>,
        alone::<A, [[f32; 3]; 5]>,
        alone::<A, [[[f32; 2]; 1]; 3]>,
        last::<A, 1, 1>,
        last::<A, 3, 7>,
        last::<A, 6, 2>,
        hidden::<A, 1, 1, 1>,
        hidden::<A, 5, 3, 4>,
        hidden::<A, 2, 9, 5>,
    ]
}

fn flatten<X: Tensor, const N: usize>(values: Values) -> TestCaseResult {
    mse::<X, _>((Flatten::<N>,), &[], values.clone())?;
    losses::<X, _, 3>((Flatten::<N>, Dense::<3>::new()), &[linear(3)], values.clone())?;
    // Behind a ReLU, whose zeros it shows to the dense layer.
    losses::<X, _, 3>((Relu, Flatten::<N>, Dense::<3>::new()), &[Stage::Relu, linear(3)], values)
}

const DENSE: [Check; 9] = [
    dense::<1, 1>,
    dense::<1, 5>,
    dense::<3, 1>,
    dense::<5, 3>,
    dense::<7, 13>,
    dense::<8, 8>,
    dense::<13, 2>,
    dense::<4, 9>,
    dense::<2, 4>,
];

const DENSE_WITHOUT_BIAS: [Check; 7] = [
    dense_without_bias::<1, 1>,
    dense_without_bias::<1, 7>,
    dense_without_bias::<9, 1>,
    dense_without_bias::<3, 5>,
    dense_without_bias::<6, 11>,
    dense_without_bias::<13, 3>,
    dense_without_bias::<8, 4>,
];

const FLATTEN: [Check; 8] = [
    flatten::<[f32; 5], 5>,
    flatten::<[[f32; 1]; 1], 1>,
    flatten::<[[f32; 3]; 4], 12>,
    flatten::<[[f32; 1]; 7], 7>,
    flatten::<[[f32; 9]; 1], 9>,
    flatten::<[[[f32; 1]; 1]; 1], 1>,
    flatten::<[[[f32; 2]; 2]; 3], 12>,
    flatten::<[[[f32; 1]; 3]; 5], 15>,
];

const BEHIND_RELU: [Check; 8] = [
    behind_relu::<Sigmoid, 1, 1, 1>,
    behind_relu::<Sigmoid, 4, 7, 3>,
    behind_relu::<Tanh, 1, 3, 1>,
    behind_relu::<Tanh, 5, 6, 2>,
    behind_relu::<LeakyRelu, 2, 1, 3>,
    behind_relu::<LeakyRelu, 3, 9, 5>,
    behind_relu::<Relu, 7, 5, 1>,
    behind_relu::<Relu, 2, 8, 4>,
];

/// Nested networks, networks that start with activations, and linear layers in a row.
const NETWORKS: [Check; 6] = [
    |values| {
        let network = ((Dense::<5>::new(), Relu), (Dense::<4, NoBias>::new(), (Tanh, Dense::<3>::new())), Sigmoid);
        let stages = [linear(5), Stage::Relu, without_bias(4), Stage::Tanh, linear(3), Stage::Sigmoid];
        losses::<[f32; 3], _, 3>(network, &stages, values)
    },
    |values| {
        let network = (Relu, LeakyRelu { slope: 0.3 }, Flatten::<6>, Tanh, Dense::<5>::new());
        losses::<[[f32; 2]; 3], _, 5>(network, &[Stage::Relu, Stage::LeakyRelu(0.3), Stage::Tanh, linear(5)], values)
    },
    |values| {
        let network = (LeakyRelu { slope: -0.5 }, Sigmoid, Tanh, Dense::<1>::new());
        losses::<[f32; 7], _, 1>(network, &[Stage::LeakyRelu(-0.5), Stage::Sigmoid, Stage::Tanh, linear(1)], values)
    },
    |values| {
        let network = (Dense::<6>::new(), Dense::<3, NoBias>::new(), Dense::<5>::new());
        losses::<[f32; 4], _, 5>(network, &[linear(6), without_bias(3), linear(5)], values)
    },
    |values| {
        let network = (Tanh, Relu, Sigmoid, LeakyRelu { slope: 0.2 });
        mse::<[[f32; 2]; 5], _>(network, &[Stage::Tanh, Stage::Relu, Stage::Sigmoid, Stage::LeakyRelu(0.2)], values)
    },
    |values| {
        let network = (((Dense::<1>::new(),), (Tanh,)), ((Dense::<1>::new(),),));
        losses::<[f32; 1], _, 1>(network, &[linear(1), Stage::Tanh, linear(1)], values)
    },
];

/// Numbers for the largest network here, about one in five exactly zero.
fn values() -> impl Strategy<Value = Values> {
    prop::collection::vec(prop_oneof![1 => Just(0.0_f32), 4 => -1.0_f32..1.0], 192).prop_map(Values)
}

fn pick(checks: &[Check], index: Index, values: Values) -> TestCaseResult {
    index.get(checks)(values)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn dense_gradients_are_those_of_the_model(index: Index, values in values()) {
        pick(&DENSE, index, values)?;
    }

    #[test]
    fn dense_gradients_without_bias_are_those_of_the_model(index: Index, values in values()) {
        pick(&DENSE_WITHOUT_BIAS, index, values)?;
    }

    #[test]
    fn relu_gradients_are_those_of_the_model(index: Index, values in values()) {
        pick(&shapes::<Relu>(), index, values)?;
    }

    #[test]
    fn leaky_relu_gradients_are_those_of_the_model(index: Index, values in values()) {
        pick(&shapes::<LeakyRelu>(), index, values)?;
    }

    #[test]
    fn sigmoid_gradients_are_those_of_the_model(index: Index, values in values()) {
        pick(&shapes::<Sigmoid>(), index, values)?;
    }

    #[test]
    fn tanh_gradients_are_those_of_the_model(index: Index, values in values()) {
        pick(&shapes::<Tanh>(), index, values)?;
    }

    #[test]
    fn flatten_gradients_are_those_of_the_model(index: Index, values in values()) {
        pick(&FLATTEN, index, values)?;
    }

    #[test]
    fn gradients_behind_a_closed_gate_are_those_of_the_model(index: Index, values in values()) {
        pick(&BEHIND_RELU, index, values)?;
    }

    #[test]
    fn gradients_of_composed_networks_are_those_of_the_model(index: Index, values in values()) {
        pick(&NETWORKS, index, values)?;
    }
}

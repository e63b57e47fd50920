//! Dense layers, the first activations, flatten, and networks of them.

use backpass::{Dense, Flatten, Layer, LeakyRelu, NoBias, Relu, Sigmoid, Tanh, Tensor};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;

use crate::harness::{Check, Stage, State, Values, config, losses, mse, pick, values};

/// A fully connected layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Linear {
    pub(crate) outputs: usize,
    pub(crate) bias: bool,
}

impl Stage for Linear {
    fn apply(&self, state: &mut State<'_>) {
        let weight = state.take(state.x.len() * self.outputs);
        let mut y = if self.bias { state.take(self.outputs).to_vec() } else { vec![0.0; self.outputs] };
        for (x, row) in state.x.iter().zip(weight.chunks(self.outputs)) {
            y.iter_mut().zip(row).for_each(|(y, w)| *y += x * w);
        }
        state.set(y, &[self.outputs]);
    }
}

/// The first activations.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Simple {
    Relu,
    LeakyRelu(f64),
    Sigmoid,
    Tanh,
}

impl Stage for Simple {
    fn apply(&self, state: &mut State<'_>) {
        if matches!(self, Self::Relu | Self::LeakyRelu(_)) {
            state.note_kinks_at(0.0);
        }
        match *self {
            Self::Relu => state.map(|x| x.max(0.0)),
            Self::LeakyRelu(slope) => state.map(|x| x.max(0.0) + slope * x.min(0.0)),
            Self::Sigmoid => state.map(|x| 1.0 / (1.0 + (-x).exp())),
            Self::Tanh => state.map(f64::tanh),
        }
    }
}

/// Another shape, the same elements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vector;

impl Stage for Vector {
    fn apply(&self, state: &mut State<'_>) {
        state.shape = vec![state.x.len()];
    }
}

pub(crate) const fn linear(outputs: usize) -> Linear {
    Linear { outputs, bias: true }
}

pub(crate) const fn without_bias(outputs: usize) -> Linear {
    Linear { outputs, bias: false }
}

/// A dense layer from `I` to `O`.
fn dense<const I: usize, const O: usize>(values: Values) -> TestCaseResult {
    losses::<[f32; I], _, O>(Dense::<O>::new(), &[&linear(O)], values)
}

fn dense_without_bias<const I: usize, const O: usize>(values: Values) -> TestCaseResult {
    losses::<[f32; I], _, O>(Dense::<O, NoBias>::new(), &[&without_bias(O)], values)
}

/// An activation's type and its stage in the model.
trait Activation: Copy + Default {
    const STAGE: Simple;
}

impl Activation for Relu {
    const STAGE: Simple = Simple::Relu;
}

impl Activation for LeakyRelu {
    const STAGE: Simple = Simple::LeakyRelu(0.01);
}

impl Activation for Sigmoid {
    const STAGE: Simple = Simple::Sigmoid;
}

impl Activation for Tanh {
    const STAGE: Simple = Simple::Tanh;
}

/// An activation alone.
fn alone<A: Activation + Layer<X, Output = X>, X: Tensor>(values: Values) -> TestCaseResult {
    mse::<X, A>(A::default(), &[&A::STAGE], values)
}

/// An activation behind a dense layer, directly before the loss.
fn last<A, const I: usize, const O: usize>(values: Values) -> TestCaseResult
where
    A: Activation + Layer<[f32; O], Output = [f32; O]>,
{
    losses::<[f32; I], _, O>((Dense::<O>::new(), A::default()), &[&linear(O), &A::STAGE], values)
}

/// An activation between two dense layers.
fn hidden<A, const I: usize, const H: usize, const O: usize>(values: Values) -> TestCaseResult
where
    A: Activation + Layer<[f32; H], Output = [f32; H]>,
{
    let network = (Dense::<H>::new(), A::default(), Dense::<O>::new());
    losses::<[f32; I], _, O>(network, &[&linear(H), &A::STAGE, &linear(O)], values)
}

/// ReLU, another activation, then a dense layer or the loss.
fn behind_relu<A, const I: usize, const H: usize, const O: usize>(values: Values) -> TestCaseResult
where
    A: Activation + Layer<[f32; H], Output = [f32; H]>,
{
    let stages: &[&dyn Stage] = &[&linear(H), &Simple::Relu, &A::STAGE, &linear(O)];
    let first = (Dense::<H>::new(), Relu, A::default());
    losses::<[f32; I], _, H>(first, &stages[..3], values.clone())?;
    losses::<[f32; I], _, O>((first, Dense::<O>::new()), stages, values)
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
    mse::<X, _>((Flatten::<N>,), &[&Vector], values.clone())?;
    losses::<X, _, 3>((Flatten::<N>, Dense::<3>::new()), &[&Vector, &linear(3)], values.clone())?;
    // Behind a ReLU, whose zeros it shows to the dense layer.
    losses::<X, _, 3>((Relu, Flatten::<N>, Dense::<3>::new()), &[&Simple::Relu, &Vector, &linear(3)], values)
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
        let stages: &[&dyn Stage] =
            &[&linear(5), &Simple::Relu, &without_bias(4), &Simple::Tanh, &linear(3), &Simple::Sigmoid];
        losses::<[f32; 3], _, 3>(network, stages, values)
    },
    |values| {
        let network = (Relu, LeakyRelu { slope: 0.3 }, Flatten::<6>, Tanh, Dense::<5>::new());
        losses::<[[f32; 2]; 3], _, 5>(
            network,
            &[&Simple::Relu, &Simple::LeakyRelu(0.3), &Simple::Tanh, &linear(5)],
            values,
        )
    },
    |values| {
        let network = (LeakyRelu { slope: -0.5 }, Sigmoid, Tanh, Dense::<1>::new());
        losses::<[f32; 7], _, 1>(
            network,
            &[&Simple::LeakyRelu(-0.5), &Simple::Sigmoid, &Simple::Tanh, &linear(1)],
            values,
        )
    },
    |values| {
        let network = (Dense::<6>::new(), Dense::<3, NoBias>::new(), Dense::<5>::new());
        losses::<[f32; 4], _, 5>(network, &[&linear(6), &without_bias(3), &linear(5)], values)
    },
    |values| {
        let network = (Tanh, Relu, Sigmoid, LeakyRelu { slope: 0.2 });
        mse::<[[f32; 2]; 5], _>(
            network,
            &[&Simple::Tanh, &Simple::Relu, &Simple::Sigmoid, &Simple::LeakyRelu(0.2)],
            values,
        )
    },
    |values| {
        let network = (((Dense::<1>::new(),), (Tanh,)), ((Dense::<1>::new(),),));
        losses::<[f32; 1], _, 1>(network, &[&linear(1), &Simple::Tanh, &linear(1)], values)
    },
];

proptest! {
    #![proptest_config(config())]

    #[test]
    fn dense_gradients_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&DENSE, index, values)?;
    }

    #[test]
    fn dense_gradients_without_bias_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&DENSE_WITHOUT_BIAS, index, values)?;
    }

    #[test]
    fn relu_gradients_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&shapes::<Relu>(), index, values)?;
    }

    #[test]
    fn leaky_relu_gradients_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&shapes::<LeakyRelu>(), index, values)?;
    }

    #[test]
    fn sigmoid_gradients_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&shapes::<Sigmoid>(), index, values)?;
    }

    #[test]
    fn tanh_gradients_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&shapes::<Tanh>(), index, values)?;
    }

    #[test]
    fn flatten_gradients_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&FLATTEN, index, values)?;
    }

    #[test]
    fn gradients_behind_a_closed_gate_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&BEHIND_RELU, index, values)?;
    }

    #[test]
    fn gradients_of_composed_networks_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&NETWORKS, index, values)?;
    }
}

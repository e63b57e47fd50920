//! Residual connections, concatenation, and layers that do not learn.

use backpass::{
    Concat, Conv1d, Conv2d, Dense, Flatten, Frozen, FrozenPrefix, Identity, Image, Inference, Keep, Layer, LayerNorm,
    MaxPool, MeanSquaredError, Params, Relu, Relu6, Residual, ResidualProjection, Sigmoid, Signal, SplitLast, Tanh,
    Tensor, TrainableLast, trainable_last,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;

use crate::activations::{NOTHING, RELU6};
use crate::basic::{Simple, Vector, linear};
use crate::conv::{Conv, axis, conv1d, conv2d};
use crate::harness::{
    Check, Goal, Stage, State, Values, compare_parameters, config, doubles, losses, mse, pick, put, squares, values,
};
use crate::norm::{EPSILON, Over, normal};
use crate::pool::max;

/// y = F(x) + x.
#[derive(Debug)]
pub(crate) struct Plus<F>(pub(crate) F);

/// y = F(x) + P(x).
#[derive(Debug)]
pub(crate) struct PlusOf<F, P>(pub(crate) F, pub(crate) P);

/// The outputs of both, channel by channel one behind the other.
#[derive(Debug)]
pub(crate) struct Beside<A, B>(pub(crate) A, pub(crate) B);

/// A stage with parameters of its own, which nobody learns.
#[derive(Debug)]
pub(crate) struct Fixed<S>(pub(crate) S, pub(crate) Vec<f64>);

/// Runs both on the same input. Leaves the second's output in `state` and returns the first's: values, constants, shape.
fn both(state: &mut State<'_>, first: &impl Stage, second: &impl Stage) -> (Vec<f64>, Vec<bool>, Vec<usize>) {
    let input = (state.x.clone(), state.constant.clone(), state.shape.clone());
    first.apply(state);
    let output = (state.x.clone(), state.constant.clone(), state.shape.clone());
    (state.x, state.constant, state.shape) = input;
    second.apply(state);
    output
}

impl<F: Stage, P: Stage> Stage for PlusOf<F, P> {
    fn apply(&self, state: &mut State<'_>) {
        let (x, constant, shape) = both(state, &self.0, &self.1);
        assert_eq!(shape, state.shape);
        state.x.iter_mut().zip(x).for_each(|(y, x)| *y += x);
        state.constant.iter_mut().zip(constant).for_each(|(y, x)| *y &= x);
    }
}

impl<F: Stage> Stage for Plus<F> {
    fn apply(&self, state: &mut State<'_>) {
        PlusOf(&self.0, NOTHING).apply(state);
    }
}

impl<A: Stage, B: Stage> Stage for Beside<A, B> {
    fn apply(&self, state: &mut State<'_>) {
        let (x, constant, mut shape) = both(state, &self.0, &self.1);
        let (a, b) = (*shape.last().unwrap(), state.channels());
        let y = x.chunks(a).zip(state.x.chunks(b)).flat_map(|(a, b)| [a, b].concat()).collect();
        let constant = constant.chunks(a).zip(state.constant.chunks(b)).flat_map(|(a, b)| [a, b].concat()).collect();
        *shape.last_mut().unwrap() = a + b;
        state.set(y, &shape);
        state.constant = constant;
    }
}

impl<S: Stage> Stage for Fixed<S> {
    fn apply(&self, state: &mut State<'_>) {
        state.run_with(&self.0, &self.1);
    }
}

/// A block alone, behind and before gates.
fn block<X: Tensor, L>(layer: L, model: &dyn Stage, values: Values) -> TestCaseResult
where
    L: Layer<X, Output: Tensor> + Copy,
{
    let relu = &Simple::Relu;
    mse::<X, _>((layer,), &[model], values.clone())?;
    mse::<X, _>((Relu, layer), &[relu, model], values.clone())?;
    mse::<X, _>((Relu6, layer, Tanh), &[&RELU6, model, &Simple::Tanh], values.clone())?;
    mse::<X, _>((Tanh, layer, Relu), &[&Simple::Tanh, model, relu], values)
}

const fn image(kernel: usize, before: usize, channels: usize) -> Conv {
    conv2d(axis(3, kernel, 1, 1, before), axis(3, kernel, 1, 1, before), channels)
}

const RESIDUAL: [Check; 7] = [
    |v| block::<[f32; 1], _>(Residual((Dense::<1>::new(),)), &Plus(linear(1)), v),
    |v| {
        let layer = Residual((Dense::<4>::new(), Relu, Dense::<9>::new()));
        block::<[f32; 9], _>(layer, &Plus((linear(4), Simple::Relu, linear(9))), v)
    },
    |v| {
        let layer = Residual((LayerNorm { epsilon: EPSILON as f32 }, Tanh, Conv1d::<Signal<5, 2>, 3>::new()));
        let model = Plus((normal(Over::Position), Simple::Tanh, conv1d(axis(5, 3, 1, 1, 1), 2)));
        block::<Signal<5, 2>, _>(layer, &model, v)
    },
    |v| {
        let layer = Residual((Conv2d::<Image<3, 3, 3>, 3>::new(), Relu6, Conv2d::<Image<3, 3, 2>, 1>::new()));
        block::<Image<3, 3, 2>, _>(layer, &Plus((image(3, 1, 3), RELU6, image(1, 0, 2))), v)
    },
    // In place at both ends, but for a copy.
    |v| block::<[f32; 5], _>(Residual((Keep, Relu, Keep)), &Plus(Simple::Relu), v),
    // One within another, and one behind another.
    |v| {
        let layer = Residual((Residual((Dense::<3>::new(), Tanh)), Relu, Residual(Dense::<3>::new())));
        let inner = (Plus((linear(3), Simple::Tanh)), Simple::Relu, Plus(linear(3)));
        block::<[f32; 3], _>(layer, &Plus(inner), v)
    },
    |v| {
        let network = (Residual((Dense::<4>::new(),)), Relu, Residual((Dense::<4>::new(),)), Dense::<3>::new());
        let plus = Plus(linear(4));
        losses::<[f32; 4], _, 3>(network, &[&plus, &Simple::Relu, &plus, &linear(3)], v)
    },
];

const PROJECTION: [Check; 6] = [
    |v| {
        let layer = ResidualProjection((Dense::<1>::new(),), Dense::<1>::new());
        block::<[f32; 1], _>(layer, &PlusOf(linear(1), linear(1)), v)
    },
    |v| {
        let layer = ResidualProjection((Dense::<8>::new(), Relu, Dense::<5>::new()), Dense::<5>::new());
        block::<[f32; 3], _>(layer, &PlusOf((linear(8), Simple::Relu, linear(5)), linear(5)), v)
    },
    // Gates at the end of the projection.
    |v| {
        let layer = ResidualProjection((Dense::<6>::new(), Sigmoid), (Dense::<6>::new(), Relu));
        block::<[f32; 4], _>(layer, &PlusOf((linear(6), Simple::Sigmoid), (linear(6), Simple::Relu)), v)
    },
    |v| {
        let branch = (Conv2d::<Image<2, 2, 3>, 3, 2>::new(), Relu, Conv2d::<Image<2, 2, 4>, 3>::new());
        let layer = ResidualProjection(branch, Conv2d::<Image<2, 2, 4>, 1, 2>::new());
        let first = conv2d(axis(2, 3, 2, 1, 0), axis(2, 3, 2, 1, 0), 3);
        let second = conv2d(axis(2, 3, 1, 1, 1), axis(2, 3, 1, 1, 1), 4);
        let pointwise = conv2d(axis(2, 1, 2, 1, 0), axis(2, 1, 2, 1, 0), 4);
        block::<Image<4, 4, 1>, _>(layer, &PlusOf((first, Simple::Relu, second), pointwise), v)
    },
    |v| {
        let layer =
            ResidualProjection((Conv1d::<Signal<3, 2>, 3, 2>::new(), Tanh), Conv1d::<Signal<3, 2>, 1, 2>::new());
        let branch = (conv1d(axis(3, 3, 2, 1, 1), 2), Simple::Tanh);
        block::<Signal<5, 3>, _>(layer, &PlusOf(branch, conv1d(axis(3, 1, 2, 1, 0), 2)), v)
    },
    // Learning stops at the branch that is one itself.
    |v| {
        let inner = ResidualProjection((Dense::<3>::new(),), Dense::<3>::new());
        let layer = ResidualProjection((inner, Relu, Dense::<2>::new()), (Dense::<2>::new(), Tanh));
        let model = PlusOf((PlusOf(linear(3), linear(3)), Simple::Relu, linear(2)), (linear(2), Simple::Tanh));
        block::<[f32; 5], _>(layer, &model, v)
    },
];

const CONCAT: [Check; 7] = [
    |v| {
        let layer = Concat::<[f32; 2], _, _>::new(Identity, Dense::<1>::new());
        block::<[f32; 1], _>(layer, &Beside(NOTHING, linear(1)), v)
    },
    |v| {
        let layer = Concat::<[f32; 9], _, _>::new((Dense::<4>::new(), Relu), (Dense::<5>::new(), Tanh));
        block::<[f32; 3], _>(layer, &Beside((linear(4), Simple::Relu), (linear(5), Simple::Tanh)), v)
    },
    |v| {
        let layer = Concat::<Signal<5, 5>, _, _>::new(Conv1d::<Signal<5, 3>, 3>::new(), Identity);
        block::<Signal<5, 2>, _>(layer, &Beside(conv1d(axis(5, 3, 1, 1, 1), 3), NOTHING), v)
    },
    // Branches that work in place, both on the same input.
    |v| {
        let layer = Concat::<Signal<4, 4>, _, _>::new(Relu, Sigmoid);
        block::<Signal<4, 2>, _>(layer, &Beside(Simple::Relu, Simple::Sigmoid), v)
    },
    // Three branches.
    |v| {
        let pair = Concat::<Image<3, 3, 3>, _, _>::new(Conv2d::<Image<3, 3, 2>, 3>::new(), Relu);
        let layer = Concat::<Image<3, 3, 4>, _, _>::new(Conv2d::<Image<3, 3, 1>, 1>::new(), pair);
        let model = Beside(image(1, 0, 1), Beside(image(3, 1, 2), Simple::Relu));
        block::<Image<3, 3, 1>, _>(layer, &model, v)
    },
    // A maximum beside a strided convolution.
    |v| {
        let layer =
            Concat::<Signal<3, 4>, _, _>::new(MaxPool::<Signal<3, 2>, 2>::new(), Conv1d::<Signal<3, 2>, 2, 2>::new());
        let model = Beside(max([2, 1], [2, 1]), conv1d(axis(3, 2, 2, 1, 0), 2));
        block::<Signal<6, 2>, _>(layer, &model, v)
    },
    |v| {
        let both = Concat::<Signal<4, 5>, _, _>::new(Identity, (Conv1d::<Signal<4, 3>, 3>::new(), Relu));
        let network = (both, Residual((Conv1d::<Signal<4, 5>, 1>::new(),)), Flatten::<20>, Dense::<3>::new());
        let beside = Beside(NOTHING, (conv1d(axis(4, 3, 1, 1, 1), 3), Simple::Relu));
        let plus = Plus(conv1d(axis(4, 1, 1, 1, 0), 5));
        losses::<Signal<4, 2>, _, 3>(network, &[&beside, &plus, &Vector, &linear(3)], v)
    },
];

/// Parameters that live as long as the program, as in flash, and the model's copy.
pub(crate) fn in_flash<P: Params>(values: &mut Values) -> (&'static P, Vec<f64>) {
    let params = values.take(P::COUNT);
    let mut fixed = P::ZERO;
    put(&params, &mut fixed);
    (Box::leak(Box::new(fixed)), doubles(&params))
}

/// A frozen network between two that learn, and alone: the gradient of the input passes through it.
fn frozen<const I: usize, const O: usize, L>(layer: L, stages: impl Stage, mut values: Values) -> TestCaseResult
where
    L: Layer<[f32; I], Output = [f32; O]> + Copy,
{
    let (params, fixed) = in_flash::<L::Params>(&mut values);
    let (layer, model) = (Frozen::<L, [f32; I]>::new(layer, params), Fixed(stages, fixed));
    block::<[f32; I], _>(layer, &model, values.clone())?;
    let network = (Dense::<I>::new(), Relu, layer, Relu, Dense::<2>::new());
    let stages: &[&dyn Stage] = &[&linear(I), &Simple::Relu, &model, &Simple::Relu, &linear(2)];
    losses::<[f32; 3], _, 2>(network, stages, values)
}

const FROZEN: [Check; 5] = [
    |v| frozen::<1, 1, _>(Dense::<1>::new(), linear(1), v),
    |v| frozen::<5, 7, _>(Dense::<7>::new(), linear(7), v),
    |v| {
        let stages = (linear(6), Simple::Relu, linear(2));
        frozen::<4, 2, _>((Dense::<6>::new(), Relu, Dense::<2>::new()), stages, v)
    },
    |v| {
        let layer = ResidualProjection((Dense::<3>::new(), Tanh), (Dense::<3>::new(), Relu));
        frozen::<4, 3, _>(layer, PlusOf((linear(3), Simple::Tanh), (linear(3), Simple::Relu)), v)
    },
    |v| {
        let layer = (Residual((Dense::<5>::new(),)), LayerNorm { epsilon: EPSILON as f32 });
        frozen::<5, 5, _>(layer, (Plus(linear(5)), normal(Over::Position)), v)
    },
];

/// A network whose first stages are frozen, with buffers of `N` elements: the head's gradients, from the learner.
fn prefix<X, L, H, const N: usize>(
    body: L,
    head: H,
    stages: (impl Stage, impl Stage),
    mut values: Values,
) -> TestCaseResult
where
    X: Tensor,
    L: Inference<X> + Copy,
    H: Layer<L::Output, Output: Tensor> + Copy,
{
    let (params, fixed) = in_flash::<L::Params>(&mut values);
    let network = (FrozenPrefix::<L, X, N>::new(body, params), head);
    let body = Fixed(stages.0, fixed);
    let target: H::Output = values.tensor();
    let wanted = doubles(target.flat());
    let goal: Goal<'_> = &|y| squares(y, &wanted);
    compare_parameters::<X, _, _, _>(network, &[&body, &stages.1], MeanSquaredError, &target, goal, values)
}

const PREFIX: [Check; 5] = [
    |v| prefix::<[f32; 1], _, _, 1>(Dense::<1>::new(), Dense::<1>::new(), (linear(1), linear(1)), v),
    |v| {
        let body = (Dense::<7>::new(), Relu, Dense::<5>::new(), Sigmoid);
        let stages = (linear(7), Simple::Relu, linear(5), Simple::Sigmoid);
        prefix::<[f32; 4], _, _, 7>(body, (Dense::<3>::new(), Tanh), (stages, (linear(3), Simple::Tanh)), v)
    },
    |v| {
        let body = (Conv2d::<Image<4, 4, 2>, 3>::new(), Relu, MaxPool::<Image<2, 2, 2>, 2>::new(), Flatten::<8>);
        let convolution = conv2d(axis(4, 3, 1, 1, 1), axis(4, 3, 1, 1, 1), 2);
        let stages = (convolution, Simple::Relu, max([2, 2], [2, 2]), Vector);
        prefix::<Image<4, 4, 1>, _, _, 32>(body, Dense::<3>::new(), (stages, linear(3)), v)
    },
    // Branches, in the same two buffers.
    |v| {
        let body = (
            Residual((Dense::<4>::new(), Relu, Dense::<4>::new())),
            Concat::<[f32; 7], _, _>::new(Dense::<3>::new(), Identity),
            ResidualProjection((Dense::<5>::new(), Tanh), Dense::<5>::new()),
        );
        let stages = (
            Plus((linear(4), Simple::Relu, linear(4))),
            Beside(linear(3), NOTHING),
            PlusOf((linear(5), Simple::Tanh), linear(5)),
        );
        prefix::<[f32; 4], _, _, 14>(body, Dense::<2>::new(), (stages, linear(2)), v)
    },
    |v| {
        type Net = (Dense<6>, Tanh, Dense<5>, Relu, Dense<3>);
        type Body = <Net as SplitLast<2>>::Body;
        let mut values = v;
        let (params, fixed) = in_flash::<<Body as Layer<[f32; 3]>>::Params>(&mut values);
        let network: TrainableLast<2, Net, [f32; 3], 6> = trainable_last::<2, Net, _, 6>(Net::default(), params);
        let body = Fixed((linear(6), Simple::Tanh, linear(5)), fixed);
        let stages: &[&dyn Stage] = &[&body, &Simple::Relu, &linear(3)];
        let goal: Goal<'_> = &|y| squares(y, &[0.5; 3]);
        compare_parameters::<[f32; 3], _, _, _>(network, stages, MeanSquaredError, &[0.5_f32; 3], goal, values)
    },
];

proptest! {
    #![proptest_config(config())]

    #[test]
    fn gradients_of_residual_connections_are_those_of_the_model(index: Index, values in values(384)) {
        pick(&RESIDUAL, index, values)?;
    }

    #[test]
    fn gradients_of_projected_connections_are_those_of_the_model(index: Index, values in values(384)) {
        pick(&PROJECTION, index, values)?;
    }

    #[test]
    fn gradients_of_branches_side_by_side_are_those_of_the_model(index: Index, values in values(384)) {
        pick(&CONCAT, index, values)?;
    }

    #[test]
    fn gradients_through_frozen_layers_are_those_of_the_model(index: Index, values in values(384)) {
        pick(&FROZEN, index, values)?;
    }

    #[test]
    fn gradients_behind_a_frozen_prefix_are_those_of_the_model(index: Index, values in values(384)) {
        pick(&PREFIX, index, values)?;
    }
}

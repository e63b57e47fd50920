//! What every area uses: the f64 model of a network, its central differences, and the comparison with the library.

use backpass::{
    CrossEntropy, InputGradient, Layer, Learner, Loss, MeanSquaredError, Memory, Params, Pass, Sgd, Tensor, Zero,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;

/// A stage of the f64 model, written from the definitions and sharing nothing with the library.
pub(crate) trait Stage: std::fmt::Debug {
    /// Replaces the input in `state` by the output.
    fn apply(&self, state: &mut State<'_>);

    /// Whether an input of zero is a kink: a difference taken there is no derivative.
    fn kink_at_zero(&self) -> bool {
        false
    }
}

/// Where a model is on its way through the stages.
pub(crate) struct State<'p> {
    /// The activations, in storage order.
    pub(crate) x: Vec<f64>,
    /// Their shape: the last axis is that of the channels.
    pub(crate) shape: Vec<usize>,
    /// The parameters of this stage and those after it, in the order in which the library visits them.
    pub(crate) params: &'p [f64],
    /// Elements that are a constant zero since a ReLU closed: no small change moves them, so a kink there does not matter.
    /// A stage whose outputs are not constant where its inputs are clears them.
    pub(crate) closed: Vec<bool>,
    /// The smallest distance from a kink: a difference taken across one is no derivative.
    kink: f64,
}

impl<'p> State<'p> {
    /// The next parameters.
    pub(crate) fn take(&mut self, count: usize) -> &'p [f64] {
        self.params.split_off(..count).expect("the model has more parameters than the network")
    }

    /// The length of the last axis.
    pub(crate) fn channels(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// The output, none of it constant.
    pub(crate) fn set(&mut self, x: Vec<f64>, shape: &[usize]) {
        assert_eq!(x.len(), shape.iter().product::<usize>());
        self.closed = vec![false; x.len()];
        (self.x, self.shape) = (x, shape.to_vec());
    }

    /// Notes that a kink is this far away.
    pub(crate) fn note_kink(&mut self, distance: f64) {
        self.kink = self.kink.min(distance.abs());
    }

    /// Notes how far each element that can move is from a kink at `place`.
    pub(crate) fn note_kinks_at(&mut self, place: f64) {
        for (x, closed) in self.x.iter().zip(&self.closed) {
            if !closed {
                self.kink = self.kink.min((x - place).abs());
            }
        }
    }
}

/// The loss as a function of the output, in f64.
pub(crate) type Goal<'a> = &'a dyn Fn(&[f64]) -> f64;

/// What the f64 model computes.
struct Evaluation {
    loss: f64,
    kink: f64,
}

fn evaluate(stages: &[&dyn Stage], goal: Goal<'_>, params: &[f64], input: &[f64], shape: &[usize]) -> Evaluation {
    let closed = vec![false; input.len()];
    let mut state = State { x: input.to_vec(), shape: shape.to_vec(), params, closed, kink: f64::INFINITY };
    for stage in stages {
        stage.apply(&mut state);
    }
    assert!(state.params.is_empty(), "the model has fewer parameters than the network");
    Evaluation { loss: goal(&state.x), kink: state.kink }
}

/// Cross-entropy with targets that need not sum to 1.
pub(crate) fn soft(y: &[f64], target: &[f64]) -> f64 {
    let log_sum = y.iter().map(|y| y.exp()).sum::<f64>().ln();
    y.iter().zip(target).map(|(y, q)| q * (log_sum - y)).sum()
}

/// Mean squared error.
pub(crate) fn squares(y: &[f64], target: &[f64]) -> f64 {
    y.iter().zip(target).map(|(y, t)| (y - t).powi(2)).sum::<f64>() / y.len() as f64
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

/// The lengths of the axes.
fn shape_of<X: Tensor>() -> Vec<usize> {
    let mut shape = Vec::new();
    X::axes(&mut |length| shape.push(length));
    shape
}

/// The random numbers of one test case, handed out in order.
#[derive(Debug, Clone)]
pub(crate) struct Values(pub(crate) Vec<f32>);

impl Values {
    pub(crate) fn take(&mut self, count: usize) -> Vec<f32> {
        self.0.drain(..count).collect()
    }

    pub(crate) fn tensor<X: Tensor>(&mut self) -> X {
        let mut x = X::ZERO;
        x.flat_mut().copy_from_slice(&self.take(X::LEN));
        x
    }
}

pub(crate) fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

pub(crate) fn flat<P: Params>(params: &P) -> Vec<f32> {
    let mut all = Vec::new();
    params.visit(None, &mut |_, values| all.extend_from_slice(values));
    all
}

/// For each parameter in the order of a visit, whether it is learned: not a running statistic.
fn learned<P: Params>(params: &P) -> Vec<bool> {
    let mut all = Vec::new();
    params.visit(None, &mut |name, values| all.extend(values.iter().map(|_| !name.is_statistic())));
    all
}

/// Compares parameter gradients (from the learner and from the layer) and the input gradient (from the layer).
pub(crate) fn compare<X, N, L, T>(
    network: N,
    stages: &[&dyn Stage],
    loss: L,
    target: &T,
    goal: Goal<'_>,
    values: Values,
) -> TestCaseResult
where
    X: Tensor,
    N: Layer<X> + Copy,
    L: Loss<N::Output, T> + Copy,
{
    compare_any::<X, N, T>(network, stages, &loss, target, goal, values)
}

/// The same, without the loss's type: networks are not compiled anew for each.
fn compare_any<X: Tensor, N: Layer<X> + Copy, T>(
    network: N,
    stages: &[&dyn Stage],
    loss: &dyn Loss<N::Output, T>,
    target: &T,
    goal: Goal<'_>,
    mut values: Values,
) -> TestCaseResult {
    let mut input: X = values.tensor();
    if stages.first().is_some_and(|stage| stage.kink_at_zero()) {
        // A zero is of use where layers take short cuts, but to these it is the kink.
        input.flat_mut().iter_mut().filter(|x| **x == 0.0).for_each(|x| *x = 0.5);
    }
    let shape = shape_of::<X>();
    let params = values.take(N::Params::COUNT);
    let (x64, params64) = (doubles(input.flat()), doubles(&params));
    // f32 and f64 may fall on different sides of a kink that is nearer than f32's rounding.
    prop_assume!(evaluate(stages, goal, &params64, &x64, &shape).kink > 1e-4);
    let by_params = differences(&params64, |params| evaluate(stages, goal, params, &x64, &shape).loss);
    let by_input = differences(&x64, |input| evaluate(stages, goal, &params64, input, &shape).loss);

    let mut memory = Memory::<N, X, Sgd>::new();
    let mut learner = Learner::new(&mut memory, network, loss, Sgd::new(0.0));
    let mut rest = params.as_slice();
    N::Params::visit_mut([learner.params_mut()], None, &mut |_, [slice]| {
        slice.copy_from_slice(rest.split_off(..slice.len()).unwrap());
    });
    learner.observe(&input, target).unwrap();
    let learned = learned(learner.params());
    for (i, (ours, difference)) in flat(learner.gradients()).into_iter().zip(&by_params).enumerate() {
        let difference = if learned[i] { difference } else { continue };
        prop_assert!(agrees(ours, *difference), "learner, parameter {i}: {ours}, difference {difference}, {stages:?}");
    }

    let (mut x, mut tape, mut gradients) = (input, N::Tape::ZERO, N::Params::ZERO);
    let y = network.forward(learner.params(), &mut x, &mut tape, Pass::training(0));
    loss.gradient(y, target, network.output_gradient(InputGradient::Full));
    network.backward(learner.params(), &mut x, &mut tape, Some(&mut gradients), InputGradient::Full);
    for (i, (ours, difference)) in flat(&gradients).into_iter().zip(&by_params).enumerate() {
        let difference = if learned[i] { difference } else { continue };
        prop_assert!(agrees(ours, *difference), "layer, parameter {i}: {ours}, difference {difference}, {stages:?}");
    }
    for (i, (ours, difference)) in x.flat().iter().zip(&by_input).enumerate() {
        prop_assert!(agrees(*ours, *difference), "input {i}: {ours}, difference {difference}, {stages:?}");
    }
    Ok(())
}

/// Mean squared error on an output of any shape.
pub(crate) fn mse<X: Tensor, N: Layer<X, Output: Tensor> + Copy>(
    net: N,
    stages: &[&dyn Stage],
    mut values: Values,
) -> TestCaseResult {
    let target: N::Output = values.tensor();
    let wanted = doubles(target.flat());
    compare(net, stages, MeanSquaredError, &target, &|y| squares(y, &wanted), values)
}

/// Every loss, on a vector.
pub(crate) fn losses<X, N, const C: usize>(network: N, stages: &[&dyn Stage], mut values: Values) -> TestCaseResult
where
    X: Tensor,
    N: Layer<X, Output = [f32; C]> + Copy,
{
    mse::<X, N>(network, stages, values.clone())?;
    let class = values.0.first().map_or(0, |value| value.to_bits() as usize % C);
    let mut one = vec![0.0; C];
    one[class] = 1.0;
    compare(network, stages, CrossEntropy, &class, &|y| soft(y, &one), values.clone())?;
    // Between 0 and 1 each, not summing to 1.
    let target: [f32; C] = values.tensor::<[f32; C]>().map(f32::abs);
    let wanted = doubles(&target);
    compare(network, stages, CrossEntropy, &target, &|y| soft(y, &wanted), values)
}

pub(crate) type Check = fn(Values) -> TestCaseResult;

/// Numbers for one network, about one in five exactly zero.
pub(crate) fn values(count: usize) -> impl Strategy<Value = Values> {
    prop::collection::vec(prop_oneof![1 => Just(0.0_f32), 4 => -1.0_f32..1.0], count).prop_map(Values)
}

/// Runs one of the checks.
pub(crate) fn pick(checks: &[Check], index: Index, values: Values) -> TestCaseResult {
    index.get(checks)(values)
}

/// How many random cases a test runs.
pub(crate) fn config() -> ProptestConfig {
    ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() }
}

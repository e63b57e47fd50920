//! What every area uses: the f64 model of a network, its central differences, and the comparison with the library.

use std::mem::take;

use backpass::{
    CrossEntropy, InputGradient, Layer, Learner, Loss, MeanSquaredError, Memory, Params, Pass, Sgd, Tensor, Zero,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{TestCaseError, TestCaseResult};

/// A stage of the f64 model, written from the definitions and sharing nothing with the library.
pub(crate) trait Stage: std::fmt::Debug {
    /// Replaces the input in `state` by the output.
    fn apply(&self, state: &mut State<'_>);
}

impl<S: Stage + ?Sized> Stage for &S {
    fn apply(&self, state: &mut State<'_>) {
        (**self).apply(state);
    }
}

impl<S: Stage + ?Sized> Stage for Box<S> {
    fn apply(&self, state: &mut State<'_>) {
        (**self).apply(state);
    }
}

impl<A: Stage, B: Stage> Stage for (A, B) {
    fn apply(&self, state: &mut State<'_>) {
        state.run([&self.0 as &dyn Stage, &self.1]);
    }
}

impl<A: Stage, B: Stage, C: Stage> Stage for (A, B, C) {
    fn apply(&self, state: &mut State<'_>) {
        state.run([&self.0 as &dyn Stage, &self.1, &self.2]);
    }
}

impl<A: Stage, B: Stage, C: Stage, D: Stage> Stage for (A, B, C, D) {
    fn apply(&self, state: &mut State<'_>) {
        state.run([&self.0 as &dyn Stage, &self.1, &self.2, &self.3]);
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
    /// Elements that no small change of the input or of a parameter moves, such as those where a ReLU is closed: a kink there
    /// does not matter.
    pub(crate) constant: Vec<bool>,
    /// The smallest distance from a kink: a difference taken across one is no derivative.
    kink: f64,
    /// By how much of itself each activation is moved, up or down: zero, but where it is to be seen what rounding does.
    nudge: f64,
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
        self.constant = vec![false; x.len()];
        (self.x, self.shape) = (x, shape.to_vec());
    }

    /// Notes that a kink is this far away.
    pub(crate) fn note_kink(&mut self, distance: f64) {
        self.kink = self.kink.min(distance.abs());
    }

    /// Notes how far each element that can move is from a kink at `place`.
    pub(crate) fn note_kinks_at(&mut self, place: f64) {
        for (x, constant) in self.x.iter().zip(&self.constant) {
            if !constant {
                self.kink = self.kink.min((x - place).abs());
            }
        }
    }

    /// Applies a function of one number to each element.
    pub(crate) fn map(&mut self, function: impl Fn(f64) -> f64) {
        for (x, constant) in self.x.iter_mut().zip(&mut self.constant) {
            *constant |= function(*x - NEAR) == function(*x + NEAR);
            *x = function(*x);
        }
    }

    /// Runs stages one behind another.
    pub(crate) fn run<'s>(&mut self, stages: impl IntoIterator<Item = &'s dyn Stage>) {
        for stage in stages {
            stage.apply(self);
            for (i, x) in self.x.iter_mut().enumerate() {
                *x *= if i % 3 == 0 { 1.0 + self.nudge } else { 1.0 - self.nudge };
            }
        }
    }

    /// Runs a stage that has these parameters and no others.
    pub(crate) fn run_with(&mut self, stage: &dyn Stage, params: &[f64]) {
        let (x, shape, constant) = (take(&mut self.x), take(&mut self.shape), take(&mut self.constant));
        let mut inner = State { x, shape, params, constant, ..*self };
        stage.apply(&mut inner);
        assert!(inner.params.is_empty(), "the model has fewer parameters than the network");
        (self.x, self.shape, self.constant, self.kink) = (inner.x, inner.shape, inner.constant, inner.kink);
    }
}

/// Nearer to a kink than this, f32 and f64 may fall on different sides of it: f32's rounding is about 1e-6.
pub(crate) const NEAR: f64 = 1e-4;

/// The loss as a function of the output, in f64.
pub(crate) type Goal<'a> = &'a dyn Fn(&[f64]) -> f64;

/// What the f64 model computes.
struct Evaluation {
    loss: f64,
    kink: f64,
}

fn evaluate(
    stages: &[&dyn Stage],
    goal: Goal<'_>,
    params: &[f64],
    input: &[f64],
    shape: &[usize],
    nudge: f64,
) -> Evaluation {
    let constant = vec![false; input.len()];
    let mut state = State { x: input.to_vec(), shape: shape.to_vec(), params, constant, kink: f64::INFINITY, nudge };
    state.run(stages.iter().copied());
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

/// dL/dv for every element of `values`; `loss` is the loss as a function of them. NaN stands where nothing is read: there it
/// is zero.
fn differences(values: &[f64], loss: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    // The difference misses the derivative by about h² = 1e-12 for curvature, and by 1e-16 / h = 1e-10 for rounding.
    const H: f64 = 1e-6;
    let mut moved = values.to_vec();
    (0..values.len())
        .map(|i| {
            if values[i].is_nan() {
                return 0.0;
            }
            moved[i] = values[i] + H;
            let above = loss(&moved);
            moved[i] = values[i] - H;
            let below = loss(&moved);
            moved[i] = values[i];
            (above - below) / (2.0 * H)
        })
        .collect()
}

/// The derivatives by every element of `values`; `loss` is the loss as a function of them and of how far activations are moved.
fn derivatives(values: &[f64], loss: impl Fn(&[f64], f64) -> f64) -> Vec<Derivative> {
    let (exact, moved) = (differences(values, |v| loss(v, 0.0)), differences(values, |v| loss(v, 1e-6)));
    exact.into_iter().zip(moved).map(|(value, moved)| Derivative { value, moved: (moved - value).abs() }).collect()
}

/// A derivative, and by how much it moves if every activation is moved by a millionth of itself.
#[derive(Debug, Clone, Copy)]
struct Derivative {
    value: f64,
    moved: f64,
}

impl Derivative {
    /// Inputs and weights are below 1 in magnitude, and a sum here has at most some twenty products of them, so activations are
    /// mostly below 3. An f32 rounding is 6e-8 of such a value, and a gradient sums and multiplies some ten: it is off by
    /// about 1e-6 of the factors it is made of. The absolute part is for gradients that are small differences of larger
    /// numbers; the last is for networks that blow a rounding up, where PyTorch in f32 is off as much. A wrong formula is off by
    /// much more: by the gradient itself, or by its hundredth for the slope of a leaky ReLU.
    fn agrees(self, ours: f32) -> bool {
        (f64::from(ours) - self.value).abs() <= 2e-5 * self.value.abs() + 2e-5 + 3.0 * self.moved
    }
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

/// Gradients in the order of a visit; none for running statistics.
fn learned<P: Params>(gradients: &P) -> Vec<Option<f32>> {
    let mut all = Vec::new();
    gradients.visit(None, &mut |name, values| {
        all.extend(values.iter().map(|value| (!name.is_statistic()).then_some(*value)));
    });
    all
}

/// A network's parameters, an input that is not near a kink, and the differences of the loss by both.
struct Prepared {
    input: Vec<f32>,
    params: Vec<f32>,
    by_params: Vec<Derivative>,
    by_input: Vec<Derivative>,
}

impl Prepared {
    fn new(
        stages: &[&dyn Stage],
        goal: Goal<'_>,
        shape: &[usize],
        count: usize,
        mut values: Values,
    ) -> Result<Self, TestCaseError> {
        let mut input = values.take(shape.iter().product());
        let params = values.take(count);
        let p64 = doubles(&params);
        let kink = |input: &[f32]| evaluate(stages, goal, &p64, &doubles(input), shape, 0.0).kink;
        if kink(&input) <= NEAR {
            // A zero is of use where layers take short cuts, but to some it is a kink. Others, all different, may do.
            let zeros = input.iter_mut().filter(|x| **x == 0.0);
            zeros.enumerate().for_each(|(i, x)| *x = 0.5 + i as f32 / 64.0);
        }
        prop_assume!(kink(&input) > NEAR);
        let x64 = doubles(&input);
        let loss = |params: &[f64], input: &[f64], nudge| evaluate(stages, goal, params, input, shape, nudge).loss;
        let by_params = derivatives(&p64, |params, nudge| loss(params, &x64, nudge));
        let by_input = derivatives(&x64, |input, nudge| loss(&p64, input, nudge));
        Ok(Self { input, params, by_params, by_input })
    }

    /// Compares each parameter's gradient.
    fn check(&self, from: &str, gradients: &[Option<f32>], stages: &[&dyn Stage]) -> TestCaseResult {
        prop_assert_eq!(gradients.len(), self.by_params.len());
        for (i, (ours, by)) in gradients.iter().zip(&self.by_params).enumerate() {
            let Some(ours) = *ours else { continue };
            prop_assert!(by.agrees(ours), "{from}, parameter {i}: {ours}, {by:?}, {stages:?}");
        }
        Ok(())
    }

    fn check_input(&self, dx: &[f32], stages: &[&dyn Stage]) -> TestCaseResult {
        for (i, (ours, by)) in dx.iter().zip(&self.by_input).enumerate() {
            prop_assert!(by.agrees(*ours), "input {i}: {ours}, {by:?}, {stages:?}");
        }
        Ok(())
    }
}

/// Parameters in the order of a visit, put where they belong.
pub(crate) fn put<P: Params>(mut values: &[f32], params: &mut P) {
    P::visit_mut([params], None, &mut |_, [slice]| slice.copy_from_slice(values.split_off(..slice.len()).unwrap()));
}

/// Compares the parameter gradients from the learner.
pub(crate) fn compare_parameters<X, N, L, T>(
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
    let prepared = Prepared::new(stages, goal, &shape_of::<X>(), N::Params::COUNT, values)?;
    prepared.check("learner", &learner::<X, N, L, T>(network, loss, target, &prepared), stages)
}

/// The learner's gradients.
fn learner<X, N, L, T>(network: N, loss: L, target: &T, prepared: &Prepared) -> Vec<Option<f32>>
where
    X: Tensor,
    N: Layer<X> + Copy,
    L: Loss<N::Output, T> + Copy,
{
    let mut memory = Memory::<N, X, Sgd>::new();
    let mut learner = Learner::new(&mut memory, network, loss, Sgd::new(0.0));
    put(&prepared.params, learner.params_mut());
    learner.observe(&Values(prepared.input.clone()).tensor(), target).unwrap();
    learned(learner.gradients().unwrap_or(&N::Params::ZERO))
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
    let prepared = Prepared::new(stages, goal, &shape_of::<X>(), N::Params::COUNT, values)?;
    prepared.check("learner", &learner::<X, N, L, T>(network, loss, target, &prepared), stages)?;

    let (mut x, mut tape): (X, _) = (Values(prepared.input.clone()).tensor(), N::Tape::ZERO);
    let (mut params, mut gradients) = (N::Params::ZERO, N::Params::ZERO);
    put(&prepared.params, &mut params);
    let y = network.forward(&params, &mut x, &mut tape, Pass::training(0));
    loss.gradient(y, target, network.output_gradient(InputGradient::Full));
    network.backward(&params, &mut x, &mut tape, Some((&mut gradients).into()), InputGradient::Full);
    prepared.check("layer", &learned(&gradients), stages)?;
    prepared.check_input(x.flat(), stages)
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
    cases(96)
}

/// So many random cases, or what `PROPTEST_CASES` in the environment says.
pub(crate) fn cases(count: u32) -> ProptestConfig {
    let cases =
        std::env::var("PROPTEST_CASES").map_or(count, |cases| cases.parse().expect("PROPTEST_CASES is a number"));
    // Cases too near a kink are drawn anew: a few in a hundred, more in long networks.
    ProptestConfig { cases, max_global_rejects: 4 * cases, failure_persistence: None, ..ProptestConfig::default() }
}

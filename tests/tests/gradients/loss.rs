//! Every loss with every option, on outputs of many shapes, behind ReLU and last of small networks.

use backpass::{
    BinaryCrossEntropy, CosineEmbedding, CrossEntropy, Dense, Hinge, Huber, Image, Layer, Loss, MeanAbsoluteError,
    Relu, Signal, Tanh, Tensor,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;

use crate::basic::{Simple, linear};
use crate::harness::{Check, Goal, Stage, State, Values, compare, config, doubles, pick, soft, values};

/// Notes how near the outputs are to a kink of the loss, at the end of a model. `distances` gives them, with the
/// outputs that must be able to move for the kink to matter.
struct Kinks<F>(F);

impl<F> std::fmt::Debug for Kinks<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kinks")
    }
}

impl<F: Fn(&[f64]) -> Vec<(f64, [usize; 2])>> Stage for Kinks<F> {
    fn apply(&self, state: &mut State<'_>) {
        for (distance, outputs) in (self.0)(&state.x) {
            if outputs.iter().any(|output| !state.constant[*output]) {
                state.note_kink(distance);
            }
        }
    }
}

/// A kink an element, at a distance that depends on its target.
fn by_element(target: &[f64], distance: impl Fn(f64, f64) -> f64) -> impl Stage {
    Kinks(move |y: &[f64]| (0..y.len()).map(|i| (distance(y[i], target[i]), [i, i])).collect())
}

/// The mean over elements.
fn mean(y: &[f64], target: &[f64], term: impl Fn(f64, f64) -> f64) -> f64 {
    y.iter().zip(target).map(|(y, t)| term(*y, *t)).sum::<f64>() / y.len() as f64
}

/// Numbers from 0.1 to about 3.
fn positive(values: &mut Values, count: usize) -> Vec<f32> {
    values.take(count).into_iter().map(|value| 0.1 + 3.0 * value.abs()).collect()
}

fn one_positive(values: &mut Values) -> f32 {
    positive(values, 1)[0]
}

fn is_above_zero(values: &mut Values) -> bool {
    values.take(1)[0] > 0.0
}

/// What is needed of a loss to be tried on a network whose outputs are a `Y`.
trait Trial<Y> {
    /// Draws options and a target, and compares.
    fn run<X: Tensor, N>(network: N, stages: &[&dyn Stage], values: Values) -> TestCaseResult
    where
        N: Layer<X, Output = Y> + Copy;
}

/// Compares with a last stage of the model that notes the loss's kinks.
fn compare_with<X, N, L, T>(
    network: N,
    stages: &[&dyn Stage],
    kinks: &dyn Stage,
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
    let stages: Vec<&dyn Stage> = stages.iter().copied().chain([kinks]).collect();
    compare::<X, N, L, T>(network, &stages, loss, target, goal, values)
}

/// No kink.
fn smooth() -> impl Stage {
    Kinks(|_: &[f64]| Vec::new())
}

/// The absolute error and the Huber loss.
struct Robust;

impl<Y: Tensor> Trial<Y> for Robust {
    fn run<X: Tensor, N: Layer<X, Output = Y> + Copy>(
        network: N,
        stages: &[&dyn Stage],
        mut values: Values,
    ) -> TestCaseResult {
        let delta = 0.5 * one_positive(&mut values);
        let target: Y = values.tensor();
        let wanted = doubles(target.flat());
        let kinks = by_element(&wanted, |y, t| y - t);
        let goal = |y: &[f64]| mean(y, &wanted, |y, t| (y - t).abs());
        compare_with::<X, _, _, _>(network, stages, &kinks, MeanAbsoluteError, &target, &goal, values.clone())?;
        let d = f64::from(delta);
        let goal = |y: &[f64]| {
            mean(y, &wanted, |y, t| {
                let distance = (y - t).abs();
                if distance <= d { distance.powi(2) / 2.0 } else { d * (distance - d / 2.0) }
            })
        };
        compare_with::<X, _, _, _>(network, stages, &smooth(), Huber { delta }, &target, &goal, values)
    }
}

/// Binary cross-entropy, plain, weighted, and weighted by channel.
struct Binary;

/// The definition: -(p t ln σ(z) + (1 - t) ln(1 - σ(z))).
fn binary(z: f64, t: f64, positive: f64) -> f64 {
    let sigmoid = 1.0 / (1.0 + (-z).exp());
    -(positive * t * sigmoid.ln() + (1.0 - t) * (1.0 - sigmoid).ln())
}

impl<Y: Tensor<Channels = [f32; C]>, const C: usize> Trial<Y> for (Binary, [f32; C]) {
    fn run<X: Tensor, N: Layer<X, Output = Y> + Copy>(
        network: N,
        stages: &[&dyn Stage],
        mut values: Values,
    ) -> TestCaseResult {
        let weights: [f32; C] = positive(&mut values, C).try_into().unwrap();
        let mut target: Y = values.tensor();
        target.flat_mut().iter_mut().for_each(|t| *t = t.abs());
        let wanted = doubles(target.flat());
        let goal = |y: &[f64]| mean(y, &wanted, |z, t| binary(z, t, 1.0));
        compare::<X, _, _, _>(network, stages, BinaryCrossEntropy, &target, &goal, values.clone())?;
        let one = BinaryCrossEntropy.positive_weight(weights[0]);
        let goal = |y: &[f64]| mean(y, &wanted, |z, t| binary(z, t, weights[0].into()));
        compare::<X, _, _, _>(network, stages, one, &target, &goal, values.clone())?;
        let each = BinaryCrossEntropy.positive_weight(weights);
        let goal = |y: &[f64]| {
            let terms = y.iter().zip(&wanted).enumerate();
            terms.map(|(i, (z, t))| binary(*z, *t, weights[i % C].into())).sum::<f64>() / y.len() as f64
        };
        compare::<X, _, _, _>(network, stages, each, &target, &goal, values)
    }
}

/// The hinge loss for signs.
struct Signs;

impl<Y: Tensor> Trial<Y> for Signs {
    fn run<X: Tensor, N: Layer<X, Output = Y> + Copy>(
        network: N,
        stages: &[&dyn Stage],
        mut values: Values,
    ) -> TestCaseResult {
        let margin = one_positive(&mut values);
        let mut target: Y = values.tensor();
        target.flat_mut().iter_mut().for_each(|t| *t = if *t > 0.0 { 1.0 } else { -1.0 });
        let (wanted, m) = (doubles(target.flat()), f64::from(margin));
        let hinge = Hinge::new().margin(margin);
        let kinks = by_element(&wanted, |y, t| m - t * y);
        let goal = |y: &[f64]| mean(y, &wanted, |y, t| (m - t * y).max(0.0));
        compare_with::<X, _, _, _>(network, stages, &kinks, hinge, &target, &goal, values.clone())?;
        let goal = |y: &[f64]| mean(y, &wanted, |y, t| (m - t * y).max(0.0).powi(2));
        compare_with::<X, _, _, _>(network, stages, &smooth(), hinge.squared(), &target, &goal, values)
    }
}

/// Cross-entropy with weights, smoothing or both, for a class and for soft targets; with a class that is ignored.
struct Configured;

/// The targets of which plain cross-entropy is taken.
fn smoothed(given: &[f64], weights: &[f64], smoothing: f64) -> Vec<f64> {
    let spread = smoothing / given.len() as f64;
    given.iter().zip(weights).map(|(q, w)| w * ((1.0 - smoothing) * q + spread)).collect()
}

impl<const C: usize> Trial<[f32; C]> for Configured {
    fn run<X: Tensor, N: Layer<X, Output = [f32; C]> + Copy>(
        network: N,
        stages: &[&dyn Stage],
        mut values: Values,
    ) -> TestCaseResult {
        let weights: [f32; C] = positive(&mut values, C).try_into().unwrap();
        let smoothing = values.take(1)[0].abs();
        let class = values.take(1)[0].to_bits() as usize % C;
        let target: [f32; C] = values.tensor::<[f32; C]>().map(f32::abs);
        let mut one = vec![0.0; C];
        one[class] = 1.0;
        let (many, w, s) = (doubles(&target), doubles(&weights), f64::from(smoothing));
        let ones = vec![1.0; C];

        let loss = CrossEntropy.weights(weights);
        let all = [smoothed(&one, &w, 0.0), smoothed(&many, &w, 0.0)];
        compare::<X, _, _, _>(network, stages, loss, &class, &|y| soft(y, &all[0]), values.clone())?;
        compare::<X, _, _, _>(network, stages, loss, &target, &|y| soft(y, &all[1]), values.clone())?;
        let loss = CrossEntropy.label_smoothing(smoothing);
        let all = [smoothed(&one, &ones, s), smoothed(&many, &ones, s)];
        compare::<X, _, _, _>(network, stages, loss, &class, &|y| soft(y, &all[0]), values.clone())?;
        compare::<X, _, _, _>(network, stages, loss, &target, &|y| soft(y, &all[1]), values.clone())?;
        let loss = loss.weights(weights);
        let all = [smoothed(&one, &w, s), smoothed(&many, &w, s)];
        compare::<X, _, _, _>(network, stages, loss, &class, &|y| soft(y, &all[0]), values.clone())?;
        compare::<X, _, _, _>(network, stages, loss, &target, &|y| soft(y, &all[1]), values.clone())?;
        // Another class is ignored; then this one.
        let other = loss.ignore(class + 1);
        compare::<X, _, _, _>(network, stages, other, &class, &|y| soft(y, &all[0]), values.clone())?;
        compare::<X, _, _, _>(network, stages, loss.ignore(class), &class, &|_| 0.0, values)
    }
}

/// The hinge loss for a class.
struct Classes;

impl<const C: usize> Trial<[f32; C]> for Classes {
    fn run<X: Tensor, N: Layer<X, Output = [f32; C]> + Copy>(
        network: N,
        stages: &[&dyn Stage],
        mut values: Values,
    ) -> TestCaseResult {
        let margin = one_positive(&mut values);
        let class = values.take(1)[0].to_bits() as usize % C;
        let hinge = Hinge::new().margin(margin);
        let short = |y: &[f64]| -> Vec<(f64, [usize; 2])> {
            let others = (0..C).filter(|j| *j != class);
            others.map(|j| (f64::from(margin) - y[class] + y[j], [j, class])).collect()
        };
        let goal = |y: &[f64]| short(y).iter().map(|(short, _)| short.max(0.0)).sum::<f64>() / C as f64;
        compare_with::<X, _, _, _>(network, stages, &Kinks(short), hinge, &class, &goal, values.clone())?;
        let goal = |y: &[f64]| short(y).iter().map(|(short, _)| short.max(0.0).powi(2)).sum::<f64>() / C as f64;
        compare_with::<X, _, _, _>(network, stages, &smooth(), hinge.squared(), &class, &goal, values)
    }
}

/// The cosine embedding loss.
struct Cosine;

fn cosine(y: &[f64], t: &[f64]) -> f64 {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    product(y, t) / ((product(y, y) + 1e-12) * (product(t, t) + 1e-12)).sqrt()
}

impl<const N: usize> Trial<[f32; N]> for Cosine {
    fn run<X: Tensor, Net: Layer<X, Output = [f32; N]> + Copy>(
        network: Net,
        stages: &[&dyn Stage],
        mut values: Values,
    ) -> TestCaseResult {
        let margin = 0.5 * values.take(1)[0];
        let label = if is_above_zero(&mut values) { 1.0 } else { -1.0 };
        let target: [f32; N] = values.tensor();
        let (wanted, m) = (doubles(&target), f64::from(margin));
        let kinks = Kinks(|y: &[f64]| {
            // The gradient grows as the output shrinks, and so do its rounding and the error of a difference.
            let is_short = y.iter().map(|y| y * y).sum::<f64>() < 0.1;
            let distance = if label > 0.0 { f64::INFINITY } else { cosine(y, &wanted) - m };
            let all = (0..y.len()).map(|i| [i, i]);
            all.map(|i| (if is_short { 0.0 } else { distance }, i)).collect()
        });
        let goal = |y: &[f64]| {
            let cosine = cosine(y, &wanted);
            if label > 0.0 { 1.0 - cosine } else { (cosine - m).max(0.0) }
        };
        let loss = CosineEmbedding { margin };
        compare_with::<X, _, _, _>(network, stages, &kinks, loss, &(target, label), &goal, values)
    }
}

/// The loss at once.
fn alone<L: Trial<X>, X: Tensor>(values: Values) -> TestCaseResult {
    L::run::<X, _>((Tanh,), &[&Simple::Tanh], values)
}

/// A dense layer, before and without a ReLU.
fn dense<L: Trial<[f32; O]>, const I: usize, const O: usize>(values: Values) -> TestCaseResult {
    L::run::<[f32; I], _>((Dense::<O>::new(),), &[&linear(O)], values.clone())?;
    L::run::<[f32; I], _>((Dense::<O>::new(), Relu), &[&linear(O), &Simple::Relu], values)
}

/// Two dense layers.
fn network<L: Trial<[f32; O]>, const I: usize, const H: usize, const O: usize>(values: Values) -> TestCaseResult {
    let network = (Dense::<H>::new(), Tanh, Dense::<O>::new());
    L::run::<[f32; I], _>(network, &[&linear(H), &Simple::Tanh, &linear(O)], values)
}

fn elementwise<L>() -> [Check; 7]
where
    L: Trial<[f32; 1]> + Trial<[f32; 3]> + Trial<[f32; 7]> + Trial<Signal<5, 3>> + Trial<Image<2, 3, 2>>,
{
    [
        alone::<L, [f32; 1]>,
        alone::<L, Signal<5, 3>>,
        alone::<L, Image<2, 3, 2>>,
        dense::<L, 1, 1>,
        dense::<L, 5, 3>,
        dense::<L, 3, 7>,
        network::<L, 4, 9, 3>,
    ]
}

fn of_vector<L>() -> [Check; 6]
where
    L: Trial<[f32; 1]> + Trial<[f32; 2]> + Trial<[f32; 3]> + Trial<[f32; 7]>,
{
    [
        alone::<L, [f32; 7]>,
        dense::<L, 1, 1>,
        dense::<L, 6, 2>,
        dense::<L, 5, 3>,
        dense::<L, 3, 7>,
        network::<L, 4, 9, 3>,
    ]
}

/// The number of channels is part of the loss.
const BINARY: [Check; 7] = [
    alone::<(Binary, [f32; 1]), [f32; 1]>,
    alone::<(Binary, [f32; 3]), Signal<5, 3>>,
    alone::<(Binary, [f32; 2]), Image<2, 3, 2>>,
    dense::<(Binary, [f32; 1]), 1, 1>,
    dense::<(Binary, [f32; 3]), 5, 3>,
    dense::<(Binary, [f32; 7]), 3, 7>,
    network::<(Binary, [f32; 3]), 4, 9, 3>,
];

proptest! {
    #![proptest_config(config())]

    #[test]
    fn absolute_and_huber_gradients_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&elementwise::<Robust>(), index, values)?;
    }

    #[test]
    fn binary_cross_entropy_gradients_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&BINARY, index, values)?;
    }

    #[test]
    fn hinge_gradients_for_signs_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&elementwise::<Signs>(), index, values)?;
    }

    #[test]
    fn hinge_gradients_for_a_class_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&of_vector::<Classes>(), index, values)?;
    }

    #[test]
    fn weighted_and_smoothed_cross_entropy_gradients_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&of_vector::<Configured>(), index, values)?;
    }

    #[test]
    fn cosine_embedding_gradients_are_those_of_the_model(index: Index, values in values(192)) {
        pick(&of_vector::<Cosine>(), index, values)?;
    }
}

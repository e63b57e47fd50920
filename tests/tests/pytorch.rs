//! Outputs, losses, gradients and optimizer steps against PyTorch's, as `reference/generate.py` wrote them.

use std::collections::BTreeSet;

use backpass::{
    Adam, CrossEntropy, Dense, Flatten, InputGradient, Layer, LeakyRelu, Learner, Loss, MeanSquaredError, Memory,
    Momentum, NoBias, Optimizer, Params, Pass, Relu, Sgd, Sigmoid, Tanh, Tensor, Zero,
};
use safetensors::{Dtype, SafeTensors};

const FILE: &[u8] = include_bytes!("../reference/pytorch.safetensors");
/// Samples a case.
const SAMPLES: usize = 10;
/// How many of them are looked at one by one.
const SHOWN: usize = 3;
/// Optimizer steps, one or several samples each.
const STEPS: usize = 10;

/// A value `a` agrees with PyTorch's `b` if `|a - b| <= TOLERANCE * scale`, where `scale` is the largest magnitude in
/// PyTorch's tensor: one sample's output or input gradient, one loss, one parameter's gradient, one parameter (there, the
/// larger of before and after the steps).
///
/// Why not relative to `b` itself: an element may be the small difference of large terms, and then each term's rounding,
/// up to 6e-8 of the term, is a large part of the element. The terms are about as large as the tensor's largest element.
///
/// Why 5e-6: PyTorch computed in f64, so the whole difference is the rounding of backpass in f32. A layer, a loss or a
/// step makes some ten roundings, and up to 16 stages or 10 steps add theirs up. The largest seen is 1.9e-6.
const TOLERANCE: f64 = 5e-6;

/// PyTorch's values, and how well ours agree.
struct Reference<'f> {
    file: SafeTensors<'f>,
    used: BTreeSet<String>,
    wrong: Vec<String>,
    worst: (f64, String),
}

impl Reference<'_> {
    /// The bytes of a tensor of `rows` times `N` bytes an element.
    fn bytes<const N: usize>(&mut self, name: &str, dtype: Dtype, elements: usize) -> &[[u8; N]] {
        let tensor = self.file.tensor(name).unwrap_or_else(|error| panic!("`{name}`: {error}"));
        assert_eq!(tensor.dtype(), dtype, "`{name}`");
        let (values, []) = tensor.data().as_chunks() else { panic!("`{name}` ends within an element") };
        assert_eq!(values.len(), elements, "`{name}`: number of elements");
        self.used.insert(name.to_string());
        values
    }

    fn floats(&mut self, name: &str, elements: usize) -> Vec<f32> {
        self.bytes(name, Dtype::F32, elements).iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    /// Row after row of a tensor whose first axis has `N`.
    fn rows<Row: Tensor, const N: usize>(&mut self, name: &str) -> [Row; N] {
        let mut rows = [Row::ZERO; N];
        rows.flat_mut().copy_from_slice(&self.floats(name, N * Row::LEN));
        rows
    }

    fn classes(&mut self, name: &str) -> [usize; SAMPLES] {
        let classes = self.bytes(name, Dtype::I64, SAMPLES);
        std::array::from_fn(|i| usize::try_from(i64::from_le_bytes(classes[i])).unwrap())
    }

    /// Notes how far `ours` is from `theirs`.
    fn compare(&mut self, name: &str, ours: &[f32], theirs: &[f32]) {
        self.compare_to_scale(name, ours, theirs, largest(theirs));
    }

    fn compare_to_scale(&mut self, name: &str, ours: &[f32], theirs: &[f32], scale: f64) {
        assert_eq!(ours.len(), theirs.len(), "`{name}`");
        for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
            let error = (f64::from(*a) - f64::from(*b)).abs();
            let relative = if error == 0.0 { 0.0 } else { error / scale };
            if relative > self.worst.0 {
                self.worst = (relative, name.to_string());
            }
            if relative > TOLERANCE || relative.is_nan() {
                self.wrong.push(format!("{name}[{i}]: {a:e}, PyTorch {b:e}, off by {relative:.1e} of {scale:e}"));
            }
        }
    }
}

/// The largest magnitude.
fn largest(values: &[f32]) -> f64 {
    values.iter().fold(0.0, |largest, value| largest.max(f64::from(value.abs())))
}

/// One case of the file: inputs of type `X`.
struct Case<'r, 'f, X> {
    reference: &'r mut Reference<'f>,
    name: String,
    inputs: [X; SAMPLES],
}

fn case<'r, 'f, X: Tensor>(reference: &'r mut Reference<'f>, name: impl Into<String>) -> Case<'r, 'f, X> {
    let name = name.into();
    let inputs = reference.rows(&format!("{name}/input"));
    Case { reference, name, inputs }
}

impl<X: Tensor> Case<'_, '_, X> {
    /// Cross-entropy with class indices.
    fn class<N: Layer<X, Output = [f32; C]> + Copy, const C: usize>(self, network: N) {
        self.class_in_batches(network, 1);
    }

    /// The same, in mini-batches.
    fn class_in_batches<N: Layer<X, Output = [f32; C]> + Copy, const C: usize>(mut self, network: N, batch: usize) {
        let targets = self.reference.classes(&self.path("target"));
        self.check(network, CrossEntropy, targets, batch);
    }

    /// Cross-entropy with soft targets.
    fn soft<N: Layer<X, Output = [f32; C]> + Copy, const C: usize>(mut self, network: N) {
        let targets: [[f32; C]; SAMPLES] = self.reference.rows(&self.path("target"));
        self.check(network, CrossEntropy, targets, 1);
    }

    /// Mean squared error.
    fn mse<N: Layer<X, Output: Tensor> + Copy>(self, network: N) {
        self.mse_in_batches(network, 1);
    }

    /// The same, in mini-batches.
    fn mse_in_batches<N: Layer<X, Output: Tensor> + Copy>(mut self, network: N, batch: usize) {
        let targets: [N::Output; SAMPLES] = self.reference.rows(&self.path("target"));
        self.check(network, MeanSquaredError, targets, batch);
    }

    fn path(&self, tensor: &str) -> String {
        format!("{}/{tensor}", self.name)
    }

    fn check<N, L, T>(&mut self, network: N, loss: L, targets: [T; SAMPLES], batch: usize)
    where
        N: Layer<X, Output: Tensor> + Copy,
        L: Loss<N::Output, T> + Copy,
    {
        let mut init = N::Params::ZERO;
        N::Params::visit_mut([&mut init], None, &mut |name, [values]| {
            values.copy_from_slice(&self.reference.floats(&self.path(&format!("init/{name}")), values.len()));
        });
        self.check_passes(network, &init, loss, &targets);
        if N::Params::COUNT == 0 {
            return;
        }
        let mut steps = Steps { case: self, network, init: &init, loss, targets: &targets, batch };
        steps.check("sgd", Sgd::new(0.1));
        steps.check("sgd, decay", Sgd::new(0.1).weight_decay(0.2));
        steps.check("momentum", Momentum::new(0.05, 0.9));
        steps.check("nesterov", Momentum::new(0.05, 0.9).nesterov());
        steps.check("momentum, decay", Momentum::new(0.05, 0.8).weight_decay(0.3));
        steps.check("adam", Adam::new(0.01));
        steps.check("adam, other", Adam { beta1: 0.7, beta2: 0.95, epsilon: 1e-3, ..Adam::new(0.02) });
        steps.check("adamw", Adam::new(0.01).weight_decay(0.5));
    }

    /// Output, loss and gradients of single samples: through the layer, which gives the input's gradient too, and through
    /// the learner, which skips it.
    fn check_passes<N, L, T>(&mut self, network: N, init: &N::Params, loss: L, targets: &[T; SAMPLES])
    where
        N: Layer<X, Output: Tensor> + Copy,
        L: Loss<N::Output, T> + Copy,
    {
        let outputs: [N::Output; SHOWN] = self.reference.rows(&self.path("output"));
        let losses: [f32; SHOWN] = self.reference.rows(&self.path("loss"));
        let input_gradients: [X; SHOWN] = self.reference.rows(&self.path("input_grad"));
        for (k, target) in targets.iter().enumerate().take(SHOWN) {
            let (mut x, mut tape, mut gradients) = (self.inputs[k], N::Tape::ZERO, N::Params::ZERO);
            let y = network.forward(init, &mut x, &mut tape, Pass::training(0));
            self.reference.compare(&format!("{}/output {k}", self.name), y.flat(), outputs[k].flat());
            let value = loss.gradient(y, target, N::output_gradient(InputGradient::Full));
            self.reference.compare(&format!("{}/loss {k}", self.name), &[value], &losses[k..=k]);
            network.backward(init, &mut x, &mut tape, Some(&mut gradients), InputGradient::Full);
            self.reference.compare(&format!("{}/input_grad {k}", self.name), x.flat(), input_gradients[k].flat());
            self.compare_gradients("layer", k, &gradients);

            let mut memory = Memory::<N, X, Sgd>::new();
            let mut learner = Learner::new(&mut memory, network, loss, Sgd::new(0.0));
            copy(init, learner.params_mut());
            let value = learner.observe(&self.inputs[k], target).unwrap();
            self.reference.compare(&format!("{}/learner's loss {k}", self.name), &[value], &losses[k..=k]);
            self.compare_gradients("learner", k, learner.gradients());
        }
    }

    /// Compares each parameter's gradient for sample `k`.
    fn compare_gradients<P: Params>(&mut self, from: &str, k: usize, gradients: &P) {
        gradients.visit(None, &mut |name, values| {
            let name = self.path(&format!("grad/{name}"));
            let theirs = self.reference.floats(&name, SHOWN * values.len());
            self.reference.compare(&format!("{name} {k}, {from}"), values, &theirs[k * values.len()..][..values.len()]);
        });
    }
}

/// What is the same for every optimizer of a case.
struct Steps<'a, 'r, 'f, N: Layer<X>, X, L, T> {
    case: &'a mut Case<'r, 'f, X>,
    network: N,
    init: &'a N::Params,
    loss: L,
    targets: &'a [T; SAMPLES],
    batch: usize,
}

impl<N, X, L, T> Steps<'_, '_, '_, N, X, L, T>
where
    N: Layer<X> + Copy,
    X: Tensor,
    L: Loss<N::Output, T> + Copy,
{
    /// Compares the parameters after the first and after the last step.
    fn check<O: Optimizer>(&mut self, name: &str, optimizer: O) {
        let theirs = self.case.reference.floats(&self.case.path(name), 2 * N::Params::COUNT);
        let (after_one, after_all) = theirs.split_at(N::Params::COUNT);
        let mut memory = Memory::<N, X, O>::new();
        let mut learner = Learner::new(&mut memory, self.network, self.loss, optimizer);
        copy(self.init, learner.params_mut());
        for step in 1..=STEPS {
            for sample in (step - 1) * self.batch..step * self.batch {
                let k = sample % SAMPLES;
                learner.observe(&self.case.inputs[k], &self.targets[k]).unwrap();
            }
            learner.update().unwrap();
            let mut theirs = match step {
                1 => after_one,
                STEPS => after_all,
                _ => continue,
            };
            let before = flat(self.init);
            let mut before = before.as_slice();
            learner.params().visit(None, &mut |parameter, values| {
                let before = before.split_off(..values.len()).unwrap();
                let theirs = theirs.split_off(..values.len()).unwrap();
                let name = format!("{}, {parameter} after {step} steps", self.case.path(name));
                self.case.reference.compare_to_scale(&name, values, theirs, largest(before).max(largest(theirs)));
            });
        }
    }
}

/// All values in the order of a visit.
fn flat<P: Params>(params: &P) -> Vec<f32> {
    let mut all = Vec::new();
    params.visit(None, &mut |_, values| all.extend_from_slice(values));
    all
}

fn copy<P: Params>(from: &P, to: &mut P) {
    let values = flat(from);
    let mut values = values.as_slice();
    P::visit_mut([to], None, &mut |_, [slice]| slice.copy_from_slice(values.split_off(..slice.len()).unwrap()));
}

const fn dense<const O: usize>() -> Dense<O> {
    Dense::new()
}

const fn without_bias<const O: usize>() -> Dense<O, NoBias> {
    Dense::new()
}

fn dense_cases(r: &mut Reference<'_>) {
    case::<[f32; 1]>(r, "dense/1-1").mse(dense::<1>());
    case::<[f32; 3]>(r, "dense/3-5").class(dense::<5>());
    case::<[f32; 7]>(r, "dense/7-2").soft((dense::<2>(),));
    case::<[f32; 9]>(r, "dense/9-13").mse((dense::<13>(),));
    case::<[f32; 1]>(r, "dense without bias/1-1").mse(without_bias::<1>());
    case::<[f32; 5]>(r, "dense without bias/5-3").class(without_bias::<3>());
    case::<[f32; 2]>(r, "dense without bias/2-7").soft((without_bias::<7>(),));
    case::<[f32; 3]>(r, "dense without bias/3-4-1").mse((without_bias::<4>(), without_bias::<1>()));
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
    case::<[[f32; 3]; 5]>(r, format!("{name}/alone")).mse((activation,));
    case::<[f32; 1]>(r, format!("{name}/1-1")).mse((dense::<1>(), activation));
    case::<[f32; 5]>(r, format!("{name}/5-7-3")).class((dense::<7>(), activation, dense::<3>()));
    case::<[f32; 2]>(r, format!("{name}/2-9-4")).soft((dense::<9>(), activation, without_bias::<4>()));
    case::<[f32; 3]>(r, format!("{name}/3-5 class")).class((dense::<5>(), activation));
    case::<[f32; 3]>(r, format!("{name}/3-5 soft")).soft((dense::<5>(), activation));
    case::<[f32; 3]>(r, format!("{name}/3-5 mse")).mse((dense::<5>(), activation));
}

/// ReLU, then another activation: the zeros of the closed gates pass through it.
fn chain_cases<A>(r: &mut Reference<'_>, name: &str, activation: A)
where
    A: Copy
        + Layer<[f32; 1], Output = [f32; 1]>
        + Layer<[f32; 5], Output = [f32; 5]>
        + Layer<[f32; 6], Output = [f32; 6]>,
{
    case::<[f32; 5]>(r, format!("relu-{name}/alone")).mse((Relu, activation));
    case::<[f32; 1]>(r, format!("relu-{name}/1-1")).mse((dense::<1>(), Relu, activation));
    case::<[f32; 4]>(r, format!("relu-{name}/4-6-3")).class((dense::<6>(), Relu, activation, dense::<3>()));
    case::<[f32; 3]>(r, format!("relu-{name}/3-5")).soft((dense::<5>(), Relu, activation));
}

fn flatten_cases(r: &mut Reference<'_>) {
    case::<[[f32; 1]; 1]>(r, "flatten/signal 1x1").class((Flatten::<1>, dense::<2>()));
    case::<[[f32; 3]; 4]>(r, "flatten/signal 4x3").class((Flatten::<12>, dense::<5>()));
    case::<[[f32; 1]; 7]>(r, "flatten/signal 7x1").mse((Tanh, Flatten::<7>, dense::<3>()));
    case::<[[[f32; 1]; 1]; 1]>(r, "flatten/image 1x1x1").soft((Flatten::<1>, dense::<3>()));
    case::<[[[f32; 2]; 2]; 3]>(r, "flatten/image 3x2x2").class((Flatten::<12>, dense::<4>(), Relu, dense::<2>()));
    case::<[[[f32; 1]; 3]; 2]>(r, "flatten/image 2x3x1").soft((Relu, Flatten::<6>, dense::<3>()));
}

fn loss_cases(r: &mut Reference<'_>) {
    case::<[f32; 3]>(r, "class/2").class((dense::<2>(),));
    case::<[f32; 4]>(r, "class/10").class((dense::<10>(),));
    case::<[f32; 3]>(r, "soft/1").soft((dense::<1>(),));
    case::<[f32; 4]>(r, "soft/10").soft((dense::<10>(),));
    case::<[f32; 5]>(r, "any/3").soft((dense::<3>(),));
    case::<[f32; 2]>(r, "any/11").soft((dense::<11>(),));
    case::<[[[f32; 2]; 1]; 3]>(r, "mse/3x1x2").mse((Tanh, LeakyRelu { slope: 0.2 }));
    case::<[f32; 4]>(r, "mse/9").mse((dense::<9>(),));
}

fn network_cases(r: &mut Reference<'_>) {
    case::<[f32; 4]>(r, "nested/first").class(((dense::<5>(), Relu), dense::<3>()));
    case::<[f32; 3]>(r, "nested/one in one").soft((((dense::<2>(),),),));
    case::<[f32; 3]>(r, "nested/last").mse((dense::<4>(), (Tanh, dense::<5>(), (Relu, dense::<1>()))));
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
    case::<[f32; 6]>(r, "sixteen stages/class").class(sixteen);
    case::<[f32; 6]>(r, "sixteen stages/mse").mse(sixteen);
    case::<[f32; 5]>(r, "batch/class").class_in_batches((dense::<6>(), Relu, dense::<3>()), 4);
    case::<[f32; 3]>(r, "batch/mse").mse_in_batches((dense::<7>(), Tanh, dense::<2>()), 4);
}

#[test]
fn every_case_agrees_with_pytorch_and_every_tensor_is_used() {
    let (_, metadata) = SafeTensors::read_metadata(FILE).unwrap();
    let version = metadata.metadata().as_ref().and_then(|entries| entries.get("torch")).expect("the PyTorch version");
    let file = SafeTensors::deserialize(FILE).unwrap();
    let all: BTreeSet<String> = file.names().into_iter().map(String::from).collect();
    let mut reference = Reference { file, used: BTreeSet::new(), wrong: Vec::new(), worst: (0.0, String::new()) };

    let r = &mut reference;
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

    let Reference { used, wrong, worst, .. } = reference;
    println!(
        "PyTorch {version}: {} tensors; largest difference {:.1e} of the scale, in {}",
        used.len(),
        worst.0,
        worst.1
    );
    assert!(wrong.is_empty(), "{} values differ from PyTorch {version}:\n{}", wrong.len(), wrong.join("\n"));
    let unused: Vec<_> = all.difference(&used).collect();
    assert!(unused.is_empty(), "{} of {} tensors were not compared: {unused:?}", unused.len(), all.len());
}

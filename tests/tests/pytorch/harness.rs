//! What every area uses: the file of PyTorch's values, the cases in it, and the comparison. `reference/harness.py` says what a
//! file holds.

use std::collections::BTreeSet;

use backpass::{
    Adam, CrossEntropy, InputGradient, Layer, Learner, Loss, MeanSquaredError, Memory, Name, Optimizer, Params, Pass,
    Sgd, Tensor, Zero,
};
use safetensors::{Dtype, SafeTensors};

/// Samples a case.
pub(crate) const SAMPLES: usize = 10;
/// How many of them are looked at one by one.
const SHOWN: usize = 3;
/// Optimizer steps, one or several samples each.
const STEPS: usize = 10;

/// A value `a` agrees with PyTorch's `b` if `|a - b| <= tolerance * scale`, where `scale` is the largest magnitude in
/// PyTorch's tensor: one sample's output or input gradient, one loss, one parameter's gradient, one parameter (there, the
/// larger of before and after the steps).
///
/// Why not relative to `b` itself: an element may be the small difference of large terms, and then each term's rounding,
/// up to 6e-8 of the term, is a large part of the element. The terms are about as large as the tensor's largest element.
///
/// Why 5e-6: PyTorch computed in f64, so the whole difference is the rounding of backpass in f32. A layer, a loss or a
/// step makes some ten roundings, and up to 16 stages or 10 steps add theirs up. An area that needs more says so.
pub(crate) const TOLERANCE: f64 = 5e-6;

/// Compares all of one area: `cases` goes through the file's cases, and every tensor of the file must be used.
pub(crate) fn area(file: &[u8], tolerance: f64, cases: impl FnOnce(&mut Reference<'_>)) {
    let (_, metadata) = SafeTensors::read_metadata(file).unwrap();
    let version = metadata.metadata().as_ref().and_then(|entries| entries.get("torch")).expect("the PyTorch version");
    let file = SafeTensors::deserialize(file).unwrap();
    let all: BTreeSet<String> = file.names().into_iter().map(String::from).collect();
    let mut reference =
        Reference { file, tolerance, used: BTreeSet::new(), wrong: Vec::new(), worst: (0.0, String::new()) };
    cases(&mut reference);

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

/// PyTorch's values, and how well ours agree.
pub(crate) struct Reference<'f> {
    file: SafeTensors<'f>,
    tolerance: f64,
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

    pub(crate) fn floats(&mut self, name: &str, elements: usize) -> Vec<f32> {
        self.bytes(name, Dtype::F32, elements).iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    /// Row after row of a tensor whose first axis has `N`.
    pub(crate) fn rows<Row: Tensor, const N: usize>(&mut self, name: &str) -> [Row; N] {
        let mut rows = [Row::ZERO; N];
        rows.flat_mut().copy_from_slice(&self.floats(name, N * Row::LEN));
        rows
    }

    pub(crate) fn classes<const N: usize>(&mut self, name: &str) -> [usize; N] {
        let classes = self.bytes(name, Dtype::I64, N);
        std::array::from_fn(|i| usize::try_from(i64::from_le_bytes(classes[i])).unwrap())
    }

    /// Notes how far `ours` is from `theirs`.
    pub(crate) fn compare(&mut self, name: &str, ours: &[f32], theirs: &[f32]) {
        self.compare_to_scale(name, ours, theirs, largest(theirs));
    }

    fn compare_to_scale(&mut self, name: &str, ours: &[f32], theirs: &[f32], scale: f64) {
        assert_eq!(ours.len(), theirs.len(), "`{name}`");
        for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
            let error = (f64::from(*a) - f64::from(*b)).abs();
            // Where the value is zero, float64 may leave some 1e-14, and that would be the scale.
            let relative = if error < 1e-12 { 0.0 } else { error / scale };
            if relative > self.worst.0 {
                self.worst = (relative, name.to_string());
            }
            if relative > self.tolerance || relative.is_nan() {
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
pub(crate) struct Case<'r, 'f, X> {
    pub(crate) reference: &'r mut Reference<'f>,
    pub(crate) name: String,
    pub(crate) inputs: [X; SAMPLES],
}

pub(crate) fn case<'r, 'f, X: Tensor>(reference: &'r mut Reference<'f>, name: impl Into<String>) -> Case<'r, 'f, X> {
    let name = name.into();
    let inputs = reference.rows(&format!("{name}/input"));
    Case { reference, name, inputs }
}

impl<X: Tensor> Case<'_, '_, X> {
    /// Cross-entropy with class indices.
    pub(crate) fn class<N: Layer<X, Output = [f32; C]> + Copy, const C: usize>(mut self, network: N) {
        let targets = self.classes();
        self.goal(network, CrossEntropy, targets);
    }

    /// Cross-entropy with soft targets.
    pub(crate) fn soft<N: Layer<X, Output = [f32; C]> + Copy, const C: usize>(mut self, network: N) {
        let targets: [[f32; C]; SAMPLES] = self.targets();
        self.goal(network, CrossEntropy, targets);
    }

    /// Mean squared error.
    pub(crate) fn mse<N: Layer<X, Output: Tensor> + Copy>(mut self, network: N) {
        let targets: [N::Output; SAMPLES] = self.targets();
        self.goal(network, MeanSquaredError, targets);
    }

    /// The targets, if they are class indices.
    pub(crate) fn classes(&mut self) -> [usize; SAMPLES] {
        self.reference.classes(&self.path("target"))
    }

    /// The targets, if they are tensors.
    pub(crate) fn targets<T: Tensor>(&mut self) -> [T; SAMPLES] {
        self.reference.rows(&self.path("target"))
    }

    pub(crate) fn path(&self, tensor: &str) -> String {
        format!("{}/{tensor}", self.name)
    }

    /// Another loss, with its targets; with plain SGD and Adam.
    pub(crate) fn goal<N, L, T>(self, network: N, loss: L, targets: [T; SAMPLES])
    where
        N: Layer<X, Output: Tensor> + Copy,
        L: Loss<N::Output, T> + Copy,
    {
        self.goal_in_batches(network, loss, targets, 1);
    }

    /// The same in mini-batches.
    pub(crate) fn goal_in_batches<N, L, T>(self, network: N, loss: L, targets: [T; SAMPLES], batch: usize)
    where
        N: Layer<X, Output: Tensor> + Copy,
        L: Loss<N::Output, T> + Copy,
    {
        // The compiler forgets which loss it is: networks are not compiled anew for each.
        let loss: &dyn Loss<N::Output, T> = &loss;
        self.check(network, loss, targets, batch, |steps| {
            steps.check("sgd", Sgd::new(0.1));
            steps.check("adam", Adam::new(0.01));
        });
    }

    /// Any loss, mini-batch and optimizers: `optimizers` names each with [`Steps::check`].
    pub(crate) fn check<N, L, T>(
        mut self,
        network: N,
        loss: L,
        targets: [T; SAMPLES],
        batch: usize,
        optimizers: impl FnOnce(&mut Steps<'_, '_, '_, N, X, L, T>),
    ) where
        N: Layer<X, Output: Tensor> + Copy,
        L: Loss<N::Output, T> + Copy,
    {
        let init: N::Params = self.init(None);
        self.check_passes(network, &init, loss, &targets);
        if N::Params::COUNT > 0 {
            optimizers(&mut Steps { case: &mut self, network, init: &init, loss, targets: &targets, batch });
        }
    }

    /// The parameters before training of the stage with this name, or of the whole network.
    pub(crate) fn init<P: Params>(&mut self, stage: Option<&Name<'_>>) -> P {
        let mut init = P::ZERO;
        P::visit_mut([&mut init], stage, &mut |name, [values]| {
            values.copy_from_slice(&self.reference.floats(&self.path(&format!("init/{name}")), values.len()));
        });
        init
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
            let alone = loss.loss(y, target);
            let value = loss.gradient(y, target, network.output_gradient(InputGradient::Full));
            assert_eq!(alone.to_bits(), value.to_bits(), "{}: the loss with and without gradient", self.name);
            self.reference.compare(&format!("{}/loss {k}", self.name), &[value], &losses[k..=k]);
            network.backward(init, &mut x, &mut tape, Some((&mut gradients).into()), InputGradient::Full);
            if N::ONLY_FIRST {
                // It has no gradient for its input; PyTorch was told so.
                assert!(input_gradients[k].flat().iter().all(|dx| *dx == 0.0));
            } else {
                self.reference.compare(&format!("{}/input_grad {k}", self.name), x.flat(), input_gradients[k].flat());
            }
            self.compare_gradients("layer", k, &gradients);

            let mut memory = Memory::<N, X, Sgd>::new();
            let mut learner = Learner::new(&mut memory, network, loss, Sgd::new(0.0));
            copy(init, learner.params_mut());
            let value = learner.observe(&self.inputs[k], target).unwrap();
            self.reference.compare(&format!("{}/learner's loss {k}", self.name), &[value], &losses[k..=k]);
            // Nothing has been added for a target that the loss ignores.
            self.compare_gradients("learner", k, learner.gradients().unwrap_or(&N::Params::ZERO));
        }
    }

    /// Compares each parameter's gradient for sample `k`.
    fn compare_gradients<P: Params>(&mut self, from: &str, k: usize, gradients: &P) {
        gradients.visit(None, &mut |name, values| {
            if name.is_statistic() {
                return;
            }
            let name = self.path(&format!("grad/{name}"));
            let theirs = self.reference.floats(&name, SHOWN * values.len());
            self.reference.compare(&format!("{name} {k}, {from}"), values, &theirs[k * values.len()..][..values.len()]);
        });
    }
}

/// What is the same for every optimizer of a case.
pub(crate) struct Steps<'a, 'r, 'f, N: Layer<X>, X, L, T> {
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
    pub(crate) fn check<O: Optimizer>(&mut self, name: &str, optimizer: O) {
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

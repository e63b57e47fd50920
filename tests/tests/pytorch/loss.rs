//! Losses with all their options: `reference/cases/loss.py`.

use backpass::{
    BinaryCrossEntropy, Conv1d, Conv2d, CosineEmbedding, CrossEntropy, Dense, Flatten, Hinge, Huber, Image,
    InputGradient, Layer, Loss, MeanAbsoluteError, MeanSquaredError, Relu, Relu6, Signal, Tanh, Tensor,
};

use crate::harness::{Case, Reference, SAMPLES, TOLERANCE, area, case};

/// A loss of elements, with targets of the output's own type.
fn elements<X: Tensor, N, L>(r: &mut Reference<'_>, name: &str, case_name: &str, network: N, loss: L)
where
    N: Layer<X, Output: Tensor> + Copy,
    L: Loss<N::Output, N::Output> + Copy,
{
    let mut case = case::<X>(r, format!("{name}/{case_name}"));
    let targets: [N::Output; SAMPLES] = case.targets();
    case.goal(network, loss, targets);
}

/// The same loss for outputs of every shape.
trait ForAll:
    Loss<[f32; 1], [f32; 1]>
    + Loss<[f32; 3], [f32; 3]>
    + Loss<[f32; 6], [f32; 6]>
    + Loss<[f32; 7], [f32; 7]>
    + Loss<[f32; 9], [f32; 9]>
    + Loss<Signal<3, 3>, Signal<3, 3>>
    + Loss<Image<2, 3, 2>, Image<2, 3, 2>>
    + Copy
{
}

impl<L> ForAll for L where
    L: Loss<[f32; 1], [f32; 1]>
        + Loss<[f32; 3], [f32; 3]>
        + Loss<[f32; 6], [f32; 6]>
        + Loss<[f32; 7], [f32; 7]>
        + Loss<[f32; 9], [f32; 9]>
        + Loss<Signal<3, 3>, Signal<3, 3>>
        + Loss<Image<2, 3, 2>, Image<2, 3, 2>>
        + Copy
{
}

const SIGNAL: Conv1d<Signal<3, 3>, 3> = Conv1d::new();
const IMAGE: (Tanh, Conv2d<Image<2, 3, 2>, 1>) = (Tanh, Conv2d::new());
const RELU: (Dense<6>, Relu) = (Dense::new(), Relu);
const RELU6: (Dense<9>, Relu6) = (Dense::new(), Relu6);
const NETWORK: (Dense<9>, Tanh, Dense<3>) = (Dense::new(), Tanh, Dense::new());

fn elementwise(r: &mut Reference<'_>, name: &str, loss: impl ForAll) {
    elements::<[f32; 1], _, _>(r, name, "1-1", (Dense::<1>::new(),), loss);
    elements::<[f32; 5], _, _>(r, name, "5-7", (Dense::<7>::new(),), loss);
    elements::<Signal<5, 2>, _, _>(r, name, "signal 5x2", (SIGNAL,), loss);
    elements::<Image<2, 3, 2>, _, _>(r, name, "image 2x3x2", IMAGE, loss);
    elements::<[f32; 4], _, _>(r, name, "relu", RELU, loss);
    elements::<[f32; 3], _, _>(r, name, "relu6", RELU6, loss);
    elements::<[f32; 4], _, _>(r, name, "network", NETWORK, loss);
}

/// As `weights` in `reference/cases/loss.py`.
fn weights<const C: usize>() -> [f32; C] {
    std::array::from_fn(|i| 0.5 + 0.75 * (i % 4) as f32)
}

/// Positive weights of the channels, whose number is that of the output's last axis.
fn positive_weights(r: &mut Reference<'_>) {
    fn of<const C: usize>() -> backpass::WeightedBinaryCrossEntropy<[f32; C]> {
        BinaryCrossEntropy.positive_weight(weights())
    }
    let name = "bce channels";
    elements::<[f32; 1], _, _>(r, name, "1-1", (Dense::<1>::new(),), of::<1>());
    elements::<[f32; 5], _, _>(r, name, "5-7", (Dense::<7>::new(),), of::<7>());
    elements::<Signal<5, 2>, _, _>(r, name, "signal 5x2", (SIGNAL,), of::<3>());
    elements::<Image<2, 3, 2>, _, _>(r, name, "image 2x3x2", IMAGE, of::<2>());
    elements::<[f32; 4], _, _>(r, name, "relu", RELU, of::<6>());
    elements::<[f32; 3], _, _>(r, name, "relu6", RELU6, of::<9>());
    elements::<[f32; 4], _, _>(r, name, "network", NETWORK, of::<3>());
}

/// How a case's targets are read, and with which loss and in which batches it is trained.
trait Goal {
    fn run<X: Tensor, N: Layer<X, Output = [f32; C]> + Copy, const C: usize>(&self, case: Case<'_, '_, X>, network: N);
}

fn flattened<const C: usize>() -> (Conv2d<Image<2, 1, 3>, 2>, Flatten<C>) {
    (Conv2d::new(), Flatten)
}

/// Outputs of 1, 5, 6, 6, 9 and 3 classes.
fn class_cases(r: &mut Reference<'_>, name: &str, goal: impl Goal) {
    goal.run(case::<[f32; 3]>(r, format!("{name}/3-1")), (Dense::<1>::new(),));
    goal.run(case::<[f32; 4]>(r, format!("{name}/5")), (Dense::<5>::new(),));
    goal.run(case::<Image<3, 2, 2>>(r, format!("{name}/image")), flattened::<6>());
    goal.run(case::<[f32; 4]>(r, format!("{name}/relu")), RELU);
    goal.run(case::<[f32; 3]>(r, format!("{name}/relu6")), RELU6);
    goal.run(case::<[f32; 4]>(r, format!("{name}/network")), NETWORK);
}

/// Cross-entropy with a class index, or soft targets.
struct Configured {
    is_soft: bool,
    is_weighted: bool,
    smoothing: f32,
}

impl Goal for Configured {
    fn run<X, N, const C: usize>(&self, case: Case<'_, '_, X>, network: N)
    where
        X: Tensor,
        N: Layer<X, Output = [f32; C]> + Copy,
    {
        let smoothed = CrossEntropy.label_smoothing(self.smoothing);
        let weighted = CrossEntropy.weights(weights());
        match (self.is_weighted, self.smoothing > 0.0) {
            (true, true) => self.train(case, network, smoothed.weights(weights())),
            (true, false) => self.train(case, network, weighted),
            (false, _) => self.train(case, network, smoothed),
        }
    }
}

impl Configured {
    fn train<X, N, L, const C: usize>(&self, mut case: Case<'_, '_, X>, network: N, loss: L)
    where
        X: Tensor,
        N: Layer<X, Output = [f32; C]> + Copy,
        L: Loss<[f32; C], usize> + Loss<[f32; C], [f32; C]> + Copy,
    {
        if self.is_soft {
            let targets: [[f32; C]; SAMPLES] = case.targets();
            case.goal(network, loss, targets);
        } else {
            let targets = case.classes();
            case.goal(network, loss, targets);
        }
    }
}

impl Goal for Hinge {
    fn run<X, N, const C: usize>(&self, mut case: Case<'_, '_, X>, network: N)
    where
        X: Tensor,
        N: Layer<X, Output = [f32; C]> + Copy,
    {
        let targets = case.classes();
        case.goal(network, *self, targets);
    }
}

/// Cross-entropy that ignores class 255, in mini-batches of 4.
struct Ignoring {
    is_weighted: bool,
    smoothing: f32,
}

impl Goal for Ignoring {
    fn run<X, N, const C: usize>(&self, mut case: Case<'_, '_, X>, network: N)
    where
        X: Tensor,
        N: Layer<X, Output = [f32; C]> + Copy,
    {
        let targets = case.classes();
        let smoothed = CrossEntropy.label_smoothing(self.smoothing);
        match (self.is_weighted, self.smoothing > 0.0) {
            (true, _) => case.goal_in_batches(network, smoothed.weights(weights()).ignore(255), targets, 4),
            (false, true) => case.goal_in_batches(network, smoothed.ignore(255), targets, 4),
            (false, false) => case.goal_in_batches(network, CrossEntropy.ignore(255), targets, 4),
        }
    }
}

/// A vector and, behind it, a label.
fn vector_and_label<const N: usize>(row: &[f32]) -> ([f32; N], f32) {
    let (vector, label) = row.split_first_chunk().unwrap();
    (*vector, label[0])
}

fn cosine_case<X, N, const C: usize>(r: &mut Reference<'_>, name: String, network: N, margin: f32)
where
    X: Tensor,
    N: Layer<X, Output = [f32; C]> + Copy,
{
    let case = case::<X>(r, name);
    let rows = case.reference.floats(&case.path("target"), SAMPLES * (C + 1));
    let targets = std::array::from_fn(|i| vector_and_label(&rows[i * (C + 1)..][..C + 1]));
    case.goal(network, CosineEmbedding { margin }, targets);
}

fn cosine(r: &mut Reference<'_>, name: &str, margin: f32) {
    let signal = (Conv1d::<Signal<3, 3>, 2>::new(), Flatten::<9>);
    cosine_case::<[f32; 3], _, 2>(r, format!("{name}/2"), (Dense::<2>::new(),), margin);
    cosine_case::<[f32; 5], _, 7>(r, format!("{name}/7"), (Dense::<7>::new(),), margin);
    cosine_case::<Signal<4, 2>, _, 9>(r, format!("{name}/signal"), signal, margin);
    cosine_case::<Image<3, 2, 2>, _, 6>(r, format!("{name}/image"), flattened::<6>(), margin);
    cosine_case::<[f32; 4], _, 6>(r, format!("{name}/4-6 relu"), RELU, margin);
    cosine_case::<[f32; 3], _, 9>(r, format!("{name}/relu6"), RELU6, margin);
    cosine_case::<[f32; 4], _, 3>(r, format!("{name}/network"), NETWORK, margin);
}

/// Single outputs of three elements, some of them huge, with the targets that go with them.
fn extreme<L: Loss<[f32; 3], T>, T, const ROWS: usize>(
    r: &mut Reference<'_>,
    name: &str,
    loss: L,
    targets: impl FnOnce(&mut Reference<'_>, &str) -> [T; ROWS],
) {
    let path = |tensor: &str| format!("extreme/{name}/{tensor}");
    let targets = targets(r, &path("target"));
    let outputs: [[f32; 3]; ROWS] = r.rows(&path("output"));
    let losses: [f32; ROWS] = r.rows(&path("loss"));
    let gradients: [[f32; 3]; ROWS] = r.rows(&path("gradient"));
    for (k, target) in targets.iter().enumerate() {
        let mut y = outputs[k];
        let value = loss.gradient(&mut y, target, InputGradient::Full);
        assert_eq!(value.to_bits(), loss.loss(&outputs[k], target).to_bits(), "{name} {k}");
        r.compare(&format!("{}, {k}", path("loss")), &[value], &losses[k..=k]);
        r.compare(&format!("{}, {k}", path("gradient")), &y, &gradients[k]);
    }
}

/// How many outputs of three elements there are, for losses of one target and for vectors with both labels.
const OUTPUTS: usize = 6;
const PAIRS: usize = 22;

fn extremes(r: &mut Reference<'_>) {
    fn rows(r: &mut Reference<'_>, name: &str) -> [[f32; 3]; OUTPUTS] {
        r.rows(name)
    }
    fn classes(r: &mut Reference<'_>, name: &str) -> [usize; OUTPUTS] {
        r.classes(name)
    }
    fn pairs(r: &mut Reference<'_>, name: &str) -> [([f32; 3], f32); PAIRS] {
        let rows: [[f32; 4]; PAIRS] = r.rows(name);
        rows.map(|row| vector_and_label(&row))
    }
    extreme(r, "bce", BinaryCrossEntropy, rows);
    extreme(r, "bce weighted", BinaryCrossEntropy.positive_weight(1.125), rows);
    extreme(r, "mae", MeanAbsoluteError, rows);
    extreme(r, "huber", Huber::new(), rows);
    extreme(r, "hinge signs", Hinge::new(), rows);
    extreme(r, "hinge", Hinge::new(), classes);
    extreme(r, "class", CrossEntropy, classes);
    extreme(r, "smoothing", CrossEntropy.label_smoothing(0.25), classes);
    extreme(r, "soft", CrossEntropy, rows);
    extreme(r, "cosine", CosineEmbedding { margin: -0.5 }, pairs);
}

#[test]
fn losses_agree_with_pytorch() {
    area(include_bytes!("../../reference/loss.safetensors"), TOLERANCE, |r| {
        elementwise(r, "mse", MeanSquaredError);
        elementwise(r, "mae", MeanAbsoluteError);
        elementwise(r, "huber", Huber::new());
        elementwise(r, "huber 0.25", Huber { delta: 0.25 });
        elementwise(r, "bce", BinaryCrossEntropy);
        elementwise(r, "bce 3", BinaryCrossEntropy.positive_weight(3.0));
        positive_weights(r);
        elementwise(r, "hinge signs", Hinge::new());
        elementwise(r, "hinge signs 0.5", Hinge::new().margin(0.5));
        elementwise(r, "hinge signs squared", Hinge::new().squared());
        for (name, is_weighted, smoothing) in
            [("weights", true, 0.0), ("smoothing", false, 0.125), ("weights, smoothing", true, 0.25)]
        {
            class_cases(r, name, Configured { is_soft: false, is_weighted, smoothing });
            class_cases(r, &format!("soft {name}"), Configured { is_soft: true, is_weighted, smoothing });
        }
        class_cases(r, "hinge", Hinge::new());
        class_cases(r, "hinge 0.5", Hinge::new().margin(0.5));
        class_cases(r, "hinge squared", Hinge::new().squared());
        class_cases(r, "ignore", Ignoring { is_weighted: false, smoothing: 0.0 });
        class_cases(r, "ignore, smoothing", Ignoring { is_weighted: false, smoothing: 0.125 });
        class_cases(r, "ignore, weights, smoothing", Ignoring { is_weighted: true, smoothing: 0.25 });
        case::<Image<3, 2, 2>>(r, "plain class/image").class(flattened::<6>());
        case::<[f32; 3]>(r, "plain class/relu6").class(RELU6);
        case::<Image<3, 2, 2>>(r, "plain soft/image").soft(flattened::<6>());
        case::<[f32; 3]>(r, "plain soft/relu6").soft(RELU6);
        cosine(r, "cosine", 0.0);
        cosine(r, "cosine -0.5", -0.5);
        extremes(r);
    });
}

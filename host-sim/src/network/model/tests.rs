//! The model against the learner, and against its own finite differences.

use backpass::{
    AveragePool, BatchNorm, BinaryCrossEntropy, Conv1d, Conv2d, CrossEntropy, Dense, DepthwiseConv1d, DepthwiseConv2d,
    Dropout, Elu, Flatten, Gelu, GlobalAveragePool, GlobalMaxPool, Gru, HardSigmoid, HardSwish, Image, Keep, Layer,
    LayerNorm, LeakyRelu, Learner, LogSoftmax, Lstm, MaxPool, MeanSquaredError, Memory, Mish, NoBias, PRelu, Params,
    Pass, PerChannel, Relu, Relu6, Residual, ResidualProjection, Rng, Rnn, Selu, Sequence, Sgd, Shared, Sigmoid,
    Signal, Silu, Softmax, Softplus, Softsign, Tanh, Tensor, Vector,
};

use super::super::rule::with_each_optimizer;
use super::super::{Role, Rule};
use super::*;

/// All numbers of the learner's parameters, or of what has their type.
fn flat(params: &impl Params) -> Vec<Vec<f32>> {
    let mut all = Vec::new();
    params.visit(None, &mut |_, values| all.push(values.to_vec()));
    all
}

/// f32 has 24 bits; sums of a few hundred terms lose some of them.
fn assert_close(model: &[Vec<f64>], learner: &[Vec<f32>], what: &str) {
    assert_eq!(model.len(), learner.len(), "{what}");
    let largest = model.iter().flatten().fold(0.0_f64, |largest, value| largest.max(value.abs())).max(1e-3);
    for (at, (model, learner)) in model.iter().flatten().zip(learner.iter().flatten()).enumerate() {
        let error = (model - f64::from(*learner)).abs();
        assert!(error < 1e-5 * largest, "{what}, number {at}: {model} in the model, {learner} in the learner");
    }
}

/// Two steps of the model and of the learner: initial weights, output, loss, gradients, and the weights after them.
fn same<N, X, L, T>(line: &str, network: N, loss: L, learners: &T, rule: Loss, target: &Target)
where
    N: Layer<X, Output: Tensor>,
    X: Tensor,
    L: backpass::Loss<N::Output, T>,
{
    let mut memory = Box::new(Memory::<N, X, Sgd>::new());
    let mut learner = Learner::new(&mut *memory, network, loss, Sgd::new(0.1));
    learner.initialize(7);
    let mut model = Model::new(Network::from_line(line).unwrap(), 7);
    let exact: Vec<Vec<f64>> =
        flat(learner.params()).iter().map(|v| v.iter().map(|v| f64::from(*v)).collect()).collect();
    assert_eq!(model.values(), exact, "{line}: initial weights");
    let mut optimizer = Optimizer::new(Rule::Sgd, 0.1, &model);
    let mut rng = Rng::new(3);
    for sample in 0..2 {
        let mut x = X::ZERO;
        x.flat_mut().iter_mut().for_each(|x| *x = rng.symmetric(2.0));
        let input: Vec<f64> = x.flat().iter().map(|x| f64::from(*x)).collect();
        let trace = model.forward(&input, Pass::training(sample));
        let expected = learner.observe(&x, learners).unwrap();
        let (value, gradient) = rule.gradient(trace.output(), target);
        assert!((value - f64::from(expected)).abs() < 1e-5 * value.max(1.0), "{line}: loss {value}, {expected}");
        let predicted: Vec<Vec<f32>> = vec![learner.predict(&x).flat().to_vec()];
        assert_close(&[model.forward(&input, Pass::Predicting).output().to_vec()], &predicted, line);
        let backward = model.backward(&trace, gradient);
        let gradients: Vec<Vec<f64>> = backward.gradients().cloned().collect();
        assert_close(&gradients, &flat(learner.gradients().unwrap()), line);
        optimizer.step(&mut model, &[backward]);
        learner.update().unwrap();
        assert_close(model.values(), &flat(learner.params()), line);
    }
}

fn same_classes<N: Layer<X, Output = [f32; C]>, X: Tensor, const C: usize>(line: &str, network: N) {
    same(line, network, CrossEntropy, &1_usize, Loss::CrossEntropy, &Target::Class(1));
}

fn same_values<N: Layer<X, Output: Tensor>, X: Tensor>(line: &str, network: N) {
    let mut target = <N::Output as backpass::Zero>::ZERO;
    target.flat_mut().fill(0.25);
    let values = Target::Values(vec![0.25; target.flat().len()]);
    same(line, network, MeanSquaredError, &target, Loss::MeanSquaredError, &values);
}

#[test]
fn dense_networks_are_the_learners() {
    same_classes::<_, Vector<5>, 3>("5 dense(4) relu dense(3)", (Dense::<4>::new(), Relu, Dense::<3>::new()));
    same_classes::<_, Vector<5>, 2>(
        "5 dense(6,bias=no) leakyrelu(0.2) dropout(0.5) dense(2)",
        (Dense::<6, NoBias>::new(), LeakyRelu { slope: 0.2 }, Dropout::new(0.5), Dense::<2>::new()),
    );
    same::<_, Vector<3>, _, _>(
        "3 dense(4) tanh dense(2)",
        (Dense::<4>::new(), Tanh, Dense::<2>::new()),
        BinaryCrossEntropy,
        &[0.25_f32, 1.0],
        Loss::BinaryCrossEntropy,
        &Target::Values(vec![0.25, 1.0]),
    );
    let soft = [0.5_f32, 0.25, 0.25];
    let target = Target::Values(vec![0.5, 0.25, 0.25]);
    same::<_, Vector<2>, _, _>("2 dense(3)", (Dense::<3>::new(),), CrossEntropy, &soft, Loss::CrossEntropy, &target);
}

#[test]
fn activations_are_the_learners() {
    macro_rules! each {
        ($($name:literal $layer:expr),+) => {
            $(same_values::<_, Vector<4>>(
                &format!("4 dense(12) {} dense(3)", $name),
                (Dense::<12>::new(), $layer, Dense::<3>::new()),
            );)+
        };
    }
    each!(
        "relu6" Relu6, "sigmoid" Sigmoid, "tanh" Tanh, "elu" Elu::new(), "selu" Selu::new(), "gelu" Gelu, "silu" Silu,
        "mish" Mish, "softplus" Softplus::new(), "softsign" Softsign, "hardsigmoid" HardSigmoid::new(), "hardswish" HardSwish,
        "softmax" Softmax, "logsoftmax" LogSoftmax, "layernorm" LayerNorm::new(), "batchnorm" BatchNorm::new(),
        "prelu" PRelu::<PerChannel>::new(), "prelu(shared)" PRelu::<Shared>::new()
    );
    type Channels = (Conv1d<Signal<7, 3>, 3>, PRelu, Flatten<21>, Dense<3>);
    same_classes::<Channels, Signal<9, 2>, 3>("2x9 conv1d(3,3) prelu dense(3)", Default::default());
}

#[test]
fn convolutions_pools_and_normalisation_are_the_learners() {
    type Images = (
        Conv2d<Image<4, 4, 3>, 3, 2>,
        BatchNorm,
        Relu,
        DepthwiseConv2d<Image<4, 4, 3>, 3>,
        LayerNorm,
        MaxPool<Image<2, 2, 3>, 2>,
        Flatten<12>,
        Dense<3>,
    );
    let line =
        "2x8x8 conv2d(3,3,2,padding=same) batchnorm relu depthwise(3,padding=same) layernorm maxpool(2) dense(3)";
    same_classes::<Images, Image<8, 8, 2>, 3>(line, Default::default());
    type Signals = (
        Conv1d<Signal<9, 4>, 3, 1, NoBias, 2>,
        Silu,
        DepthwiseConv1d<Signal<7, 4>, 3>,
        AveragePool<Signal<3, 4>, 3, 2>,
        GlobalAveragePool,
        Dense<2>,
    );
    let line = "3x13 conv1d(4,3,dilation=2,bias=no) silu depthwise(3) averagepool(3,2) globalaveragepool dense(2)";
    same_classes::<Signals, Signal<13, 3>, 2>(line, Default::default());
    type Padded = (Conv1d<Signal<8, 2>, 3>, AveragePool<Signal<4, 2>, 3, 2>, GlobalMaxPool, Dense<2>);
    let line = "1x8 conv1d(2,3,padding=same) averagepool(3,2,padding=same) globalmaxpool dense(2)";
    same_classes::<Padded, Signal<8, 1>, 2>(line, Default::default());
}

#[test]
fn recurrent_networks_are_the_learners() {
    type Deep = (Gru<4, Sequence>, Lstm<3, Sequence>, Rnn<5>, Dense<2>);
    same_classes::<Deep, Signal<6, 2>, 2>("2x6 gru(4,sequence) lstm(3,sequence) rnn(5) dense(2)", Default::default());
    same_values::<_, Signal<5, 2>>("2x5 gru(4)", (Gru::<4>::new(),));
    same_values::<_, Signal<5, 2>>("2x5 lstm(4,bias=no)", (Lstm::<4, backpass::Last, NoBias>::new(),));
    same_values::<_, Signal<5, 2>>("2x5 gru(3,sequence,bias=no)", (Gru::<3, Sequence, NoBias>::new(),));
}

#[test]
fn residual_networks_are_the_learners() {
    type Block = Residual<(Conv2d<Image<6, 6, 2>, 3>, BatchNorm, Relu, Conv2d<Image<6, 6, 2>, 3>)>;
    type Down = ResidualProjection<
        (Conv2d<Image<3, 3, 4>, 3, 2>, Relu, Conv2d<Image<3, 3, 4>, 3>),
        (Conv2d<Image<3, 3, 4>, 1, 2>, BatchNorm),
    >;
    let line = "2x6x6 residual(conv2d(2,3,padding=same) batchnorm relu conv2d(2,3,padding=same)) relu \
                residual(conv2d(4,3,2,padding=same) relu conv2d(4,3,padding=same) | conv2d(4,1,2) batchnorm) relu \
                globalaveragepool dense(3)";
    type Net = (Block, Relu, Down, Relu, GlobalAveragePool, Dense<3>);
    same_classes::<Net, Image<6, 6, 2>, 3>(line, Default::default());
    // In one another, with copies at the ends; a projection that needs a random stream of its own.
    type Inner = Residual<(Keep, Relu, Dense<6>, Dropout, Keep)>;
    type Nested =
        (Residual<(Dense<6>, Inner, Tanh, Dense<5>)>, ResidualProjection<Dense<4>, (Dense<6>, Dropout, Dense<4>)>);
    let half = Dropout::new(0.5);
    let nested: Nested = (
        Residual((Dense::new(), Residual((Keep, Relu, Dense::new(), half, Keep)), Tanh, Dense::new())),
        ResidualProjection(Dense::new(), (Dense::new(), half, Dense::new())),
    );
    let line = "5 residual(dense(6) residual(relu dense(6) dropout(0.5)) tanh dense(5)) \
                residual(dense(4) | dense(6) dropout(0.5) dense(4))";
    same_classes::<Nested, Vector<5>, 4>(line, nested);
}

#[test]
fn dropout_in_a_long_network_draws_the_learners_masks() {
    type Sixteen = (
        Dense<6>,
        Dropout,
        Dense<6>,
        Tanh,
        Dense<6>,
        Tanh,
        Dense<6>,
        Tanh,
        Dense<6>,
        Tanh,
        Dense<6>,
        Tanh,
        Dense<6>,
        Tanh,
        Dense<6>,
        Tanh,
    );
    let line = format!("6 dense(6) dropout(0.5) {}dropout(0.5) dense(3)", "dense(6) tanh ".repeat(7));
    let (d, t) = (Dense::<6>::new(), Tanh);
    let sixteen: Sixteen = (d, Dropout::new(0.5), d, t, d, t, d, t, d, t, d, t, d, t, d, t);
    same_classes::<_, Vector<6>, 3>(&line, (sixteen, (Dropout::new(0.5), Dense::<3>::new())));
}

#[test]
fn rules_are_the_learners() {
    fn compare<O: backpass::Optimizer + Clone>(optimizer: O, rule: Rule) {
        let mut memory = Memory::<(Dense<4>, Tanh, Dense<2>), [f32; 3], O>::new();
        let mut learner = Learner::new(&mut memory, Default::default(), CrossEntropy, optimizer);
        learner.initialize(5);
        let mut model = Model::new(Network::from_line("3 dense(4) tanh dense(2)").unwrap(), 5);
        let mut descent = Optimizer::new(rule, 0.05, &model);
        for step in 0..5_u32 {
            let sample = [0.5, -0.25 * step as f32, 1.0];
            let batch: Vec<Backward> = [0, 1]
                .map(|class| {
                    learner.observe(&sample, &class).unwrap();
                    let trace = model.forward(&sample.map(f64::from), Pass::training(0));
                    model.backward(&trace, Loss::CrossEntropy.gradient(trace.output(), &Target::Class(class)).1)
                })
                .to_vec();
            learner.update().unwrap();
            descent.step(&mut model, &batch);
        }
        // First steps divide tiny gradients by their own size.
        let learned = flat(learner.params());
        for (model, learner) in model.values().iter().flatten().zip(learned.iter().flatten()) {
            assert!((model - f64::from(*learner)).abs() < 2e-4, "{rule:?}: {model} {learner}");
        }
    }
    with_each_optimizer!(compare);
}

#[test]
fn gradients_are_what_finite_differences_say() {
    let activations: Vec<String> = super::super::Activation::ALL
        .iter()
        .map(|function| format!("3 dense(4) {} dense(2)", function.name().to_ascii_lowercase()))
        .collect();
    let more = [
        "2x6x5 conv2d(3,3x2,2,padding=1) batchnorm relu maxpool(2) dense(2)",
        "2x9 conv1d(3,3,padding=same) prelu layernorm prelu(shared) depthwise(3) averagepool(2) globalmaxpool dense(2)",
        "2x5 gru(3,sequence) lstm(3,sequence) rnn(3) dropout(0.5) dense(2)",
        "2x5x5 residual(conv2d(2,3,padding=same) relu conv2d(2,3,padding=same)) residual(conv2d(3,3,2) gelu | conv2d(3,3,2)) dense(2)",
        "4 residual(residual(tanh dense(4)) dense(3) residual(dense(4) | dense(5) silu dense(4))) dense(2)",
    ];
    for line in activations.iter().map(String::as_str).chain(more) {
        let mut model = Model::new(Network::from_line(line).unwrap(), 11);
        let mut rng = Rng::new(4);
        let input: Vec<f64> = (0..model.network().input().count()).map(|_| f64::from(rng.symmetric(2.0))).collect();
        let (pass, loss, target) = (Pass::training(0), Loss::CrossEntropy, Target::Class(1));
        let trace = model.forward(&input, pass);
        let backward = model.backward(&trace, loss.gradient(trace.output(), &target).1);
        let close = |gradient: f64, difference: Difference, what: &str| {
            let error = (gradient - difference.central).abs();
            // The difference itself is good to about 1e-10: h squared, and rounding over h.
            assert!(difference.kink || error < 1e-8, "{line}, {what}: {gradient} {difference:?}");
        };
        for node in 0..model.nodes().len() {
            for (at, dx) in backward.steps[node].dx.iter().enumerate() {
                close(*dx, model.input_difference([node, at], &trace, loss, &target, pass), "dL/dx");
            }
            for (parameter, gradients) in backward.steps[node].parameters.iter().enumerate() {
                if model.parameters()[model.range(node).start + parameter].role == Role::Statistic {
                    continue;
                }
                for (at, gradient) in gradients.iter().enumerate() {
                    let place = [node, parameter, at];
                    close(*gradient, model.parameter_difference(place, &trace, loss, &target, pass), "dL/dw");
                }
            }
        }
    }
}

#[test]
fn a_difference_across_a_kink_says_so() {
    let mut model = Model::new(Network::from_line("1 relu dense(1,bias=no)").unwrap(), 1);
    model.values_mut()[0][0] = 2.0;
    let target = Target::Values(vec![1.0]);
    let pass = Pass::training(0);
    let at = |model: &Model, x: f64| {
        let trace = model.forward(&[x], pass);
        model.input_difference([0, 0], &trace, Loss::MeanSquaredError, &target, pass)
    };
    let kink = at(&model, 0.0);
    assert!(kink.kink && kink.below == 0.0 && (kink.above + 4.0).abs() < 1e-3, "{kink:?}");
    assert!(!at(&model, 0.5).kink);
}

#[test]
fn targets_that_do_not_fit_are_refused() {
    let check = |loss: Loss, target: Target| loss.check(&target, 2);
    assert!(matches!(check(Loss::CrossEntropy, Target::Class(2)), Err(TargetError::Class { class: 2, classes: 2 })));
    assert!(matches!(check(Loss::MeanSquaredError, Target::Class(0)), Err(TargetError::NoClass { .. })));
    assert!(matches!(
        check(Loss::MeanSquaredError, Target::Values(vec![1.0])),
        Err(TargetError::Count { found: 1, expected: 2 })
    ));
    assert!(check(Loss::CrossEntropy, Target::Values(vec![0.5, f64::NAN])).is_err());
    assert!(check(Loss::BinaryCrossEntropy, Target::Values(vec![0.5, 1.5])).is_err());
    assert!(check(Loss::MeanSquaredError, Target::Values(vec![0.5, 1.5])).is_ok());
}

//! Optimizers, clipping, learning rates by layer, schedules and running statistics: `reference/cases/optimizer.py`.

use backpass::schedule::{
    Constant, Cosine, Exponential, LinearWarmup, OneCycle, PlateauState, ReduceOnPlateau, Schedule, StepDecay,
};
use backpass::{
    Adadelta, Adagrad, Adam, AmsGrad, BatchNorm, Conv1d, CrossEntropy, Dense, Flatten, Lars, Layer, Lion, Loss,
    MeanSquaredError, Momentum, Optimizer, RmsProp, Sgd, Signal, Tanh, Tensor, Zero,
};

use crate::harness::{Case, Reference, SAMPLES, Steps, TOLERANCE, area, case};

/// The rules, each with its options.
fn rules<N, X, L, T>(steps: &mut Steps<'_, '_, '_, N, X, L, T>)
where
    N: Layer<X> + Copy,
    X: Tensor,
    L: Loss<N::Output, T> + Copy,
{
    steps.check("sgd", Sgd::new(0.1));
    steps.check("sgd, decoupled", Sgd::new(0.1).weight_decay(0.2));
    steps.check("sgd, l2", Sgd::new(0.1).l2(0.2));
    steps.check("sgd, both", Sgd::new(0.1).l2(0.2).weight_decay(0.3));
    let momentum = Momentum::new(0.05, 0.9);
    steps.check("momentum", momentum);
    steps.check("momentum, decoupled", momentum.weight_decay(0.3));
    steps.check("momentum, l2", momentum.l2(0.3));
    steps.check("momentum, dampened", Momentum::new(0.1, 0.9).dampening(0.4));
    steps.check("momentum, dampened, l2", Momentum::new(0.1, 0.8).dampening(0.9).l2(0.2));
    steps.check("nesterov", momentum.nesterov());
    steps.check("nesterov, l2", Momentum::new(0.05, 0.7).nesterov().l2(0.3));
    let rms = RmsProp::new(0.01);
    steps.check("rmsprop", rms);
    steps.check("rmsprop, other", RmsProp { alpha: 0.8, epsilon: 1e-2, ..RmsProp::new(0.02) });
    steps.check("rmsprop, decoupled", rms.weight_decay(0.5));
    steps.check("rmsprop, l2", rms.l2(0.3));
    steps.check("rmsprop, momentum", rms.momentum(0.7).l2(0.3));
    steps.check("rmsprop, centered", rms.centered().l2(0.3));
    steps.check("rmsprop, both", RmsProp { alpha: 0.9, ..rms.centered().momentum(0.7) });
    let adagrad = Adagrad::new(0.1);
    steps.check("adagrad", adagrad);
    let other = Adagrad { learning_rate_decay: 0.3, initial_accumulator: 0.2, epsilon: 1e-3, ..adagrad };
    steps.check("adagrad, other", other);
    steps.check("adagrad, decoupled", adagrad.weight_decay(0.5));
    steps.check("adagrad, l2", adagrad.l2(0.3));
    let adadelta = Adadelta::new(1.0);
    steps.check("adadelta", adadelta);
    steps.check("adadelta, other", Adadelta { rho: 0.7, epsilon: 1e-3, ..Adadelta::new(2.0) });
    steps.check("adadelta, decoupled", adadelta.weight_decay(0.05));
    steps.check("adadelta, l2", adadelta.l2(0.3));
    let adam = Adam::new(0.01);
    steps.check("adam", adam);
    steps.check("adam, other", Adam { beta1: 0.7, beta2: 0.95, epsilon: 1e-3, ..Adam::new(0.02) });
    steps.check("adam, l2", adam.l2(0.3));
    steps.check("adamw", Adam::adamw(0.01));
    steps.check("adamw, other", adam.weight_decay(0.5));
    let amsgrad = AmsGrad::new(0.01);
    steps.check("amsgrad", AmsGrad { beta1: 0.6, beta2: 0.5, ..amsgrad });
    steps.check("amsgrad, decoupled", amsgrad.weight_decay(0.5));
    steps.check("amsgrad, l2", AmsGrad { beta2: 0.6, ..amsgrad.l2(0.3) });
    let lion = Lion::new(0.01);
    steps.check("lion", lion);
    steps.check("lion, decoupled", Lion { beta1: 0.8, beta2: 0.95, ..lion }.weight_decay(0.5));
    steps.check("lion, l2", lion.l2(0.3));
    let lars = Lars { trust: 0.1, ..Lars::new(0.1) };
    steps.check("lars", lars);
    steps.check("lars, other", Lars { momentum: 0.5, trust: 0.05, ..Lars::new(0.2) }.l2(0.3));
    steps.check("lars, decoupled", lars.weight_decay(0.3));
}

/// Wrappers. `layers` makes the rates of all layers from that of the first and that of the others.
fn wrappers<N, X, L, T, const S: usize>(
    steps: &mut Steps<'_, '_, '_, N, X, L, T>,
    layers: &impl Fn(f32, f32) -> [f32; S],
) where
    N: Layer<X> + Copy,
    X: Tensor,
    L: Loss<N::Output, T> + Copy,
{
    let (sgd, momentum, adam) = (Sgd::new(0.1), Momentum::new(0.1, 0.9), Adam::new(0.01));
    steps.check("by value", sgd.clip_value(0.05));
    steps.check("by value, inactive", adam.clip_value(1e3));
    steps.check("by norm", adam.l2(0.3).clip_norm(0.05));
    steps.check("by norm, inactive", momentum.clip_norm(1e3));
    steps.check("by value, by norm", momentum.clip_norm(0.05).clip_value(0.1));
    steps.check("by norm, by value", sgd.l2(0.2).clip_value(0.01).clip_norm(0.2));
    steps.check("layers, sgd", Momentum::new(0.05, 0.9).l2(0.2).layer_rates(layers(0.25, 2.0)));
    steps.check("layers, adamw", adam.weight_decay(0.5).layer_rates(layers(2.0, 0.5)));
    steps.check("layers, frozen", adam.layer_rates(layers(0.0, 1.0)));
    let lars = Lars { trust: 0.1, ..Lars::new(0.1) };
    steps.check("layers, lars", lars.layer_rates(layers(0.5, 2.0)));
    steps.check("layers, lion", Lion::new(0.01).weight_decay(0.5).layer_rates(layers(0.5, 2.0)));
    steps.check("schedule, exponential", momentum.schedule(Exponential::new(0.75)));
    steps.check("schedule, cosine", Adam::new(0.02).weight_decay(0.5).schedule(Cosine::new(3).restarts(2)));
    let clipped_layers = sgd.layer_rates(layers(0.25, 2.0)).clip_norm(0.05).schedule(StepDecay::new(4, 0.5));
    steps.check("schedule, clipped layers", clipped_layers);
}

fn check<X, N, L, T, const S: usize>(
    case: Case<'_, '_, X>,
    network: N,
    (loss, targets): (L, [T; SAMPLES]),
    batch: usize,
    layers: impl Fn(f32, f32) -> [f32; S],
) where
    X: Tensor,
    N: Layer<X, Output: Tensor> + Copy,
    L: Loss<N::Output, T> + Copy,
{
    case.check(network, loss, targets, batch, |steps| {
        rules(steps);
        wrappers(steps, &layers);
    });
}

/// Networks with running statistics, which no rule, decay, clipping, layer rate or schedule may touch.
fn beside_statistics<X, N, L, T, const S: usize>(
    case: Case<'_, '_, X>,
    network: N,
    (loss, targets): (L, [T; SAMPLES]),
    batch: usize,
    layers: [f32; S],
) where
    X: Tensor,
    N: Layer<X, Output: Tensor> + Copy,
    L: Loss<N::Output, T> + Copy,
{
    case.check(network, loss, targets, batch, |steps| {
        let (sgd, momentum) = (Sgd::new(0.1), Momentum::new(0.1, 0.9));
        steps.check("sgd", sgd);
        steps.check("momentum, l2", Momentum::new(0.05, 0.9).l2(0.3));
        steps.check("rmsprop, both", RmsProp { alpha: 0.9, ..RmsProp::new(0.01).centered().momentum(0.7) });
        steps.check("adamw, other", Adam::new(0.01).weight_decay(0.5));
        steps.check("by value", sgd.clip_value(0.05));
        steps.check("by norm", Adam::new(0.01).l2(0.3).clip_norm(0.05));
        steps.check("layers, sgd", Momentum::new(0.05, 0.9).l2(0.2).layer_rates(layers));
        steps.check("schedule, exponential", momentum.schedule(Exponential::new(0.75)));
    });
}

#[test]
fn optimizers_agree_with_pytorch() {
    area(include_bytes!("../../reference/optimizer.safetensors"), TOLERANCE, |r| {
        for batch in [1, 3] {
            let mut one = case::<[f32; 1]>(r, format!("one/{batch}"));
            let goal = (MeanSquaredError, one.targets());
            check(one, Dense::<1>::new(), goal, batch, |first, _| [first]);

            let mut mlp = case::<[f32; 5]>(r, format!("mlp/{batch}"));
            let goal = (CrossEntropy, mlp.classes());
            let network = (Dense::<7>::new(), Tanh, Dense::<3>::new());
            check(mlp, network, goal, batch, |first, others| [first, 1.0, others]);

            let mut conv = case::<Signal<7, 2>>(r, format!("conv/{batch}"));
            let goal = (CrossEntropy, conv.targets::<[f32; 4]>());
            let network = (Conv1d::<Signal<5, 3>, 3>::new(), Tanh, Flatten::<15>, Dense::<4>::new());
            check(conv, network, goal, batch, |first, others| [first, 1.0, 1.0, others]);

            let mut norm = case::<[f32; 4]>(r, format!("norm/{batch}"));
            let goal = (CrossEntropy, norm.classes());
            let network = (Dense::<5>::new(), BatchNorm::new(), Tanh, Dense::<2>::new());
            beside_statistics(norm, network, goal, batch, [0.25, 2.0, 1.0, 2.0]);

            let mut norm = case::<Signal<7, 2>>(r, format!("conv norm/{batch}"));
            let goal = (MeanSquaredError, norm.targets());
            let convolution = Conv1d::<Signal<5, 3>, 3>::new();
            let network = (convolution, BatchNorm::new(), Tanh, Flatten::<15>, Dense::<2>::new());
            beside_statistics(norm, network, goal, batch, [0.25, 2.0, 1.0, 1.0, 2.0]);
        }
        schedules(r);
    });
}

/// Steps in a table of a schedule.
const TABLE: usize = 60;

/// Compares each factor of a schedule on its own: within the tolerance of its own size.
fn schedule<S: Schedule>(r: &mut Reference<'_>, name: &str, schedule: S, metrics: Option<&[f32]>) {
    let name = format!("schedule/{name}");
    let theirs = r.floats(&name, TABLE);
    let mut state = S::State::ZERO;
    for (steps, factor) in (0..).zip(&theirs) {
        let name = format!("{name} after {steps} steps");
        r.compare(&name, &[schedule.factor(steps, &state)], std::slice::from_ref(factor));
        if let Some(metric) = metrics.and_then(|metrics| metrics.get(steps as usize)) {
            schedule.report(*metric, &mut state);
        }
    }
}

fn schedules(r: &mut Reference<'_>) {
    schedule(r, "constant", Constant(0.5), None);
    schedule(r, "steps 7", StepDecay::new(7, 0.3), None);
    schedule(r, "steps 1", StepDecay::new(1, 0.8), None);
    schedule(r, "exponential 0.9", Exponential::new(0.9), None);
    schedule(r, "exponential 0.99", Exponential::new(0.99), None);
    schedule(r, "cosine", Cosine { minimum: 0.05, ..Cosine::new(60) }, None);
    schedule(r, "cosine restarts 1", Cosine::new(13).restarts(1), None);
    schedule(r, "cosine restarts 2", Cosine { minimum: 0.1, ..Cosine::new(5).restarts(2) }, None);
    schedule(r, "cosine restarts 3", Cosine::new(1).restarts(3), None);
    schedule(r, "one cycle", OneCycle::new(60), None);
    let other = OneCycle { pct_start: 0.27, div_factor: 10.0, final_div_factor: 50.0, ..OneCycle::new(60) };
    schedule(r, "one cycle, other", other, None);
    schedule(r, "warmup, constant", LinearWarmup::new(9, Constant(1.0)), None);
    let exponential = LinearWarmup { start: 0.1, ..LinearWarmup::new(20, Exponential::new(0.9)) };
    schedule(r, "warmup, exponential", exponential, None);
    let cosine = LinearWarmup { start: 0.25, ..LinearWarmup::new(7, Cosine::new(10).restarts(2)) };
    schedule(r, "warmup, cosine", cosine, None);

    let metrics = r.floats("schedule/metrics", TABLE);
    let plateau = ReduceOnPlateau::new();
    schedule(r, "plateau", plateau, Some(&metrics));
    let other = ReduceOnPlateau { gamma: 0.5, patience: 2, threshold: 0.125, cooldown: 3, minimum: 0.2 };
    schedule(r, "plateau, other", other, Some(&metrics));
    let impatient = ReduceOnPlateau { gamma: 0.75, patience: 0, threshold: 0.0, ..plateau };
    schedule(r, "plateau, impatient", impatient, Some(&metrics));
    // The warm-up hands reports on.
    let mut state = PlateauState::ZERO;
    metrics.iter().for_each(|metric| LinearWarmup::new(5, plateau).report(*metric, &mut state));
    assert!(state.reductions > 0);
}

use backpass::memory::Training;
use backpass::{
    Adadelta, Adagrad, Adam, AmsGrad, BatchNorm, BiasOnly, Conv1d, Conv2d, Dense, DepthwiseConv2d, Dropout, Flatten,
    Frozen, FrozenPrefix, GlobalAveragePool, Gru, Image, InPlace, Keep, Lars, Layer as Learner, LayerNorm, Lion, Lstm,
    MaxPool, Memory, Momentum, NoBias, PRelu, Relu, Residual, ResidualProjection, RmsProp, Rnn, Sequence, Sgd, Shared,
    Signal, Tanh, Tensor, Vector,
};

use super::*;

fn plain(rule: Rule) -> Choice {
    Choice { rule, ..Choice::default() }
}

/// Every part, to the byte.
fn same<N: Learner<X>, X: Tensor, O: Training<N, X>>(line: &str, choice: Choice) {
    let budget = Budget::new(&Network::from_line(line).unwrap(), choice).unwrap();
    let parts = [
        ("parameters", budget.parameters()),
        ("gradients", budget.gradients()),
        ("moments", budget.moments()),
        ("activations", budget.activations()),
        ("counters", budget.counters()),
    ];
    assert_eq!(parts, Memory::<N, X, O>::PARTS, "{line} {choice:?}");
    assert_eq!(budget.ram(), size_of::<Memory<N, X, O>>(), "{line} {choice:?}");
}

const DIGITS: &str = "64 dense(32) relu dense(10)";
type Digits = (Dense<32>, Relu, Dense<10>);

#[test]
fn every_rule_keeps_what_its_type_keeps() {
    same::<Digits, Vector<64>, Sgd>(DIGITS, plain(Rule::Sgd));
    same::<Digits, Vector<64>, Momentum>(DIGITS, plain(Rule::Momentum));
    same::<Digits, Vector<64>, RmsProp>(DIGITS, plain(Rule::RmsProp));
    same::<Digits, Vector<64>, Adagrad>(DIGITS, plain(Rule::Adagrad));
    same::<Digits, Vector<64>, Adadelta>(DIGITS, plain(Rule::Adadelta));
    same::<Digits, Vector<64>, Adam>(DIGITS, plain(Rule::Adam));
    same::<Digits, Vector<64>, AmsGrad>(DIGITS, plain(Rule::AmsGrad));
    same::<Digits, Vector<64>, Lion>(DIGITS, plain(Rule::Lion));
    same::<Digits, Vector<64>, Lars>(DIGITS, plain(Rule::Lars));
    same::<Digits, Vector<64>, InPlace>(DIGITS, plain(Rule::InPlace));
}

const IMAGES: &str = "2x16x16 conv2d(4,3,2,padding=same) batchnorm relu depthwise(3,padding=same) conv2d(6,3,padding=same) \
                      dropout(0.2) maxpool(2) globalaveragepool dense(3) tanh";
type Stem = (Conv2d<Image<8, 8, 4>, 3, 2>, BatchNorm, Relu, DepthwiseConv2d<Image<8, 8, 4>, 3>);
type Images = (
    Conv2d<Image<8, 8, 4>, 3, 2>,
    BatchNorm,
    Relu,
    DepthwiseConv2d<Image<8, 8, 4>, 3>,
    Conv2d<Image<8, 8, 6>, 3>,
    Dropout,
    MaxPool<Image<4, 4, 6>, 2>,
    GlobalAveragePool,
    Dense<3>,
    Tanh,
);
const STEPS: &str = "3x20 conv1d(5,3) gru(6,sequence) layernorm lstm(5,sequence) rnn(4) dense(2)";
type Steps = (Conv1d<Signal<18, 5>, 3>, Gru<6, Sequence>, LayerNorm, Lstm<5, Sequence>, Rnn<4>, Dense<2>);

#[test]
fn every_kind_of_layer_keeps_what_its_type_keeps() {
    same::<Images, Image<16, 16, 2>, Adam>(IMAGES, plain(Rule::Adam));
    same::<Images, Image<16, 16, 2>, InPlace>(IMAGES, plain(Rule::InPlace));
    same::<Steps, Signal<20, 3>, Momentum>(STEPS, plain(Rule::Momentum));
    same::<Steps, Signal<20, 3>, InPlace>(STEPS, plain(Rule::InPlace));
    same::<(Tanh,), Signal<5, 3>, Adam>("3x5 tanh", plain(Rule::Adam));
    type Slopes = (PRelu, Flatten<15>, PRelu<Shared>);
    same::<Slopes, Signal<5, 3>, Momentum>("3x5 prelu flatten prelu(shared)", plain(Rule::Momentum));
    same::<Slopes, Signal<5, 3>, InPlace>("3x5 prelu flatten prelu(shared)", plain(Rule::InPlace));
    same::<(Flatten<15>, Dense<2, NoBias>), Signal<5, 3>, Sgd>("3x5 dense(2,bias=no)", plain(Rule::Sgd));
}

const RESNET: &str = "2x6x6 conv2d(3,3,padding=same) relu residual(conv2d(3,3,padding=same) batchnorm relu conv2d(3,3,padding=same)) relu \
                      residual(conv2d(4,3,2,padding=same) relu conv2d(4,3,padding=same) | conv2d(4,1,2)) relu globalaveragepool dense(3)";
type First = (Conv2d<Image<6, 6, 3>, 3>, Relu, Block, Relu);
type Block = Residual<(Conv2d<Image<6, 6, 3>, 3>, BatchNorm, Relu, Conv2d<Image<6, 6, 3>, 3>)>;
type Down =
    ResidualProjection<(Conv2d<Image<3, 3, 4>, 3, 2>, Relu, Conv2d<Image<3, 3, 4>, 3>), Conv2d<Image<3, 3, 4>, 1, 2>>;
type ResNet = (Conv2d<Image<6, 6, 3>, 3>, Relu, Block, Relu, Down, Relu, GlobalAveragePool, Dense<3>);
const NESTED: &str = "6 residual(dense(5) residual(relu dense(5) dropout(0.5)) dense(6)) residual(dense(4) | dense(3) tanh residual(dense(3)) dense(4))";
type Nested = (
    Residual<(Dense<5>, Residual<(Keep, Relu, Dense<5>, Dropout, Keep)>, Dense<6>)>,
    ResidualProjection<Dense<4>, (Dense<3>, Tanh, Residual<Dense<3>>, Dense<4>)>,
);

#[test]
fn residual_connections_keep_what_their_types_keep() {
    same::<ResNet, Image<6, 6, 2>, Adam>(RESNET, plain(Rule::Adam));
    same::<ResNet, Image<6, 6, 2>, InPlace>(RESNET, plain(Rule::InPlace));
    same::<Nested, Vector<6>, Momentum>(NESTED, plain(Rule::Momentum));
    same::<Nested, Vector<6>, InPlace>(NESTED, plain(Rule::InPlace));
    // Nothing before it learns: the branch's convolution keeps no gradient, the projection's does.
    let line = "2x6x6 residual(conv2d(4,3,2,padding=same) relu conv2d(4,3,padding=same) | conv2d(4,1,2))";
    same::<(Down,), Image<6, 6, 2>, InPlace>(line, plain(Rule::InPlace));
}

#[test]
fn residual_connections_freeze_and_learn_biases_as_their_types_do() {
    let last = |layers, rule| Choice { rule, train_last: Some(layers), bias_only: false };
    // The block puts its input aside, and works on one more.
    type Head = (FrozenPrefix<First, Image<6, 6, 2>, 216>, (Down, Relu, GlobalAveragePool, Dense<3>));
    assert_eq!(<First as backpass::Inference<Image<6, 6, 2>>>::BUFFER, 216);
    same::<Head, Image<6, 6, 2>, Adam>(RESNET, last(2, Rule::Adam));
    same::<Head, Image<6, 6, 2>, InPlace>(RESNET, last(2, Rule::InPlace));
    type Body = (Conv2d<Image<6, 6, 3>, 3>, Relu, Block, Relu, Down, Relu, GlobalAveragePool);
    const BUFFER: usize = <Body as backpass::Inference<Image<6, 6, 2>>>::BUFFER;
    same::<(FrozenPrefix<Body, Image<6, 6, 2>, BUFFER>, (Dense<3>,)), Image<6, 6, 2>, Sgd>(RESNET, last(1, Rule::Sgd));
    const WIDE: usize = <(Nested,) as backpass::Inference<Vector<6>>>::BUFFER;
    let nested = format!("{NESTED} dense(2)");
    same::<(FrozenPrefix<(Nested,), Vector<6>, WIDE>, (Dense<2>,)), Vector<6>, Sgd>(&nested, last(1, Rule::Sgd));
    let budget = Budget::new(&Network::from_line(&nested).unwrap(), last(1, Rule::Sgd)).unwrap();
    assert_eq!((budget.prefix(), budget.learning()), (2, 1));
    let many = Budget::new(&Network::from_line(RESNET).unwrap(), last(5, Rule::Sgd)).unwrap_err();
    assert_eq!(many, ChoiceError::TooMany { asked: 5, layers: 4 });

    let biases = |rule| Choice { rule, train_last: None, bias_only: true };
    type Branch = (BiasOnly<Dense<5>, Vector<6>>, Relu, Frozen<Dense<4, NoBias>, Vector<5>>);
    type Biases = (ResidualProjection<Branch, BiasOnly<Dense<4>, Vector<6>>>, BiasOnly<Dense<2>, Vector<4>>);
    let line = "6 residual(dense(5) relu dense(4,bias=no) | dense(4)) dense(2)";
    same::<Biases, Vector<6>, Adam>(line, biases(Rule::Adam));
    same::<Biases, Vector<6>, InPlace>(line, biases(Rule::InPlace));
    let line = "6 residual(dense(4) | dense(4,bias=no)) dense(2)";
    let refused = Budget::new(&Network::from_line(line).unwrap(), biases(Rule::Sgd)).unwrap_err();
    assert!(
        matches!(&refused, ChoiceError::FrozenProjection(title) if title.contains("layer 1 (0.1), dense(4,bias=no)")),
        "{refused}"
    );
}

#[test]
fn a_frozen_prefix_keeps_two_buffers() {
    let last = |layers, rule| Choice { rule, train_last: Some(layers), bias_only: false };
    type Head<const N: usize> = (FrozenPrefix<(Dense<32>, Relu), Vector<64>, N>, (Dense<10>,));
    same::<Head<64>, Vector<64>, Adam>(DIGITS, last(1, Rule::Adam));
    same::<Digits, Vector<64>, Adam>(DIGITS, last(2, Rule::Adam));
    type Body = (
        FrozenPrefix<Stem, Image<16, 16, 2>, 512>,
        (Conv2d<Image<8, 8, 6>, 3>, Dropout, MaxPool<Image<4, 4, 6>, 2>, GlobalAveragePool, Dense<3>, Tanh),
    );
    same::<Body, Image<16, 16, 2>, Momentum>(IMAGES, last(2, Rule::Momentum));
    // The first that learns: the convolution keeps no gradient.
    same::<Body, Image<16, 16, 2>, InPlace>(IMAGES, last(2, Rule::InPlace));
    // The largest: a GRU's output and the tape of a step.
    type Recurrent = (
        FrozenPrefix<(Conv1d<Signal<18, 5>, 3>, Gru<6, Sequence>), Signal<20, 3>, { 18 * 6 + 5 * 6 }>,
        (LayerNorm, Lstm<5, Sequence>, Rnn<4>, Dense<2>),
    );
    same::<Recurrent, Signal<20, 3>, Sgd>(STEPS, last(4, Rule::Sgd));
    type Long = (
        FrozenPrefix<(Conv1d<Signal<18, 5>, 3>, Gru<6, Sequence>, LayerNorm, Lstm<5, Sequence>), Signal<20, 3>, 138>,
        (Rnn<4>, Dense<2>),
    );
    same::<Long, Signal<20, 3>, InPlace>(STEPS, last(2, Rule::InPlace));
    // The compiler says that this is what the prefix needs.
    assert_eq!(<(Conv1d<Signal<18, 5>, 3>, Gru<6, Sequence>) as backpass::Inference<Signal<20, 3>>>::BUFFER, 138);
    assert_eq!(<(Lstm<5>,) as backpass::Inference<Signal<2, 3>>>::BUFFER, 5 + 30);
    let lstm = Budget::new(&Network::from_line("3x2 lstm(5) dense(2)").unwrap(), last(1, Rule::Sgd)).unwrap();
    assert_eq!(lstm.buffer, 35);
}

#[test]
fn biases_alone_leave_the_weights_in_flash() {
    let biases = |rule| Choice { rule, train_last: None, bias_only: true };
    type Digits = (BiasOnly<Dense<32>, Vector<64>>, Relu, BiasOnly<Dense<10>, Vector<32>>);
    same::<Digits, Vector<64>, Adam>(DIGITS, biases(Rule::Adam));
    same::<Digits, Vector<64>, InPlace>(DIGITS, biases(Rule::InPlace));
    type Mixed = (
        Frozen<Conv1d<Signal<18, 5>, 3, 1, NoBias>, Signal<20, 3>>,
        BatchNorm,
        Frozen<Gru<6>, Signal<18, 5>>,
        BiasOnly<Dense<2>, Vector<6>>,
    );
    let line = "3x20 conv1d(5,3,bias=no) batchnorm gru(6) dense(2)";
    same::<Mixed, Signal<20, 3>, Momentum>(line, biases(Rule::Momentum));
    same::<Mixed, Signal<20, 3>, InPlace>(line, biases(Rule::InPlace));
    let budget = Budget::new(&Network::from_line(DIGITS).unwrap(), biases(Rule::Sgd)).unwrap();
    assert_eq!((budget.parameters(), budget.frozen()), (4 * 42, 9640));
    type Both = (FrozenPrefix<(Dense<32>, Relu), Vector<64>, 64>, (BiasOnly<Dense<10>, Vector<32>>,));
    let both = Choice { rule: Rule::Sgd, train_last: Some(1), bias_only: true };
    same::<Both, Vector<64>, Sgd>(DIGITS, both);
}

#[test]
fn what_cannot_be_chosen_is_refused() {
    let network = |line: &str| Network::from_line(line).unwrap();
    let last = |layers| Choice { train_last: Some(layers), ..Choice::default() };
    let many = Budget::new(&network(DIGITS), last(3)).unwrap_err();
    assert_eq!(many, ChoiceError::TooMany { asked: 3, layers: 2 });
    assert_eq!(Budget::new(&network(DIGITS), last(0)), Err(ChoiceError::None));
    assert_eq!(Budget::new(&network("8 relu"), last(1)), Err(ChoiceError::NoParameters));
    let biases = Choice { bias_only: true, ..Choice::default() };
    assert_eq!(Budget::new(&network("8 dense(3,bias=no)"), biases), Err(ChoiceError::NoBias));
}

#[test]
fn savings_are_what_the_budgets_differ_by() {
    let costs = Costs::recorded();
    let budget = Budget::new(&Network::from_line(DIGITS).unwrap(), plain(Rule::Adam)).unwrap();
    let savings = savings::savings(&budget, &costs);
    let options: Vec<_> = savings.iter().map(|saving| saving.option.as_str()).collect();
    for option in ["--train-last 1", "--optimizer sgd", "--optimizer momentum", "--in-place", "--bias-only"] {
        assert!(options.contains(&option), "{option} in {options:?}");
    }
    assert!(savings.iter().all(|saving| saving.ram + saving.saved == budget.ram() && saving.step < 1.0));
    assert!(savings.is_sorted_by_key(|saving| std::cmp::Reverse(saving.saved)));
    let sgd = savings.iter().find(|saving| saving.option == "--optimizer sgd").unwrap();
    assert_eq!(sgd.saved, 2 * 9640 + 8);
}

#[test]
fn boards_are_found_and_what_is_missing_is_told() {
    let costs = Costs::recorded();
    let small = Budget::new(&Network::from_line(DIGITS).unwrap(), plain(Rule::Sgd)).unwrap();
    let fit = |name, budget: &Budget| Fit::new(budget, Board::named(name).unwrap(), &costs);
    assert!(fit("microbit-v2", &small).fits() && fit("NRF52833_xxAA", &small).fits());
    let missing = fit("microbit-v1", &small);
    assert_eq!(missing.ram_missing, 19_728 + 1024 - 16 * 1024);
    let in_place = Budget::new(&Network::from_line(DIGITS).unwrap(), plain(Rule::InPlace)).unwrap();
    assert!(fit("microbit-v1", &in_place).fits());
    assert!(fit("pico", &small).time.step > 20.0 * fit("microbit-v2", &small).time.step);
    assert!(Board::named("a-board").is_none());
}

/// Memories that lie behind one another are one.
fn joined(chip: &str, kind: &str) -> Vec<(u64, u64)> {
    let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let mut pieces: Vec<(u64, u64)> = Vec::new();
    for line in include_str!("../../../tests/reference/chips/chips.csv").lines().skip(2) {
        let [of, its_kind, start, end, _] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if (of, its_kind) != (chip, kind) {
            continue;
        }
        match pieces.last_mut() {
            Some(last) if last.1 == number(start) => last.1 = number(end),
            _ => pieces.push((number(start), number(end))),
        }
    }
    pieces
}

#[test]
fn memories_are_those_of_the_chips_descriptions() {
    for board in BOARDS {
        let largest = |kind| joined(board.chip, kind).iter().map(|(start, end)| end - start).max().unwrap();
        // The RP2040's banks of RAM lie behind one another twice.
        let ram = if board.chip == "RP2040" { 0x42000 } else { largest("Ram") };
        assert_eq!(ram, board.ram as u64, "{}", board.name);
        if !board.chip.starts_with("RP2") {
            assert_eq!(largest("Nvm"), board.flash as u64, "{}", board.name);
        } else {
            assert!(largest("Nvm") >= board.flash as u64, "{}", board.name);
        }
    }
    let names: std::collections::BTreeSet<_> = BOARDS.iter().map(|board| board.name).collect();
    assert_eq!(names.len(), BOARDS.len());
}

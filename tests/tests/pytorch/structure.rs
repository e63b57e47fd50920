//! Residual connections, concatenation, identities, frozen layers and prefixes: `reference/cases/structure.py`.

use backpass::{
    Concat, Conv1d, Conv2d, Dense, Flatten, Frozen, FrozenPrefix, Identity, Image, Inference, Keep, Layer, LayerNorm,
    MaxPool, Name, Params, Relu, Relu6, Residual, ResidualProjection, Sigmoid, Signal, SplitLast, Tanh, Tensor,
    TrainableLast, trainable_last,
};

use crate::harness::{Case, Reference, TOLERANCE, area, case};

fn residual(r: &mut Reference<'_>) {
    case::<[f32; 1]>(r, "residual/1").mse((Residual((Dense::<1>::new(),)),));
    case::<[f32; 9]>(r, "residual/9").mse((Residual((Dense::<5>::new(), Relu, Dense::<9>::new())),));
    let branch = (Conv1d::<Signal<7, 3>, 3>::new(), Tanh, Conv1d::<Signal<7, 2>, 1>::new());
    case::<Signal<7, 2>>(r, "residual/signal 7x2").mse((Residual(branch),));
    case::<Image<4, 3, 1>>(r, "residual/image 4x3x1").mse((Residual((Conv2d::<Image<4, 3, 1>, 3>::new(),)),));
    case::<[f32; 5]>(r, "residual/normalised").mse((Residual((LayerNorm::new(), Dense::<5>::new())),));
    let kept = Residual((Keep, Relu, Dense::<6>::new(), Sigmoid, Keep));
    case::<[f32; 6]>(r, "residual/kept").mse((kept,));
    let network = (Dense::<7>::new(), Relu, Residual((Dense::<7>::new(),)), Dense::<2>::new());
    case::<[f32; 3]>(r, "residual/behind relu").class(network);
    case::<[f32; 5]>(r, "residual/behind relu6").mse((Relu6, Residual((Dense::<5>::new(),)), Relu));
    let nested = Residual((Residual((Dense::<4>::new(), Tanh)), Relu, Dense::<4>::new()));
    case::<[f32; 4]>(r, "residual/nested").mse((Relu, nested));
    case::<Image<4, 4, 1>>(r, "residual/in a row").class((
        Conv2d::<Image<4, 4, 3>, 3>::new(),
        Relu,
        Residual((Conv2d::<Image<4, 4, 3>, 3>::new(), Relu, Conv2d::<Image<4, 4, 3>, 1>::new())),
        Relu,
        Residual((Conv2d::<Image<4, 4, 3>, 1>::new(),)),
        Flatten::<48>,
        Dense::<3>::new(),
    ));
}

fn projection(r: &mut Reference<'_>) {
    case::<[f32; 1]>(r, "projection/1").mse((ResidualProjection(Dense::<1>::new(), Dense::<1>::new()),));
    let branch = (Dense::<8>::new(), Relu, Dense::<5>::new());
    case::<[f32; 3]>(r, "projection/3 to 5").mse((ResidualProjection(branch, Dense::<5>::new()),));
    let block = ResidualProjection((Dense::<6>::new(), Sigmoid), (Dense::<6>::new(), Relu));
    case::<[f32; 4]>(r, "projection/chain").mse((Relu, block));
    let block = ResidualProjection((Conv1d::<Signal<5, 4>, 3, 2>::new(), Tanh), Conv1d::<Signal<5, 4>, 1, 2>::new());
    case::<Signal<9, 2>>(r, "projection/signal 9x2 s2").mse((block, Relu));
    let branch = (Conv2d::<Image<3, 3, 4>, 3, 2>::new(), Relu, Conv2d::<Image<3, 3, 4>, 3>::new());
    case::<Image<7, 7, 1>>(r, "projection/network").class((
        Conv2d::<Image<5, 5, 3>, 3>::new(),
        Relu,
        ResidualProjection(branch, Conv2d::<Image<3, 3, 4>, 1, 2>::new()),
        Relu,
        Flatten::<36>,
        Dense::<3>::new(),
    ));
}

fn concat(r: &mut Reference<'_>) {
    case::<[f32; 1]>(r, "concat/1").mse((Concat::<[f32; 2], _, _>::new(Identity, Dense::<1>::new()),));
    let both = Concat::<[f32; 9], _, _>::new((Dense::<4>::new(), Relu), (Dense::<5>::new(), Tanh));
    case::<[f32; 3]>(r, "concat/3 to 9").soft((both,));
    let both = Concat::<Signal<5, 5>, _, _>::new(Conv1d::<Signal<5, 3>, 3>::new(), Identity);
    case::<Signal<5, 2>>(r, "concat/signal 5x2").mse((Relu, both, Tanh));
    case::<Signal<4, 3>>(r, "concat/in place").mse((Tanh, Concat::<Signal<4, 6>, _, _>::new(Relu, Sigmoid)));
    let pair = Concat::<Image<4, 5, 5>, _, _>::new(
        Conv2d::<Image<4, 5, 3>, 3>::new(),
        (Conv2d::<Image<4, 5, 2>, 1>::new(), Relu),
    );
    let three = Concat::<Image<4, 5, 7>, _, _>::new(Conv2d::<Image<4, 5, 2>, 1>::new(), pair);
    case::<Image<4, 5, 1>>(r, "concat/three of 4x5x1").mse((three, Relu));
    let both = Concat::<Image<2, 2, 7>, _, _>::new(
        MaxPool::<Image<2, 2, 4>, 2>::new(),
        Conv2d::<Image<2, 2, 3>, 3, 2>::new().padding(1, 1),
    );
    let network = (Conv2d::<Image<4, 4, 4>, 3>::new(), Relu6, both, Relu, Flatten::<28>, Dense::<3>::new());
    case::<Image<4, 4, 1>>(r, "concat/network").class(network);
}

fn keep(r: &mut Reference<'_>) {
    case::<[f32; 5]>(r, "keep/5").soft((Keep, Relu, Keep, Dense::<3>::new()));
    case::<Signal<4, 1>>(r, "keep/signal 4x1").mse((Relu, Identity, Sigmoid));
    case::<Image<2, 1, 3>>(r, "keep/image 2x1x3").mse((Identity, Tanh, Keep));
}

/// PyTorch's parameters of one stage, which live as long as the program, as in flash.
fn in_flash<X: Tensor, P: Params>(case: &mut Case<'_, '_, X>, stage: usize) -> &'static P {
    Box::leak(Box::new(case.init(Some(&Name::stage(None, stage)))))
}

/// Stage `stage` of the case's network, frozen.
fn frozen_stage<X: Tensor, Y: Tensor, L: Layer<Y>>(case: &mut Case<'_, '_, X>, stage: usize, layer: L) -> Frozen<L, Y> {
    Frozen::new(layer, in_flash(case, stage))
}

fn frozen(r: &mut Reference<'_>) {
    let mut one = case::<[f32; 1]>(r, "frozen/1-1");
    let last = frozen_stage::<_, [f32; 1], _>(&mut one, 1, Dense::<1>::new());
    one.mse((Dense::<1>::new(), last));

    let mut alone = case::<[f32; 5]>(r, "frozen/alone");
    let all = frozen_stage::<_, [f32; 5], _>(&mut alone, 0, (Dense::<7>::new(), Tanh, Dense::<2>::new()));
    alone.mse((all,));

    let mut between = case::<[f32; 4]>(r, "frozen/between");
    let middle = (Dense::<5>::new(), Relu, Dense::<7>::new());
    let middle = frozen_stage::<_, [f32; 6], _>(&mut between, 2, middle);
    between.class((Dense::<6>::new(), Relu, middle, Relu, Dense::<3>::new()));

    let mut last = case::<Signal<9, 2>>(r, "frozen/last");
    let layer = frozen_stage::<_, Signal<7, 4>, _>(&mut last, 2, Conv1d::<Signal<5, 3>, 3>::new());
    last.mse((Conv1d::<Signal<7, 4>, 3>::new(), Relu, layer));

    let mut block = case::<[f32; 3]>(r, "frozen/residual");
    let layer = Residual((Dense::<4>::new(), Tanh, Dense::<5>::new()));
    let layer = frozen_stage::<_, [f32; 5], _>(&mut block, 2, layer);
    block.class((Dense::<5>::new(), Relu, layer, Dense::<2>::new()));
}

/// The first stage of the case's network, frozen, in buffers of `N` elements.
fn prefix_of<X: Tensor, L: Inference<X>, const N: usize>(
    case: &mut Case<'_, '_, X>,
    layer: L,
) -> FrozenPrefix<L, X, N> {
    FrozenPrefix::new(layer, in_flash(case, 0))
}

fn prefix(r: &mut Reference<'_>) {
    let mut one = case::<[f32; 1]>(r, "prefix/1");
    let body = prefix_of::<_, _, 1>(&mut one, (Dense::<1>::new(),));
    one.mse((body, Dense::<1>::new()));

    let mut five = case::<[f32; 5]>(r, "prefix/5");
    let body = prefix_of::<_, _, 8>(&mut five, (Dense::<8>::new(), Relu, Dense::<6>::new(), Tanh));
    five.class((body, Dense::<4>::new(), Relu, Dense::<3>::new()));

    let mut image = case::<Image<6, 6, 1>>(r, "prefix/image 6x6x1");
    let body = (
        Conv2d::<Image<4, 4, 3>, 3>::new(),
        Relu,
        MaxPool::<Image<2, 2, 3>, 2>::new(),
        Residual((Conv2d::<Image<2, 2, 3>, 1>::new(),)),
        Concat::<Image<2, 2, 5>, _, _>::new(Identity, Conv2d::<Image<2, 2, 2>, 1>::new()),
        Flatten::<20>,
    );
    let body = prefix_of::<_, _, 48>(&mut image, body);
    image.class((body, Dense::<3>::new()));

    type Net = (Dense<7>, Sigmoid, Dense<5>, Relu, Dense<3>);
    type Body = <Net as SplitLast<2>>::Body;
    let mut last = case::<[f32; 4]>(r, "trainable last/2");
    let body = in_flash::<_, <Body as Layer<[f32; 4]>>::Params>(&mut last, 0);
    let network: TrainableLast<2, Net, [f32; 4], 7> = trainable_last::<2, Net, _, 7>(Net::default(), body);
    last.class(network);
}

#[test]
fn structures_agree_with_pytorch() {
    area(include_bytes!("../../reference/structure.safetensors"), TOLERANCE, |r| {
        residual(r);
        projection(r);
        concat(r);
        keep(r);
        frozen(r);
        prefix(r);
    });
}

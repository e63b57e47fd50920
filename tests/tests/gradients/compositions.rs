//! Random networks of three random layers: every layer with every other as its neighbour, in branches and frozen too.
//!
//! They are drawn from all layers that give the shape they take, and from blocks (residual connections, concatenations,
//! chains, frozen networks) of layers that are drawn again.

use backpass::{
    Concat, Frozen, Image, Inference, InputGradient, Keep, Layer, Loss, MeanSquaredError, Params, Pass, Residual,
    ResidualProjection, Signal, Zero,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::any::{Any, InRoom, Node, Placed, node, typed};
use crate::harness::{Values, cases, compare, doubles, put, squares, values};
use crate::layers::{Make, Place, Shape, common};
use crate::structure::{Beside, Fixed, Plus, PlusOf};

/// A layer of another kind than a block.
type Small<X, const KEEPS: bool> = Any<X, 96, 8, KEEPS>;
/// Any layer, a block too.
type Large<X> = Any<X, 480, 32, false>;

/// Draws layers and their parameters.
struct Draw<X: Shape> {
    layers: Vec<Make<X>>,
    picks: Vec<u16>,
    values: Values,
}

/// The parameters of a block's parts, in the order of a visit.
type Parts = [Vec<f32>; 2];

impl<X: Shape> Draw<X> {
    fn pick(&mut self, below: usize) -> usize {
        usize::from(self.picks.pop().expect("more picks than were drawn")) % below
    }

    /// A layer that is no block; one that keeps input and output's gradient, if `keeps` says so.
    fn simple(&mut self, place: Place<'_>, keeps: bool) -> Node<X> {
        let first = self.pick(self.layers.len());
        let mut nodes = self.layers.iter().cycle().skip(first).map(|make| make(place, &mut self.values));
        let node = nodes.find(|node| !keeps || node.layer.keeps() == [true, true]).unwrap();
        drop(nodes);
        node.draw(&mut self.values)
    }

    /// A layer within a block, whose parameters become part of the block's.
    fn small<const KEEPS: bool>(&mut self, place: Place<'_>, parts: &mut Parts) -> (Small<X, KEEPS>, InRoom) {
        let Placed { layer, model, params } = self.simple(place, KEEPS).place();
        parts.iter_mut().zip(params).for_each(|(parts, params)| parts.extend(params));
        (layer, model)
    }

    /// The parameters of a linear layer within a block.
    fn linear<L: Params>(&mut self, parts: &mut Parts) {
        parts[0].extend(self.values.take(L::COUNT));
    }

    /// Any layer.
    fn node(&mut self, index: u32) -> Node<X> {
        let mut parts = [vec![], vec![]];
        let at = |stage: u32| [index, stage];
        let mut node = match self.pick(13) {
            0 => {
                let (first, a) = self.small::<true>(&at(0), &mut parts);
                let (middle, b) = self.small::<false>(&at(1), &mut parts);
                let (last, c) = self.small::<true>(&at(2), &mut parts);
                node(Residual((first, middle, last)), Plus((a, b, c)))
            }
            1 => {
                let (first, a) = self.small::<false>(&at(1), &mut parts);
                let (last, b) = self.small::<false>(&at(2), &mut parts);
                node(Residual((Keep, first, last, Keep)), Plus((a, b)))
            }
            2 => {
                let (first, a) = self.small::<true>(&[index, 0, 0], &mut parts);
                let (last, b) = self.small::<true>(&[index, 0, 1], &mut parts);
                self.linear::<<X::Same as Layer<X>>::Params>(&mut parts);
                let (behind, c) = self.small::<false>(&[index, 1, 1], &mut parts);
                let layer = ResidualProjection((first, last), (X::Same::default(), behind));
                node(layer, PlusOf((a, b), (X::same(), c)))
            }
            3 => {
                let (first, a) = self.small::<false>(&[index, 0, 0], &mut parts);
                let (second, b) = self.small::<false>(&[index, 0, 1], &mut parts);
                self.linear::<<X::Half as Layer<X::Double>>::Params>(&mut parts);
                let layer = (Concat::<X::Double, _, _>::new(first, second), X::Half::default());
                node(layer, (Beside(a, b), X::half()))
            }
            4 => {
                let (first, a) = self.small::<false>(&at(0), &mut parts);
                let (second, b) = self.small::<false>(&at(1), &mut parts);
                // In flash, and the model's copy.
                let params: (_, _) = typed([&parts[0], &parts[1]]);
                let params: &'static _ = Box::leak(Box::new(params));
                parts = [vec![], vec![]];
                node(Frozen::<_, X>::new((first, second), params), Fixed((a, b), flat(params)))
            }
            5 => {
                let (first, a) = self.small::<false>(&[index, 0, 0], &mut parts);
                let (second, b) = self.small::<false>(&[index, 0, 1], &mut parts);
                let (last, c) = self.small::<false>(&at(1), &mut parts);
                node(((first, second), last), ((a, b), c))
            }
            _ => return self.simple(&[index], false),
        };
        node.params = parts;
        node.draw(&mut self.values)
    }
}

/// All parameters in the order of a visit.
fn flat<P: Params>(params: &P) -> Vec<f64> {
    let mut all = Vec::new();
    params.visit(None, &mut |_, values| all.extend(doubles(values)));
    all
}

/// Three random layers, their models and their parameters.
struct Network<X: 'static> {
    layers: (Large<X>, Large<X>, Large<X>),
    models: [InRoom; 3],
    params: Vec<f32>,
}

/// Draws a network. What of the values is left over comes back.
fn network<X: Shape>(picks: Vec<u16>, values: Values) -> (Network<X>, Values) {
    let layers = [common::<X>(), X::own()].concat();
    let mut draw = Draw { layers, picks, values };
    let placed = [0, 1, 2].map(|index| draw.node(index).place());
    let params = placed.iter().flat_map(|placed| placed.params.concat()).collect();
    let [a, b, c] = placed;
    let layers = (a.layer, b.layer, c.layer);
    (Network { layers, models: [a.model, b.model, c.model], params }, draw.values)
}

/// Gradients of a random network are those of its model.
fn gradients<X: Shape>(picks: Vec<u16>, values: Values) -> TestCaseResult {
    let (network, mut rest) = network::<X>(picks, values);
    let target: X = rest.tensor();
    let wanted = doubles(target.flat());
    let values = Values([rest.take(X::LEN), network.params].concat());
    let [a, b, c] = &network.models;
    compare::<X, _, _, _>(network.layers, &[a, b, c], MeanSquaredError, &target, &|y| squares(y, &wanted), values)
}

/// A prediction in two buffers has the bits of one with a tape.
fn prediction<X: Shape>(picks: Vec<u16>, values: Values) -> TestCaseResult {
    let (network, mut rest) = network::<X>(picks, values);
    let mut params = Zero::ZERO;
    put(&network.params, &mut params);
    let input: X = rest.tensor();
    let (mut x, mut tape) = (input, Zero::ZERO);
    let expected = *network.layers.forward(&params, &mut x, &mut tape, Pass::Predicting);
    let mut buffers = [input, input];
    let [here, there] = &mut buffers;
    network.layers.infer(&params, here.flat_mut(), there.flat_mut());
    prop_assert_eq!(bits(here.flat()), bits(expected.flat()), "{:?}", network.layers);
    Ok(())
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Zeros of a value's type.
fn zero_like<P: Zero>(_: &P) -> P {
    P::ZERO
}

/// What is wanted of the input's gradient changes nothing but that: parameters get the same gradients, open gates the same
/// input gradients, and closed and saturated ones +0.0.
fn wants<X: Shape>(picks: Vec<u16>, values: Values) -> TestCaseResult {
    const BOUND: f32 = 0.5;
    let (network, mut rest) = network::<X>(picks, values);
    let mut params = Zero::ZERO;
    put(&network.params, &mut params);
    let mut input: X = rest.tensor();
    // As a ReLU6 with another ceiling leaves them.
    input.flat_mut().iter_mut().for_each(|x| *x = x.clamp(0.0, BOUND));
    let target: X = rest.tensor();
    let run = |want| {
        let (mut x, mut tape, mut gradients) = (input, Zero::ZERO, zero_like(&params));
        let y = network.layers.forward(&params, &mut x, &mut tape, Pass::training(0));
        MeanSquaredError.gradient(y, &target, network.layers.output_gradient(want));
        network.layers.backward(&params, &mut x, &mut tape, Some((&mut gradients).into()), want);
        (x, flat(&gradients))
    };
    let (full, gradients) = run(InputGradient::Full);
    for want in [InputGradient::Unused, InputGradient::WhereActive, InputGradient::WhereBelow(BOUND)] {
        let (dx, others) = run(want);
        prop_assert_eq!(&others, &gradients, "{:?}: {:?}", want, network.layers);
        if want == InputGradient::Unused {
            continue;
        }
        for ((x, dx), full) in input.flat().iter().zip(dx.flat()).zip(full.flat()) {
            let closed = *x == 0.0 || matches!(want, InputGradient::WhereBelow(bound) if *x >= bound);
            if closed {
                prop_assert_eq!(*dx, 0.0, "{:?}: {:?}", want, network.layers);
            } else {
                prop_assert_eq!(dx, full, "{:?} {:?}: {:?}", x, want, network.layers);
            }
        }
    }
    Ok(())
}

/// How many random cases each test here runs; 120,000 of each passed once.
const CASES: u32 = 500;

fn picks() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 24)
}

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn gradients_of_three_random_layers_on_vectors_are_those_of_the_model(picks in picks(), values in values(700)) {
        gradients::<[f32; 4]>(picks, values)?;
    }

    #[test]
    fn gradients_of_three_random_layers_on_signals_are_those_of_the_model(picks in picks(), values in values(1000)) {
        gradients::<Signal<6, 2>>(picks, values)?;
    }

    #[test]
    fn gradients_of_three_random_layers_on_images_are_those_of_the_model(picks in picks(), values in values(1000)) {
        gradients::<Image<4, 4, 2>>(picks, values)?;
    }

    #[test]
    fn what_is_wanted_of_the_input_gradient_changes_no_other(picks in picks(), values in values(1000)) {
        wants::<[f32; 4]>(picks.clone(), values.clone())?;
        wants::<Signal<6, 2>>(picks.clone(), values.clone())?;
        wants::<Image<4, 4, 2>>(picks, values)?;
    }

    #[test]
    fn three_random_layers_predict_the_same_in_two_buffers(picks in picks(), values in values(1000)) {
        prediction::<[f32; 4]>(picks.clone(), values.clone())?;
        prediction::<Signal<6, 2>>(picks.clone(), values.clone())?;
        prediction::<Image<4, 4, 2>>(picks, values)?;
    }
}

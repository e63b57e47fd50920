//! Recurrent layers over a window.

use backpass::layers::dense::BiasChoice;
use backpass::layers::recurrent::Returned;
use backpass::{
    Bias, Dense, GruCell, Last, LstmCell, NoBias, Recurrent, RecurrentCell, Relu, ResetAfter, ResetBefore, Residual,
    RnnCell, Sequence, Signal, Tanh,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;

use crate::basic::{Simple, linear};
use crate::harness::{Check, Stage, State, Values, config, mse, pick, values};

/// The kinds of cells.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Tanh,
    Relu,
    ResetAfter,
    ResetBefore,
    Lstm,
}

/// A recurrent layer of the model, written unit by unit.
#[derive(Debug, Clone, Copy)]
struct Model {
    kind: Kind,
    hidden: usize,
    bias: bool,
    sequence: bool,
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Kind {
    /// Gates of a weight, and rows of the bias.
    fn gates(self) -> (usize, usize) {
        match self {
            Self::Tanh | Self::Relu => (1, 1),
            Self::ResetAfter => (3, 4),
            Self::ResetBefore => (3, 3),
            Self::Lstm => (4, 4),
        }
    }
}

impl Stage for Model {
    fn apply(&self, state: &mut State<'_>) {
        let (h, (gates, rows)) = (self.hidden, self.kind.gates());
        let inputs = state.channels();
        let (w, u) = (state.take(inputs * gates * h), state.take(h * gates * h));
        let bias = if self.bias { state.take(rows * h).to_vec() } else { vec![0.0; rows * h] };
        let x = state.x.clone();
        let (mut hidden, mut cell, mut outputs) = (vec![0.0; h], vec![0.0; h], Vec::new());
        for x in x.chunks(inputs) {
            // What reaches unit `j` of gate `g` from the input, and from these values of the hidden units.
            let from_input = |g: usize, j: usize| (0..inputs).map(|i| x[i] * w[(i * gates + g) * h + j]).sum::<f64>();
            let from = |v: &dyn Fn(usize) -> f64, g: usize, j: usize| {
                (0..h).map(|k| v(k) * u[(k * gates + g) * h + j]).sum::<f64>()
            };
            let before = hidden.clone();
            let old = |k: usize| before[k];
            let sum = |g: usize, j: usize| bias[g * h + j] + from_input(g, j) + from(&old, g, j);
            for j in 0..h {
                hidden[j] = match self.kind {
                    Kind::Tanh => sum(0, j).tanh(),
                    Kind::Relu => {
                        state.note_kink(sum(0, j));
                        sum(0, j).max(0.0)
                    }
                    Kind::ResetAfter => {
                        let (r, z) = (sigmoid(sum(0, j)), sigmoid(sum(1, j)));
                        let product = bias[3 * h + j] + from(&old, 2, j);
                        let n = (bias[2 * h + j] + from_input(2, j) + r * product).tanh();
                        (1.0 - z) * n + z * before[j]
                    }
                    Kind::ResetBefore => {
                        let z = sigmoid(sum(1, j));
                        let reset = |k: usize| sigmoid(sum(0, k)) * before[k];
                        let n = (bias[2 * h + j] + from_input(2, j) + from(&reset, 2, j)).tanh();
                        (1.0 - z) * n + z * before[j]
                    }
                    Kind::Lstm => {
                        cell[j] = sigmoid(sum(1, j)) * cell[j] + sigmoid(sum(0, j)) * sum(2, j).tanh();
                        sigmoid(sum(3, j)) * cell[j].tanh()
                    }
                };
            }
            outputs.extend_from_slice(&hidden);
        }
        if self.sequence {
            state.set(outputs, &[x.len() / inputs, h]);
        } else {
            state.set(hidden, &[h]);
        }
    }
}

/// A cell and its kind.
trait Modelled: RecurrentCell {
    const KIND: Kind;
    const BIAS: bool;
}

impl<const H: usize, B: BiasChoice> Modelled for RnnCell<H, B, Tanh> {
    const KIND: Kind = Kind::Tanh;
    const BIAS: bool = size_of::<B::Of<H>>() > 0;
}

impl<const H: usize, B: BiasChoice> Modelled for RnnCell<H, B, Relu> {
    const KIND: Kind = Kind::Relu;
    const BIAS: bool = size_of::<B::Of<H>>() > 0;
}

impl<const H: usize, B: BiasChoice> Modelled for GruCell<H, B, ResetAfter> {
    const KIND: Kind = Kind::ResetAfter;
    const BIAS: bool = size_of::<B::Of<H>>() > 0;
}

impl<const H: usize, B: BiasChoice> Modelled for GruCell<H, B, ResetBefore> {
    const KIND: Kind = Kind::ResetBefore;
    const BIAS: bool = size_of::<B::Of<H>>() > 0;
}

impl<const H: usize, B: BiasChoice> Modelled for LstmCell<H, B> {
    const KIND: Kind = Kind::Lstm;
    const BIAS: bool = size_of::<B::Of<H>>() > 0;
}

fn model<K: Modelled>(sequence: bool) -> Model {
    Model { kind: K::KIND, hidden: size_of::<K::Hidden>() / 4, bias: K::BIAS, sequence }
}

/// A layer alone, on `T` steps of `C` channels.
fn alone<K: Modelled, R: Returned, const T: usize, const C: usize>(values: Values) -> TestCaseResult {
    let sequence = size_of::<R::Of<f32, 2>>() > 4;
    mse::<Signal<T, C>, _>(Recurrent::<K, R>::new(), &[&model::<K>(sequence)], values)
}

/// Two layers in a row, before a dense layer.
fn in_a_row<A: Modelled<Hidden = [f32; G]>, K: Modelled<Hidden = [f32; H]>, const G: usize, const H: usize>(
    values: Values,
) -> TestCaseResult {
    let network = (Recurrent::<A, Sequence>::new(), Recurrent::<K, Last>::new(), Dense::<2>::new());
    mse::<Signal<4, 2>, _>(network, &[&model::<A>(true), &model::<K>(false), &linear(2)], values)
}

/// Behind a ReLU, whose gates it sees.
fn behind_relu<K: Modelled<Hidden = [f32; H]>, const H: usize>(values: Values) -> TestCaseResult {
    let network = (Relu, Recurrent::<K, Last>::new(), Dense::<2>::new());
    mse::<Signal<5, 3>, _>(network, &[&Simple::Relu, &model::<K>(false), &linear(2)], values)
}

/// `F(x) + x`.
#[derive(Debug)]
struct Sum(Model);

impl Stage for Sum {
    fn apply(&self, state: &mut State<'_>) {
        let input = state.x.clone();
        self.0.apply(state);
        state.x.iter_mut().zip(input).for_each(|(y, x)| *y += x);
    }
}

/// As the branch of a residual connection, which reads dL/dy after it.
fn residual<K: Modelled<Hidden = [f32; H]>, const H: usize>(values: Values) -> TestCaseResult {
    let network = Residual(Recurrent::<K, Sequence>::new());
    mse::<Signal<4, H>, _>(network, &[&Sum(model::<K>(true))], values)
}

/// What is checked of every kind: odd sizes, single steps, channels and units, with and without a bias, and in networks.
fn pick_of<A, B, C, D, E>(index: Index, values: Values) -> TestCaseResult
where
    A: Modelled,
    B: Modelled,
    C: Modelled<Hidden = [f32; 1]>,
    D: Modelled<Hidden = [f32; 3]>,
    E: Modelled<Hidden = [f32; 5]>,
{
    let checks: [Check; 11] = [
        alone::<A, Last, 7, 3>,
        alone::<A, Sequence, 6, 2>,
        alone::<B, Last, 5, 1>,
        alone::<B, Sequence, 3, 4>,
        alone::<A, Sequence, 1, 3>,
        alone::<C, Last, 1, 1>,
        alone::<C, Sequence, 4, 2>,
        in_a_row::<E, D, 5, 3>,
        behind_relu::<D, 3>,
        behind_relu::<E, 5>,
        residual::<D, 3>,
    ];
    pick(&checks, index, values)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn tanh_rnn_gradients_are_those_of_the_model(index: Index, values in values(512)) {
        pick_of::<RnnCell<4>, RnnCell<2, NoBias>, RnnCell<1>, RnnCell<3>, RnnCell<5>>(index, values)?;
    }

    #[test]
    fn relu_rnn_gradients_are_those_of_the_model(index: Index, values in values(512)) {
        type R<const H: usize, B = Bias> = RnnCell<H, B, Relu>;
        pick_of::<R<4>, R<2, NoBias>, R<1>, R<3>, R<5>>(index, values)?;
    }

    #[test]
    fn gru_gradients_are_those_of_the_model(index: Index, values in values(512)) {
        pick_of::<GruCell<4>, GruCell<2, NoBias>, GruCell<1>, GruCell<3>, GruCell<5>>(index, values)?;
    }

    #[test]
    fn gru_gradients_with_reset_before_the_product_are_those_of_the_model(index: Index, values in values(512)) {
        type G<const H: usize, B = Bias> = GruCell<H, B, ResetBefore>;
        pick_of::<G<4>, G<2, NoBias>, G<1>, G<3>, G<5>>(index, values)?;
    }

    #[test]
    fn lstm_gradients_are_those_of_the_model(index: Index, values in values(512)) {
        pick_of::<LstmCell<4>, LstmCell<2, NoBias>, LstmCell<1>, LstmCell<3>, LstmCell<5>>(index, values)?;
    }
}

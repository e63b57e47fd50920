//! Recurrent layers: `reference/cases/recurrent.py`.

use backpass::layers::dense::BiasChoice;
use backpass::{
    Bias, Conv1d, Dense, Flatten, GruCell, Last, LstmCell, NoBias, Recurrent, RecurrentCell, Relu, ResetAfter,
    ResetBefore, RnnCell, Sequence, Signal, Tanh,
};

use crate::harness::{Reference, TOLERANCE, area, case};

/// A cell of any size, with or without a bias.
trait Kind {
    const NAME: &'static str;
    type Cell<const H: usize, B: BiasChoice>: RecurrentCell<Hidden = [f32; H]>;
}

struct Rnn;
struct ReluRnn;
struct Gru;
struct GruResetBefore;
struct Lstm;

impl Kind for Rnn {
    const NAME: &'static str = "rnn";
    type Cell<const H: usize, B: BiasChoice> = RnnCell<H, B, Tanh>;
}

impl Kind for ReluRnn {
    const NAME: &'static str = "relu rnn";
    type Cell<const H: usize, B: BiasChoice> = RnnCell<H, B, Relu>;
}

impl Kind for Gru {
    const NAME: &'static str = "gru";
    type Cell<const H: usize, B: BiasChoice> = GruCell<H, B, ResetAfter>;
}

impl Kind for GruResetBefore {
    const NAME: &'static str = "gru, reset before";
    type Cell<const H: usize, B: BiasChoice> = GruCell<H, B, ResetBefore>;
}

impl Kind for Lstm {
    const NAME: &'static str = "lstm";
    type Cell<const H: usize, B: BiasChoice> = LstmCell<H, B>;
}

/// One layer alone, on windows of `T` steps with `C` channels, that gives its last state.
fn last<K: Kind, const T: usize, const C: usize, const H: usize, B: BiasChoice>(r: &mut Reference<'_>, name: &str) {
    case::<Signal<T, C>>(r, format!("{}/{name}", K::NAME)).mse((Recurrent::<K::Cell<H, B>, Last>::new(),));
}

/// The same, that gives all states.
fn sequence<K: Kind, const T: usize, const C: usize, const H: usize, B: BiasChoice>(r: &mut Reference<'_>, name: &str) {
    case::<Signal<T, C>>(r, format!("{}/{name}", K::NAME)).mse((Recurrent::<K::Cell<H, B>, Sequence>::new(),));
}

fn cases<K: Kind>(r: &mut Reference<'_>) {
    last::<K, 7, 3, 5, Bias>(r, "last 7x3 h5");
    sequence::<K, 7, 3, 5, Bias>(r, "sequence 7x3 h5");
    last::<K, 6, 2, 4, NoBias>(r, "last 6x2 h4, without bias");
    sequence::<K, 5, 4, 3, NoBias>(r, "sequence 5x4 h3, without bias");
    last::<K, 1, 3, 4, Bias>(r, "last 1x3 h4");
    sequence::<K, 1, 2, 3, Bias>(r, "sequence 1x2 h3");
    last::<K, 9, 1, 6, Bias>(r, "last 9x1 h6");
    sequence::<K, 6, 3, 1, Bias>(r, "sequence 6x3 h1");
    last::<K, 1, 1, 1, Bias>(r, "one unit, one step");
    last::<K, 2, 1, 1, Bias>(r, "last 2x1 h1");
    last::<K, 12, 5, 9, Bias>(r, "last 12x5 h9");
    case::<Signal<8, 3>>(r, format!("{}/in a row", K::NAME)).class((
        Recurrent::<K::Cell<6, Bias>, Sequence>::new(),
        Recurrent::<K::Cell<4, Bias>, Last>::new(),
        Dense::<3>::new(),
    ));
    case::<Signal<9, 2>>(r, format!("{}/behind a convolution", K::NAME)).class((
        Conv1d::<Signal<9, 5>, 3>::new(),
        Relu,
        Recurrent::<K::Cell<4, Bias>, Last>::new(),
        Dense::<2>::new(),
    ));
    case::<Signal<6, 2>>(r, format!("{}/sequence to a dense layer", K::NAME)).class((
        Recurrent::<K::Cell<4, Bias>, Sequence>::new(),
        Relu,
        Flatten::<24>,
        Dense::<3>::new(),
    ));
}

#[test]
fn recurrent_layers_agree_with_pytorch() {
    area(include_bytes!("../../reference/recurrent.safetensors"), TOLERANCE, |r| {
        cases::<Rnn>(r);
        cases::<ReluRnn>(r);
        cases::<Gru>(r);
        cases::<GruResetBefore>(r);
        cases::<Lstm>(r);
    });
}

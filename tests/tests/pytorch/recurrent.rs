//! Recurrent layers: `reference/cases/recurrent.py`.

use backpass::{
    Bias, Conv1d, Dense, Flatten, Gru, GruCell, Last, Layer, Lstm, LstmCell, NoBias, Recurrent, RecurrentCell, Relu,
    ResetBefore, Rnn, RnnCell, Sequence, Signal, Tanh, Tensor,
};

use crate::harness::{Reference, TOLERANCE, area, case};

/// One layer alone, on windows of `T` steps with `C` channels.
fn alone<K: RecurrentCell, const T: usize, const C: usize>(r: &mut Reference<'_>, kind: &str, name: &str) {
    let name = format!("{kind}/{name}");
    if name.contains("sequence") {
        case::<Signal<T, C>>(r, name).mse((Recurrent::<K, Sequence>::new(),));
    } else {
        case::<Signal<T, C>>(r, name).mse((Recurrent::<K, Last>::new(),));
    }
}

/// The cases of one kind of layer: `cells!(r, "lstm", Lstm, LstmCell)`; a last type chooses a form of it.
macro_rules! cases {
    ($r:ident, $kind:literal, $layer:ident, $cell:ident $(, $form:ident)?) => {{
        let kind = $kind;
        alone::<$cell<5, Bias $(, $form)?>, 7, 3>($r, kind, "last 7x3 h5");
        alone::<$cell<5, Bias $(, $form)?>, 7, 3>($r, kind, "sequence 7x3 h5");
        alone::<$cell<4, NoBias $(, $form)?>, 6, 2>($r, kind, "last 6x2 h4, without bias");
        alone::<$cell<3, NoBias $(, $form)?>, 5, 4>($r, kind, "sequence 5x4 h3, without bias");
        alone::<$cell<4, Bias $(, $form)?>, 1, 3>($r, kind, "last 1x3 h4");
        alone::<$cell<3, Bias $(, $form)?>, 1, 2>($r, kind, "sequence 1x2 h3");
        alone::<$cell<6, Bias $(, $form)?>, 9, 1>($r, kind, "last 9x1 h6");
        alone::<$cell<1, Bias $(, $form)?>, 6, 3>($r, kind, "sequence 6x3 h1");
        alone::<$cell<1, Bias $(, $form)?>, 1, 1>($r, kind, "one element");
        alone::<$cell<1, Bias $(, $form)?>, 2, 1>($r, kind, "two steps");
        alone::<$cell<9, Bias $(, $form)?>, 12, 5>($r, kind, "last 12x5 h9");
        let (first, second) = ($layer::<6, Sequence, Bias $(, $form)?>::new(), $layer::<4, Last, Bias $(, $form)?>::new());
        case::<Signal<8, 3>>($r, format!("{kind}/in a row")).class((first, second, Dense::<3>::new()));
        case::<Signal<9, 2>>($r, format!("{kind}/behind a convolution")).class((
            Conv1d::<Signal<9, 5>, 3>::new(),
            Relu,
            second,
            Dense::<2>::new(),
        ));
        case::<Signal<6, 2>>($r, format!("{kind}/sequence to a dense layer")).class((
            $layer::<4, Sequence, Bias $(, $form)?>::new(),
            Relu,
            Flatten::<24>,
            Dense::<3>::new(),
        ));
    }};
}

#[test]
fn recurrent_layers_agree_with_pytorch() {
    area(include_bytes!("../../reference/recurrent.safetensors"), TOLERANCE, |r| {
        cases!(r, "rnn", Rnn, RnnCell, Tanh);
        cases!(r, "relu rnn", Rnn, RnnCell, Relu);
        cases!(r, "gru", Gru, GruCell);
        cases!(r, "gru, reset before", Gru, GruCell, ResetBefore);
        cases!(r, "lstm", Lstm, LstmCell);
    });
}

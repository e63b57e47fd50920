//! A recurrent layer without hidden units.
// says: Gru<H>: a recurrent layer needs at least one hidden unit

use backpass::{Gru, Layer, Pass, Signal, Zero};

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let _ = Layer::<Signal<5, 2>>::forward(&Gru::<0>::new(), &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

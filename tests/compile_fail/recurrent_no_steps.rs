//! A window without time steps.
// says: Lstm: the window needs at least one time step

use backpass::{Layer, Lstm, Pass, Signal, Zero};

fn main() {
    let (mut x, mut tape) = (Zero::ZERO, Zero::ZERO);
    let _ = Layer::<Signal<0, 2>>::forward(&Lstm::<4>::new(), &Zero::ZERO, &mut x, &mut tape, Pass::Predicting);
}

//! A stream through a frozen prefix of recurrent layers, which keeps no state.
// says: Streaming: a FrozenPrefix keeps no state of its recurrent layers; use `Frozen` instead

use backpass::{Dense, FrozenPrefix, Gru, Signal, Streaming, Zero};

type Step = Signal<1, 3>;
type Network = (FrozenPrefix<Gru<2>, Step, 12>, Dense<2>);
type Weights = <Gru<2> as backpass::Layer<Step>>::Params;

static WEIGHTS: Weights = Zero::ZERO;

fn main() {
    let network: Network = (FrozenPrefix::new(Gru::new(), &WEIGHTS), Dense::new());
    Streaming::<Network, Step>::new().predict(&network, &Zero::ZERO, &[[0.0; 3]]);
}

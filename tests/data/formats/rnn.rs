//! `3x7 rnn(5,bias=no) dense(2)` with the values of rnn_legacy.onnx.
//!
//! Written by `backpass-sim import`. `Frozen::new(NETWORK, &PARAMETERS)` predicts from flash.

use backpass::{Dense, Last, Layer, Linear, NoBias, RecurrentParams, Rnn, Signal};

/// The layers.
pub type Network = (Rnn<5, Last, NoBias>, Dense<2>);
/// What it takes.
pub type Sample = Signal<7, 3>;
/// What it has learned.
pub type Parameters = <Network as Layer<Sample>>::Params;

/// The network.
pub const NETWORK: Network = (Rnn::new(), Dense::new());

/// Its 52 parameters.
#[rustfmt::skip]
#[allow(clippy::excessive_precision, clippy::approx_constant, clippy::unreadable_literal)]
pub static PARAMETERS: Parameters = (
    RecurrentParams { weight_ih: [[0.064575456, 0.09662461, 0.15593119, -0.29750675, 0.11917725],
        [0.048187718, -0.23733091, 0.22182457, -0.14907442, 0.24082087],
        [0.43543392, -0.045455262, 0.053763248, -0.03152654, -0.25517812]], weight_hh: [[0.2517774, -0.30034518, -0.09630176, -0.002313475, 0.17620015],
        [0.32593766, -0.1938049, -0.2792375, -0.41678426, -0.15695511],
        [0.09406974, -0.10212663, 0.30183807, 0.34319028, -0.23205797],
        [-0.12077112, 0.29851326, -0.25857595, -0.36251694, 0.3420416],
        [-0.22040732, 0.10493574, -0.06426076, 0.24993813, -0.18313141]], bias: [] },
    Linear { weight: [[0.39844313, -0.074783586],
        [0.0014998269, 0.01797777],
        [0.42139512, 0.28443873],
        [0.31147608, 0.033745386],
        [-0.12909856, -0.19436851]], bias: [-0.018035881, -0.050263632] },
);

//! `6 dense(5) relu dense(3)` with the values of mlp.onnx.
//!
//! Written by `backpass-sim import`. `Frozen::new(NETWORK, &PARAMETERS)` predicts from flash.

use backpass::{Dense, Layer, Linear, Relu, Vector};

/// The layers.
pub type Network = (Dense<5>, Relu, Dense<3>);
/// What it takes.
pub type Sample = Vector<6>;
/// What it has learned.
pub type Parameters = <Network as Layer<Sample>>::Params;

/// The network.
pub const NETWORK: Network = (Dense::new(), Relu, Dense::new());

/// Its 53 parameters.
#[rustfmt::skip]
#[allow(clippy::excessive_precision, clippy::approx_constant, clippy::unreadable_literal)]
pub static PARAMETERS: Parameters = (
    Linear { weight: [[-0.0030564817, -0.008088697, -0.39001942, -0.2767683, -0.065802835],
        [0.21900219, 0.32369578, -0.27037555, -0.17777696, 0.043198425],
        [-0.3360068, -0.036229607, -0.16828938, 0.14828277, 0.36965913],
        [-0.30044585, 0.10802763, 0.015122975, 0.3390045, -0.37871987],
        [-0.15723862, -0.12337797, 0.16139492, -0.084017575, -0.2570078],
        [0.109474786, -0.080247484, 0.24495828, 0.30549702, -0.10335428]], bias: [-0.15913516, 0.35272685, -0.26461825, -0.1879301, -0.28521878] },
    (),
    Linear { weight: [[-0.4188428, 0.023519661, -0.23055202],
        [-0.26105666, -0.22927903, 0.282164],
        [0.3844239, 0.07566169, 0.26221082],
        [0.19955492, -0.41756096, -0.198337],
        [0.21675216, -0.32314146, -0.016136535]], bias: [0.28602025, 0.44458985, 0.1774911] },
);

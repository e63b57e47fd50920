//! `5 dense(8) layernorm(0.00001) relu dense(2)` with the values of norm.onnx.
//!
//! Written by `backpass-sim import`. `Frozen::new(NETWORK, &PARAMETERS)` predicts from flash.

use backpass::{Dense, Layer, LayerNorm, Linear, Relu, Vector};

/// The layers.
pub type Network = (Dense<8>, LayerNorm, Relu, Dense<2>);
/// What it takes.
pub type Sample = Vector<5>;
/// What it has learned.
pub type Parameters = <Network as Layer<Sample>>::Params;

/// The network.
pub const NETWORK: Network = (Dense::new(), LayerNorm { epsilon: 1e-5 }, Relu, Dense::new());

/// Its 82 parameters.
#[rustfmt::skip]
#[allow(clippy::excessive_precision, clippy::approx_constant, clippy::unreadable_literal)]
pub static PARAMETERS: Parameters = (
    Linear { weight: [[0.08758882, 0.12910688, 0.37395436, 0.35135704, -0.29403618, -0.3708233, -0.37611198, 0.40505812],
        [0.30884227, 0.3569265, 0.16147383, 0.2725452, 0.009229216, -0.11816235, -0.1611127, -0.04815957],
        [0.39928144, -0.43461218, -0.2683127, -0.21942228, -0.35167083, -0.021385474, -0.44434482, 0.24647014],
        [-0.18198882, 0.07016927, -0.34693944, -0.028354527, 0.08152372, 0.12398274, -0.06818799, -0.43552196],
        [0.01234477, -0.33826607, -0.44547087, -0.29674506, 0.258728, -0.046493355, -0.17267692, -0.080366746]], bias: [0.31031996, 0.25801662, 0.102733, -0.27803403, 0.20666835, 0.40983874, -0.030872455, 0.24320947] },
    Linear { weight: [1.1249928, 1.4909008, 0.8338014, 0.71267164, 1.3405881, 1.0262432, 1.2138388, 0.63544434], bias: [-0.34269, -0.18791431, -0.42969155, -0.17873538, -0.11086494, 0.19512582, 0.084673226, -0.41471225] },
    (),
    Linear { weight: [[-0.23944893, -0.043718588],
        [0.14034086, -0.046495855],
        [0.029065646, -0.28577226],
        [0.30643907, -0.24243373],
        [0.1912986, -0.1022437],
        [0.3338974, -0.24367099],
        [-0.061432317, -0.3314253],
        [-0.007982993, -0.1694162]], bias: [0.018013647, -0.34769192] },
);

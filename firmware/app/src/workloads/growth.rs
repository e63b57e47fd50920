//! Dense networks from a thousand to two hundred thousand weights, wider and deeper, to show how the cost of a step grows.

use backpass::{Dense, Relu};

use super::{Classify, Training};

/// Inputs, two hidden layers and outputs of one width: 3 `WIDTH`² weights.
pub type Wide<const WIDTH: usize> =
    Training<(Dense<WIDTH>, Relu, Dense<WIDTH>, Relu, Dense<WIDTH>), [f32; WIDTH], Classify>;

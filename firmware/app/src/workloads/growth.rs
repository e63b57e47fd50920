//! Dense networks of growing width, depth and number of layers, to show how time and code grow with them.

use backpass::{Dense, Relu, Sgd};

use super::{Classify, Training};

/// Steps to a figure: about half of the hidden units are open, on the average of many samples.
const STEPS: u32 = 8;

/// `WIDTH` inputs, `WIDTH` hidden units, `WIDTH` outputs.
pub type Wide<const WIDTH: usize> = Training<(Dense<WIDTH>, Relu, Dense<WIDTH>), [f32; WIDTH], Classify, STEPS>;

type Block = (Dense<128>, Relu);
type Two = (Block, Block);
type Deep<N> = Training<(N, Dense<128>), [f32; 128], Classify, STEPS>;
/// 2 layers of 128 inputs and 128 outputs.
pub type Deep2 = Deep<Block>;
/// 3 such layers.
pub type Deep3 = Deep<Two>;
/// 5 such layers.
pub type Deep5 = Deep<(Two, Two)>;
/// 9 such layers.
pub type Deep9 = Deep<(Two, Two, Two, Two)>;
/// 12 such layers.
pub type Deep12 = Deep<(Two, Two, Two, Two, Two, Block)>;

// The widest layer is in all of them: where the compiler sees that no layer of an image has more than 32 outputs, it leaves a loop out.
type Two20 = (Dense<33>, Relu, Dense<10>);
type Four20 = (Dense<33>, Relu, Dense<24>, Relu, Dense<19>, Relu, Dense<10>);
type Eight20 = (
    (Dense<28>, Relu, Dense<24>, Relu, Dense<19>, Relu, Dense<33>, Relu),
    (Dense<12>, Relu, Dense<30>, Relu, Dense<21>, Relu, Dense<10>),
);

/// 2 dense layers of different shapes.
pub type Layers2<O = Sgd> = Training<Two20, [f32; 20], Classify, 1, 1, O>;
/// 4 of them.
pub type Layers4<O = Sgd> = Training<Four20, [f32; 20], Classify, 1, 1, O>;
/// 8 of them.
pub type Layers8<O = Sgd> = Training<Eight20, [f32; 20], Classify, 1, 1, O>;

/// The same without a gradient array.
pub mod in_place {
    use backpass::InPlace;

    /// 2 dense layers in place.
    pub type Layers2 = super::Layers2<InPlace>;
    /// 4 of them.
    pub type Layers4 = super::Layers4<InPlace>;
    /// 8 of them.
    pub type Layers8 = super::Layers8<InPlace>;
}

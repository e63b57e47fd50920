//! A training step of one layer.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;

use backpass::optimizer::Bounds;
use backpass::{
    Accumulation, Gradients, Initialization, InputGradient, Layer, Memory, Optimizer, Params, Pass, Rng, Sgd, Step,
    Tensor, Zero,
};

use super::{GRADIENTS, LEARNING_RATE, SEED, Workload, fill, largest};

/// Where the layer of an [`Alone`] comes from.
pub trait Make<L> {
    /// The layer.
    fn make() -> L;
}

/// From its default.
#[derive(Debug, Clone, Copy)]
pub struct ByDefault;

impl<L: Default> Make<L> for ByDefault {
    fn make() -> L {
        L::default()
    }
}

/// A training step of layer `L` alone on inputs `X`: forward, backward with the gradient of its input, and the update of its
/// parameters by plain descent. There is no loss: dL/dy is random, drawn before each step, and copied into its place. The
/// inputs are numbers from -1 to 1, or tokens below `TOKENS`. The layer is `M`'s.
#[derive(Debug, Clone, Copy)]
pub struct Alone<L, X, const TOKENS: u32 = 0, M = ByDefault>(PhantomData<(L, X, M)>);

/// What [`Alone`] needs in RAM.
pub struct AloneRam<L: Layer<X>, X> {
    pub(super) params: L::Params,
    gradients: L::Params,
    tape: L::Tape,
    pub(super) x: X,
    pub(super) dy: L::Output,
    stream: u32,
    /// An upper bound of the parameters' magnitudes, as a learner keeps it.
    bound: f32,
}

impl<L: Layer<X>, X> fmt::Debug for AloneRam<L, X> {
    /// Sizes, not contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AloneRam").field("bytes", &size_of::<Self>()).finish()
    }
}

impl<L, X, const TOKENS: u32, M> Workload for Alone<L, X, TOKENS, M>
where
    L: Layer<X, Output: Tensor>,
    X: Tensor,
    M: Make<L>,
{
    type Ram = AloneRam<L, X>;
    const RAM: Self::Ram = AloneRam {
        params: Zero::ZERO,
        gradients: Zero::ZERO,
        tape: Zero::ZERO,
        x: X::ZERO,
        dy: Zero::ZERO,
        stream: 0,
        bound: 0.0,
    };
    const TRAINING_RAM: usize = size_of::<Memory<L, X, Sgd>>();
    const MEMORY: &'static str = GRADIENTS;
    const PARAMETERS: usize = L::Params::COUNT;
    const BATCH: u32 = 1;
    const STEPS: u32 = 1;

    fn prepare(ram: &mut Self::Ram) {
        M::make().initialize(&mut ram.params, Initialization::Glorot, &mut Rng::new(SEED));
        ram.bound = largest(&ram.params);
    }

    fn draw(ram: &mut Self::Ram, rng: &mut Rng) {
        if TOKENS == 0 {
            fill(ram.x.flat_mut(), rng);
        } else {
            ram.x.flat_mut().iter_mut().for_each(|token| *token = rng.below(TOKENS) as f32);
        }
        fill(ram.dy.flat_mut(), rng);
        ram.stream = ram.stream.wrapping_add(1);
    }

    fn step(ram: &mut Self::Ram) -> bool {
        let layer = M::make();
        let AloneRam { params, gradients, tape, x, dy, stream, bound } = ram;
        let output = layer.forward(params, x, tape, Pass::training(*stream));
        // In place of a loss.
        output.flat_mut().copy_from_slice(dy.flat());
        let mut sum = Accumulation::new();
        let grads = Gradients::new(&mut *gradients, &mut sum);
        layer.backward(params, x, tape, Some(grads), InputGradient::Full);
        let known = Bounds { gradients: sum.bound, values: Cell::from_mut(bound) };
        let step = Step { bounds: Some(known), ..Step::new(1) };
        L::Params::COUNT == 0 || Sgd::new(LEARNING_RATE).step(params, gradients, &mut [], &mut (), step)
    }
}

#[cfg(test)]
mod tests {
    use super::super::layers;
    use super::*;

    #[test]
    fn a_step_of_a_layer_leaves_the_gradient_of_its_input_and_moves_its_weights() {
        type W = layers::Dense;
        let mut ram = W::RAM;
        W::prepare(&mut ram);
        W::draw(&mut ram, &mut Rng::new(SEED));
        let (x, weight) = (ram.x, ram.params.weight);
        assert!(W::step(&mut ram));
        assert_ne!(x, ram.x);
        let expected = weight[3][5] - LEARNING_RATE * (x[3] * ram.dy[5]);
        assert!((ram.params.weight[3][5] - expected).abs() < 1e-6);
    }
}

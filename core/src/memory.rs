//! All the RAM of training, as one value.

use core::fmt;

use crate::descend::{Descend, First, InPlace, largest};
use crate::layer::Layer;
use crate::optimizer::{Optimizer, State};
use crate::params::Params;
use crate::tensor::{Tensor, Zero};

/// All that training needs in RAM, for a network `N` on inputs of type `X` with optimizer `O`: parameters, gradients,
/// moments, one sample's activations and a few counters. `size_of` of it is the whole budget.
///
/// [`new`](Memory::new) is `const` and all zeros, so a static lies in `.bss` and takes no flash. Hyper-parameters live
/// outside, in the [`Learner`](crate::Learner). A budget is an assertion of the compiler:
///
/// ```
/// use backpass::{Adam, Dense, Memory, Relu};
/// use static_cell::ConstStaticCell;
///
/// type Net = (Dense<32>, Relu, Dense<10>);
/// type Ram = Memory<Net, [f32; 64], Adam>;
///
/// static MEMORY: ConstStaticCell<Ram> = ConstStaticCell::new(Ram::new());
/// const _: () = assert!(size_of::<Ram>() <= 40 * 1024);
///
/// assert_eq!(Ram::PARAMETERS, 4 * (64 * 32 + 32 + 32 * 10 + 10));
/// assert_eq!(Ram::MOMENTS, 2 * Ram::PARAMETERS);
/// assert_eq!(Ram::ACTIVATIONS, 4 * (64 + 32 + 10));
/// let memory: &'static mut Ram = MEMORY.take();
/// ```
// Small things first: a place near the beginning is reached by a shorter instruction.
#[repr(C)]
pub struct Memory<N: Layer<X>, X: Tensor, O: Training<N, X>> {
    pub(crate) counters: Counters,
    pub(crate) bounds: Bounds,
    pub(crate) state: O::State,
    pub(crate) input: X,
    pub(crate) tape: N::Tape,
    pub(crate) params: N::Params,
    pub(crate) gradients: O::Gradients,
    pub(crate) moments: O::Moments,
}

/// What a network `N` on inputs of type `X` keeps in memory to learn by a rule: any [`Optimizer`], or [`InPlace`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no rule by which `{N}` can learn",
    label = "expected an optimizer, such as `Sgd` or `Adam`, or `InPlace`"
)]
pub trait Training<N: Layer<X>, X> {
    /// The gradient arrays.
    type Gradients: Zero;
    /// What is kept for each parameter, in copies of the parameters.
    type Moments: Zero + AsRef<[N::Params]> + AsMut<[N::Params]>;
    /// What is kept for the whole network.
    type State: State;
    /// What the rule is called, such as `Adam`.
    const NAME: &'static str;

    /// The gradient arrays, if they hold the gradient of all parameters between two samples.
    fn accumulated(gradients: &Self::Gradients) -> Option<&N::Params>;

    /// The same, to be changed.
    fn accumulated_mut(gradients: &mut Self::Gradients) -> Option<&mut N::Params>;

    /// An upper bound of the magnitudes of new parameters; infinite to let the first step find one.
    fn bound(params: &N::Params) -> f32 {
        let _ = params;
        f32::INFINITY
    }
}

impl<N: Layer<X>, X, O: Optimizer> Training<N, X> for O {
    type Gradients = N::Params;
    type Moments = O::Moments<N::Params>;
    type State = O::State;
    const NAME: &'static str = O::NAME;

    fn accumulated(gradients: &N::Params) -> Option<&N::Params> {
        Some(gradients)
    }

    fn accumulated_mut(gradients: &mut N::Params) -> Option<&mut N::Params> {
        Some(gradients)
    }
}

impl<N: Descend<X>, X> Training<N, X> for InPlace {
    type Gradients = N::Shared<First>;
    type Moments = [N::Params; 0];
    type State = ();
    const NAME: &'static str = "InPlace";

    fn accumulated(_: &Self::Gradients) -> Option<&N::Params> {
        None
    }

    fn accumulated_mut(_: &mut Self::Gradients) -> Option<&mut N::Params> {
        None
    }

    fn bound(params: &N::Params) -> f32 {
        largest(params)
    }
}

/// How many samples were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Accepted since the last update.
    pub(crate) pending: u32,
    /// Accepted since initialisation.
    pub(crate) observed: u32,
    /// Samples and updates refused since initialisation.
    pub(crate) refused: u32,
    /// The number of the next sample's random stream; wraps.
    pub(crate) stream: u32,
}

impl Counters {
    /// Counts what became of a sample: it was learned from, ignored, or refused.
    pub(crate) fn count<T, E>(&mut self, result: &Result<Option<T>, E>) {
        match result {
            Ok(None) => {}
            Ok(Some(_)) => {
                self.observed = self.observed.saturating_add(1);
                self.stream = self.stream.wrapping_add(1);
            }
            Err(_) => self.refused = self.refused.saturating_add(1),
        }
    }
}

impl Zero for Counters {
    const ZERO: Self = Self { pending: 0, observed: 0, refused: 0, stream: 0 };
}

/// Upper bounds of magnitudes, so that nobody needs to look at every value to know that all are finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    /// Of the accumulated gradient.
    pub(crate) gradients: f32,
    /// Of parameters and moments; infinite where nobody knows, NaN where moments may be such that no step has left them.
    pub(crate) values: f32,
}

impl Zero for Bounds {
    const ZERO: Self = Self { gradients: 0.0, values: 0.0 };
}

impl<N: Layer<X>, X: Tensor, O: Training<N, X>> Memory<N, X, O> {
    /// The parameters, in bytes.
    pub const PARAMETERS: usize = size_of::<N::Params>();
    /// The gradients, in bytes.
    pub const GRADIENTS: usize = size_of::<O::Gradients>();
    /// The optimizer's moments, in bytes.
    pub const MOMENTS: usize = size_of::<O::Moments>();
    /// The input and what each layer keeps for its backward pass, in bytes.
    pub const ACTIVATIONS: usize = size_of::<X>() + size_of::<N::Tape>();
    /// The rest: sample counters, the optimizer's own counters, alignment, in bytes.
    pub const COUNTERS: usize =
        size_of::<Self>() - Self::PARAMETERS - Self::GRADIENTS - Self::MOMENTS - Self::ACTIVATIONS;
    /// Everything, in bytes: the size of this type.
    pub const TOTAL: usize = size_of::<Self>();

    /// The parts and their sizes in bytes, for a table. They add up to [`TOTAL`](Self::TOTAL).
    pub const PARTS: [(&'static str, usize); 5] = [
        ("parameters", Self::PARAMETERS),
        ("gradients", Self::GRADIENTS),
        ("moments", Self::MOMENTS),
        ("activations", Self::ACTIVATIONS),
        ("counters", Self::COUNTERS),
    ];

    /// Memory of zeros. Before training, [`Learner::initialize`](crate::Learner::initialize) draws the weights.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            params: Zero::ZERO,
            gradients: Zero::ZERO,
            moments: Zero::ZERO,
            state: Zero::ZERO,
            input: Zero::ZERO,
            tape: Zero::ZERO,
            counters: Zero::ZERO,
            bounds: Zero::ZERO,
        }
    }

    /// Sets moments and counters to zero, slice by slice: no second copy, on the stack or in flash.
    pub(crate) fn clear(&mut self) {
        self.moments.as_mut().iter_mut().for_each(fill_zero);
        self.state = Zero::ZERO;
        self.counters = Zero::ZERO;
    }

    /// What other parameters need: no gradient pending, moments of zero, and what belongs to them. Counters and schedules go on.
    pub(crate) fn restart(&mut self) {
        self.moments.as_mut().iter_mut().for_each(fill_zero);
        self.state.restart();
        self.discard();
    }

    /// Forgets the accumulated gradient: the next sample overwrites it.
    pub(crate) const fn discard(&mut self) {
        self.counters.pending = 0;
    }
}

fn fill_zero<P: Params>(params: &mut P) {
    P::visit_mut([params], None, &mut |_, [values]| values.fill(0.0));
}

impl<N: Layer<X>, X: Tensor, O: Training<N, X>> Default for Memory<N, X, O> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Layer<X>, X: Tensor, O: Training<N, X>> fmt::Debug for Memory<N, X, O> {
    /// Sizes, not contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Memory");
        for (part, bytes) in Self::PARTS {
            f.field(part, &bytes);
        }
        f.finish()
    }
}

#[cfg(feature = "defmt")]
impl<N: Layer<X>, X: Tensor, O: Training<N, X>> defmt::Format for Memory<N, X, O> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Memory {{ parameters: {}, gradients: {}, moments: {}, activations: {}, counters: {} }}",
            Self::PARAMETERS,
            Self::GRADIENTS,
            Self::MOMENTS,
            Self::ACTIVATIONS,
            Self::COUNTERS
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Adam, Dense, Momentum, Relu, Sgd, Sigmoid, Tanh};

    type Net = (Dense<32>, Relu, Dense<10>);

    #[test]
    fn the_digits_network_needs_little_beyond_weights_and_gradients() {
        type Ram = Memory<Net, [f32; 64], Sgd>;
        assert_eq!(Ram::PARAMETERS, 9640);
        assert_eq!(Ram::GRADIENTS, 9640);
        assert_eq!(Ram::MOMENTS, 0);
        assert_eq!(Ram::ACTIVATIONS, 424);
        const { assert!(Ram::COUNTERS <= 64) };
        assert!(size_of::<Ram>() <= 9640 + 9640 + 424 + 64);
    }

    #[test]
    fn the_parts_add_up() {
        fn check<O: Optimizer>(moments: usize) {
            assert_eq!(Memory::<Net, [f32; 64], O>::MOMENTS, moments * 9640);
            let parts = Memory::<Net, [f32; 64], O>::PARTS;
            assert_eq!(parts.iter().map(|(_, bytes)| bytes).sum::<usize>(), size_of::<Memory<Net, [f32; 64], O>>());
        }
        check::<Sgd>(0);
        check::<Momentum>(1);
        check::<Adam>(2);
    }

    #[test]
    fn an_activation_that_needs_its_output_keeps_one_copy() {
        type WithTanh = (Dense<8>, Tanh, Dense<3>, Sigmoid);
        assert_eq!(Memory::<WithTanh, [f32; 4], Sgd>::ACTIVATIONS, 4 * (4 + 8 + 8 + 3 + 3));
    }
}

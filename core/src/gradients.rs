//! Where a backward pass leaves the gradients of parameters.

use backpass_arch as arch;

use crate::kernel::elementwise;
use crate::params::Params;

/// The gradients of a layer's parameters: a sum over samples, to which [`backward`](crate::Layer::backward) adds its sample's.
///
/// For the first sample since an update, what the arrays hold is left from before and counts as zero: a layer may overwrite it,
/// which saves a pass over all of them. And an upper bound of every element's magnitude is kept, so that the learner need not
/// look at each of them to know that all are finite.
///
/// A layer that adds to its gradients writes `grads.add(|gradients| ...)`.
#[derive(Debug)]
pub struct Gradients<'g, P> {
    values: &'g mut P,
    sum: Option<&'g mut Accumulation>,
}

/// What is known of a sum over samples.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Accumulation {
    /// Whether no sample's gradient was added yet.
    pub first: bool,
    /// An upper bound of every element's magnitude.
    pub bound: f32,
}

impl Accumulation {
    /// Of no sample yet.
    pub const fn new() -> Self {
        Self { first: true, bound: 0.0 }
    }
}

impl Default for Accumulation {
    fn default() -> Self {
        Self::new()
    }
}

impl<'g, P: Params> Gradients<'g, P> {
    /// The gradients in `values`, of which `sum` is known; its bound is kept up.
    pub const fn new(values: &'g mut P, sum: &'g mut Accumulation) -> Self {
        Self { values, sum: Some(sum) }
    }

    /// The gradients of a part of the parameters.
    pub fn part<'p, Q>(&'p mut self, part: impl FnOnce(&'p mut P) -> &'p mut Q) -> Gradients<'p, Q> {
        Gradients { values: part(self.values), sum: self.sum.as_deref_mut() }
    }

    /// Calls `add` with the gradients as they are so far, zeros for the first sample. Looks at all of them afterwards, so it suits
    /// layers with few parameters.
    pub fn add(self, add: impl FnOnce(&mut P)) {
        if is_first(self.sum.as_deref()) {
            P::visit_mut([&mut *self.values], None, &mut |_, [values]| values.fill(0.0));
        }
        add(self.values);
        if let Some(Accumulation { bound, .. }) = self.sum {
            self.values.visit(None, &mut |_, values| *bound = elementwise::largest(*bound, values));
        }
    }

    /// Calls `run` with the gradients that [`add`](Self::add) would, or with none.
    pub(crate) fn learn(gradients: Option<Self>, run: impl FnOnce(Option<&mut P>)) {
        match gradients {
            Some(gradients) => gradients.add(|gradients| run(Some(gradients))),
            None => run(None),
        }
    }

    /// The arrays as they lie, every element of which the first sample overwrites, and what is known of them, to be kept up by [`settle`].
    pub(crate) fn parts(self) -> (&'g mut P, Option<&'g mut Accumulation>) {
        (self.values, self.sum)
    }
}

/// Gradients to be added to `values`, of which nobody needs to know a bound.
impl<'g, P> From<&'g mut P> for Gradients<'g, P> {
    fn from(values: &'g mut P) -> Self {
        Self { values, sum: None }
    }
}

/// Whether what the arrays hold counts as zero.
pub(crate) fn is_first(sum: Option<&Accumulation>) -> bool {
    sum.is_some_and(|sum| sum.first)
}

/// Below this, twice a bound is finite, and so is anything that it bounds.
pub(crate) const SAFE: f32 = 1e37;

/// Whether a bound is below [`SAFE`]; NaN is not.
pub(crate) const fn is_safe(bound: f32) -> bool {
    bound < SAFE
}

/// An upper bound of the magnitudes of a linear layer's gradient: each element is a sum of some of the products x dy, or of some of dy.
#[inline(never)]
pub(crate) fn growth(x: &[f32], dy: &[f32]) -> f32 {
    elementwise::larger(1.0, arch::magnitude(x)) * arch::magnitude(dy)
}

/// Keeps up a bound where no element has grown in magnitude by more than `growth`. If that leaves the range of safe numbers, it looks at
/// each of them, so that a bound is infinite or NaN only if an element is.
#[inline(never)]
pub(crate) fn settle(sum: Option<&mut Accumulation>, growth: f32, weight: &[f32], bias: &[f32]) {
    let Some(Accumulation { bound, .. }) = sum else { return };
    // Rounded up by more than the errors of the additions, of which a convolution makes one for each position.
    let grown = (*bound + growth) * 1.01;
    *bound = if is_safe(grown) { grown } else { elementwise::largest(elementwise::largest(*bound, weight), bias) };
}

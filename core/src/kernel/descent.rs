//! The passes of an optimizer step over parameters, gradients and moments.
//!
//! A step that is refused changes nothing. Where bounds of all magnitudes are known and a rule's settings are [`tame`], nothing can
//! overflow, and one pass is enough; it finds the bounds for the next step. Where none are known, as for the first step, a pass finds
//! them. Otherwise a step runs twice: first dry, to see whether every result is finite, then for good. All give the same bits.
//!
//! | rule | mathematics | for each weight | floor | reached |
//! |---|---|---|---|---|
//! | SGD | `w = w - rate g` | 2 loads, 1 multiply, 1 add, 1 store | 5 | 5.7 |
//! | with a mean or decay | `w = keep w - rate (scale g)` | 2 multiplies more | 7 | 7.7 |
//! | momentum | `m = μ m + g`, `w = w - rate m` | 3 loads, 2 multiplies, 2 adds, 2 stores | 9 | compiled Rust |
//! | Adam | `m`, `v` averages; `w = w - rate (m / (√v root + ε))` | 4 loads, 7 multiplies, 4 adds, 1 division, 1 root, 3 stores | 46 | compiled Rust |
//!
//! Cycles as on the page of [dense layers](crate::kernel::dense). Bias corrections are running products, so no power is computed; a square
//! root is the FPU's instruction. A bound for SGD comes from settings alone, so its pass need not look at what it writes.
//!
//! What did not pay: a visitor that the compiler inlines at each of a step's passes, with a copy of the rule for each array of the
//! network. It cost 1.3 KB a layer, for 1 % of the cycles of a step of 64-32-10. Passes share one place where a network is visited.

use backpass_arch as arch;

use crate::kernel::elementwise::larger;
use crate::math;
use crate::optimizer::{Bounds, Step};
use crate::params::{Name, Params};

/// Takes one step by a rule: the arithmetic for one weight, from its value, its gradient and its `N` moments to the new
/// value and moments.
///
/// `rule` makes that arithmetic for each [`Slice`] of parameters; it may depend on the slice's learning rate, name and
/// norms. The gradient it gets is the mean of the samples', clipped where the step says so. A rule must not keep anything
/// back between the weights: it is asked twice.
///
/// [Statistics](Name::statistic) are not stepped by the rule: whatever it is, the mean of what the samples would add is
/// added, without learning rate, decay or clipping. Their moments stay zero.
///
/// Returns whether the step was taken: if any new parameter or moment would not be finite, nothing is changed.
///
/// ```
/// use backpass::optimizer::{Step, descend};
/// use backpass::{Optimizer, Params};
///
/// /// A rule of your own: steps of one size, along the sign of the gradient.
/// struct SignDescent {
///     learning_rate: f32,
/// }
///
/// impl Optimizer for SignDescent {
///     type Moments<P: Params> = [P; 0];
///     type State = ();
///     fn step<P: Params>(&self, params: &mut P, grads: &mut P, moments: &mut [P; 0], _: &mut (), step: Step<'_>) -> bool {
///         descend(params, grads, moments, step, |slice| {
///             let rate = self.learning_rate * slice.rate();
///             move |weight, gradient: f32, []| (weight - rate * gradient.signum(), [])
///         })
///     }
/// }
/// ```
#[must_use]
pub fn descend<P: Params, const N: usize, R>(
    params: &mut P,
    gradients: &mut P,
    moments: &mut [P; N],
    step: Step<'_>,
    rule: impl Fn(&Slice<'_>) -> R,
) -> bool
where
    R: Fn(f32, f32, [f32; N]) -> (f32, [f32; N]),
    Sets: SideBySide<N>,
{
    descend_within(params, gradients, moments, step, false, rule)
}

/// Parameters, moments and gradients up to this magnitude are safe with a rule that is [`tame`].
const WITHIN: f32 = 1e9;
/// The largest factor of a rule that is [`tame`].
const TAME: f32 = 1e3;

/// Whether a rule's settings are so that nothing overflows where all magnitudes are below [`WITHIN`] and factors on the learning rate
/// below [`TAME`]: `factors` (learning rate, decays, momentum) are below it too, `averages`, such as Adam's β, between 0 and
/// 0.99999, and `epsilon` is at least 1e-10.
///
/// The largest number then comes from Adam: a gradient with an L2 penalty of 1e12, over ε, times a learning rate of 1e6 over a
/// correction of 1e-5, is 1e33.
pub(crate) fn tame(factors: &[f32], averages: &[f32], epsilon: f32) -> bool {
    factors.iter().all(|factor| factor.abs() <= TAME)
        && averages.iter().all(|average| (0.0..=0.99999).contains(average))
        && (1e-10..=TAME).contains(&epsilon)
}

/// [`descend`] by a rule that may be [`tame`].
pub(crate) fn descend_within<P: Params, const N: usize, R>(
    params: &mut P,
    gradients: &mut P,
    moments: &mut [P; N],
    step: Step<'_>,
    tame: bool,
    rule: impl Fn(&Slice<'_>) -> R,
) -> bool
where
    R: Fn(f32, f32, [f32; N]) -> (f32, [f32; N]),
    Sets: SideBySide<N>,
{
    let is_safe = || {
        step.bounds.is_some_and(|Bounds { gradients, values }| {
            tame && gradients * larger(step.scale, step.mean) <= WITHIN
                && values.get() <= WITHIN
                && step.largest_rate() <= TAME
        })
    };
    passes(params, gradients, moments, step, is_safe, |pass, name, p, g, m| {
        slice::<true, N, R>(pass, name, p, g, m, &step, &rule)
    })
}

/// A pass over all parameters.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Pass {
    /// Finds an upper bound of the magnitudes of parameters and moments, because nobody knows any.
    Measure,
    /// Sees whether the step is finite.
    Dry,
    /// Takes the step, which is.
    Wet,
    /// Takes the step, because nothing can overflow.
    Only,
}

/// The passes of a step. `is_safe` says, from the step's bounds, whether nothing can overflow. `slice` does what a pass does, but for
/// measuring, and returns an upper bound of the new values' magnitudes: NaN or infinite if a value is.
pub(crate) fn passes<P: Params, const N: usize>(
    params: &mut P,
    gradients: &mut P,
    moments: &mut [P; N],
    step: Step<'_>,
    is_safe: impl Fn() -> bool,
    slice: impl Fn(Pass, &Name<'_>, &mut [f32], &mut [f32], [&mut [f32]; N]) -> f32,
) -> bool
where
    Sets: SideBySide<N>,
{
    let mut pass = match step.bounds {
        Some(Bounds { values, .. }) if values.get() == f32::INFINITY => Pass::Measure,
        _ if is_safe() => Pass::Only,
        _ => Pass::Dry,
    };
    // One loop, so that a network's parameters are visited in one place.
    loop {
        let mut largest = 0.0;
        Sets::visit(params, gradients, moments, &mut |name, p, g, m| {
            largest = larger(largest, bound(pass, &name, p, g, m, &slice));
        });
        if pass == Pass::Dry {
            if !largest.is_finite() {
                return false;
            }
            pass = Pass::Wet;
            continue;
        }
        if let Some(Bounds { values, .. }) = step.bounds {
            values.set(largest);
        }
        if pass != Pass::Measure {
            return true;
        }
        pass = if is_safe() { Pass::Only } else { Pass::Dry };
    }
}

/// What a pass does with a slice. Not inlined into its two callers: a visitor and, never called, the same by value.
#[inline(never)]
fn bound<const N: usize>(
    pass: Pass,
    name: &Name<'_>,
    params: &mut [f32],
    gradients: &mut [f32],
    moments: [&mut [f32]; N],
    slice: &impl Fn(Pass, &Name<'_>, &mut [f32], &mut [f32], [&mut [f32]; N]) -> f32,
) -> f32 {
    match pass {
        Pass::Measure => moments.iter().fold(arch::magnitude(params), |bound, m| larger(bound, arch::magnitude(m))),
        _ => slice(pass, name, params, gradients, moments),
    }
}

/// One slice of parameters, such as a layer's weight, for a rule to look at.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Slice<'a> {
    name: Name<'a>,
    params: &'a [f32],
    gradients: &'a [f32],
    step: &'a Step<'a>,
}

impl Slice<'_> {
    /// Its name.
    pub const fn name(&self) -> &Name<'_> {
        &self.name
    }

    /// The factor on its learning rate.
    pub fn rate(&self) -> f32 {
        self.step.rate_of(&self.name)
    }

    /// The Euclidean norm of the parameters.
    pub fn norm(&self) -> f32 {
        norm(|unit| sum_of_squares(self.params, unit, |p| p))
    }

    /// The Euclidean norm of the gradient, as the rule sees it.
    pub fn gradient_norm(&self) -> f32 {
        norm(|unit| sum_of_squares(self.gradients, unit, |g| self.step.gradient(g)))
    }
}

/// One slice's part of a pass, which writes or does not. Returns the largest magnitude of the new values; NaN if one is. With `LOOP`, the usual
/// pass has a loop of its own; without, less code and more cycles.
#[inline(never)]
pub(crate) fn slice<const LOOP: bool, const N: usize, R>(
    pass: Pass,
    name: &Name<'_>,
    params: &mut [f32],
    gradients: &mut [f32],
    moments: [&mut [f32]; N],
    step: &Step<'_>,
    rule: &impl Fn(&Slice<'_>) -> R,
) -> f32
where
    R: Fn(f32, f32, [f32; N]) -> (f32, [f32; N]),
    Sets: SideBySide<N>,
{
    let write = pass != Pass::Dry;
    let statistic = |p: f32, g: f32, m: [f32; N]| (p + step.mean * g, m);
    let rule = rule(&Slice { name: *name, params, gradients, step });
    match (name.is_statistic(), LOOP && write && step.clip == f32::INFINITY) {
        (true, _) => weights_by_call(params, gradients, moments, write, &statistic),
        (false, true) => weights(params, gradients, moments, true, |p, g, m| rule(p, step.scale * g, m)),
        (false, false) => weights_by_call(params, gradients, moments, write, &|p, g, m| rule(p, step.gradient(g), m)),
    }
}

/// [`weights`] with a rule that is called for each weight, so that all rules share a loop.
#[inline(never)]
fn weights_by_call<const N: usize>(
    params: &mut [f32],
    gradients: &[f32],
    moments: [&mut [f32]; N],
    write: bool,
    rule: &dyn Fn(f32, f32, [f32; N]) -> (f32, [f32; N]),
) -> f32
where
    Sets: SideBySide<N>,
{
    weights(params, gradients, moments, write, rule)
}

/// The loop over weights.
fn weights<const N: usize>(
    params: &mut [f32],
    gradients: &[f32],
    moments: [&mut [f32]; N],
    write: bool,
    rule: impl Fn(f32, f32, [f32; N]) -> (f32, [f32; N]),
) -> f32
where
    Sets: SideBySide<N>,
{
    let mut largest = 0.0;
    for ((param, gradient), moments) in params.iter_mut().zip(gradients).zip(Sets::rows(moments)) {
        let (new_param, new_moments) = rule(*param, *gradient, moments.each_ref().map(|moment| **moment));
        largest = new_moments.iter().fold(larger(largest, new_param), |largest, new| larger(largest, *new));
        if write {
            *param = new_param;
            moments.into_iter().zip(new_moments).for_each(|(moment, new)| *moment = new);
        }
    }
    largest
}

/// Parameters, gradients and some sets of moments.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sets;

/// What is called with a slice's name, its parameters, gradients and `N` moments.
pub type Visitor<'v, const N: usize> = dyn FnMut(Name<'_>, &mut [f32], &mut [f32], [&mut [f32]; N]) + 'v;

/// How `N` sets of moments, 0 to 3, are visited beside parameters and gradients. Visits are not inlined: places count from each set's
/// beginning there, which takes shorter instructions.
pub trait SideBySide<const N: usize> {
    /// Calls `visitor` with each slice of parameters, gradients and moments.
    fn visit<P: Params>(params: &mut P, gradients: &mut P, moments: &mut [P; N], visitor: &mut Visitor<'_, N>);

    /// The moments, weight by weight. Without any, there is no end to them.
    fn rows(moments: [&mut [f32]; N]) -> impl Iterator<Item = [&mut f32; N]>;
}

impl SideBySide<0> for Sets {
    #[inline(never)]
    fn visit<P: Params>(params: &mut P, gradients: &mut P, []: &mut [P; 0], visitor: &mut Visitor<'_, 0>) {
        P::visit_mut([params, gradients], None, &mut |name, [p, g]| visitor(name, p, g, []));
    }

    fn rows([]: [&mut [f32]; 0]) -> impl Iterator<Item = [&mut f32; 0]> {
        core::iter::repeat_with(|| [])
    }
}

impl SideBySide<1> for Sets {
    #[inline(never)]
    fn visit<P: Params>(params: &mut P, gradients: &mut P, [first]: &mut [P; 1], visitor: &mut Visitor<'_, 1>) {
        P::visit_mut([params, gradients, first], None, &mut |name, [p, g, a]| visitor(name, p, g, [a]));
    }

    fn rows([first]: [&mut [f32]; 1]) -> impl Iterator<Item = [&mut f32; 1]> {
        first.iter_mut().map(|a| [a])
    }
}

impl SideBySide<2> for Sets {
    #[inline(never)]
    fn visit<P: Params>(params: &mut P, gradients: &mut P, [first, second]: &mut [P; 2], visitor: &mut Visitor<'_, 2>) {
        let sets = [params, gradients, first, second];
        P::visit_mut(sets, None, &mut |name, [p, g, a, b]| visitor(name, p, g, [a, b]));
    }

    fn rows([first, second]: [&mut [f32]; 2]) -> impl Iterator<Item = [&mut f32; 2]> {
        first.iter_mut().zip(second).map(|(a, b)| [a, b])
    }
}

impl SideBySide<3> for Sets {
    #[inline(never)]
    fn visit<P: Params>(
        params: &mut P,
        gradients: &mut P,
        [first, second, third]: &mut [P; 3],
        visitor: &mut Visitor<'_, 3>,
    ) {
        let sets = [params, gradients, first, second, third];
        P::visit_mut(sets, None, &mut |name, [p, g, a, b, c]| visitor(name, p, g, [a, b, c]));
    }

    fn rows([first, second, third]: [&mut [f32]; 3]) -> impl Iterator<Item = [&mut f32; 3]> {
        first.iter_mut().zip(second).zip(third).map(|((a, b), c)| [a, b, c])
    }
}

/// The Euclidean norm of all gradients that are learned, as a rule would see them: sums of squares in the order of a visit,
/// slice by slice.
pub(crate) fn gradient_norm<P: Params>(gradients: &P, step: Step<'_>) -> f32 {
    norm(|unit| {
        let mut sum = 0.0;
        gradients.visit(None, &mut |name, values| {
            if !name.is_statistic() {
                sum += sum_of_squares(values, unit, |g| step.gradient(g));
            }
        });
        sum
    })
}

/// A Euclidean norm, from the sum of squares of numbers that were multiplied by a unit: 1, or another power of two where
/// the sum would overflow or vanish.
fn norm(sum_of_squares: impl Fn(f32) -> f32) -> f32 {
    const SMALL: f32 = f32::from_bits((127 - 100) << 23);
    const LARGE: f32 = f32::from_bits((127 + 80) << 23);
    let sum = sum_of_squares(1.0);
    let unit = match sum {
        sum if !sum.is_finite() => SMALL,
        sum if sum < 1e-20 => LARGE,
        _ => 1.0,
    };
    math::sqrt(if unit == 1.0 { sum } else { sum_of_squares(unit) }) / unit
}

/// `Σ (unit · map(x))²`: in rising order within blocks of 32, and then over the blocks, so that rounding adds up less.
fn sum_of_squares(values: &[f32], unit: f32, map: impl Fn(f32) -> f32) -> f32 {
    let mut sum = 0.0;
    for block in values.chunks(32) {
        let mut part = 0.0;
        for value in block {
            let value = unit * map(*value);
            part += value * value;
        }
        sum += part;
    }
    sum
}

/// A factor for every weight. To multiply by exactly 1, the usual case, is left out: the bits are the same, and without a
/// floating-point unit it is slow.
#[derive(Clone, Copy)]
pub(crate) struct Factor {
    value: f32,
    is_one: bool,
}

impl Factor {
    pub(crate) const fn new(value: f32) -> Self {
        Self { value, is_one: value == 1.0 }
    }

    pub(crate) const fn times(self, x: f32) -> f32 {
        if self.is_one { x } else { self.value * x }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_neither_overflow_nor_vanish() {
        let of = |values: &[f32]| norm(|unit| sum_of_squares(values, unit, |x| x));
        assert_eq!(of(&[3.0, -4.0]), 5.0);
        assert_eq!(of(&[3e30, 4e30]), 5e30);
        assert!((of(&[3e-30, -4e-30]) / 5e-30 - 1.0).abs() < 3e-7);
        assert_eq!(of(&[]), 0.0);
        assert_eq!(of(&[0.0; 100]), 0.0);
        assert!(of(&[f32::NAN]).is_nan());
        assert_eq!(of(&[f32::MAX; 2]), f32::INFINITY);
        // A plain sum over 2^20 ones in f32 would be off in the tenth digit at most; this one is exact.
        assert_eq!(of(&std::vec![1.0; 1 << 20]), 1024.0);
    }

    #[test]
    fn a_factor_of_one_leaves_every_bit() {
        for x in [0.0_f32, -0.0, 1.5, f32::MAX, f32::MIN_POSITIVE / 2.0, f32::NEG_INFINITY] {
            assert_eq!(Factor::new(1.0).times(x).to_bits(), x.to_bits());
            assert_eq!(Factor::new(0.5).times(x), 0.5 * x);
        }
    }
}

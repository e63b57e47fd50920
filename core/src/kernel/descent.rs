//! The passes of an optimizer step over parameters, gradients and moments.
//!
//! A rule is the arithmetic for one weight: from its value, its gradient and its `N` moments to the new value and
//! moments. A step runs twice: first dry, to see whether every result is finite, then for good; so a refused step
//! changes nothing.

use crate::kernel::elementwise::Seen;

/// One weight with its gradient and moments.
type Weight<'a, const N: usize> = (&'a mut f32, &'a mut f32, [&'a mut f32; N]);

/// The weights of an optimizer without moments.
pub(crate) fn plain<'a>(params: &'a mut [f32], gradients: &'a mut [f32]) -> impl Iterator<Item = Weight<'a, 0>> {
    params.iter_mut().zip(gradients).map(|(p, g)| (p, g, []))
}

/// The weights of an optimizer with one moment.
pub(crate) fn with_moment<'a>(
    params: &'a mut [f32],
    gradients: &'a mut [f32],
    moments: &'a mut [f32],
) -> impl Iterator<Item = Weight<'a, 1>> {
    params.iter_mut().zip(gradients).zip(moments).map(|((p, g), m)| (p, g, [m]))
}

/// The weights of an optimizer with two moments.
pub(crate) fn with_moments<'a>(
    params: &'a mut [f32],
    gradients: &'a mut [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
) -> impl Iterator<Item = Weight<'a, 2>> {
    params.iter_mut().zip(gradients).zip(first.iter_mut().zip(second)).map(|((p, g), (m, v))| (p, g, [m, v]))
}

/// Whether `rule` gives finite values and moments everywhere. Writes nothing.
pub(crate) fn is_finite<'a, const N: usize>(
    weights: impl Iterator<Item = Weight<'a, N>>,
    rule: impl Fn(f32, f32, [f32; N]) -> (f32, [f32; N]),
) -> bool {
    let mut seen = Seen::default();
    for (param, gradient, moments) in weights {
        let (param, moments) = rule(*param, *gradient, moments.map(|m| *m));
        seen = moments.iter().fold(seen.and(param), |seen, &m| seen.and(m));
    }
    seen.all_finite()
}

/// Takes the step, and clears the gradient.
pub(crate) fn apply<'a, const N: usize>(
    weights: impl Iterator<Item = Weight<'a, N>>,
    rule: impl Fn(f32, f32, [f32; N]) -> (f32, [f32; N]),
) {
    for (param, gradient, moments) in weights {
        let (new_param, new_moments) = rule(*param, *gradient, moments.each_ref().map(|m| **m));
        *param = new_param;
        *gradient = 0.0;
        for (moment, new) in moments.into_iter().zip(new_moments) {
            *moment = new;
        }
    }
}

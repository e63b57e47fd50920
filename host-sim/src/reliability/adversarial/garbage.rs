//! Numbers that nobody wants, drawn at random.

use backpass::{Loss, Rng, Tensor};

/// Outputs of every network here.
pub(super) const OUTPUTS: usize = 3;

/// A number of any kind: plain, subnormal, tiny, huge, any bits at all, infinite or NaN.
pub(super) fn number(rng: &mut Rng) -> f32 {
    match rng.below(16) {
        0 => f32::from_bits(rng.next_u64() as u32),
        1 => f32::from_bits(rng.below(1 << 23)),
        2 => rng.symmetric(f32::MIN_POSITIVE),
        3 => rng.symmetric(f32::MAX),
        4 => 10f32.powf(rng.symmetric(38.0)),
        5 => [f32::MAX, f32::MIN, f32::MIN_POSITIVE, f32::EPSILON, 1.0, -1.0, 0.0, -0.0][rng.below(8) as usize],
        6 => [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY][rng.below(4) as usize],
        _ => rng.symmetric(1.0),
    }
}

/// A sample: plain, with one bad element, all alike, all of one scale, or all garbage.
pub(super) fn sample<X: Tensor>(rng: &mut Rng) -> X {
    let mut sample = X::ZERO;
    let kind = rng.below(6);
    let (one, scale) = (number(rng), 10f32.powf(rng.symmetric(38.0)));
    for value in sample.flat_mut() {
        *value = match kind {
            0 => one,
            1 => scale * rng.symmetric(1.0),
            2 => number(rng),
            _ => rng.symmetric(1.0),
        };
    }
    if kind == 3 {
        let index = rng.below(X::LEN as u32) as usize;
        if let Some(value) = sample.flat_mut().get_mut(index) {
            *value = one;
        }
    }
    sample
}

/// A sample that a sensor may give: numbers from -1 to 1.
pub(super) fn plain<X: Tensor>(rng: &mut Rng) -> X {
    let mut sample = X::ZERO;
    sample.flat_mut().iter_mut().for_each(|value| *value = rng.symmetric(1.0));
    sample
}

/// What a learner is asked for: a loss, targets good and bad, and which are good.
#[derive(Clone, Copy)]
pub(super) struct Goal<L, T> {
    pub(super) loss: L,
    pub(super) garbage: fn(&mut Rng) -> T,
    pub(super) plain: fn(&mut Rng) -> T,
    pub(super) is_valid: fn(&T) -> bool,
}

type Scores = [f32; OUTPUTS];

/// Classes, some of which do not exist.
pub(super) fn classes<L: Loss<Scores, usize>>(loss: L) -> Goal<L, usize> {
    let plain = |rng: &mut Rng| rng.below(OUTPUTS as u32) as usize;
    let garbage = |rng: &mut Rng| match rng.below(8) {
        0 => OUTPUTS,
        1 => usize::MAX,
        2 => rng.next_u64() as usize,
        _ => rng.below(OUTPUTS as u32) as usize,
    };
    Goal { loss, garbage, plain, is_valid: |class| *class < OUTPUTS }
}

/// Any numbers.
pub(super) fn numbers<L: Loss<Scores, Scores>>(loss: L) -> Goal<L, Scores> {
    Goal { loss, garbage: sample, plain, is_valid: |target| target.iter().all(|value| value.is_finite()) }
}

/// Numbers from 0 to 1.
pub(super) fn probabilities<L: Loss<Scores, Scores>>(loss: L) -> Goal<L, Scores> {
    let plain = |rng: &mut Rng| [(); OUTPUTS].map(|()| rng.unit());
    let garbage = |rng: &mut Rng| if rng.below(2) == 0 { sample(rng) } else { [(); OUTPUTS].map(|()| rng.unit()) };
    Goal { loss, garbage, plain, is_valid: |target| target.iter().all(|value| (0.0..=1.0).contains(value)) }
}

/// A vector and a sign.
pub(super) fn signed<L: Loss<Scores, (Scores, f32)>>(loss: L) -> Goal<L, (Scores, f32)> {
    Goal {
        loss,
        garbage: |rng| (sample(rng), if rng.below(4) == 0 { number(rng) } else { 1.0 }),
        plain: |rng| (plain(rng), [1.0, -1.0][rng.below(2) as usize]),
        is_valid: |(vector, sign)| vector.iter().all(|value| value.is_finite()) && sign.abs() == 1.0,
    }
}

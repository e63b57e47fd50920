//! The one door to transcendental functions.
//!
//! Training takes them from [`libm`] on every platform, never from the host's own library, whose bits differ. Errors of
//! `libm` 0.2 against the exact value: `expf`, `expm1f` and `tanhf` below 1 unit in the last place, `logf` and `log1pf` below 1, `erfcf` below 1e-6 of its
//! value, `sqrtf` exactly rounded.
//!
//! With the feature `micromath`, *predictions* take `exp` from that crate (sigmoid and tanh are made of it). It is smaller
//! in flash, not faster: on an emulated Cortex-M4F it costs 83 instructions against `libm`'s 57, its relative error is
//! 2.4e-3 (`libm`: 7e-8), and a NaN comes out as a number. Training never uses it.
//!
//! No function is inlined: a loop with a copy of each would be large and not faster.

use crate::layer::Pass;

/// e^x.
#[inline(never)]
pub(crate) fn exp(x: f32) -> f32 {
    libm::expf(x)
}

/// The natural logarithm.
#[inline(never)]
pub(crate) fn ln(x: f32) -> f32 {
    libm::logf(x)
}

/// ln(1 + x), accurate near zero.
#[inline(never)]
pub(crate) fn ln_1p(x: f32) -> f32 {
    libm::log1pf(x)
}

/// e^x - 1, accurate near zero.
#[inline(never)]
pub(crate) fn exp_m1(x: f32) -> f32 {
    libm::expm1f(x)
}

/// ln(1 + e^x), without overflow.
pub(crate) fn softplus(x: f32) -> f32 {
    let linear = if x < 0.0 { 0.0 } else { x };
    linear + ln_1p(exp(-x.abs()))
}

/// The complementary error function, 1 - erf x, accurate where it is small.
#[inline(never)]
pub(crate) fn erfc(x: f32) -> f32 {
    libm::erfcf(x)
}

/// The square root, exactly rounded: by the FPU's instruction where there is one, with the same bits.
pub(crate) fn sqrt(x: f32) -> f32 {
    backpass_arch::sqrt(x)
}

/// `baseⁿ` by repeated squaring, for a base from 0 to 1 say. The relative error is below 6e-8 n.
pub(crate) const fn power(base: f32, exponent: u32) -> f32 {
    let (mut result, mut square, mut rest) = (1.0, base, exponent);
    while rest > 0 {
        if rest % 2 == 1 {
            result *= square;
        }
        square *= square;
        rest /= 2;
    }
    result
}

/// `(1 + cos(π elapsed / total)) / 2`: from 1 at the start to 0 at the end, and 0 behind it, along half a cosine. The
/// relative error is below 5e-7 for whole numbers up to 2²⁴. Not made of `libm`'s `cosf`, which computes in f64.
pub(crate) fn half_cosine(elapsed: f32, total: f32) -> f32 {
    // Both halves are a sine squared of an angle up to π/4, from the nearer end.
    let left = total - elapsed;
    if left <= 0.0 {
        // The end, and where there is no length at all.
        0.0
    } else if elapsed <= left {
        1.0 - sine_squared(elapsed / total)
    } else {
        sine_squared(left / total)
    }
}

/// sin²(π x / 2) for x from 0 to 1/2.
fn sine_squared(x: f32) -> f32 {
    let x = x * core::f32::consts::FRAC_PI_2;
    let square = x * x;
    // The series of sin x / x, up to x⁸.
    let mut series = 1.0 / 362_880.0;
    for coefficient in [-1.0 / 5040.0, 1.0 / 120.0, -1.0 / 6.0, 1.0] {
        series = series * square + coefficient;
    }
    let sine = x * series;
    sine * sine
}

/// 1 / (1 + e^-x). Below -88.7 it is 0: e^-x is then infinite.
pub(crate) fn sigmoid(x: f32, pass: Pass) -> f32 {
    1.0 / (1.0 + exp_in(-x, pass))
}

/// The hyperbolic tangent.
pub(crate) fn tanh(x: f32, pass: Pass) -> f32 {
    if cfg!(feature = "micromath") && !pass.is_training() {
        // tanh x = 1 - 2 / (e^2x + 1)
        1.0 - 2.0 / (exp_in(2.0 * x, pass) + 1.0)
    } else {
        tanhf(x)
    }
}

#[inline(never)]
fn tanhf(x: f32) -> f32 {
    libm::tanhf(x)
}

#[cfg(feature = "micromath")]
fn exp_in(x: f32, pass: Pass) -> f32 {
    match pass {
        Pass::Training { .. } => exp(x),
        // Outside this range micromath's exponent arithmetic overflows; e^87 is near the largest f32.
        Pass::Predicting | Pass::Continuing => micromath::F32Ext::exp(x.clamp(-87.0, 87.0)),
    }
}

#[cfg(not(feature = "micromath"))]
fn exp_in(x: f32, _: Pass) -> f32 {
    exp(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_within_the_stated_bounds() {
        for i in -8000..8000 {
            let x = i as f32 * 0.01;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 1.2e-7, "exp {x}");
            let exact = f64::from(x).tanh();
            let error = (f64::from(tanh(x, Pass::training(0))) - exact).abs();
            assert!(error <= 1.2e-7 * exact.abs(), "tanh {x}");
            let exact = 1.0 / (1.0 + (-f64::from(x)).exp());
            assert!((f64::from(sigmoid(x, Pass::training(0))) / exact - 1.0).abs() < 3e-7, "sigmoid {x}");
            let exact = f64::from(x).exp_m1();
            assert!((f64::from(exp_m1(x)) - exact).abs() <= 1.2e-7 * exact.abs(), "exp_m1 {x}");
            let exact = f64::from(x).max(0.0) + (-f64::from(x).abs()).exp().ln_1p();
            assert!((f64::from(softplus(x)) - exact).abs() <= 2e-7 * exact, "softplus {x}");
            if x.abs() < 9.0 {
                let exact = libm::erfc(f64::from(x));
                assert!((f64::from(erfc(x)) - exact).abs() <= 1e-6 * exact + 1e-38, "erfc {x}");
            }
            if x > 0.0 {
                assert!((f64::from(ln(x)) - f64::from(x).ln()).abs() < 4e-7, "ln {x}");
                assert_eq!(sqrt(x), x.sqrt());
            }
        }
    }

    #[test]
    fn powers_are_within_the_stated_bound() {
        for base in [0.1_f32, 0.5, 0.9, 0.99, 0.9999, 1.0, 1.001] {
            for exponent in 0..2000 {
                let exact = f64::from(base).powi(exponent);
                if exact > 1e-37 {
                    let error = (f64::from(power(base, exponent as u32)) / exact - 1.0).abs();
                    assert!(error <= 6e-8 * f64::from(exponent), "{base}^{exponent}: {error:e}");
                }
            }
        }
        assert_eq!((power(0.5, u32::MAX), power(1.0, u32::MAX), power(0.0, 0)), (0.0, 1.0, 1.0));
    }

    #[test]
    fn half_a_cosine_is_within_the_stated_bound() {
        let mut worst = 0.0_f64;
        for total in [1_u32, 2, 3, 7, 60, 1000, 65_537, 1 << 24] {
            for elapsed in (0..=total).step_by(1 + total as usize / 5000) {
                let (fall, rest) =
                    (f64::from(elapsed) / f64::from(total), f64::from(total - elapsed) / f64::from(total));
                // Exact near the end too, where 1 + cos cancels.
                let exact = (std::f64::consts::FRAC_PI_2 * rest).sin().powi(2);
                let value = f64::from(half_cosine(elapsed as f32, total as f32));
                assert!((0.0..=1.0).contains(&value));
                let other = (1.0 + (std::f64::consts::PI * fall).cos()) / 2.0;
                assert!((exact - other).abs() < 1e-15);
                if elapsed < total {
                    worst = worst.max((value / exact - 1.0).abs());
                }
            }
        }
        assert!(worst < 5e-7, "{worst:e}");
        assert_eq!(
            [(0.0, 5.0), (5.0, 5.0), (6.0, 5.0), (2.0, 4.0)].map(|(t, n)| half_cosine(t, n)),
            [1.0, 0.0, 0.0, 0.5]
        );
        assert_eq!([0.0, 1.0].map(|elapsed| half_cosine(elapsed, 0.0)), [0.0; 2]);
        assert!(half_cosine(1.0, f32::NAN).is_nan());
    }

    #[test]
    fn extremes_stay_in_range() {
        for pass in [Pass::training(0), Pass::Predicting] {
            for x in [-f32::MAX, -1000.0, -88.0, 88.0, 1000.0, f32::MAX] {
                assert!((0.0..=1.0).contains(&sigmoid(x, pass)), "{x}");
                assert!((-1.0..=1.0).contains(&tanh(x, pass)), "{x}");
            }
        }
    }

    #[cfg(feature = "micromath")]
    #[test]
    fn micromath_is_within_its_stated_error_and_for_predictions_only() {
        for i in -800..800 {
            let x = i as f32 * 0.01;
            assert!((sigmoid(x, Pass::Predicting) / sigmoid(x, Pass::training(0)) - 1.0).abs() < 2.5e-3, "sigmoid {x}");
            assert!((tanh(x, Pass::Predicting) - libm::tanhf(x)).abs() < 2.5e-3, "tanh {x}");
        }
    }
}

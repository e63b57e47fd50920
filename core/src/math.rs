//! The one door to transcendental functions.
//!
//! Training takes them from [`libm`] on every platform, never from the host's own library, whose bits differ. Errors of
//! `libm` 0.2 against the exact value: `expf`, `expm1f` and `tanhf` below 1 unit in the last place, `logf` and `log1pf` below 1, `erfcf` below 1e-6 of its
//! value, `sqrtf` exactly rounded.
//!
//! With the feature `micromath`, *predictions* take `exp` from that crate (sigmoid and tanh are made of it). It is smaller
//! in flash, not faster: on an emulated Cortex-M4F it costs 83 instructions against `libm`'s 57, its relative error is
//! 2.4e-3 (`libm`: 7e-8), and a NaN comes out as a number. Training never uses it.

use crate::layer::Pass;

/// e^x.
pub(crate) fn exp(x: f32) -> f32 {
    libm::expf(x)
}

/// The natural logarithm.
pub(crate) fn ln(x: f32) -> f32 {
    libm::logf(x)
}

/// ln(1 + x), accurate near zero.
pub(crate) fn ln_1p(x: f32) -> f32 {
    libm::log1pf(x)
}

/// e^x - 1, accurate near zero.
pub(crate) fn exp_m1(x: f32) -> f32 {
    libm::expm1f(x)
}

/// ln(1 + e^x), without overflow.
pub(crate) fn softplus(x: f32) -> f32 {
    let linear = if x < 0.0 { 0.0 } else { x };
    linear + ln_1p(exp(-x.abs()))
}

/// The complementary error function, 1 - erf x, accurate where it is small.
pub(crate) fn erfc(x: f32) -> f32 {
    libm::erfcf(x)
}

/// The square root, exactly rounded.
pub(crate) fn sqrt(x: f32) -> f32 {
    libm::sqrtf(x)
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
        libm::tanhf(x)
    }
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

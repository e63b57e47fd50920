//! The loops of [`portable`], compiled once more for x86-64 processors with AVX: vectors of eight instead of four. Nothing is fused or
//! reordered, so the bits are the same. Which one runs is found out when it first does.
//!
//! A step of 64-32-10 is bound by its stores of gradients and weights, of which these need half as many.

use crate::{Descent, Start, portable};

cpufeatures::new!(avx, "avx");

/// For each function two: one compiled with AVX, and one that calls it where the processor has AVX.
macro_rules! with_avx {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $kind:ty),*) = $portable:path;)*) => {$(
        $(#[$doc])*
        pub fn $name($($argument: $kind),*) {
            #[target_feature(enable = "avx")]
            fn with_avx($($argument: $kind),*) {
                $portable($($argument),*);
            }

            if avx::get() {
                // SAFETY: the processor has AVX.
                unsafe { with_avx($($argument),*) }
            } else {
                $portable($($argument),*);
            }
        }
    )*};
}

with_avx! {
    /// [`portable::product`].
    fn product(x: &[f32], weight: &[f32], stride: usize, start: Start<'_>, y: &mut [f32]) = portable::product;
    /// [`portable::outer`].
    fn outer(x: &[f32], dy: &[f32], gradient: &mut [f32]) = portable::outer;
    /// [`portable::add_outer`].
    fn add_outer(x: &[f32], dy: &[f32], gradient: &mut [f32]) = portable::add_outer;
    /// [`portable::descend_outer`].
    fn descend_outer(x: &[f32], dy: &[f32], weight: &mut [f32], rate: f32) = portable::descend_outer;
    /// [`portable::outer_rows`].
    fn outer_rows(x: &mut [f32], weight: &[f32], dy: &[f32], gradient: &mut [f32]) = portable::outer_rows;
    /// [`portable::add_outer_rows`].
    fn add_outer_rows(x: &mut [f32], weight: &[f32], dy: &[f32], gradient: &mut [f32]) = portable::add_outer_rows;
    /// [`portable::descend_rows`].
    fn descend_rows(x: &mut [f32], weight: &mut [f32], dy: &[f32], rate: f32) = portable::descend_rows;
    /// [`portable::descend`].
    fn descend(weight: &mut [f32], gradient: &[f32], step: Descent) = portable::descend;
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// Numbers of many magnitudes, one in eight of them zero.
    fn numbers(state: &mut u32, count: usize) -> Vec<f32> {
        let next = || {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let exponent = (*state >> 20 & 15) as i32 - 8;
            if *state >> 29 == 0 { 0.0 } else { ((*state >> 8) as f32 / 8_388_608.0 - 1.0) * 2.0_f32.powi(exponent) }
        };
        core::iter::repeat_with(next).take(count).collect()
    }

    /// What may change two arrays.
    type Way<'a> = &'a dyn Fn(&mut [f32], &mut [f32]);

    /// Bits of what both ways leave in two arrays.
    fn same(arrays: [&[f32]; 2], ways: [Way<'_>; 2]) {
        let [with, without] = ways.map(|way| {
            let [mut first, mut second] = arrays.map(<[f32]>::to_vec);
            way(&mut first, &mut second);
            first.iter().chain(&second).map(|v| v.to_bits()).collect::<Vec<_>>()
        });
        assert_eq!(with, without);
    }

    #[test]
    fn vectors_of_eight_give_the_bits_of_four() {
        if !avx::get() {
            std::println!("this computer has no AVX: nothing to compare");
            return;
        }
        let mut state = 1;
        for (inputs, outputs) in (0..12).flat_map(|i| (0..80).map(move |o| (i, o))) {
            let state = &mut state;
            let (x, dy) = (numbers(state, inputs), numbers(state, outputs));
            let (weight, other) = (numbers(state, inputs * outputs), numbers(state, inputs * outputs));
            same(
                [&dy, &[]],
                [&|y, _| product(&x, &weight, outputs, Start::Kept, y), &|y, _| {
                    portable::product(&x, &weight, outputs, Start::Kept, y);
                }],
            );
            same([&weight, &[]], [&|g, _| outer(&x, &dy, g), &|g, _| portable::outer(&x, &dy, g)]);
            same([&weight, &[]], [&|g, _| add_outer(&x, &dy, g), &|g, _| portable::add_outer(&x, &dy, g)]);
            same(
                [&weight, &[]],
                [&|w, _| descend_outer(&x, &dy, w, 0.3), &|w, _| portable::descend_outer(&x, &dy, w, 0.3)],
            );
            same(
                [&x, &other],
                [&|x, g| outer_rows(x, &weight, &dy, g), &|x, g| portable::outer_rows(x, &weight, &dy, g)],
            );
            same(
                [&x, &other],
                [&|x, g| add_outer_rows(x, &weight, &dy, g), &|x, g| portable::add_outer_rows(x, &weight, &dy, g)],
            );
            same([&x, &other], [&|x, w| descend_rows(x, w, &dy, 0.3), &|x, w| portable::descend_rows(x, w, &dy, 0.3)]);
            for (keep, scale, l2) in [(1.0, 1.0, 0.0), (0.9, 0.5, 0.0), (0.9, 0.5, 0.01)] {
                let step = Descent { keep, rate: 0.3, scale, l2 };
                same([&weight, &[]], [&|w, _| descend(w, &other, step), &|w, _| portable::descend(w, &other, step)]);
            }
        }
    }
}

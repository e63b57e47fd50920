//! The windows of a depthwise convolution, eight channels at a time.

use core::arch::naked_asm;

use crate::{Walk, portable};

/// What the loops below are given. Steps are in bytes; those of a row are from its last column to the first of the next.
#[repr(C)]
struct Steps {
    columns: usize,
    rows: usize,
    column: usize,
    other_column: usize,
    row: usize,
    other_row: usize,
}

impl Steps {
    /// For a walk of at least one element.
    fn new(walk: &Walk) -> Self {
        let back = walk.columns.wrapping_sub(1);
        let bytes = |step: usize, back: usize| step.wrapping_sub(back).wrapping_mul(4);
        let (other_column, other_row) = (walk.other_column.cast_unsigned(), walk.other_row.cast_unsigned());
        Self {
            columns: walk.columns,
            rows: walk.rows,
            column: 4 * walk.column,
            other_column: other_column.wrapping_mul(4),
            row: bytes(walk.row, back.wrapping_mul(walk.column)),
            other_row: bytes(other_row, back.wrapping_mul(other_column)),
        }
    }
}

/// As [`portable::add_window`]: 6.7 cycles where there are eight channels, in a window of 3x3.
pub fn add_window<const N: usize>(sums: &mut [f32; N], a: &[f32], b: &[f32], walk: &Walk) {
    match sums.first_chunk_mut::<8>() {
        Some(sums) if N == 8 => {
            if walk.fits(8, a.len(), b.len()) {
                let (a, b) = (a.as_ptr().wrapping_add(walk.first), b.as_ptr().wrapping_add(walk.other_first));
                // SAFETY: `fits` has found at least one element in the walk, and eight channels of each to lie within `a` and `b`.
                unsafe { add_8(sums, a, b, &Steps::new(walk)) };
            }
        }
        _ => portable::add_window(sums, a, b, walk),
    }
}

/// As [`portable::meet_window`]: 11.3 cycles where there are eight channels, in a window of 3x3.
pub fn meet_window<const N: usize>(
    sums: &mut [f32; N],
    x: &[f32; N],
    weight: &[f32],
    dy: &[f32],
    gradient: &mut [f32],
    walk: &Walk,
) {
    match (sums.first_chunk_mut::<8>(), x.first_chunk::<8>()) {
        (Some(sums), Some(x)) if N == 8 => {
            if walk.fits(8, weight.len().min(gradient.len()), dy.len()) {
                let mut eight = Eight {
                    steps: Steps::new(walk),
                    weight: weight.as_ptr().wrapping_add(walk.first),
                    dy: dy.as_ptr().wrapping_add(walk.other_first),
                    gradient: gradient.as_mut_ptr().wrapping_add(walk.first),
                };
                // SAFETY: `fits` has found at least one element in the walk, and eight channels of each to lie within `weight`,
                // `gradient` and `dy`.
                unsafe { meet_8(sums, x, &mut eight) };
            }
        }
        _ => portable::meet_window(sums, x, weight, dy, gradient, walk),
    }
}

/// The sums are in s0 to s7.
#[unsafe(naked)]
unsafe extern "C" fn add_8(sums: &mut [f32; 8], a: *const f32, b: *const f32, steps: &Steps) {
    fpu_asm!(
        "push {{r4-r9, lr}}",
        "vpush {{s16-s23}}",
        "vldmia r0, {{s0-s7}}",
        "ldm r3, {{r4-r9}}",
        "2:",
        "mov r12, r4",
        "3:",
        "vldmia r1, {{s8-s15}}",
        "vldmia r2, {{s16-s23}}",
        each!("vmul.f32" ["s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"]
            ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"]),
        each!("vadd.f32" ["s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"] ["s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"]),
        "subs r12, #1",
        "ittt ne",
        "addne r1, r6",
        "addne r2, r7",
        "bne 3b",
        "add r1, r8",
        "add r2, r9",
        "subs r5, #1",
        "bne 2b",
        "vstmia r0, {{s0-s7}}",
        "vpop {{s16-s23}}",
        "pop {{r4-r9, pc}}",
    )
}

/// What [`meet_8`] is given.
#[repr(C)]
struct Eight {
    steps: Steps,
    /// At byte 24.
    weight: *const f32,
    dy: *const f32,
    /// At byte 32.
    gradient: *mut f32,
}

/// The sums are in s0 to s7, `x` in s8 to s15.
#[unsafe(naked)]
unsafe extern "C" fn meet_8(sums: &mut [f32; 8], x: &[f32; 8], eight: &mut Eight) {
    fpu_asm!(
        "push {{r4-r10, lr}}",
        "vpush {{s16-s31}}",
        "vldmia r0, {{s0-s7}}",
        "vldmia r1, {{s8-s15}}",
        "ldm r2, {{r4-r9}}",
        "ldrd r1, r3, [r2, #24]",
        "ldr r2, [r2, #32]",
        "2:",
        "mov r12, r4",
        "3:",
        "vldmia r3, {{s16-s23}}",
        "vldmia r1, {{s24-s31}}",
        each!("vmul.f32" ["s24" "s25" "s26" "s27" "s28" "s29" "s30" "s31"]
            ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"]),
        each!("vadd.f32" ["s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"]
            ["s24" "s25" "s26" "s27" "s28" "s29" "s30" "s31"]),
        "vldmia r2, {{s24-s31}}",
        each!("vmul.f32" ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"]
            ["s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"]),
        each!("vadd.f32" ["s24" "s25" "s26" "s27" "s28" "s29" "s30" "s31"]
            ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"]),
        "vstmia r2, {{s24-s31}}",
        "subs r12, #1",
        "itttt ne",
        "addne r1, r6",
        "addne r2, r6",
        "addne r3, r7",
        "bne 3b",
        "add r1, r8",
        "add r2, r8",
        "add r3, r9",
        "subs r5, #1",
        "bne 2b",
        "vstmia r0, {{s0-s7}}",
        "vpop {{s16-s31}}",
        "pop {{r4-r10, pc}}",
    )
}

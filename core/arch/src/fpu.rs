//! The loops in the instructions of a Cortex-M core with a single-precision FPU. Formulas and orders are those of
//! [`portable`]; the cycles of each are for one weight.
//!
//! Each loop is a function of assembly alone, called as C code would be (AAPCS, floats in registers): r0 to r3, r12 and s0 to
//! s15 are free to change, the others are saved. Products are taken several at a time, so that no instruction waits for
//! the one before it.

use core::arch::naked_asm;

use crate::Runs;
use crate::portable;
pub use crate::portable::{LANES, join};

/// An instruction `op a, a, b` for each `a` and its `b`.
macro_rules! each {
    ($op:literal [$($a:literal)+] [$($b:literal)+]) => {
        concat!($($op, " ", $a, ", ", $a, ", ", $b, "\n"),+)
    };
}

/// An instruction `vmul to, from, factor` for each `to` and its `from`.
macro_rules! scale {
    ([$($to:literal)+] [$($from:literal)+] $factor:literal) => {
        concat!($("vmul.f32 ", $to, ", ", $from, ", ", $factor, "\n"),+)
    };
}

/// Assembly that says which FPU it is for: what is not a Rust function's own code is assembled without the target's features.
macro_rules! fpu_asm {
    ($($code:expr),+ $(,)?) => {
        naked_asm!(".fpu fpv4-sp-d16", $($code),+)
    };
}

mod conv;
mod depthwise;
mod pass;
mod pool;

pub use conv::{descend_sums, meet, sums};
pub use depthwise::{add_window, meet_window};
pub use pass::{magnitudes, relu};
pub use pool::window_max;

/// What a loop over a tile of outputs is given. Steps are in bytes.
#[repr(C)]
struct Tile {
    x: *const f32,
    weight: *const f32,
    y: *mut f32,
    rows: usize,
    count: usize,
    stride: usize,
    x_rest: usize,
    weight_rest: usize,
}

/// As [`portable::add_product`]: 3.8 cycles where sixteen outputs are computed together.
pub fn add_product(x: &[f32], weight: &[f32], y: &mut [f32], runs: Runs) {
    let mut columns = weight;
    let (tiles, rest) = y.as_chunks_mut();
    for tile in tiles {
        columns = add_tile::<16>(x, columns, tile, runs, add_16);
    }
    let (tiles, rest) = rest.as_chunks_mut();
    for tile in tiles {
        columns = add_tile::<8>(x, columns, tile, runs, add_8);
    }
    portable::add_narrow(x, columns, rest, runs);
}

/// The `T` outputs whose first weights `columns` begins with; returns the weights from the next output on.
#[inline]
fn add_tile<'w, const T: usize>(
    x: &[f32],
    columns: &'w [f32],
    y: &mut [f32; T],
    runs: Runs,
    add: unsafe extern "C" fn(&Tile),
) -> &'w [f32] {
    let Runs { rows, count, x_step, weight_step, stride } = runs.inside(x.len(), columns.len(), T);
    if rows > 0 {
        let tile = Tile {
            x: x.as_ptr(),
            weight: columns.as_ptr(),
            y: y.as_mut_ptr(),
            rows,
            count,
            stride: 4 * stride,
            x_rest: x_step.wrapping_sub(count).wrapping_mul(4),
            weight_rest: weight_step.wrapping_sub(count.wrapping_mul(stride)).wrapping_mul(4),
        };
        // SAFETY: `add` is one of the two functions below, the one for `T` outputs. It reads `rows` runs of `x` and `columns`, which
        // `inside` has found to end within them (and to have at least one product each), and reads and writes all of `y`.
        unsafe { add(&tile) };
    }
    columns.get(T..).unwrap_or_default()
}

/// A loop over the products of a tile, with the sums in s0 and on: `$step` adds those of one input, which is in `$x`, and moves r2, the
/// weights, on to the next. A zero is skipped; its sign is shifted out.
macro_rules! tile_loop {
    ($name:ident $save:literal $restore:literal $sums:literal $x:literal $step:expr) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(tile: &Tile) {
            fpu_asm!(
                "push {{r4-r9, lr}}",
                $save,
                "ldm r0, {{r1-r8}}",
                concat!("vldmia r3, ", $sums),
                "2:",
                "mov r9, r5",
                "3:",
                "ldr r0, [r1], #4",
                "lsls r12, r0, #1",
                "beq 4f",
                concat!("vmov ", $x, ", r0"),
                $step,
                "subs r9, #1",
                "bne 3b",
                "b 5f",
                "4:",
                "add r2, r6",
                "subs r9, #1",
                "bne 3b",
                "5:",
                "add r1, r7",
                "add r2, r8",
                "subs r4, #1",
                "bne 2b",
                concat!("vstmia r3, ", $sums),
                $restore,
                "pop {{r4-r9, pc}}",
            )
        }
    };
}

tile_loop!(add_16 "vpush {{s16-s25}}" "vpop {{s16-s25}}" "{{s0-s15}}" "s24" concat!(
    "vldmia r2!, {{s16-s23}}\n",
    scale!(["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"] ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"] "s24"),
    each!("vadd.f32" ["s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"] ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"]),
    "vldmia r2, {{s16-s23}}\n",
    scale!(["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"] ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"] "s24"),
    each!("vadd.f32" ["s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"] ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"]),
    "sub r2, #32\n",
    "add r2, r6",
));

tile_loop!(add_8 "" "" "{{s0-s7}}" "s12" concat!(
    "vldmia r2!, {{s8-s11}}\n",
    scale!(["s8" "s9" "s10" "s11"] ["s8" "s9" "s10" "s11"] "s12"),
    each!("vadd.f32" ["s0" "s1" "s2" "s3"] ["s8" "s9" "s10" "s11"]),
    "vldmia r2, {{s8-s11}}\n",
    scale!(["s8" "s9" "s10" "s11"] ["s8" "s9" "s10" "s11"] "s12"),
    each!("vadd.f32" ["s4" "s5" "s6" "s7"] ["s8" "s9" "s10" "s11"]),
    "sub r2, #16\n",
    "add r2, r6",
));

/// What a loop over sixteen columns of a matrix is given. `rest` is from the end of one row's sixteen to the next, in bytes.
#[repr(C)]
struct Columns {
    x: *const f32,
    matrix: *mut f32,
    rows: usize,
    rest: usize,
    dy: *const f32,
}

/// Calls `step` for every sixteen columns of a matrix `[x.len()][dy.len()]`, and the plain functions for those behind, row by row.
#[inline]
fn by_columns(
    x: &[f32],
    dy: &[f32],
    matrix: &mut [f32],
    rate: f32,
    step: unsafe extern "C" fn(&Columns, f32),
    rest: impl Fn(&mut [f32], f32, &[f32]),
) {
    let outputs = dy.len();
    if x.is_empty() || x.len().saturating_mul(outputs) > matrix.len() {
        return;
    }
    let (tiles, behind) = dy.as_chunks::<16>();
    let mut first = matrix.as_mut_ptr();
    for tile in tiles {
        let columns =
            Columns { x: x.as_ptr(), matrix: first, rows: x.len(), rest: 4 * (outputs - 16), dy: tile.as_ptr() };
        // SAFETY: `step` reads all of `x` and of `tile`. `matrix` has `x.len()` rows of `outputs` elements; `step` touches sixteen
        // columns of them, beginning in the first row at `first`, within those rows.
        unsafe { step(&columns, rate) };
        first = first.wrapping_add(16);
    }
    if !behind.is_empty() {
        for (&x, row) in x.iter().zip(matrix.chunks_exact_mut(outputs.max(1))) {
            rest(row.get_mut(16 * tiles.len()..).unwrap_or_default(), x, behind);
        }
    }
}

/// A loop over the rows of sixteen columns: `$step` treats the elements at r2 and moves it on by 16, from `dy` in s0 to s15 and the
/// row's `x` in s24; `$skip` does the same where `x` is zero. The rate is in s25.
macro_rules! column_loop {
    ($name:ident $step:expr, $skip:expr) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(columns: &Columns, rate: f32) {
            fpu_asm!(
                "push {{r4-r6, lr}}",
                "vpush {{s16-s31}}",
                "vmov.f32 s25, s0",
                "ldm r0, {{r1-r5}}",
                "vldmia r5, {{s0-s15}}",
                "2:",
                "ldr r0, [r1], #4",
                "lsls r12, r0, #1",
                "beq 3f",
                "vmov s24, r0",
                $step,
                "add r2, r4",
                "subs r3, #1",
                "bne 2b",
                "b 4f",
                "3:",
                $skip,
                "add r2, r4",
                "subs r3, #1",
                "bne 2b",
                "4:",
                "vpop {{s16-s31}}",
                "pop {{r4-r6, pc}}",
            )
        }
    };
}

column_loop!(outer_16 concat!(
    scale!(["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"] ["s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"] "s24"),
    "vstmia r2!, {{s16-s23}}\n",
    scale!(["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"] ["s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"] "s24"),
    "vstmia r2!, {{s16-s23}}",
), concat!(
    "vmov s16, r12\nvmov s17, r12\nvmov s18, r12\nvmov s19, r12\n",
    "vmov s20, r12\nvmov s21, r12\nvmov s22, r12\nvmov s23, r12\n",
    "vstmia r2!, {{s16-s23}}\n",
    "vstmia r2!, {{s16-s23}}",
));

column_loop!(add_outer_16 concat!(
    scale!(["s16" "s17" "s18" "s19"] ["s0" "s1" "s2" "s3"] "s24"),
    "vldmia r2, {{s26-s29}}\n",
    each!("vadd.f32" ["s26" "s27" "s28" "s29"] ["s16" "s17" "s18" "s19"]),
    "vstmia r2!, {{s26-s29}}\n",
    scale!(["s20" "s21" "s22" "s23"] ["s4" "s5" "s6" "s7"] "s24"),
    "vldmia r2, {{s26-s29}}\n",
    each!("vadd.f32" ["s26" "s27" "s28" "s29"] ["s20" "s21" "s22" "s23"]),
    "vstmia r2!, {{s26-s29}}\n",
    scale!(["s16" "s17" "s18" "s19"] ["s8" "s9" "s10" "s11"] "s24"),
    "vldmia r2, {{s26-s29}}\n",
    each!("vadd.f32" ["s26" "s27" "s28" "s29"] ["s16" "s17" "s18" "s19"]),
    "vstmia r2!, {{s26-s29}}\n",
    scale!(["s20" "s21" "s22" "s23"] ["s12" "s13" "s14" "s15"] "s24"),
    "vldmia r2, {{s26-s29}}\n",
    each!("vadd.f32" ["s26" "s27" "s28" "s29"] ["s20" "s21" "s22" "s23"]),
    "vstmia r2!, {{s26-s29}}",
), "add r2, #64");

column_loop!(descend_outer_16 concat!(
    scale!(["s16" "s17" "s18" "s19"] ["s0" "s1" "s2" "s3"] "s24"),
    "vldmia r2, {{s26-s29}}\n",
    scale!(["s16" "s17" "s18" "s19"] ["s16" "s17" "s18" "s19"] "s25"),
    each!("vsub.f32" ["s26" "s27" "s28" "s29"] ["s16" "s17" "s18" "s19"]),
    "vstmia r2!, {{s26-s29}}\n",
    scale!(["s20" "s21" "s22" "s23"] ["s4" "s5" "s6" "s7"] "s24"),
    "vldmia r2, {{s26-s29}}\n",
    scale!(["s20" "s21" "s22" "s23"] ["s20" "s21" "s22" "s23"] "s25"),
    each!("vsub.f32" ["s26" "s27" "s28" "s29"] ["s20" "s21" "s22" "s23"]),
    "vstmia r2!, {{s26-s29}}\n",
    scale!(["s16" "s17" "s18" "s19"] ["s8" "s9" "s10" "s11"] "s24"),
    "vldmia r2, {{s26-s29}}\n",
    scale!(["s16" "s17" "s18" "s19"] ["s16" "s17" "s18" "s19"] "s25"),
    each!("vsub.f32" ["s26" "s27" "s28" "s29"] ["s16" "s17" "s18" "s19"]),
    "vstmia r2!, {{s26-s29}}\n",
    scale!(["s20" "s21" "s22" "s23"] ["s12" "s13" "s14" "s15"] "s24"),
    "vldmia r2, {{s26-s29}}\n",
    scale!(["s20" "s21" "s22" "s23"] ["s20" "s21" "s22" "s23"] "s25"),
    each!("vsub.f32" ["s26" "s27" "s28" "s29"] ["s20" "s21" "s22" "s23"]),
    "vstmia r2!, {{s26-s29}}",
), "add r2, #64");

/// As [`portable::outer`]: 2.7 cycles.
pub fn outer(x: &[f32], dy: &[f32], gradient: &mut [f32]) {
    by_columns(x, dy, gradient, 0.0, outer_16, portable::outer_row);
}

/// As [`portable::add_outer`]: 5.1 cycles.
pub fn add_outer(x: &[f32], dy: &[f32], gradient: &mut [f32]) {
    by_columns(x, dy, gradient, 0.0, add_outer_16, portable::add_outer_row);
}

/// As [`portable::descend_outer`]: 6.1 cycles.
pub fn descend_outer(x: &[f32], dy: &[f32], weight: &mut [f32], rate: f32) {
    by_columns(x, dy, weight, rate, descend_outer_16, |row, x, dy| portable::descend_outer_row(row, x, dy, rate));
}

/// As [`portable::descend`]: 5.6 cycles.
pub fn descend(weight: &mut [f32], gradient: &[f32], rate: f32) {
    let (weights, weight_rest) = weight.as_chunks_mut::<12>();
    let (gradients, gradient_rest) = gradient.as_chunks::<12>();
    let chunks = weights.len().min(gradients.len());
    if chunks > 0 {
        // SAFETY: reads `chunks` times twelve elements of both, and writes those of `weights`.
        unsafe { descend_12(weights.as_mut_ptr(), gradients.as_ptr(), chunks, rate) };
    }
    portable::descend(weight_rest, gradient_rest, rate);
}

#[unsafe(naked)]
unsafe extern "C" fn descend_12(weight: *mut [f32; 12], gradient: *const [f32; 12], chunks: usize, rate: f32) {
    fpu_asm!(
        "vpush {{s16-s27}}",
        "2:",
        "vldmia r1!, {{s4-s15}}",
        "vldmia r0, {{s16-s27}}",
        scale!(["s4" "s5" "s6" "s7" "s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"]
            ["s4" "s5" "s6" "s7" "s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"] "s0"),
        each!("vsub.f32" ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23" "s24" "s25" "s26" "s27"]
            ["s4" "s5" "s6" "s7" "s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"]),
        "vstmia r0!, {{s16-s27}}",
        "subs r2, #1",
        "bne 2b",
        "vpop {{s16-s27}}",
        "bx lr",
    )
}

/// A loop over groups of four of a row of weights (r0) and of `dy` (r1), with a second row at r2, their number, not zero, in r3, and
/// the lanes in s4 to s7; `x` is in s0 and the rate in s1. `$step` has `dy` in s8 to s11 and the weights in s12 to s15. Returns the
/// lanes, joined.
macro_rules! row_loop {
    ($name:ident $step:expr) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(
            weight: *const [f32; 4],
            dy: *const [f32; 4],
            matrix: *mut [f32; 4],
            groups: usize,
            x: f32,
            rate: f32,
        ) -> f32 {
            fpu_asm!(
                "movs r12, #0",
                "vmov s4, r12",
                "vmov s5, r12",
                "vmov s6, r12",
                "vmov s7, r12",
                // An odd group goes in at the middle.
                "lsrs r3, r3, #1",
                "it cs",
                "addcs r3, #1",
                "bcs 3f",
                "2:",
                "vldmia r1!, {{s8-s11}}",
                "vldmia r0!, {{s12-s15}}",
                $step,
                "3:",
                "vldmia r1!, {{s8-s11}}",
                "vldmia r0!, {{s12-s15}}",
                $step,
                "subs r3, #1",
                "bne 2b",
                "vadd.f32 s4, s4, s6",
                "vadd.f32 s5, s5, s7",
                "vadd.f32 s0, s4, s5",
                "bx lr",
            )
        }
    };
}

row_loop!(dot_4 concat!(
    each!("vmul.f32" ["s12" "s13" "s14" "s15"] ["s8" "s9" "s10" "s11"]),
    each!("vadd.f32" ["s4" "s5" "s6" "s7"] ["s12" "s13" "s14" "s15"]),
));

row_loop!(dot_and_outer_4 concat!(
    each!("vmul.f32" ["s12" "s13" "s14" "s15"] ["s8" "s9" "s10" "s11"]),
    scale!(["s8" "s9" "s10" "s11"] ["s8" "s9" "s10" "s11"] "s0"),
    each!("vadd.f32" ["s4" "s5" "s6" "s7"] ["s12" "s13" "s14" "s15"]),
    "vstmia r2!, {{s8-s11}}",
));

row_loop!(dot_and_add_outer_4 concat!(
    each!("vmul.f32" ["s12" "s13" "s14" "s15"] ["s8" "s9" "s10" "s11"]),
    scale!(["s8" "s9" "s10" "s11"] ["s8" "s9" "s10" "s11"] "s0"),
    each!("vadd.f32" ["s4" "s5" "s6" "s7"] ["s12" "s13" "s14" "s15"]),
    "vldmia r2, {{s12-s15}}\n",
    each!("vadd.f32" ["s12" "s13" "s14" "s15"] ["s8" "s9" "s10" "s11"]),
    "vstmia r2!, {{s12-s15}}",
));

// The second row is the first one: what is written are the weights.
row_loop!(dot_and_descend_4 concat!(
    "vmul.f32 s2, s12, s8\n",
    "vmul.f32 s3, s13, s9\n",
    "vadd.f32 s4, s4, s2\n",
    "vadd.f32 s5, s5, s3\n",
    "vmul.f32 s2, s14, s10\n",
    "vmul.f32 s3, s15, s11\n",
    scale!(["s8" "s9" "s10" "s11"] ["s8" "s9" "s10" "s11"] "s0"),
    "vadd.f32 s6, s6, s2\n",
    "vadd.f32 s7, s7, s3\n",
    scale!(["s8" "s9" "s10" "s11"] ["s8" "s9" "s10" "s11"] "s1"),
    each!("vsub.f32" ["s12" "s13" "s14" "s15"] ["s8" "s9" "s10" "s11"]),
    "vstmia r2!, {{s12-s15}}",
));

/// Adds the last products to the joined lanes.
fn finish(mut sum: f32, weight: &[f32], dy: &[f32]) -> f32 {
    for (w, d) in weight.iter().zip(dy) {
        sum += w * d;
    }
    sum
}

/// As [`portable::dot`]: 5.0 cycles.
pub fn dot(weight: &[f32], dy: &[f32]) -> f32 {
    let ((rows, weight_rest), (dys, dy_rest)) = (weight.as_chunks::<LANES>(), dy.as_chunks::<LANES>());
    let groups = rows.len().min(dys.len());
    let mut sum = 0.0;
    if groups > 0 {
        // SAFETY: reads so many groups of both; the second row is not touched.
        sum = unsafe { dot_4(rows.as_ptr(), dys.as_ptr(), core::ptr::null_mut(), groups, 0.0, 0.0) };
    }
    finish(sum, weight_rest, dy_rest)
}

/// As [`portable::dot_and_outer`]: 7.3 cycles.
pub fn dot_and_outer(weight: &[f32], dy: &[f32], x: f32, gradient: &mut [f32]) -> f32 {
    let ((rows, weight_rest), (dys, dy_rest)) = (weight.as_chunks::<LANES>(), dy.as_chunks::<LANES>());
    let (gradients, gradient_rest) = gradient.as_chunks_mut::<LANES>();
    let groups = rows.len().min(dys.len()).min(gradients.len());
    let mut sum = 0.0;
    if groups > 0 {
        // SAFETY: reads so many groups of `rows` and `dys`, and writes as many of `gradients`.
        sum = unsafe { dot_and_outer_4(rows.as_ptr(), dys.as_ptr(), gradients.as_mut_ptr(), groups, x, 0.0) };
    }
    gradient_rest.iter_mut().zip(dy_rest).for_each(|(g, d)| *g = x * d);
    finish(sum, weight_rest, dy_rest)
}

/// As [`portable::dot_and_add_outer`]: 9.5 cycles.
pub fn dot_and_add_outer(weight: &[f32], dy: &[f32], x: f32, gradient: &mut [f32]) -> f32 {
    let ((rows, weight_rest), (dys, dy_rest)) = (weight.as_chunks::<LANES>(), dy.as_chunks::<LANES>());
    let (gradients, gradient_rest) = gradient.as_chunks_mut::<LANES>();
    let groups = rows.len().min(dys.len()).min(gradients.len());
    let mut sum = 0.0;
    if groups > 0 {
        // SAFETY: reads so many groups of `rows` and `dys`, and reads and writes as many of `gradients`.
        sum = unsafe { dot_and_add_outer_4(rows.as_ptr(), dys.as_ptr(), gradients.as_mut_ptr(), groups, x, 0.0) };
    }
    gradient_rest.iter_mut().zip(dy_rest).for_each(|(g, d)| *g += x * d);
    finish(sum, weight_rest, dy_rest)
}

/// As [`portable::dot_and_descend`]: 9.3 cycles.
pub fn dot_and_descend(weight: &mut [f32], dy: &[f32], x: f32, rate: f32) -> f32 {
    let ((rows, weight_rest), (dys, dy_rest)) = (weight.as_chunks_mut::<LANES>(), dy.as_chunks::<LANES>());
    let groups = rows.len().min(dys.len());
    let mut sum = 0.0;
    if groups > 0 {
        let row = rows.as_mut_ptr();
        // SAFETY: reads so many groups of `dys`, and reads and writes as many of `rows`; each group of weights is read before it
        // is written.
        sum = unsafe { dot_and_descend_4(row, dys.as_ptr(), row, groups, x, rate) };
    }
    let sum = finish(sum, weight_rest, dy_rest);
    weight_rest.iter_mut().zip(dy_rest).for_each(|(w, d)| *w -= rate * (x * d));
    sum
}

/// The square root, exactly rounded: 14 cycles.
pub fn sqrt(x: f32) -> f32 {
    // SAFETY: changes s0 alone.
    unsafe { root(x) }
}

#[unsafe(naked)]
unsafe extern "C" fn root(x: f32) -> f32 {
    fpu_asm!("vsqrt.f32 s0, s0", "bx lr")
}

//! The loops in the instructions of a Cortex-M core with a single-precision FPU. Formulas and orders are those of
//! [`portable`]; the cycles of each are for one weight.
//!
//! Each loop is a function of assembly alone, called as C code would be (AAPCS, floats in registers): r0 to r3, r12 and s0 to
//! s15 are free to change, the others are saved. Products are taken several at a time, so that no instruction waits for
//! the one before it.

use core::arch::naked_asm;

use crate::portable;
pub use crate::portable::{LANES, join};
use crate::{Descent, Runs};

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

pub use conv::{descend_sums, meet, meet_input, sums};
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

/// What a loop over some columns of a matrix is given. `rest` is from the end of one row's columns to their beginning in the next, in
/// bytes.
#[repr(C)]
struct Columns {
    x: *const f32,
    matrix: *mut f32,
    rows: usize,
    rest: usize,
    dy: *const f32,
}

/// A loop over some columns, as many as its place in [`Loops`] says.
type Loop = unsafe extern "C" fn(&Columns, f32);

/// What is done to sixteen, four and single columns.
struct Loops {
    sixteen: Loop,
    four: Loop,
    one: Loop,
}

/// Does it to all columns of a matrix `[x.len()][dy.len()]`; to none, if it has not so many elements.
fn by_columns(x: &[f32], dy: &[f32], matrix: &mut [f32], rate: f32, loops: &Loops) {
    let outputs = dy.len();
    if x.is_empty() || x.len().saturating_mul(outputs) > matrix.len() {
        return;
    }
    let mut at = 0;
    while at < outputs {
        let left = outputs - at;
        let (width, step) = match left {
            16.. => (16, loops.sixteen),
            4.. => (4, loops.four),
            _ => (1, loops.one),
        };
        let columns = Columns {
            x: x.as_ptr(),
            matrix: matrix.as_mut_ptr().wrapping_add(at),
            rows: x.len(),
            rest: 4 * (outputs - width),
            dy: dy.as_ptr().wrapping_add(at),
        };
        // SAFETY: `step` reads all of `x` and `width` elements of `dy` from `at` on. `matrix` has `x.len()` rows of `outputs` elements;
        // `step` touches `width` columns of them, from `at` on.
        unsafe { step(&columns, rate) };
        at += width;
    }
}

/// A loop over the rows of some columns: `$step` treats the elements at r2 and moves it on, from `dy` in `$dy`, s0 and on, and the row's
/// `x` in s24; `$skip` does the same where `x` is zero. The rate is in s25.
macro_rules! column_loop {
    ($name:ident $dy:literal $step:expr, $skip:expr) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(columns: &Columns, rate: f32) {
            fpu_asm!(
                "push {{r4-r6, lr}}",
                "vpush {{s16-s31}}",
                "vmov.f32 s25, s0",
                "ldm r0, {{r1-r5}}",
                concat!("vldmia r5, ", $dy),
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

/// `g = x d`.
static OUTER: Loops = Loops { sixteen: outer_16, four: outer_4, one: outer_1 };

column_loop!(outer_16 "{{s0-s15}}" concat!(
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

column_loop!(outer_4 "{{s0-s3}}" concat!(
    scale!(["s16" "s17" "s18" "s19"] ["s0" "s1" "s2" "s3"] "s24"),
    "vstmia r2!, {{s16-s19}}",
), "vmov s16, r12\nvmov s17, r12\nvmov s18, r12\nvmov s19, r12\nvstmia r2!, {{s16-s19}}");

column_loop!(outer_1 "{{s0}}" "vmul.f32 s16, s0, s24\nvstmia r2!, {{s16}}", "str r12, [r2], #4");

/// Adds the products of four `dy` and `x` to the elements at r2.
macro_rules! add_four {
    ($($dy:literal)+) => {
        concat!(
            scale!(["s16" "s17" "s18" "s19"] [$($dy)+] "s24"),
            "vldmia r2, {{s26-s29}}\n",
            each!("vadd.f32" ["s26" "s27" "s28" "s29"] ["s16" "s17" "s18" "s19"]),
            "vstmia r2!, {{s26-s29}}\n",
        )
    };
}

/// `g += x d`.
static ADD_OUTER: Loops = Loops { sixteen: add_outer_16, four: add_outer_4, one: add_outer_1 };

column_loop!(add_outer_16 "{{s0-s15}}" concat!(
    add_four!("s0" "s1" "s2" "s3"),
    add_four!("s4" "s5" "s6" "s7"),
    add_four!("s8" "s9" "s10" "s11"),
    add_four!("s12" "s13" "s14" "s15"),
), "add r2, #64");

column_loop!(add_outer_4 "{{s0-s3}}" add_four!("s0" "s1" "s2" "s3"), "add r2, #16");

column_loop!(add_outer_1 "{{s0}}" concat!(
    "vmul.f32 s16, s0, s24\n",
    "vldr s26, [r2]\n",
    "vadd.f32 s26, s26, s16\n",
    "vstmia r2!, {{s26}}",
), "add r2, #4");

/// Takes the products of four `dy`, `x` and the rate from the elements at r2.
macro_rules! descend_four {
    ($($dy:literal)+) => {
        concat!(
            scale!(["s16" "s17" "s18" "s19"] [$($dy)+] "s24"),
            "vldmia r2, {{s26-s29}}\n",
            scale!(["s16" "s17" "s18" "s19"] ["s16" "s17" "s18" "s19"] "s25"),
            each!("vsub.f32" ["s26" "s27" "s28" "s29"] ["s16" "s17" "s18" "s19"]),
            "vstmia r2!, {{s26-s29}}\n",
        )
    };
}

/// `w -= rate (x d)`.
static DESCEND_OUTER: Loops = Loops { sixteen: descend_outer_16, four: descend_outer_4, one: descend_outer_1 };

column_loop!(descend_outer_16 "{{s0-s15}}" concat!(
    descend_four!("s0" "s1" "s2" "s3"),
    descend_four!("s4" "s5" "s6" "s7"),
    descend_four!("s8" "s9" "s10" "s11"),
    descend_four!("s12" "s13" "s14" "s15"),
), "add r2, #64");

column_loop!(descend_outer_4 "{{s0-s3}}" descend_four!("s0" "s1" "s2" "s3"), "add r2, #16");

column_loop!(descend_outer_1 "{{s0}}" concat!(
    "vmul.f32 s16, s0, s24\n",
    "vldr s26, [r2]\n",
    "vmul.f32 s16, s16, s25\n",
    "vsub.f32 s26, s26, s16\n",
    "vstmia r2!, {{s26}}",
), "add r2, #4");

/// As [`portable::outer`]: 2.7 cycles.
pub fn outer(x: &[f32], dy: &[f32], gradient: &mut [f32]) {
    by_columns(x, dy, gradient, 0.0, &OUTER);
}

/// As [`portable::add_outer`]: 5.1 cycles.
pub fn add_outer(x: &[f32], dy: &[f32], gradient: &mut [f32]) {
    by_columns(x, dy, gradient, 0.0, &ADD_OUTER);
}

/// As [`portable::descend_outer`]: 6.1 cycles.
pub fn descend_outer(x: &[f32], dy: &[f32], weight: &mut [f32], rate: f32) {
    by_columns(x, dy, weight, rate, &DESCEND_OUTER);
}

/// As [`portable::descend`]: 5.6 cycles; 7.6 with a scale or weight decay, 9.6 with an L2 penalty.
pub fn descend(weight: &mut [f32], gradient: &[f32], step: Descent) {
    let len = weight.len().min(gradient.len());
    let all = match step {
        _ if step.is_plain() => descend_plain,
        Descent { l2: 0.0, .. } => descend_decaying,
        _ => descend_penalized,
    };
    let Descent { keep, rate, scale, l2 } = step;
    // SAFETY: reads `len` elements of both, and writes those of `weight`.
    unsafe { all(weight.as_mut_ptr(), gradient.as_ptr(), len, rate, scale, keep, l2) };
}

/// A loop over weights (r0) and gradients (r1), with the rate in s0, the scale in s1, what is kept in s2 and the penalty in s3: `$twelve`
/// prepares the gradients in s4 to s15 and the weights in s16 to s27, `$one` those in s4 and s16. s28 to s31 are free.
macro_rules! descend_loop {
    ($name:ident $twelve:expr, $one:expr) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(
            weight: *mut f32,
            gradient: *const f32,
            len: usize,
            rate: f32,
            scale: f32,
            keep: f32,
            l2: f32,
        ) {
            fpu_asm!(
                "vpush {{s16-s31}}",
                "subs r2, #12",
                "bcc 3f",
                "2:",
                "vldmia r1!, {{s4-s15}}",
                "vldmia r0, {{s16-s27}}",
                $twelve,
                scale!(["s4" "s5" "s6" "s7" "s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"]
                    ["s4" "s5" "s6" "s7" "s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"] "s0"),
                each!("vsub.f32" ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23" "s24" "s25" "s26" "s27"]
                    ["s4" "s5" "s6" "s7" "s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"]),
                "vstmia r0!, {{s16-s27}}",
                "subs r2, #12",
                "bcs 2b",
                "3:",
                "adds r2, #12",
                "beq 5f",
                "4:",
                "vldmia r1!, {{s4}}",
                "vldr s16, [r0]",
                $one,
                "vmul.f32 s4, s4, s0",
                "vsub.f32 s16, s16, s4",
                "vstmia r0!, {{s16}}",
                "subs r2, #1",
                "bne 4b",
                "5:",
                "vpop {{s16-s31}}",
                "bx lr",
            )
        }
    };
}

descend_loop!(descend_plain "", "");

descend_loop!(descend_decaying concat!(
    scale!(["s4" "s5" "s6" "s7" "s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"]
        ["s4" "s5" "s6" "s7" "s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"] "s1"),
    scale!(["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23" "s24" "s25" "s26" "s27"]
        ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23" "s24" "s25" "s26" "s27"] "s2"),
), "vmul.f32 s4, s4, s1\nvmul.f32 s16, s16, s2");

descend_loop!(descend_penalized concat!(
    scale!(["s4" "s5" "s6" "s7" "s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"]
        ["s4" "s5" "s6" "s7" "s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"] "s1"),
    scale!(["s28" "s29" "s30" "s31"] ["s16" "s17" "s18" "s19"] "s3"),
    each!("vadd.f32" ["s4" "s5" "s6" "s7"] ["s28" "s29" "s30" "s31"]),
    scale!(["s28" "s29" "s30" "s31"] ["s20" "s21" "s22" "s23"] "s3"),
    each!("vadd.f32" ["s8" "s9" "s10" "s11"] ["s28" "s29" "s30" "s31"]),
    scale!(["s28" "s29" "s30" "s31"] ["s24" "s25" "s26" "s27"] "s3"),
    each!("vadd.f32" ["s12" "s13" "s14" "s15"] ["s28" "s29" "s30" "s31"]),
    scale!(["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23" "s24" "s25" "s26" "s27"]
        ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23" "s24" "s25" "s26" "s27"] "s2"),
), "vmul.f32 s4, s4, s1\nvmul.f32 s28, s16, s3\nvadd.f32 s4, s4, s28\nvmul.f32 s16, s16, s2");

/// As [`portable::magnitude`]: 3.8 cycles.
pub fn magnitude(values: &[f32]) -> f32 {
    // SAFETY: reads all of `values`.
    unsafe { magnitude_of(values.as_ptr(), values.len()) }
}

#[unsafe(naked)]
unsafe extern "C" fn magnitude_of(values: *const f32, len: usize) -> f32 {
    fpu_asm!(
        "movs r2, #0",
        "vmov s0, r2",
        "vmov s1, r2",
        "vmov s2, r2",
        "vmov s3, r2",
        "subs r1, #4",
        "bcc 3f",
        "2:",
        "vldmia r0!, {{s4-s7}}",
        "vabs.f32 s4, s4",
        "vabs.f32 s5, s5",
        "vabs.f32 s6, s6",
        "vabs.f32 s7, s7",
        each!("vadd.f32" ["s0" "s1" "s2" "s3"] ["s4" "s5" "s6" "s7"]),
        "subs r1, #4",
        "bcs 2b",
        "3:",
        "vadd.f32 s0, s0, s1",
        "vadd.f32 s0, s0, s2",
        "vadd.f32 s0, s0, s3",
        "adds r1, #4",
        "beq 5f",
        "4:",
        "vldmia r0!, {{s4}}",
        "vabs.f32 s4, s4",
        "vadd.f32 s0, s0, s4",
        "subs r1, #1",
        "bne 4b",
        "5:",
        "bx lr",
    )
}

/// As [`portable::copy`]: 2.4 cycles.
pub fn copy(from: &[f32], to: &mut [f32]) {
    let len = from.len().min(to.len());
    // SAFETY: reads `len` elements of `from` and writes as many of `to`.
    unsafe { copy_all(from.as_ptr(), to.as_mut_ptr(), len) };
}

#[unsafe(naked)]
unsafe extern "C" fn copy_all(from: *const f32, to: *mut f32, len: usize) {
    fpu_asm!(
        "subs r2, #16",
        "bcc 3f",
        "2:",
        "vldmia r0!, {{s0-s15}}",
        "vstmia r1!, {{s0-s15}}",
        "subs r2, #16",
        "bcs 2b",
        "3:",
        "adds r2, #16",
        "beq 5f",
        "4:",
        "ldr r3, [r0], #4",
        "str r3, [r1], #4",
        "subs r2, #1",
        "bne 4b",
        "5:",
        "bx lr",
    )
}

/// What a loop over rows is given.
#[repr(C)]
struct Rows {
    x: *mut f32,
    rows: usize,
    len: usize,
    dy: *const f32,
    weight: *const f32,
    matrix: *mut f32,
}

/// A loop over the rows of a weight (r8) and of a matrix (r9) of r6 elements each, with `dy` at r7 and `x` at r4, which the dot product
/// replaces: +0.0 by -0.0. `$four` treats four elements, with `x` in s0, the rate in s1, the lanes in s4 to s7, `dy` in s8 to s11 and
/// the weights in s12 to s15; `$one` one of the last, with the sum in s4. Where `x` is zero it stays, and `$skip` moves r8 and r9 on to
/// the next row; r12 is zero there.
macro_rules! row_loop {
    ($name:ident $four:expr, $one:expr, $skip:expr) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(rows: &Rows, rate: f32) {
            fpu_asm!(
                "push {{r4-r9, lr}}",
                "ldm r0, {{r4-r9}}",
                "vmov.f32 s1, s0",
                "2:",
                "ldr r0, [r4], #4",
                "lsls r12, r0, #1",
                "beq 7f",
                "vmov s0, r0",
                "movs r0, #0",
                "mov r1, r7",
                "vmov s4, r0",
                "vmov s5, r0",
                "vmov s6, r0",
                "vmov s7, r0",
                "lsrs r3, r6, #2",
                "beq 5f",
                // An odd number of fours goes in at the middle.
                "lsrs r3, r3, #1",
                "it cs",
                "addcs r3, #1",
                "bcs 4f",
                "3:",
                "vldmia r1!, {{s8-s11}}",
                $four,
                "4:",
                "vldmia r1!, {{s8-s11}}",
                $four,
                "subs r3, #1",
                "bne 3b",
                "vadd.f32 s4, s4, s6",
                "vadd.f32 s5, s5, s7",
                "vadd.f32 s4, s4, s5",
                "5:",
                "ands r3, r6, #3",
                "beq 6f",
                "55:",
                "vldmia r1!, {{s8}}",
                $one,
                "subs r3, #1",
                "bne 55b",
                "6:",
                "vmov r0, s4",
                "cmp r0, #0",
                "it eq",
                "moveq r0, #0x80000000",
                "str r0, [r4, #-4]",
                "subs r5, #1",
                "bne 2b",
                "pop {{r4-r9, pc}}",
                "7:",
                $skip,
                "subs r5, #1",
                "bne 2b",
                "pop {{r4-r9, pc}}",
            )
        }
    };
}

row_loop!(outer_rows_of concat!(
    "vldmia r8!, {{s12-s15}}\n",
    each!("vmul.f32" ["s12" "s13" "s14" "s15"] ["s8" "s9" "s10" "s11"]),
    scale!(["s8" "s9" "s10" "s11"] ["s8" "s9" "s10" "s11"] "s0"),
    each!("vadd.f32" ["s4" "s5" "s6" "s7"] ["s12" "s13" "s14" "s15"]),
    "vstmia r9!, {{s8-s11}}",
), concat!(
    "vldmia r8!, {{s12}}\n",
    "vmul.f32 s12, s12, s8\n",
    "vmul.f32 s8, s8, s0\n",
    "vadd.f32 s4, s4, s12\n",
    "vstmia r9!, {{s8}}",
), concat!(
    "add r8, r8, r6, lsl #2\n",
    "vmov s8, r12\nvmov s9, r12\nvmov s10, r12\nvmov s11, r12\n",
    "lsrs r3, r6, #2\n",
    "beq 72f\n",
    "71:\n",
    "vstmia r9!, {{s8-s11}}\n",
    "subs r3, #1\n",
    "bne 71b\n",
    "72:\n",
    "ands r3, r6, #3\n",
    "beq 74f\n",
    "73:\n",
    "str r12, [r9], #4\n",
    "subs r3, #1\n",
    "bne 73b\n",
    "74:",
));

row_loop!(add_outer_rows_of concat!(
    "vldmia r8!, {{s12-s15}}\n",
    each!("vmul.f32" ["s12" "s13" "s14" "s15"] ["s8" "s9" "s10" "s11"]),
    scale!(["s8" "s9" "s10" "s11"] ["s8" "s9" "s10" "s11"] "s0"),
    each!("vadd.f32" ["s4" "s5" "s6" "s7"] ["s12" "s13" "s14" "s15"]),
    "vldmia r9, {{s12-s15}}\n",
    each!("vadd.f32" ["s12" "s13" "s14" "s15"] ["s8" "s9" "s10" "s11"]),
    "vstmia r9!, {{s12-s15}}",
), concat!(
    "vldmia r8!, {{s12}}\n",
    "vmul.f32 s12, s12, s8\n",
    "vmul.f32 s8, s8, s0\n",
    "vadd.f32 s4, s4, s12\n",
    "vldr s12, [r9]\n",
    "vadd.f32 s12, s12, s8\n",
    "vstmia r9!, {{s12}}",
), "add r8, r8, r6, lsl #2\nadd r9, r9, r6, lsl #2");

// The matrix is the weight: r9 stays.
row_loop!(descend_rows_of concat!(
    "vldmia r8, {{s12-s15}}\n",
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
    "vstmia r8!, {{s12-s15}}",
), concat!(
    "vldr s12, [r8]\n",
    "vmul.f32 s2, s12, s8\n",
    "vmul.f32 s8, s8, s0\n",
    "vadd.f32 s4, s4, s2\n",
    "vmul.f32 s8, s8, s1\n",
    "vsub.f32 s12, s12, s8\n",
    "vstmia r8!, {{s12}}",
), "add r8, r8, r6, lsl #2");

/// How many rows there are of `len` elements, for each element of `x`; none, if there are not so many.
fn rows_of(x: &[f32], len: usize, weight: &[f32], matrix: &[f32]) -> usize {
    let size = x.len().saturating_mul(len);
    if len > 0 && size <= weight.len() && size <= matrix.len() { x.len() } else { 0 }
}

/// As [`portable::outer_rows`]: 7.3 cycles, 2.4 where `x` is zero.
pub fn outer_rows(x: &mut [f32], weight: &[f32], dy: &[f32], gradient: &mut [f32]) {
    let (rows, len) = (rows_of(x, dy.len(), weight, gradient), dy.len());
    if rows > 0 {
        let (weight, dy, matrix) = (weight.as_ptr(), dy.as_ptr(), gradient.as_mut_ptr());
        let rows = Rows { x: x.as_mut_ptr(), rows, len, dy, weight, matrix };
        // SAFETY: reads and writes all of `x`, reads `rows` rows of `len` elements of `weight` and one of `dy`, and writes as many of
        // `gradient`.
        unsafe { outer_rows_of(&rows, 0.0) };
    }
}

/// As [`portable::add_outer_rows`]: 9.5 cycles, none where `x` is zero.
pub fn add_outer_rows(x: &mut [f32], weight: &[f32], dy: &[f32], gradient: &mut [f32]) {
    let (rows, len) = (rows_of(x, dy.len(), weight, gradient), dy.len());
    if rows > 0 {
        let (weight, dy, matrix) = (weight.as_ptr(), dy.as_ptr(), gradient.as_mut_ptr());
        let rows = Rows { x: x.as_mut_ptr(), rows, len, dy, weight, matrix };
        // SAFETY: reads and writes all of `x`, reads `rows` rows of `len` elements of `weight` and one of `dy`, and reads and writes as
        // many of `gradient`.
        unsafe { add_outer_rows_of(&rows, 0.0) };
    }
}

/// As [`portable::descend_rows`]: 9.3 cycles, none where `x` is zero.
pub fn descend_rows(x: &mut [f32], weight: &mut [f32], dy: &[f32], rate: f32) {
    let (rows, len) = (rows_of(x, dy.len(), weight, weight), dy.len());
    if rows > 0 {
        let matrix = weight.as_mut_ptr();
        let rows = Rows { x: x.as_mut_ptr(), rows, len, dy: dy.as_ptr(), weight: matrix, matrix };
        // SAFETY: reads and writes all of `x` and `rows` rows of `len` elements of `weight`, through the same pointer and each element
        // before it is written; reads one row of `dy`.
        unsafe { descend_rows_of(&rows, rate) };
    }
}

/// As [`portable::dot`]: 5.0 cycles.
pub fn dot(weight: &[f32], dy: &[f32]) -> f32 {
    let len = weight.len().min(dy.len());
    // SAFETY: reads `len` elements of both.
    unsafe { dot_of(weight.as_ptr(), dy.as_ptr(), len) }
}

#[unsafe(naked)]
unsafe extern "C" fn dot_of(weight: *const f32, dy: *const f32, len: usize) -> f32 {
    fpu_asm!(
        "movs r3, #0",
        "vmov s4, r3",
        "vmov s5, r3",
        "vmov s6, r3",
        "vmov s7, r3",
        "subs r2, #4",
        "bcc 3f",
        "2:",
        "vldmia r1!, {{s8-s11}}",
        "vldmia r0!, {{s12-s15}}",
        each!("vmul.f32" ["s12" "s13" "s14" "s15"] ["s8" "s9" "s10" "s11"]),
        each!("vadd.f32" ["s4" "s5" "s6" "s7"] ["s12" "s13" "s14" "s15"]),
        "subs r2, #4",
        "bcs 2b",
        "vadd.f32 s4, s4, s6",
        "vadd.f32 s5, s5, s7",
        "vadd.f32 s4, s4, s5",
        "3:",
        "adds r2, #4",
        "beq 5f",
        "4:",
        "vldmia r1!, {{s8}}",
        "vldmia r0!, {{s12}}",
        "vmul.f32 s12, s12, s8",
        "vadd.f32 s4, s4, s12",
        "subs r2, #1",
        "bne 4b",
        "5:",
        "vmov.f32 s0, s4",
        "bx lr",
    )
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

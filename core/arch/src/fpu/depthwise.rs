//! The windows of a depthwise convolution, eight channels at a time.

use core::arch::naked_asm;

use crate::portable::depthwise;
use crate::{Left, Walk};

/// Channels that are taken together.
const TILE: usize = 8;

/// A walk in bytes; the steps of a row are from its last column to the first of the next.
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

/// What [`add_tiles`] is given.
#[repr(C)]
struct Add {
    steps: Steps,
    /// At byte 24.
    a: *const f32,
    b: *const f32,
    /// At byte 32.
    sums: *mut f32,
    tiles: usize,
}

/// As [`portable::add_window`](crate::portable::add_window): 6.3 cycles where there are eight channels, in a window of 3x3.
pub fn add_window(sums: &mut [f32], a: &[f32], b: &[f32], walk: &Walk) {
    if !walk.fits(sums.len(), a.len(), b.len()) {
        return;
    }
    let tiles = sums.len() / TILE;
    if tiles > 0 {
        let mut add = Add {
            steps: Steps::new(walk),
            a: a.as_ptr().wrapping_add(walk.first),
            b: b.as_ptr().wrapping_add(walk.other_first),
            sums: sums.as_mut_ptr(),
            tiles,
        };
        // SAFETY: `fits` has found at least one element in the walk, and all channels of each to lie within `a` and `b`; so many
        // tiles lie within `sums`.
        unsafe { add_tiles(&mut add) };
    }
    depthwise::add_from(tiles * TILE, sums, a, b, walk);
}

/// What [`meet_tiles`] is given.
#[repr(C)]
struct Met {
    steps: Steps,
    /// At byte 24.
    weight: *const f32,
    dy: *const f32,
    /// At byte 32.
    gradient: *mut f32,
    x: *mut f32,
    /// At byte 40.
    tiles: usize,
    /// Whether dL/dx is left for zeros too.
    all: usize,
    /// At byte 48.
    bound: f32,
}

/// As [`portable::meet_window`](crate::portable::meet_window): 11.4 cycles where there are eight channels, in a window of 3x3.
pub fn meet_window(x: &mut [f32], left: Left, weight: &[f32], dy: &[f32], gradient: &mut [f32], walk: &Walk) {
    let tiles = if walk.fits(x.len(), weight.len().min(gradient.len()), dy.len()) { x.len() / TILE } else { 0 };
    if tiles > 0 {
        let (all, bound) = match left {
            Left::All => (1, 0.0),
            Left::Open(bound) => (0, bound),
        };
        let mut met = Met {
            steps: Steps::new(walk),
            weight: weight.as_ptr().wrapping_add(walk.first),
            dy: dy.as_ptr().wrapping_add(walk.other_first),
            gradient: gradient.as_mut_ptr().wrapping_add(walk.first),
            x: x.as_mut_ptr(),
            tiles,
            all,
            bound,
        };
        // SAFETY: `fits` has found at least one element in the walk, and all channels of each to lie within `weight`, `gradient` and
        // `dy`; so many tiles lie within `x`.
        unsafe { meet_tiles(&mut met) };
    }
    depthwise::meet_from(tiles * TILE, x, left, weight, dy, gradient, walk);
}

/// The sums are in s0 to s7.
#[unsafe(naked)]
unsafe extern "C" fn add_tiles(add: &mut Add) {
    fpu_asm!(
        "push {{r4-r11, lr}}",
        "vpush {{s16-s23}}",
        "ldm r0, {{r4-r9}}",
        "1:",
        "ldrd r1, r2, [r0, #24]",
        "ldr r3, [r0, #32]",
        "vldmia r3, {{s0-s7}}",
        "mov r10, r5",
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
        "subs r10, #1",
        "bne 2b",
        "vstmia r3!, {{s0-s7}}",
        "ldrd r1, r2, [r0, #24]",
        "adds r1, #32",
        "adds r2, #32",
        "strd r1, r2, [r0, #24]",
        "ldr r1, [r0, #36]",
        "subs r1, #1",
        "strd r3, r1, [r0, #32]",
        "bne 1b",
        "vpop {{s16-s23}}",
        "pop {{r4-r11, pc}}",
    )
}

/// Leaves the gradient of a channel at `$place` bytes from r2: dL/dx, in `$dx`, behind a gate that was open, of an input in `$x`. A zero
/// stays.
macro_rules! leave {
    ($([$dx:literal $x:literal $place:literal])+) => {
        concat!($(
            "vcmp.f32 ", $x, ", s16\n",
            "vmov r3, ", $dx, "\n",
            "cmp r3, #0\n",
            "it eq\n",
            "moveq r3, #0x80000000\n",
            "vmrs APSR_nzcv, fpscr\n",
            "it ge\n",
            "movge r3, #0\n",
            "vmov r12, ", $x, "\n",
            "lsls r1, r12, #1\n",
            "it eq\n",
            "moveq r3, r12\n",
            "str r3, [r2, #", $place, "]\n",
        )+)
    };
}

/// The sums are in s0 to s7, `x` in s8 to s15.
#[unsafe(naked)]
unsafe extern "C" fn meet_tiles(met: &mut Met) {
    fpu_asm!(
        "push {{r4-r11, lr}}",
        "vpush {{s16-s31}}",
        "ldm r0, {{r4-r9}}",
        "1:",
        "ldrd r1, r3, [r0, #24]",
        "ldrd r2, r12, [r0, #32]",
        "vldmia r12, {{s8-s15}}",
        "movs r12, #0",
        "vmov s0, r12\nvmov s1, r12\nvmov s2, r12\nvmov s3, r12",
        "vmov s4, r12\nvmov s5, r12\nvmov s6, r12\nvmov s7, r12",
        "mov r10, r5",
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
        "subs r10, #1",
        "bne 2b",
        "ldrd r1, r3, [r0, #24]",
        "adds r1, #32",
        "adds r3, #32",
        "strd r1, r3, [r0, #24]",
        "ldrd r1, r2, [r0, #32]",
        "adds r1, #32",
        "add r3, r2, #32",
        "strd r1, r3, [r0, #32]",
        "ldr r1, [r0, #44]",
        "cmp r1, #0",
        "bne 5f",
        "vldr s16, [r0, #48]",
        leave!(["s0" "s8" "0"] ["s1" "s9" "4"] ["s2" "s10" "8"] ["s3" "s11" "12"]),
        leave!(["s4" "s12" "16"] ["s5" "s13" "20"] ["s6" "s14" "24"] ["s7" "s15" "28"]),
        "4:",
        "ldr r1, [r0, #40]",
        "subs r1, #1",
        "str r1, [r0, #40]",
        "bne 1b",
        "vpop {{s16-s31}}",
        "pop {{r4-r11, pc}}",
        "5:",
        "vstmia r2, {{s0-s7}}",
        "b 4b",
    )
}

//! Sums over the windows of a convolution, and the meeting of its inputs with kernel and gradient, in the FPU's instructions.

use core::arch::naked_asm;

use crate::portable::conv::{self, Sum};
use crate::{Left, Meeting, Start, Sums};

/// What a loop over the pixels of a tile is given, and changes. Steps are in bytes.
#[repr(C)]
#[derive(Clone, Copy)]
struct Tile {
    x: *const f32,
    weight: *const f32,
    count: usize,
    rows: usize,
    x_stride: usize,
    /// From the end of what the loop has loaded last of one product's weights to the next.
    stride: usize,
    /// From behind the last product of a run to the next run.
    x_rest: usize,
    weight_rest: usize,
    start: *const f32,
    start_step: usize,
    y: *mut f32,
    y_step: usize,
    x_pixel: usize,
    pixels: usize,
    descends: usize,
    rate: f32,
}

const ZEROS: [f32; 16] = [0.0; 16];

/// As [`portable::sums`](crate::portable::sums): 3.6 cycles for two pixels and eight outputs; for one pixel 3.7 with sixteen, 4.2 with eight.
pub fn sums(x: &[f32], weight: &[f32], start: Start<'_>, y: &mut [f32], shape: &Sums) {
    if shape.fits(x.len(), weight.len(), start, y.len()) {
        tiles(x, weight, y, shape, Sum::From(start));
    }
}

/// As [`portable::descend_sums`](crate::portable::descend_sums).
pub fn descend_sums(x: &[f32], weight: &[f32], y: &mut [f32], rate: f32, shape: &Sums) {
    if shape.fits(x.len(), weight.len(), Start::Zero, y.len()) {
        tiles(x, weight, y, shape, Sum::Descent(rate));
    }
}

/// All outputs of a shape that fits, and whose start has a value for each.
fn tiles(x: &[f32], weight: &[f32], y: &mut [f32], shape: &Sums, sum: Sum<'_>) {
    let Sums { pixels, outputs, x_pixel, x_stride, runs } = *shape;
    let mut at = 0;
    if pixels > 0 && runs.rows > 0 && runs.count > 0 {
        let (descends, rate) = match sum {
            Sum::From(_) => (0, 0.0),
            Sum::Descent(rate) => (1, rate),
        };
        let (start, start_step) = match sum {
            Sum::From(Start::Zero) | Sum::Descent(_) => (ZEROS.as_ptr(), 0),
            Sum::From(Start::At(values)) => (values.as_ptr(), 0),
            Sum::From(Start::Kept) => (y.as_ptr(), 4 * outputs),
        };
        let tile = Tile {
            x: x.as_ptr(),
            weight: weight.as_ptr(),
            count: runs.count,
            rows: runs.rows,
            x_stride: 4 * x_stride,
            stride: 4 * runs.stride,
            x_rest: runs.x_step.wrapping_sub(runs.count.wrapping_mul(x_stride)).wrapping_mul(4),
            weight_rest: runs.weight_step.wrapping_sub(runs.count.wrapping_mul(runs.stride)).wrapping_mul(4),
            start,
            start_step,
            y: y.as_mut_ptr(),
            y_step: 4 * outputs,
            x_pixel: 4 * x_pixel,
            pixels,
            descends,
            rate,
        };
        let is_zero = start == ZEROS.as_ptr();
        let run = |at: usize, [first, behind]: [usize; 2], step: unsafe extern "C" fn(&mut Tile)| {
            let place = first * outputs + at;
            let mut tile = Tile {
                x: tile.x.wrapping_add(first * x_pixel),
                weight: tile.weight.wrapping_add(at),
                start: match start_step {
                    0 if is_zero => start,
                    0 => start.wrapping_add(at),
                    _ => start.wrapping_add(place),
                },
                y: tile.y.wrapping_add(place),
                pixels: behind - first,
                ..tile
            };
            // SAFETY: `step` is one of the functions below, and from output `at` on there are as many as it computes. The pixels are
            // some of the shape's, at least one, for `sums_2x8` an even number. `fits` has found that for all pixels, runs and
            // products, `x` and the weights of `outputs` outputs lie within their slices, and that `y` has `outputs`
            // elements a pixel; a start has as many, or is the sixteen zeros, read from their beginning. Each loop runs at
            // least once.
            unsafe { step(&mut tile) };
        };
        let eights = outputs & !7;
        let pairs = pixels & !1;
        if pairs > 0 {
            for at in (0..eights).step_by(8) {
                run(at, [0, pairs], sums_2x8);
            }
        }
        if pixels > pairs {
            let sixteens = outputs & !15;
            for at in (0..sixteens).step_by(16) {
                run(at, [pairs, pixels], sums_16);
            }
            if eights > sixteens {
                run(sixteens, [pairs, pixels], sums_8);
            }
        }
        if outputs & 4 != 0 {
            run(eights, [0, pixels], sums_4);
        }
        at = outputs & !3;
    }
    conv::narrow(x, weight, y, shape, at, sum);
}

/// An instruction `vsub a, b, a` for each `a` and its `b`.
macro_rules! difference {
    ([$($a:literal)+] [$($b:literal)+]) => {
        concat!($("vsub.f32 ", $a, ", ", $b, ", ", $a, "\n"),+)
    };
}

/// A loop over the pixels of a tile, with the sums in s0 and on: `$step` adds the products of one input, which is in `$x`, with the
/// weights at r2, and moves r2 on by `$loaded` bytes; what is left to the next weights is in r6. A zero is skipped; its sign is
/// shifted out. `$descend` subtracts the sums, times the rate in `$x`, from the elements at r0.
macro_rules! tile_loop {
    ($name:ident $save:literal $restore:literal $sums:literal $x:literal $loaded:literal $step:expr, $descend:expr) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(tile: &mut Tile) {
            fpu_asm!(
                "push {{r4-r11, lr}}",
                $save,
                "mov r10, r0",
                "ldr r11, [r10, #52]",
                "1:",
                "ldm r10, {{r1-r8}}",
                concat!("sub r6, #", $loaded),
                "ldrd r0, r12, [r10, #32]",
                concat!("vldmia r0, ", $sums),
                "add r0, r12",
                "str r0, [r10, #32]",
                // Two products at a time; an odd one goes in at the middle.
                "2:",
                "lsrs r9, r3, #1",
                "bcc 3f",
                "add r9, #1",
                "b 5f",
                "3:",
                "ldr r0, [r1]",
                "add r1, r5",
                "lsls r12, r0, #1",
                "beq 8f",
                concat!("vmov ", $x, ", r0"),
                $step,
                "4:",
                "add r2, r6",
                "5:",
                "ldr r0, [r1]",
                "add r1, r5",
                "lsls r12, r0, #1",
                "beq 9f",
                concat!("vmov ", $x, ", r0"),
                $step,
                "6:",
                "add r2, r6",
                "subs r9, #1",
                "bne 3b",
                "add r1, r7",
                "add r2, r8",
                "subs r4, #1",
                "bne 2b",
                "ldrd r0, r12, [r10, #40]",
                "add r12, r0",
                "str r12, [r10, #40]",
                "ldr r3, [r10, #56]",
                "cbnz r3, 10f",
                "7:",
                concat!("vstmia r0, ", $sums),
                "ldr r1, [r10]",
                "ldr r2, [r10, #48]",
                "add r1, r2",
                "str r1, [r10]",
                "subs r11, #1",
                "bne 1b",
                $restore,
                "pop {{r4-r11, pc}}",
                "8:",
                concat!("add r2, #", $loaded),
                "b 4b",
                "9:",
                concat!("add r2, #", $loaded),
                "b 6b",
                "10:",
                concat!("vldr ", $x, ", [r10, #60]"),
                $descend,
                "b 7b",
            )
        }
    };
}

tile_loop!(sums_16 "vpush {{s16-s24}}" "vpop {{s16-s24}}" "{{s0-s15}}" "s24" "32" concat!(
    "vldmia r2!, {{s16-s23}}\n",
    scale!(["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"] ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"] "s24"),
    each!("vadd.f32" ["s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"] ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"]),
    "vldmia r2, {{s16-s23}}\n",
    scale!(["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"] ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"] "s24"),
    each!("vadd.f32" ["s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"] ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"]),
), concat!(
    scale!(["s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"] ["s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"] "s24"),
    scale!(["s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"] ["s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"] "s24"),
    "vldmia r0, {{s16-s23}}\n",
    difference!(["s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"] ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"]),
    "add r1, r0, #32\n",
    "vldmia r1, {{s16-s23}}\n",
    difference!(["s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"] ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"]),
));

tile_loop!(sums_8 "vpush {{s16}}" "vpop {{s16}}" "{{s0-s7}}" "s16" "0" concat!(
    "vldmia r2, {{s8-s15}}\n",
    scale!(["s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"] ["s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"] "s16"),
    each!("vadd.f32" ["s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"] ["s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"]),
), concat!(
    scale!(["s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"] ["s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"] "s16"),
    "vldmia r0, {{s8-s15}}\n",
    difference!(["s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"] ["s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"]),
));

/// Two pixels at once, with the sums of the first in s0 to s7: the weights in s16 to s23 are loaded once for both.
#[unsafe(naked)]
unsafe extern "C" fn sums_2x8(tile: &mut Tile) {
    fpu_asm!(
        "push {{r4-r11, lr}}",
        "vpush {{s16-s29}}",
        "mov r10, r0",
        "ldr r11, [r10, #48]",
        "1:",
        "ldm r10, {{r1-r8}}",
        "ldrd r0, r12, [r10, #32]",
        "vldmia r0, {{s0-s7}}",
        "add r0, r12",
        "vldmia r0, {{s8-s15}}",
        "add r0, r12",
        "str r0, [r10, #32]",
        "2:",
        "mov r9, r3",
        "3:",
        "ldr r0, [r1]",
        "ldr r12, [r1, r11]",
        "add r1, r5",
        "lsls lr, r0, #1",
        "beq 8f",
        "vldmia r2, {{s16-s23}}",
        "vmov s24, r0",
        "lsls lr, r12, #1",
        "beq 7f",
        "vmov s25, r12",
        scale!(["s26" "s27" "s28" "s29"] ["s16" "s17" "s18" "s19"] "s24"),
        each!("vadd.f32" ["s0" "s1" "s2" "s3"] ["s26" "s27" "s28" "s29"]),
        scale!(["s26" "s27" "s28" "s29"] ["s20" "s21" "s22" "s23"] "s24"),
        each!("vadd.f32" ["s4" "s5" "s6" "s7"] ["s26" "s27" "s28" "s29"]),
        "4:",
        scale!(["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"]
            ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"] "s25"),
        each!("vadd.f32" ["s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"]
            ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"]),
        "5:",
        "add r2, r6",
        "subs r9, #1",
        "bne 3b",
        "add r1, r7",
        "add r2, r8",
        "subs r4, #1",
        "bne 2b",
        "ldrd r0, r1, [r10, #40]",
        "add r2, r0, r1",
        "ldr r3, [r10, #56]",
        "cmp r3, #0",
        "bne 9f",
        "6:",
        "vstmia r0, {{s0-s7}}",
        "vstmia r2, {{s8-s15}}",
        "add r2, r1",
        "str r2, [r10, #40]",
        "ldr r1, [r10]",
        "add r1, r1, r11, lsl #1",
        "str r1, [r10]",
        "ldr r0, [r10, #52]",
        "subs r0, #2",
        "str r0, [r10, #52]",
        "bne 1b",
        "vpop {{s16-s29}}",
        "pop {{r4-r11, pc}}",
        // The first pixel alone.
        "7:",
        scale!(["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"]
            ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"] "s24"),
        each!("vadd.f32" ["s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"]
            ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"]),
        "b 5b",
        // The second one, or none.
        "8:",
        "lsls lr, r12, #1",
        "beq 5b",
        "vldmia r2, {{s16-s23}}",
        "vmov s25, r12",
        "b 4b",
        "9:",
        "vldr s24, [r10, #60]",
        scale!(["s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"] ["s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"] "s24"),
        scale!(["s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"]
            ["s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"] "s24"),
        "vldmia r0, {{s16-s23}}",
        difference!(["s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7"] ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"]),
        "vldmia r2, {{s16-s23}}",
        difference!(["s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"]
            ["s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23"]),
        "b 6b",
    )
}

tile_loop!(sums_4 "" "" "{{s0-s3}}" "s8" "0" concat!(
    "vldmia r2, {{s4-s7}}\n",
    scale!(["s4" "s5" "s6" "s7"] ["s4" "s5" "s6" "s7"] "s8"),
    each!("vadd.f32" ["s0" "s1" "s2" "s3"] ["s4" "s5" "s6" "s7"]),
), concat!(
    scale!(["s0" "s1" "s2" "s3"] ["s0" "s1" "s2" "s3"] "s8"),
    "vldmia r0, {{s4-s7}}\n",
    difference!(["s0" "s1" "s2" "s3"] ["s4" "s5" "s6" "s7"]),
));

/// What [`meet_pixel`] and [`meet_pixel_input`] are given. Steps are in bytes.
#[repr(C)]
struct Pixel {
    x: *mut f32,
    channels: usize,
    /// Whether channels that are zero count too.
    all: usize,
    bound: f32,
    /// At byte 16.
    weight: *const f32,
    gradient: *mut f32,
    /// At byte 24.
    dy: *const f32,
    outputs: usize,
    /// At byte 32.
    columns: usize,
    rows: usize,
    /// At byte 40.
    weight_column: usize,
    dy_column: usize,
    /// At byte 48.
    weight_row: usize,
    dy_row: usize,
}

/// As [`portable::meet`](crate::portable::meet): 9.0 cycles where no element of `d` is zero; else 1.8 for a zero and 11.9 for another.
pub fn meet(
    pixel: &mut [f32],
    left: Left,
    weight: &[f32],
    dy: &[f32],
    gradient: &mut [f32],
    shape: &Meeting,
    skips: bool,
) {
    if !skips || shape.is_empty() {
        return conv::meet(pixel, left, weight, dy, gradient, shape, skips);
    }
    if shape.fits(pixel.len(), weight.len().min(gradient.len()), dy.len()) {
        let mut pixel = Pixel::new(pixel, left, weight, dy, gradient.as_mut_ptr(), shape);
        // SAFETY: the shape fits: for every kernel element, weights, gradients and the part of `dy` of each channel lie within
        // their slices. There is at least one kernel element with at least one output. Of the last, incomplete group of four
        // outputs, the loop touches only those that are.
        unsafe { meet_pixel(&mut pixel) };
    }
}

/// As [`portable::meet_input`](crate::portable::meet_input): 4.5 cycles where no element of `d` is zero; else 1.6 for a zero and 5.7
/// for another.
pub fn meet_input(pixel: &mut [f32], left: Left, weight: &[f32], dy: &[f32], shape: &Meeting, skips: bool) {
    if !skips || shape.is_empty() {
        return conv::meet_input(pixel, left, weight, dy, shape, skips);
    }
    if shape.fits(pixel.len(), weight.len(), dy.len()) {
        let mut pixel = Pixel::new(pixel, left, weight, dy, core::ptr::null_mut(), shape);
        // SAFETY: as in `meet`; there is no gradient, and the loop looks at none.
        unsafe { meet_pixel_input(&mut pixel) };
    }
}

impl Pixel {
    /// For a shape that is not empty.
    fn new(pixel: &mut [f32], left: Left, weight: &[f32], dy: &[f32], gradient: *mut f32, shape: &Meeting) -> Self {
        let Meeting { outputs, rows, columns, .. } = *shape;
        // At the end of a kernel element the pointers stand behind its last group of four outputs.
        let passed = outputs.div_ceil(4) * 4;
        let bytes = |step: usize| step.wrapping_sub(passed).wrapping_mul(4);
        let back = columns.wrapping_sub(1);
        let (all, bound) = match left {
            Left::All => (1, 0.0),
            Left::Open(bound) => (0, bound),
        };
        Self {
            x: pixel.as_mut_ptr(),
            channels: pixel.len(),
            all,
            bound,
            weight: weight.as_ptr(),
            gradient,
            dy: dy.as_ptr().wrapping_add(shape.dy_first),
            outputs,
            columns,
            rows,
            weight_column: bytes(shape.weight_column),
            dy_column: bytes(0usize.wrapping_sub(shape.dy_column)),
            weight_row: bytes(shape.weight_row.wrapping_sub(back.wrapping_mul(shape.weight_column))),
            dy_row: bytes(back.wrapping_mul(shape.dy_column).wrapping_sub(shape.dy_row)),
        }
    }
}

/// What output `$lane` of a group of four adds to the lanes `$lanes` and the gradients of the four channels; its part of dL/dy is in
/// `$d`, and lies at byte `$at` of the group.
macro_rules! one_output {
    ($d:literal $at:literal [$($lane:literal)+]) => {
        concat!(
            "vmov s20, ", $d, "\n",
            "vldr s24, [r4, #", $at, "]\nvldr s25, [r5, #", $at, "]\n",
            "vldr s26, [r6, #", $at, "]\nvldr s27, [r7, #", $at, "]\n",
            scale!(["s24" "s25" "s26" "s27"] ["s24" "s25" "s26" "s27"] "s20"),
            each!("vadd.f32" [$($lane)+] ["s24" "s25" "s26" "s27"]),
            "vldr s28, [r8, #", $at, "]\nvldr s29, [r9, #", $at, "]\n",
            "vldr s30, [r10, #", $at, "]\nvldr s31, [r11, #", $at, "]\n",
            scale!(["s24" "s25" "s26" "s27"] ["s16" "s17" "s18" "s19"] "s20"),
            each!("vadd.f32" ["s28" "s29" "s30" "s31"] ["s24" "s25" "s26" "s27"]),
            "vstr s28, [r8, #", $at, "]\nvstr s29, [r9, #", $at, "]\n",
            "vstr s30, [r10, #", $at, "]\nvstr s31, [r11, #", $at, "]\n",
        )
    };
}

/// What four outputs add to a channel's lanes and gradient; its weights are at `$weight`, its gradients at `$gradient`, its input is
/// in `$x`.
macro_rules! four_outputs {
    ($weight:literal $gradient:literal $x:literal [$($lane:literal)+]) => {
        concat!(
            "vldmia ", $weight, "!, {{s24-s27}}\n",
            each!("vmul.f32" ["s24" "s25" "s26" "s27"] ["s20" "s21" "s22" "s23"]),
            each!("vadd.f32" [$($lane)+] ["s24" "s25" "s26" "s27"]),
            scale!(["s24" "s25" "s26" "s27"] ["s20" "s21" "s22" "s23"] $x),
            "vldmia ", $gradient, ", {{s28-s31}}\n",
            each!("vadd.f32" ["s28" "s29" "s30" "s31"] ["s24" "s25" "s26" "s27"]),
            "vstmia ", $gradient, "!, {{s28-s31}}\n",
        )
    };
}

/// As [`one_output`], without gradients.
macro_rules! one_output_input {
    ($d:literal $at:literal [$($lane:literal)+]) => {
        concat!(
            "vmov s20, ", $d, "\n",
            "vldr s24, [r4, #", $at, "]\nvldr s25, [r5, #", $at, "]\n",
            "vldr s26, [r6, #", $at, "]\nvldr s27, [r7, #", $at, "]\n",
            scale!(["s24" "s25" "s26" "s27"] ["s24" "s25" "s26" "s27"] "s20"),
            each!("vadd.f32" [$($lane)+] ["s24" "s25" "s26" "s27"]),
        )
    };
}

/// As [`four_outputs`], without gradients.
macro_rules! four_outputs_input {
    ($weight:literal $gradient:literal $x:literal [$($lane:literal)+]) => {
        concat!(
            "vldmia ", $weight, "!, {{s24-s27}}\n",
            each!("vmul.f32" ["s24" "s25" "s26" "s27"] ["s20" "s21" "s22" "s23"]),
            each!("vadd.f32" [$($lane)+] ["s24" "s25" "s26" "s27"]),
        )
    };
}

/// Leaves the gradient of a channel at the address in `$place`: dL/dx, in `$dx`, behind a gate that was open, of an input in `$x`.
macro_rules! leave {
    ($([$dx:literal $x:literal $place:literal])+) => {
        concat!($(
            "vcmp.f32 ", $x, ", s20\n",
            "vmov r8, ", $dx, "\n",
            "cmp r8, #0\n",
            "it eq\n",
            "moveq r8, #0x80000000\n",
            "vmrs APSR_nzcv, fpscr\n",
            "it ge\n",
            "movge r8, #0\n",
            "str r8, [", $place, "]\n",
        )+)
    };
}

/// Four channels at a time, those of the gates that are open; the last ones are filled up with the first of them again, in front of it,
/// with an input of zero: it adds zeros to its gradients, and what it writes is overwritten.
///
/// The lanes of the `c`th of them are s(4c) to s(4c + 3). Four elements of dL/dy at a time are in r0 to r3: if none is zero, they
/// are taken together, else one by one, and zeros are skipped. On the stack: the block, the columns and the rows left, the next
/// channel, the four.
macro_rules! meet_loop {
    ($name:ident $one:ident $four:ident $gradients:literal $gradients_on:literal) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(pixel: &mut Pixel) {
    fpu_asm!(
        "push {{r4-r11, lr}}",
        "vpush {{s16-s31}}",
        "sub sp, #32",
        "str r0, [sp]",
        "movs r1, #0",
        "30:",
        "ldm r0, {{r2, r3, r12}}",
        "mov r8, #0",
        "31:",
        "cmp r1, r3",
        "bhs 33f",
        "ldr r9, [r2, r1, lsl #2]",
        "orrs r9, r12, r9, lsl #1",
        "beq 32f",
        "mov r4, r5\nmov r5, r6\nmov r6, r7\nmov r7, r1",
        "add r8, #1",
        "cmp r8, #4",
        "beq 34f",
        "32:",
        "adds r1, #1",
        "b 31b",
        "33:",
        "cmp r8, #2",
        "it lo",
        "movlo r6, r7",
        "it ls",
        "movls r5, r6",
        "mov r4, r5",
        "cmp r8, #0",
        "beq 40f",
        "34:",
        "adds r1, #1",
        "str r1, [sp, #12]",
        "add r1, sp, #16",
        "stm r1, {{r4-r7}}",
        "add r1, r2, r4, lsl #2\nvldr s16, [r1]",
        "add r1, r2, r5, lsl #2\nvldr s17, [r1]",
        "add r1, r2, r6, lsl #2\nvldr s18, [r1]",
        "add r1, r2, r7, lsl #2\nvldr s19, [r1]",
        "movs r1, #0",
        "cmp r8, #3",
        "bhi 35f",
        "vmov s16, r1",
        "it lo",
        "vmovlo s17, r1",
        "cmp r8, #1",
        "it eq",
        "vmoveq s18, r1",
        "35:",
        "vmov s0, r1\nvmov s1, r1\nvmov s2, r1\nvmov s3, r1",
        "vmov s4, r1\nvmov s5, r1\nvmov s6, r1\nvmov s7, r1",
        "vmov s8, r1\nvmov s9, r1\nvmov s10, r1\nvmov s11, r1",
        "vmov s12, r1\nvmov s13, r1\nvmov s14, r1\nvmov s15, r1",
        "ldrd r2, r3, [r0, #16]",
        "ldrd r12, lr, [r0, #24]",
        "lsl r9, lr, #2",
        "mla r8, r4, r9, r3\nmla r4, r4, r9, r2",
        "mla r10, r6, r9, r3\nmla r6, r6, r9, r2",
        "mla r11, r7, r9, r3\nmla r7, r7, r9, r2",
        "mla r1, r5, r9, r2\nmla r9, r5, r9, r3",
        "mov r5, r1",
        "ldrd r1, r2, [r0, #32]",
        "strd r1, r2, [sp, #4]",
        // A kernel element.
        "2:",
        "ldr lr, [r0, #28]",
        "subs lr, #4",
        "blt 9f",
        // Four outputs.
        "3:",
        "ldmia r12!, {{r0-r3}}",
        "cbz r0, 5f",
        "cbz r1, 4f",
        "cbz r2, 4f",
        "cmp r3, #0",
        "bne 20f",
        "4:",
        $one!("r0" "0" ["s0" "s4" "s8" "s12"]),
        "5:",
        "cbz r1, 6f",
        $one!("r1" "4" ["s1" "s5" "s9" "s13"]),
        "6:",
        "cbz r2, 7f",
        $one!("r2" "8" ["s2" "s6" "s10" "s14"]),
        "7:",
        "cbz r3, 8f",
        $one!("r3" "12" ["s3" "s7" "s11" "s15"]),
        "8:",
        "adds r4, #16\nadds r5, #16\nadds r6, #16\nadds r7, #16",
        $gradients,
        "subs lr, #4",
        "bge 3b",
        // The outputs behind the last whole group.
        "9:",
        "adds lr, #4",
        "bne 21f",
        // The next kernel element.
        "ldrd r0, r1, [sp]",
        "subs r1, #1",
        "beq 22f",
        "str r1, [sp, #4]",
        "ldrd r2, r3, [r0, #40]",
        "19:",
        "add r4, r2\nadd r5, r2\nadd r6, r2\nadd r7, r2",
        $gradients_on,
        "add r12, r3",
        "b 2b",
        // None is zero.
        "20:",
        "vmov s20, s21, r0, r1",
        "vmov s22, s23, r2, r3",
        $four!("r4" "r8" "s16" ["s0" "s1" "s2" "s3"]),
        $four!("r5" "r9" "s17" ["s4" "s5" "s6" "s7"]),
        $four!("r6" "r10" "s18" ["s8" "s9" "s10" "s11"]),
        $four!("r7" "r11" "s19" ["s12" "s13" "s14" "s15"]),
        "subs lr, #4",
        "bge 3b",
        "b 9b",
        // One to three outputs, as four with zeros at the end.
        "21:",
        "ldr r0, [r12]",
        "movs r1, #0",
        "movs r2, #0",
        "movs r3, #0",
        "cmp lr, #2",
        "it ge",
        "ldrge r1, [r12, #4]",
        "it gt",
        "ldrgt r2, [r12, #8]",
        "add r12, #16",
        "mov lr, #0",
        "cmp r0, #0",
        "beq 5b",
        "b 4b",
        // The next kernel row.
        "22:",
        "ldr r2, [sp, #8]",
        "subs r2, #1",
        "beq 23f",
        "ldr r1, [r0, #32]",
        "strd r1, r2, [sp, #4]",
        "ldrd r2, r3, [r0, #48]",
        "b 19b",
        "23:",
        each!("vadd.f32" ["s0" "s4" "s8" "s12" "s1" "s5" "s9" "s13"] ["s2" "s6" "s10" "s14" "s3" "s7" "s11" "s15"]),
        each!("vadd.f32" ["s0" "s4" "s8" "s12"] ["s1" "s5" "s9" "s13"]),
        "ldr r2, [r0]",
        "ldr r1, [r0, #8]",
        "vldr s20, [r0, #12]",
        "add r3, sp, #12",
        "ldm r3, {{r3-r7}}",
        "add r4, r2, r4, lsl #2\nadd r5, r2, r5, lsl #2\nadd r6, r2, r6, lsl #2\nadd r7, r2, r7, lsl #2",
        "cmp r1, #0",
        "bne 24f",
        leave!(["s0" "s16" "r4"] ["s4" "s17" "r5"] ["s8" "s18" "r6"] ["s12" "s19" "r7"]),
        "mov r1, r3",
        "b 30b",
        "24:",
        "mov r1, r3",
        "vstr s0, [r4]\nvstr s4, [r5]\nvstr s8, [r6]\nvstr s12, [r7]",
        "b 30b",
        "40:",
        "add sp, #32",
        "vpop {{s16-s31}}",
        "pop {{r4-r11, pc}}",
    )
}
    };
}

meet_loop!(meet_pixel one_output four_outputs
    "add r8, #16\nadd r9, #16\nadd r10, #16\nadd r11, #16" "add r8, r2\nadd r9, r2\nadd r10, r2\nadd r11, r2");
meet_loop!(meet_pixel_input one_output_input four_outputs_input "" "");

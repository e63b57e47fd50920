//! The maxima of windows, eight channels at a time.

use core::arch::naked_asm;

use crate::Window;
use crate::portable::pool::from_channel;

/// What [`max_8`] is given. Steps are in bytes, the index is that of `x`.
#[repr(C)]
struct Eight {
    x: *const f32,
    index: usize,
    columns: usize,
    rows: usize,
    column_step: usize,
    /// From the last column of a row to the first of the next.
    row_rest: usize,
    y: *mut f32,
    place: *mut f32,
}

/// As [`portable::window_max`](crate::portable::window_max): 50 cycles for each channel of a 2x2 window.
pub fn window_max(x: &mut [f32], first: usize, place: Option<usize>, y: &mut [f32], window: &Window) {
    let Window { rows, columns, row_step, column_step } = *window;
    if !window.fits(first, place, x.len(), y.len()) {
        return;
    }
    let mut channel = 0;
    while channel + 8 <= y.len() {
        let base = x.as_mut_ptr();
        let eight = Eight {
            x: base.wrapping_add(first + channel),
            index: first + channel,
            columns,
            rows,
            column_step: 4 * column_step,
            row_rest: row_step.wrapping_sub((columns - 1).wrapping_mul(column_step)).wrapping_mul(4),
            y: y.as_mut_ptr().wrapping_add(channel),
            place: match place {
                Some(place) => base.wrapping_add(place + channel),
                None => core::ptr::null_mut(),
            },
        };
        // SAFETY: `fits` has found at least one element in the window, and all elements of it, and the place, to be within `x` for
        // all channels; `y` has eight more from `channel` on. Everything is read before anything is written.
        if unsafe { max_8(&eight) } != 0 {
            break;
        }
        channel += 8;
    }
    if channel < y.len() {
        from_channel(x, first, place, y, window, channel);
    }
}

/// Compares the value in `$value` with the largest so far, and takes it and the index in r3.
macro_rules! compare {
    ($([$value:literal $largest:literal $index:literal])+) => {
        concat!($(
            "vcmp.f32 ", $value, ", ", $largest, "\n",
            "vmrs APSR_nzcv, fpscr\n",
            "bvs 9f\n",
            "itt gt\n",
            "vmovgt.f32 ", $largest, ", ", $value, "\n",
            "movgt ", $index, ", r3\n",
        )+)
    };
}

/// The number of the channel in the index, and the mark of a maximum that is zero.
macro_rules! index {
    ($([$largest:literal $index:literal $channel:literal])+) => {
        concat!($(
            "vmov r1, ", $largest, "\n",
            "add ", $index, ", #", $channel, "\n",
            "lsls r1, r1, #1\n",
            "it eq\n",
            "orreq ", $index, ", #0x80000000\n",
        )+)
    };
}

/// Returns 0; or 1, having written nothing, if there is a NaN beside another element.
#[unsafe(naked)]
unsafe extern "C" fn max_8(eight: &Eight) -> u32 {
    fpu_asm!(
        "push {{r4-r11, lr}}",
        "mov lr, r0",
        "ldm r0, {{r0, r3}}",
        "ldrd r1, r2, [lr, #8]",
        "ldr r12, [lr, #16]",
        "vldmia r0, {{s0-s7}}",
        "mov r4, r3\nmov r5, r3\nmov r6, r3\nmov r7, r3\nmov r8, r3\nmov r9, r3\nmov r10, r3\nmov r11, r3",
        "2:",
        "subs r1, #1",
        "beq 4f",
        "add r0, r12",
        "add r3, r3, r12, lsr #2",
        "3:",
        "vldmia r0, {{s8-s15}}",
        compare!(["s8" "s0" "r4"] ["s9" "s1" "r5"] ["s10" "s2" "r6"] ["s11" "s3" "r7"]),
        compare!(["s12" "s4" "r8"] ["s13" "s5" "r9"] ["s14" "s6" "r10"] ["s15" "s7" "r11"]),
        "b 2b",
        "4:",
        "subs r2, #1",
        "beq 5f",
        "ldr r1, [lr, #20]",
        "add r0, r1",
        "add r3, r3, r1, asr #2",
        "ldr r1, [lr, #8]",
        "b 3b",
        "5:",
        "ldrd r2, r3, [lr, #24]",
        "vstmia r2, {{s0-s7}}",
        "movs r0, #0",
        "cmp r3, #0",
        "beq 6f",
        index!(["s0" "r4" "0"] ["s1" "r5" "1"] ["s2" "r6" "2"] ["s3" "r7" "3"]),
        index!(["s4" "r8" "4"] ["s5" "r9" "5"] ["s6" "r10" "6"] ["s7" "r11" "7"]),
        "stm r3, {{r4-r11}}",
        "6:",
        "pop {{r4-r11, pc}}",
        "9:",
        "movs r0, #1",
        "pop {{r4-r11, pc}}",
    )
}

//! A plugin for `qemu-system-arm` that counts the instructions that a board executes, exactly, and models the cycles that a
//! Cortex-M4F would take for them.
//!
//! Counted is what lies between two marker instructions, no-ops that no compiler writes: `mov r10, r10` (0x46d2) begins a
//! region, `mov r11, r11` (0x46db) ends it. Markers are not counted; counts of all regions add up. When the emulation ends
//! the plugin writes a text file:
//!
//! ```text
//! regions 8
//! at 4a8 512 1024 512
//! ```
//!
//! `at` is an instruction: its address (hexadecimal), how often it was executed, and for all these times the modelled cycles,
//! without and with pipelining of neighbouring loads and stores. A taken branch costs where it leads to.
//!
//! QEMU is given the plugin with `-plugin libbackpass_counter.so,out=FILE`; `backpass-sim bench` does so. [`decode`] has the
//! model, [`count`] the counts; only the binding to QEMU's C interface is `unsafe`.

#![cfg_attr(any(test, not(unix)), allow(dead_code))]

mod count;
mod decode;
// Only QEMU has the functions that the plugin calls; a test program could not be linked.
#[cfg(all(unix, not(test)))]
mod plugin;

//! Writes the memory map of the emulated board that the target stands for.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let (board, flash, ram) = match target.as_str() {
        "thumbv6m-none-eabi" if env::var_os("CARGO_FEATURE_EVERY").is_some() => {
            ("mps2-an385 with the instructions of a Cortex-M0", ("0x00000000", "4M"), ("0x20000000", "4M"))
        }
        "thumbv6m-none-eabi" => ("microbit, Cortex-M0", ("0x00000000", "256K"), ("0x20000000", "16K")),
        "thumbv7m-none-eabi" => ("mps2-an385, Cortex-M3", ("0x00000000", "4M"), ("0x20000000", "4M")),
        "thumbv7em-none-eabihf" => {
            ("mps2-an386 or mps2-an500, Cortex-M4F or M7", ("0x00000000", "4M"), ("0x20000000", "4M"))
        }
        "thumbv8m.main-none-eabihf" => ("mps2-an505, Cortex-M33", ("0x10000000", "4M"), ("0x38000000", "4M")),
        other => {
            panic!("no emulated board for the target {other}; build in this folder, whose .cargo/config.toml sets one")
        }
    };
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    let map = format!(
        "/* {board} */\nMEMORY {{\n  FLASH : ORIGIN = {}, LENGTH = {}\n  RAM : ORIGIN = {}, LENGTH = {}\n}}\n",
        flash.0, flash.1, ram.0, ram.1
    );
    fs::write(out.join("memory.x"), map).expect("OUT_DIR can be written");
    println!("cargo::rustc-link-search={}", out.display());
    // No page alignment: it would waste flash.
    for argument in ["--nmagic", "-Tlink.x", "-Tdefmt.x"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    println!("cargo::rustc-check-cfg=cfg(small)");
    if target == "thumbv6m-none-eabi" {
        println!("cargo::rustc-cfg=small");
    }
    println!("cargo::rerun-if-changed=build.rs");
}

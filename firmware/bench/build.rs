//! Chooses the workload and writes the memory map of the emulated board that the target stands for.

use std::path::PathBuf;
use std::{env, fs};

/// Names the workload: a type of `backpass_app::workloads`.
const WORKLOAD: &str = "BACKPASS_WORKLOAD";

fn main() {
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let (flash, ram) = match target.as_str() {
        // The M3's board runs the M0's instructions too, and has the RAM for every network.
        "thumbv6m-none-eabi" | "thumbv7m-none-eabi" | "thumbv7em-none-eabihf" => ("0x00000000", "0x20000000"),
        "thumbv8m.main-none-eabihf" => ("0x10000000", "0x38000000"),
        other => {
            panic!("no emulated board for the target {other}; build in this folder, whose .cargo/config.toml sets one")
        }
    };
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    let map = format!("MEMORY {{\n  FLASH : ORIGIN = {flash}, LENGTH = 4M\n  RAM : ORIGIN = {ram}, LENGTH = 4M\n}}\n");
    fs::write(out.join("memory.x"), map).expect("OUT_DIR can be written");
    // No names of interrupts.
    fs::write(out.join("device.x"), "").expect("OUT_DIR can be written");
    let workload = env::var(WORKLOAD).unwrap_or_else(|_| "W1".to_owned());
    fs::write(out.join("workload.rs"), format!("type Chosen = workloads::{workload};\n"))
        .expect("OUT_DIR can be written");
    println!("cargo::rustc-link-search={}", out.display());
    // No page alignment: it would waste flash.
    for argument in ["--nmagic", "-Tlink.x"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    println!("cargo::rerun-if-env-changed={WORKLOAD}");
    println!("cargo::rerun-if-changed=build.rs");
}

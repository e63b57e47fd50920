//! Writes the memory map of the emulated board that the target stands for.
//!
//! The stack lies at the beginning of RAM and grows away from the statics, so that one that overflows leaves RAM, which is a
//! fault, instead of overwriting what was learned. `flip-link` turns the usual order around in the same way, by linking twice; here
//! the stack's size is known, so a linker script does, and nobody needs to install a linker.

use std::path::PathBuf;
use std::{env, fs};

/// Kilobytes of a board's memories.
struct Board {
    name: &'static str,
    flash: (u32, u32),
    ram: (u32, u32),
    stack: u32,
}

/// Boards of the MPS2 with 4 MB of flash and of RAM.
const fn mps2(name: &'static str) -> Board {
    Board { name, flash: (0, 4096), ram: (0x2000_0000, 4096), stack: 64 }
}

fn main() {
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let has = |feature: &str| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    let board = match target.as_str() {
        // The largest networks need the board's second memory.
        "thumbv6m-none-eabi" | "thumbv7m-none-eabi" | "thumbv7em-none-eabihf" if has("STACK") => {
            Board { ram: (0x2100_0000, 16 * 1024), ..mps2("mps2-an385 or mps2-an386") }
        }
        "thumbv6m-none-eabi" if has("EVERY") => mps2("mps2-an385 with the instructions of a Cortex-M0"),
        "thumbv6m-none-eabi" => {
            Board { name: "microbit, Cortex-M0", flash: (0, 256), ram: (0x2000_0000, 16), stack: 6 }
        }
        "thumbv7m-none-eabi" => mps2("mps2-an385, Cortex-M3"),
        "thumbv7em-none-eabihf" => mps2("mps2-an386 or mps2-an500, Cortex-M4F or M7"),
        "thumbv8m.main-none-eabihf" => {
            Board { flash: (0x1000_0000, 4096), ram: (0x3800_0000, 4096), ..mps2("mps2-an505, Cortex-M33") }
        }
        other => {
            panic!("no emulated board for the target {other}; build in this folder, whose .cargo/config.toml sets one")
        }
    };
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("memory.x"), memory_map(&board)).expect("OUT_DIR can be written");
    println!("cargo::rustc-link-search={}", out.display());
    // No page alignment: it would waste flash.
    for argument in ["--nmagic", "-Tlink.x", "-Tdefmt.x"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    println!("cargo::rustc-check-cfg=cfg(small, trustzone)");
    match target.as_str() {
        "thumbv6m-none-eabi" => println!("cargo::rustc-cfg=small"),
        "thumbv8m.main-none-eabihf" => println!("cargo::rustc-cfg=trustzone"),
        _ => {}
    }
    println!("cargo::rerun-if-changed=build.rs");
}

fn memory_map(Board { name, flash: (flash, flash_size), ram: (ram, ram_size), stack }: &Board) -> String {
    format!(
        "/* {name} */
MEMORY {{
  FLASH : ORIGIN = {flash:#010x}, LENGTH = {flash_size}K
  STACK : ORIGIN = {ram:#010x}, LENGTH = {stack}K
  RAM : ORIGIN = ORIGIN(STACK) + LENGTH(STACK), LENGTH = {ram_size}K - {stack}K
}}
_stack_start = ORIGIN(STACK) + LENGTH(STACK);
_stack_end = ORIGIN(STACK);
"
    )
}

//! Learns gestures: see the README.

#![no_std]
#![no_main]

use backpass_app::boards::{CLASSES, GESTURE, run_gesture};
use backpass_app::gesture::{Ram, Window3};
use cortex_m_rt::entry;
use static_cell::ConstStaticCell;

static RAM: ConstStaticCell<Ram<3, CLASSES, Window3>> = ConstStaticCell::new(Ram::new());

#[entry]
fn main() -> ! {
    run_gesture(RAM.take(), GESTURE, backpass_microbit_v2::start())
}

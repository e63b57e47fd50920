//! Learns gestures: see the README.

#![no_std]
#![no_main]

use backpass_app::boards::{CLASSES, GESTURE_M0, run_gesture};
use backpass_app::gesture::{Ram, Window6};
use rp2040_hal::entry;
use static_cell::ConstStaticCell;

static RAM: ConstStaticCell<Ram<6, CLASSES, Window6>> = ConstStaticCell::new(Ram::new());

#[entry]
fn main() -> ! {
    run_gesture(RAM.take(), GESTURE_M0, backpass_pico::start())
}

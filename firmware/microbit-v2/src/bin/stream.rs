//! Learns from what comes over the serial line: see the README.

#![no_std]
#![no_main]

use backpass_app::boards::run_stream;
use backpass_app::stream::{FRAME, Frames, Ram};
use cortex_m_rt::entry;
use static_cell::ConstStaticCell;

static RAM: ConstStaticCell<Ram> = ConstStaticCell::new(Ram::new());
static FRAMES: ConstStaticCell<Frames<FRAME>> = ConstStaticCell::new(Frames::new());

#[entry]
fn main() -> ! {
    run_stream(RAM.take(), FRAMES.take(), backpass_microbit_v2::start())
}

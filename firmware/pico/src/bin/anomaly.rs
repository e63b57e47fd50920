//! Watches for anomalies: see the README.

#![no_std]
#![no_main]

use backpass_app::anomaly::{Ram, Window6};
use backpass_app::boards::{ANOMALY_M0, run_anomaly};
use rp2040_hal::entry;
use static_cell::ConstStaticCell;

static RAM: ConstStaticCell<Ram<6, Window6>> = ConstStaticCell::new(Ram::new());

#[entry]
fn main() -> ! {
    run_anomaly(RAM.take(), ANOMALY_M0, backpass_pico::start())
}

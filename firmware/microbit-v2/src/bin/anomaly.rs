//! Watches for anomalies: see the README.

#![no_std]
#![no_main]

use backpass_app::anomaly::{Ram, Window3};
use backpass_app::boards::{ANOMALY, run_anomaly};
use cortex_m_rt::entry;
use static_cell::ConstStaticCell;

static RAM: ConstStaticCell<Ram<3, Window3>> = ConstStaticCell::new(Ram::new());

#[entry]
fn main() -> ! {
    run_anomaly(RAM.take(), ANOMALY, backpass_microbit_v2::start())
}

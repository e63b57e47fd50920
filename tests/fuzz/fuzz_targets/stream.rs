#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| backpass_sim::reliability::readers::stream(bytes));

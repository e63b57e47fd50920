//! Times training steps on this computer.

use std::hint::black_box;
use std::time::{Duration, Instant};

use backpass::Rng;
use backpass_app::workloads::{SEED, Workload};

/// Microseconds of a training step of one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// Of all measurements, the one in the middle.
    pub median: f64,
    /// The fastest.
    pub min: f64,
}

/// The shortest measurement: many ticks of the clock.
const SLICE: Duration = Duration::from_micros(200);
/// For a network's memory on its way into the heap.
const STACK: usize = 64 << 20;

/// Times steps of `W` for so long, in one thread.
///
/// # Panics
/// If the thread cannot be started or a step is refused.
#[must_use]
pub fn time<W: Workload>(duration: Duration) -> Timing {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || measure::<W>(duration));
    match thread.expect("a thread can be started").join() {
        Ok(timing) => timing,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn measure<W: Workload>(duration: Duration) -> Timing {
    let mut ram = Box::new(W::RAM);
    let mut rng = Rng::new(SEED);
    W::prepare(&mut ram);
    W::draw(&mut ram, &mut rng);
    let mut steps = |count: u32| {
        let start = Instant::now();
        for _ in 0..count {
            assert!(black_box(W::step(black_box(&mut ram))), "a step was refused");
        }
        start.elapsed()
    };
    // The first steps warm caches up and say how many fill a slice.
    let mut count = 1;
    while steps(count) < SLICE && count < 1 << 20 {
        count *= 2;
    }
    let end = Instant::now() + duration;
    let mut slices = Vec::new();
    while slices.len() < 5 || Instant::now() < end {
        slices.push(steps(count).as_secs_f64() * 1e6 / f64::from(count) / f64::from(W::BATCH));
    }
    slices.sort_by(f64::total_cmp);
    let [min, median] = [0, slices.len() / 2].map(|index| slices.get(index).copied().unwrap_or(f64::NAN));
    Timing { median, min }
}

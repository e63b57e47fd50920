//! Simulated time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use embedded_hal::delay::DelayNs;

/// Time that advances when somebody waits. Clones show the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock(Rc<Cell<u64>>);

impl Clock {
    /// A clock at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The time since the start, in nanoseconds.
    #[must_use]
    pub fn nanoseconds(&self) -> u64 {
        self.0.get()
    }

    /// The time since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds())
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0.set(self.nanoseconds().saturating_add(nanoseconds));
    }
}

impl DelayNs for Clock {
    fn delay_ns(&mut self, ns: u32) {
        self.advance(Duration::from_nanos(ns.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_while_somebody_waits() {
        let clock = Clock::new();
        let mut delay = clock.clone();
        delay.delay_ms(20);
        delay.delay_us(5);
        delay.delay_ns(7);
        assert_eq!(clock.nanoseconds(), 20_005_007);
        assert_eq!(clock.now(), Duration::from_nanos(20_005_007));
    }
}

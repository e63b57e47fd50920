//! The time, from a counter that is too short.

use super::pace::Clock;

/// A counter of microseconds with 32 bits, which begins anew every 71 minutes, as a [`Clock`]. It is to be asked at least that often.
#[derive(Debug, Clone, Copy)]
pub struct ShortCounter<F> {
    read: F,
    last: u32,
    /// How often it began anew.
    rounds: u32,
}

impl<F: FnMut() -> u32> ShortCounter<F> {
    /// `read` gives what the counter says.
    pub const fn new(read: F) -> Self {
        Self { read, last: 0, rounds: 0 }
    }
}

impl<F: FnMut() -> u32> Clock for ShortCounter<F> {
    fn microseconds(&mut self) -> u64 {
        let now = (self.read)();
        if now < self.last {
            self.rounds = self.rounds.saturating_add(1);
        }
        self.last = now;
        u64::from(self.rounds) << 32 | u64::from(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_when_the_counter_begins_anew() {
        let mut says = [5, 4_000_000_000, 7, 7, 6].into_iter();
        let mut clock = ShortCounter::new(|| says.next().unwrap());
        let round = 1_u64 << 32;
        for expected in [5, 4_000_000_000, round + 7, round + 7, 2 * round + 6] {
            assert_eq!(clock.microseconds(), expected);
        }
    }
}

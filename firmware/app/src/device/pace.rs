//! A fixed rate.

/// The time, which `embedded-hal` 1.0 has no trait for.
pub trait Clock {
    /// Microseconds since some moment, such as switch-on. It never runs backwards.
    fn microseconds(&mut self) -> u64;
}

/// Says how long to wait for the next step of a fixed rate, so that errors do not add up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    period: u32,
    next: Option<u64>,
}

/// How long to wait, and how late it is, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) microseconds: u32,
    pub(crate) late: Option<u32>,
}

impl Pace {
    pub(crate) const fn new(period: u32) -> Self {
        Self { period, next: None }
    }

    pub(crate) fn wait(&mut self, clock: &mut impl Clock) -> Wait {
        let now = clock.microseconds();
        let period = u64::from(self.period);
        let next = self.next.unwrap_or(now).saturating_add(period);
        if let Some(remaining) = next.checked_sub(now) {
            self.next = Some(next);
            return Wait { microseconds: u32::try_from(remaining).unwrap_or(u32::MAX), late: None };
        }
        // Steps that were missed are not made up for.
        self.next = Some(now);
        let late = now.saturating_sub(next);
        Wait { microseconds: 0, late: Some(u32::try_from(late).unwrap_or(u32::MAX)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct At(u64);

    impl Clock for At {
        fn microseconds(&mut self) -> u64 {
            self.0
        }
    }

    #[test]
    fn a_step_that_takes_time_is_made_up_for() {
        let mut pace = Pace::new(100);
        let wait = |microseconds| Wait { microseconds, late: None };
        assert_eq!(pace.wait(&mut At(1000)), wait(100));
        assert_eq!(pace.wait(&mut At(1130)), wait(70));
        assert_eq!(pace.wait(&mut At(1200)), wait(100));
        assert_eq!(pace.wait(&mut At(1650)), Wait { microseconds: 0, late: Some(250) });
        assert_eq!(pace.wait(&mut At(1660)), wait(90));
    }
}

//! A push button.

use embedded_hal::digital::InputPin;

use super::event::{Fault, PushButton};

/// A button that is looked at at a fixed rate: slow enough that its contacts have come to rest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Press {
    which: PushButton,
    held: u32,
    /// Whether it was seen released since switch-on, or since it was stuck.
    usable: bool,
    told: bool,
    unreadable: bool,
    /// Looks after which a button that is held is stuck.
    limit: u32,
}

/// How a button is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pressed {
    Released,
    /// Since this look.
    Now,
    Held,
    Fault(Fault),
}

impl Press {
    pub(crate) const fn new(which: PushButton, limit: u32) -> Self {
        Self { which, held: 0, usable: false, told: false, unreadable: false, limit }
    }

    /// Whether a fault was told of that lasts.
    pub(crate) const fn is_failing(&self) -> bool {
        self.told || self.unreadable
    }

    pub(crate) fn look(&mut self, pin: &mut impl InputPin) -> Pressed {
        let Ok(held) = pin.is_low() else {
            self.held = 0;
            let told = core::mem::replace(&mut self.unreadable, true);
            return if told { Pressed::Released } else { Pressed::Fault(Fault::ButtonUnreadable(self.which)) };
        };
        self.unreadable = false;
        if !held {
            (self.held, self.usable, self.told) = (0, true, false);
            return Pressed::Released;
        }
        self.held = self.held.saturating_add(1);
        // A button held at switch-on is told of at once: nobody has pressed it.
        if self.held > self.limit || !self.usable {
            self.usable = false;
            let told = core::mem::replace(&mut self.told, true);
            return if told { Pressed::Released } else { Pressed::Fault(Fault::ButtonStuck(self.which)) };
        }
        if self.held == 1 { Pressed::Now } else { Pressed::Held }
    }
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;

    use embedded_hal::digital::ErrorType;

    use super::*;

    struct Level(bool);

    impl ErrorType for Level {
        type Error = Infallible;
    }

    impl InputPin for Level {
        fn is_high(&mut self) -> Result<bool, Infallible> {
            Ok(self.0)
        }

        fn is_low(&mut self) -> Result<bool, Infallible> {
            Ok(!self.0)
        }
    }

    fn looks(press: &mut Press, levels: &[bool]) -> std::vec::Vec<Pressed> {
        levels.iter().map(|held| press.look(&mut Level(!held))).collect()
    }

    #[test]
    fn a_press_is_seen_once() {
        let mut press = Press::new(PushButton::A, 10);
        let seen = looks(&mut press, &[false, true, true, false, true]);
        use Pressed::{Held, Now, Released};
        assert_eq!(seen, [Released, Now, Held, Released, Now]);
    }

    #[test]
    fn a_stuck_button_is_told_of_once_and_is_released() {
        let mut press = Press::new(PushButton::B, 2);
        let stuck = Pressed::Fault(Fault::ButtonStuck(PushButton::B));
        let seen = looks(&mut press, &[false, true, true, true, true, false, true]);
        use Pressed::{Held, Now, Released};
        assert_eq!(seen, [Released, Now, Held, stuck, Released, Released, Now]);
        assert!(!press.is_failing());
        let mut press = Press::new(PushButton::B, 2);
        assert_eq!(looks(&mut press, &[true, true, false, true]), [stuck, Released, Released, Now]);
    }
}

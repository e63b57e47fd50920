//! The networks of the applications in `backpass-app`, as lines.

use crate::network::line::LineError;
use crate::network::{Network, Rule};

/// An application whose network and rule are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Application {
    /// Handwritten digits, 64-32-10
    Digits,
    /// Digits of a board with 16 KB of RAM, 64-8-10
    DigitsSmall,
    /// Four gestures of a sensor with three axes
    Gesture,
    /// Four gestures of a sensor with six axes
    Gesture6,
}

impl Application {
    const fn line(self) -> &'static str {
        match self {
            Self::Digits => "64 dense(32) relu dense(10)",
            Self::DigitsSmall => "64 dense(8) relu dense(10)",
            Self::Gesture => {
                "3x32 conv1d(8,5,2,padding=same) relu conv1d(16,3,2,padding=same) relu globalaveragepool dense(4)"
            }
            Self::Gesture6 => {
                "6x32 conv1d(8,5,2,padding=same) relu conv1d(16,3,2,padding=same) relu globalaveragepool dense(4)"
            }
        }
    }

    /// Its network.
    ///
    /// # Errors
    /// None that a test would not find.
    pub fn network(self) -> Result<Network, LineError> {
        Network::from_line(self.line())
    }

    /// The rule that trains it.
    #[must_use]
    pub const fn rule(self) -> Rule {
        match self {
            Self::Digits | Self::DigitsSmall => Rule::Momentum,
            Self::Gesture | Self::Gesture6 => Rule::Adam,
        }
    }

    /// Whether its checkpoints keep more than the learner: a scaler, windows.
    #[must_use]
    pub const fn keeps_more(self) -> bool {
        matches!(self, Self::Gesture | Self::Gesture6)
    }
}

#[cfg(test)]
mod tests {
    use backpass::checkpoint::network_fingerprint;
    use backpass::{Layer, Params, Zero};
    use backpass_app::{digits, gesture};

    use super::*;

    fn same<N: Layer<X>, X>(application: Application) {
        let expected = network_fingerprint::<N, X>(&N::Params::ZERO);
        assert_eq!(application.network().unwrap().fingerprint(), expected, "{application:?}");
        assert_eq!(application.network().unwrap().parameter_count(), N::Params::COUNT);
    }

    #[test]
    fn lines_are_the_applications_networks() {
        same::<digits::Network<{ digits::HIDDEN }>, digits::Input>(Application::Digits);
        same::<digits::Network<{ digits::SMALL_HIDDEN }>, digits::Input>(Application::DigitsSmall);
        same::<gesture::Network<4>, gesture::Input<3>>(Application::Gesture);
        same::<gesture::Network<4>, gesture::Input<6>>(Application::Gesture6);
    }
}

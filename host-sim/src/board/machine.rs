//! The emulated boards.

use backpass_app::digits;

/// A board that QEMU emulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Machine {
    /// BBC micro:bit: Cortex-M0, no floating-point unit, 16 KB of RAM.
    Microbit,
    /// Arm MPS2 with AN385: Cortex-M3, no floating-point unit.
    Mps2An385,
    /// Arm MPS2 with AN386: Cortex-M4F.
    Mps2An386,
    /// Arm MPS2 with AN500: Cortex-M7.
    Mps2An500,
    /// Arm MPS2 with AN505: Cortex-M33.
    Mps2An505,
}

impl Machine {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Microbit, Self::Mps2An385, Self::Mps2An386, Self::Mps2An500, Self::Mps2An505];

    /// QEMU's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Microbit => "microbit",
            Self::Mps2An385 => "mps2-an385",
            Self::Mps2An386 => "mps2-an386",
            Self::Mps2An500 => "mps2-an500",
            Self::Mps2An505 => "mps2-an505",
        }
    }

    /// The board that runs an image of this machine's target that needs more memory than this machine has.
    #[must_use]
    pub const fn roomy(self) -> Self {
        match self {
            // A Cortex-M3 runs every instruction of a Cortex-M0.
            Self::Microbit => Self::Mps2An385,
            _ => self,
        }
    }

    /// The core, as its maker writes it.
    #[must_use]
    pub const fn core(self) -> &'static str {
        match self {
            Self::Microbit => "Cortex-M0",
            Self::Mps2An385 => "Cortex-M3",
            Self::Mps2An386 => "Cortex-M4F",
            Self::Mps2An500 => "Cortex-M7",
            Self::Mps2An505 => "Cortex-M33",
        }
    }

    /// The Rust target.
    #[must_use]
    pub const fn target(self) -> &'static str {
        match self {
            Self::Microbit => "thumbv6m-none-eabi",
            Self::Mps2An385 => "thumbv7m-none-eabi",
            Self::Mps2An386 | Self::Mps2An500 => "thumbv7em-none-eabihf",
            Self::Mps2An505 => "thumbv8m.main-none-eabihf",
        }
    }

    /// The compiler's name of the core.
    #[must_use]
    pub const fn cpu(self) -> &'static str {
        match self {
            Self::Microbit => "cortex-m0",
            Self::Mps2An385 => "cortex-m3",
            Self::Mps2An386 => "cortex-m4",
            Self::Mps2An500 => "cortex-m7",
            Self::Mps2An505 => "cortex-m33",
        }
    }

    /// Whether its RAM takes the small network and a part of the training images only.
    #[must_use]
    pub const fn is_small(self) -> bool {
        matches!(self, Self::Microbit)
    }

    /// Hidden units and training images of the digits application there.
    #[must_use]
    pub const fn size(self) -> (usize, usize) {
        if self.is_small() {
            (digits::SMALL_HIDDEN, digits::SMALL_TRAINING)
        } else {
            (digits::HIDDEN, digits::TRAINING)
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn the_command_line_takes_qemus_names() {
        for machine in Machine::ALL {
            assert_eq!(Machine::from_str(machine.name(), false), Ok(machine));
        }
        assert_eq!(Machine::value_variants(), Machine::ALL);
    }
}

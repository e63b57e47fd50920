//! Boards and chips that can be bought, and whether a network fits them.

use super::{Budget, Costs, Time};
use crate::bench::Core;

/// A board, or a chip that many boards have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Board {
    /// Its name on the command line.
    pub name: &'static str,
    /// What probe-rs calls its chip.
    pub chip: &'static str,
    /// Its core.
    pub core: Core,
    /// Hertz, at the most.
    pub clock: u32,
    /// Bytes of its largest RAM in one piece: the memory of training is one static.
    pub ram: usize,
    /// Bytes of flash.
    pub flash: usize,
}

const fn board(
    name: &'static str,
    chip: &'static str,
    core: Core,
    megahertz: u32,
    (ram, flash): (usize, usize),
) -> Board {
    Board { name, chip, core, clock: megahertz * 1_000_000, ram: ram << 10, flash: flash << 10 }
}

/// From the smallest RAM to the largest. Memories are those of probe-rs' target descriptions, which a test compares; where flash is a chip of
/// its own it is the board's.
pub const BOARDS: [Board; 20] = [
    board("stm32g031", "STM32G031K8Tx", Core::M0, 64, (8, 64)),
    board("stm32l053", "STM32L053R8Tx", Core::M0, 32, (8, 64)),
    board("microbit-v1", "nRF51822_xxAA", Core::M0, 16, (16, 256)),
    board("stm32f103c8", "STM32F103C8Tx", Core::M3, 72, (20, 64)),
    board("arduino-zero", "ATSAMD21G18A", Core::M0, 48, (32, 256)),
    board("stm32g071", "STM32G071RBTx", Core::M0, 64, (36, 128)),
    board("nrf52832", "nRF52832_xxAA", Core::M4f, 64, (64, 512)),
    board("stm32f401re", "STM32F401RETx", Core::M4f, 84, (96, 512)),
    board("stm32l476rg", "STM32L476RGTx", Core::M4f, 80, (96, 1024)),
    board("microbit-v2", "nRF52833_xxAA", Core::M4f, 64, (128, 512)),
    board("nucleo-f446re", "STM32F446RETx", Core::M4f, 180, (128, 512)),
    board("stm32f411ce", "STM32F411CEUx", Core::M4f, 100, (128, 512)),
    board("samd51", "ATSAMD51J19A", Core::M4f, 120, (192, 512)),
    board("nano-33-ble", "nRF52840_xxAA", Core::M4f, 64, (256, 1024)),
    board("pico", "RP2040", Core::M0, 125, (264, 2048)),
    board("lpc55s69", "LPC55S69JBD100", Core::M33, 150, (272, 630)),
    board("stm32f746ng", "STM32F746NGHx", Core::M7, 216, (320, 1024)),
    board("stm32h743zi", "STM32H743ZITx", Core::M7, 480, (512, 2048)),
    board("pico2", "RP235x", Core::M33, 150, (520, 4096)),
    board("stm32u575", "STM32U575ZITxQ", Core::M33, 160, (768, 2048)),
];

impl Board {
    /// The board of this name, whatever its case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        BOARDS.into_iter().find(|board| board.name.eq_ignore_ascii_case(name) || board.chip.eq_ignore_ascii_case(name))
    }

    /// The core, as its maker writes it.
    #[must_use]
    pub fn core_name(&self) -> &'static str {
        match self.core {
            Core::M0 if self.chip.starts_with("nRF51") => "Cortex-M0",
            Core::M0 => "Cortex-M0+",
            Core::M3 => "Cortex-M3",
            Core::M4f => "Cortex-M4F",
            Core::M7 => "Cortex-M7",
            Core::M33 => "Cortex-M33",
            Core::Host => "host",
        }
    }
}

/// A network on a board.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// The board.
    pub board: Board,
    /// Bytes of RAM that are missing; 0 if it fits.
    pub ram_missing: usize,
    /// Bytes of flash that are missing, as an estimate.
    pub flash_missing: usize,
    /// Seconds, as an estimate.
    pub time: Time,
}

impl Fit {
    /// The network of a budget on a board.
    #[must_use]
    pub fn new(budget: &Budget, board: Board, costs: &Costs) -> Self {
        Self {
            board,
            ram_missing: budget.ram_with_stack().saturating_sub(board.ram),
            flash_missing: costs.flash(budget, board.core).saturating_sub(board.flash),
            time: costs.seconds(budget, board.core, board.clock),
        }
    }

    /// Whether the network fits.
    #[must_use]
    pub const fn fits(&self) -> bool {
        self.ram_missing == 0 && self.flash_missing == 0
    }
}

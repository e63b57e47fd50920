//! The boards that a project can be made for, and the files that are theirs.

/// A board that a project can be made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Board {
    /// BBC micro:bit v2.
    MicrobitV2,
    /// ST Nucleo-F446RE.
    NucleoF446re,
    /// Raspberry Pi Pico.
    Pico,
    /// Raspberry Pi Pico 2.
    Pico2,
    /// Arm MPS2 with AN386, emulated by QEMU.
    #[value(alias = "mps2-an386")]
    Qemu,
}

/// What differs from board to board.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    pub(super) title: &'static str,
    pub(super) target: &'static str,
    /// Bytes of RAM of the memory map.
    pub(super) ram: usize,
    /// Bytes of flash.
    pub(super) flash: usize,
    /// Bytes of a slot of checkpoints: a multiple of the first, at least the second.
    pub(super) slot: (usize, usize),
    /// The board's name in the table of [`budget`](crate::budget), which has its clock.
    pub(super) budget: &'static str,
    /// The address of its line.
    pub(super) line: &'static str,
    pub(super) run: &'static str,
    pub(super) setup: &'static str,
    pub(super) link_arguments: &'static str,
    pub(super) dependencies: &'static str,
    pub(super) config: &'static str,
    pub(super) memory: &'static str,
    pub(super) source: &'static str,
    /// What stands for what in `source`, beside what stands for it everywhere.
    pub(super) chip: &'static [(&'static str, &'static str)],
    /// The functions for a flash chip, if they are the board's own.
    pub(super) flash_source: Option<&'static str>,
    /// The versions that were tested.
    pub(super) lock: &'static str,
}

/// The files of a folder of templates.
macro_rules! template {
    ($board:literal, $file:literal) => {
        include_str!(concat!("../../templates/", $board, "/", $file))
    };
}

/// What a board's own crate has already.
macro_rules! firmware {
    ($board:literal, $file:literal) => {
        include_str!(concat!("../../../firmware/", $board, "/", $file))
    };
}

const FLASHES: &str = "flashes the board and shows its log";
const WITH_LOG: &str = r#""--nmagic", "-Tlink.x", "-Tdefmt.x""#;

impl Board {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::MicrobitV2, Self::NucleoF446re, Self::Pico, Self::Pico2, Self::Qemu];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MicrobitV2 => "microbit-v2",
            Self::NucleoF446re => "nucleo-f446re",
            Self::Pico => "pico",
            Self::Pico2 => "pico2",
            Self::Qemu => "qemu",
        }
    }

    /// The Rust target.
    #[must_use]
    pub const fn target(self) -> &'static str {
        self.parts().target
    }

    pub(super) const fn parts(self) -> Parts {
        match self {
            Self::MicrobitV2 => Parts {
                title: "a BBC micro:bit v2",
                target: "thumbv7em-none-eabihf",
                ram: 128 << 10,
                flash: 512 << 10,
                slot: (4096, 64 << 10),
                budget: "microbit-v2",
                line: "/dev/ttyACM0",
                run: FLASHES,
                setup: template!("microbit-v2", "setup.md"),
                link_arguments: WITH_LOG,
                dependencies: template!("microbit-v2", "dependencies.toml"),
                config: firmware!("microbit-v2", ".cargo/config.toml"),
                memory: template!("microbit-v2", "memory.x"),
                source: template!("microbit-v2", "board.rs"),
                chip: &[],
                flash_source: None,
                lock: firmware!("microbit-v2", "Cargo.lock"),
            },
            Self::NucleoF446re => Parts {
                title: "an ST Nucleo-F446RE",
                target: "thumbv7em-none-eabihf",
                ram: 128 << 10,
                flash: 512 << 10,
                slot: (128 << 10, 128 << 10),
                budget: "nucleo-f446re",
                line: "/dev/ttyACM0",
                run: FLASHES,
                setup: template!("nucleo-f446re", "setup.md"),
                link_arguments: WITH_LOG,
                dependencies: template!("nucleo-f446re", "dependencies.toml"),
                config: firmware!("nucleo-f446re", ".cargo/config.toml"),
                memory: template!("nucleo-f446re", "memory.x"),
                source: template!("nucleo-f446re", "board.rs"),
                chip: &[],
                flash_source: None,
                lock: firmware!("nucleo-f446re", "Cargo.lock"),
            },
            Self::Pico => Parts {
                title: "a Raspberry Pi Pico",
                target: "thumbv6m-none-eabi",
                // Striped; 8 KB more are apart.
                ram: 256 << 10,
                flash: 2048 << 10,
                slot: (4096, 64 << 10),
                budget: "pico",
                line: "/dev/ttyACM0",
                run: FLASHES,
                setup: template!("pico", "setup.md"),
                link_arguments: WITH_LOG,
                dependencies: template!("pico", "dependencies.toml"),
                config: firmware!("pico", ".cargo/config.toml"),
                memory: template!("pico", "memory.x"),
                source: template!("raspberry-pi", "board.rs"),
                chip: &[
                    ("chip_title", "A Raspberry Pi Pico"),
                    ("chip_import", "use portable_atomic as _;\n"),
                    ("hal", "rp2040_hal"),
                    ("chip_start", template!("pico", "start.rs")),
                ],
                flash_source: Some(firmware!("pico", "src/flash.rs")),
                lock: firmware!("pico", "Cargo.lock"),
            },
            Self::Pico2 => Parts {
                title: "a Raspberry Pi Pico 2",
                target: "thumbv8m.main-none-eabihf",
                ram: 512 << 10,
                flash: 4096 << 10,
                slot: (4096, 64 << 10),
                budget: "pico2",
                line: "/dev/ttyACM0",
                run: FLASHES,
                setup: template!("pico2", "setup.md"),
                link_arguments: WITH_LOG,
                dependencies: template!("pico2", "dependencies.toml"),
                config: firmware!("pico2", ".cargo/config.toml"),
                memory: template!("pico2", "memory.x"),
                source: template!("raspberry-pi", "board.rs"),
                chip: &[
                    ("chip_title", "A Raspberry Pi Pico 2"),
                    ("chip_import", "use rp235x_hal::block::ImageDef;\n"),
                    ("hal", "rp235x_hal"),
                    ("chip_start", template!("pico2", "start.rs")),
                ],
                flash_source: Some(firmware!("pico2", "src/flash.rs")),
                lock: firmware!("pico2", "Cargo.lock"),
            },
            Self::Qemu => Parts {
                title: "an Arm MPS2 with AN386 (Cortex-M4F), emulated by QEMU",
                target: "thumbv7em-none-eabihf",
                ram: 4096 << 10,
                flash: 4096 << 10,
                slot: (4096, 4096),
                // It has no clock of its own; that of a board with this core.
                budget: "microbit-v2",
                line: "127.0.0.1:3333",
                run: "starts it in QEMU; Ctrl-C ends it",
                setup: template!("qemu", "setup.md"),
                link_arguments: r#""--nmagic", "-Tlink.x""#,
                dependencies: template!("qemu", "dependencies.toml"),
                config: template!("qemu", "config.toml"),
                memory: template!("qemu", "memory.x"),
                source: template!("qemu", "board.rs"),
                chip: &[],
                flash_source: None,
                lock: firmware!("qemu", "Cargo.lock"),
            },
        }
    }
}

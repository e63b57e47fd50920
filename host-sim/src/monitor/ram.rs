//! The RAM that an image takes, whatever it does.

use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, elf};

/// How an image divides the RAM, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaticRam {
    /// For its statics: all learning is among them.
    pub statics: u64,
    /// For its stack, if its linker script says so, as that of `cortex-m-rt` does.
    pub stack: Option<u64>,
}

impl StaticRam {
    /// That of an ELF image; `None` if it is none.
    #[must_use]
    pub fn of_elf(bytes: &[u8]) -> Option<Self> {
        let file = object::File::parse(bytes).ok()?;
        let is_ram = |flags| {
            let SectionFlags::Elf { sh_flags } = flags else { return false };
            let wanted = u64::from(elf::SHF_ALLOC | elf::SHF_WRITE);
            sh_flags & wanted == wanted
        };
        let statics = file.sections().filter(|section| is_ram(section.flags())).map(|section| section.size()).sum();
        let symbol = |name| file.symbols().find(|symbol| symbol.name() == Ok(name)).map(|symbol| symbol.address());
        let stack = symbol("_stack_start").zip(symbol("_stack_end")).and_then(|(top, end)| top.checked_sub(end));
        Some(Self { statics, stack })
    }
}

//! Adds up what is executed between markers.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::decode::{Cost, REFILL};

/// `mov r10, r10`: a region begins.
const BEGIN: [u8; 2] = 0x46d2_u16.to_le_bytes();
/// `mov r11, r11`: a region ends.
const END: [u8; 2] = 0x46db_u16.to_le_bytes();

/// What QEMU must tell the counter when an instruction is about to be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// A region begins.
    Begin,
    /// A region ends.
    End,
    /// The block of this number is entered.
    Enter(usize),
}

/// An instruction: its address and what it costs in its place, without and with pipelined loads.
#[derive(Debug, Clone, Copy)]
struct Instruction {
    address: u64,
    cycles: u32,
    pipelined: u32,
}

/// Code that is executed from its first instruction to its last.
#[derive(Debug, Clone, Default)]
struct Block {
    instructions: Vec<Instruction>,
    /// The address behind it.
    end: u64,
    executed: u64,
    /// How often a taken branch led here.
    jumps: u64,
}

/// All counts.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    blocks: Vec<Block>,
    /// The block that was entered last in this region.
    last: Option<usize>,
    counting: bool,
    regions: u64,
}

impl Counter {
    /// Counts nothing yet.
    pub(crate) const fn new() -> Self {
        Self { blocks: Vec::new(), last: None, counting: false, regions: 0 }
    }

    /// Takes in a piece of code as QEMU translates it: addresses and bytes. Returns for each instruction the event of its
    /// execution, if it is one.
    pub(crate) fn translate<'b>(&mut self, code: impl Iterator<Item = (u64, &'b [u8])>) -> Vec<Option<Event>> {
        let mut events = Vec::new();
        let mut open: Option<(usize, Cost)> = None;
        for (address, bytes) in code {
            if bytes == BEGIN || bytes == END {
                open = None;
                events.push(Some(if bytes == BEGIN { Event::Begin } else { Event::End }));
                continue;
            }
            let cost = Cost::decode(bytes);
            let (number, previous) = match open {
                Some((number, previous)) => (number, Some(previous)),
                None => {
                    self.blocks.push(Block::default());
                    (self.blocks.len() - 1, None)
                }
            };
            events.push(previous.is_none().then_some(Event::Enter(number)));
            let (cycles, pipelined) = cost.after(previous.as_ref());
            if let Some(block) = self.blocks.get_mut(number) {
                block.end = address + bytes.len() as u64;
                block.instructions.push(Instruction { address, cycles, pipelined });
            }
            open = Some((number, cost));
        }
        events
    }

    /// Something is about to be executed.
    pub(crate) fn execute(&mut self, event: Event) {
        match event {
            Event::Begin => {
                self.counting = true;
                self.last = None;
                self.regions += 1;
            }
            Event::End => self.counting = false,
            Event::Enter(number) if self.counting => {
                let end = self.last.and_then(|last| self.blocks.get(last)).map(|block| block.end);
                if let Some(block) = self.blocks.get_mut(number) {
                    block.executed += 1;
                    let start = block.instructions.first().map(|first| first.address);
                    block.jumps += u64::from(end.is_some() && end != start);
                }
                self.last = Some(number);
            }
            Event::Enter(_) => {}
        }
    }

    /// The counts as text, by address.
    pub(crate) fn report(&self) -> String {
        let mut sums = BTreeMap::<u64, [u64; 3]>::new();
        for block in self.blocks.iter().filter(|block| block.executed > 0) {
            let mut refills = REFILL * block.jumps;
            for Instruction { address, cycles, pipelined } in &block.instructions {
                let [executed, all_cycles, all_pipelined] = sums.entry(*address).or_default();
                *executed += block.executed;
                *all_cycles += u64::from(*cycles) * block.executed + refills;
                *all_pipelined += u64::from(*pipelined) * block.executed + refills;
                refills = 0;
            }
        }
        let mut text = format!("regions {}\n", self.regions);
        for (address, [executed, cycles, pipelined]) in sums {
            // Writing to a string does not fail.
            let _ = writeln!(text, "at {address:x} {executed} {cycles} {pipelined}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOP: &[u8] = &[0x00, 0xbf];
    const LOAD: &[u8] = &[0x48, 0x68];

    /// Translates code that begins at 0x100 and executes it once.
    fn run(counter: &mut Counter, code: &[&[u8]]) {
        let mut address = 0x100;
        let placed: Vec<_> = code
            .iter()
            .map(|bytes| {
                address += bytes.len() as u64;
                (address - bytes.len() as u64, *bytes)
            })
            .collect();
        let events = counter.translate(placed.into_iter());
        assert_eq!(events.len(), code.len());
        events.into_iter().flatten().for_each(|event| counter.execute(event));
    }

    #[test]
    fn counts_between_the_markers_only_and_adds_regions_up() {
        let mut counter = Counter::new();
        run(&mut counter, &[NOP, &BEGIN, NOP, LOAD, LOAD, &END, NOP, NOP]);
        run(&mut counter, &[&BEGIN, NOP, &END]);
        let report = counter.report();
        assert_eq!(
            report.lines().collect::<Vec<_>>(),
            ["regions 2", "at 102 1 1 1", "at 104 1 1 1", "at 106 1 2 2", "at 108 1 2 1"]
        );
    }

    #[test]
    fn a_taken_branch_costs_a_refill_and_falling_through_does_not() {
        let mut counter = Counter::new();
        let [a, b] = [0x200, 0x300].map(|address| counter.translate([(address, NOP)].into_iter())[0].unwrap());
        let next = counter.translate([(0x202, NOP)].into_iter())[0].unwrap();
        counter.execute(Event::Begin);
        for event in [a, next, b, a] {
            counter.execute(event);
        }
        counter.execute(Event::End);
        // Two branches: to b, and back to a.
        let report = counter.report();
        assert_eq!(report.lines().skip(1).collect::<Vec<_>>(), ["at 200 2 4 4", "at 202 1 1 1", "at 300 1 3 3"]);
    }
}

use std::path::Path;
use std::time::Duration;
use backpass_sim::board::{Machine, Program};
fn main() {
    for (image, machine) in [("/tmp/scratch/boards/steps-m4", Machine::Mps2An386), ("/tmp/scratch/boards/steps-m0", Machine::Mps2An385)] {
        let program = Program::load(Path::new(image)).unwrap().counting();
        let mut emulation = program.start(machine, None).unwrap();
        while let Some(message) = emulation.message(Duration::from_secs(100)).unwrap() { println!("{message}"); }
        emulation.finish().unwrap();
    }
}

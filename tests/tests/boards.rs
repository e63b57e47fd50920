//! The images of real boards, of which none is at hand: each lies inside its chip's memories as probe-rs describes them, with what the
//! chip's ROM asks for, a stack that cannot run into the statics, and room for checkpoints; pins and addresses are those of the
//! README and of the drivers; a step of each application is short enough for the board's clock, and the serial line is looked at often
//! enough.
//!
//! Where QEMU or a Rust target is missing, a test is reported as ignored and says why; with `BACKPASS_REQUIRE_QEMU=1` it fails instead.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use backpass_app::boards::{ANOMALY, ANOMALY_M0, CLASSES, GESTURE, GESTURE_M0};
use backpass_app::device::Sensor;
use backpass_app::device::sensors::{AccelFullScale, AccelScale, Lsm303agrSensor, Mpu6050Sensor};
use backpass_app::{anomaly, gesture, stream};
use backpass_sim::board::{self, Image, Machine, Profile, Program};
use backpass_sim::flash::SimulatedFlash;
use crc::{CRC_32_MPEG_2, Crc};
use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use libtest_mimic::{Arguments, Failed, Trial};
use object::read::elf::{ElfFile32, ProgramHeader};
use object::{Endianness, Object, ObjectSection, ObjectSymbol};

/// Bytes of stack that every image has; at least twice what is measured.
const STACK: u64 = 16 * 1024;
/// Cycles of an instruction, as an estimate: some take two or three, and flash is slower than the core.
const CYCLES: f64 = 1.5;
/// Microseconds of a step for sensor and log.
const OVERHEAD: f64 = 5000.0;

/// Microseconds of a byte on the line: ten bits, with those that begin and end it.
const BYTE: f64 = 1e7 / stream::BAUD as f64;

#[derive(Debug, Clone, Copy)]
struct Board {
    /// Its folder in `firmware`.
    name: &'static str,
    /// What probe-rs calls its chip.
    chip: &'static str,
    target: &'static str,
    /// Bytes of flash; on the RP2040 and RP2350 a chip of its own, which probe-rs' description of the microcontroller leaves open.
    flash: u64,
    /// Hertz.
    clock: f64,
    channels: usize,
    /// The machine in QEMU whose core has the same instructions, and what its image of steps calls the board's settings.
    machine: Machine,
    /// The address of its sensor on the bus.
    address: fn() -> Vec<u8>,
}

const BOARDS: [Board; 4] = [
    Board {
        name: "microbit-v2",
        chip: "nRF52833_xxAA",
        target: "thumbv7em-none-eabihf",
        flash: 512 << 10,
        clock: 64e6,
        channels: 3,
        machine: Machine::Mps2An386,
        address: lsm303agr,
    },
    Board {
        name: "nucleo-f446re",
        chip: "STM32F446RETx",
        target: "thumbv7em-none-eabihf",
        flash: 512 << 10,
        clock: 180e6,
        channels: 6,
        machine: Machine::Mps2An386,
        address: mpu6050,
    },
    Board {
        name: "pico",
        chip: "RP2040",
        target: "thumbv6m-none-eabi",
        flash: 2 << 20,
        clock: 125e6,
        channels: 6,
        machine: Machine::Microbit,
        address: mpu6050,
    },
    Board {
        name: "pico2",
        chip: "RP235x",
        target: "thumbv8m.main-none-eabihf",
        flash: 4 << 20,
        clock: 150e6,
        channels: 6,
        // A Cortex-M33 takes no more instructions than a Cortex-M4.
        machine: Machine::Mps2An386,
        address: mpu6050,
    },
];

/// The applications with a sensor.
const APPLICATIONS: [&str; 2] = ["gesture", "anomaly"];

fn main() -> ExitCode {
    let required = std::env::var("BACKPASS_REQUIRE_QEMU").is_ok_and(|value| value == "1");
    let may_run = |what: &str, obstacle: Option<String>| {
        if let (Some(reason), false) = (&obstacle, required) {
            // Straight to standard error: not captured, so that it is seen.
            let _ = writeln!(std::io::stderr(), "skipped: {what}: {reason}");
        }
        obstacle.is_some() && !required
    };
    let mut trials = Vec::new();
    for board in BOARDS {
        let obstacle = board::check_target_of(board.target).err().map(|error| error.to_string());
        let ignored = may_run(&format!("images of {}", board.name), obstacle);
        let name = format!("{}_images_fit_the_chip", board.name);
        trials.push(Trial::test(name, move || images(board)).with_ignored_flag(ignored));
        trials.push(Trial::test(format!("{}_pins_are_those_of_its_readme", board.name), move || pins(board)));
        let name = format!("{}_sensor_has_the_address_of_the_readme", board.name);
        trials.push(Trial::test(name, move || address(board)));
        trials.push(Trial::test(format!("{}_is_flashed_as_its_chip", board.name), move || runner(board)));
    }
    for machine in [Machine::Mps2An386, Machine::Microbit] {
        let obstacle = board::check(machine).err().map(|error| error.to_string());
        let ignored = may_run(&format!("steps on {machine}"), obstacle);
        let name = format!("{machine}_steps_are_short_enough_and_the_stack_is_large_enough");
        trials.push(Trial::test(name, move || steps(machine)).with_ignored_flag(ignored));
    }
    let mut arguments = Arguments::from_args();
    // Builds share a folder.
    arguments.test_threads.get_or_insert(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn folder(board: Board) -> PathBuf {
    root().join("firmware").join(board.name)
}

/// A memory of a chip.
#[derive(Debug)]
struct Region {
    is_ram: bool,
    addresses: Range<u64>,
    /// Sizes of sectors, each from an address on.
    sectors: Vec<(u64, u64)>,
}

fn regions(chip: &str) -> Result<Vec<Region>, Failed> {
    let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16);
    let mut regions = Vec::new();
    for line in include_str!("../reference/chips/chips.csv").lines().skip(2) {
        let [of, kind, start, end, sectors] = line.split(',').collect::<Vec<_>>()[..] else {
            return Err(format!("five columns: {line}").into());
        };
        if of != chip {
            continue;
        }
        let sector = |text: &str| {
            let (size, from) = text.split_once('@').ok_or("size@address")?;
            Ok::<_, Failed>((number(from)?, number(size)?))
        };
        let sectors = sectors.split_whitespace().map(sector).collect::<Result<_, _>>()?;
        regions.push(Region { is_ram: kind == "Ram", addresses: number(start)?..number(end)?, sectors });
    }
    Ok(regions)
}

fn within(inner: &Range<u64>, outer: &Range<u64>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

macro_rules! check {
    ($condition:expr, $($words:tt)+) => {
        let holds: bool = $condition;
        if !holds {
            return Err(format!($($words)+).into());
        }
    };
}

/// Where an image keeps what, as far as it is asked about.
struct Layout {
    flash_used: u64,
    flash_free: u64,
    statics: u64,
    ram_free: u64,
}

fn images(board: Board) -> Result<(), Failed> {
    let built = board::build_for_board(&folder(board), board.target, &root().join("target").join("boards"))?;
    for application in APPLICATIONS.into_iter().chain(["stream"]) {
        // Boards with the same target overwrite each other's images.
        let bytes = fs::read(built.join(application))?;
        let layout = layout(board, &bytes).map_err(|error| format!("{application}: {:?}", error.message()))?;
        println!(
            "| {} | {application} | {:.1} KB | {:.1} KB | {:.1} KB | {:.1} KB | {:.1} KB |",
            board.name,
            layout.flash_used as f64 / 1024.0,
            layout.flash_free as f64 / 1024.0,
            layout.statics as f64 / 1024.0,
            STACK as f64 / 1024.0,
            layout.ram_free as f64 / 1024.0,
        );
    }
    Ok(())
}

fn layout(board: Board, bytes: &[u8]) -> Result<Layout, Failed> {
    let image = ElfFile32::<Endianness>::parse(bytes)?;
    let regions = regions(board.chip)?;
    let symbol = |name: &str| {
        let found = image.symbols().find(|symbol| symbol.name() == Ok(name)).map(|symbol| symbol.address());
        found.ok_or_else(|| Failed::from(format!("no symbol {name}")))
    };
    let checkpoints = symbol("_checkpoints_start")?..symbol("_checkpoints_end")?;
    let stack = symbol("_stack_end")?..symbol("_stack_start")?;
    let ram = regions.iter().find(|region| region.is_ram && region.addresses.contains(&stack.start));
    let ram = &ram.ok_or("the stack is in no RAM")?.addresses;
    let chip = regions.iter().find(|region| !region.is_ram && within(&checkpoints, &region.addresses));
    let chip = chip.ok_or("the checkpoints are in no flash")?;
    let flash = chip.addresses.start..chip.addresses.start + board.flash;
    check!(within(&flash, &chip.addresses), "the board has more flash than its chip can");

    // What is programmed, and what it becomes.
    let endian = image.endian();
    let (mut programmed, mut statics) = (flash.start, stack.end);
    for header in image.elf_program_headers() {
        let (size, loaded) = (u64::from(header.p_memsz(endian)), u64::from(header.p_filesz(endian)));
        if header.p_type(endian) != object::elf::PT_LOAD || size == 0 {
            continue;
        }
        let address = u64::from(header.p_vaddr(endian));
        let (source, place) = (u64::from(header.p_paddr(endian)), address..address + size);
        let in_memory = regions.iter().any(|region| within(&place, &region.addresses));
        check!(in_memory, "{place:#x?} is in no memory of {}", board.chip);
        check!(!overlap(&place, &stack), "{place:#x?} lies in the stack {stack:#x?}");
        if within(&place, ram) {
            statics = statics.max(place.end);
        }
        if loaded > 0 {
            let source = source..source + loaded;
            check!(within(&source, &flash), "{source:#x?} is programmed outside of the flash {flash:#x?}");
            check!(!overlap(&source, &checkpoints), "{source:#x?} lies in the checkpoints {checkpoints:#x?}");
            programmed = programmed.max(source.end);
        }
    }

    // The stack: nothing is below it that it could run into.
    check!(stack.start == ram.start, "the stack {stack:#x?} is not at the beginning of {ram:#x?}");
    check!(stack.end - stack.start == STACK, "a stack of {} bytes", stack.end - stack.start);
    let section = |name: &str| image.section_by_name(name).ok_or_else(|| Failed::from(format!("no section {name}")));
    let vectors = section(".vector_table")?;
    // The ROM of the RP2040 starts the program behind its bootloader.
    let first = flash.start + if board.chip == "RP2040" { 256 } else { 0 };
    check!(vectors.address() == first, "the vector table is at {:#x}", vectors.address());
    let [pointer, reset] = words(vectors.data()?).collect::<Vec<_>>()[..2] else { return Err("no vectors".into()) };
    check!(u64::from(pointer) == stack.end, "the first stack pointer is {pointer:#x}");
    let text = section(".text")?;
    let code = text.address()..text.address() + text.size();
    check!(reset % 2 == 1 && code.contains(&u64::from(reset)), "the program starts at {reset:#x}");

    // Checkpoints: whole sectors of one size, enough for each application.
    check!(within(&checkpoints, &flash), "the checkpoints {checkpoints:#x?} are not in the flash {flash:#x?}");
    let sector = chip.sectors.iter().rev().find(|(from, _)| *from <= checkpoints.start).ok_or("no sectors")?.1;
    for address in [checkpoints.start, checkpoints.end] {
        check!((address - flash.start).is_multiple_of(sector), "{address:#x} is within a sector of {sector} bytes");
    }
    let room = checkpoints.end - checkpoints.start;
    let needed = flash_needed(board, sector)?;
    check!(needed <= room, "{needed} bytes are needed for checkpoints, {room} are there");

    match board.chip {
        "RP2040" => boot2(section(".boot2")?.address(), section(".boot2")?.data()?, &flash)?,
        "RP235x" => image_definition(section(".start_block")?.address(), section(".start_block")?.data()?, &flash)?,
        _ => {}
    }
    let rom_floats = image.symbols().any(|symbol| symbol.name().is_ok_and(|name| name.contains("rp2040_hal5float")));
    check!(!rom_floats, "floats are the ROM's, whose bits are others");
    Ok(Layout {
        flash_used: programmed - flash.start,
        flash_free: checkpoints.start - programmed,
        statics: statics - stack.end,
        ram_free: ram.end - statics,
    })
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word))
}

/// The RP2040's ROM starts a bootloader of 252 bytes, if the four behind it are its checksum (datasheet, 2.8.1.3.1).
fn boot2(address: u64, bytes: &[u8], flash: &Range<u64>) -> Result<(), Failed> {
    check!(address == flash.start, "the bootloader is at {address:#x}");
    let (code, checksum) = bytes.split_at_checked(252).ok_or("the bootloader is too short")?;
    let expected = Crc::<u32>::new(&CRC_32_MPEG_2).checksum(code);
    check!(checksum == expected.to_le_bytes(), "the bootloader's checksum is not {expected:#x}");
    Ok(())
}

/// The RP2350's ROM looks in the first 4 KB for a block that says what the image is (datasheet, 5.9.5).
fn image_definition(address: u64, bytes: &[u8], flash: &Range<u64>) -> Result<(), Failed> {
    check!(address + bytes.len() as u64 <= flash.start + 4096, "the block is at {address:#x}");
    let block: Vec<_> = words(bytes).collect();
    // Begin, an executable for Arm in secure mode, the last item after one word, a loop of this block alone, end.
    let expected = [0xffff_ded3, 0x1021_0142, 0x0000_01ff, 0, 0xab12_3579];
    check!(block == expected, "the block is {block:#x?}");
    Ok(())
}

/// The largest of what the applications need for checkpoints.
fn flash_needed(board: Board, sector: u64) -> Result<u64, Failed> {
    fn of<const C: usize, G, A>(sector: u64) -> Result<u64, Failed>
    where
        G: backpass::Zero + backpass::stream::Storage<gesture::Input<C>>,
        A: backpass::Zero + backpass::stream::Storage<anomaly::Input<C>>,
    {
        let mut ram = Box::new(gesture::Ram::<C, CLASSES, G>::new());
        let mut gestures = gesture::Gesture::new(&mut ram, GESTURE);
        let mut ram = Box::new(anomaly::Ram::<C, A>::new());
        let mut anomalies = anomaly::Anomaly::new(&mut ram, ANOMALY);
        let needed = match sector {
            0x1000 => [
                gestures.flash_needed::<SimulatedFlash<1, 256, 0x1000>>(),
                anomalies.flash_needed::<SimulatedFlash<1, 256, 0x1000>>(),
            ],
            0x20000 => [
                gestures.flash_needed::<SimulatedFlash<1, 1, 0x20000>>(),
                anomalies.flash_needed::<SimulatedFlash<1, 1, 0x20000>>(),
            ],
            other => return Err(format!("sectors of {other} bytes").into()),
        };
        // Two slots at least, however large the sectors.
        Ok(u64::from(needed[0].max(needed[1]).max(stream::FLASH)).max(2 * sector))
    }
    match board.channels {
        3 => of::<3, gesture::Window3, anomaly::Window3>(sector),
        _ => of::<6, gesture::Window6, anomaly::Window6>(sector),
    }
}

/// The steps of all applications: short enough for each board's clock or its line, and shallow enough for its stack.
fn steps(machine: Machine) -> Result<(), Failed> {
    let image = board::build(Image::Steps, machine, Profile::Release, &board::firmware_folder())?;
    let program = Program::load(&image)?.counting();
    let mut emulation = program.start(machine.roomy(), None)?;
    let (mut measured, mut line) = (BTreeMap::new(), None);
    while let Some(message) = emulation.message(Duration::from_secs(300))? {
        let words: Vec<_> = message.split_whitespace().collect();
        if let ["line", between, "learns", learning, "observed", observed, "stack", stack] = words[..] {
            check!(observed == "20", "{observed} samples were learned from");
            let stack: u64 = stack.parse()?;
            check!(2 * stack <= STACK, "stream needs {stack} bytes of stack");
            line = Some((between.parse::<f64>()?, learning.parse::<f64>()?, stack));
            continue;
        }
        let ["step", longest, "saves", saves, "stack", stack, "of", application, channels] = words[..] else {
            return Err(format!("not understood: {message}").into());
        };
        // Gestures are saved once more after their rehearsal.
        let expected = if application == "gesture" { "2" } else { "1" };
        check!(saves == expected, "{application} saved {saves} times");
        let stack: u64 = stack.parse()?;
        check!(2 * stack <= STACK, "{application} needs {stack} bytes of stack");
        measured.insert((application.to_owned(), channels.parse::<usize>()?), (longest.parse::<f64>()?, stack));
    }
    emulation.finish()?;
    let (between, learning, stack) = line.ok_or("no steps of stream")?;
    for board in BOARDS.into_iter().filter(|board| board.machine == machine) {
        let [between_us, learning_us] =
            [between, learning].map(|instructions| instructions * CYCLES / board.clock * 1e6);
        println!(
            "| {} | {between:.0} | {between_us:.1} us | {BYTE:.0} us | {:.2} M | {:.0} ms | {stack} B |",
            board.name,
            learning / 1e6,
            learning_us / 1e3
        );
        // Half of the time is for a flash that is slower than the core, and the port's registers.
        check!(2.0 * between_us < BYTE, "between two bytes a step takes {between_us} of {BYTE} microseconds");
        // Sooner than the host asks again.
        check!(learning_us < 250e3, "a sample takes {learning_us} microseconds");
    }
    for board in BOARDS.into_iter().filter(|board| board.machine == machine) {
        let slow = machine == Machine::Microbit;
        let periods = if slow { [GESTURE_M0.period, ANOMALY_M0.period] } else { [GESTURE.period, ANOMALY.period] };
        for (application, period) in APPLICATIONS.into_iter().zip(periods) {
            let of = measured.get(&(application.to_owned(), board.channels));
            let (instructions, stack) = *of.ok_or_else(|| format!("no steps of {application}"))?;
            let time = instructions * CYCLES / board.clock * 1e6 + OVERHEAD;
            println!(
                "| {} | {application} | {:.2} M | {:.0} ms | {} ms | {stack} B |",
                board.name,
                instructions / 1e6,
                time / 1e3,
                period / 1000
            );
            check!(time < f64::from(period), "a step of {application} takes {time} of {period} microseconds");
        }
    }
    Ok(())
}

/// The pins in `src/pins.rs` are those of the README's table, and each is used once.
fn pins(board: Board) -> Result<(), Failed> {
    let source = fs::read_to_string(folder(board).join("src/pins.rs"))?;
    let mut code = BTreeMap::new();
    for line in source.lines() {
        let Some((name, pin)) = line.strip_prefix("pub type ").and_then(|line| line.split_once(" = ")) else {
            continue;
        };
        code.insert(name.to_owned(), pin_name(pin).ok_or_else(|| format!("no pin in {line}"))?);
    }
    let picture = fs::read_to_string(folder(board).join("wiring.svg"))?;
    let mut readme = BTreeMap::new();
    for line in fs::read_to_string(folder(board).join("README.md"))?.lines() {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (Some(name), Some(pin)) = (cells.next(), cells.next()) else { continue };
        if let Some(name) = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')) {
            readme.insert(name.to_owned(), pin.to_owned());
            // The third of four columns is the place on the board's header, for what is to be wired.
            let header =
                cells.next().filter(|header| !header.is_empty() && cells.next().is_some_and(|to| !to.is_empty()));
            for label in header.iter().flat_map(|_| [pin]).chain(header) {
                let label = if label.parse::<u32>().is_ok() { format!("pin {label}") } else { label.to_owned() };
                check!(picture.contains(&format!(">{label}<")), "{label} is not in wiring.svg");
            }
        }
    }
    check!(!code.is_empty() && code == readme, "src/pins.rs: {code:#?}\nREADME.md: {readme:#?}");
    let mut used: Vec<_> = code.values().collect();
    used.sort_unstable();
    used.dedup();
    check!(used.len() == code.len(), "a pin is used twice: {code:#?}");
    Ok(())
}

/// `P0.14`, `GP4` or `PB9`: the name on the board of the pin of a type.
fn pin_name(of: &str) -> Option<String> {
    let of = of.split_once("::").map_or(of, |(_, pin)| pin);
    if let Some(number) = of.strip_prefix("Pin<Gpio") {
        return Some(format!("GP{}", number.split_once(',')?.0));
    }
    let name = of.split_once('<')?.0;
    name.starts_with('P').then(|| name.replace('_', "."))
}

/// A bus on which nobody answers, and which notes who was asked.
#[derive(Debug, Default)]
struct Nobody(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

impl ErrorType for Nobody {
    type Error = ErrorKind;
}

impl I2c for Nobody {
    fn transaction(&mut self, address: u8, _: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        self.0.borrow_mut().push(address);
        Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address))
    }
}

struct NoWait;

impl DelayNs for NoWait {
    fn delay_ns(&mut self, _: u32) {}
}

fn lsm303agr() -> Vec<u8> {
    let bus = Nobody::default();
    let asked = bus.0.clone();
    // It fails: nobody answers.
    let _ = Lsm303agrSensor::new(bus, NoWait, AccelScale::G4).start();
    asked.take()
}

fn mpu6050() -> Vec<u8> {
    let bus = Nobody::default();
    let asked = bus.0.clone();
    let _ = Mpu6050Sensor::new(bus, NoWait, false, AccelFullScale::G4).start();
    asked.take()
}

/// The published driver asks the address that the README gives.
fn address(board: Board) -> Result<(), Failed> {
    let asked = (board.address)();
    let [address] = asked[..] else { return Err(format!("the driver asked {asked:x?}").into()) };
    let readme = fs::read_to_string(folder(board).join("README.md"))?;
    let words = format!("I2C address `{address:#04x}`");
    check!(readme.contains(&words), "the README does not say \"{words}\"");
    Ok(())
}

/// `cargo run` hands the image to probe-rs with the name of the chip, for its target.
fn runner(board: Board) -> Result<(), Failed> {
    let configuration = fs::read_to_string(folder(board).join(".cargo/config.toml"))?;
    let runner = format!("runner = \"probe-rs run --chip {}\"", board.chip);
    check!(configuration.contains(&runner), "no {runner}");
    check!(configuration.contains(&format!("target = \"{}\"", board.target)), "no target {}", board.target);
    check!(!regions(board.chip)?.is_empty(), "probe-rs knows no {}", board.chip);
    Ok(())
}

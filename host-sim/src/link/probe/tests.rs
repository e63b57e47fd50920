use probe_rs::probe::fake_probe::FakeProbe;

use super::*;
use crate::log::{Decoder, Table};

/// A chip whose RAM has what was recorded.
const CHIP: &str = "STM32F446RETx";
/// Long enough to look twice.
const PATIENCE: Duration = Duration::from_millis(60);
/// A program in flash, which does nothing.
const CODE: (u32, &[u8]) = (0, &[0x00, 0x00, 0x02, 0x20, 0x09, 0x00, 0x00, 0x00, 0xfe, 0xe7, 0xfe, 0xe7]);
const READ_ONLY: u32 = object::elf::PF_R | object::elf::PF_X;
const WRITABLE: u32 = object::elf::PF_R | object::elf::PF_W;

/// Pieces of RAM of a board that logs, with their addresses: its control block first, then its ring. `tests/data/record_rtt.py`
/// has recorded them.
fn recorded() -> Vec<(u32, Vec<u8>)> {
    let bytes = std::fs::read(data("rtt-ram.bin")).unwrap();
    let (mut pieces, mut rest) = (Vec::new(), &bytes[..]);
    while let Some((head, behind)) = rest.split_first_chunk::<8>() {
        let [address, length] = *head.as_chunks::<4>().0 else { unreachable!() };
        let (piece, behind) = behind.split_at(u32::from_le_bytes(length) as usize);
        pieces.push((u32::from_le_bytes(address), piece.to_vec()));
        rest = behind;
    }
    pieces
}

fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file)
}

/// An ELF file with segments of this memory, and a symbol for the control block.
fn elf(segments: &[(u32, &[u8], u32)], control_block: Option<u32>) -> tempfile::NamedTempFile {
    const HEADER: usize = 52;
    let strings = b"\0_SEGGER_RTT\0\0\0\0";
    let half = |value: usize| (value as u16).to_le_bytes();
    let word = |value: usize| (value as u32).to_le_bytes();
    let contents = HEADER + 32 * segments.len();
    let symbols: Vec<u8> = control_block.map_or_else(Vec::new, |address| {
        let symbol = [word(1), address.to_le_bytes(), word(4), [0x11, 0, 1, 0]];
        [&[0; 16], symbol.as_flattened()].concat()
    });
    let (mut headers, mut body) = (Vec::new(), Vec::new());
    // A section for each segment: an empty one first, symbols and their names last.
    let section = |kind: u32, flags: usize, address: u32, offset: usize, size: usize, link: usize, entry: usize| {
        let words = [word(0), kind.to_le_bytes(), word(flags), address.to_le_bytes(), word(offset), word(size)];
        [words.as_flattened(), [word(link), word(1), word(4), word(entry)].as_flattened()].concat()
    };
    let mut sections = section(0, 0, 0, 0, 0, 0, 0);
    for (address, bytes, flags) in segments {
        let (offset, size) = (contents + body.len(), bytes.len());
        let place = [word(offset), address.to_le_bytes(), address.to_le_bytes()];
        headers.extend_from_slice(
            &[
                [word(1)].as_flattened(),
                place.as_flattened(),
                [word(size), word(size), flags.to_le_bytes(), word(4)].as_flattened(),
            ]
            .concat(),
        );
        sections.extend(section(1, 2, *address, offset, size, 0, 0));
        body.extend_from_slice(bytes);
    }
    let offset = contents + body.len();
    sections.extend(section(2, 0, 0, offset, symbols.len(), segments.len() + 2, 16));
    sections.extend(section(3, 0, 0, offset + symbols.len(), strings.len(), 0, 0));
    body.extend(symbols);
    body.extend_from_slice(strings);
    let mut file = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for part in [&half(2)[..], &half(40), &word(1), &word(0), &word(HEADER), &word(contents + body.len()), &word(0)] {
        file.extend_from_slice(part);
    }
    for part in [HEADER, 32, segments.len(), 40, segments.len() + 3, segments.len() + 2] {
        file.extend_from_slice(&half(part));
    }
    let temporary = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(temporary.path(), [file, headers, body, sections].concat()).unwrap();
    temporary
}

/// The image of the program, and what the board's memory holds: the program and the pieces.
fn board(pieces: &[(u32, Vec<u8>)]) -> (tempfile::NamedTempFile, tempfile::NamedTempFile) {
    let image = elf(&[(CODE.0, CODE.1, READ_ONLY)], pieces.first().map(|piece| piece.0));
    // The fake probe takes the last word of a piece for one that is not there.
    let padded = |bytes: &[u8]| [bytes, &[0; 4]].concat();
    let mut memory = vec![(CODE.0, padded(CODE.1), READ_ONLY)];
    memory.extend(pieces.iter().map(|(address, bytes)| (*address, padded(bytes), WRITABLE)));
    let memory: Vec<_> = memory.iter().map(|(address, bytes, flags)| (*address, &bytes[..], *flags)).collect();
    (image, elf(&memory, None))
}

fn attach(image: &Path, memory: &Path) -> Result<ProbeLink, ProbeError> {
    let probe = FakeProbe::with_mocked_core_and_binary(memory).into_probe();
    ProbeLink::attach_through(probe, Some(CHIP), &Program::read(image)?, PATIENCE)
}

#[test]
fn what_is_new_in_the_ring_is_read_over_its_end_and_decoded() {
    let pieces = recorded();
    let (image, memory) = board(&pieces);
    let mut link = attach(image.path(), memory.path()).unwrap();
    assert_eq!((link.chip(), link.ram()), (CHIP.to_owned(), Some(128 << 10)));
    let offset = |place: usize| u32::from_le_bytes(*pieces[0].1[place..].first_chunk().unwrap()) as usize;
    let (ring, write, read) = (&pieces[1].1, offset(24 + 12), offset(24 + 16));
    assert!(write < read, "what is new goes over the end");
    let mut buffer = [0; 4096];
    let count = link.receive(&mut buffer, Duration::ZERO).unwrap();
    assert_eq!(buffer[..count], [&ring[read..], &ring[..write]].concat());

    let table = Table::load(&data("rtt.elf")).unwrap().unwrap();
    let (mut decoder, mut texts) = (Decoder::defmt(&table), Vec::new());
    decoder.receive(&buffer[..count], &mut |message| texts.push(message.text));
    assert!(decoder.damaged() <= 1 && texts.len() > 10, "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("taken for") || text.contains("loss")), "{texts:?}");
}

#[test]
fn a_board_that_runs_another_program_is_told() {
    let (_, memory) = board(&recorded());
    let mut other = CODE.1.to_vec();
    other[10] ^= 1;
    let image = elf(&[(CODE.0, &other, READ_ONLY)], None);
    assert!(matches!(attach(image.path(), memory.path()), Err(ProbeError::OtherImage { .. })));
}

#[test]
fn a_log_that_is_not_there_or_makes_no_sense_is_told() {
    let mut pieces = recorded();
    let (image, _) = board(&pieces);
    let (_, empty) = board(&[]);
    assert!(matches!(attach(image.path(), empty.path()), Err(ProbeError::NoLog { .. })));
    // A write offset behind the ring's end.
    pieces[0].1[24 + 12 + 2] = 0xff;
    let (image, memory) = board(&pieces);
    assert!(matches!(attach(image.path(), memory.path()), Err(ProbeError::NoLog { .. })));
}

#[test]
fn chips_that_are_not_known_are_told_with_those_that_are_like_them() {
    assert_eq!(known("stm32f446retx").unwrap(), CHIP);
    let Err(ProbeError::Chip { similar, .. }) = known("STM32F446-Nucleo") else { panic!("that is a board") };
    assert!(similar.iter().any(|name| name.starts_with("STM32F446")), "{similar:?}");
    let Err(ProbeError::Chip { similar, .. }) = known("??") else { panic!("that is no chip") };
    assert!(similar.is_empty(), "{similar:?}");
}

#[test]
fn without_a_probe_it_is_told_what_was_looked_for() {
    let settings = |probe| Settings { chip: Some(CHIP), probe: Some(probe) };
    let (image, _) = board(&[]);
    let attach = |probe| ProbeLink::attach(settings(probe), image.path()).unwrap_err();
    let error = attach("dead:beef");
    assert!(matches!(&error, ProbeError::NoProbe { wanted: Some(wanted) } if wanted == "dead:beef"));
    assert!(!error.to_string().contains('\n') && error.to_string().contains("dead:beef"));
    assert!(matches!(attach("the blue one"), ProbeError::Selector { .. }));
}

#[test]
fn an_image_is_looked_at_before_a_probe() {
    let settings = Settings { chip: Some(CHIP), probe: Some("dead:beef") };
    let attach = |image: &Path| ProbeLink::attach(settings, image).unwrap_err();
    assert!(matches!(attach(Path::new("no/such/image")), ProbeError::Image { .. }));
    assert!(matches!(attach(&data("record_rtt.py")), ProbeError::Image { .. }));
}

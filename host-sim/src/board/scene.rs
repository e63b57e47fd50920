//! The live applications, played on an emulated board and in the twin.

use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

use backpass::checkpoint::Store;
use backpass_app::ram_flash::RamFlash;
use backpass_app::scene::{self, Moment, Played, Scene, Stage};

use super::{BoardError, Machine, Program};

/// How long a board may be silent: soft floats take seconds for the windows of some moments.
const SILENCE: Duration = Duration::from_secs(300);

/// Plays a scene on a machine, whose image is [`Image::Scene`](super::Image::Scene). Tells `progress` how many moments have passed, now and
/// then.
///
/// # Errors
/// See [`BoardError`]; [`BoardError::Failed`] if the image knows no such application.
pub fn play(
    machine: Machine,
    image: &Path,
    scene: &Scene,
    moments: &[Moment],
    progress: &mut dyn FnMut(usize),
) -> Result<Played, BoardError> {
    let program = Program::load(image)?;
    let (mut emulation, mut line) = program.start_with_serial_line(machine, None)?;
    let mut bytes = scene.to_bytes().to_vec();
    bytes.extend(moments.iter().flat_map(Moment::to_bytes));
    bytes.extend(scene::END);
    // The board takes what it has time for. If it ends before, its log says so.
    let sender = thread::spawn(move || drop(line.write_all(&bytes)));
    let mut played = None;
    while let Some(message) = emulation.message(SILENCE)? {
        match message.split_whitespace().collect::<Vec<_>>()[..] {
            ["moment", count] => progress(count.parse().unwrap_or(0)),
            ["played", events, events_crc32, parameters_crc32] => {
                let numbers = [events, events_crc32, parameters_crc32].map(str::parse);
                if let [Ok(events), Ok(events_crc32), Ok(parameters_crc32)] = numbers {
                    played = Some(Played { events, events_crc32, parameters_crc32 });
                }
            }
            _ => {}
        }
    }
    emulation.finish()?;
    // QEMU has ended, and with it the line.
    let _ = sender.join();
    played.ok_or(BoardError::Incomplete { what: "the result of the scene" })
}

/// Plays a scene in the twin. `None` if there is no such application.
#[must_use]
pub fn twin(scene: &Scene, moments: &[Moment]) -> Option<Played> {
    let mut flash = vec![0xff; scene::FLASH as usize];
    let mut store = Store::new(RamFlash::new(&mut flash), 0..scene::FLASH).ok()?;
    let mut moments = moments.iter().copied();
    let mut stage = Box::new(Stage::new());
    stage.play(scene, &mut store, || moments.next())
}

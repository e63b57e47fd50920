//! A board's log through a debug probe: RTT, ring buffers in the board's RAM that the probe reads while the program runs on.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use object::{Object, ObjectSegment, ObjectSymbol};
use probe_rs::config::{Registry, TargetSelector};
use probe_rs::probe::list::Lister;
use probe_rs::probe::{DebugProbeError, DebugProbeInfo, DebugProbeSelector, Probe};
use probe_rs::rtt::{Error as RttError, Rtt, ScanRegion};
use probe_rs::{MemoryInterface, Permissions, Session};

use super::Receive;

/// From one look into the board's RAM to the next.
const PAUSE: Duration = Duration::from_millis(5);
/// How long a board that has just started may take to set up its log.
const STARTING: Duration = Duration::from_secs(3);
/// What defmt calls its channel.
const CHANNEL: &str = "defmt";

/// Which board, through which probe.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings<'s> {
    /// What probe-rs calls the chip, `nRF52833_xxAA`; `None`: asked of the chip, which not all tell.
    pub chip: Option<&'s str>,
    /// The probe, as `VID:PID` or `VID:PID:SERIAL`; `None`: the only one there is.
    pub probe: Option<&'s str>,
}

/// Why a board cannot be attached to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// There is no probe.
    #[error(
        "no debug probe was found{}: looked on USB for CMSIS-DAP, J-Link, ST-Link and other probes; plug the board in with a cable that carries data{}, or use --port, --tcp or --machine",
        that_is(.wanted.as_deref()),
        rules()
    )]
    NoProbe {
        /// The one that was asked for.
        wanted: Option<String>,
    },
    /// There are several.
    #[error("there are several debug probes: choose one with --probe VID:PID:SERIAL: {}", .probes.join(", "))]
    Several {
        /// All of them.
        probes: Vec<String>,
    },
    /// The words for a probe make no sense.
    #[error("`{words}` is no debug probe: expected VID:PID or VID:PID:SERIAL, such as 0d28:0204")]
    Selector {
        /// The words.
        words: String,
    },
    /// The probe cannot be opened.
    #[error("cannot open the debug probe {probe}: {source}; does another program use it{}?", rules())]
    Open {
        /// The probe.
        probe: String,
        /// Why.
        source: DebugProbeError,
    },
    /// No such chip.
    #[error("probe-rs knows no chip `{chip}`{}", there_are(.similar))]
    Chip {
        /// The name.
        chip: String,
        /// Names that are like it.
        similar: Vec<String>,
    },
    /// The chip cannot be attached to.
    #[error("cannot attach to the chip: {source}; is the board powered, and is it {}?", .chip.as_deref().unwrap_or("one that tells what it is (else name it with --chip)"))]
    Attach {
        /// The chip that was asked for.
        chip: Option<String>,
        /// Why.
        source: probe_rs::Error,
    },
    /// The image cannot be used.
    #[error("{}: {reason}", path.display())]
    Image {
        /// The image.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The board runs another program.
    #[error("the board runs another program than {}: flash this one first (`cargo run --release` in its folder, or `probe-rs download`), or name the image that it runs", path.display())]
    OtherImage {
        /// The image.
        path: PathBuf,
    },
    /// The program has no log that is set up.
    #[error(
        "the board's log was not found in its RAM: {source}; does its program run, and does it log with defmt-rtt or rtt-target?"
    )]
    NoLog {
        /// Why.
        source: RttError,
    },
}

fn that_is(wanted: Option<&str>) -> String {
    wanted.map_or_else(String::new, |wanted| format!(" that is {wanted}"))
}

/// What Linux asks for.
fn rules() -> &'static str {
    if cfg!(target_os = "linux") {
        " (on Linux, the rules of probe.rs/docs/getting-started/probe-setup let you use it)"
    } else {
        ""
    }
}

fn there_are(names: &[String]) -> String {
    match names {
        [] => "; see probe.rs/targets for their names".to_owned(),
        names => format!("; there are {}", names.join(", ")),
    }
}

/// The log of a board, read by a probe.
pub struct ProbeLink {
    session: Session,
    rtt: Rtt,
    channel: usize,
    region: ScanRegion,
}

impl ProbeLink {
    /// Finds the probe, attaches to the chip, which stands still for some milliseconds, and finds the log of the program, whose image is an ELF file.
    ///
    /// # Errors
    /// See [`ProbeError`].
    pub fn attach(settings: Settings<'_>, image: &Path) -> Result<Self, ProbeError> {
        // What can be wrong without a probe is told without one.
        let chip = settings.chip.map(known).transpose()?;
        let program = Program::read(image)?;
        Self::attach_through(open(settings.probe)?, chip.as_deref(), &program, STARTING)
    }

    fn attach_through(
        probe: Probe,
        chip: Option<&str>,
        program: &Program,
        patience: Duration,
    ) -> Result<Self, ProbeError> {
        let target = chip.map_or(TargetSelector::Auto, TargetSelector::from);
        let mut session = probe
            .attach(target, Permissions::default())
            .map_err(|source| ProbeError::Attach { chip: chip.map(str::to_owned), source })?;
        let region = program.control_block.map_or(ScanRegion::Ram, ScanRegion::Exact);
        let failed = |source| ProbeError::Attach { chip: chip.map(str::to_owned), source };
        let mut core = session.core(0).map_err(failed)?;
        if !program.is_in(&mut core).map_err(failed)? {
            return Err(ProbeError::OtherImage { path: program.path.clone() });
        }
        let mut rtt = probe_rs::rtt::try_attach_to_rtt(&mut core, patience, &region)
            .map_err(|source| ProbeError::NoLog { source })?;
        let channel = rtt.up_channels().iter().position(|channel| channel.name() == Some(CHANNEL)).unwrap_or(0);
        drop(core);
        Ok(Self { session, rtt, channel, region })
    }

    /// The chip, as probe-rs calls it.
    #[must_use]
    pub fn chip(&self) -> String {
        self.session.target().name.clone()
    }

    /// Bytes of the largest RAM of the chip.
    #[must_use]
    pub fn ram(&self) -> Option<u64> {
        let regions = self.session.target().memory_map.iter().filter_map(|region| region.as_ram_region());
        regions.map(|region| region.range.end - region.range.start).max()
    }

    /// What there is to read now.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut core = self.session.core(0).map_err(io::Error::other)?;
        let channel = self.rtt.up_channel(self.channel);
        let channel =
            channel.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "the board's log has no channel"))?;
        match channel.read(&mut core, buffer) {
            Ok(count) => Ok(count),
            Err(RttError::Probe(error)) => Err(io::Error::other(error)),
            // The board has started anew, and sets up its log anew.
            Err(_) => {
                let found = probe_rs::rtt::try_attach_to_rtt(&mut core, STARTING, &self.region);
                self.rtt = found.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
                Ok(0)
            }
        }
    }
}

impl Receive for ProbeLink {
    fn receive(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        let end = Instant::now() + timeout;
        loop {
            let count = self.read(buffer)?;
            let left = end.saturating_duration_since(Instant::now());
            if count > 0 || left.is_zero() {
                return Ok(count);
            }
            std::thread::sleep(PAUSE.min(left));
        }
    }
}

impl std::fmt::Debug for ProbeLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProbeLink").field("chip", &self.chip()).field("channel", &self.channel).finish_non_exhaustive()
    }
}

/// The name of a chip that probe-rs knows.
fn known(chip: &str) -> Result<String, ProbeError> {
    let registry = Registry::from_builtin_families();
    registry.get_target_by_name(chip).map(|target| target.name).map_err(|_| {
        // Names begin with the family: the shorter the beginning, the more there are.
        let beginnings = (3..=chip.len()).rev().filter_map(|length| chip.get(..length));
        let similar = beginnings.map(|name| registry.search_chips(name)).find(|names| !names.is_empty());
        ProbeError::Chip { chip: chip.to_owned(), similar: similar.unwrap_or_default().into_iter().take(8).collect() }
    })
}

/// The probe that is asked for, or the only one.
fn open(wanted: Option<&str>) -> Result<Probe, ProbeError> {
    let selector =
        |words: &str| words.parse::<DebugProbeSelector>().map_err(|_| ProbeError::Selector { words: words.to_owned() });
    let selector = wanted.map(selector).transpose()?;
    let probes = Lister::new().list(selector.as_ref());
    match &probes[..] {
        [] => Err(ProbeError::NoProbe { wanted: wanted.map(str::to_owned) }),
        [probe] => probe.open().map_err(|source| ProbeError::Open { probe: probe.to_string(), source }),
        probes => Err(ProbeError::Several { probes: probes.iter().map(DebugProbeInfo::to_string).collect() }),
    }
}

/// What is known of the program from its image.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    path: PathBuf,
    /// The address of its RTT control block.
    control_block: Option<u64>,
    /// What is flashed and never changes, with its addresses.
    pieces: Vec<(u64, Vec<u8>)>,
}

impl Program {
    fn read(path: &Path) -> Result<Self, ProbeError> {
        let wrong = |reason: String| ProbeError::Image { path: path.to_owned(), reason };
        let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let file = object::File::parse(&*bytes).map_err(|error| wrong(format!("no ELF image: {error}")))?;
        let control_block =
            file.symbols().find(|symbol| symbol.name() == Ok("_SEGGER_RTT")).map(|symbol| symbol.address());
        // Statics are flashed elsewhere than they lie, and change.
        let is_code = |segment: &object::Segment<'_, '_>| {
            let object::SegmentFlags::Elf { p_flags } = segment.flags() else { return false };
            p_flags & object::elf::PF_W == 0
        };
        let piece = |segment: object::Segment<'_, '_>| {
            let data = segment.data().ok().filter(|data| !data.is_empty())?;
            Some((segment.address(), data.to_vec()))
        };
        let pieces = file.segments().filter(is_code).filter_map(piece).collect();
        Ok(Self { path: path.to_owned(), control_block, pieces })
    }

    /// Whether it is what is flashed.
    fn is_in(&self, core: &mut probe_rs::Core<'_>) -> Result<bool, probe_rs::Error> {
        for (address, expected) in &self.pieces {
            let mut there = vec![0; expected.len()];
            core.read(*address, &mut there)?;
            if there != *expected {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(all(test, feature = "probe-tests"))]
mod tests;

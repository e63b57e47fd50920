//! Measures the longest step of the gesture and anomaly applications, in instructions, and the deepest stack of all of them: what a
//! board's clock and memory must be enough for. Of the stream application, the longest step between two bytes of a request, and the
//! longest that learns from a sample. QEMU must count instructions: `-icount shift=7,sleep=off`.

#![no_std]
#![no_main]

use core::convert::Infallible;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use backpass::Rng;
use backpass::checkpoint::Store;
use backpass_app::device::{Parts, Sensor, SensorError};
use backpass_app::ram_flash::RamFlash;
use backpass_app::scene::{Dark, Still};
use backpass_app::stream::frame::{self, Direction};
use backpass_app::stream::{self, FRAME, Frames, Input, NbLine, Request, VERSION};
use backpass_app::{anomaly, boards, gesture};
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_SUCCESS};
use defmt_semihosting as _;
use embedded_hal::digital::{ErrorType, InputPin};
use embedded_hal_nb::nb;
use embedded_hal_nb::serial::{self, ErrorKind};
use portable_atomic as _;
use static_cell::ConstStaticCell;

#[path = "../peak.rs"]
mod peak;
#[path = "../stop.rs"]
mod stop;

/// Bytes of flash.
const FLASH: u32 = 1 << 17;
static BYTES: ConstStaticCell<[u8; FLASH as usize]> = ConstStaticCell::new([0; FLASH as usize]);

#[entry]
fn main() -> ! {
    stop::arm(None);
    timer::start();
    let Ok(mut store) = Store::new(RamFlash::new(BYTES.take()), 0..FLASH) else { panic!("no store") };
    macro_rules! measure {
        ($name:literal, $application:ident::$type:ident, $channels:literal, $ram:ty, $settings:expr) => {{
            static RAM: ConstStaticCell<$ram> = ConstStaticCell::new(<$ram>::new());
            let mut application = $application::$type::new(RAM.take(), $settings);
            measure::<$channels>($name, |parts, start| {
                let mut saved = false;
                let mut log = |event| saved |= matches!(event, $application::Event::Saved { .. });
                if start {
                    application.start(&mut store, &mut log);
                }
                application.step(parts, &mut store, &mut log);
                saved
            });
        }};
    }
    #[cfg(not(small))]
    measure!("gesture 3", gesture::Gesture, 3, gesture::Ram<3, 4, gesture::Window3>, boards::GESTURE);
    #[cfg(not(small))]
    measure!("gesture 6", gesture::Gesture, 6, gesture::Ram<6, 4, gesture::Window6>, boards::GESTURE);
    #[cfg(small)]
    measure!("gesture 6", gesture::Gesture, 6, gesture::Ram<6, 4, gesture::Window6>, boards::GESTURE_M0);
    #[cfg(not(small))]
    measure!("anomaly 3", anomaly::Anomaly, 3, anomaly::Ram<3, anomaly::Window3>, quick(boards::ANOMALY));
    #[cfg(not(small))]
    measure!("anomaly 6", anomaly::Anomaly, 6, anomaly::Ram<6, anomaly::Window6>, quick(boards::ANOMALY));
    #[cfg(small)]
    measure!("anomaly 6", anomaly::Anomaly, 6, anomaly::Ram<6, anomaly::Window6>, quick(boards::ANOMALY_M0));
    measure_stream(&mut store);
    debug::exit(EXIT_SUCCESS);
    loop {
        cortex_m::asm::wfi();
    }
}

/// The same with less of it.
const fn quick(settings: anomaly::Settings) -> anomaly::Settings {
    anomaly::Settings { learning_windows: 16, ..settings }
}

type Simulated = Parts<Noise, Button, Button, Dark, Still, Still>;

static HELD_A: AtomicBool = AtomicBool::new(false);
static HELD_B: AtomicBool = AtomicBool::new(false);

/// Steps with button A held and as many with it released: for anomalies, which begin to learn when it is pressed, all of the learning.
const STEPS: u32 = 200;

/// Runs an application; says what its longest step took, apart from those that save or load, and how deep the stack went in all of them.
fn measure<const C: usize>(name: &'static str, mut step: impl FnMut(&mut Simulated, bool) -> bool) {
    let sensor = Noise(Rng::new(1));
    let (button_a, button_b) = (Button(&HELD_A), Button(&HELD_B));
    let mut parts = Parts { sensor, button_a, button_b, display: Dark, clock: Still, delay: Still };
    let (mut longest, mut saves) = (0, 0);
    let (_, stack) = peak::peak(&mut || {
        for number in 0..2 * STEPS {
            HELD_A.store((1..STEPS).contains(&number), Relaxed);
            let before = timer::ticks();
            // At the second start there is something to load.
            let starts = number == 0 || number == 2 * STEPS - 40;
            let saved = step(&mut parts, starts);
            let ticks = before.wrapping_sub(timer::ticks());
            saves += u32::from(saved);
            if !saved && !starts {
                longest = longest.max(ticks);
            }
        }
        true
    });
    // A tick is 40 ns, an instruction 128 ns.
    defmt::info!("step {=u32} saves {=u32} stack {=usize} of {=str}", longest / 16 * 5, saves, stack, name);
}

/// Requests, byte by byte: a new session, samples, parameters, a checkpoint. Answers go nowhere.
struct Wire {
    bytes: [u8; FRAME],
    length: usize,
    next: usize,
    number: u32,
}

/// How many samples are sent, and the number of the last request.
const SAMPLES: u32 = 20;
const LAST: u32 = SAMPLES + 2;

impl Wire {
    const fn new() -> Self {
        Self { bytes: [0; FRAME], length: 0, next: 0, number: 0 }
    }

    /// Writes the next request, if there is one left.
    fn prepare(&mut self, sample: &Input) -> bool {
        let (request, numbers) = match self.number {
            0 => (Request::Hello { version: VERSION }, &[][..]),
            number @ 1..=SAMPLES => (Request::Train { class: Some(number % 10) }, sample.as_flattened()),
            number if number < LAST => (Request::Read { offset: 0, count: 200 }, &[][..]),
            LAST => (Request::Save, &[][..]),
            _ => return false,
        };
        let key = (1, self.number);
        let length = frame::write(&mut self.bytes, Direction::Request, key, &request, &mut |put| put(numbers));
        let Some(length) = length else { panic!("no room") };
        (self.length, self.next, self.number) = (length, 0, self.number + 1);
        true
    }
}

impl serial::ErrorType for Wire {
    type Error = ErrorKind;
}

impl serial::Read for Wire {
    fn read(&mut self) -> nb::Result<u8, ErrorKind> {
        let byte = self.bytes[..self.length].get(self.next).copied().ok_or(nb::Error::WouldBlock)?;
        self.next += 1;
        Ok(byte)
    }
}

impl serial::Write for Wire {
    fn write(&mut self, _: u8) -> nb::Result<(), ErrorKind> {
        Ok(())
    }

    fn flush(&mut self) -> nb::Result<(), ErrorKind> {
        Ok(())
    }
}

/// Lets the stream application answer requests; says what its longest step between two bytes took, and its longest with a sample.
fn measure_stream(store: &mut Store<RamFlash<'static>>) {
    static RAM: ConstStaticCell<stream::Ram> = ConstStaticCell::new(stream::Ram::new());
    static FRAMES: ConstStaticCell<Frames<FRAME>> = ConstStaticCell::new(Frames::new());
    static WIRE: ConstStaticCell<Wire> = ConstStaticCell::new(Wire::new());
    let mut server = stream::example(RAM.take(), FRAMES.take());
    let (wire, mut rng) = (WIRE.take(), Rng::new(1));
    let (mut between, mut learning) = (0, 0);
    let (_, stack) = peak::peak(&mut || {
        server.start(store, &mut |_| {});
        let mut sample = [[0.0; stream::CHANNELS]; stream::ROWS];
        while wire.prepare(&sample) {
            sample.as_flattened_mut().iter_mut().for_each(|value| *value = rng.symmetric(1.0));
            let number = wire.number - 1;
            let length = wire.length;
            for at in 0..length {
                // One byte is there, as on a line that is slower than the core.
                wire.length = at + 1;
                let before = timer::ticks();
                server.step(&mut NbLine::new(&mut *wire), store, &mut |_| {});
                let ticks = before.wrapping_sub(timer::ticks());
                if at + 1 < length {
                    between = between.max(ticks);
                } else if (1..=SAMPLES).contains(&number) {
                    learning = learning.max(ticks);
                }
            }
        }
        true
    });
    let [between, learning] = [between, learning].map(|ticks: u32| ticks / 16 * 5 + ticks % 16 * 5 / 16);
    let observed = server.counters().observed;
    defmt::info!("line {=u32} learns {=u32} observed {=u32} stack {=usize}", between, learning, observed, stack);
}

/// The board's timer, which counts down 25 million times a second.
mod timer {
    const CONTROL: *mut u32 = 0x4000_0000 as *mut u32;
    const VALUE: *mut u32 = 0x4000_0004 as *mut u32;
    const RELOAD: *mut u32 = 0x4000_0008 as *mut u32;

    pub(super) fn start() {
        // SAFETY: registers of the timer of the MPS2 boards, which nobody else uses.
        unsafe {
            RELOAD.write_volatile(u32::MAX);
            VALUE.write_volatile(u32::MAX);
            CONTROL.write_volatile(1);
        }
    }

    pub(super) fn ticks() -> u32 {
        // SAFETY: as above.
        unsafe { VALUE.read_volatile() }
    }
}

/// A sensor that measures noise.
struct Noise(Rng);

impl<const C: usize> Sensor<C> for Noise {
    fn start(&mut self) -> Result<(), SensorError> {
        Ok(())
    }

    fn read(&mut self) -> Result<[f32; C], SensorError> {
        Ok([(); C].map(|()| self.0.symmetric(10.0)))
    }
}

struct Button(&'static AtomicBool);

impl ErrorType for Button {
    type Error = Infallible;
}

impl InputPin for Button {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(!self.0.load(Relaxed))
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.load(Relaxed))
    }
}

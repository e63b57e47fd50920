//! The live applications, played from moments that come from elsewhere: what a board must take for the same, bit for bit, as the host
//! twin, although neither has a sensor.

use core::cell::Cell;
use core::convert::Infallible;
use core::fmt::{self, Write};

use backpass::checkpoint::Store;
use backpass::stream::Storage;
use crc::{CRC_32_ISO_HDLC, Crc, Digest, NoTable};
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{ErrorType, InputPin};
use embedded_storage::nor_flash::NorFlash;
use serde::{Deserialize, Serialize};

use crate::device::{Clock, Display, Face, Parts, Sensor, SensorError};
use crate::{anomaly, gesture, parameters_crc32};

/// The most channels of a sensor.
pub const CHANNELS: usize = 6;
/// Bytes of a moment on a line.
pub const BYTES: usize = 1 + 4 * CHANNELS;
/// What stands for the end in the place of a moment.
pub const END: [u8; BYTES] = [0xff; BYTES];
/// Bytes of flash that the applications need.
pub const FLASH: u32 = 1 << 17;
/// Bytes of a scene on a line.
pub const SCENE: usize = 128;

/// Which application is played.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Scene {
    /// [`gesture`].
    Gesture {
        /// 3 or 6.
        channels: u8,
        /// 4 or 10.
        classes: u8,
        /// How it learns.
        settings: gesture::Settings,
    },
    /// [`anomaly`].
    Anomaly {
        /// 3 or 6.
        channels: u8,
        /// How it learns.
        settings: anomaly::Settings,
    },
}

impl Scene {
    /// As [postcard](https://postcard.jamesmunns.com/wire-format) has it, and zeros.
    pub fn to_bytes(&self) -> [u8; SCENE] {
        let mut bytes = [0; SCENE];
        // There is room: a number takes no more than 10 bytes, and there are no more than 12.
        let _ = postcard::to_slice(self, &mut bytes);
        bytes
    }

    /// The scene in these bytes; `None` if there is none.
    pub fn from_bytes(bytes: &[u8; SCENE]) -> Option<Self> {
        postcard::take_from_bytes(bytes).ok().map(|(scene, _)| scene)
    }
}

/// RAM of an application with 3 channels, with 6, and for gestures each with 4 and with 10 classes.
#[derive(Debug)]
pub struct Stage {
    gesture_3_4: gesture::Ram<3, 4, gesture::Window3>,
    gesture_3_10: gesture::Ram<3, 10, gesture::Window3>,
    gesture_6_4: gesture::Ram<6, 4, gesture::Window6>,
    gesture_6_10: gesture::Ram<6, 10, gesture::Window6>,
    anomaly_3: anomaly::Ram<3, anomaly::Window3>,
    anomaly_6: anomaly::Ram<6, anomaly::Window6>,
}

impl Stage {
    /// All zeros, so that a static lies in `.bss`.
    pub const fn new() -> Self {
        Self {
            gesture_3_4: gesture::Ram::new(),
            gesture_3_10: gesture::Ram::new(),
            gesture_6_4: gesture::Ram::new(),
            gesture_6_10: gesture::Ram::new(),
            anomaly_3: anomaly::Ram::new(),
            anomaly_6: anomaly::Ram::new(),
        }
    }

    /// Plays a scene, from what is in flash on; `None` if there is no such application.
    pub fn play<F: NorFlash>(
        &mut self,
        scene: &Scene,
        store: &mut Store<F>,
        next: impl FnMut() -> Option<Moment>,
    ) -> Option<Played> {
        Some(match *scene {
            Scene::Gesture { channels: 3, classes: 4, settings } => {
                play_gesture(&mut self.gesture_3_4, settings, store, next)
            }
            Scene::Gesture { channels: 3, classes: 10, settings } => {
                play_gesture(&mut self.gesture_3_10, settings, store, next)
            }
            Scene::Gesture { channels: 6, classes: 4, settings } => {
                play_gesture(&mut self.gesture_6_4, settings, store, next)
            }
            Scene::Gesture { channels: 6, classes: 10, settings } => {
                play_gesture(&mut self.gesture_6_10, settings, store, next)
            }
            Scene::Anomaly { channels: 3, settings } => play_anomaly(&mut self.anomaly_3, settings, store, next),
            Scene::Anomaly { channels: 6, settings } => play_anomaly(&mut self.anomaly_6, settings, store, next),
            _ => return None,
        })
    }
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

/// What the world is like in a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// What the sensor measures; of one with 3 channels, the first three.
    pub row: [f32; CHANNELS],
    /// Whether button A is held.
    pub button_a: bool,
    /// Whether button B is held.
    pub button_b: bool,
}

impl Moment {
    /// A byte of buttons, A being bit 0 and B bit 1, then the row, little-endian.
    pub fn to_bytes(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        let [buttons, row @ ..] = &mut bytes;
        *buttons = u8::from(self.button_a) | u8::from(self.button_b) << 1;
        for (bytes, value) in row.as_chunks_mut().0.iter_mut().zip(self.row) {
            *bytes = value.to_le_bytes();
        }
        bytes
    }

    /// The moment in these bytes; `None` at the end.
    pub fn from_bytes(bytes: &[u8; BYTES]) -> Option<Self> {
        let [buttons, rest @ ..] = bytes;
        let mut row = [0.0; CHANNELS];
        for (value, bytes) in row.iter_mut().zip(rest.as_chunks().0) {
            *value = f32::from_le_bytes(*bytes);
        }
        (*bytes != END).then_some(Self { row, button_a: buttons & 1 != 0, button_b: buttons & 2 != 0 })
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Played {
    /// What the application told of.
    pub events: u32,
    /// The CRC-32 of all of that, in words, with every digit of every number.
    pub events_crc32: u32,
    /// The CRC-32 of the parameters at the end.
    pub parameters_crc32: u32,
}

fn play_gesture<const C: usize, const K: usize, Q: Storage<gesture::Input<C>>, F: NorFlash>(
    ram: &mut gesture::Ram<C, K, Q>,
    settings: gesture::Settings,
    store: &mut Store<F>,
    mut next: impl FnMut() -> Option<Moment>,
) -> Played {
    let (world, mut told) = (World::new(), Told::new());
    let mut parts = world.parts();
    let mut application = gesture::Gesture::new(ram, settings);
    application.start(store, &mut |event| told.note(&event));
    while let Some(moment) = next() {
        world.0.set(moment);
        application.step(&mut parts, store, &mut |event| told.note(&event));
    }
    told.played(parameters_crc32(application.learner().params()))
}

fn play_anomaly<const C: usize, Q: Storage<anomaly::Input<C>>, F: NorFlash>(
    ram: &mut anomaly::Ram<C, Q>,
    settings: anomaly::Settings,
    store: &mut Store<F>,
    mut next: impl FnMut() -> Option<Moment>,
) -> Played {
    let (world, mut told) = (World::new(), Told::new());
    let mut parts = world.parts();
    let mut application = anomaly::Anomaly::new(ram, settings);
    application.start(store, &mut |event| told.note(&event));
    while let Some(moment) = next() {
        world.0.set(moment);
        application.step(&mut parts, store, &mut |event| told.note(&event));
    }
    told.played(parameters_crc32(application.learner().params()))
}

static CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

struct Told {
    digest: Digest<'static, u32, NoTable>,
    events: u32,
}

impl Told {
    fn new() -> Self {
        Self { digest: CRC.digest(), events: 0 }
    }

    fn note(&mut self, event: &impl fmt::Debug) {
        self.events = self.events.saturating_add(1);
        // It cannot fail: nothing that is written to does.
        let _ = writeln!(self, "{event:?}");
    }

    fn played(self, parameters_crc32: u32) -> Played {
        Played { events: self.events, events_crc32: self.digest.finalize(), parameters_crc32 }
    }
}

impl Write for Told {
    fn write_str(&mut self, words: &str) -> fmt::Result {
        self.digest.update(words.as_bytes());
        Ok(())
    }
}

struct World(Cell<Moment>);

type WorldParts<'w> = Parts<&'w World, Button<'w>, Button<'w>, Dark, Still, Still>;

impl World {
    const fn new() -> Self {
        Self(Cell::new(Moment { row: [0.0; CHANNELS], button_a: false, button_b: false }))
    }

    fn parts(&self) -> WorldParts<'_> {
        let button = |held| Button { world: self, held };
        let (button_a, button_b) = (button(|moment| moment.button_a), button(|moment| moment.button_b));
        Parts { sensor: self, button_a, button_b, display: Dark, clock: Still, delay: Still }
    }
}

impl<const C: usize> Sensor<C> for &World {
    fn start(&mut self) -> Result<(), SensorError> {
        Ok(())
    }

    fn read(&mut self) -> Result<[f32; C], SensorError> {
        let mut row = [0.0; C];
        row.iter_mut().zip(self.0.get().row).for_each(|(place, value)| *place = value);
        Ok(row)
    }
}

struct Button<'w> {
    world: &'w World,
    held: fn(&Moment) -> bool,
}

impl ErrorType for Button<'_> {
    type Error = Infallible;
}

impl InputPin for Button<'_> {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        self.is_low().map(|low| !low)
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok((self.held)(&self.world.0.get()))
    }
}

/// Shows nothing.
#[derive(Debug, Clone, Copy)]
pub struct Dark;

impl Display for Dark {
    fn show(&mut self, _: &Face, _: &mut impl DelayNs, _: u32) {}
}

/// No time passes: a moment is as long as the step.
#[derive(Debug, Clone, Copy)]
pub struct Still;

impl Clock for Still {
    fn microseconds(&mut self) -> u64 {
        0
    }
}

impl DelayNs for Still {
    fn delay_ns(&mut self, _: u32) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_survives_the_line() {
        let moment = Moment { row: [1.0, -2.5, 3.25, 0.0, -0.0, 1e-30], button_a: true, button_b: false };
        assert_eq!(Moment::from_bytes(&moment.to_bytes()), Some(moment));
        assert_eq!(Moment::from_bytes(&END), None);
    }

    #[test]
    fn a_scene_survives_the_line_however_large_its_numbers() {
        let largest = gesture::Settings {
            period: u32::MAX,
            updates: u32::MAX,
            replayed: u32::MAX,
            learning_rate: f32::MAX,
            seed: u64::MAX,
            longest_press: u32::MAX,
            rehearsals: u32::MAX,
        };
        let gesture = Scene::Gesture { channels: 255, classes: 255, settings: largest };
        let largest = anomaly::Settings {
            period: u32::MAX,
            learning_windows: u32::MAX,
            updates: u32::MAX,
            replayed: u32::MAX,
            raise_after: u32::MAX,
            end_after: u32::MAX,
            drift_windows: u32::MAX,
            seed: u64::MAX,
            longest_press: u32::MAX,
            ..anomaly::Settings::at_rate(25, 30)
        };
        for scene in [gesture, Scene::Anomaly { channels: 3, settings: largest }] {
            assert_eq!(Scene::from_bytes(&scene.to_bytes()), Some(scene));
        }
        assert_eq!(Scene::from_bytes(&[0xff; SCENE]), None);
    }
}

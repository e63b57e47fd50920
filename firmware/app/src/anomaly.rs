//! Anomalies: left on a machine, the device learns what is normal, and tells when that changes.
//!
//! For a while an autoencoder learns to give back windows of the vibration through a bottleneck of a few numbers. In the last part of
//! that time the errors of windows that it has not learned from yet set a [`Threshold`]. From then on the error of each window is compared
//! with the threshold: after a few windows above there is an alarm, and it ends only after a few well below (hysteresis).
//!
//! **Button A**: learn anew, from now on. **Button B**: end the alarm. A change that stays is no anomaly but a drift of what is normal: a
//! [`PageHinkley`] test on the share of windows above the threshold tells of it, and if [`Settings::relearn_on_drift`] says so the device learns anew by itself.
//!
//! What was learned is saved to flash when the learning ends, and the device watches on after a reset. What goes wrong is told as
//! an [`Event::Fault`] and shown by an LED, and the rest goes on.

use backpass::checkpoint::{self, Store};
use backpass::stream::{
    Drift, Normalizer, PageHinkley, Quantized, Replay, Reservoir, Side, StandardScaler, Storage, Threshold, Window,
};
use backpass::{
    Adam, Conv1d, Dense, Flatten, Learner, MeanSquaredError, Memory, ObserveError, Relu, Reshape, Signal, Tanh,
    UpdateError, Zero,
};
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::InputPin;
use embedded_storage::nor_flash::NorFlash;
use serde::{Deserialize, Serialize};

use crate::device::{
    Clock, Display, Face, Fault, Feed, Pace, Parts, Press, Pressed, PushButton, Reading, SaveError, Sensor, Sign,
};

/// Rows in a window: at 25 rows a second 1.3 seconds.
pub const ROWS: usize = 32;
/// Rows from one window to the next.
pub const HOP: usize = 8;
/// Windows that are remembered while learning.
pub const REMEMBERED: usize = 48;

/// A window of `C` channels.
pub type Input<const C: usize> = Signal<ROWS, C>;
/// The autoencoder: a window becomes 12 numbers and again a window.
pub type Network<const C: usize> = (
    (Conv1d<Signal<16, 8>, 5, 2>, Relu, Conv1d<Signal<8, 8>, 5, 2>, Relu, Flatten<64>, Dense<12>),
    (Tanh, Dense<128>, Relu, Reshape<Signal<32, 4>>, Conv1d<Signal<32, C>, 5>),
);
/// The network, its memory and how it learns.
pub type AnomalyLearner<'m, const C: usize> = Learner<'m, Network<C>, Input<C>, MeanSquaredError, Adam>;
/// The windows that are remembered, each kept as a `Q`.
pub type Past<Q> = Replay<Q, (), Reservoir, REMEMBERED>;
/// How a window of 3 channels is remembered: in 120 bytes.
pub type Window3 = Quantized<{ ROWS * 3 }, 3>;
/// How a window of 6 channels is remembered: in 240 bytes.
pub type Window6 = Quantized<{ ROWS * 6 }, 6>;

/// All RAM of the application but a few hundred bytes of stack: `C` channels, windows remembered as a `Q`.
///
/// ```
/// use backpass_app::anomaly::{Ram, Window3, Window6};
/// assert!(size_of::<Ram<3, Window3>>() <= 60 * 1024);
/// assert!(size_of::<Ram<6, Window6>>() <= 66 * 1024);
/// ```
#[derive(Debug)]
pub struct Ram<const C: usize, Q> {
    memory: Memory<Network<C>, Input<C>, Adam>,
    window: Window<ROWS, C, HOP>,
    past: Past<Q>,
    scaler: StandardScaler<C>,
    /// What the network is to give back.
    target: Input<C>,
}

impl<const C: usize, Q: Zero> Ram<C, Q> {
    /// The parts and their bytes, for a table: those of the network's [`Memory`], and what the live stream takes.
    pub const PARTS: [(&'static str, usize); 9] = {
        let [parameters, gradients, moments, activations, counters] = Memory::<Network<C>, Input<C>, Adam>::PARTS;
        let (window, past) = (size_of::<Window<ROWS, C, HOP>>(), size_of::<Past<Q>>());
        let (scaler, target) = (size_of::<StandardScaler<C>>(), size_of::<Input<C>>());
        let stream = [("window", window), ("replay", past), ("scaler", scaler), ("target", target)];
        let [window, past, scaler, target] = stream;
        [parameters, gradients, moments, activations, counters, window, past, scaler, target]
    };

    /// All zeros, so that a static lies in `.bss`.
    pub const fn new() -> Self {
        Self {
            memory: Memory::new(),
            window: Window::new(),
            past: Replay::new(),
            scaler: StandardScaler::new(),
            target: [[0.0; C]; ROWS],
        }
    }
}

impl<const C: usize, Q: Zero> Default for Ram<C, Q> {
    fn default() -> Self {
        Self::new()
    }
}

/// What can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Settings {
    /// Microseconds from one row to the next.
    pub period: u32,
    /// Windows from which is learned what is normal. Of the last quarter of them the errors set the threshold.
    pub learning_windows: u32,
    /// Updates for each new window.
    pub updates: u32,
    /// Remembered windows in each update, beside the new one.
    pub replayed: u32,
    /// The learning rate.
    pub learning_rate: f32,
    /// The share of normal windows whose error is below the threshold, before the margin.
    pub quantile: f32,
    /// The factor on the threshold.
    pub margin: f32,
    /// Windows above the threshold that raise the alarm.
    pub raise_after: u32,
    /// Windows below [`calm`](Self::calm) thresholds that end it.
    pub end_after: u32,
    /// The error below which a window counts towards the end of an alarm, in thresholds.
    pub calm: f32,
    /// Windows above the threshold, more or less one after another, that are a drift and no anomaly. The exact number depends on how many
    /// there were before.
    pub drift_windows: u32,
    /// Whether a drift makes the device learn anew, or only tell.
    pub relearn_on_drift: bool,
    /// The seed of the weights and of what is remembered.
    pub seed: u64,
    /// Seconds for which a button may be held.
    pub longest_press: u32,
}

impl Settings {
    /// What suits most vibrations, at this many rows a second, with so many seconds of learning.
    pub const fn at_rate(rows_per_second: u32, learning_seconds: u32) -> Self {
        let rate = if rows_per_second == 0 { 1 } else { rows_per_second };
        Self {
            period: 1_000_000 / rate,
            learning_windows: learning_seconds.saturating_mul(rate) / HOP as u32,
            updates: 2,
            replayed: 7,
            learning_rate: 0.004,
            quantile: 0.95,
            margin: 2.5,
            raise_after: 3,
            end_after: 6,
            calm: 1.0,
            drift_windows: 60,
            relearn_on_drift: true,
            seed: 1,
            longest_press: 10,
        }
    }

    const fn per_second(&self) -> u32 {
        1_000_000 / if self.period == 0 { 1 } else { self.period }
    }
}

/// By how much the share of windows above the threshold may rise before it counts towards a drift.
const TOLERATED: f32 = 0.2;
/// What a window above the threshold counts towards a drift, about: 1, less what is tolerated and the share before.
const COUNTS: f32 = 0.5;

/// What happens, as it happens.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event {
    /// It watches on with what was saved.
    Resumed {
        /// The threshold.
        threshold: f32,
    },
    /// What was saved cannot be used: it learns afresh.
    NotResumed(SaveError),
    /// From now on it learns what is normal.
    LearningBegins,
    /// A window was learned from.
    Learned {
        /// Its error before: the mean squared error of the window in units of the channels' variances.
        error: f32,
    },
    /// It knows what is normal, and watches.
    LearningEnds {
        /// The threshold.
        threshold: f32,
    },
    /// What was learned is in flash.
    Saved {
        /// The bytes it takes.
        bytes: u32,
    },
    /// What was learned is not in flash: it will be lost at a reset.
    NotSaved(SaveError),
    /// A window was compared.
    Watched {
        /// Its error, in units of the channels' variances.
        error: f32,
        /// Whether there is an alarm.
        alarm: bool,
    },
    /// The alarm is raised.
    AlarmBegins,
    /// The alarm ends.
    AlarmEnds,
    /// What is normal has changed for good.
    Drift,
    /// A window was refused.
    WindowRefused(ObserveError),
    /// An update was refused.
    UpdateRefused(UpdateError),
    /// Something does not work.
    Fault(Fault),
    /// The sensor answers again.
    SensorBack {
        /// Rows missed.
        missed: u32,
    },
}

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// So many windows were learned from.
    Learning(u32),
    Watching(Alarm),
}

/// Whether there is an alarm, with hysteresis.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Alarm {
    raised: bool,
    /// Windows in a row that speak against how it is.
    against: u32,
}

impl Alarm {
    /// Takes the error of a window, in thresholds. Whether the alarm changes.
    fn update(&mut self, error: f32, settings: &Settings) -> bool {
        let (speaks, needed) =
            if self.raised { (error < settings.calm, settings.end_after) } else { (error > 1.0, settings.raise_after) };
        self.against = if speaks { self.against.saturating_add(1) } else { 0 };
        let changes = speaks && self.against >= needed;
        if changes {
            *self = Self { raised: !self.raised, against: 0 };
        }
        changes
    }
}

/// The application: `C` channels, windows remembered as a `Q` ([`Window3`], [`Window6`]).
#[derive(Debug)]
pub struct Anomaly<'m, const C: usize, Q> {
    learner: AnomalyLearner<'m, C>,
    window: &'m mut Window<ROWS, C, HOP>,
    past: &'m mut Past<Q>,
    scaler: &'m mut StandardScaler<C>,
    target: &'m mut Input<C>,
    threshold: Threshold,
    drift: PageHinkley,
    settings: Settings,
    button_a: Press,
    button_b: Press,
    feed: Feed<C>,
    pace: Pace,
    phase: Phase,
    unsaved: bool,
    face: Face,
}

impl<'m, const C: usize, Q: Storage<Input<C>>> Anomaly<'m, C, Q> {
    /// Joins the application with its memory. [`start`](Self::start) it before the first [`step`](Self::step).
    pub fn new(ram: &'m mut Ram<C, Q>, settings: Settings) -> Self {
        let Ram { memory, window, past, scaler, target } = ram;
        let limit = settings.longest_press.saturating_mul(settings.per_second());
        let weight = COUNTS * settings.drift_windows as f32;
        Self {
            learner: Learner::new(memory, Network::<C>::default(), MeanSquaredError, Adam::new(settings.learning_rate)),
            window,
            past,
            scaler,
            target,
            threshold: Threshold::new(settings.quantile).margin(settings.margin),
            drift: PageHinkley::new().delta(TOLERATED).threshold(weight).side(Side::Up).alpha(1.0),
            settings,
            button_a: Press::new(PushButton::A, limit),
            button_b: Press::new(PushButton::B, limit),
            feed: Feed::new(settings.per_second()),
            pace: Pace::new(settings.period),
            phase: Phase::Learning(0),
            unsaved: false,
            face: Face::default(),
        }
    }

    /// Watches on with what is in flash, or begins to learn.
    pub fn start<F: NorFlash>(&mut self, store: &mut Store<F>, log: &mut dyn FnMut(Event)) {
        match store.load(&mut self.learner, &mut (&mut *self.scaler, &mut self.threshold)) {
            Ok(_) => {
                self.watch();
                log(Event::Resumed { threshold: self.threshold() });
                return;
            }
            Err(checkpoint::Error::NoCheckpoint) => {}
            Err(error) => log(Event::NotResumed(SaveError::of(&error))),
        }
        self.relearn(log);
    }

    /// Forgets what is normal, and learns it from now on. Flash keeps what was there until the learning ends.
    pub fn relearn(&mut self, log: &mut dyn FnMut(Event)) {
        self.learner.initialize(self.settings.seed);
        self.past.clear();
        self.past.seed(self.settings.seed.wrapping_add(1));
        *self.scaler = StandardScaler::new();
        self.threshold.reset();
        self.window.clear();
        self.phase = Phase::Learning(0);
        log(Event::LearningBegins);
    }

    fn watch(&mut self) {
        self.phase = Phase::Watching(Alarm::default());
        self.drift.reset();
        self.window.clear();
    }

    /// One step: looks at the buttons, takes a row, learns or compares where a window is complete, shows it, and waits for the next
    /// row.
    pub fn step<S, A, B, D, T, W, F>(
        &mut self,
        parts: &mut Parts<S, A, B, D, T, W>,
        store: &mut Store<F>,
        log: &mut dyn FnMut(Event),
    ) where
        S: Sensor<C>,
        A: InputPin,
        B: InputPin,
        D: Display,
        T: Clock,
        W: DelayNs,
        F: NorFlash,
    {
        match self.button_a.look(&mut parts.button_a) {
            Pressed::Now => self.relearn(log),
            Pressed::Fault(fault) => log(Event::Fault(fault)),
            _ => {}
        }
        match (self.button_b.look(&mut parts.button_b), &mut self.phase) {
            (Pressed::Now, Phase::Watching(alarm)) if alarm.raised => {
                *alarm = Alarm::default();
                log(Event::AlarmEnds);
            }
            (Pressed::Fault(fault), _) => log(Event::Fault(fault)),
            _ => {}
        }
        match self.feed.next(&mut parts.sensor) {
            Reading::Row(row) => self.take(&row, store, log),
            Reading::RowAfterGap(row, missed) => {
                self.window.clear();
                log(Event::SensorBack { missed });
                self.take(&row, store, log);
            }
            Reading::Failed(fault) => log(Event::Fault(fault)),
            Reading::Missing => {}
        }
        self.face.fault =
            self.feed.is_failing() || self.button_a.is_failing() || self.button_b.is_failing() || self.unsaved;
        let wait = self.pace.wait(&mut parts.clock);
        if let Some(microseconds) = wait.late {
            log(Event::Fault(Fault::Late { microseconds }));
            self.window.clear();
        }
        parts.display.show(&self.face, &mut parts.delay, wait.microseconds);
    }

    /// A row of the sensor.
    fn take<F: NorFlash>(&mut self, row: &[f32; C], store: &mut Store<F>, log: &mut dyn FnMut(Event)) {
        if let Phase::Learning(windows) = self.phase
            && !self.sets_threshold(windows)
        {
            // It cannot fail: the row is finite, and a sensor measures nothing above 1e18.
            let _ = self.scaler.learn(row);
        }
        if self.window.push(row) != Ok(true) {
            return;
        }
        match self.phase {
            Phase::Learning(windows) => self.learn(windows, store, log),
            Phase::Watching(alarm) => self.compare(alarm, log),
        }
    }

    /// Whether the errors after so many windows set the threshold: the last quarter of the time.
    const fn sets_threshold(&self, windows: u32) -> bool {
        windows >= self.settings.learning_windows - self.settings.learning_windows / 4
    }

    /// Learns from the window.
    fn learn<F: NorFlash>(&mut self, windows: u32, store: &mut Store<F>, log: &mut dyn FnMut(Event)) {
        let error = self.error(log);
        if let Some(error) = error {
            if self.sets_threshold(windows) {
                // It is finite: the learner has accepted it.
                let _ = self.threshold.learn(error);
            }
            log(Event::Learned { error });
        }
        for _ in 0..self.settings.updates.max(1) {
            for _ in 0..self.settings.replayed {
                let Some(earlier) = self.past.choose() else { break };
                earlier.write(self.target);
                scale(self.scaler, self.target);
                if let Err(error) = self.learner.observe(self.target, &*self.target) {
                    log(Event::WindowRefused(error));
                }
            }
            self.window.write(self.target);
            scale(self.scaler, self.target);
            if let Err(error) = self.learner.observe(self.target, &*self.target) {
                log(Event::WindowRefused(error));
            }
            if self.learner.pending() > 0
                && let Err(error) = self.learner.update()
            {
                self.learner.discard();
                log(Event::UpdateRefused(error));
            }
        }
        // Remembered as it was measured: the scale is still being measured.
        self.window.write(self.target);
        // It is finite.
        let _ = self.past.add(self.target, ());
        let windows = windows.saturating_add(1);
        self.phase = Phase::Learning(windows);
        let progress = windows as f32 / self.settings.learning_windows.max(1) as f32;
        self.face.sign = Sign::LearningNormal { progress };
        if windows >= self.settings.learning_windows {
            self.watch();
            log(Event::LearningEnds { threshold: self.threshold() });
            let saved = store.save(&self.learner, &mut (&mut *self.scaler, &mut self.threshold));
            self.unsaved = saved.is_err();
            log(match saved {
                Ok(info) => Event::Saved { bytes: info.length },
                Err(error) => Event::NotSaved(SaveError::of(&error)),
            });
        }
    }

    /// Compares the window with the threshold.
    fn compare(&mut self, mut alarm: Alarm, log: &mut dyn FnMut(Event)) {
        let Some(error) = self.error(log) else { return };
        let threshold = self.threshold();
        // A threshold of 0 is that of a sensor that measured nothing.
        let thresholds = if threshold > 0.0 { error / threshold } else { 0.0 };
        let changes = alarm.update(thresholds, &self.settings);
        self.phase = Phase::Watching(alarm);
        self.face.sign = Sign::Watching { error: thresholds, alarm: alarm.raised };
        log(Event::Watched { error, alarm: alarm.raised });
        if changes {
            log(if alarm.raised { Event::AlarmBegins } else { Event::AlarmEnds });
        }
        if self.drift.update(if thresholds > 1.0 { 1.0 } else { 0.0 }) == Ok(true) {
            log(Event::Drift);
            if self.settings.relearn_on_drift {
                self.relearn(log);
            }
        }
    }

    /// The error of the window, as the network is now.
    fn error(&mut self, log: &mut dyn FnMut(Event)) -> Option<f32> {
        self.window.write(self.target);
        scale(self.scaler, self.target);
        match self.learner.evaluate(self.target, &*self.target) {
            Ok((error, _)) => Some(error),
            Err(error) => {
                log(Event::WindowRefused(error));
                None
            }
        }
    }

    /// The error from which on a window is an anomaly; infinite before there is one.
    pub fn threshold(&self) -> f32 {
        self.threshold.get().unwrap_or(f32::INFINITY)
    }

    /// Whether it is learning what is normal.
    pub const fn is_learning(&self) -> bool {
        matches!(self.phase, Phase::Learning(_))
    }

    /// Whether there is an alarm.
    pub const fn is_alarm(&self) -> bool {
        matches!(self.phase, Phase::Watching(Alarm { raised: true, .. }))
    }

    /// What is shown.
    pub const fn face(&self) -> &Face {
        &self.face
    }

    /// The learner.
    pub const fn learner(&self) -> &AnomalyLearner<'m, C> {
        &self.learner
    }

    /// How many bytes of flash the checkpoints need.
    pub fn flash_needed<F: NorFlash>(&mut self) -> u32 {
        Store::<F>::needed(&self.learner, &mut (&mut *self.scaler, &mut self.threshold))
    }
}

/// Brings a window to the scale that was measured. A window that cannot be is left as it is, and the learner refuses it if it is
/// not finite.
fn scale<const C: usize>(scaler: &StandardScaler<C>, input: &mut Input<C>) {
    let _ = scaler.transform(input);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_needs_a_few_windows_and_ends_well_below_the_threshold() {
        let settings = Settings { raise_after: 3, end_after: 2, calm: 0.5, ..Settings::at_rate(25, 60) };
        let mut alarm = Alarm::default();
        let errors = [2.0, 2.0, 0.9, 2.0, 2.0, 2.0, 0.9, 0.4, 0.9, 0.4, 0.4, 0.4];
        let raised: std::vec::Vec<_> = errors
            .iter()
            .map(|error| {
                alarm.update(*error, &settings);
                alarm.raised
            })
            .collect();
        assert_eq!(raised, [false, false, false, false, false, true, true, true, true, true, false, false]);
    }
}

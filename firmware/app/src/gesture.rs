//! Gestures, learned on the device: hold button A and move, and it has learned the movement.
//!
//! **Button A held**: what comes is an example of the class that is chosen, and is learned. **Button B**: the next class. **A
//! released**: the device says which of the learned classes it is.
//!
//! Rows of the sensor come at a fixed rate; of the last 32, every 8 rows, a window is made. A network of two convolutions
//! learns from each window once, along with windows that it remembers of all classes ([`Replay`]), so that what
//! is learned now does not make it forget what it learned before. When A is released, all that was learned is saved to flash, and
//! the device goes on from there after a reset, bit for bit. For a few seconds afterwards it rehearses: at each step it learns from
//! windows that it remembers, and then saves once more. So a lesson of a few seconds is enough. A reset on the way begins the rehearsal
//! anew.
//!
//! What goes wrong is told as an [`Event::Fault`] and shown by an LED, and the rest goes on: a sensor that does not answer or hangs, a
//! button that is stuck, a flash that is full.

use backpass::checkpoint::{self, Store};
use backpass::stream::{ClassBalanced, Normalizer, Quantized, Replay, StandardScaler, Storage, Window};
use backpass::{
    Adam, Conv1d, CrossEntropy, Dense, GlobalAveragePool, Layer, Learner, Memory, ObserveError, Pass, Relu, Signal,
    Softmax, Tensor, UpdateError, Zero,
};
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::InputPin;
use embedded_storage::nor_flash::NorFlash;
use serde::{Deserialize, Serialize};

use crate::device::{
    Clock, Display, Face, Fault, Feed, Pace, Parts, Press, Pressed, PushButton, Reading, SaveError, Sensor, Sign,
};

/// Rows in a window: at 10 rows a second 3.2 seconds, at 25 rows a second 1.3.
pub const ROWS: usize = 32;
/// Rows from one window to the next.
pub const HOP: usize = 8;
/// Windows that are remembered.
pub const REMEMBERED: usize = 48;

/// A window of `C` channels.
pub type Input<const C: usize> = Signal<ROWS, C>;
/// The network for `K` classes.
pub type Network<const K: usize> =
    (Conv1d<Signal<16, 8>, 5, 2>, Relu, Conv1d<Signal<8, 16>, 3, 2>, Relu, GlobalAveragePool, Dense<K>);
/// The network, its memory and how it learns.
pub type GestureLearner<'m, const C: usize, const K: usize> = Learner<'m, Network<K>, Input<C>, CrossEntropy, Adam>;
/// The windows that are remembered, each kept as a `Q`.
pub type Past<const K: usize, Q> = Replay<Q, u8, ClassBalanced<K>, REMEMBERED>;
/// How a window of 3 channels is remembered: in 120 bytes.
pub type Window3 = Quantized<{ ROWS * 3 }, 3>;
/// How a window of 6 channels is remembered: in 240 bytes.
pub type Window6 = Quantized<{ ROWS * 6 }, 6>;

/// All RAM of the application but a few hundred bytes of stack: `C` channels, `K` classes, windows remembered as a `Q`.
///
/// ```
/// use backpass_app::gesture::{Ram, Window3, Window6};
/// assert!(size_of::<Ram<3, 4, Window3>>() <= 20 * 1024);
/// assert!(size_of::<Ram<6, 4, Window6>>() <= 28 * 1024);
/// ```
#[derive(Debug)]
pub struct Ram<const C: usize, const K: usize, Q> {
    memory: Memory<Network<K>, Input<C>, Adam>,
    window: Window<ROWS, C, HOP>,
    past: Past<K, Q>,
    scaler: StandardScaler<C>,
}

impl<const C: usize, const K: usize, Q: Zero> Ram<C, K, Q> {
    /// The parts and their bytes, for a table: those of the network's [`Memory`], and what the live stream takes.
    pub const PARTS: [(&'static str, usize); 8] = {
        let [parameters, gradients, moments, activations, counters] = Memory::<Network<K>, Input<C>, Adam>::PARTS;
        let (window, past) = (size_of::<Window<ROWS, C, HOP>>(), size_of::<Past<K, Q>>());
        let scaler = ("scaler", size_of::<StandardScaler<C>>());
        [parameters, gradients, moments, activations, counters, ("window", window), ("replay", past), scaler]
    };

    /// All zeros, so that a static lies in `.bss`.
    pub const fn new() -> Self {
        Self { memory: Memory::new(), window: Window::new(), past: Replay::new(), scaler: StandardScaler::new() }
    }
}

impl<const C: usize, const K: usize, Q: Zero> Default for Ram<C, K, Q> {
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
    /// Updates for each new window.
    pub updates: u32,
    /// Remembered windows in each update, beside the new one. 0: without replay, what was learned first is forgotten.
    pub replayed: u32,
    /// Updates after a lesson, one a step, from remembered windows alone. A lesson that begins ends them.
    pub rehearsals: u32,
    /// The learning rate.
    pub learning_rate: f32,
    /// The seed of the weights and of what is remembered.
    pub seed: u64,
    /// Seconds for which a button may be held.
    pub longest_press: u32,
}

impl Settings {
    /// What suits most gestures, at this many rows a second.
    pub const fn at_rate(rows_per_second: u32) -> Self {
        let rate = if rows_per_second == 0 { 1 } else { rows_per_second };
        Self {
            period: 1_000_000 / rate,
            updates: 3,
            replayed: 9,
            rehearsals: 100,
            learning_rate: 0.004,
            seed: 1,
            longest_press: 180,
        }
    }

    const fn per_second(&self) -> u32 {
        1_000_000 / if self.period == 0 { 1 } else { self.period }
    }
}

/// What happens, as it happens.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event {
    /// It goes on from what was saved, after so many windows.
    Resumed {
        /// Windows learned from so far.
        windows: u32,
    },
    /// Nothing was saved: it starts afresh.
    Fresh,
    /// What was saved cannot be used: it starts afresh.
    NotResumed(SaveError),
    /// Button B: this class is chosen now, counted from 0.
    Chosen {
        /// The class.
        class: u8,
    },
    /// Button A: what comes is this class.
    LessonBegins {
        /// The class.
        class: u8,
    },
    /// A window was learned from.
    Learned {
        /// Its class.
        class: u8,
        /// What the network took it for before it learned from it.
        predicted: u8,
        /// The mean loss of the first update: of this window and those remembered.
        loss: f32,
    },
    /// Button A is released.
    LessonEnds {
        /// The class.
        class: u8,
        /// Windows learned from in this lesson.
        windows: u32,
    },
    /// What was learned is in flash.
    Saved {
        /// The bytes it takes.
        bytes: u32,
    },
    /// What was learned is not in flash: it will be lost at a reset. What was saved before is still there.
    NotSaved(SaveError),
    /// What it takes a window for.
    Predicted {
        /// The class.
        class: u8,
        /// Its probability, 0 to 1, as the network has it.
        confidence: f32,
    },
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

/// The application: `C` channels, `K` classes, windows remembered as a `Q` ([`Window3`], [`Window6`]).
#[derive(Debug)]
pub struct Gesture<'m, const C: usize, const K: usize, Q> {
    learner: GestureLearner<'m, C, K>,
    window: &'m mut Window<ROWS, C, HOP>,
    past: &'m mut Past<K, Q>,
    scaler: &'m mut StandardScaler<C>,
    settings: Settings,
    button_a: Press,
    button_b: Press,
    feed: Feed<C>,
    pace: Pace,
    chosen: u8,
    /// Windows learned from in the lesson that goes on.
    lesson: Option<u32>,
    /// Updates of the rehearsal that are left.
    rehearsals: u32,
    unsaved: bool,
    face: Face,
}

impl<'m, const C: usize, const K: usize, Q: Storage<Input<C>>> Gesture<'m, C, K, Q> {
    /// Joins the application with its memory. [`start`](Self::start) it before the first [`step`](Self::step).
    pub fn new(ram: &'m mut Ram<C, K, Q>, settings: Settings) -> Self {
        const { assert!(K > 1 && K <= 255, "Gesture: 2 to 255 classes") };
        let Ram { memory, window, past, scaler } = ram;
        let optimizer = Adam::new(settings.learning_rate);
        let limit = settings.longest_press.saturating_mul(settings.per_second());
        Self {
            learner: Learner::new(memory, Network::<K>::default(), CrossEntropy, optimizer),
            window,
            past,
            scaler,
            settings,
            button_a: Press::new(PushButton::A, limit),
            button_b: Press::new(PushButton::B, limit),
            feed: Feed::new(settings.per_second()),
            pace: Pace::new(settings.period),
            chosen: 0,
            lesson: None,
            rehearsals: 0,
            unsaved: false,
            face: Face::default(),
        }
    }

    /// Goes on from what is in flash, or starts afresh.
    pub fn start<F: NorFlash>(&mut self, store: &mut Store<F>, log: &mut dyn FnMut(Event)) {
        self.window.clear();
        let loaded = store
            .load(&mut self.learner, &mut (&mut *self.past, &mut *self.scaler, &mut self.chosen, &mut self.rehearsals));
        let event = match loaded {
            Ok(_) if usize::from(self.chosen) < K => {
                log(Event::Resumed { windows: self.windows() });
                return;
            }
            Ok(_) => Event::NotResumed(SaveError::Damaged),
            Err(checkpoint::Error::NoCheckpoint) => Event::Fresh,
            Err(error) => Event::NotResumed(SaveError::of(&error)),
        };
        self.forget();
        log(event);
    }

    /// Forgets all that was learned, in RAM; flash keeps it until the next lesson ends.
    pub fn forget(&mut self) {
        self.learner.initialize(self.settings.seed);
        self.past.clear();
        self.past.seed(self.settings.seed.wrapping_add(1));
        *self.scaler = StandardScaler::new();
        self.window.clear();
        self.chosen = 0;
        self.rehearsals = 0;
    }

    /// One step: looks at the buttons, takes a row, learns or predicts where a window is complete, shows it, and waits for the
    /// next row.
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
        self.look(parts, store, log);
        let row = match self.feed.next(&mut parts.sensor) {
            Reading::Row(row) => Some(row),
            Reading::RowAfterGap(row, missed) => {
                self.window.clear();
                log(Event::SensorBack { missed });
                Some(row)
            }
            Reading::Failed(fault) => {
                log(Event::Fault(fault));
                None
            }
            Reading::Missing => None,
        };
        match row {
            Some(row) => self.take(&row, log),
            // Nothing is known of what happens now.
            None if self.lesson.is_none() => self.face.sign = Sign::None,
            None => {}
        }
        if self.rehearsals > 0 {
            self.rehearse(store, log);
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

    /// The buttons.
    fn look<S, A: InputPin, B: InputPin, D, T, W, F: NorFlash>(
        &mut self,
        parts: &mut Parts<S, A, B, D, T, W>,
        store: &mut Store<F>,
        log: &mut dyn FnMut(Event),
    ) {
        match self.button_b.look(&mut parts.button_b) {
            Pressed::Now if self.lesson.is_none() => {
                let next = self.chosen.saturating_add(1);
                self.chosen = if usize::from(next) < K { next } else { 0 };
                self.face.sign = Sign::Class { class: self.chosen, confidence: 0.0 };
                log(Event::Chosen { class: self.chosen });
            }
            Pressed::Fault(fault) => log(Event::Fault(fault)),
            _ => {}
        }
        let held = match self.button_a.look(&mut parts.button_a) {
            Pressed::Now | Pressed::Held => true,
            Pressed::Released => false,
            Pressed::Fault(fault) => {
                log(Event::Fault(fault));
                false
            }
        };
        match (held, self.lesson) {
            (true, None) => {
                self.lesson = Some(0);
                self.rehearsals = 0;
                // A window has rows of one gesture only.
                self.window.clear();
                log(Event::LessonBegins { class: self.chosen });
            }
            (false, Some(windows)) => {
                self.lesson = None;
                self.window.clear();
                log(Event::LessonEnds { class: self.chosen, windows });
                if windows > 0 {
                    // Without replay there is nothing to rehearse from. Saved too: after a reset, all of them are made up for.
                    self.rehearsals = if self.settings.replayed > 0 { self.settings.rehearsals } else { 0 };
                    self.save(store, log);
                }
            }
            _ => {}
        }
    }

    fn save<F: NorFlash>(&mut self, store: &mut Store<F>, log: &mut dyn FnMut(Event)) {
        let saved = store
            .save(&self.learner, &mut (&mut *self.past, &mut *self.scaler, &mut self.chosen, &mut self.rehearsals));
        self.unsaved = saved.is_err();
        log(match saved {
            Ok(info) => Event::Saved { bytes: info.length },
            Err(error) => Event::NotSaved(SaveError::of(&error)),
        });
    }

    /// A row of the sensor.
    fn take(&mut self, row: &[f32; C], log: &mut dyn FnMut(Event)) {
        if self.lesson.is_some() {
            self.face.sign = Sign::Learning { class: self.chosen };
            // It cannot fail: the row is finite, and a sensor measures nothing above 1e18.
            let _ = self.scaler.learn(row);
        }
        if self.window.push(row) != Ok(true) {
            return;
        }
        if let Some(windows) = self.lesson {
            self.lesson = Some(windows.saturating_add(1));
            self.learn(log);
        } else if let Some((class, confidence)) = self.predict() {
            self.face.sign = Sign::Class { class, confidence };
            log(Event::Predicted { class, confidence });
        }
    }

    /// Learns from the window, which is one of the class that is chosen.
    fn learn(&mut self, log: &mut dyn FnMut(Event)) {
        let class = self.chosen;
        let predicted = self.predict().map_or(class, |(class, _)| class);
        let mut first_loss = 0.0;
        for update in 0..self.settings.updates.max(1) {
            let loss = self.descend(Some(class), log);
            if update == 0 {
                first_loss = loss;
            }
        }
        // Remembered as it was measured: the scale of later lessons is another one. It is remembered from the network's input.
        let (window, past) = (&*self.window, &mut *self.past);
        self.learner.predict_with(|input| {
            window.write(input);
            // It is finite, and the class exists.
            let _ = past.add(input, class);
        });
        log(Event::Learned { class, predicted, loss: first_loss });
    }

    /// One update of the rehearsal; saves what came of it after the last.
    fn rehearse<F: NorFlash>(&mut self, store: &mut Store<F>, log: &mut dyn FnMut(Event)) {
        self.descend(None, log);
        self.rehearsals = self.rehearsals.saturating_sub(1);
        if self.rehearsals == 0 {
            self.save(store, log);
        }
    }

    /// One update: from remembered windows, and from the window that is complete, if it is one of a class. Returns their mean loss.
    fn descend(&mut self, class: Option<u8>, log: &mut dyn FnMut(Event)) -> f32 {
        let (mut sum, mut observed) = (0.0, 0_u32);
        let mut note = |result: Result<f32, ObserveError>| match result {
            Ok(loss) => {
                sum += loss;
                observed += 1;
            }
            Err(error) => log(Event::WindowRefused(error)),
        };
        for _ in 0..self.settings.replayed {
            let Some(earlier) = self.past.choose() else { break };
            let scaler = &*self.scaler;
            let fill = |input: &mut Input<C>| {
                earlier.write(input);
                scale(scaler, input);
            };
            note(self.learner.observe_with(fill, &usize::from(earlier.label())));
        }
        if let Some(class) = class {
            let (window, scaler) = (&*self.window, &*self.scaler);
            let fill = |input: &mut Input<C>| {
                window.write(input);
                scale(scaler, input);
            };
            note(self.learner.observe_with(fill, &usize::from(class)));
        }
        if self.learner.pending() > 0
            && let Err(error) = self.learner.update()
        {
            self.learner.discard();
            log(Event::UpdateRefused(error));
        }
        sum / observed as f32
    }

    /// The likeliest of the learned classes, and its probability; `None` before anything is learned.
    fn predict(&mut self) -> Option<(u8, f32)> {
        let (window, scaler) = (&*self.window, &*self.scaler);
        let output = self.learner.predict_with(|input| {
            window.write(input);
            scale(scaler, input);
        });
        let mut logits = *output;
        for (logit, seen) in logits.iter_mut().zip(self.past.sampling().seen()) {
            if *seen == 0 {
                // Its probability becomes 0.
                *logit = f32::MIN / 4.0;
            }
        }
        if self.past.is_empty() {
            return None;
        }
        let mut tape = Zero::ZERO;
        let probabilities = Softmax.forward(&(), &mut logits, &mut tape, Pass::Predicting);
        let class = probabilities.argmax();
        Some((u8::try_from(class).ok()?, *probabilities.get(class)?))
    }

    /// How many windows were learned from, since the start of all.
    pub fn windows(&self) -> u32 {
        self.past.sampling().seen().iter().fold(0, |sum, seen| sum.saturating_add(*seen))
    }

    /// The class that is chosen, counted from 0.
    pub const fn chosen(&self) -> u8 {
        self.chosen
    }

    /// Whether a lesson goes on.
    pub const fn is_learning(&self) -> bool {
        self.lesson.is_some()
    }

    /// What is shown.
    pub const fn face(&self) -> &Face {
        &self.face
    }

    /// The learner.
    pub const fn learner(&self) -> &GestureLearner<'m, C, K> {
        &self.learner
    }

    /// How many bytes of flash the checkpoints need.
    pub fn flash_needed<F: NorFlash>(&mut self) -> u32 {
        Store::<F>::needed(
            &self.learner,
            &mut (&mut *self.past, &mut *self.scaler, &mut self.chosen, &mut self.rehearsals),
        )
    }
}

/// Brings a window to the scale that was measured. A window that cannot be is left as it is, and the learner refuses it if it is
/// not finite.
fn scale<const C: usize>(scaler: &StandardScaler<C>, input: &mut Input<C>) {
    let _ = scaler.transform(input);
}

//! Learning that a power cut does not undo: a board saves what it has learned every few samples, and after a reset goes on
//! from the newest checkpoint as if nothing had been.
//!
//! What it learns next is drawn by a generator that is kept in the checkpoint too, so a run with any number of power cuts comes to
//! the same bits as one without: [`Run`] is that run, in memory alone.

use backpass::checkpoint::{Archive, Error, Persist, Store};
use backpass::{Adam, CrossEntropy, Dense, Dropout, Learner, Memory, Relu, Rng};
use embedded_storage::nor_flash::NorFlash;

use crate::digits::{self, CLASSES, Input};
use crate::parameters_crc32;
use crate::session::Samples;

/// The network. Dropout has a random stream of its own, and Adam moments and counters: all of it has to survive.
pub type Network = (Dense<8>, Relu, Dropout, Dense<CLASSES>);
/// All its RAM in training.
pub type Ram = Memory<Network, Input, Adam>;
/// The network, its memory and how it learns.
pub type Resuming<'m> = Learner<'m, Network, Input, CrossEntropy, Adam>;

/// The bytes of flash that hold its checkpoints, from address 0 on: two slots of 8 KB.
pub const FLASH: u32 = 16 * 1024;
/// Samples from one checkpoint to the next.
pub const BETWEEN: u32 = 16;

/// Joins the network with its memory, for a start.
pub fn learner(memory: &mut Ram) -> Resuming<'_> {
    let network = (Dense::new(), Relu, Dropout::new(0.1), Dense::new());
    let mut learner = Learner::new(memory, network, CrossEntropy, Adam::new(0.003));
    learner.initialize(1);
    learner
}

/// What is kept beside the learner.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Beside {
    /// Draws the next sample.
    rng: Rng,
    /// The loss, smoothed over some hundred samples.
    loss: f32,
}

impl Persist for Beside {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        self.rng.persist(archive);
        let loss = archive.f32(&mut self.loss);
        archive.require(loss.is_finite());
    }
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    /// Samples learned from.
    pub observed: u32,
    /// CRC-32 of the parameters.
    pub crc32: u32,
    /// The smoothed loss.
    pub loss: f32,
}

/// What happens, as it happens.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// There was no whole checkpoint: it begins.
    Begun(State),
    /// It goes on from a checkpoint.
    Resumed {
        /// The checkpoint's number.
        sequence: u32,
        /// What was in it.
        state: State,
    },
    /// A save begins.
    Saving,
    /// A save is done.
    Committed {
        /// The checkpoint's number.
        sequence: u32,
        /// What is in it.
        state: State,
    },
}

/// A learner at work on the digits.
#[derive(Debug)]
pub struct Run<'m> {
    learner: Resuming<'m>,
    beside: Beside,
}

impl<'m> Run<'m> {
    /// From the start.
    pub fn new(memory: &'m mut Ram) -> Self {
        Self { learner: learner(memory), beside: Beside { rng: Rng::new(2), loss: 2.3 } }
    }

    /// Learns from so many samples more.
    pub fn train(&mut self, samples: u32) {
        let (digits, mut sample) = (digits::training(), [0.0; 64]);
        for _ in 0..samples {
            let index = self.beside.rng.below(digits.len() as u32);
            let class = digits.read(index as usize, &mut sample);
            // The digits are finite and the rate is small: nothing is refused.
            if let Ok(loss) = self.learner.train(&sample, &class) {
                self.beside.loss += (loss - self.beside.loss) * (1.0 / 128.0);
            }
        }
    }

    /// How far it has come.
    pub fn state(&self) -> State {
        let learner = &self.learner;
        State { observed: learner.observed(), crc32: parameters_crc32(learner.params()), loss: self.beside.loss }
    }
}

/// What a board runs after each reset: goes on from the newest checkpoint in `flash`, or begins, and saves every [`BETWEEN`] samples until it
/// has learned from `until`.
///
/// # Errors
/// What flash or the checkpoint's store refuses.
pub fn run<F: NorFlash>(
    flash: F,
    memory: &mut Ram,
    until: u32,
    log: &mut dyn FnMut(Event),
) -> Result<State, Error<F::Error>> {
    let mut store = Store::new(flash, 0..FLASH)?;
    let mut run = Run::new(memory);
    match store.load(&mut run.learner, &mut run.beside) {
        Ok(info) => log(Event::Resumed { sequence: info.sequence, state: run.state() }),
        // The first save of all was cut short.
        Err(Error::NoCheckpoint | Error::Damaged { .. }) => log(Event::Begun(run.state())),
        Err(error) => return Err(error),
    }
    while run.learner.observed() < until {
        run.train(BETWEEN);
        log(Event::Saving);
        let info = store.save(&run.learner, &mut run.beside)?;
        log(Event::Committed { sequence: info.sequence, state: run.state() });
    }
    Ok(run.state())
}

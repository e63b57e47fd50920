//! Training on the host, by the same code and in the same order as on a board.

use std::time::{Duration, Instant};

use backpass::{Layer, Learner, Loss, Memory, Optimizer, Tensor};
use backpass_app::parameters_crc32;
use backpass_app::session::{self, Event, Plan};

use crate::data::Dataset;
use crate::report::{EpochSummary, TrainingReport};

/// A network, its memory and a plan of training. See the crate's page for an example.
#[derive(Debug)]
pub struct Simulation<N: Layer<X>, X: Tensor, L, O: Optimizer> {
    network: N,
    loss: L,
    optimizer: O,
    /// How to train.
    pub plan: Plan,
    memory: Box<Memory<N, X, O>>,
}

/// How a simulation went.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Losses and accuracy after each epoch.
    pub epochs: Vec<EpochSummary>,
    /// The last test: how many samples of class (row) were taken for class (column).
    pub confusion: Vec<Vec<u32>>,
    /// CRC-32 of all parameters at the end; see [`parameters_crc32`].
    pub parameters_crc32: u32,
    /// The parts of the training RAM, in bytes.
    pub memory: Vec<(String, usize)>,
    /// The host's time for one training step: a sample's forward and backward pass and its share of an update.
    pub step_time: Duration,
    /// Samples and updates refused because they were not finite.
    pub refused: u32,
}

impl Outcome {
    /// The test accuracy after the last epoch, 0 to 1; 0 if there was none.
    #[must_use]
    pub fn test_accuracy(&self) -> f32 {
        self.epochs.last().map_or(0.0, |epoch| epoch.test_accuracy)
    }

    /// The mean test loss after the last epoch; NaN if there was none or every test sample was refused.
    #[must_use]
    pub fn test_loss(&self) -> f32 {
        self.epochs.last().map_or(f32::NAN, |epoch| epoch.test_loss)
    }

    /// The training RAM, in bytes.
    #[must_use]
    pub fn ram_bytes(&self) -> usize {
        self.memory.iter().map(|(_, bytes)| bytes).sum()
    }

    /// A report to be written or shown; its table of settings is for the caller to fill.
    #[must_use]
    pub fn report(&self, title: impl Into<String>) -> TrainingReport {
        TrainingReport {
            title: title.into(),
            settings: Vec::new(),
            epochs: self.epochs.clone(),
            confusion: self.confusion.clone(),
            memory: self.memory.clone(),
            microseconds_per_step: self.step_time.as_secs_f64() * 1e6,
        }
    }
}

impl<N, X, L, O> Simulation<N, X, L, O>
where
    N: Layer<X, Output: Tensor> + Clone,
    X: Tensor,
    L: Loss<N::Output, usize> + Copy,
    O: Optimizer + Clone,
{
    /// Joins a network, a loss, an optimizer and a plan.
    #[must_use]
    pub fn new(network: N, loss: L, optimizer: O, plan: Plan) -> Self {
        Self { network, loss, optimizer, plan, memory: Box::new(Memory::new()) }
    }

    /// The learner, say to predict with what was learned.
    pub fn learner(&mut self) -> Learner<'_, N, X, L, O> {
        Learner::new(&mut self.memory, self.network.clone(), self.loss, self.optimizer.clone())
    }

    /// Draws new weights and trains by the plan.
    pub fn run(&mut self, data: &Dataset<X>) -> Outcome {
        self.run_with(data, &mut |_| {})
    }

    /// [`run`](Self::run), telling `log` what happens while it happens.
    pub fn run_with(&mut self, data: &Dataset<X>, log: &mut dyn FnMut(&Event)) -> Outcome {
        let seed = self.plan.seed;
        self.learner().initialize(seed);
        self.resume_with(data, log)
    }

    /// Trains by the plan from the parameters that the learner has, such as those of a model that was imported.
    pub fn resume_with(&mut self, data: &Dataset<X>, log: &mut dyn FnMut(&Event)) -> Outcome {
        let classes = <N::Output as Tensor>::LEN;
        let mut confusion = vec![vec![0; classes]; classes];
        let mut epochs = Vec::new();
        let mut clock = Clock::default();
        let plan = self.plan;
        let mut learner = self.learner();
        let mut order = vec![0; data.training.len()];
        session::resume(&mut learner, &data.training[..], &data.test[..], &mut order, plan, &mut |event| {
            match event {
                Event::Trained { seen, .. } => clock.tick(seen),
                Event::Tested { class, predicted, last } => {
                    clock.pause();
                    if last && let Some(count) = confusion.get_mut(class).and_then(|row| row.get_mut(predicted)) {
                        *count += 1;
                    }
                }
                Event::Epoch(epoch) => {
                    clock.pause();
                    epochs.push(EpochSummary {
                        epoch: epoch.epoch,
                        training_loss: epoch.training_loss,
                        test_loss: epoch.test_loss,
                        test_accuracy: epoch.test_accuracy(),
                    });
                }
                _ => {}
            }
            log(&event);
            clock.resume();
        });
        Outcome {
            epochs,
            confusion,
            parameters_crc32: parameters_crc32(learner.params()),
            memory: Memory::<N, X, O>::PARTS.map(|(part, bytes)| (part.to_owned(), bytes)).to_vec(),
            step_time: clock.mean(),
            refused: learner.refused(),
        }
    }
}

/// Times the training without the tests and without the log.
#[derive(Debug, Default)]
struct Clock {
    since: Option<Instant>,
    training: Duration,
    /// Samples seen in the epochs before and in this one.
    steps: (u64, u32),
}

impl Clock {
    /// Counts the time since the last event as training: `seen` samples of this epoch are learned.
    fn tick(&mut self, seen: u32) {
        if let Some(since) = self.since.take() {
            self.training += since.elapsed();
            self.steps.0 += u64::from(seen.saturating_sub(self.steps.1));
        }
        self.steps.1 = seen;
    }

    /// What comes until the next event is no training.
    fn pause(&mut self) {
        self.since = None;
        self.steps.1 = 0;
    }

    fn resume(&mut self) {
        self.since = Some(Instant::now());
    }

    fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.training.as_secs_f64() / self.steps.0.max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use backpass::{CrossEntropy, Dense, Relu, Sgd};

    use super::*;

    type Net = (Dense<8>, Relu, Dense<3>);

    /// Three clusters on a line.
    fn data() -> Dataset<[f32; 1]> {
        Dataset::split((0..60).map(|i| ([(i % 3) as f32 - 1.0 + 0.001 * i as f32], i % 3)).collect(), 0)
    }

    fn simulation(epochs: u32) -> Simulation<Net, [f32; 1], CrossEntropy, Sgd> {
        Simulation::new(Net::default(), CrossEntropy, Sgd::new(0.2), Plan { epochs, batch: 4, seed: 1 })
    }

    #[test]
    fn learns_and_counts_each_test_sample_once() {
        let outcome = simulation(40).run(&data());
        assert_eq!(outcome.test_accuracy(), 1.0);
        assert_eq!(outcome.epochs.len(), 40);
        assert!(outcome.test_loss() < 0.3 && outcome.step_time > Duration::ZERO);
        assert_eq!(outcome.confusion.iter().flatten().sum::<u32>(), 12);
        assert_eq!(outcome.ram_bytes(), size_of::<Memory<Net, [f32; 1], Sgd>>());
    }

    #[test]
    fn a_second_run_starts_afresh() {
        let mut simulation = simulation(3);
        let first = simulation.run(&data());
        let second = simulation.run(&data());
        assert_eq!(first.parameters_crc32, second.parameters_crc32);
        assert_eq!(first.epochs, second.epochs);
    }
}

//! Which setting learns best? The twin of the digits network over seeds, learning rates, optimizers, widths and batches; and
//! a search for the learning rate alone.
//!
//! Settings are compared on a *validation part*, the last fifth of the training half, which their networks do not learn.
//! The test half has no say in the choice. The best setting is then trained on the whole training half, as
//! `backpass-sim train` does it, and tested.

mod finder;
mod state;
mod summary;
mod twin;

use std::sync::Mutex;

use backpass_app::digits::Input;
use backpass_app::session::Plan;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use finder::{RateCurve, RatePoint, RateSearch, RateSearchError};
pub use state::{Header, State, StateError};
pub use summary::{Statistics, Summary};
pub use twin::{Descent, RuleError, Width, WidthError};

use crate::Dataset;
use crate::network::Rule;

/// What is varied, and what is not.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// The rules of descent.
    pub optimizers: Vec<Rule>,
    /// The learning rates.
    pub learning_rates: Vec<f32>,
    /// The hidden layers.
    pub widths: Vec<Width>,
    /// Samples to an update.
    pub batches: Vec<u32>,
    /// The seeds of weights and orders, over which accuracies are averaged.
    pub seeds: Vec<u64>,
    /// How often every training sample is seen.
    pub epochs: u32,
}

/// A point of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The rule of descent.
    pub optimizer: Rule,
    /// The learning rate.
    pub learning_rate: f32,
    /// The hidden layer.
    pub width: Width,
    /// Samples to an update.
    pub batch: u32,
}

/// What a run learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Learned {
    /// Four fifths of the training half: for the choice.
    Part,
    /// The whole training half: for the test of what was chosen.
    Whole,
}

/// How samples were classified; counts, so that a file keeps them exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// How many rightly.
    pub right: u32,
    /// How many there are.
    pub of: u32,
}

impl Score {
    /// The part that was classified rightly, 0 to 1; 0 if there is none.
    #[must_use]
    pub fn accuracy(self) -> f64 {
        f64::from(self.right) / f64::from(self.of.max(1))
    }
}

/// A finished run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The setting.
    pub setting: Setting,
    /// The seed.
    pub seed: u64,
    /// What it learned from.
    pub learned: Learned,
    /// How the validation part was classified, if that was not learned.
    pub validation: Option<Score>,
    /// How the test half was classified.
    pub test: Score,
    /// The mean loss on the validation part, or on the test half if the whole training half was learned; none if none
    /// was finite.
    pub loss: Option<f32>,
    /// CRC-32 of all parameters at the end.
    pub parameters_crc32: u32,
    /// The training RAM in bytes.
    pub ram_bytes: usize,
    /// Samples and updates refused because they were not finite.
    pub refused: u32,
    /// The host's time for a training step; the one figure that differs from call to call.
    pub microseconds_per_step: f64,
}

/// What a sweep found.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// The settings, the best first.
    pub ranked: Vec<Summary>,
    /// The best setting, trained on the whole training half.
    pub best: Summary,
}

impl Findings {
    /// The setting with the least RAM that is within one standard error of the best, if there is one.
    #[must_use]
    pub fn frugal(&self) -> Option<&Summary> {
        summary::frugal(&self.ranked)
    }
}

/// Why a sweep has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// Something to vary has no value.
    #[error("there is nothing to run: every list needs a value")]
    EmptyGrid,
    /// The training half is too small to keep a part of it for the choice.
    #[error(
        "{0} training samples are too few to choose by: a fifth of them is kept for validation, so at least 5 are needed"
    )]
    TooFew(usize),
    /// A rule that no twin is built with.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The state file cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The operating system gives no threads.
    #[error("cannot start {jobs} jobs: {reason}; ask for fewer with --jobs")]
    Threads {
        /// How many were asked for.
        jobs: usize,
        /// Why not.
        reason: rayon::ThreadPoolBuildError,
    },
}

impl Grid {
    /// All settings, in the order of the lists.
    #[must_use]
    pub fn settings(&self) -> Vec<Setting> {
        let mut settings = Vec::new();
        for &optimizer in &self.optimizers {
            for &width in &self.widths {
                for &batch in &self.batches {
                    for &learning_rate in &self.learning_rates {
                        settings.push(Setting { optimizer, learning_rate, width, batch });
                    }
                }
            }
        }
        settings
    }

    /// How many runs it takes: the settings with each seed, and the best one again.
    #[must_use]
    pub fn runs(&self) -> usize {
        (self.settings().len() + 1) * self.seeds.len()
    }

    /// Runs what `state` does not hold yet, `jobs` runs at a time. `finished` is told of every run when it is there.
    ///
    /// Neither the number of jobs nor an interruption changes a bit of the result, but for times.
    ///
    /// # Errors
    /// [`SweepError`]; what was finished before is in the state file.
    pub fn run(
        &self,
        data: &Dataset<Input>,
        jobs: usize,
        state: Option<State>,
        finished: &(dyn Fn(&Run) + Sync),
    ) -> Result<Findings, SweepError> {
        let settings = self.settings();
        if settings.is_empty() || self.seeds.is_empty() {
            return Err(SweepError::EmptyGrid);
        }
        let halves = Halves::new(data)?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build();
        let pool = pool.map_err(|reason| SweepError::Threads { jobs, reason })?;
        let state = Mutex::new(state);
        let all = |settings: &[Setting], learned| -> Result<Vec<Run>, SweepError> {
            let pairs = settings.iter().flat_map(|setting| self.seeds.iter().map(move |seed| (*setting, *seed)));
            let pairs: Vec<_> = pairs.collect();
            let known: Vec<_> = pairs.iter().map(|(setting, seed)| lookup(&state, *setting, *seed, learned)).collect();
            let one = |((setting, seed), known): ((Setting, u64), Option<Run>)| {
                let run = match known {
                    Some(run) => run,
                    None => {
                        let run = halves.run(setting, self.epochs, seed, learned)?;
                        keep(&state, &run)?;
                        run
                    }
                };
                finished(&run);
                Ok(run)
            };
            // One by one: a run is long, and the last ones should not wait for each other.
            pool.install(|| pairs.into_par_iter().zip(known).with_max_len(1).map(one).collect())
        };
        let runs = all(&settings, Learned::Part)?;
        let summary = |runs: &[Run]| Summary::of(&runs.iter().collect::<Vec<_>>());
        let mut ranked: Vec<_> = runs.chunks(self.seeds.len()).filter_map(summary).collect();
        summary::rank(&mut ranked);
        let chosen = ranked.first().ok_or(SweepError::EmptyGrid)?.setting;
        let best = summary(&all(&[chosen], Learned::Whole)?).ok_or(SweepError::EmptyGrid)?;
        Ok(Findings { ranked, best })
    }
}

fn lookup(state: &Mutex<Option<State>>, setting: Setting, seed: u64, learned: Learned) -> Option<Run> {
    let state = state.lock().ok()?;
    let is_it = |run: &&Run| run.setting == setting && run.seed == seed && run.learned == learned;
    state.as_ref()?.runs().iter().find(is_it).copied()
}

fn keep(state: &Mutex<Option<State>>, run: &Run) -> Result<(), StateError> {
    match state.lock() {
        Ok(mut state) => state.as_mut().map_or(Ok(()), |state| state.append(*run)),
        // A thread has panicked while it wrote: rayon passes its panic on.
        Err(_) => Ok(()),
    }
}

/// The data as the two kinds of runs take them.
#[derive(Debug)]
struct Halves<'d> {
    /// Training and validation part.
    part: Dataset<Input>,
    whole: &'d Dataset<Input>,
}

impl<'d> Halves<'d> {
    fn new(whole: &'d Dataset<Input>) -> Result<Self, SweepError> {
        // The training half is shuffled already.
        let (training, validation) = whole.training.split_at(validation_start(whole));
        if whole.training.len() < 5 {
            return Err(SweepError::TooFew(whole.training.len()));
        }
        Ok(Self { part: Dataset { training: training.to_vec(), test: validation.to_vec() }, whole })
    }

    fn run(&self, setting: Setting, epochs: u32, seed: u64, learned: Learned) -> Result<Run, RuleError> {
        let Setting { optimizer, learning_rate, width, batch } = setting;
        let (data, unseen) = match learned {
            Learned::Part => (&self.part, self.whole.test.as_slice()),
            Learned::Whole => (self.whole, &[][..]),
        };
        let descent = Descent::new(optimizer)?.with_rate(learning_rate);
        let plan = Plan { epochs, batch, seed };
        let (outcome, right) = descent.train_and_test(width, plan, data, unseen);
        let diagonal = outcome.confusion.iter().enumerate().filter_map(|(class, row)| row.get(class));
        let tested = Score { right: diagonal.sum(), of: data.test.len() as u32 };
        let (validation, test) = match learned {
            Learned::Part => (Some(tested), Score { right, of: unseen.len() as u32 }),
            Learned::Whole => (None, tested),
        };
        Ok(Run {
            setting,
            seed,
            learned,
            validation,
            test,
            loss: Some(outcome.test_loss()).filter(|loss| loss.is_finite()),
            parameters_crc32: outcome.parameters_crc32,
            ram_bytes: outcome.ram_bytes(),
            refused: outcome.refused,
            microseconds_per_step: outcome.step_time.as_secs_f64() * 1e6,
        })
    }
}

/// Where the validation part begins in the training half.
#[must_use]
pub fn validation_start(data: &Dataset<Input>) -> usize {
    data.training.len() * 4 / 5
}

#[cfg(test)]
mod tests;

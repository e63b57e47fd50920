//! A training session: epochs over training samples in shuffled order, each followed by a test. It owns no memory and
//! writes no log of its own, so it runs on a board and on a host alike.

use backpass::{Layer, Learner, Loss, ObserveError, Optimizer, Rng, Tensor, UpdateError, Zero};

/// Samples with a class each, read one at a time: from flash on a board, from a table on a host.
pub trait Samples<X> {
    /// The number of samples.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `sample` with sample `index` and returns its class. For an index past the end it changes nothing and returns
    /// a class that no network has.
    fn read(&self, index: usize, sample: &mut X) -> usize;
}

impl<X: Copy> Samples<X> for [(X, usize)] {
    fn len(&self) -> usize {
        <[_]>::len(self)
    }

    fn read(&self, index: usize, sample: &mut X) -> usize {
        let Some((x, class)) = self.get(index) else { return usize::MAX };
        *sample = *x;
        *class
    }
}

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How often every training sample is seen.
    pub epochs: u32,
    /// Samples to an update; the last update of an epoch may have fewer. 0 counts as 1.
    pub batch: u32,
    /// The seed of the weights and of the order of the samples.
    pub seed: u64,
}

/// The state of affairs after an epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: u32,
    /// The mean loss of the training samples, each taken before it was learned from; NaN if all were refused.
    pub training_loss: f32,
    /// The mean loss of the test samples; NaN if all were refused.
    pub test_loss: f32,
    /// How many test samples were classified rightly.
    pub correct: u32,
    /// How many test samples there are. One that was refused, say because its loss overflowed, is not right.
    pub tested: u32,
}

impl Epoch {
    /// The part of the test samples that was classified rightly, 0 to 1; 0 if there are none.
    pub fn test_accuracy(&self) -> f32 {
        self.correct as f32 / self.tested.max(1) as f32
    }
}

/// What happens in a session, as it happens.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// An update was made.
    Trained {
        /// The epoch, counted from 1.
        epoch: u32,
        /// Training samples seen in this epoch.
        seen: u32,
        /// Training samples in an epoch.
        of: u32,
        /// The mean loss of this epoch so far; NaN if every sample was refused.
        loss: f32,
    },
    /// A sample was refused; training goes on with the next.
    SampleRefused {
        /// Its index.
        index: u32,
        /// Why.
        error: ObserveError,
    },
    /// An update was refused and its gradient discarded; training goes on.
    UpdateRefused(UpdateError),
    /// A test sample was classified.
    Tested {
        /// Its class.
        class: usize,
        /// The class that the network took it for.
        predicted: usize,
        /// Whether this is the test after the last epoch.
        last: bool,
    },
    /// An epoch has ended.
    Epoch(Epoch),
}

/// Draws the weights and trains by the plan; tells `log` what happens. Returns the last epoch, if there was one.
///
/// `order` has an entry for each training sample to be used (a part of them, if it is shorter than `training`); what it
/// holds on entry does not matter. It is filled with 0, 1, 2, ... and shuffled anew before every epoch by a generator that
/// is seeded with the plan's seed plus 1.
pub fn run<N, X, L, O>(
    learner: &mut Learner<'_, N, X, L, O>,
    training: &(impl Samples<X> + ?Sized),
    test: &(impl Samples<X> + ?Sized),
    order: &mut [u32],
    plan: Plan,
    log: &mut dyn FnMut(Event),
) -> Option<Epoch>
where
    N: Layer<X, Output: Tensor>,
    X: Tensor,
    L: Loss<N::Output, usize> + Copy,
    O: Optimizer,
{
    learner.initialize(plan.seed);
    resume(learner, training, test, order, plan, log)
}

/// [`run`] from the parameters that are there, such as those of a checkpoint.
pub fn resume<N, X, L, O>(
    learner: &mut Learner<'_, N, X, L, O>,
    training: &(impl Samples<X> + ?Sized),
    test: &(impl Samples<X> + ?Sized),
    order: &mut [u32],
    plan: Plan,
    log: &mut dyn FnMut(Event),
) -> Option<Epoch>
where
    N: Layer<X, Output: Tensor>,
    X: Tensor,
    L: Loss<N::Output, usize> + Copy,
    O: Optimizer,
{
    let used = order.len().min(training.len());
    let (order, _) = order.split_at_mut_checked(used).unwrap_or_default();
    let mut rng = Rng::new(plan.seed.wrapping_add(1));
    for (index, place) in order.iter_mut().enumerate() {
        *place = index as u32;
    }
    let mut last = None;
    for epoch in 1..=plan.epochs {
        rng.shuffle(order);
        let training_loss = train(learner, training, order, plan.batch.max(1), epoch, log);
        let mut summary = Epoch { epoch, training_loss, test_loss: 0.0, correct: 0, tested: test.len() as u32 };
        evaluate(learner, test, &mut summary, epoch == plan.epochs, log);
        log(Event::Epoch(summary));
        last = Some(summary);
    }
    last
}

/// One epoch of training; returns the mean loss.
fn train<N, X, L, O>(
    learner: &mut Learner<'_, N, X, L, O>,
    training: &(impl Samples<X> + ?Sized),
    order: &[u32],
    batch: u32,
    epoch: u32,
    log: &mut dyn FnMut(Event),
) -> f32
where
    N: Layer<X>,
    X: Tensor,
    L: Loss<N::Output, usize>,
    O: Optimizer,
{
    let of = order.len() as u32;
    let (mut sample, mut sum, mut learned) = (X::ZERO, 0.0, 0_u32);
    for (&index, seen) in order.iter().zip(1..) {
        let class = training.read(index as usize, &mut sample);
        match learner.observe(&sample, &class) {
            Ok(loss) => {
                sum += loss;
                learned += 1;
            }
            Err(error) => log(Event::SampleRefused { index, error }),
        }
        if seen % batch != 0 && seen != of {
            continue;
        }
        if learner.pending() > 0
            && let Err(error) = learner.update()
        {
            learner.discard();
            log(Event::UpdateRefused(error));
        }
        log(Event::Trained { epoch, seen, of, loss: sum / learned as f32 });
    }
    sum / learned as f32
}

/// A pass over the test samples, which are not learned from.
fn evaluate<N, X, L, O>(
    learner: &mut Learner<'_, N, X, L, O>,
    test: &(impl Samples<X> + ?Sized),
    summary: &mut Epoch,
    last: bool,
    log: &mut dyn FnMut(Event),
) where
    N: Layer<X, Output: Tensor>,
    X: Tensor,
    L: Loss<N::Output, usize> + Copy,
    O: Optimizer,
{
    let (mut sample, mut sum, mut accepted) = (<X as Zero>::ZERO, 0.0, 0_u32);
    for index in 0..test.len() {
        let class = test.read(index, &mut sample);
        match learner.evaluate(&sample, &class) {
            Ok((loss, output)) => {
                let predicted = output.argmax();
                sum += loss;
                accepted += 1;
                summary.correct += u32::from(predicted == class);
                log(Event::Tested { class, predicted, last });
            }
            Err(error) => log(Event::SampleRefused { index: index as u32, error }),
        }
    }
    summary.test_loss = sum / accepted as f32;
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use backpass::{CrossEntropy, Dense, Memory, Sgd};

    use super::*;

    /// Class 1 is right of zero.
    fn line() -> Vec<([f32; 1], usize)> {
        (-10..10).map(|i| ([i as f32 / 10.0 + 0.05], usize::from(i >= 0))).collect()
    }

    fn run_line(line: &[([f32; 1], usize)], plan: Plan, rate: f32) -> (Option<Epoch>, Vec<Event>, u32) {
        let mut memory = Memory::<Dense<2>, [f32; 1], Sgd>::new();
        let mut learner = Learner::new(&mut memory, Dense::new(), CrossEntropy, Sgd::new(rate));
        let mut events = Vec::new();
        let mut order = std::vec![7; line.len()];
        let last = run(&mut learner, line, line, &mut order, plan, &mut |event| events.push(event));
        order.sort_unstable();
        assert!(order.iter().enumerate().all(|(i, index)| i as u32 == *index));
        (last, events, crate::parameters_crc32(learner.params()))
    }

    #[test]
    fn learns_and_tells_what_happens() {
        let (last, events, _) = run_line(&line(), Plan { epochs: 20, batch: 3, seed: 1 }, 1.0);
        let last = last.unwrap();
        assert_eq!((last.epoch, last.tested, last.correct), (20, 20, 20));
        let updates = events.iter().filter(|event| matches!(event, Event::Trained { .. })).count();
        assert_eq!(updates, 20 * 7, "six updates of three samples and one of two");
        let tested = events.iter().filter(|event| matches!(event, Event::Tested { last: true, .. })).count();
        assert_eq!(tested, 20);
        assert_eq!(events.last(), Some(&Event::Epoch(last)));
    }

    #[test]
    fn the_seed_decides_everything() {
        let plan = Plan { epochs: 3, batch: 4, seed: 5 };
        assert_eq!(run_line(&line(), plan, 0.5), run_line(&line(), plan, 0.5));
        assert_ne!(run_line(&line(), plan, 0.5).2, run_line(&line(), Plan { seed: 6, ..plan }, 0.5).2);
    }

    #[test]
    fn a_bad_sample_is_reported_and_the_rest_goes_on() {
        let mut line = line();
        line.extend([([f32::NAN], 0), ([0.5], 2)]);
        let (last, events, _) = run_line(&line, Plan { epochs: 10, batch: 1, seed: 1 }, 1.0);
        let refused: Vec<_> = events.iter().filter(|event| matches!(event, Event::SampleRefused { .. })).collect();
        assert_eq!(refused.len(), 40, "in each epoch two in training and two in the test");
        assert_eq!((last.unwrap().tested, last.unwrap().correct), (22, 20));
    }

    #[test]
    fn without_an_accepted_sample_there_is_no_loss() {
        let bad = std::vec![([f32::NAN], 0); 4];
        let (last, ..) = run_line(&bad, Plan { epochs: 1, batch: 1, seed: 1 }, 1.0);
        let last = last.unwrap();
        assert!(last.training_loss.is_nan() && last.test_loss.is_nan());
        assert_eq!(last.test_accuracy(), 0.0);
    }

    #[test]
    fn a_refused_update_is_reported_and_no_epoch_is_no_summary() {
        let (_, events, _) = run_line(&line(), Plan { epochs: 1, batch: 20, seed: 1 }, f32::INFINITY);
        assert!(events.contains(&Event::UpdateRefused(UpdateError::NotFinite)));
        assert_eq!(run_line(&line(), Plan { epochs: 0, batch: 0, seed: 1 }, 1.0).0, None);
    }
}

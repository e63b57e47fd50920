//! The learner: predict, observe, update.

use core::cell::Cell;
use core::fmt;

use crate::descend::{Descend, Descent, First, InPlace, largest};
use crate::error::{ObserveError, TrainError, UpdateError};
use crate::gradients::{Accumulation, Gradients, is_safe};
use crate::init::Initialization;
use crate::kernel::elementwise;
use crate::layer::{InputGradient, Layer, Pass};
use crate::loss::Loss;
use crate::memory::{Memory, Training};
use crate::optimizer::{Bounds, Optimizer, Step};
use crate::rng::Rng;
use crate::tensor::Tensor;

/// A network that learns: borrowed [`Memory`], and beside it the network's configuration, the loss and the optimizer.
///
/// A mini-batch is gradient accumulation: [`observe`](Learner::observe) each sample, then [`update`](Learner::update)
/// once, along the mean gradient. Only one sample's activations exist at a time.
///
/// ```
/// use backpass::{CrossEntropy, Dense, Learner, Memory, Sgd};
/// # fn main() -> Result<(), backpass::TrainError> {
/// let mut memory = Memory::<Dense<2>, [f32; 1], Sgd>::new();
/// let mut learner = Learner::new(&mut memory, Dense::new(), CrossEntropy, Sgd::new(0.5));
/// learner.initialize(1);
/// for _ in 0..100 {
///     learner.observe(&[-1.0], &0)?;
///     learner.observe(&[1.0], &1)?;
///     learner.update()?;
/// }
/// assert_eq!(learner.predict(&[0.3]).as_slice().len(), 2);
/// let (loss, logits) = learner.evaluate(&[0.3], &1)?;
/// assert!(loss < 0.3 && logits[1] > logits[0]);
/// # Ok(())
/// # }
/// ```
pub struct Learner<'m, N: Layer<X>, X: Tensor, L, O: Training<N, X>> {
    memory: &'m mut Memory<N, X, O>,
    network: N,
    loss: L,
    optimizer: O,
}

impl<'m, N: Layer<X>, X: Tensor, L, O: Training<N, X>> Learner<'m, N, X, L, O> {
    /// Joins memory and configuration. The memory is taken as it is: call [`initialize`](Self::initialize) to start
    /// afresh.
    pub const fn new(memory: &'m mut Memory<N, X, O>, network: N, loss: L, optimizer: O) -> Self {
        Self { memory, network, loss, optimizer }
    }

    /// Draws new weights from `seed` and sets gradients, moments and counters to zero.
    ///
    /// Each stage of the network says how the weights before it should be drawn; see [`Initialization`].
    // By itself it takes less code a layer than within a caller.
    #[inline(never)]
    pub fn initialize(&mut self, seed: u64) {
        self.memory.clear();
        self.network.initialize(&mut self.memory.params, Initialization::Glorot, &mut Rng::new(seed));
        self.memory.bounds.values = O::bound(&self.memory.params);
    }

    /// The network's output for a sample: for a classifier the logits, whose
    /// [`argmax`](Tensor::argmax) is the class. Parameters, gradients and optimizer stay untouched.
    ///
    /// A sample that is not finite gives an output that need not be finite.
    pub fn predict(&mut self, sample: &X) -> &N::Output {
        self.predict_with(|input| copy(sample, input))
    }

    /// [`predict`](Self::predict) of a sample that `fill` writes straight into the network's input, which lies in
    /// [`Memory`]: there is no other copy of it. `fill` sets every element; what stands there is of no use.
    ///
    /// ```
    /// # use backpass::{CrossEntropy, Dense, Learner, Memory, Sgd, stream::Window};
    /// # let mut memory = Memory::<(backpass::Flatten<60>, Dense<2>), [[f32; 3]; 20], Sgd>::new();
    /// # let mut learner = Learner::new(&mut memory, Default::default(), CrossEntropy, Sgd::new(0.5));
    /// let mut window = Window::<20, 3, 10>::new();
    /// for _ in 0..100 {
    ///     if window.push(&[0.0, 0.1, 9.8])? {
    ///         learner.predict_with(|input| window.write(input));
    ///     }
    /// }
    /// # Ok::<(), backpass::stream::SampleError>(())
    /// ```
    pub fn predict_with(&mut self, fill: impl FnOnce(&mut X)) -> &N::Output {
        fill(&mut self.memory.input);
        forward(&self.network, self.memory, Pass::Predicting)
    }

    /// The loss on a sample, and the output, without learning from it. The loss is 0 where the target is one that the
    /// loss [ignores](Loss::is_ignored).
    ///
    /// # Errors
    /// [`Sample`](ObserveError::Sample), [`Target`](ObserveError::Target) or [`Loss`](ObserveError::Loss), as for
    /// [`observe`](Self::observe).
    pub fn evaluate<T: ?Sized>(&mut self, sample: &X, target: &T) -> Result<(f32, &N::Output), ObserveError>
    where
        L: Loss<N::Output, T>,
    {
        self.evaluate_with(|input| copy(sample, input), target)
    }

    /// [`evaluate`](Self::evaluate) of a sample that `fill` writes straight into the network's input; see
    /// [`predict_with`](Self::predict_with).
    ///
    /// # Errors
    /// As for [`evaluate`](Self::evaluate).
    pub fn evaluate_with<T: ?Sized>(
        &mut self,
        fill: impl FnOnce(&mut X),
        target: &T,
    ) -> Result<(f32, &N::Output), ObserveError>
    where
        L: Loss<N::Output, T>,
    {
        let Self { memory, network, loss, .. } = self;
        fill(&mut memory.input);
        check_sample(&memory.input)?;
        loss.check(target)?;
        let output = forward(network, memory, Pass::Predicting);
        let value = loss.loss(output, target);
        if value.is_finite() { Ok((value, output)) } else { Err(ObserveError::Loss) }
    }

    /// The network's configuration.
    pub const fn network(&self) -> &N {
        &self.network
    }

    /// The parameters.
    pub const fn params(&self) -> &N::Params {
        &self.memory.params
    }

    /// The parameters, to be loaded or changed.
    pub const fn params_mut(&mut self) -> &mut N::Params {
        // Infinite, but NaN if it was.
        // Nobody knows how large the parameters will be: the next step measures them first. After a load, NaN stays, and it runs dry.
        self.memory.bounds.values += f32::INFINITY;
        &mut self.memory.params
    }

    /// The optimizer's settings.
    pub const fn optimizer(&self) -> &O {
        &self.optimizer
    }

    /// The optimizer's settings, to be changed between steps.
    pub const fn optimizer_mut(&mut self) -> &mut O {
        &mut self.optimizer
    }

    /// What the optimizer keeps for the whole network: the count of steps of a schedule, say.
    pub const fn optimizer_state(&self) -> &O::State {
        &self.memory.state
    }

    /// How many samples were learned from since the last update.
    pub const fn pending(&self) -> u32 {
        self.memory.counters.pending
    }

    /// How many samples were learned from since initialisation. Stays at `u32::MAX` once there.
    pub const fn observed(&self) -> u32 {
        self.memory.counters.observed
    }

    /// How many samples and steps were refused since initialisation. Stays at `u32::MAX` once there.
    pub const fn refused(&self) -> u32 {
        self.memory.counters.refused
    }

    pub(crate) const fn memory(&self) -> &Memory<N, X, O> {
        self.memory
    }

    pub(crate) const fn memory_mut(&mut self) -> &mut Memory<N, X, O> {
        self.memory
    }

    /// The loss of a training pass on the sample in the input, whose gradient is left in the place of the output; `None` if
    /// the loss ignores the target.
    fn forward_to_loss<T: ?Sized>(&mut self, target: &T) -> Result<Option<f32>, ObserveError>
    where
        L: Loss<N::Output, T>,
    {
        check_sample(&self.memory.input)?;
        self.loss.check(target)?;
        if self.loss.is_ignored(target) {
            return Ok(None);
        }
        let pass = Pass::training(self.memory.counters.stream);
        let output = forward(&self.network, self.memory, pass);
        let loss = self.loss.gradient(output, target, self.network.output_gradient(WANT));
        if loss.is_finite() { Ok(Some(loss)) } else { Err(ObserveError::Loss) }
    }
}

impl<N: Layer<X>, X: Tensor, L, O: Optimizer> Learner<'_, N, X, L, O> {
    /// Learns from one sample: forward, loss, backward. Its gradient is added to what has accumulated. Returns the
    /// loss.
    ///
    /// Where the target is one that the loss [ignores](Loss::is_ignored), it returns 0 and leaves all as it was, as if
    /// there had been no such sample: gradients, [`pending`](Self::pending) and [`observed`](Self::observed) counts,
    /// what layers measure, and the random numbers of the samples to come.
    ///
    /// # Errors
    /// The sample is refused, and counted in [`refused`](Self::refused), if it, its target, its loss or its gradient is
    /// not finite, or if its class does not exist; see [`ObserveError`] for what is left.
    pub fn observe<T: ?Sized>(&mut self, sample: &X, target: &T) -> Result<f32, ObserveError>
    where
        L: Loss<N::Output, T>,
    {
        self.observe_with(|input| copy(sample, input), target)
    }

    /// [`observe`](Self::observe) of a sample that `fill` writes straight into the network's input; see
    /// [`predict_with`](Self::predict_with).
    ///
    /// # Errors
    /// As for [`observe`](Self::observe).
    pub fn observe_with<T: ?Sized>(&mut self, fill: impl FnOnce(&mut X), target: &T) -> Result<f32, ObserveError>
    where
        L: Loss<N::Output, T>,
    {
        fill(&mut self.memory.input);
        let result = self.accumulate(target);
        let counters = &mut self.memory.counters;
        counters.count(&result);
        if let Ok(Some(_)) = result {
            counters.pending = counters.pending.saturating_add(1);
        }
        result.map(Option::unwrap_or_default)
    }

    /// Takes one optimizer step along the mean gradient of the samples observed since the last one.
    ///
    /// # Errors
    /// [`UpdateError`]; nothing has changed then. A step refused because it would not be finite is counted in
    /// [`refused`](Self::refused).
    pub fn update(&mut self) -> Result<(), UpdateError> {
        let Memory { params, gradients, moments, state, counters, bounds, .. } = &mut *self.memory;
        if counters.pending == 0 {
            return Err(UpdateError::NothingObserved);
        }
        let known = Bounds { gradients: bounds.gradients, values: Cell::from_mut(&mut bounds.values) };
        let step = Step { bounds: Some(known), ..Step::new(counters.pending) };
        if !self.optimizer.step(params, gradients, moments, state, step) {
            counters.refused = counters.refused.saturating_add(1);
            return Err(UpdateError::NotFinite);
        }
        counters.pending = 0;
        Ok(())
    }

    /// [`observe`](Self::observe), then [`update`](Self::update). Returns the loss before the step.
    ///
    /// Where the loss [ignores](Loss::is_ignored) the target and nothing else is pending, there is no step, and it
    /// returns 0.
    ///
    /// # Errors
    /// [`TrainError`]. Where the step is refused, the gradient is discarded, so that training can go on.
    pub fn train<T: ?Sized>(&mut self, sample: &X, target: &T) -> Result<f32, TrainError>
    where
        L: Loss<N::Output, T>,
    {
        self.train_with(|input| copy(sample, input), target)
    }

    /// [`train`](Self::train) on a sample that `fill` writes straight into the network's input; see
    /// [`predict_with`](Self::predict_with).
    ///
    /// # Errors
    /// As for [`train`](Self::train).
    pub fn train_with<T: ?Sized>(&mut self, fill: impl FnOnce(&mut X), target: &T) -> Result<f32, TrainError>
    where
        L: Loss<N::Output, T>,
    {
        let loss = self.observe_with(fill, target)?;
        match self.update() {
            // Nothing is pending only after a sample that the loss ignores.
            Ok(()) | Err(UpdateError::NothingObserved) => Ok(loss),
            Err(error) => {
                self.discard();
                Err(error.into())
            }
        }
    }

    /// Tells the optimizer a metric, such as a validation loss, for a schedule that depends on one:
    /// [`ReduceOnPlateau`](crate::schedule::ReduceOnPlateau).
    pub fn report(&mut self, metric: f32) {
        self.optimizer.report(metric, &mut self.memory.state);
    }

    /// Forgets the gradient that has accumulated since the last update.
    pub fn discard(&mut self) {
        self.memory.discard();
    }

    /// The gradient accumulated since the last update, if there is any: a sum over its samples, not their mean.
    pub const fn gradients(&self) -> Option<&N::Params> {
        if self.memory.counters.pending > 0 { Some(&self.memory.gradients) } else { None }
    }

    /// The parameters, to be changed, and the gradients' arrays as working memory: a place for weights that arrive piece by piece, say, with
    /// no second copy of the parameters. `None` while samples are pending, whose gradient lies there.
    ///
    /// What stands in the second is of no use at first, whatever is left in it is of no consequence, and the next
    /// [`observe`](Self::observe) overwrites it.
    pub const fn params_and_scratch(&mut self) -> Option<[&mut N::Params; 2]> {
        if self.memory.counters.pending > 0 {
            return None;
        }
        // Nobody knows how large the parameters will be: the next step measures them first. After a load, NaN stays, and it runs dry.
        self.memory.bounds.values += f32::INFINITY;
        Some([&mut self.memory.params, &mut self.memory.gradients])
    }

    /// The optimizer's moments, in copies of the parameters.
    pub fn moments(&self) -> &[N::Params] {
        self.memory.moments.as_ref()
    }

    /// The loss; `None` if the loss ignores the target.
    // By itself it takes less code a layer than within a caller.
    #[inline(never)]
    fn accumulate<T: ?Sized>(&mut self, target: &T) -> Result<Option<f32>, ObserveError>
    where
        L: Loss<N::Output, T>,
    {
        let Some(loss) = self.forward_to_loss(target)? else { return Ok(None) };
        let Memory { params, gradients, input, tape, counters, bounds, .. } = &mut *self.memory;
        let mut sum = match counters.pending {
            0 => Accumulation::new(),
            _ => Accumulation { first: false, bound: bounds.gradients },
        };
        let grads = Gradients::new(&mut *gradients, &mut sum);
        self.network.backward(params, input, tape, Some(grads), WANT);
        if !sum.bound.is_finite() {
            let discarded = counters.pending;
            self.memory.discard();
            return Err(ObserveError::Gradient { discarded });
        }
        bounds.gradients = sum.bound;
        Ok(Some(loss))
    }
}

impl<N: Descend<X>, X: Tensor, L> Learner<'_, N, X, L, InPlace> {
    /// Learns from one sample: forward, loss, and backward with a step of descent on the way. Returns the loss before the step.
    ///
    /// Where the loss [ignores](Loss::is_ignored) the target, it returns 0 and leaves all as it was.
    ///
    /// # Errors
    /// The sample is refused, and counted in [`refused`](Self::refused). [`ObserveError::Backward`] means that layers towards the
    /// output have taken their step; after any other error all parameters are exactly what they were. See [`InPlace`].
    pub fn train<T: ?Sized>(&mut self, sample: &X, target: &T) -> Result<f32, TrainError>
    where
        L: Loss<N::Output, T>,
    {
        self.train_with(|input| copy(sample, input), target)
    }

    /// [`train`](Self::train) on a sample that `fill` writes straight into the network's input; see
    /// [`predict_with`](Self::predict_with).
    ///
    /// # Errors
    /// As for [`train`](Self::train).
    pub fn train_with<T: ?Sized>(&mut self, fill: impl FnOnce(&mut X), target: &T) -> Result<f32, TrainError>
    where
        L: Loss<N::Output, T>,
    {
        fill(&mut self.memory.input);
        let result = self.descend(target);
        self.memory.counters.count(&result);
        Ok(result?.unwrap_or_default())
    }

    /// The loss; `None` if the loss ignores the target.
    fn descend<T: ?Sized>(&mut self, target: &T) -> Result<Option<f32>, ObserveError>
    where
        L: Loss<N::Output, T>,
    {
        let Some(loss) = self.forward_to_loss(target)? else { return Ok(None) };
        let Memory { params, gradients, input, tape, bounds, .. } = &mut *self.memory;
        // A bound grows step by step; the largest magnitude itself may be far below it.
        if !is_safe(2.0 * bounds.values) {
            bounds.values = largest(params);
        }
        let mut descent = Descent::new(self.optimizer, bounds.values);
        self.network.descend::<First>(params, gradients, input, tape, &mut descent, WANT);
        bounds.values = descent.bound();
        if descent.is_refused() { Err(ObserveError::Backward) } else { Ok(Some(loss)) }
    }
}

/// Nobody reads the gradient of the sample itself.
const WANT: InputGradient = InputGradient::Unused;

fn forward<'m, N: Layer<X>, X: Tensor, O: Training<N, X>>(
    network: &N,
    memory: &'m mut Memory<N, X, O>,
    pass: Pass,
) -> &'m mut N::Output {
    let Memory { params, input, tape, .. } = memory;
    network.forward(params, input, tape, pass)
}

fn copy<X: Tensor>(sample: &X, input: &mut X) {
    elementwise::copy(sample.flat(), input.flat_mut());
}

fn check_sample<X: Tensor>(sample: &X) -> Result<(), ObserveError> {
    match elementwise::first_not_finite(sample.flat()) {
        None => Ok(()),
        Some(index) => Err(ObserveError::Sample { index }),
    }
}

impl<N: Layer<X>, X: Tensor, L: fmt::Debug, O: Training<N, X> + fmt::Debug> fmt::Debug for Learner<'_, N, X, L, O> {
    /// Configuration, sizes and counters; not the weights.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Learner")
            .field("memory", &self.memory)
            .field("loss", &self.loss)
            .field("optimizer", &self.optimizer)
            .field("counters", &self.memory.counters)
            .finish()
    }
}

#[cfg(feature = "defmt")]
impl<N: Layer<X>, X: Tensor, L: defmt::Format, O: Training<N, X> + defmt::Format> defmt::Format
    for Learner<'_, N, X, L, O>
{
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Learner {{ memory: {}, loss: {}, optimizer: {}, pending: {}, observed: {}, refused: {} }}",
            self.memory,
            self.loss,
            self.optimizer,
            self.pending(),
            self.observed(),
            self.refused()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::TargetError;
    use crate::{Adam, BatchNorm, CrossEntropy, Dense, Dropout, MeanSquaredError, Momentum, Params, Relu, Sgd};

    type Net = (Dense<5>, Relu, Dense<3>);
    const NET: Net = (Dense::new(), Relu, Dense::new());
    const SAMPLE: [f32; 4] = [0.5, -1.0, 2.0, 0.25];

    /// Bits of parameters, gradients and moments, so that "exactly what they were" means it.
    fn bits<P: Params>(sets: &[&P]) -> std::vec::Vec<u32> {
        let mut bits = std::vec::Vec::new();
        for set in sets {
            set.visit(None, &mut |_, values| bits.extend(values.iter().map(|v| v.to_bits())));
        }
        bits
    }

    fn state<L, O: Optimizer>(learner: &Learner<'_, Net, [f32; 4], L, O>) -> std::vec::Vec<u32> {
        let mut sets = std::vec![learner.params()];
        sets.extend(learner.gradients());
        sets.extend(learner.moments());
        bits(&sets)
    }

    #[test]
    fn a_refused_sample_changes_nothing_but_its_counter() {
        let mut memory = Memory::new();
        let mut learner = Learner::new(&mut memory, NET, CrossEntropy, Adam::new(0.01));
        learner.initialize(3);
        learner.train(&SAMPLE, &1).unwrap();
        learner.observe(&SAMPLE, &2).unwrap();
        let before = state(&learner);

        let mut sample = SAMPLE;
        sample[2] = f32::NAN;
        assert_eq!(learner.observe(&sample, &1), Err(ObserveError::Sample { index: 2 }));
        assert_eq!(
            learner.observe(&SAMPLE, &3),
            Err(ObserveError::Target(TargetError::ClassOutOfRange { class: 3, classes: 3 }))
        );
        assert_eq!(
            learner.observe(&SAMPLE, &[0.0, f32::INFINITY, 1.0]),
            Err(ObserveError::Target(TargetError::NotFinite { index: 1 }))
        );
        // Finite, but its logits overflow.
        assert_eq!(learner.observe(&[f32::MAX; 4], &1), Err(ObserveError::Loss));
        assert_eq!(state(&learner), before);
        assert_eq!((learner.observed(), learner.pending(), learner.refused()), (2, 1, 4));
        learner.update().unwrap();
    }

    #[test]
    fn an_overflow_in_backward_discards_the_gradient_and_says_so() {
        let mut memory = Memory::new();
        let mut learner = Learner::new(&mut memory, NET, MeanSquaredError, Momentum::new(0.01, 0.9));
        learner.initialize(3);
        learner.observe(&SAMPLE, &[0.0; 3]).unwrap();
        learner.observe(&SAMPLE, &[1.0; 3]).unwrap();
        let params = bits(&[learner.params()]);
        // The loss, about 1e36, is finite; dW = x dL/dy, about 1e19 times 1e20, is not.
        learner.params_mut().0.weight = [[1e-20; 5]; 4];
        let weights = bits(&[learner.params()]);
        assert_eq!(learner.observe(&[1e25; 4], &[-1e18; 3]), Err(ObserveError::Gradient { discarded: 2 }),);
        assert_eq!(bits(&[learner.params()]), weights);
        assert_ne!(params, weights);
        assert!(learner.gradients().is_none());
        assert_eq!(learner.update(), Err(UpdateError::NothingObserved));
        assert_eq!((learner.observed(), learner.pending(), learner.refused()), (2, 0, 1));
    }

    #[test]
    fn a_sample_written_into_the_input_is_learned_from_like_one_that_is_copied_there() {
        let (mut written, mut copied) = (Memory::new(), Memory::new());
        let mut written = Learner::new(&mut written, NET, CrossEntropy, Adam::new(0.01));
        let mut copied = Learner::new(&mut copied, NET, CrossEntropy, Adam::new(0.01));
        written.initialize(3);
        copied.initialize(3);
        let fill = |input: &mut [f32; 4]| *input = SAMPLE;
        assert_eq!(written.predict_with(fill), copied.predict(&SAMPLE));
        assert_eq!(written.evaluate_with(fill, &1), copied.evaluate(&SAMPLE, &1));
        assert_eq!(written.observe_with(fill, &1), copied.observe(&SAMPLE, &1));
        assert_eq!(written.train_with(fill, &2), copied.train(&SAMPLE, &2));
        assert_eq!(state(&written), state(&copied));
        let fill = |input: &mut [f32; 4]| *input = [0.0, 1.0, f32::NAN, 0.0];
        assert_eq!(written.observe_with(fill, &1), Err(ObserveError::Sample { index: 2 }));
        assert_eq!(written.evaluate_with(fill, &1).map(|_| ()), Err(ObserveError::Sample { index: 2 }));
        assert_eq!(state(&written), state(&copied));
        assert_eq!(written.refused(), 1);
    }

    #[test]
    fn a_step_that_would_overflow_is_refused_whole() {
        fn check<O: Optimizer>(optimizer: O, tame: impl Fn(&mut O)) {
            let mut memory = Memory::new();
            let mut learner = Learner::new(&mut memory, NET, MeanSquaredError, optimizer);
            learner.initialize(3);
            learner.observe(&SAMPLE, &[1e9; 3]).unwrap();
            let before = state(&learner);
            assert_eq!(learner.update(), Err(UpdateError::NotFinite));
            assert_eq!(state(&learner), before);
            assert_eq!((learner.pending(), learner.refused()), (1, 1));
            tame(learner.optimizer_mut());
            learner.update().unwrap();
            assert_eq!(learner.pending(), 0);
        }
        check(Sgd::new(1e38), |sgd| sgd.learning_rate = 1e-3);
        check(Sgd::new(f32::NAN), |sgd| sgd.learning_rate = 1e-3);
        check(Momentum::new(1e38, 0.9), |momentum| momentum.learning_rate = 1e-3);
        check(Adam::new(f32::INFINITY), |adam| adam.learning_rate = 1e-3);
    }

    #[test]
    fn train_goes_on_after_a_refused_step() {
        let mut memory = Memory::new();
        let mut learner = Learner::new(&mut memory, NET, MeanSquaredError, Sgd::new(1e38));
        learner.initialize(3);
        let before = state(&learner);
        assert_eq!(learner.train(&SAMPLE, &[1e9; 3]), Err(TrainError::Update(UpdateError::NotFinite)));
        assert_eq!(state(&learner), before);
        learner.optimizer_mut().learning_rate = 0.01;
        let first = learner.train(&SAMPLE, &[1.0; 3]).unwrap();
        assert!(learner.train(&SAMPLE, &[1.0; 3]).unwrap() < first);
    }

    #[test]
    fn predicting_and_evaluating_leave_gradients_and_optimizer_alone() {
        let mut memory = Memory::new();
        let mut learner = Learner::new(&mut memory, NET, CrossEntropy, Adam::new(0.01));
        learner.initialize(3);
        learner.train(&SAMPLE, &0).unwrap();
        learner.observe(&SAMPLE, &1).unwrap();
        let before = state(&learner);
        let logits = *learner.predict(&SAMPLE);
        let (loss, output) = learner.evaluate(&SAMPLE, &1).unwrap();
        assert_eq!(*output, logits);
        assert_eq!(state(&learner), before);
        assert_eq!(learner.observe(&SAMPLE, &1).unwrap().to_bits(), loss.to_bits());
    }

    #[test]
    fn a_mini_batch_steps_along_the_mean_gradient() {
        let (mut one, mut two) = (Memory::new(), Memory::new());
        let mut single = Learner::new(&mut one, NET, CrossEntropy, Sgd::new(0.1));
        let mut double = Learner::new(&mut two, NET, CrossEntropy, Sgd::new(0.1));
        single.initialize(3);
        double.initialize(3);
        single.train(&SAMPLE, &1).unwrap();
        double.observe(&SAMPLE, &1).unwrap();
        double.observe(&SAMPLE, &1).unwrap();
        double.update().unwrap();
        // Twice a number and half of that are exact, so the same sample twice is the same step, bit for bit.
        assert_eq!(state(&single), state(&double));
    }

    #[test]
    fn an_ignored_sample_is_as_if_it_had_not_been_there() {
        // Batch normalisation measures its samples, and dropout draws new numbers for each.
        type Net = (Dense<5>, BatchNorm, Dropout, Dense<3>);
        let net: Net = (Dense::new(), BatchNorm::new(), Dropout::new(0.5), Dense::new());
        let (mut with, mut without) = (Memory::new(), Memory::new());
        let mut with = Learner::new(&mut with, net, CrossEntropy.ignore(255), Adam::new(0.01));
        let mut without = Learner::new(&mut without, net, CrossEntropy, Adam::new(0.01));
        with.initialize(3);
        without.initialize(3);
        for class in [0, 2, 1] {
            with.observe(&[-5.0; 4], &255).unwrap();
            for class in [class, 1] {
                let losses = [with.observe(&SAMPLE, &class).unwrap(), without.observe(&SAMPLE, &class).unwrap()];
                assert_eq!(losses[0].to_bits(), losses[1].to_bits());
                assert_eq!(with.observe(&[1e3; 4], &255), Ok(0.0));
            }
            let gradients = |learner: &Option<_>| learner.map(|gradients| bits(&[gradients]));
            assert_eq!(gradients(&with.gradients()), gradients(&without.gradients()));
            assert_eq!((with.pending(), with.observed()), (without.pending(), without.observed()));
            with.update().unwrap();
            without.update().unwrap();
            let [first, second] = with.moments() else { panic!("Adam has two moments") };
            let [first_without, second_without] = without.moments() else { panic!("Adam has two moments") };
            assert_eq!(bits(&[with.params(), first, second]), bits(&[without.params(), first_without, second_without]));
        }
        assert_eq!(with.evaluate(&SAMPLE, &255).map(|(loss, _)| loss), Ok(0.0));
        assert_eq!((with.observed(), with.refused()), (6, 0));
        assert_eq!(with.observe(&[f32::NAN; 4], &255), Err(ObserveError::Sample { index: 0 }));
    }

    #[test]
    fn training_on_an_ignored_sample_takes_no_step_but_for_what_is_pending() {
        let mut memory = Memory::new();
        let mut learner = Learner::new(&mut memory, NET, CrossEntropy.ignore(1), Momentum::new(0.1, 0.9));
        learner.initialize(3);
        // From here on momentum alone would move the weights.
        learner.train(&SAMPLE, &0).unwrap();
        let before = state(&learner);
        assert_eq!(learner.train(&SAMPLE, &1), Ok(0.0));
        assert_eq!(state(&learner), before);
        assert_eq!(learner.update(), Err(UpdateError::NothingObserved));
        learner.observe(&SAMPLE, &2).unwrap();
        assert_eq!(learner.train(&SAMPLE, &1), Ok(0.0));
        assert_eq!(learner.pending(), 0);
        assert_ne!(state(&learner), before);
    }

    #[test]
    fn initialization_starts_afresh_from_its_seed() {
        let mut memory = Memory::new();
        let mut learner = Learner::new(&mut memory, NET, CrossEntropy, Adam::new(0.01));
        learner.initialize(3);
        let fresh = state(&learner);
        learner.train(&SAMPLE, &1).unwrap();
        learner.observe(&SAMPLE, &1).unwrap();
        assert!(learner.observe(&SAMPLE, &9).is_err());
        learner.initialize(3);
        assert_eq!(state(&learner), fresh);
        assert_eq!((learner.observed(), learner.pending(), learner.refused()), (0, 0, 0));
        learner.initialize(4);
        assert_ne!(state(&learner), fresh);
    }

    #[test]
    fn a_layer_before_relu_is_drawn_by_he_and_the_last_by_glorot() {
        let mut memory = Memory::<Net, [f32; 4], Sgd>::new();
        let mut learner = Learner::new(&mut memory, NET, CrossEntropy, Sgd::new(0.01));
        learner.initialize(1);
        let largest = |weights: &[f32]| weights.iter().fold(0.0_f32, |m, w| m.max(w.abs()));
        let params = learner.params();
        let (first, last) = (largest(params.0.weight.as_flattened()), largest(params.2.weight.as_flattened()));
        // The largest of 20 (15) uniform numbers is near its bound: He sqrt(6 / 4), Glorot sqrt(6 / 8).
        assert!((1.0..=1.225).contains(&first), "{first}");
        assert!((0.6..=0.867).contains(&last), "{last}");
        assert_eq!(params.0.bias, [0.0; 5]);
    }
}

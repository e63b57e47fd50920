//! A learning rate for each layer.

use crate::message::Message;
use crate::optimizer::step::LayerFactors;
use crate::optimizer::{Optimizer, Step};
use crate::params::Params;

/// An optimizer with a factor on the learning rate for each of the network's `N` stages.
///
/// As PyTorch's parameter groups: decoupled weight decay goes with the learning rate, an L2 penalty and clipping do not.
/// **A factor of 0 freezes a stage**: its weights stay as they are, while its moments go on, so that it can be
/// released later. (A layer that never learns costs less as [`Frozen`](crate::Frozen).) Running statistics have no learning
/// rate, and follow the data whatever the factor. The factors may be changed between steps.
///
/// There is one factor a stage, those without parameters included; another number does not compile. A network that is
/// a single layer has one stage. A network within a network is one stage; its own layers share that one's factor. Built by
/// [`Optimizer::layer_rates`].
///
/// ```
/// use backpass::{Adam, CrossEntropy, Dense, Learner, Memory, Optimizer, Relu};
/// type Net = (Dense<8>, Relu, Dense<3>);
/// let mut memory = Memory::new();
/// let rates = [0.0, 0.0, 1.0]; // the last layer learns
/// let mut learner = Learner::new(&mut memory, Net::default(), CrossEntropy, Adam::new(0.01).layer_rates(rates));
/// learner.initialize(1);
/// let before = *learner.params();
/// learner.train(&[1.0, 2.0], &1)?;
/// assert_eq!(learner.params().0, before.0);
/// assert_ne!(learner.params().2, before.2);
/// learner.optimizer_mut().factors[0] = 0.1; // from now on the first one follows slowly
/// # Ok::<(), backpass::TrainError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LayerRates<O, const N: usize> {
    /// The factors, from the first stage to the last.
    pub factors: [f32; N],
    /// What takes the step.
    pub optimizer: O,
}

impl<O: Optimizer, const N: usize> Optimizer for LayerRates<O, N> {
    const NAME: &'static str = O::NAME;

    type Moments<P: Params> = O::Moments<P>;
    type State = O::State;

    fn step<P: Params>(
        &self,
        params: &mut P,
        gradients: &mut P,
        moments: &mut O::Moments<P>,
        state: &mut O::State,
        step: Step<'_>,
    ) -> bool {
        const {
            let message = Message::new("LayerRates: ")
                .number(N)
                .text(" learning rates for a network whose number of stages is ")
                .number(P::STAGES);
            assert!(N == P::STAGES, "{}", message.as_str());
        }
        let layers = LayerFactors { factors: &self.factors, outer: step.layers };
        self.optimizer.step(params, gradients, moments, state, Step { layers: Some(&layers), ..step })
    }

    fn report(&self, metric: f32, state: &mut O::State) {
        self.optimizer.report(metric, state);
    }
}

//! The step of each optimizer alone, for the parameters of W1.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;

use backpass::optimizer::Bounds;
use backpass::{Initialization, Layer, Memory, Optimizer, Params, Rng, Step, Zero};

use super::{Digits, GRADIENTS, LEARNING_RATE, SEED, Workload, fill, largest};

type P = <Digits as Layer<[f32; 64]>>::Params;

/// Where the rule of an [`Alone`] comes from.
pub trait Make {
    /// The rule.
    type Rule: Optimizer;
    /// The rule.
    const RULE: Self::Rule;
}

/// The step of `M`'s rule alone, along gradients from -1 to 1.
#[derive(Debug, Clone, Copy)]
pub struct Alone<M>(PhantomData<M>);

/// What [`Alone`] needs in RAM.
pub struct AloneRam<O: Optimizer> {
    params: P,
    gradients: P,
    moments: O::Moments<P>,
    state: O::State,
    /// An upper bound of all values' magnitudes, as a learner keeps it.
    bound: f32,
}

impl<O: Optimizer> fmt::Debug for AloneRam<O> {
    /// Sizes, not contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AloneRam").field("bytes", &size_of::<Self>()).finish()
    }
}

impl<M: Make> Workload for Alone<M> {
    type Ram = AloneRam<M::Rule>;
    const RAM: Self::Ram =
        AloneRam { params: Zero::ZERO, gradients: Zero::ZERO, moments: Zero::ZERO, state: Zero::ZERO, bound: 0.0 };
    const TRAINING_RAM: usize = size_of::<Memory<Digits, [f32; 64], M::Rule>>();
    const MEMORY: &'static str = GRADIENTS;
    const PARAMETERS: usize = P::COUNT;
    const BATCH: u32 = 1;
    const STEPS: u32 = 2;

    fn prepare(ram: &mut Self::Ram) {
        Digits::default().initialize(&mut ram.params, Initialization::Glorot, &mut Rng::new(SEED));
        ram.bound = largest(&ram.params);
    }

    fn draw(ram: &mut Self::Ram, rng: &mut Rng) {
        P::visit_mut([&mut ram.gradients], None, &mut |_, [values]| fill(values, rng));
    }

    fn step(ram: &mut Self::Ram) -> bool {
        let AloneRam { params, gradients, moments, state, bound } = ram;
        // A sum of magnitudes, as a backward pass gives it.
        let known = Bounds { gradients: P::COUNT as f32, values: Cell::from_mut(bound) };
        M::RULE.step(params, gradients, moments, state, Step { bounds: Some(known), ..Step::new(1) })
    }
}

/// Declares rules.
macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident $make:ident: $rule:ty = $value:expr;)*) => {
        $(
            #[doc = concat!("The rule of [`", stringify!($name), "`].")]
            #[derive(Debug, Clone, Copy)]
            pub struct $make;

            impl Make for $make {
                type Rule = $rule;
                const RULE: $rule = $value;
            }

            $(#[$doc])*
            pub type $name = Alone<$make>;
        )*
    };
}

rules! {
    /// Plain descent.
    Sgd TheSgd: backpass::Sgd = backpass::Sgd::new(LEARNING_RATE);
    /// With momentum.
    Momentum TheMomentum: backpass::Momentum = backpass::Momentum::new(LEARNING_RATE, 0.9);
    /// RMSprop.
    RmsProp TheRmsProp: backpass::RmsProp = backpass::RmsProp::new(LEARNING_RATE);
    /// Adagrad.
    Adagrad TheAdagrad: backpass::Adagrad = backpass::Adagrad::new(LEARNING_RATE);
    /// Adadelta.
    Adadelta TheAdadelta: backpass::Adadelta = backpass::Adadelta::new(LEARNING_RATE);
    /// Adam.
    Adam TheAdam: backpass::Adam = backpass::Adam::new(LEARNING_RATE);
    /// AMSGrad.
    AmsGrad TheAmsGrad: backpass::AmsGrad = backpass::AmsGrad::new(LEARNING_RATE);
    /// Lion.
    Lion TheLion: backpass::Lion = backpass::Lion::new(LEARNING_RATE);
    /// Lars.
    Lars TheLars: backpass::Lars = backpass::Lars::new(LEARNING_RATE);
    /// Plain descent whose norm is clipped.
    ClipNorm TheClipNorm: backpass::ClipNorm<backpass::Sgd> =
        backpass::ClipNorm { max_norm: 1.0, optimizer: backpass::Sgd::new(LEARNING_RATE) };
}
